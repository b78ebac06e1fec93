/// custom_cell: a cell of your own: run over time, stacked, bidirectional, gradchecked, trained
#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/options.hpp"

using namespace rw;

// The update gate network (Collins, Sohl-Dickstein and Sussillo 2017), which the library lacks: its
// only gate says how much of each unit is kept.
//   c = tanh(x W_c + b_c + h U_c),   g = sigmoid(x W_g + b_g + h U_g),   h' = g h + (1 - g) c
// This is all there is to write: no base class, no backward pass. `project` is optional; it takes
// the product with the input out of the time loop.
struct UpdateGateCell {
  using State = HiddenState;

  Parameter w_x, w_h, bias;

  UpdateGateCell(std::int64_t input, std::int64_t hidden, Rng& rng, DType dtype = DType::float32)
      : w_x(xavier_uniform({input, 2 * hidden}, rng, dtype)),
        w_h(orthogonal_gates(hidden, 2, rng, dtype)),
        bias(gate_bias(hidden, std::array{0.0, 1.0}, dtype)) {
  }  // at first, most of each unit is kept

  std::int64_t output_size() const { return w_h.shape()[0]; }
  State initial_state(std::int64_t batch) const {
    return {zeros({batch, output_size()}, w_h.dtype())};
  }

  Tensor project(const Tensor& x) const { return addmm(bias, x, w_x); }

  std::pair<Tensor, State> step(Tensor projected, const State& s) const {
    const auto [c, g] = split<2>(addmm(std::move(projected), s.h, w_h));
    const Tensor h = fuse(
        "update_gate",
        [](auto c_, auto g_, auto h_) { return tanh(c_) + sigmoid(g_) * (h_ - tanh(c_)); }, c, g,
        s.h);
    return {h, {h}};
  }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    return step(project(x), s);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h, ParameterRole::recurrent);  // RecurrentDropout acts on these
    visit("bias", bias);
  }
};

// Two layers, the second bidirectional, and a linear map of its output after both directions have
// read the whole sequence.
struct Model {
  Stacked<Recurrent<UpdateGateCell>, Bidirectional<Recurrent<UpdateGateCell>>> layers;
  Linear head;

  Model(std::int64_t input, std::int64_t hidden, Rng& rng, DType dtype = DType::float32)
      : layers(Recurrent<UpdateGateCell>{{input, hidden, rng, dtype}},
               Bidirectional<Recurrent<UpdateGateCell>>({{hidden, hidden, rng, dtype}},
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

  // Compares every gradient of the model with finite differences, in float64.
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
                              "Writes a cell, the update gate network, checks its gradients, and "
                              "trains it on the adding problem.");
    return custom_cell();
  });
}
