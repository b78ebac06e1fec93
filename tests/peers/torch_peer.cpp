#include "torch_peer.hpp"

#include <stdexcept>
#include <tuple>

#include <torch/torch.h>

namespace rw::testing {

namespace {

torch::Tensor tensor_of(const std::vector<double>& values, torch::IntArrayRef shape,
                        const TorchProblem& problem) {
  return torch::tensor(values, torch::kFloat64)
      .reshape(shape)
      .to(problem.float64 ? torch::kFloat64 : torch::kFloat32);
}

std::vector<double> values_of(const torch::Tensor& tensor) {
  const torch::Tensor dense = tensor.detach().to(torch::kFloat64).contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

torch::Tensor leaf(const std::vector<double>& values, torch::IntArrayRef shape,
                   const TorchProblem& problem) {
  return tensor_of(values, shape, problem).set_requires_grad(true);
}

template <class Network>
void set_weights(Network& network, const TorchProblem& problem) {
  if (problem.float64) {
    network->to(torch::kFloat64);
  }
  const torch::NoGradGuard guard;
  const auto weights = network->parameters();
  if (weights.size() != problem.weights.size()) {
    throw std::logic_error("LibTorch has another number of weights");
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i].copy_(tensor_of(problem.weights[i], weights[i].sizes(), problem));
  }
}

/// The sum whose gradient with respect to the outputs is `gradient`.
torch::Tensor weighted(const torch::Tensor& output, const std::vector<double>& gradient,
                       const TorchProblem& problem) {
  return (output * tensor_of(gradient, output.sizes(), problem)).sum();
}

template <class Network>
void take_gradients(const Network& network, const torch::Tensor& loss, const torch::Tensor& x,
                    const torch::Tensor& h0, TorchResult& result) {
  loss.backward();
  result.dx = values_of(x.grad());
  result.dh0 = values_of(h0.grad());
  for (const torch::Tensor& weight : network->parameters()) {
    result.dweights.push_back(values_of(weight.grad()));
  }
}

template <class Network, class Options>
TorchResult run_plain(const Options& options, const TorchProblem& p) {
  Network network(options);
  set_weights(network, p);
  const std::int64_t directions = p.bidirectional ? 2 : 1;
  const torch::Tensor x = leaf(p.x, {p.steps, p.batch, p.input}, p);
  const torch::Tensor h0 = leaf(p.h0, {p.layers * directions, p.batch, p.hidden}, p);
  const auto [y, h] = network->forward(x, h0);
  TorchResult result;
  result.y = values_of(y);
  result.h = values_of(h);
  take_gradients(network, weighted(y, p.dy, p) + weighted(h, p.dh, p), x, h0, result);
  return result;
}

TorchResult run_lstm(const torch::nn::LSTMOptions& options, const TorchProblem& p) {
  torch::nn::LSTM network(options);
  set_weights(network, p);
  const std::int64_t directions = p.bidirectional ? 2 : 1;
  const std::int64_t output = p.projection > 0 ? p.projection : p.hidden;
  const torch::Tensor x = leaf(p.x, {p.steps, p.batch, p.input}, p);
  const torch::Tensor h0 = leaf(p.h0, {p.layers * directions, p.batch, output}, p);
  const torch::Tensor c0 = leaf(p.c0, {p.layers * directions, p.batch, p.hidden}, p);
  const auto [y, state] = network->forward(x, std::make_tuple(h0, c0));
  const auto& [h, c] = state;
  TorchResult result;
  result.y = values_of(y);
  result.h = values_of(h);
  result.c = values_of(c);
  const torch::Tensor loss = weighted(y, p.dy, p) + weighted(h, p.dh, p) + weighted(c, p.dc, p);
  take_gradients(network, loss, x, h0, result);
  result.dc0 = values_of(c0.grad());
  return result;
}

template <class Options>
Options options_of(const TorchProblem& p) {
  return Options(p.input, p.hidden)
      .num_layers(p.layers)
      .bidirectional(p.bidirectional)
      .bias(p.bias);
}

}  // namespace

TorchResult run_torch(const TorchProblem& p) {
  torch::set_num_threads(1);
  switch (p.kind) {
    case TorchKind::lstm:
      return run_lstm(options_of<torch::nn::LSTMOptions>(p).proj_size(p.projection), p);
    case TorchKind::gru:
      return run_plain<torch::nn::GRU>(options_of<torch::nn::GRUOptions>(p), p);
    case TorchKind::rnn_tanh:
      return run_plain<torch::nn::RNN>(
          options_of<torch::nn::RNNOptions>(p).nonlinearity(torch::kTanh), p);
    case TorchKind::rnn_relu:
      return run_plain<torch::nn::RNN>(
          options_of<torch::nn::RNNOptions>(p).nonlinearity(torch::kReLU), p);
  }
  throw std::logic_error("no such kind of network");
}

TorchCtcResult run_torch_ctc(const TorchCtcProblem& p) {
  torch::set_num_threads(1);
  const torch::Tensor logits = torch::tensor(p.logits, torch::kFloat64)
                                   .reshape({p.steps, p.batch, p.classes})
                                   .set_requires_grad(true);
  const torch::Tensor loss = torch::ctc_loss(
      torch::log_softmax(logits, -1), torch::tensor(p.targets, torch::kInt64),
      torch::tensor(p.input_lengths, torch::kInt64), torch::tensor(p.target_lengths, torch::kInt64),
      p.blank, at::Reduction::None, p.zero_infinity);
  (loss * torch::tensor(p.dloss, torch::kFloat64)).sum().backward();
  return {values_of(loss), values_of(logits.grad())};
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace rw::testing
