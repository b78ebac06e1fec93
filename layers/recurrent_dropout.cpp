#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/layers/recurrent_dropout.hpp>

namespace rw::detail {

void check_probabilities(const RecurrentDropout& dropout) {
  const auto check_one = [](const char* name, double p) {
    check<UsageError>(p >= 0 && p <= 1, "recurrent dropout: {} is {}, expected 0 to 1", name, p);
  };
  check_one("states", dropout.states);
  check_one("weights", dropout.weights);
  check_one("zoneout", dropout.zoneout);
  check_one("zoneout_cell", dropout.zoneout_cell);
}

Tensor dropped_matrix(const Tensor& w, const RecurrentDropout& dropout, Rng& rng) {
  const Tensor single = rw::dropout(w, dropout.weights, rng);
  if (dropout.states == 0) {
    return single;
  }
  // One number per unit that is read: per row, or per weight of a vector.
  Shape units = w.shape();
  for (int axis = 1; axis < units.rank(); ++axis) {
    units = units.with(axis, 1);
  }
  return single * dropout_mask(units, dropout.states, rng, w.dtype());
}

void check_matrices_found(const char* who, bool found) {
  check<UsageError>(
      found,
      "{}: dropout of states or weights acts on the cell's recurrent matrices, and it "
      "lists none; say in parameters() which they are: visit(\"u\", u, "
      "ParameterRole::recurrent); where there are none, use zoneout",
      who);
}

Tensor zoneout(const Tensor& previous, const Tensor& next, double p, OptionalRng rng) {
  if (p == 0) {
    return next;
  }
  if (!rng) {
    return next + p * (previous - next);
  }
  // The mask is 0 where a unit is kept, with probability p, and not 0 elsewhere.
  return where(dropout_mask(next.shape(), p, *rng, next.dtype()), next, previous);
}

}  // namespace rw::detail
