#include "onednn_peer.hpp"

#include <cstring>
#include <stdexcept>

#include <dnnl.hpp>

namespace bench {

namespace {

using dnnl::memory;
using Tag = memory::format_tag;

memory::desc describe(memory::dims dims, Tag tag) {
  return {std::move(dims), memory::data_type::f32, tag};
}

/// A primitive and its arguments, prepared once, so that a step does nothing but execute.
class Call {
 public:
  Call() = default;
  Call(dnnl::primitive primitive, const std::vector<std::pair<int, memory>>& arguments)
      : primitive_(std::move(primitive)) {
    for (const auto& [index, value] : arguments) {
      memories_.push_back(value);
      arguments_.push_back({index, value.get()});
    }
  }
  static Call reorder(const memory& from, const memory& to) {
    return {dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
  }

  void run(dnnl::stream& stream) const {
    if (dnnl_primitive_execute(primitive_.get(), stream.get(), static_cast<int>(arguments_.size()),
                               arguments_.data()) != dnnl_success) {
      throw std::runtime_error("bench: a oneDNN primitive failed");
    }
  }

 private:
  dnnl::primitive primitive_;
  std::vector<memory> memories_;  // keeps them alive
  std::vector<dnnl_exec_arg_t> arguments_;
};

/// What is needed of a primitive descriptor, whatever the kind of cell.
struct Primitives {
  dnnl::primitive forward, backward;
  memory::desc w_x, w_h, workspace;                       // of the forward primitive
  memory::desc back_w_x, back_w_h, back_dw_x, back_dw_h;  // of the backward primitive
};

template <class Forward>
Primitives inference_primitives(const typename Forward::desc& desc, const dnnl::engine& engine) {
  const typename Forward::primitive_desc choice(desc, engine);
  Primitives p;
  p.forward = Forward(choice);
  p.w_x = choice.weights_layer_desc();
  p.w_h = choice.weights_iter_desc();
  return p;
}

template <class Forward, class Backward>
Primitives training_primitives(const typename Forward::desc& forward,
                               const typename Backward::desc& backward,
                               const dnnl::engine& engine) {
  const typename Forward::primitive_desc ahead(forward, engine);
  const typename Backward::primitive_desc back(backward, engine, ahead);
  return {Forward(ahead),
          Backward(back),
          ahead.weights_layer_desc(),
          ahead.weights_iter_desc(),
          ahead.workspace_desc(),
          back.weights_layer_desc(),
          back.weights_iter_desc(),
          back.diff_weights_layer_desc(),
          back.diff_weights_iter_desc()};
}

/// Layers that one primitive computes.
struct Extent {
  std::int64_t steps, batch, input, hidden, layers, directions;
};

class Stage {
 public:
  Stage(Kind kind, Mode mode, const Extent& extent, const Weights* weights,
        const dnnl::engine& engine)
      : kind_(kind), extent_(extent), engine_(engine) {
    const auto [steps, batch, input, hidden, layers, directions] = extent;
    const std::int64_t gates = gates_of(kind);
    const std::int64_t bias_rows = kind == Kind::gru ? gates + 1 : gates;
    x_desc_ = describe({steps, batch, input}, Tag::tnc);
    y_desc_ = describe({steps, batch, directions * hidden}, Tag::tnc);
    w_x_dims_ = {layers, directions, input, gates, hidden};
    w_h_dims_ = {layers, directions, hidden, gates, hidden};
    bias_desc_ = describe({layers, directions, bias_rows, hidden}, Tag::ldgo);
    direction_ = directions == 2 ? dnnl::rnn_direction::bidirectional_concat
                                 : dnnl::rnn_direction::unidirectional_left2right;
    // Note [Initial states]: in training oneDNN 2.6.3 gets zeros as initial state, because without
    // any it computes a wrong gradient of the recurrent weights.
    if (mode == Mode::training) {
      state_desc_ = describe({layers, directions, batch, hidden}, Tag::ldnc);
      cell_state_desc_ = kind == Kind::lstm ? state_desc_ : memory::desc();
    }
    primitives_ = choose(mode);

    w_x_ = memory(describe(w_x_dims_, Tag::ldigo), engine);
    w_h_ = memory(describe(w_h_dims_, Tag::ldigo), engine);
    bias_ = memory(bias_desc_, engine);
    for (std::int64_t i = 0; i < layers * directions; ++i) {
      load(weights[i], i);
    }
    packed_w_x_ = memory(primitives_.w_x, engine);
    packed_w_h_ = memory(primitives_.w_h, engine);
    y_ = memory(y_desc_, engine);
    if (mode == Mode::training) {
      back_w_x_ = memory(primitives_.back_w_x, engine);
      back_w_h_ = memory(primitives_.back_w_h, engine);
      back_dw_x_ = memory(primitives_.back_dw_x, engine);
      back_dw_h_ = memory(primitives_.back_dw_h, engine);
      dw_x_ = memory(w_x_.get_desc(), engine);
      dw_h_ = memory(w_h_.get_desc(), engine);
      dbias_ = memory(bias_desc_, engine);
      dx_ = memory(x_desc_, engine);
      workspace_ = memory(primitives_.workspace, engine);
      state_ = memory(state_desc_, engine);
      std::memset(state_.get_data_handle(), 0, state_desc_.get_size());
      d_state_ = memory(state_desc_, engine);
      d_cell_state_ = memory(state_desc_, engine);
    }
  }

  const memory& output() const { return y_; }
  const memory& input_gradient() const { return dx_; }

  /// Prepares the calls for these inputs and, in training, these gradients of the outputs.
  void connect(const memory& x, const memory& dy) {
    pack_ = {Call::reorder(w_x_, packed_w_x_), Call::reorder(w_h_, packed_w_h_)};
    std::vector<std::pair<int, memory>> arguments{{DNNL_ARG_SRC_LAYER, x},
                                                  {DNNL_ARG_WEIGHTS_LAYER, packed_w_x_},
                                                  {DNNL_ARG_WEIGHTS_ITER, packed_w_h_},
                                                  {DNNL_ARG_BIAS, bias_},
                                                  {DNNL_ARG_DST_LAYER, y_}};
    if (!workspace_) {
      forward_ = Call(primitives_.forward, arguments);
      return;
    }
    arguments.emplace_back(DNNL_ARG_WORKSPACE, workspace_);
    arguments.emplace_back(DNNL_ARG_SRC_ITER, state_);
    if (kind_ == Kind::lstm) {
      arguments.emplace_back(DNNL_ARG_SRC_ITER_C, state_);
    }
    forward_ = Call(primitives_.forward, arguments);
    arguments[1].second = back_w_x_;
    arguments[2].second = back_w_h_;
    arguments.insert(arguments.end(), {{DNNL_ARG_DIFF_DST_LAYER, dy},
                                       {DNNL_ARG_DIFF_SRC_LAYER, dx_},
                                       {DNNL_ARG_DIFF_WEIGHTS_LAYER, back_dw_x_},
                                       {DNNL_ARG_DIFF_WEIGHTS_ITER, back_dw_h_},
                                       {DNNL_ARG_DIFF_BIAS, dbias_},
                                       {DNNL_ARG_DIFF_SRC_ITER, d_state_}});
    if (kind_ == Kind::lstm) {
      arguments.emplace_back(DNNL_ARG_DIFF_SRC_ITER_C, d_cell_state_);
    }
    backward_ = Call(primitives_.backward, arguments);
    pack_back_ = {Call::reorder(w_x_, back_w_x_), Call::reorder(w_h_, back_w_h_)};
    if (!same_layout(back_dw_x_, dw_x_)) {
      unpack_.push_back(Call::reorder(back_dw_x_, dw_x_));
    }
    if (!same_layout(back_dw_h_, dw_h_)) {
      unpack_.push_back(Call::reorder(back_dw_h_, dw_h_));
    }
  }

  void pack(dnnl::stream& stream) const { run_all(pack_, stream); }
  void forward(dnnl::stream& stream) const { forward_.run(stream); }
  void backward(dnnl::stream& stream) const {
    run_all(pack_back_, stream);
    // The primitive adds to the gradients of weights.
    for (const memory* gradient : {&back_dw_x_, &back_dw_h_, &dbias_}) {
      std::memset(gradient->get_data_handle(), 0, gradient->get_desc().get_size());
    }
    backward_.run(stream);
    run_all(unpack_, stream);
  }

  void append_gradients(std::vector<Weights>& list) const {
    const memory& dw_x = same_layout(back_dw_x_, dw_x_) ? back_dw_x_ : dw_x_;
    const memory& dw_h = same_layout(back_dw_h_, dw_h_) ? back_dw_h_ : dw_h_;
    for (std::int64_t i = 0; i < extent_.layers * extent_.directions; ++i) {
      Weights w;
      w.w_x.resize(static_cast<std::size_t>(extent_.input * gates_of(kind_) * extent_.hidden));
      w.w_h.resize(static_cast<std::size_t>(extent_.hidden * gates_of(kind_) * extent_.hidden));
      w.bias.resize(static_cast<std::size_t>(gates_of(kind_) * extent_.hidden));
      w.bias_h.resize(kind_ == Kind::gru ? static_cast<std::size_t>(extent_.hidden) : 0);
      copy_rows(w.w_x, floats(dw_x), i, extent_.input, Copy::out);
      copy_rows(w.w_h, floats(dw_h), i, extent_.hidden, Copy::out);
      copy_bias(w, floats(dbias_), i, Copy::out);
      list.push_back(std::move(w));
    }
  }

 private:
  enum class Copy { in, out };

  static float* floats(const memory& m) { return static_cast<float*>(m.get_data_handle()); }
  static bool same_layout(const memory& a, const memory& b) { return a.get_desc() == b.get_desc(); }

  static void run_all(const std::vector<Call>& calls, dnnl::stream& stream) {
    for (const Call& call : calls) {
      call.run(stream);
    }
  }

  /// oneDNN's place for Rewind's gate: a GRU's gates are reset, update, candidate here, and update,
  /// reset, candidate there.
  std::int64_t place(std::int64_t gate) const {
    const bool is_gru = kind_ == Kind::gru || kind_ == Kind::gru_reset_before;
    return is_gru && gate < 2 ? 1 - gate : gate;
  }

  void copy_rows(std::vector<float>& ours, float* theirs, std::int64_t index, std::int64_t rows,
                 Copy way) const {
    const std::int64_t gates = gates_of(kind_), hidden = extent_.hidden;
    float* const first = theirs + index * rows * gates * hidden;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t gate = 0; gate < gates; ++gate) {
        float* const a = ours.data() + (row * gates + gate) * hidden;
        float* const b = first + (row * gates + place(gate)) * hidden;
        std::copy_n(way == Copy::in ? a : b, hidden, way == Copy::in ? b : a);
      }
    }
  }

  void copy_bias(Weights& w, float* theirs, std::int64_t index, Copy way) const {
    const std::int64_t gates = gates_of(kind_), hidden = extent_.hidden;
    const std::int64_t rows = kind_ == Kind::gru ? gates + 1 : gates;
    float* const first = theirs + index * rows * hidden;
    for (std::int64_t gate = 0; gate < gates; ++gate) {
      float* const a = w.bias.data() + gate * hidden;
      float* const b = first + place(gate) * hidden;
      std::copy_n(way == Copy::in ? a : b, hidden, way == Copy::in ? b : a);
    }
    if (rows > gates) {
      float* const b = first + gates * hidden;
      std::copy_n(way == Copy::in ? w.bias_h.data() : b, hidden,
                  way == Copy::in ? b : w.bias_h.data());
    }
  }

  void load(Weights w, std::int64_t index) {
    copy_rows(w.w_x, floats(w_x_), index, extent_.input, Copy::in);
    copy_rows(w.w_h, floats(w_h_), index, extent_.hidden, Copy::in);
    copy_bias(w, floats(bias_), index, Copy::in);
  }

  Primitives choose(Mode mode) const {
    const memory::desc none;
    const memory::desc w_x = describe(w_x_dims_, Tag::any), w_h = describe(w_h_dims_, Tag::any);
    const auto ahead = mode == Mode::training ? dnnl::prop_kind::forward_training
                                              : dnnl::prop_kind::forward_inference;
    const auto back = dnnl::prop_kind::backward;
    // Without final states; gradients have the forms of what they belong to.
    const auto gru = [&]<class Forward, class Backward>() {
      const typename Forward::desc forward(ahead, direction_, x_desc_, state_desc_, w_x, w_h,
                                           bias_desc_, y_desc_, none);
      if (mode == Mode::inference) {
        return inference_primitives<Forward>(forward, engine_);
      }
      return training_primitives<Forward, Backward>(
          forward,
          {back, direction_, x_desc_, state_desc_, w_x, w_h, bias_desc_, y_desc_, none, x_desc_,
           state_desc_, w_x, w_h, bias_desc_, y_desc_, none},
          engine_);
    };
    switch (kind_) {
      case Kind::rnn: {
        const auto tanh = dnnl::algorithm::eltwise_tanh;
        const dnnl::vanilla_rnn_forward::desc forward(ahead, tanh, direction_, x_desc_, state_desc_,
                                                      w_x, w_h, bias_desc_, y_desc_, none);
        if (mode == Mode::inference) {
          return inference_primitives<dnnl::vanilla_rnn_forward>(forward, engine_);
        }
        return training_primitives<dnnl::vanilla_rnn_forward, dnnl::vanilla_rnn_backward>(
            forward,
            {back, tanh, direction_, x_desc_, state_desc_, w_x, w_h, bias_desc_, y_desc_, none,
             x_desc_, state_desc_, w_x, w_h, bias_desc_, y_desc_, none},
            engine_);
      }
      case Kind::lstm: {
        const dnnl::lstm_forward::desc forward(ahead, direction_, x_desc_, state_desc_,
                                               cell_state_desc_, w_x, w_h, bias_desc_, y_desc_,
                                               none, none);
        if (mode == Mode::inference) {
          return inference_primitives<dnnl::lstm_forward>(forward, engine_);
        }
        return training_primitives<dnnl::lstm_forward, dnnl::lstm_backward>(forward,
                                                                            {back,
                                                                             direction_,
                                                                             x_desc_,
                                                                             state_desc_,
                                                                             cell_state_desc_,
                                                                             w_x,
                                                                             w_h,
                                                                             bias_desc_,
                                                                             y_desc_,
                                                                             none,
                                                                             none,
                                                                             x_desc_,
                                                                             state_desc_,
                                                                             cell_state_desc_,
                                                                             w_x,
                                                                             w_h,
                                                                             bias_desc_,
                                                                             y_desc_,
                                                                             none,
                                                                             none},
                                                                            engine_);
      }
      case Kind::gru:
        return gru.template operator()<dnnl::lbr_gru_forward, dnnl::lbr_gru_backward>();
      case Kind::gru_reset_before:
        return gru.template operator()<dnnl::gru_forward, dnnl::gru_backward>();
      case Kind::custom:
        break;
    }
    throw std::logic_error("bench: oneDNN has no such cell");
  }

  Kind kind_;
  Extent extent_;
  dnnl::engine engine_;
  dnnl::rnn_direction direction_;
  memory::desc x_desc_, y_desc_, bias_desc_, state_desc_, cell_state_desc_;
  memory::dims w_x_dims_, w_h_dims_;
  Primitives primitives_;
  memory w_x_, w_h_, bias_, packed_w_x_, packed_w_h_, back_w_x_, back_w_h_;
  memory y_, dx_, back_dw_x_, back_dw_h_, dw_x_, dw_h_, dbias_, workspace_;
  memory state_, d_state_, d_cell_state_;
  std::vector<Call> pack_, pack_back_, unpack_;
  Call forward_, backward_;
};

class OneDnnContestant : public Contestant {
 public:
  OneDnnContestant(const Problem& problem, Mode mode) : mode_(mode) {
    const Sizes& s = problem.sizes;
    // A primitive takes several layers where all have inputs of one width; else it is one a layer.
    const bool together = s.directions() == 1 && s.input == s.hidden;
    const std::int64_t layers = together ? s.layers : 1;
    for (std::int64_t layer = 0; layer < s.layers; layer += layers) {
      stages_.emplace_back(
          problem.kind, mode,
          Extent{s.steps, s.batch, s.input_of(layer), s.hidden, layers, s.directions()},
          problem.weights.data() + layer * s.directions(), engine_);
    }
    x_ = filled({s.steps, s.batch, s.input}, problem.x);
    dy_ = filled({s.steps, s.batch, s.output()}, problem.dy);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const memory& x = i == 0 ? x_ : stages_[i - 1].output();
      const memory& dy = i + 1 == stages_.size() ? dy_ : stages_[i + 1].input_gradient();
      stages_[i].connect(x, dy);
      stages_[i].pack(stream_);
    }
    stream_.wait();
  }

  void run() override {
    for (const Stage& stage : stages_) {
      if (mode_ == Mode::training) {
        stage.pack(stream_);
      }
      stage.forward(stream_);
    }
    if (mode_ == Mode::training) {
      for (std::size_t i = stages_.size(); i-- > 0;) {
        stages_[i].backward(stream_);
      }
    }
    stream_.wait();
  }

  std::vector<float> output() const override { return values(stages_.back().output()); }
  std::vector<float> input_gradient() const override {
    return values(stages_.front().input_gradient());
  }
  std::vector<Weights> weight_gradients() const override {
    std::vector<Weights> list;
    for (const Stage& stage : stages_) {
      stage.append_gradients(list);
    }
    return list;
  }

 private:
  memory filled(memory::dims dims, const std::vector<float>& values) {
    memory m(describe(std::move(dims), Tag::tnc), engine_);
    std::copy(values.begin(), values.end(), static_cast<float*>(m.get_data_handle()));
    return m;
  }
  static std::vector<float> values(const memory& m) {
    const auto* first = static_cast<const float*>(m.get_data_handle());
    return {first, first + m.get_desc().get_size() / sizeof(float)};
  }

  Mode mode_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<Stage> stages_;
  memory x_, dy_;
};

class Sgemm : public ProductWay {
 public:
  explicit Sgemm(const ProductForm& form) : form_(form) {}
  void run(const float* a, const float* b, float* c) override {
    const auto [m, n, k, a_transposed, b_transposed] = form_;
    if (dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', m, n, k, 1.0F, a,
                   a_transposed ? m : k, b, b_transposed ? k : n, 0.0F, c, n) != dnnl_success) {
      throw std::runtime_error("bench: dnnl_sgemm failed");
    }
  }

 private:
  ProductForm form_;
};

class PackedMatmul : public ProductWay {
 public:
  explicit PackedMatmul(const ProductForm& form) {
    const auto [m, n, k, a_transposed, b_transposed] = form;
    const memory::desc a = describe({m, k}, a_transposed ? Tag::ba : Tag::ab);
    const memory::desc c = describe({m, n}, Tag::ab);
    const dnnl::matmul::primitive_desc choice({a, describe({k, n}, Tag::any), c}, engine_);
    matmul_ = dnnl::matmul(choice);
    b_ = memory(choice.weights_desc(), engine_);
    memory plain(describe({k, n}, Tag::ab), engine_);
    std::fill_n(static_cast<float*>(plain.get_data_handle()), k * n, 0.01F);
    dnnl::reorder(plain, b_).execute(stream_, plain, b_);
    a_ = memory(a, engine_, nullptr);
    c_ = memory(c, engine_, nullptr);
  }
  void run(const float* a, const float*, float* c) override {
    a_.set_data_handle(const_cast<float*>(a));
    c_.set_data_handle(c);
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, a_.get()}, {DNNL_ARG_WEIGHTS, b_.get()}, {DNNL_ARG_DST, c_.get()}};
    if (dnnl_primitive_execute(matmul_.get(), stream_.get(), 3, arguments) != dnnl_success) {
      throw std::runtime_error("bench: a matmul primitive failed");
    }
  }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul matmul_;
  memory a_, b_, c_;
};

}  // namespace

std::unique_ptr<Contestant> make_onednn(const Problem& problem, Mode mode) {
  return std::make_unique<OneDnnContestant>(problem, mode);
}

std::unique_ptr<ProductWay> make_sgemm(const ProductForm& form) {
  return std::make_unique<Sgemm>(form);
}

std::unique_ptr<ProductWay> make_packed_matmul(const ProductForm& form) {
  return std::make_unique<PackedMatmul>(form);
}

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
         std::to_string(v->patch) + (v->cpu_runtime == DNNL_RUNTIME_OMP ? ", OpenMP" : "");
}

}  // namespace bench
