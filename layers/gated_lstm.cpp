#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/layers/gated_lstm.hpp>

namespace rw {

std::pair<Tensor, NoForgetGates::State> NoForgetGates::step(const Tensor& z, const State& state) {
  const auto [i, g, o] = split<3>(z);
  const auto [h, c] = fuse(
      "no_forget_gates",
      [](auto i_, auto g_, auto o_, auto c_) {
        const auto next = c_ + sigmoid(i_) * tanh(g_);
        return std::tuple{sigmoid(o_) * tanh(next), next};
      },
      i, g, o, state.c);
  return {h, {h, c}};
}

std::pair<Tensor, CoupledGates::State> CoupledGates::step(const Tensor& z, const State& state) {
  const auto [i, g, o] = split<3>(z);
  const auto [h, c] = fuse(
      "coupled_gates",
      [](auto i_, auto g_, auto o_, auto c_) {
        const auto next = c_ + sigmoid(i_) * (tanh(g_) - c_);
        return std::tuple{sigmoid(o_) * tanh(next), next};
      },
      i, g, o, state.c);
  return {h, {h, c}};
}

template struct Recurrent<NoForgetLstmCell>;
template class RecurrentNetwork<NoForgetLstmCell>;
template struct Recurrent<CoupledLstmCell>;
template class RecurrentNetwork<CoupledLstmCell>;

}  // namespace rw
