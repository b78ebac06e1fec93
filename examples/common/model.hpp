#pragma once

#include <string>
#include <utility>
#include <vector>

#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/rnn.hpp>

namespace examples {

/// A recurrent network and a linear map from its hidden state to the answer.
template <class Network>
struct Model {
  Network network;
  rw::Linear readout;

  /// The output at each step of x ([T, B, input], an rw::Sequence or another input of the network):
  /// [T, B, output].
  template <class Input>
  rw::Tensor at_each_step(const Input& x) const {
    return readout(network(x).first);
  }
  /// The output at the last step of x [T, B, input]: [B, output].
  rw::Tensor at_last_step(const rw::Tensor& x) const {
    return readout(select(network(x).first, 0, -1));
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("network", network);
    visit("readout", readout);
  }
};

struct ModelSize {
  std::int64_t input, hidden, layers, output;
};

/// The values of --cell: "rnn" is the plain network with relu, "rnn-tanh" with tanh.
inline const std::vector<std::string> cell_names{"rnn", "rnn-tanh", "lstm", "gru"};

/// Calls `body` with a new model of the kind that `cell` names.
template <class Body>
auto with_model(const std::string& cell, const ModelSize& size, rw::Rng& rng, Body&& body) {
  const auto make = [&]<class Network, class Options>(Options options) {
    options.input = size.input;
    options.hidden = size.hidden;
    Network network(options, {.layers = size.layers}, rng);
    Model<Network> model{std::move(network), {{.input = size.hidden, .output = size.output}, rng}};
    return body(model);
  };
  if (cell == "lstm") {
    return make.template operator()<rw::LSTM>(rw::LstmOptions{});
  }
  if (cell == "gru") {
    return make.template operator()<rw::GRU>(rw::GruOptions{});
  }
  const auto activation = cell == "rnn" ? rw::Activation::relu : rw::Activation::tanh;
  return make.template operator()<rw::RNN>(rw::RnnOptions{.activation = activation});
}

/// Chrono initialisation (Tallec and Ollivier 2018): biases the gates of an LSTM or a GRU so that
/// each unit initially forgets over its own span of 1 to `steps` steps; a forget gate
/// sigmoid(log(n)) keeps n / (n + 1). Does nothing for a plain network.
void set_memory(const rw::ParameterList& weights, const std::string& cell, std::int64_t steps,
                rw::Rng& rng);

}  // namespace examples
