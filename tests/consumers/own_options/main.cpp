// The program's own formula runs through loops compiled in the program, a model through loops of
// the library. The two may be compiled for different instruction sets.
#include <cmath>
#include <cstdio>

#include <rewind/rewind.hpp>

#if defined(EXPECT_NO_AVX) && defined(__AVX__)
#error "the library's -march has won against the program's own"
#endif

[[gnu::noinline]] double product_and_sum(double a, double b, double c) { return a * b + c; }

int main() {
  using namespace rw;
#if defined(__FMA__)
#if defined(EXPECT_CONTRACTION)
  constexpr bool contracted = true;
#else
  constexpr bool contracted = false;
#endif
  const double a = 1 + 0x1p-30;
  if ((product_and_sum(a, a, -1 - 0x1p-29) != 0) != contracted) {
    std::fprintf(stderr, "-ffp-contract: the wrong option has won\n");
    return 1;
  }
#endif

  // Rows that are no multiple of any register's length; broadcast arguments; accumulated gradients.
  Rng rng(3);
  Parameter bias(rng.normal({37}, 0, 1));
  Parameter scale(rng.normal({5, 1}, 0, 1));
  const Tensor x = rng.normal({5, 37}, 0, 1);
  const auto gradients = [&](auto&& formula) {
    Tape tape;
    return tape.gradient(sum(formula()), {bias, scale});
  };
  const auto fused = gradients([&] {
    return fuse(
        "own", [](auto x_, auto b, auto s) { return tanh(x_ * s + b) * exp(-(x_ * x_)); }, x, bias,
        scale);
  });
  const auto single = gradients([&] { return tanh(x * scale + bias) * exp(-(x * x)); });
  for (std::size_t k = 0; k < fused.size(); ++k) {
    const Tensor difference = max(abs(fused[k] - single[k]));
    if (!(difference.item() < 1e-5)) {
      std::fprintf(stderr, "gradient %zu is off by %g\n", k, difference.item());
      return 1;
    }
  }

  LSTM lstm({.input = 3, .hidden = 5}, rng);
  Adam optimizer(parameters(lstm), {.learning_rate = 1e-2});
  const Tensor sequence = rng.normal({7, 3, 3}, 0, 1);
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
  return last < first ? 0 : 1;
}
