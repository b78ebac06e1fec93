// Not part of the benchmark's program: tests/bench/run measures how long this file takes to
// compile. It is the code of a user with a cell of their own.
#include "minimal_gated_unit.hpp"

double train_one_step(rw::Recurrent<bench::MinimalGatedUnit>& network, rw::Adam& optimizer,
                      const rw::Tensor& x, const rw::Tensor& y) {
  rw::Tape tape;
  const rw::Tensor loss = rw::mse(network(x).first, y);
  optimizer.zero_grad();
  tape.backward(loss);
  optimizer.step();
  return loss.item();
}
