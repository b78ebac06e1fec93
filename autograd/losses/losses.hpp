#pragma once
// Losses. Each takes the model's output first and the target second. An empty batch has loss 0
// under every reduction but `none`.
//
// Scores, log-probabilities and differences may be infinite, such as the logits of classes that are
// masked out by -infinity. 0 log 0 is 0: a term whose probability or weight is 0 is 0, with zero
// gradients of any order, even where its other factor is infinite. Any other infinite term makes
// the loss infinite, and a NaN makes it NaN.

#include <cstdint>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// How loss terms are reduced: not, summed, or averaged.
enum class Reduction { none, sum, mean };

struct CrossEntropyOptions {
  /// [C], of the logits' type: the weight of each class. Undefined: 1 for all. A constant: gets no
  /// gradient.
  Tensor weights = {};
  /// Rows with this class index have no loss and no gradient (class indices only).
  std::int64_t ignore_index = -100;
  /// Epsilon in [0, 1]: the target distribution becomes (1 - epsilon) q + epsilon / C (Szegedy et
  /// al. 2016).
  double label_smoothing = 0.0;
  Reduction reduction = Reduction::mean;
};

/// Cross-entropy between softmax(logits) and the targets, per row: -sum_c w_c q_c log
/// softmax(logits)_c.
///
/// `logits` is [..., C]. `targets` is either int64 class indices [...], q being 1 at the target, or
/// probabilities [..., C] of the logits' type. With class indices the whole loss is one operation;
/// a perfect prediction gives exactly 0, and no prediction gives less. `none` gives [...]; `mean`
/// divides by the sum of the targets' weights over the rows that are not ignored (class indices; 0
/// where that sum is 0) or by the number of rows (probabilities), as PyTorch does. The value is
/// finite wherever the true one fits the type (probabilities: and log softmax does); a row without
/// a softmax, which holds +infinity or only -infinity, gives NaN. Throws ShapeError for sizes that
/// do not fit or a target outside [0, C), whose row it names; UsageError for a wrong type or
/// smoothing.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options = {});

struct NllOptions {
  /// As in CrossEntropyOptions.
  Tensor weights = {};
  std::int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
};

/// Negative log-likelihood of class indices [...] under `log_probabilities` [..., C]: -w_t log p_t.
/// Reductions and errors as in cross_entropy, which equals nll(log_softmax(logits), targets).
Tensor nll(const Tensor& log_probabilities, const Tensor& targets, const NllOptions& options = {});

/// Squared error (prediction - target)^2. The shapes must be equal, here and in the losses below,
/// to prevent accidental broadcasting.
Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

/// Absolute error |prediction - target|; gradient 0 where they are equal.
Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

/// e^2 / 2 where |e| <= delta, delta (|e| - delta / 2) elsewhere, with e = prediction - target
/// (Huber 1964). An infinite delta gives e^2 / 2 everywhere. Throws UsageError unless delta > 0.
Tensor huber(const Tensor& prediction, const Tensor& target, double delta = 1.0,
             Reduction reduction = Reduction::mean);

struct BceOptions {
  /// Weight of the positive term; broadcasts to the logits. Undefined: 1.
  Tensor pos_weight = {};
  Reduction reduction = Reduction::mean;
};

/// Binary cross-entropy -(w y log s(x) + (1 - y) log(1 - s(x))) with s the logistic function,
/// computed from the logits x as max(x, 0) - x y + log(1 + e^-|x|) (for w = 1), which neither
/// overflows nor cancels. An infinite logit that agrees with its target has loss 0.
Tensor bce_with_logits(const Tensor& logits, const Tensor& targets, const BceOptions& options = {});

/// Kullback-Leibler divergence terms p (log p - log_q); these and their gradients of any order are
/// 0 where p is 0. `mean` divides by the number of elements, as PyTorch does; the divergence per
/// row is kl_div(log_q, p, Reduction::sum) / rows.
Tensor kl_div(const Tensor& log_q, const Tensor& p, Reduction reduction = Reduction::mean);

}  // namespace rw
