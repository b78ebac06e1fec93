#include <algorithm>

#include "onednn_stage.hpp"
#include "peers.hpp"

namespace bench {

namespace {

using onednn::describe;
using onednn::Extent;
using onednn::memory;
using onednn::Stage;
using onednn::Tag;

class OneDnnContestant : public Contestant {
 public:
  OneDnnContestant(const Problem& problem, Mode mode) : mode_(mode) {
    const Sizes& s = problem.sizes;
    // One primitive computes several layers if all have inputs of the same width; otherwise there
    // is one per layer.
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

std::unique_ptr<Contestant> make(const Problem& problem, Mode mode, int) {
  if (problem.kind == Kind::custom) {
    return nullptr;
  }
  return std::make_unique<OneDnnContestant>(problem, mode);
}

std::string version() {
  const dnnl_version_t* v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
         std::to_string(v->patch) + (v->cpu_runtime == DNNL_RUNTIME_OMP ? ", OpenMP" : "");
}

}  // namespace

Peer onednn_peer() { return {"onednn", "oneDNN", version(), make}; }

}  // namespace bench
