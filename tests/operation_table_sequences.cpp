#include <limits>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/ctc.hpp>
#include <rewind/autograd/losses/sequence_losses.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"
#include "support/nonlinear_row.hpp"

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;
using Sizes = std::vector<std::int64_t>;

constexpr std::initializer_list<SequenceReduction> reductions = {
    SequenceReduction::none, SequenceReduction::sum, SequenceReduction::token_mean,
    SequenceReduction::sequence_mean};

constexpr double inf = std::numeric_limits<double>::infinity();

Tensor integers(const Shape& shape, const Sizes& values) {
  return Tensor::from<std::int64_t>(shape, values);
}

/// Different lengths for a batch of at most 4, including 0 for a batch of 3 or more.
Tensor ragged(std::int64_t batch, std::int64_t longest) {
  const Sizes all = {longest, (longest + 1) / 2, 0, longest};
  return integers({batch}, Sizes(all.begin(), all.begin() + batch));
}

void add_masked_rows(Table& table) {
  Values values(107);
  Operation entropy{"sequence_cross_entropy", {}};
  Operation error{"sequence_mse", {}};
  for (const Shape& shape : {Shape{3, 2, 3}, {2, 3, 2}, {1, 1, 4}, {4, 4, 1}}) {
    const Tensor lengths = ragged(shape[1], shape[0]);
    Sizes labels;
    for (std::int64_t i = 0; i < shape[0] * shape[1]; ++i) {
      labels.push_back(i % 4 == 1 ? -100 : i * i % shape[2]);
    }
    const Tensor targets = integers({shape[0], shape[1]}, labels);
    for (const SequenceReduction reduction : reductions) {
      entropy.samples.push_back({[=](Inputs x) {
                                   return sequence_cross_entropy(x[0], targets, lengths,
                                                                 {.reduction = reduction});
                                 },
                                 {values.uniform(shape, -2, 2)}});
      error.samples.push_back(
          {[=](Inputs x) { return sequence_mse(x[0], x[1], lengths, reduction); },
           {values.uniform(shape, -2, 2), values.uniform(shape, -2, 2)}});
    }
  }
  // Padding in front, with arbitrary content; classes masked by -infinity, one of them a target
  // with weight 0; equal logits, equal predictions and targets.
  const Tensor scores = Tensor::from<double>(
      {3, 2, 3}, {-inf, 0, 1, inf, inf, -inf, -inf, 2, 2, -inf, 0.5, 0.5, -inf, 0, 0, -inf, 1, -1});
  const Tensor targets = integers({3, 2}, {1, 7, 2, 2, 0, 1});
  const Tensor few = Tensor::from<double>({3, 2}, {0.5, inf, 0, -1, 2, 1e-300});
  const Lengths lengths{integers({2}, {3, 2}), Padding::before};
  for (const double smoothing : {0.0, 0.1}) {
    for (const SequenceReduction reduction : reductions) {
      entropy.samples.push_back({[=](Inputs x) {
                                   return sequence_cross_entropy(
                                       x[0], targets, lengths,
                                       {.weights = Tensor::from<double>({3}, {0, 1, 2}),
                                        .label_smoothing = smoothing,
                                        .reduction = reduction});
                                 },
                                 {scores}});
      error.samples.push_back(
          {[=](Inputs x) { return sequence_mse(x[0], x[1], lengths, reduction); }, {few, few}});
    }
  }
  table.insert(table.end(), {std::move(entropy), std::move(error)});

  NonlinearRow masks("mask_steps");
  NonlinearRow sums("sequence_reduce");
  for (const Shape& shape : {Shape{3, 2}, {4, 3}, {2, 3, 2}, {3, 2, 1}, {2, 0, 3}, {2, 2, 1, 2}}) {
    const Tensor lengths = ragged(shape[1], shape[0]);
    for (const bool all : {false, true}) {
      const Tensor l = all ? Tensor() : lengths;
      masks.add(shape, [=](const Tensor& x) { return mask_steps(x, l); });
    }
    masks.add(shape, [=](const Tensor& x) { return mask_steps(x, {lengths, Padding::before}); });
    for (const SequenceReduction reduction : reductions) {
      sums.add(shape, [=](const Tensor& x) {
        return sequence_reduce(x, {lengths, Padding::before}, reduction);
      });
      sums.add(shape, [=](const Tensor& x) { return sequence_reduce(x, lengths, reduction); });
    }
  }
  masks.into(table);
  sums.into(table);
}

void add_ctc_row(Table& table) {
  Values values(109);
  Operation row{"ctc_loss", {}};
  struct Batch {
    Shape logits;
    Shape targets;
    Sizes labels;
    Sizes steps;
    Sizes counts;
    std::int64_t blank = 0;
  };
  const std::vector<Batch> batches = {
      {{1, 1, 2}, {1, 1}, {1}, {1}, {1}},
      {{4, 1, 3}, {2, 1}, {1, 2}, {4}, {2}},
      {{4, 1, 3}, {2, 1}, {1, 1}, {4}, {2}},
      {{3, 1, 2}, {2, 1}, {1, 1}, {3}, {2}},
      {{3, 1, 3}, {2, 1}, {0, 1}, {3}, {2}, 2},
      {{3, 2, 3}, {0, 2}, {}, {3, 1}, {0, 0}, 1},
      {{5, 3, 4}, {3, 3}, {1, 2, 3, 1, 3, 0, 3, 0, 0}, {5, 3, 4}, {3, 2, 1}},
      // No steps; steps but no labels; labels that do not fit into the steps.
      {{3, 3, 3}, {2, 3}, {0, 0, 1, 0, 0, 1}, {0, 3, 2}, {0, 0, 2}},
  };
  for (const Batch& batch : batches) {
    const Tensor targets = integers(batch.targets, batch.labels);
    const Tensor steps = integers({batch.logits[1]}, batch.steps);
    const Tensor counts = integers({batch.logits[1]}, batch.counts);
    for (const Reduction reduction : {Reduction::none, Reduction::sum, Reduction::mean}) {
      const CtcOptions options{batch.blank, reduction, true};
      const auto loss = [=](const Tensor& x) {
        return ctc_loss(x, targets, steps, counts, options);
      };
      row.samples.push_back(
          {[=](Inputs x) { return loss(x[0]); }, {values.uniform(batch.logits, -2, 2)}});
      row.samples.push_back({[=](Inputs x) { return loss(x[0] * x[0]) * loss(x[0]); },
                             {values.uniform(batch.logits, -1, 1)}});
    }
    row.samples.push_back({[=](Inputs x) {
                             return ctc_loss(x[0], targets, {steps, Padding::before}, counts,
                                             {.blank = batch.blank, .zero_infinity = true});
                           },
                           {values.uniform(batch.logits, -2, 2)}});
    const Shape wide = batch.logits.with(2, batch.logits[2] + 2);
    row.samples.push_back({[=](Inputs x) {
                             return ctc_loss(slice(x[0], 2, 1, wide[2] - 1), targets, steps, counts,
                                             {.blank = batch.blank, .zero_infinity = true});
                           },
                           {values.uniform(wide, -2, 2)}});
  }
  // Classes that are impossible at a step, labels that are impossible for that reason, equal
  // logits, and a step that is certain.
  const Tensor scores = Tensor::from<double>(
      {3, 3, 3}, {0,    0, 0,   -inf, 0, 0.5, 1e300, 0,    -1e300, -inf, 1,    1, 0,  -inf,
                  -inf, 1, 0.5, -inf, 0, 0,   -inf,  -inf, 0.3,    0.1,  -inf, 2, 0.7});
  const Tensor labels = integers({2, 3}, {1, 2, 1, 2, 1, 2});
  for (const Reduction reduction : {Reduction::none, Reduction::sum, Reduction::mean}) {
    row.samples.push_back({[=](Inputs x) {
                             return ctc_loss(x[0], labels, {}, {},
                                             {.reduction = reduction, .zero_infinity = true});
                           },
                           {scores}});
  }
  table.push_back(std::move(row));
}

}  // namespace

void add_sequence_rows(Table& table) {
  add_masked_rows(table);
  add_ctc_row(table);
}

}  // namespace rw::testing
