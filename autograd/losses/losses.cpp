#include <limits>

#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/reduce.hpp>

namespace rw {
namespace {

Tensor reduced(const Tensor& terms, Reduction reduction) {
  switch (reduction) {
    case Reduction::none:
      return terms;
    case Reduction::sum:
      return sum(terms);
    case Reduction::mean:
      break;
  }
  return terms.elements() == 0 ? sum(terms) : mean(terms);
}

void check_equal_shapes(const char* who, const Tensor& prediction, const Tensor& target) {
  check_shape(prediction.shape() == target.shape(),
              "{}: the prediction is {}, the target {}, expected equal shapes; reshape() or "
              "expand() one of them",
              who, prediction.shape(), target.shape());
}

/// In a formula: share * distance, but 0 for a share of 0 even if the distance is infinite.
constexpr auto share_of_distance = [](auto share, auto distance) {
  const auto absent = equal(share, 0) * equal(distance, std::numeric_limits<double>::infinity());
  return share * where(absent, 0, distance);
};

}  // namespace

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_equal_shapes("mse", prediction, target);
  return reduced(fuse(
                     "mse", [](auto x, auto y) { return square(x - y); }, prediction, target),
                 reduction);
}

Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_equal_shapes("l1", prediction, target);
  return reduced(fuse(
                     "l1", [](auto x, auto y) { return abs(x - y); }, prediction, target),
                 reduction);
}

Tensor huber(const Tensor& prediction, const Tensor& target, double delta, Reduction reduction) {
  check_equal_shapes("huber", prediction, target);
  check<UsageError>(delta > 0, "huber: delta is {}, expected more than 0", delta);
  const auto formula = [](auto x, auto y, auto limit) {
    // Selects error and delta before multiplying: an infinity in the unused branch would make the
    // gradient NaN.
    const auto e = x - y;
    const auto is_near = abs(e) <= limit;
    const auto near = where(is_near, e, 0);
    const auto far = where(is_near, 0, e);
    const auto slope = where(is_near, 0, limit);
    return 0.5 * near * near + slope * (abs(far) - 0.5 * slope);
  };
  return reduced(fuse("huber", formula, prediction, target, delta), reduction);
}

Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, const BceOptions& options) {
  check_equal_shapes("bce_with_logits", logits, targets);
  // Written with comparisons instead of max and | |, which have no gradient at 0, so that it is
  // s(0) - y there too.
  if (!options.pos_weight.defined()) {
    const auto formula = [](auto x, auto y) {
      const auto positive = x > 0;
      const auto distance = where(positive, x, -x);
      return share_of_distance(where(positive, 1 - y, y), distance) + log1p(exp(-distance));
    };
    return reduced(fuse("bce_with_logits", formula, logits, targets), options.reduction);
  }
  const Shape& shape = options.pos_weight.shape();
  check_shape(broadcast("bce_with_logits", logits.shape(), shape) == logits.shape(),
              "bce_with_logits: pos_weight {} does not broadcast to the logits {}", shape,
              logits.shape());
  const auto formula = [](auto x, auto y, auto w) {
    const auto positive = x > 0;
    const auto distance = where(positive, x, -x);
    const auto weighted = w * y;
    return share_of_distance(where(positive, 1 - y, weighted), distance) +
           (1 - y + weighted) * log1p(exp(-distance));
  };
  return reduced(fuse("bce_with_logits", formula, logits, targets, options.pos_weight),
                 options.reduction);
}

Tensor kl_div(const Tensor& log_q, const Tensor& p, Reduction reduction) {
  check_equal_shapes("kl_div", log_q, p);
  const auto formula = [](auto lq, auto q) {
    // Selected before use, so that gradients are finite where p is 0 too.
    const auto none = equal(q, 0);
    return q * (log(where(none, 1, q)) - where(none, 0, lq));
  };
  return reduced(fuse("kl_div", formula, log_q, p), reduction);
}

}  // namespace rw
