// Layer normalisation: the operation and the layer.
#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/standardize.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/layer_norm.hpp>

#include "support/messages.hpp"
#include "support/naive_cells.hpp"

using namespace rw;
using namespace rw::testing;

BOOST_AUTO_TEST_CASE(rows_against_plain_loops) {
  Rng rng(1);
  for (const std::int64_t n : {1, 2, 7, 8, 15, 16, 17, 31, 64, 65, 300}) {
    const Tensor wide = rng.normal({3, 2, n + 4}, 5, 2, DType::float64);
    const Tensor x = slice(wide, -1, 3, n + 3);  // rows are not adjacent
    const Tensor y = standardize(x, 0.01);
    const Tensor y32 = standardize(x.to(DType::float32), 0.01);
    for (std::int64_t r = 0; r < 6; ++r) {
      const auto row_of = [&](const Tensor& t) { return select(select(t, 0, r / 2), 0, r % 2); };
      const Row expected = normalised(row_of(x).to_vector<double>(), 0.01);
      const Row got = row_of(y).to_vector<double>();
      const Row rough = row_of(y32).to(DType::float64).to_vector<double>();
      for (std::size_t i = 0; i < expected.size(); ++i) {
        BOOST_TEST(std::abs(got[i] - expected[i]) < 1e-13 * (1 + std::abs(expected[i])));
        BOOST_TEST(std::abs(rough[i] - expected[i]) < 4e-6 * (1 + std::abs(expected[i])));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(float32_gradients_agree_with_float64) {
  Rng rng(2);
  for (const std::int64_t n : {1, 7, 16, 33, 128}) {
    const Tensor x = rng.normal({4, n}, 0, 1);
    const Tensor weights = rng.normal({4, n}, 0, 1);
    const auto gradient = [&](DType dtype) {
      Tape tape;
      const Tensor in = tape.watch(x.to(dtype));
      // Two uses, so that the second accumulates into the first.
      const Tensor loss =
          sum(standardize(in) * weights.to(dtype)) + sum(square(standardize(in, 1)));
      return tape.gradient(loss, {in})[0].to(DType::float64).to_vector<double>();
    };
    const Row rough = gradient(DType::float32);
    const Row fine = gradient(DType::float64);
    for (std::size_t i = 0; i < fine.size(); ++i) {
      BOOST_TEST(std::abs(rough[i] - fine[i]) < 2e-5 * (1 + std::abs(fine[i])));
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_the_layer) {
  Rng rng(3);
  for (const bool bias : {true, false}) {
    LayerNorm layer({.features = 4, .epsilon = 0.1, .bias = bias, .dtype = DType::float64});
    BOOST_TEST(parameters(layer).size() == (bias ? 2U : 1U));
    for (const NamedParameter& entry : parameters(layer)) {
      entry.parameter->assign(rng.normal({4}, 0.5, 1, DType::float64));
    }
    for (const Shape& shape : {Shape{4}, Shape{3, 4}, Shape{2, 2, 4}, Shape{0, 4}}) {
      const auto f = [&](const std::vector<Tensor>& in) { return layer(in[0]); };
      const Tensor x = rng.normal(shape, 0, 1, DType::float64);
      const auto first = gradcheck(f, {x}, parameters(layer));
      BOOST_TEST(first.passed, first.message);
      const auto second = gradgradcheck(f, {x}, parameters(layer));
      BOOST_TEST(second.passed, second.message);
    }
  }
}

BOOST_AUTO_TEST_CASE(third_derivatives) {
  Rng rng(4);
  const Tensor x = rng.normal({2, 3}, 0, 1, DType::float64);
  const auto second = [](const std::vector<Tensor>& in) {
    Tape& tape = *Tape::active();
    const Tensor y = standardize(in[0], 0.2);
    const Tensor first = tape.gradient(sum(y * y * y), {in[0]}, {.create_graph = true})[0];
    return tape.gradient(sum(first * first), {in[0]}, {.create_graph = true})[0];
  };
  Tape tape;
  const Tensor watched = tape.watch(x);
  const Tensor direction = rng.normal({2, 3}, 0, 1, DType::float64);
  const Tensor third = tape.gradient(sum(second({watched}) * direction), {watched})[0];
  const auto loss_at = [&](const Tensor& at) {
    Tape inner;
    return sum(second({inner.watch(at)}) * direction).item();
  };
  const Row analytic = third.to_vector<double>();
  for (std::size_t i = 0; i < analytic.size(); ++i) {
    Row bump(6, 0.0);
    bump[i] = 1e-5;
    const Tensor step = Tensor::from<double>({2, 3}, bump);
    const double numeric = (loss_at(x + step) - loss_at(x - step)) / 2e-5;
    BOOST_TEST(std::abs(analytic[i] - numeric) < 1e-5 * (1 + std::abs(numeric)),
               analytic[i] << " != " << numeric);
  }
}

BOOST_AUTO_TEST_CASE(operations) {
  Rng rng(1);
  LayerNorm layer({.features = 8});
  Tape tape;
  static_cast<void>(layer(rng.normal({3, 8}, 0, 1)));
  BOOST_TEST(tape.operations() == 1);  // x is a constant: only gain and bias have gradients
  static_cast<void>(layer(tape.watch(rng.normal({3, 8}, 0, 1))));
  BOOST_TEST(tape.operations() == 3);
}

BOOST_AUTO_TEST_CASE(special_rows) {
  const Tensor same = standardize(full({2, 5}, 3.7));
  for (const float v : same.to_vector<float>()) {
    BOOST_TEST(v == 0.0F);
  }
  // A large mean costs no digits of the variance.
  std::vector<float> values;
  for (int i = 0; i < 32; ++i) values.push_back(i % 2 == 0 ? 10000.0F : 10001.0F);
  const auto far = standardize(Tensor::from<float>({1, 32}, values), 1e-12).to_vector<float>();
  BOOST_TEST(std::abs(far[0] + 1) < 1e-3);
  BOOST_TEST(std::abs(far[1] - 1) < 1e-3);
  // Squares that overflow do not make a row zero.
  const auto wide = standardize(Tensor::from<float>({1, 4}, {1e30F, -1e30F, 3e30F, 1e30F}));
  const auto narrow = standardize(Tensor::from<float>({1, 4}, {1, -1, 3, 1}), 1e-30);
  const auto largest = standardize(Tensor::from<double>({1, 2}, {-1e308, 0.5e308}));
  for (std::size_t i = 0; i < 4; ++i) {
    BOOST_TEST(std::abs(wide.to_vector<float>()[i] - narrow.to_vector<float>()[i]) < 1e-6);
  }
  BOOST_TEST(std::abs(largest.to_vector<double>()[0] + 1) < 1e-12);
  BOOST_TEST(std::abs(largest.to_vector<double>()[1] - 1) < 1e-12);
  const float top = std::numeric_limits<float>::max();
  const auto same_top = standardize(full({1, 40}, static_cast<double>(top))).to_vector<float>();
  BOOST_TEST(same_top[0] == 0.0F);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float v : standardize(Tensor::from<float>({1, 2}, {infinity, 1})).to_vector<float>()) {
    BOOST_TEST(std::isnan(v));
  }
  // A NaN fills its own row and no other row.
  Tensor x = ones({2, 3});
  x.mutable_data<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  const auto y = standardize(x).to_vector<float>();
  BOOST_TEST((std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2])));
  BOOST_TEST(y[3] == 0.0F);
  BOOST_TEST((standardize(zeros({3, 0})).shape() == Shape{3, 0}));
}

BOOST_AUTO_TEST_CASE(wrong_calls_are_told) {
  const LayerNorm layer({.features = 4});
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(layer(zeros({2, 7})));
      },
      "layer_norm: input has 7 features, expected 4 (x is [2, 7])");
  check_throws<UsageError>([] { LayerNorm({.features = 4, .epsilon = 0}); },
                           "layer_norm: epsilon is 0");
  check_throws<UsageError>([] { static_cast<void>(standardize(zeros({3}), -1)); },
                           "standardize: epsilon is -1");
  check_throws<UsageError>([] { static_cast<void>(standardize(zeros({3}, DType::int64))); },
                           "standardize: got an int64 tensor");
  check_throws<ShapeError>([] { static_cast<void>(standardize(scalar(1))); },
                           "standardize: x has no axis");
}
