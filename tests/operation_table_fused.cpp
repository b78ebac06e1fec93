#include <limits>
#include <tuple>

#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "operation_table.hpp"

// Formulas with several arguments and outputs, as cells use them.

namespace rw::testing {
namespace {

using Inputs = const std::vector<Tensor>&;

std::array<Tensor, 2> lstm_gates(const Tensor& i, const Tensor& f, const Tensor& g, const Tensor& o,
                                 const Tensor& c) {
  return fuse(
      [](auto i_, auto f_, auto g_, auto o_, auto c_) {
        const auto next = sigmoid(f_) * c_ + sigmoid(i_) * tanh(g_);
        return std::tuple{sigmoid(o_) * tanh(next), next};
      },
      i, f, g, o, c);
}

Operation lstm() {
  Values values(43);
  Operation row{"fuse: lstm gates", {}};
  // Both outputs, then each alone; then gates that are views of one base.
  for (const Shape& shape : {Shape{}, {1}, {3}, {2, 3}, {0, 2}, {2, 1, 2}}) {
    std::vector<Tensor> inputs;
    for (int i = 0; i < 5; ++i) {
      inputs.push_back(values.uniform(shape, -1.5, 1.5));
    }
    row.samples.push_back({[](Inputs x) {
                             const auto [h, c] = lstm_gates(x[0], x[1], x[2], x[3], x[4]);
                             return h * c + 0.5 * h;
                           },
                           inputs});
  }
  std::vector<Tensor> inputs;
  for (int i = 0; i < 5; ++i) {
    inputs.push_back(values.uniform({2, 2}, -1.5, 1.5));
  }
  for (const std::size_t output : {0U, 1U}) {
    row.samples.push_back(
        {[=](Inputs x) { return lstm_gates(x[0], x[1], x[2], x[3], x[4])[output]; }, inputs});
  }
  for (const std::int64_t hidden : {1, 3, 17}) {
    row.samples.push_back(
        {[](Inputs x) {
           const auto [i, f, g, o] = split<4>(x[0]);
           const auto [h, c] = lstm_gates(i, f, g, o, x[1]);
           return h + 0.7 * c;
         },
         {values.uniform({2, 4 * hidden}, -1.5, 1.5), values.uniform({2, hidden}, -1.5, 1.5)}});
  }
  row.samples.push_back({[](Inputs x) {
                           // Two steps; the hidden state of the first is not used.
                           const auto [i, f, g, o] = split<4>(x[0]);
                           const auto [h, c] = lstm_gates(i, f, g, o, x[1]);
                           return lstm_gates(o, g, f, i, c)[0];
                         },
                         {values.uniform({2, 8}, -1.5, 1.5), values.uniform({2, 2}, -1.5, 1.5)}});
  return row;
}

Tensor gru_gates(const Tensor& projected, const Tensor& recurrent, const Tensor& bias,
                 const Tensor& h) {
  const auto [xr, xz, xn] = split<3>(projected);
  const auto [hr, hz, hn] = split<3>(recurrent);
  return fuse(
      [](auto xr_, auto xz_, auto xn_, auto hr_, auto hz_, auto hn_, auto b_, auto h_) {
        const auto z = sigmoid(xz_ + hz_);
        const auto n = tanh(xn_ + sigmoid(xr_ + hr_) * (hn_ + b_));
        return n + z * (h_ - n);
      },
      xr, xz, xn, hr, hz, hn, bias, h);
}

Operation gru() {
  Values values(47);
  Operation row{"fuse: gru gates", {}};
  // The bias is one row, one number, one column, or of the state's shape.
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{2, 3}, {3}},   {{2, 3}, {}},  {{2, 3}, {2, 1}}, {{2, 3}, {2, 3}},
      {{1, 2}, {2}},   {{3, 1}, {1}}, {{4}, {4}},       {{2, 2, 2}, {2}},
      {{2, 17}, {17}}, {{0, 2}, {2}}, {{2, 0}, {0}},    {{2, 2, 1}, {2, 1}},
  };
  for (const auto& [state, bias] : shapes) {
    const Shape gates = state.with(-1, 3 * state[-1]);
    row.samples.push_back({[](Inputs x) { return gru_gates(x[0], x[1], x[2], x[3]); },
                           {values.uniform(gates, -1.5, 1.5), values.uniform(gates, -1.5, 1.5),
                            values.uniform(bias, -1, 1), values.uniform(state, -1, 1)}});
  }
  return row;
}

Operation with_scalars() {
  Values values(53);
  Operation row{"fuse: numbers", {}};
  const std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}},         {{3}, {3}},          {{2, 3}, {3}}, {{3}, {2, 3}},
      {{2, 1}, {1, 3}}, {{2, 3}, {2, 1}},    {{0}, {1}},    {{1}, {17}},
      {{2, 0}, {0}},    {{2, 2, 2}, {2, 1}}, {{}, {2, 2}},  {{2, 2}, {}},
  };
  double k = -1.3;
  for (const auto& [a, b] : shapes) {
    k += 0.4;
    row.samples.push_back({[k](Inputs x) {
                             return fuse(
                                 [](auto a_, auto s, auto b_, auto t) {
                                   return tanh(s * a_ + t) * exp(-b_ * b_) + t * b_;
                                 },
                                 x[0], k, x[1], 0.6);
                           },
                           {values.uniform(a, -1, 1), values.uniform(b, -1, 1)}});
  }
  return row;
}

Operation partly_used() {
  Values values(59);
  Operation row{"fuse: outputs and arguments partly used", {}};
  const auto f = [](Inputs x) {
    return fuse(
        [](auto a, auto b, auto unused) {
          const auto product = a * b;
          static_cast<void>(unused);
          // A plain argument, a repeated value and a constant are outputs too.
          return std::tuple{product, a, sin(product), product, where(a > 3, 1, 0) + 2};
        },
        x[0], x[1], x[2]);
  };
  const std::vector<Shape> shapes = {{2, 3}, {}, {0}};
  for (const Shape& shape : shapes) {
    for (const std::size_t output : {0U, 1U, 2U, 3U}) {
      row.samples.push_back({[=](Inputs x) { return f(x)[output]; },
                             {values.uniform(shape, -1, 1), values.uniform({1}, -1, 1),
                              values.uniform(shape, -1, 1)}});
    }
  }
  row.samples.push_back(
      {[=](Inputs x) {
         const auto y = f(x);
         return y[0] * y[1] + y[2] * y[3] + y[4] * y[4];
       },
       {values.uniform({2, 3}, -1, 1), values.uniform({3}, -1, 1), values.uniform({2, 1}, -1, 1)}});
  return row;
}

/// The branch that a `where` does not take has gradient 0, an infinite gradient, or is NaN.
Operation branches() {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
  Operation row{"fuse: branches not taken", {}};
  const auto add = [&](const TensorFunction& f, std::vector<Tensor> inputs) {
    row.samples.push_back({f, std::move(inputs)});
  };
  const auto vector = [](const std::vector<double>& x) {
    return Tensor::from<double>({static_cast<std::int64_t>(x.size())}, x);
  };
  const TensorFunction root = [](Inputs x) {
    return fuse([](auto v) { return where(v > 0, sqrt(v), 0); }, x[0]);
  };
  add(root, {vector({-1, 0.25, 4, -1e300, -infinity})});
  add(root, {scalar(-0.5, DType::float64)});
  add(root, {zeros({0, 3}, DType::float64)});
  add([](Inputs x) { return fuse([](auto v) { return where(v <= 0, exp(v), 1 + v); }, x[0]); },
      {vector({1000, -1, 2, -1000, -infinity})});
  add([](Inputs x) { return fuse([](auto v) { return where(v > 0, log(v), -log(-v)); }, x[0]); },
      {vector({2, -3, 0.5, -0.25})});
  add(
      [](Inputs x) {
        return fuse(
            [](auto v, auto k) {
              return where(v > 0, where(log(v) < 0.5, log(v) * k, k / v), k * k);
            },
            x[0], x[1]);
      },
      {Tensor::from<double>({3, 2}, {1, 2, -1, -infinity, 0.5, 9}), vector({0.7, -1.2})});
  add(
      [](Inputs x) {
        // The condition reads a variable by which only one branch is differentiated.
        return fuse([](auto v) { return where(log(v) > -1, sqrt(log(v) + 1), 0); }, x[0]);
      },
      {vector({2, 0.2, 0.9, 1e-300})});
  add(
      [](Inputs x) {
        return fuse([](auto a, auto b) { return where(not_equal(b, 1), a / (b - 1), a * b); }, x[0],
                    x[1]);
      },
      {Tensor::from<double>({2, 1}, {0.5, -2}), vector({0.5, 3, -1})});
  add(
      [](Inputs x) {
        return fuse([](auto m, auto v, auto k) { return where(m, v * v * k, tanh(k)); },
                    Tensor::from<double>({4}, {1, 0, 0, 1}), x[0], x[1]);
      },
      {vector({2, nan_value, infinity, -1}), scalar(0.6, DType::float64)});
  add(
      [](Inputs x) {
        // One term in the branches of two conditions and in the results: with two guards, and with
        // none.
        const auto y = fuse(
            [](auto v, auto w) {
              const auto root_of = sqrt(abs(v));
              const auto product = v * w;
              return std::tuple{where(v > 0, root_of * product, product),
                                where(w > 0, root_of, 1) * where(w < 0, product, 2), product};
            },
            x[0], x[1]);
        return y[0] * y[1] + y[2];
      },
      {vector({2, -3, 0.5, -0.25}), vector({0.5, 1.5, -2, -0.7})});
  add(
      [](Inputs x) {
        return fuse([](auto v, auto w) { return where(v > 0, pow(v, w), w * w); }, x[0], x[1]);
      },
      {vector({-2, 2, -infinity, 0.5}), vector({0.5, 0, 1.5, -2})});
  add(
      [](Inputs x) {
        return fuse([](auto v, auto k) { return where(v < 0, expm1(v * v * k), log1p(v)); }, x[0],
                    100.0);
      },
      {vector({-0.1, 30, 0.5, -0.05})});
  return row;
}

}  // namespace

void add_fused_rows(Table& table) {
  table.push_back(lstm());
  table.push_back(gru());
  table.push_back(with_scalars());
  table.push_back(partly_used());
  table.push_back(branches());
}

}  // namespace rw::testing
