#include <algorithm>

#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/losses/own_steps.hpp>
#include <rewind/autograd/losses/sequence_losses.hpp>
#include <rewind/autograd/operations/reduce.hpp>

namespace rw {
namespace {

/// Checks that x is [T, B, ...] and returns which steps belong to its sequences.
detail::OwnSteps own_steps(const char* who, const Tensor& x, const Lengths& lengths) {
  check<UsageError>(is_floating(x.dtype()), "{}: got an int64 tensor, expected float32 or float64",
                    who);
  check_shape(x.rank() >= 2, "{}: got {}, expected [T, B, ...], time first", who, x.shape());
  return {who, "lengths", lengths, x.size(1), x.size(0)};
}

/// [T, B, 1...] of x's rank: the weight of each step's terms, 0 in the padding.
Tensor step_factors(const Tensor& x, const detail::OwnSteps& own, SequenceReduction reduction) {
  const std::int64_t steps = x.size(0);
  const std::int64_t batch = x.size(1);
  Shape shape = x.shape();
  for (int axis = 2; axis < x.rank(); ++axis) {
    shape = shape.with(axis, 1);
  }
  const auto terms_of_step = static_cast<double>(x.shape().product(2, x.rank()));
  double tokens = 0;
  double sequences = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    tokens += static_cast<double>(own.length(b));
    sequences += own.length(b) > 0 ? 1 : 0;
  }
  Tensor factors = detail::make_tensor(shape, x.dtype());
  dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    T* const factor = factors.mutable_data<T>();
    for (std::int64_t b = 0; b < batch; ++b) {
      double terms = 1;
      if (reduction == SequenceReduction::token_mean) {
        terms = tokens * terms_of_step;
      } else if (reduction == SequenceReduction::sequence_mean) {
        terms = static_cast<double>(own.length(b)) * terms_of_step * sequences;
      }
      for (std::int64_t t = 0; t < steps; ++t) {
        factor[t * batch + b] = own.holds(t, b) ? static_cast<T>(1 / terms) : T(0);
      }
    }
  });
  return factors;
}

Tensor added(const Tensor& terms, SequenceReduction reduction) {
  return reduction == SequenceReduction::none ? terms : sum(terms);
}

/// Terms times factors; 0 where the factor is 0, even for NaN and infinities.
Tensor counted(const Tensor& terms, const Tensor& factors) {
  const auto formula = [](auto x, auto factor) {
    return factor * where(not_equal(factor, 0), x, 0);
  };
  return fuse("sequence_reduce", formula, terms, factors);
}

/// The targets with `ignore_index` in the padding.
Tensor masked_targets(const char* who, const Tensor& logits, const Tensor& targets,
                      const detail::OwnSteps& own, std::int64_t ignore_index) {
  const std::int64_t batch = targets.size(1);
  Tensor masked = detail::make_tensor(targets.shape(), DType::int64);
  auto* const to = masked.mutable_data<std::int64_t>();
  std::fill_n(to, masked.elements(), ignore_index);
  const auto* const from = targets.data<std::int64_t>();
  for (std::int64_t t = 0; t < targets.size(0); ++t) {
    for (std::int64_t b = 0; b < batch; ++b) {
      if (!own.holds(t, b)) {
        continue;
      }
      const std::int64_t target = from[t * targets.row_stride() + b];
      check_shape(target == ignore_index || (0 <= target && target < logits.columns()),
                  "{}: target {} at [{}, {}] is outside [0, {})", who, target, t, b,
                  logits.columns());
      to[t * batch + b] = target;
    }
  }
  return masked;
}

/// [T, B]: the factor of each token's loss in the mean of the sequences' means; tokens are weighted
/// by their targets' weights.
Tensor sequence_mean_factors(const Tensor& logits, const Tensor& targets, const Tensor& weights,
                             std::int64_t ignore_index) {
  const std::int64_t steps = targets.size(0);
  const std::int64_t batch = targets.size(1);
  Tensor factors = zeros(targets.shape(), logits.dtype());
  const auto* const target = targets.data<std::int64_t>();
  dispatch_floating(logits.dtype(), [&](auto type) {
    using T = decltype(type);
    T* const factor = factors.mutable_data<T>();
    const T* const weight = weights.defined() ? weights.data<T>() : nullptr;
    double sequences = 0;
    for (std::int64_t b = 0; b < batch; ++b) {
      double total = 0;
      for (std::int64_t i = b; i < steps * batch; i += batch) {
        if (target[i] != ignore_index) {
          total += weight == nullptr ? 1 : static_cast<double>(weight[target[i]]);
        }
      }
      for (std::int64_t i = b; total != 0 && i < steps * batch; i += batch) {
        factor[i] = static_cast<T>(1 / total);
      }
      sequences += total == 0 ? 0 : 1;
    }
    const T share = static_cast<T>(1 / std::max(sequences, 1.0));
    std::for_each(factor, factor + steps * batch, [share](T& f) { f *= share; });
  });
  return factors;
}

}  // namespace

Tensor sequence_cross_entropy(const Tensor& logits, const Tensor& targets, const Lengths& lengths,
                              const SequenceLossOptions& options) {
  constexpr const char* who = "sequence_cross_entropy";
  check_shape(logits.rank() == 3, "{}: logits are {}, expected [T, B, classes]", who,
              logits.shape());
  const detail::OwnSteps own = own_steps(who, logits, lengths);
  check<UsageError>(targets.dtype() == DType::int64,
                    "{}: targets are {}, expected int64 class indices", who,
                    name_of(targets.dtype()));
  check_shape(targets.shape() == logits.shape().without(-1),
              "{}: targets are {}, expected {}: one class index for each step of {}", who,
              targets.shape(), logits.shape().without(-1), logits.shape());
  const Tensor masked = masked_targets(who, logits, targets, own, options.ignore_index);
  CrossEntropyOptions plain{options.weights, options.ignore_index, options.label_smoothing};
  switch (options.reduction) {
    case SequenceReduction::sum:
      plain.reduction = Reduction::sum;
      return cross_entropy(logits, masked, plain);
    case SequenceReduction::token_mean:
      return cross_entropy(logits, masked, plain);
    case SequenceReduction::none:
    case SequenceReduction::sequence_mean:
      break;
  }
  plain.reduction = Reduction::none;
  const Tensor terms = cross_entropy(logits, masked, plain);
  return options.reduction == SequenceReduction::none
             ? terms
             : sum(counted(terms, sequence_mean_factors(logits, masked, options.weights,
                                                        options.ignore_index)));
}

Tensor sequence_mse(const Tensor& prediction, const Tensor& target, const Lengths& lengths,
                    SequenceReduction reduction) {
  check_shape(prediction.shape() == target.shape(),
              "sequence_mse: the prediction is {}, the target {}, expected equal shapes; "
              "reshape() or expand() one of them",
              prediction.shape(), target.shape());
  const detail::OwnSteps own = own_steps("sequence_mse", prediction, lengths);
  // Selects the error before squaring, so that a NaN in the padding reaches no gradient.
  const auto formula = [](auto x, auto y, auto factor) {
    const auto e = where(not_equal(factor, 0), x - y, 0);
    return factor * e * e;
  };
  return added(
      fuse("sequence_mse", formula, prediction, target, step_factors(prediction, own, reduction)),
      reduction);
}

Tensor mask_steps(const Tensor& x, const Lengths& lengths) {
  const detail::OwnSteps own = own_steps("mask_steps", x, lengths);
  return where(step_factors(x, own, SequenceReduction::none), x, 0);
}

Tensor sequence_reduce(const Tensor& terms, const Lengths& lengths, SequenceReduction reduction) {
  const detail::OwnSteps own = own_steps("sequence_reduce", terms, lengths);
  return added(counted(terms, step_factors(terms, own, reduction)), reduction);
}

}  // namespace rw
