#include "onednn_stage.hpp"

#include <algorithm>
#include <cstring>

namespace bench::onednn {

namespace {

float* floats(const memory& m) { return static_cast<float*>(m.get_data_handle()); }

bool same_layout(const memory& a, const memory& b) { return a.get_desc() == b.get_desc(); }

void set_zero(const memory& m) { std::memset(m.get_data_handle(), 0, m.get_desc().get_size()); }

void run_all(const std::vector<Call>& calls, dnnl::stream& stream) {
  for (const Call& call : calls) {
    call.run(stream);
  }
}

std::vector<float> room_for(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count));
}

}  // namespace

Stage::Stage(Kind kind, Mode mode, const Extent& extent, const Weights* weights,
             const dnnl::engine& engine)
    : kind_(kind), extent_(extent) {
  const auto [steps, batch, input, hidden, layers, directions] = extent;
  const std::int64_t gates = gates_of(kind);
  const std::int64_t bias_rows = kind == Kind::gru ? gates + 1 : gates;
  const memory::dims w_x{layers, directions, input, gates, hidden};
  const memory::dims w_h{layers, directions, hidden, gates, hidden};
  Forms forms;
  forms.direction = directions == 2 ? dnnl::rnn_direction::bidirectional_concat
                                    : dnnl::rnn_direction::unidirectional_left2right;
  forms.x = describe({steps, batch, input}, Tag::tnc);
  forms.y = describe({steps, batch, directions * hidden}, Tag::tnc);
  forms.w_x = describe(w_x, Tag::any);
  forms.w_h = describe(w_h, Tag::any);
  forms.bias = describe({layers, directions, bias_rows, hidden}, Tag::ldgo);
  // Note [Initial states]: in training oneDNN gets zeros as the initial state, because without one
  // version 2.6.3 computes a wrong gradient of the recurrent weights.
  if (mode == Mode::training) {
    forms.state = describe({layers, directions, batch, hidden}, Tag::ldnc);
    forms.cell_state = kind == Kind::lstm ? forms.state : memory::desc();
  }
  primitives_ = choose_primitives(kind, mode, forms, engine);

  w_x_ = memory(describe(w_x, Tag::ldigo), engine);
  w_h_ = memory(describe(w_h, Tag::ldigo), engine);
  bias_ = memory(forms.bias, engine);
  for (std::int64_t i = 0; i < layers * directions; ++i) {
    Weights w = weights[i];
    copy_rows(w.w_x, w_x_, i, input, Copy::in);
    copy_rows(w.w_h, w_h_, i, hidden, Copy::in);
    copy_bias(w, bias_, i, Copy::in);
  }
  packed_w_x_ = memory(primitives_.w_x, engine);
  packed_w_h_ = memory(primitives_.w_h, engine);
  y_ = memory(forms.y, engine);
  if (mode == Mode::training) {
    back_w_x_ = memory(primitives_.back_w_x, engine);
    back_w_h_ = memory(primitives_.back_w_h, engine);
    back_dw_x_ = memory(primitives_.back_dw_x, engine);
    back_dw_h_ = memory(primitives_.back_dw_h, engine);
    dw_x_ = memory(w_x_.get_desc(), engine);
    dw_h_ = memory(w_h_.get_desc(), engine);
    dbias_ = memory(forms.bias, engine);
    dx_ = memory(forms.x, engine);
    workspace_ = memory(primitives_.workspace, engine);
    state_ = memory(forms.state, engine);
    set_zero(state_);
    d_state_ = memory(forms.state, engine);
    d_cell_state_ = memory(forms.state, engine);
  }
}

void Stage::connect(const memory& x, const memory& dy) {
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

void Stage::pack(dnnl::stream& stream) const { run_all(pack_, stream); }

void Stage::forward(dnnl::stream& stream) const { forward_.run(stream); }

void Stage::backward(dnnl::stream& stream) const {
  run_all(pack_back_, stream);
  // The primitive accumulates into the gradients of weights.
  for (const memory* gradient : {&back_dw_x_, &back_dw_h_, &dbias_}) {
    set_zero(*gradient);
  }
  backward_.run(stream);
  run_all(unpack_, stream);
}

void Stage::append_gradients(std::vector<Weights>& list) const {
  const memory& dw_x = same_layout(back_dw_x_, dw_x_) ? back_dw_x_ : dw_x_;
  const memory& dw_h = same_layout(back_dw_h_, dw_h_) ? back_dw_h_ : dw_h_;
  const std::int64_t width = gates_of(kind_) * extent_.hidden;
  for (std::int64_t i = 0; i < extent_.layers * extent_.directions; ++i) {
    Weights w{room_for(extent_.input * width), room_for(extent_.hidden * width), room_for(width),
              room_for(kind_ == Kind::gru ? extent_.hidden : 0)};
    copy_rows(w.w_x, dw_x, i, extent_.input, Copy::out);
    copy_rows(w.w_h, dw_h, i, extent_.hidden, Copy::out);
    copy_bias(w, dbias_, i, Copy::out);
    list.push_back(std::move(w));
  }
}

/// oneDNN's index of Rewind's gate: a GRU's gates are reset, update, candidate in Rewind, and
/// update, reset, candidate in oneDNN.
std::int64_t Stage::place(std::int64_t gate) const {
  const bool is_gru = kind_ == Kind::gru || kind_ == Kind::gru_reset_before;
  return is_gru && gate < 2 ? 1 - gate : gate;
}

void Stage::copy_rows(std::vector<float>& ours, const memory& theirs, std::int64_t index,
                      std::int64_t rows, Copy way) const {
  const std::int64_t gates = gates_of(kind_), hidden = extent_.hidden;
  float* const first = floats(theirs) + index * rows * gates * hidden;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t gate = 0; gate < gates; ++gate) {
      float* const a = ours.data() + (row * gates + gate) * hidden;
      float* const b = first + (row * gates + place(gate)) * hidden;
      std::copy_n(way == Copy::in ? a : b, hidden, way == Copy::in ? b : a);
    }
  }
}

void Stage::copy_bias(Weights& w, const memory& theirs, std::int64_t index, Copy way) const {
  const std::int64_t gates = gates_of(kind_), hidden = extent_.hidden;
  const std::int64_t rows = kind_ == Kind::gru ? gates + 1 : gates;
  float* const first = floats(theirs) + index * rows * hidden;
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

}  // namespace bench::onednn
