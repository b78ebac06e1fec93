#include <rewind/rewind.hpp>

/// Trains a model for some steps; returns how many times smaller the loss has become.
extern "C" [[gnu::visibility("default")]] double train() {
  using namespace rw;
  Rng rng(1);
  LSTM lstm({.input = 8, .hidden = 16}, rng);
  Adam optimizer(parameters(lstm), {.learning_rate = 1e-2});
  const Tensor sequence = rng.normal({20, 16, 8}, 0, 1);
  double first = 0;
  double last = 0;
  for (int step = 0; step < 30; ++step) {
    Tape tape;
    const Tensor y = lstm(sequence).first;
    const Tensor loss = mean(fuse(
        "squared_distance", [](auto a) { return (a - 0.1) * (a - 0.1); }, y));
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    last = loss.item();
    first = step == 0 ? last : first;
  }
  return first / last;
}
