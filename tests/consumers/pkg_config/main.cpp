// A program that uses all four libraries, in a few lines.
#include <cstdio>

#include <rewind/rewind.hpp>

int main() {
  rw::Rng rng(1);
  rw::LSTM lstm({.input = 3, .hidden = 4}, rng);
  rw::Sgd optimizer(rw::parameters(lstm), {.learning_rate = 0.1});
  const rw::Tensor x = rng.normal({6, 2, 3}, 0, 1);
  double losses[2];
  for (double& measured : losses) {
    rw::Tape tape;
    const rw::Tensor loss = mean(square(lstm(x).first - 0.1));
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    measured = loss.item();
  }
  rw::io::save("model.h5", "model", lstm);
  std::printf("loss %g, then %g\n", losses[0], losses[1]);
  return losses[1] < losses[0] ? 0 : 1;
}
