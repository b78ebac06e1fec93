#include <rewind/autograd/losses.hpp>
#include <rewind/autograd/math.hpp>
#include <rewind/autograd/softmax.hpp>
#include <rewind/autograd/views.hpp>

#include "operation_table.hpp"

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;

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
        // Weights, ignored rows and smoothing in turn, then all of them.
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
}

}  // namespace rw::testing
