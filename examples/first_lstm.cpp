/// first_lstm: the program of the README: an LSTM learns to tell rising from falling sequences
#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/options.hpp"

void first_lstm() {
  rw::Rng rng(7);
  rw::LSTM lstm({.input = 1, .hidden = 16}, rng);
  rw::Linear head({.input = 16, .output = 2}, rng);
  rw::Adam optimizer(rw::parameters("lstm", lstm, "head", head), {.learning_rate = 1e-2});
  for (int step = 1; step <= 200; ++step) {
    rw::Tensor slope = rng.uniform({1, 32, 1}, -0.1, 0.1);  // 32 sequences of 25 steps
    rw::Tensor time = reshape(rw::arange(25, rw::DType::float32), {25, 1, 1});
    rw::Tensor x = slope * time + rng.normal({25, 32, 1}, 0.0, 0.3);
    rw::Tensor rising = reshape(slope > 0.0, {32}).to(rw::DType::int64);
    rw::Tape tape;              // records what follows
    auto [y, state] = lstm(x);  // y [25, 32, 16]
    rw::Tensor loss = cross_entropy(head(select(y, 0, -1)), rising);
    optimizer.zero_grad();
    tape.backward(loss);  // back through time
    optimizer.step();
    if (step % 50 == 0) fmt::print("step {:3}  loss {:.4f}\n", step, loss.item());
  }
}

int main(int argc, char** argv) {
  return examples::guarded([&] {
    examples::take_no_options(argc, argv, "An LSTM learns to tell rising from falling sequences.");
    first_lstm();
    return 0;
  });
}
