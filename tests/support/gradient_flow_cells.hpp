#pragma once
// The cells and the loss of the tests of gradient flow.

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/elman.hpp>
#include <rewind/layers/gradient_flow.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/rnn.hpp>

#include "closeness.hpp"

namespace rw::testing {

inline constexpr std::int64_t input = 3;
inline constexpr std::int64_t hidden = 4;
inline constexpr std::int64_t steps = 6;
inline constexpr std::int64_t batch = 3;

inline Tensor draw(const Shape& shape, std::uint64_t seed, DType dtype = DType::float64) {
  return Rng(seed).normal(shape, 0, 1, dtype);
}

/// A loss that depends on each output and each part of the last state in a different way.
template <class State>
Tensor loss_of(const Tensor& y, const State& last) {
  Tensor loss = sum(sin(y * 1.3) * draw(y.shape(), 91, y.dtype()));
  State copy = last;
  for_each_tensor(
      copy, [&](const Tensor& s) { loss = loss + sum(sin(s) * draw(s.shape(), 92, s.dtype())); });
  return loss;
}

/// A user's cell: no name, no projection, and an output that is not its state. The state has two
/// tensors of different sizes; the step reads one of them and passes it on unchanged.
struct SlowCell {
  struct State {
    Tensor slow, fixed;
    auto tensors() { return std::array{&slow, &fixed}; }
  };
  Parameter w_in, w_slow, w_out;

  explicit SlowCell(Rng& rng)
      : w_in(rng.normal({input, hidden}, 0, 0.5, DType::float64)),
        w_slow(rng.normal({hidden, hidden}, 0, 0.5, DType::float64)),
        w_out(rng.normal({hidden, 2}, 0, 0.5, DType::float64)) {}
  State initial_state(std::int64_t n) const {
    return {zeros({n, hidden}, DType::float64), full({n, 1}, 0.7, DType::float64)};
  }
  std::int64_t output_size() const { return 2; }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    const Tensor slow = s.fixed * s.slow + 0.3 * tanh(matmul(x, w_in) + matmul(s.slow, w_slow));
    return {matmul(slow, w_out), {slow, s.fixed}};
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_in", w_in);
    visit("w_slow", w_slow);
    visit("w_out", w_out);
  }
};

/// One of each kind.
struct Cells {
  Rng rng{1};
  RnnCell rnn{{.input = input, .hidden = hidden, .dtype = DType::float64}, rng};
  LstmCell lstm{{.input = input, .hidden = hidden, .dtype = DType::float64}, rng};
  GruCell gru{{.input = input, .hidden = hidden, .dtype = DType::float64}, rng};
  ElmanCell elman{{.input = input, .hidden = hidden, .output = 2, .dtype = DType::float64}, rng};
  SlowCell leaky{rng};

  template <class Body>
  void each(Body&& body) {
    body(rnn);
    body(lstm);
    body(gru);
    body(elman);
    body(leaky);
  }
};

/// Checks that the parts of all steps sum to the gradient of a backward pass.
template <class Layer>
void check_contributions(Layer& layer, const Sequence& x, Rng* rng = nullptr) {
  Tape tape;
  const StateRecorder recorder;
  const auto [y, last] = rng == nullptr ? layer(x) : layer(x, *rng);
  const Tensor loss = loss_of(y, last);
  const GradientFlow flow = gradient_flow(tape, loss, recorder).at(0);
  zero_grad(layer.cell);
  tape.backward(loss);
  for (const NamedParameter& entry : parameters(layer.cell)) {
    Tensor total = zeros_like(entry.parameter->value());
    const auto norms = numbers(flow.weight_norms(entry.path));
    for (std::int64_t t = 0; t < flow.steps(); ++t) {
      const Tensor part = flow.weight_contribution(entry.path, t);
      total = total + part;
      BOOST_TEST(std::abs(norms[static_cast<std::size_t>(t)] - std::sqrt(sum(part * part).item())) <
                 1e-12);
    }
    BOOST_TEST_CONTEXT(flow.name() << " " << entry.path) {
      BOOST_TEST(largest_difference(total.detach(), entry.parameter->grad()) < 1e-12);
    }
  }
}

}  // namespace rw::testing
