#include <algorithm>
#include <limits>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;

constexpr double inf = std::numeric_limits<double>::infinity();

constexpr std::initializer_list<Reduction> reductions = {Reduction::none, Reduction::sum,
                                                         Reduction::mean};

Tensor classes(const Shape& shape, std::int64_t n, std::int64_t ignored_every = 0) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const bool ignored = ignored_every > 0 && i % ignored_every == 0;
    values.push_back(ignored ? -100 : (i * i + 1) % n);
  }
  return Tensor::from<std::int64_t>(shape, values);
}

Tensor class_weights(std::int64_t n) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) {
    values.push_back(0.4 + 0.3 * static_cast<double>(i % 3));
  }
  return Tensor::from<double>({n}, values);
}

/// Equal scores, classes masked by -infinity, and scores so far apart that the loss is saturated.
/// An infinite input keeps its value when it is moved, so its derivative is 0.
void add_special_scores(Operation& entropies, Operation& likelihoods) {
  const Tensor scores = Tensor::from<double>(
      {5, 3}, {-inf, 0.5, 0.5, 0, 0, 0, 1e300, 0, -1e300, -inf, -inf, 2, 1e-300, 0, -1e-300});
  const Tensor targets = Tensor::from<std::int64_t>({5}, {1, 2, 0, 2, 0});
  // Class 0 is masked in every row and has weight 0, although it is the target of one row.
  const Tensor masked =
      Tensor::from<double>({4, 3}, {-inf, 0.5, -1, -inf, 0, 0, -inf, -30, 30, -inf, 1, 2});
  const Tensor of_masked = Tensor::from<std::int64_t>({4}, {1, 2, 0, -100});
  const Tensor weights = Tensor::from<double>({3}, {0, 1, 0.5});
  const Tensor shares = Tensor::from<double>({4, 3}, {0, 1, 0, 0, 0.5, 0.5, 0, 0, 1, 0, 0.2, 0.8});
  for (const Reduction reduction : reductions) {
    const CrossEntropyOptions plain{.reduction = reduction};
    entropies.samples.push_back(
        {[=](Inputs x) { return cross_entropy(x[0], targets, plain); }, {scores}});
    for (const double smoothing : {0.0, 0.3}) {
      const CrossEntropyOptions options{
          .weights = weights, .label_smoothing = smoothing, .reduction = reduction};
      entropies.samples.push_back(
          {[=](Inputs x) { return cross_entropy(x[0], of_masked, options); }, {masked}});
      entropies.samples.push_back(
          {[=](Inputs x) { return cross_entropy(x[0], shares, options); }, {masked}});
    }
    entropies.samples.push_back(
        {[=](Inputs x) { return cross_entropy(x[0], softmax(x[1]), plain); },
         {masked,
          Tensor::from<double>({4, 3}, {-inf, 0, 0, -inf, 1, -inf, -inf, 0.3, 0.1, -inf, 2, -1})}});
    likelihoods.samples.push_back(
        {[=](Inputs x) {
           return sin(nll(x[0], of_masked, {.weights = weights, .reduction = reduction}));
         },
         {masked}});
  }
}

void add_index_loss_rows(Table& table) {
  Values values(101);
  Operation entropies{"cross_entropy", {}};
  Operation likelihoods{"nll", {}};
  const std::vector<Shape> shapes = {{3},       {2, 3}, {1, 4},  {4, 1},
                                     {2, 2, 3}, {0, 3}, {3, 17}, {2, 1, 2, 2}};
  for (const Shape& shape : shapes) {
    const std::int64_t n = shape[-1];
    const Shape rows = shape.without(-1);
    for (const Reduction reduction : reductions) {
      for (const int form : {0, 1, 2, 3}) {
        // Weights, ignored rows and smoothing separately, then all of them together.
        const Tensor weights = form == 1 || form == 3 ? class_weights(n) : Tensor();
        const Tensor targets = classes(rows, n, form >= 2 ? 2 : 0);
        const double smoothing = form >= 1 ? 0.1 * form : 0;
        entropies.samples.push_back(
            {[=](Inputs x) {
               return cross_entropy(
                   x[0], targets,
                   {.weights = weights, .label_smoothing = smoothing, .reduction = reduction});
             },
             {values.uniform(shape, -2, 2)}});
        likelihoods.samples.push_back(
            {[=](Inputs x) {
               return sin(nll(x[0], targets, {.weights = weights, .reduction = reduction}));
             },
             {values.uniform(shape, -2, -0.1)}});
      }
      entropies.samples.push_back(
          {[=](Inputs x) {
             return cross_entropy(
                 x[0], softmax(x[1]),
                 {.weights = class_weights(n), .label_smoothing = 0.2, .reduction = reduction});
           },
           {values.uniform(shape, -2, 2), values.uniform(shape, -2, 2)}});
    }
    entropies.samples.push_back({[=](Inputs x) { return cross_entropy(x[0], x[1]); },
                                 {values.uniform(shape, -2, 2), values.uniform(shape, 0, 1)}});
  }
  const Tensor two = classes({2}, 3);
  entropies.samples.push_back({[=](Inputs x) { return cross_entropy(slice(x[0], 1, 1, 4), two); },
                               {values.uniform({2, 5}, -2, 2)}});
  entropies.samples.push_back(
      {[=](Inputs x) { return cross_entropy(x[0] * x[0], two) * cross_entropy(x[0], two); },
       {values.uniform({2, 3}, -2, 2)}});
  likelihoods.samples.push_back({[=](Inputs x) { return sin(nll(slice(x[0], 1, 1, 4), two)); },
                                 {values.uniform({2, 5}, -2, 2)}});
  likelihoods.samples.push_back(
      {[=](Inputs x) { return nll(log_softmax(x[0]), two); }, {values.uniform({2, 3}, -2, 2)}});
  add_special_scores(entropies, likelihoods);
  table.insert(table.end(), {std::move(entropies), std::move(likelihoods)});
}

using PairLoss = std::function<Tensor(const Tensor&, const Tensor&, Reduction)>;

Operation pair_loss(const char* name, const Draw& left, const Draw& right, const PairLoss& f) {
  Values values(103);
  Operation row{name, {}};
  for (const Shape& shape : {Shape{}, {1}, {0}, {5}, {2, 3}, {2, 1, 3}, {2, 1, 2, 2}}) {
    for (const Reduction reduction : reductions) {
      row.samples.push_back({[=](Inputs x) { return f(x[0], x[1], reduction); },
                             {left(values, shape), right(values, shape)}});
    }
  }
  row.samples.push_back(
      {[=](Inputs x) { return f(slice(x[0], 1, 1, 3), slice(x[1], 1, 0, 2), Reduction::mean); },
       {left(values, {3, 4}), right(values, {3, 2})}});
  row.samples.push_back(
      {[=](Inputs x) { return f(x[0], x[1], Reduction::none) * f(x[0], x[1], Reduction::sum); },
       {left(values, {2, 2}), right(values, {2, 2})}});
  return row;
}

/// The same loss of each pair of inputs, with every reduction.
void add_samples(Operation& row, const PairLoss& f,
                 const std::vector<std::vector<Tensor>>& inputs) {
  for (const std::vector<Tensor>& each : inputs) {
    for (const Reduction reduction : reductions) {
      row.samples.push_back(
          {[=](Inputs x) { return f(x[0], x[each.size() - 1], reduction); }, each});
    }
  }
}

Tensor values_of(const std::vector<double>& values) {
  return Tensor::from<double>({static_cast<std::int64_t>(values.size())}, values);
}

/// Errors of 0 and exactly at a kink, which stay there when the prediction is moved; none is too
/// large for an infinite delta.
void add_special_errors(Table& table) {
  const Tensor x = values_of({0, 1e-300, -0.5, 1e3});
  const auto row = [&](const char* name) -> Operation& {
    return *std::find_if(table.begin(), table.end(),
                         [&](const Operation& each) { return each.name == name; });
  };
  add_samples(row("mse"), [](auto& a, auto& b, Reduction r) { return mse(a, b, r); },
              {{x}, {values_of({0, 0, 1e-300}), values_of({0, 1e-300, 0})}});
  add_samples(row("l1"), [](auto& a, auto& b, Reduction r) { return l1(a, b, r); }, {{x}});
  add_samples(row("huber"), [](auto& a, auto& b, Reduction r) { return huber(a, b, 0.3, r); },
              {{x}});
  for (const double error : {0.5, -0.5}) {
    add_samples(row("huber"),
                [=](auto& a, auto& b, Reduction r) { return huber(a, b + error, 0.5, r); },
                {{values_of({0, 0.25, -1})}});
  }
  add_samples(row("huber"), [](auto& a, auto& b, Reduction r) { return huber(a, b, inf, r); },
              {{values_of({3, -1, 0}), values_of({0, 0, 0})}});
}

/// Logits at 0 and at infinities with the correct sign, for targets that are certain.
void add_special_probabilities(Table& table) {
  const std::vector<Tensor> certain = {values_of({inf, -inf, 0, -0.0, 40, -40}),
                                       values_of({inf, -inf, 0, 3, inf, -inf})};
  for (const bool weighted : {false, true}) {
    Operation row{
        weighted ? "bce_with_logits, weighted, at infinity" : "bce_with_logits at infinity", {}};
    const Tensor weight = weighted ? scalar(2.5, DType::float64) : Tensor();
    const auto f = [=](const Tensor& a, const Tensor& b, Reduction reduction) {
      return bce_with_logits(a, b, {weight, reduction});
    };
    const Tensor x = certain[0];
    const Tensor y = sigmoid(certain[1]);
    add_samples(row, [=](auto& a, auto& b, Reduction r) { return f(a, sigmoid(b), r); },
                {certain, {x, x}});
    add_samples(row, [=](auto& a, auto& b, Reduction r) { return f(-a, sigmoid(-b), r); },
                {certain, {x, x}});
    add_samples(row, [=](auto& a, auto&, Reduction r) { return f(a, y, r); }, {{x}});
    add_samples(row, [=](auto& a, auto&, Reduction r) { return f(x, sigmoid(a), r); },
                {{certain[1]}});
    table.push_back(std::move(row));
  }
  Operation row{"kl_div where p is 0", {}};
  const Tensor x = Tensor::from<double>({2, 3}, {-inf, 0, 1, -inf, -inf, 2});
  const Tensor y = Tensor::from<double>({2, 3}, {-inf, 2, -1, -inf, -inf, 0});
  const Tensor p = softmax(y);
  add_samples(row,
              [](auto& a, auto& b, Reduction r) { return kl_div(log_softmax(a), softmax(b), r); },
              {{x, y}});
  add_samples(row, [=](auto& a, auto&, Reduction r) { return kl_div(log_softmax(a), p, r); },
              {{x}});
  add_samples(row, [=](auto& a, auto&, Reduction r) { return sin(kl_div(a, p, r)); }, {{x}});
  add_samples(row,
              [=](auto& a, auto&, Reduction r) { return kl_div(log_softmax(x), softmax(a), r); },
              {{y}});
  table.push_back(std::move(row));
}

void add_pair_loss_rows(Table& table) {
  table.push_back(pair_loss(
      "mse", uniform(-2, 2), uniform(-2, 2),
      [](const Tensor& a, const Tensor& b, Reduction reduction) { return mse(a, b, reduction); }));
  table.push_back(pair_loss(
      "l1", spread(0.05), spread(),
      [](const Tensor& a, const Tensor& b, Reduction reduction) { return l1(a, b, reduction); }));
  table.push_back(pair_loss("huber", spread(0.05), spread(),
                            [](const Tensor& a, const Tensor& b, Reduction reduction) {
                              return huber(a, b, 0.3, reduction);
                            }));
  table.push_back(pair_loss("bce_with_logits", uniform(-3, 3), uniform(0, 1),
                            [](const Tensor& a, const Tensor& b, Reduction reduction) {
                              return bce_with_logits(a, b, {.reduction = reduction});
                            }));
  table.push_back(
      pair_loss("bce_with_logits, weighted", uniform(-3, 3), uniform(0, 1),
                [](const Tensor& a, const Tensor& b, Reduction reduction) {
                  return bce_with_logits(
                      a, b, {.pos_weight = scalar(2.5, DType::float64), .reduction = reduction});
                }));
  table.push_back(pair_loss("kl_div", uniform(-3, -0.1), uniform(0.1, 1),
                            [](const Tensor& a, const Tensor& b, Reduction reduction) {
                              return kl_div(a, b, reduction);
                            }));
}

}  // namespace

void add_loss_rows(Table& table) {
  add_index_loss_rows(table);
  add_pair_loss_rows(table);
  add_special_errors(table);
  add_special_probabilities(table);
}

}  // namespace rw::testing
