// A program that trains a model and has its own formulas, with every operation there is.
#include <cmath>
#include <cstdio>

#include <rewind/rewind.hpp>

int main() {
  using namespace rw;
  Rng rng(1);
  const Tensor x = rng.uniform({5, 3}, 0.5, 2);
  const Tensor y = fuse(
      "all_of_them",
      [](auto a, auto b) {
        return log(a) + log1p(b) + pow(a, b) + exp(a) + expm1(b) + tanh(a) + sigmoid(b) +
               softplus(a) + erf(b) + sin(a) + cos(b) + sqrt(a) + relu(b) + abs(a) +
               where(a < b, a, b) + maximum(a, b) + minimum(a, b) + sign(a) + a / b;
      },
      x, x);
  const double a = x.data<float>()[0];
  const double expected = std::log(a) + std::log1p(a) + std::pow(a, a) + std::exp(a) +
                          std::expm1(a) + std::tanh(a) + 1 / (1 + std::exp(-a)) +
                          std::log1p(std::exp(a)) + std::erf(a) + std::sin(a) + std::cos(a) +
                          std::sqrt(a) + 5 * a + 2;
  if (!(std::abs(y.data<float>()[0] - expected) < 1e-4)) {
    std::fprintf(stderr, "formula: %g, expected %g\n", double(y.data<float>()[0]), expected);
    return 1;
  }

  LSTM lstm({.input = 3, .hidden = 4}, rng);
  Adam optimizer(parameters(lstm), {.learning_rate = 1e-2});
  const Tensor sequence = rng.normal({6, 2, 3}, 0, 1);
  double first = 0;
  double last = 0;
  for (int step = 0; step < 20; ++step) {
    Tape tape;
    const Tensor loss = mean(square(lstm(sequence).first - 0.1));
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    last = loss.item();
    first = step == 0 ? last : first;
  }
  std::printf("loss %g, then %g\n", first, last);
  return last < first ? 0 : 1;
}
