// The program that tests/gdb/run examines with gdb.
#include <limits>

#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>

namespace {
volatile bool stopped = false;
void stop_here() { stopped = true; }
}  // namespace

int main() {
  const float nan = -std::numeric_limits<float>::quiet_NaN();
  const rw::Tensor matrix = rw::Tensor::from<float>({2, 3}, {1, 0.5f, nan, -4, 5, 1e10f});
  const rw::Tensor columns = rw::slice(matrix, 1, 0, 2);
  const rw::Tensor longer = rw::arange(123456);
  const rw::Tensor one = rw::scalar(0.25, rw::DType::float64);
  const rw::Tensor none = rw::zeros({0, 3});
  const rw::Tensor empty;
  const rw::Shape shape{20, 32, 7};
  rw::Parameter weight(rw::ones({2}));
  weight.set_name("cell/w_h");
  stop_here();
  const bool all = columns.defined() && longer.defined() && one.defined() && none.defined() &&
                   !empty.defined() && shape.rank() == 3;
  return all && stopped ? 0 : 1;
}
