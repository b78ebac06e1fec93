#include <fstream>
#include <tuple>

#include <torch/torch.h>

#include "peers.hpp"

namespace bench {

namespace {

torch::Tensor copied(const std::vector<float>& values, std::vector<std::int64_t> shape) {
  return torch::from_blob(const_cast<float*>(values.data()), shape).clone();
}

/// PyTorch's gates are in the same order as ours: reset, update, candidate for a GRU; input,
/// forget, candidate, output for an LSTM. Its matrices are transposed, and it has a second bias.
template <class Network>
class TorchContestant : public Contestant {
 public:
  TorchContestant(Network network, const Problem& problem, Mode mode)
      : network_(std::move(network)), mode_(mode) {
    const Sizes& s = problem.sizes;
    const std::int64_t width = gates_of(problem.kind) * s.hidden;
    torch::NoGradGuard guard;
    auto weights = network_->named_parameters();
    for (std::int64_t layer = 0; layer < s.layers; ++layer) {
      for (std::int64_t direction = 0; direction < s.directions(); ++direction) {
        const Weights& w =
            problem.weights[static_cast<std::size_t>(layer * s.directions() + direction)];
        const std::string end = "_l" + std::to_string(layer) + (direction == 1 ? "_reverse" : "");
        weights["weight_ih" + end].copy_(copied(w.w_x, {s.input_of(layer), width}).t());
        weights["weight_hh" + end].copy_(copied(w.w_h, {s.hidden, width}).t());
        weights["bias_ih" + end].copy_(copied(w.bias, {width}));
        weights["bias_hh" + end].zero_();
        if (!w.bias_h.empty()) {
          weights["bias_hh" + end].slice(0, 2 * s.hidden).copy_(copied(w.bias_h, {s.hidden}));
        }
      }
    }
    x_ = copied(problem.x, {s.steps, s.batch, s.input});
    dy_ = copied(problem.dy, {s.steps, s.batch, s.output()});
    x_.set_requires_grad(mode == Mode::training);
    // Note [LSTM without gradients]: in inference mode LibTorch 2.6 with oneDNN 3.7 computes wrong
    // outputs of an LSTM unless its units fill blocks of 32. The forward pass of training is
    // correct; it records nothing if no weight requires a gradient.
    inference_mode_ = problem.kind != Kind::lstm || s.hidden % 32 == 0;
    for (torch::Tensor& weight : network_->parameters()) {
      weight.set_requires_grad(mode == Mode::training);
    }
  }

  void run() override {
    if (mode_ == Mode::inference) {
      const torch::InferenceMode guard(inference_mode_);
      y_ = std::get<0>(network_->forward(x_));
      return;
    }
    for (torch::Tensor& weight : network_->parameters()) {
      weight.mutable_grad().reset();
    }
    x_.mutable_grad().reset();
    y_ = std::get<0>(network_->forward(x_));
    y_.backward(dy_);
  }

  std::vector<float> output() const override { return values(y_); }
  std::vector<float> input_gradient() const override { return values(x_.grad()); }

 private:
  static std::vector<float> values(const torch::Tensor& t) {
    const torch::Tensor dense = t.detach().contiguous();
    return {dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel()};
  }

  Network network_;
  Mode mode_;
  bool inference_mode_;
  torch::Tensor x_, dy_, y_;
};

template <class Network, class Options>
std::unique_ptr<Contestant> make_network(const Problem& problem, Mode mode) {
  const Sizes& s = problem.sizes;
  Options options(s.input, s.hidden);
  options.num_layers(s.layers).bidirectional(s.bidirectional);
  return std::make_unique<TorchContestant<Network>>(Network(options), problem, mode);
}

std::unique_ptr<Contestant> make(const Problem& problem, Mode mode, int) {
  switch (problem.kind) {
    case Kind::rnn:
      return make_network<torch::nn::RNN, torch::nn::RNNOptions>(problem, mode);
    case Kind::lstm:
      return make_network<torch::nn::LSTM, torch::nn::LSTMOptions>(problem, mode);
    case Kind::gru:
      return make_network<torch::nn::GRU, torch::nn::GRUOptions>(problem, mode);
    default:
      return nullptr;
  }
}

std::string version() {
  // Looks at what is mapped, because the build only knows that there is some libblas.so.3.
  std::ifstream maps("/proc/self/maps");
  std::string line, blas = "BLAS unknown";
  while (std::getline(maps, line)) {
    const auto name = line.rfind('/');
    if (name != std::string::npos && line.compare(name, 10, "/libopenbl") == 0) {
      blas = "BLAS " + line.substr(name + 1);
    } else if (name != std::string::npos && line.compare(name, 9, "/libblas.") == 0 &&
               blas == "BLAS unknown") {
      blas = "BLAS " + line.substr(line.find('/'));
    }
  }
  return std::string(TORCH_VERSION) + ", " + blas;
}

}  // namespace

Peer libtorch_peer() { return {"libtorch", "LibTorch", version(), make}; }

}  // namespace bench
