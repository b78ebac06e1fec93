#include <algorithm>
#include <limits>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/ctc.hpp>
#include <rewind/autograd/losses/detail/ctc.hpp>
#include <rewind/autograd/losses/detail/ctc_kernels.hpp>
#include <rewind/autograd/losses/own_steps.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/record.hpp>

namespace rw {
namespace {

using namespace kernels::ctc;

/// What the backward pass needs from the forward pass, float64.
struct Trellis {
  Tensor alpha;  // [B, T, margin + states]: log-probability of the paths up to a step and state
  Tensor rows;   // [B, T, 2]: largest logit, and log sum e^(logit - largest)
  Tensor log_p;  // [B]
};

void check_arguments(const Tensor& logits, const Tensor& targets, const CtcOptions& options) {
  check<UsageError>(is_floating(logits.dtype()),
                    "ctc_loss: logits are int64, expected float32 or float64; logits come first, "
                    "targets second");
  check_shape(logits.rank() == 3, "ctc_loss: logits are {}, expected [T, B, classes], time first",
              logits.shape());
  check<UsageError>(targets.dtype() == DType::int64,
                    "ctc_loss: targets are {}, expected int64 labels", name_of(targets.dtype()));
  check_shape(
      targets.rank() == 2 && targets.size(1) == logits.size(1),
      "ctc_loss: targets are {}, expected [S, {}]: the labels of a sequence in a column, as "
      "its logits {} are; transpose() a batch of rows",
      targets.shape(), logits.size(1), logits.shape());
  check_shape(0 <= options.blank && options.blank < logits.columns(),
              "ctc_loss: blank {} is outside [0, {}), the classes of logits {}", options.blank,
              logits.columns(), logits.shape());
}

CtcStates make_states(const Tensor& logits, const Tensor& targets, const Lengths& input_lengths,
                      const Lengths& target_lengths, Size blank) {
  const Size batch = logits.size(1);
  const Size longest = targets.size(0);
  const detail::OwnSteps steps("ctc_loss", "input_lengths", input_lengths, batch, logits.size(0));
  const detail::OwnSteps labels("ctc_loss", "target_lengths", target_lengths, batch, longest);
  CtcStates states{detail::make_tensor({batch, 2 * longest + 1}, DType::int64),
                   detail::make_tensor({3, batch}, DType::int64)};
  auto* const classes = states.classes.mutable_data<Size>();
  auto* const counts = states.counts.mutable_data<Size>();
  std::fill_n(classes, states.classes.elements(), blank);
  for (Size b = 0; b < batch; ++b) {
    const Size n = labels.length(b);
    counts[b] = steps.length(b);
    counts[batch + b] = 2 * n + 1;
    counts[2 * batch + b] = steps.begin(b);
    for (Size s = 0; s < n; ++s) {
      const Size place = labels.begin(b) + s;
      const Size label = targets.data<Size>()[place * targets.row_stride() + b];
      check_shape(0 <= label && label < logits.columns() && label != blank,
                  "ctc_loss: target {} at [{}, {}] is not a label, expected one in [0, {}) other "
                  "than the blank {}",
                  label, place, b, logits.columns(), blank);
      classes[b * states.classes.columns() + 2 * s + 1] = label;
    }
  }
  return states;
}

/// The factor of each sequence's loss, and so of its gradient.
double share_of(const CtcOptions& options, const CtcStates& states, Size b) {
  if (options.reduction != Reduction::mean) {
    return 1;
  }
  const Size batch = states.counts.columns();
  const Size labels = (states.counts.data<Size>()[batch + b] - 1) / 2;
  return 1 / (static_cast<double>(batch) * static_cast<double>(std::max<Size>(1, labels)));
}

/// The factor of the gradient alone.
double share_of_gradient(const CtcOptions& options, const CtcStates& states, Size b, double log_p) {
  if (log_p == -infinity) {
    return options.zero_infinity ? 0 : std::numeric_limits<double>::quiet_NaN();
  }
  return share_of(options, states, b);
}

/// Runs the forward recursions, fills the trellis and returns the loss.
template <class T>
Tensor find_loss(const Tensor& x, const CtcStates& states, Trellis& trellis,
                 const CtcOptions& options) {
  const Size batch = x.size(1);
  const bool separate = options.reduction == Reduction::none;
  Tensor value = detail::make_tensor(separate ? Shape{batch} : Shape{}, x.dtype());
  T* const to = value.template mutable_data<T>();
  auto* const alpha = trellis.alpha.mutable_data<double>();
  auto* const rows = trellis.rows.mutable_data<double>();
  auto* const log_p = trellis.log_p.mutable_data<double>();
  Workspace<T> workspace(x, states);
  double total = 0;
  for (Size b = 0; b < batch; ++b) {
    log_p[b] = run_forward(Sequence<T>(workspace, b), alpha, rows);
    const bool dropped = options.zero_infinity && log_p[b] == -infinity;
    // Rounding may leave the sum of all paths just above 1.
    const double loss = dropped || log_p[b] > 0 ? 0.0 : 0.0 - log_p[b];
    total += loss * share_of(options, states, b);
    if (separate) {
      to[b] = static_cast<T>(loss);
    }
  }
  if (!separate) {
    *to = static_cast<T>(total);
  }
  return value;
}

/// Computes the gradient of the logits in place.
template <bool Accumulate, class T>
void ctc_gradient(const CtcOptions& options, const Tensor& dy, const Tensor& x,
                  const CtcStates& states, const Trellis& trellis,
                  const GradientRows<T>& rows_of_dx) {
  const auto* const alpha = trellis.alpha.data<double>();
  const auto* const rows = trellis.rows.data<double>();
  const T* const g = dy.data<T>();
  Workspace<T> workspace(x, states);
  for (Size b = 0; b < x.size(1); ++b) {
    const Sequence<T> q(workspace, b);
    const auto dx = [&](Size t) { return rows_of_dx.row(q.row(t)); };
    const double log_p = trellis.log_p.data<double>()[b];
    const double share = share_of_gradient(options, states, b, log_p);
    const double dloss = double(g[options.reduction == Reduction::none ? b : 0]) * share;
    if (log_p == -infinity) {
      for (Size t = 0; t < q.steps; ++t) {
        for (Size c = 0; c < x.columns(); ++c) {
          dx(t)[c] = static_cast<T>(dloss) + (Accumulate ? dx(t)[c] : T(0));
        }
      }
    } else {
      run_backward(q, alpha, rows, log_p,
                   [&](Size t) { add_gradient_of_step<Accumulate>(q, t, dloss, rows, dx(t)); });
    }
    // Padding in front has negative steps.
    for (Size t = -q.begin; !Accumulate && t < x.size(0) - q.begin; ++t) {
      if (t < 0 || t >= q.steps) {
        std::fill_n(dx(t), x.columns(), T(0));
      }
    }
  }
}

/// The same with recordable operations.
Tensor recorded_gradient(const CtcOptions& options, const Tensor& dy, const Tensor& x,
                         const CtcStates& states, const Tensor& log_p) {
  const Size batch = x.size(1);
  Tensor shares = detail::make_tensor({1, batch, 1}, x.dtype());
  dispatch_floating(x.dtype(), [&](auto type) {
    using T = decltype(type);
    T* const to = shares.mutable_data<T>();
    for (Size b = 0; b < batch; ++b) {
      to[b] = static_cast<T>(share_of_gradient(options, states, b, log_p.data<double>()[b]));
    }
  });
  const Tensor slope = options.reduction == Reduction::none ? reshape(dy, {1, batch, 1}) : dy;
  return detail::recorded_ctc_gradient(x, states, slope * shares);
}

}  // namespace

Tensor ctc_loss(const Tensor& logits, const Tensor& targets, const Lengths& input_lengths,
                const Lengths& target_lengths, const CtcOptions& options) {
  check_arguments(logits, targets, options);
  const CtcStates states =
      make_states(logits, targets, input_lengths, target_lengths, options.blank);
  const Size steps = logits.size(0);
  const Size batch = logits.size(1);
  Trellis trellis{
      detail::make_tensor({batch, steps, margin + states.classes.columns()}, DType::float64),
      detail::make_tensor({batch, steps, 2}, DType::float64),
      detail::make_tensor({batch}, DType::float64)};
  const Tensor value = dispatch_floating(logits.dtype(), [&](auto type) {
    return find_loss<decltype(type)>(logits, states, trellis, options);
  });
  return record(
      "ctc_loss", {logits}, value,
      saved(logits, states.classes, states.counts, trellis.alpha, trellis.rows, trellis.log_p),
      [options](const Tensor& dy, Gradients& d, const Tensor& x, const Tensor& classes,
                const Tensor& counts, const Tensor& alpha, const Tensor& rows,
                const Tensor& log_p) {
        const CtcStates of{classes, counts};
        d.add_rows(
            0, [&] { return recorded_gradient(options, dy, x, of, log_p); },
            [&](const auto& dx) {
              dx.specialize([&](auto accumulate) {
                ctc_gradient<accumulate()>(options, dy, x, of, {alpha, rows, log_p}, dx);
              });
            });
      });
}

}  // namespace rw
