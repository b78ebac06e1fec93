#include <algorithm>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/detail/ctc.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>

// The gradient of a CTC loss as recordable operations on all sequences of the batch at once, for
// higher derivatives. The same recursions as in ctc.cpp (Note [States of a path] in
// detail/ctc.hpp), with masks instead of lengths.

namespace rw::detail {
namespace {

using Size = std::int64_t;

// Used for log 0: its exponential is 0, but differences of such numbers are not NaN.
constexpr double impossible = -1e30;

/// The constants of the recursions, of the logits' type except for the indices.
struct Masks {
  Tensor index;    // int64 [T, B, states]: the class of each state
  Tensor starts;   // [B, states]: 0 where a path may start, else impossible
  Tensor ends;     // [B, states]: the same where it may end
  Tensor skips;    // [B, states]: 0 where it may come from two states before
  Tensor leaps;    // [B, states]: 0 where it may go to two states later
  Tensor is_last;  // [T, B, 1]: 1 at a sequence's last step
  Tensor nowhere;  // [B, 2]: impossible
};

Masks make_masks(const Tensor& x, const CtcStates& states) {
  const Size steps = x.size(0);
  const Size batch = x.size(1);
  const Size width = states.classes.columns();
  const Shape shape{batch, width};
  const auto filled = [&] { return full(shape, impossible, x.dtype()); };
  Masks masks{make_tensor({steps, batch, width}, DType::int64),
              filled(),
              filled(),
              filled(),
              filled(),
              zeros({steps, batch, 1}, x.dtype()),
              full({batch, std::min<Size>(width, 2)}, impossible, x.dtype())};
  const auto* const classes = states.classes.data<Size>();
  const auto* const counts = states.counts.data<Size>();
  auto* const index = masks.index.mutable_data<Size>();
  for (Size t = 0; t < steps; ++t) {
    std::copy_n(classes, batch * width, index + t * batch * width);
  }
  dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    T* starts = masks.starts.mutable_data<T>();
    T* ends = masks.ends.mutable_data<T>();
    T* skips = masks.skips.mutable_data<T>();
    T* leaps = masks.leaps.mutable_data<T>();
    T* const is_last = masks.is_last.mutable_data<T>();
    for (Size b = 0; b < batch; ++b) {
      const Size count = counts[batch + b];
      for (Size s = 0; s < count; ++s) {
        starts[s] = s < 2 ? T(0) : starts[s];
        ends[s] = s >= count - 2 ? T(0) : ends[s];
        if (may_skip(classes + b * width, s)) {
          skips[s] = leaps[s - 2] = 0;
        }
      }
      starts += width;
      ends += width;
      skips += width;
      leaps += width;
      if (counts[b] > 0) {
        is_last[(counts[b] - 1) * batch + b] = 1;
      }
    }
  });
  return masks;
}

/// Log-probabilities [B, states] shifted by `n` states (n < 0: back).
Tensor moved(const Tensor& x, Size n, const Tensor& nowhere) {
  const Size width = x.size(1);
  const Size by = std::min(n < 0 ? -n : n, width);
  const Tensor gap = slice(nowhere, 1, 0, by);
  return n < 0 ? concat({slice(x, 1, by, width), gap}, 1)
               : concat({gap, slice(x, 1, 0, width - by)}, 1);
}

/// One step along the states: log of the sum of the paths that stay, move by `direction`, or skip
/// where allowed.
Tensor join(const Tensor& x, Size direction, const Tensor& allowed, const Tensor& nowhere) {
  return logsumexp(
      stack({x, moved(x, direction, nowhere), moved(x, 2 * direction, nowhere) + allowed}, 0), {0});
}

/// [T, B, 1]: 1 where a sequence has a step, 0 in the padding at the end.
Tensor step_mask(const Tensor& logits, const CtcStates& states) {
  const Size batch = logits.size(1);
  Tensor mask = zeros({logits.size(0), batch, 1}, logits.dtype());
  const auto* const steps = states.counts.data<Size>();
  dispatch_floating(logits.dtype(), [&](auto type) {
    auto* const to = mask.mutable_data<decltype(type)>();
    for (Size b = 0; b < batch; ++b) {
      for (Size t = 0; t < steps[b]; ++t) {
        to[t * batch + b] = 1;
      }
    }
  });
  return mask;
}

/// Moves each sequence's padding from the front to the end, or back.
Tensor rotated(const Tensor& x, const CtcStates& states, bool back) {
  const Size steps = x.size(0);
  const Size batch = x.size(1);
  const auto* const begin = states.counts.data<Size>() + 2 * batch;
  if (std::all_of(begin, begin + batch, [](Size n) { return n == 0; })) {
    return x;
  }
  Tensor from = make_tensor(x.shape(), DType::int64);
  auto* to = from.mutable_data<Size>();
  for (Size t = 0; t < steps; ++t) {
    for (Size b = 0; b < batch; ++b, to += x.columns()) {
      std::fill_n(to, x.columns(), (back ? t + steps - begin[b] : t + begin[b]) % steps);
    }
  }
  return gather(x, from, 0);
}

/// The gradient of sequences padded at the end; finite but meaningless in the padding.
Tensor gradient_in_front(const Tensor& x, const CtcStates& states) {
  const Size steps = x.size(0);
  const Masks masks = make_masks(x, states);
  const Tensor scores = gather(log_softmax(x), masks.index, 2);

  TensorList alpha(static_cast<std::size_t>(steps));
  TensorList beta(static_cast<std::size_t>(steps));
  const auto at = [](TensorList& list, Size t) -> Tensor& {
    return list[static_cast<std::size_t>(t)];
  };
  at(alpha, 0) = masks.starts + select(scores, 0, 0);
  for (Size t = 1; t < steps; ++t) {
    at(alpha, t) = join(at(alpha, t - 1), 1, masks.skips, masks.nowhere) + select(scores, 0, t);
  }
  at(beta, steps - 1) = masks.ends;
  for (Size t = steps - 2; t >= 0; --t) {
    const Tensor ahead = at(beta, t + 1) + select(scores, 0, t + 1);
    at(beta, t) =
        where(select(masks.is_last, 0, t), masks.ends, join(ahead, -1, masks.leaps, masks.nowhere));
  }
  const Tensor all = logsumexp(at(alpha, 0) + at(beta, 0), {1}, true);
  // Without any path the posterior is 0 instead of a quotient of two vanishing numbers.
  const Tensor log_p = where(all > impossible / 2, all, 0);
  const Tensor posterior = exp(stack(std::span<const Tensor>(alpha), 0) +
                               stack(std::span<const Tensor>(beta), 0) - log_p);
  return softmax(x) - scatter_add(posterior, masks.index, x.shape(), 2);
}

}  // namespace

Tensor recorded_ctc_gradient(const Tensor& logits, const CtcStates& states, const Tensor& slope) {
  if (logits.elements() == 0) {
    return zeros_like(logits);
  }
  const Tensor mask = step_mask(logits, states);
  // The content of the padding, even NaN, must not reach any gradient.
  const Tensor x = where(mask, rotated(logits, states, false), 0);
  return rotated(where(mask, gradient_in_front(x, states) * slope, 0), states, true);
}

}  // namespace rw::detail
