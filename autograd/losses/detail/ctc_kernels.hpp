#pragma once
// The recursions of connectionist temporal classification along the states of one sequence (Note
// [States of a path]), on logarithms in float64.

#include <algorithm>
#include <cmath>
#include <limits>

#include <rewind/autograd/kernels/row_kernels.hpp>
#include <rewind/autograd/losses/detail/ctc.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels::ctc {

using Size = std::int64_t;
using rw::detail::CtcStates;

inline constexpr double infinity = std::numeric_limits<double>::infinity();

// Rows of states are padded with this many unreachable states on both sides, so that a recursion
// can read neighbours everywhere.
inline constexpr Size margin = 2;

/// to_s = log(e^a_s + e^b_s + e^(c_s + skip_s)).
template <class V = simd::Batch<double>>
void join_paths(Size n, const double* a, const double* b, const double* c, const double* skip,
                double* to) {
  for_registers<double>(n, [&](Size i, Size count) {
    const V x = load(a + i, count);
    const V y = load(b + i, count);
    const V z = load(c + i, count) + load(skip + i, count);
    const V largest = simd::maximum(simd::maximum(x, y), z);
    // Where no path arrives, the sum of e^-infinity is 0, whose logarithm is -infinity again.
    const V shift = xsimd::select(largest == V(-infinity), V(0), largest);
    store(shift + simd::log(simd::exp(x - shift) + simd::exp(y - shift) + simd::exp(z - shift)),
          to + i, count);
  });
}

/// A batch's logits and states, and memory for the recursions along the states.
template <class T>
struct Workspace {
  Workspace(const Tensor& logits, const CtcStates& batch_states)
      : x(logits),
        states(batch_states),
        width(margin + states.classes.columns()),
        memory(rw::detail::make_tensor({5, width}, DType::float64)),
        skip(memory.mutable_data<double>()),
        scores(skip + width),
        beta(scores + width),
        ahead(beta + width),
        posterior(ahead + width) {}

  const Tensor& x;
  const CtcStates& states;
  Size width;
  Tensor memory;
  double* skip;       // 0 where a path may come from two states before, else -infinity
  double* scores;     // log-probability of each state's class at a step
  double* beta;       // log-probability of the paths from a step and state onwards
  double* ahead;      // the next step's, its scores included
  double* posterior;  // probability of a state among all paths of the labels
};

/// One sequence of the batch.
template <class T>
struct Sequence {
  Sequence(Workspace<T>& workspace, Size sequence)
      : w(workspace),
        b(sequence),
        steps(w.states.counts.template data<Size>()[b]),
        count(w.states.counts.template data<Size>()[w.x.size(1) + b]),
        begin(w.states.counts.template data<Size>()[2 * w.x.size(1) + b]),
        classes(w.states.classes.template data<Size>() + b * w.states.classes.columns()) {
    for (Size s = 0; s < w.width; ++s) {
      w.skip[s] = s < count && rw::detail::may_skip(classes, s) ? 0 : -infinity;
    }
  }

  /// The row of the logits of this sequence's own step t.
  Size row(Size t) const { return (begin + t) * w.x.size(1) + b; }
  const T* logits(Size t) const { return w.x.template data<T>() + row(t) * w.x.row_stride(); }
  /// The position in the trellis of step t of this sequence.
  Size place(Size t) const { return b * w.x.size(0) + t; }
  void find_scores(Size t, const double* rows) const {
    const double* const row_statistics = rows + 2 * place(t);
    for (Size s = 0; s < count; ++s) {
      const auto logit = static_cast<double>(logits(t)[classes[s]]);
      w.scores[s] = (logit - row_statistics[0]) - row_statistics[1];
    }
  }

  Workspace<T>& w;
  Size b;
  Size steps;
  Size count;  // of states
  Size begin;  // position of step 0 in the batch
  const Size* classes;
};

/// alpha_t(s) = log p_t(class of s) + log sum e^alpha_(t-1) over the states that lead to s. Returns
/// log p.
template <class T>
double run_forward(const Sequence<T>& q, double* alpha, double* rows) {
  if (q.steps == 0) {
    return q.count == 1 ? 0 : -infinity;
  }
  const Size columns = q.w.x.columns();
  double* now = nullptr;
  for (Size t = 0; t < q.steps; ++t) {
    const T largest = extreme_of_row<Larger>(q.logits(t), columns);
    rows[2 * q.place(t)] = static_cast<double>(largest);
    rows[2 * q.place(t) + 1] = std::log(sum_exp(q.logits(t), columns, largest));
    q.find_scores(t, rows);
    const double* const before = now;
    now = alpha + q.place(t) * q.w.width + margin;
    std::fill_n(now - margin, q.w.width, -infinity);
    if (t == 0) {
      std::copy_n(q.w.scores, std::min<Size>(q.count, 2), now);
      continue;
    }
    join_paths(q.count, before, before - 1, before - 2, q.w.skip, now);
    for (Size s = 0; s < q.count; ++s) {
      now[s] += q.w.scores[s];
    }
  }
  // Without labels there is only one state; the state before it is unreachable.
  const double none = -infinity;
  double log_p = 0;
  join_paths(1, now + q.count - 1, now + q.count - 2, &none, &none, &log_p);
  return log_p;
}

/// Calls body(t) from the last step to the first, with the posterior of that step in the workspace.
template <class T, class Body>
void run_backward(const Sequence<T>& q, const double* alpha, const double* rows, double log_p,
                  Body&& body) {
  using V = simd::Batch<double>;
  Workspace<T>& w = q.w;
  std::fill_n(w.beta, q.count, -infinity);
  std::fill(w.beta + std::max<Size>(0, q.count - 2), w.beta + q.count, 0.0);
  std::fill_n(w.ahead + q.count, margin, -infinity);
  for (Size t = q.steps - 1; t >= 0; --t) {
    const double* const now = alpha + q.place(t) * w.width + margin;
    for_registers<double>(q.count, [&](Size i, Size n) {
      const V both = load(now + i, n) + load(w.beta + i, n);
      store(simd::exp(both - V(log_p)), w.posterior + i, n);
    });
    body(t);
    q.find_scores(t, rows);
    for (Size s = 0; s < q.count; ++s) {
      w.ahead[s] = w.beta[s] + w.scores[s];
    }
    join_paths(q.count, w.ahead, w.ahead + 1, w.ahead + 2, w.skip + margin, w.beta);
  }
}

/// dx (+)= slope (softmax(x) - posterior of each class) at step t.
template <bool Accumulate, class T>
void add_gradient_of_step(const Sequence<T>& q, Size t, double slope, const double* rows, T* dx) {
  using V = simd::Batch<T>;
  const T* const x = q.logits(t);
  const V largest(static_cast<T>(rows[2 * q.place(t)]));
  const V factor(static_cast<T>(slope * std::exp(-rows[2 * q.place(t) + 1])));
  for_registers<T>(q.w.x.columns(), [&](Size c, Size n) {
    V g = simd::exp(load(x + c, n) - largest) * factor;
    if constexpr (Accumulate) {
      g += load(dx + c, n);
    }
    store(g, dx + c, n);
  });
  double blank = 0;
  for (Size s = 0; s < q.count; s += 2) {
    blank += q.w.posterior[s];
  }
  dx[q.classes[0]] -= static_cast<T>(slope * blank);
  for (Size s = 1; s < q.count; s += 2) {
    dx[q.classes[s]] -= static_cast<T>(slope * q.w.posterior[s]);
  }
}

}  // namespace rw::kernels::ctc

#pragma GCC visibility pop
