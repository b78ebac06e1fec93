/// custom_cell: a cell of your own: run over time, stacked, bidirectional, gradchecked, trained
#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/options.hpp"

using namespace rw;

// The minimal gated unit (Zhou et al. 2016), a GRU with one gate:
//   f = sigmoid(x W_f + b_f + h U_f),   n = tanh(x W_n + b_n + (f h) U_n),   h' = (1 - f) h + f n
// This is all there is to write: no base class, no backward pass. `project` is optional; it takes
// the product with the input out of the time loop.
struct MinimalGatedUnit {
  using State = HiddenState;

  Parameter w_x, u_f, u_n, bias;

  MinimalGatedUnit(std::int64_t input, std::int64_t hidden, Rng& rng, DType dtype = DType::float32)
      : w_x(xavier_uniform({input, 2 * hidden}, rng, dtype)),
        u_f(orthogonal({hidden, hidden}, rng, 1.0, dtype)),
        u_n(orthogonal({hidden, hidden}, rng, 1.0, dtype)),
        bias(zeros({2 * hidden}, dtype)) {}

  std::int64_t output_size() const { return u_f.shape()[0]; }
  State initial_state(std::int64_t batch) const {
    return {zeros({batch, output_size()}, u_f.dtype())};
  }

  Tensor project(const Tensor& x) const { return addmm(bias, x, w_x); }

  std::pair<Tensor, State> step(Tensor projected, const State& s) const {
    auto [x_f, x_n] = split<2>(std::move(projected));
    const Tensor f = addmm(std::move(x_f), s.h, u_f);
    const Tensor kept = fuse(
        "mgu_forget", [](auto f_, auto h) { return sigmoid(f_) * h; }, f, s.h);
    const Tensor n = addmm(std::move(x_n), kept, u_n);
    const Tensor h = fuse(
        "mgu_update", [](auto f_, auto n_, auto h_) { return h_ + sigmoid(f_) * (tanh(n_) - h_); },
        f, n, s.h);
    return {h, {h}};
  }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    return step(project(x), s);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("u_f", u_f, ParameterRole::recurrent);  // which is what RecurrentDropout acts on
    visit("u_n", u_n, ParameterRole::recurrent);
    visit("bias", bias);
  }
};

// Two layers, the second reading its input from both ends, and a linear map of what both ends have
// come to.
struct Model {
  Stacked<Recurrent<MinimalGatedUnit>, Bidirectional<Recurrent<MinimalGatedUnit>>> layers;
  Linear head;

  Model(std::int64_t input, std::int64_t hidden, Rng& rng, DType dtype = DType::float32)
      : layers(Recurrent<MinimalGatedUnit>{{input, hidden, rng, dtype}},
               Bidirectional<Recurrent<MinimalGatedUnit>>({{hidden, hidden, rng, dtype}},
                                                          {{hidden, hidden, rng, dtype}})),
        head({.input = 2 * hidden, .output = 1, .dtype = dtype}, rng) {}

  Tensor operator()(const Tensor& x) const { return head(final_output(layers(x).second)); }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("layers", layers);
    visit("head", head);
  }
};

int custom_cell() {
  Rng rng(1);

  // Every gradient of the model against finite differences, in float64.
  Model small(2, 3, rng, DType::float64);
  const Tensor some_input = rng.normal({4, 2, 2}, 0, 1, DType::float64);
  const auto check =
      gradcheck([&](const auto& in) { return small(in[0]); }, {some_input}, rw::parameters(small));
  fmt::print("gradcheck: {} derivatives, {}\n", check.derivatives,
             check ? "all agree with finite differences" : check.message);

  // The adding problem: each step shows a number and a mark; the answer is the sum of the two
  // marked numbers.
  constexpr std::int64_t steps = 20;
  constexpr std::int64_t batch = 64;
  const auto make_batch = [&] {
    Tensor x = rng.uniform({steps, batch, 2}, 0, 1);
    Tensor y = zeros({batch, 1});
    float* const values = x.mutable_data<float>();
    for (std::int64_t b = 0; b < batch; ++b) {
      const std::int64_t first = rng.integer(steps / 2);
      const std::int64_t second = steps / 2 + rng.integer(steps / 2);
      for (std::int64_t t = 0; t < steps; ++t) {
        float* const step = values + (t * batch + b) * 2;
        step[1] = t == first || t == second ? 1.0F : 0.0F;
        y.mutable_data<float>()[b] += step[0] * step[1];
      }
    }
    return std::pair{x, y};
  };

  Model model(2, 32, rng);
  fmt::print("\n{}\n", summary(model));
  const ParameterList weights = rw::parameters(model);
  Adam optimizer(weights, {.learning_rate = 5e-3});
  double loss_seen = 0;
  for (int step = 1; step <= 600; ++step) {
    const auto [x, y] = make_batch();
    Tape tape;
    const Tensor loss = mse(model(x), y);
    optimizer.zero_grad();
    tape.backward(loss);
    clip_by_norm(weights, 1.0);
    optimizer.step();
    loss_seen = loss.item();
    if (step == 1 || step % 100 == 0) {
      fmt::print("step {:4}  squared error {:.5f}\n", step, loss_seen);
    }
  }
  fmt::print("always answering 1 would give 0.16667\n");
  fmt::print("result loss={:.5f} gradcheck={} seed=1\n", loss_seen, check ? "passed" : "failed");
  return check ? 0 : 1;
}

int main(int argc, char** argv) {
  return examples::guarded([&] {
    examples::take_no_options(argc, argv,
                              "Writes a cell, the minimal gated unit, checks its gradients, and "
                              "trains it on the adding problem.");
    return custom_cell();
  });
}
