#include <rewind/autograd/fuse/math.hpp>
#include <rewind/layers/detail/masking.hpp>
#include <rewind/layers/detail/packing.hpp>
#include <rewind/layers/detail/run_layer.hpp>

namespace rw::detail {

std::int64_t batch_of(const char* who, const Sequence& x) { return Packing(who, x.steps).batch(); }

void check_dropout_between(const char* who, double p, std::size_t layers) {
  check<UsageError>(p == 0 || layers != 1,
                    "{}: dropout {} is between layers, and there is only one, so that it would do "
                    "nothing; add a layer, drop the outputs with Dropout, or drop inputs or states "
                    "(input_dropout, recurrent_dropout)",
                    who, p);
}

Tensor residual_sum(const Sequence& x, const Tensor& y) {
  check_shape(x.steps.shape() == y.shape(),
              "residual: the output is {} for an input of {}; expected equal shapes, as both are "
              "added",
              y.shape(), x.steps.shape());
  return without_padding(x.steps, step_mask("residual", x)) + y;
}

}  // namespace rw::detail
