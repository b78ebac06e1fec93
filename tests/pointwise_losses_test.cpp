// Losses of single elements against their formulas, and their edge cases.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "support/as_columns.hpp"
#include "support/closeness.hpp"
#include "support/gradient_of.hpp"
#include "support/loss_reference.hpp"
#include "support/messages.hpp"
#include "support/numbers.hpp"
#include "support/random_tensors.hpp"

namespace {

using namespace rw::testing;
using namespace rw::testing::extremes;
using rw::DType;
using rw::Reduction;
using rw::Shape;
using rw::Tensor;

}  // namespace

BOOST_AUTO_TEST_SUITE(pointwise_losses)

BOOST_AUTO_TEST_CASE(values_match_the_reference) {
  struct Case {
    Tensor (*run)(const Tensor&, const Tensor&, Reduction);
    double (*term)(double x, double y);
    bool targets_are_probabilities;
  };
  const std::array<Case, 5> cases = {{
      {rw::mse, [](double x, double y) { return (x - y) * (x - y); }, false},
      {rw::l1, [](double x, double y) { return std::abs(x - y); }, false},
      {[](const Tensor& x, const Tensor& y, Reduction r) { return rw::huber(x, y, 0.7, r); },
       [](double x, double y) {
         const double e = std::abs(x - y);
         return e <= 0.7 ? e * e / 2 : 0.7 * (e - 0.35);
       },
       false},
      {[](const Tensor& x, const Tensor& y, Reduction r) {
         return rw::bce_with_logits(x, y, {.reduction = r});
       },
       [](double x, double y) {
         return std::max(x, 0.0) - x * y + std::log1p(std::exp(-std::abs(x)));
       },
       true},
      {rw::kl_div, [](double x, double y) { return y * (std::log(y) - x); }, true},
  }};
  for (const Case& test : cases) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{7, 5}, Shape{3, 4, 33}, Shape{200, 64}}) {
      for (const DType dtype : {DType::float32, DType::float64}) {
        const Tensor x = random_tensor(shape, 1).to(dtype);
        const Tensor y = (test.targets_are_probabilities ? random_tensor(shape, 2, 0.01f, 1)
                                                         : random_tensor(shape, 2))
                             .to(dtype);
        Numbers expected = numbers(x);
        const Numbers other = numbers(y);
        double total = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
          expected[i] = test.term(expected[i], other[i]);
          total += expected[i];
        }
        for (const Tensor& from : {x, shape.rank() > 0 ? as_columns(x) : x}) {
          check_close(test.run(from, y, Reduction::none), expected, tolerance_of(x));
          check_close(test.run(from, y, Reduction::sum), {total}, tolerance_of(x));
          check_close(test.run(from, y, Reduction::mean),
                      {total / static_cast<double>(shape.elements())}, tolerance_of(x));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(means_of_many_terms_keep_their_digits) {
  const Tensor x = rw::full(Shape{2'000'000}, 0.1);
  const double exact = static_cast<double>(0.1f);
  BOOST_CHECK_SMALL(rw::l1(x, rw::zeros_like(x)).item() / exact - 1, 1e-6);
  BOOST_CHECK_SMALL(rw::l1(x, rw::zeros_like(x), Reduction::sum).item() / (2e6 * exact) - 1, 1e-6);
}

BOOST_AUTO_TEST_CASE(extreme_logits) {
  const Tensor x = vector_of<float>({1e4f, -1e4f, 1e4f, -1e4f, largest, -largest, 20, -20, 0});
  const Tensor y = vector_of<float>({1, 0, 0, 1, 1, 0, 1, 0, 0});
  const Tensor each = rw::bce_with_logits(x, y, {.reduction = Reduction::none});
  const float tiny = std::log1p(std::exp(-20.0f));
  BOOST_CHECK(all_finite(each));
  check_close(
      each,
      {0, 0, 1e4, 1e4, 0, 0, static_cast<double>(tiny), static_cast<double>(tiny), std::log(2.0)},
      1e-6);
  // log1p(e^-20) is not lost, whichever sign comes first.
  BOOST_CHECK_CLOSE(numbers(each)[6], 2.0611536e-9, 1e-3);
  BOOST_CHECK_CLOSE(numbers(each)[7], 2.0611536e-9, 1e-3);
  const Tensor slope = gradient_of(x, [&](const Tensor& v) {
    return rw::bce_with_logits(v, y, {.reduction = Reduction::none});
  });
  check_close(slope, {0, 0, 1, -1, 0, 0, -2.0611536e-9, 2.0611536e-9, 0.5}, 1e-6);
  for (const double v : numbers(slope)) {
    BOOST_CHECK_LE(std::abs(v), 1.0);
  }
  BOOST_CHECK(
      std::isnan(rw::bce_with_logits(vector_of<float>({nan_value}), vector_of<float>({0})).item()));
}

BOOST_AUTO_TEST_CASE(positive_weight) {
  const Tensor x = vector_of<float>({-2, -0.5f, 0, 0.5f, 2, 1e4f, -1e4f}).to(DType::float64);
  const Tensor y = vector_of<float>({1, 0.25f, 1, 0.5f, 0, 1, 0}).to(DType::float64);
  const Tensor w = vector_of<float>({1, 2, 3, 4, 5, 6, 7}).to(DType::float64);
  Numbers expected, slope;
  for (std::size_t i = 0; i < 7; ++i) {
    const double v = numbers(x)[i], t = numbers(y)[i], k = numbers(w)[i];
    const auto softplus = [](double z) {
      return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)));
    };
    expected.push_back(k * t * softplus(-v) + (1 - t) * softplus(v));
    slope.push_back(-k * t / (1 + std::exp(v)) + (1 - t) / (1 + std::exp(-v)));
  }
  const auto loss = [&](const Tensor& v) {
    return rw::bce_with_logits(v, y, {.pos_weight = w, .reduction = Reduction::none});
  };
  check_close(loss(x), expected, 1e-13);
  check_close(gradient_of(x, loss), slope, 1e-13);
  const Tensor rows = rw::reshape(x, Shape{7, 1});
  BOOST_CHECK_THROW(rw::bce_with_logits(rows, rw::reshape(y, Shape{7, 1}), {.pos_weight = w}),
                    rw::ShapeError);
}

BOOST_AUTO_TEST_CASE(kl_div_of_zero_probability) {
  const Tensor p = vector_of<float>({0, 0.5f, 0.5f, 0});
  const Tensor log_q = vector_of<float>({-infinity, std::log(0.25f), std::log(0.5f), -1});
  const Tensor each = rw::kl_div(log_q, p, Reduction::none);
  check_close(each, {0, 0.5 * std::log(2.0), 0, 0}, 1e-6);
  check_close(gradient_of(log_q, [&](const Tensor& v) { return rw::kl_div(v, p, Reduction::sum); }),
              {0, -0.5, -0.5, 0}, 1e-7);
  check_close(gradient_of(p, [&](const Tensor& v) { return rw::kl_div(log_q, v, Reduction::sum); }),
              {0, std::log(2.0) + 1, 1, 0}, 1e-6);
  BOOST_CHECK(std::isnan(rw::kl_div(log_q, vector_of<float>({nan_value, 1, 0, 0})).item()));
}

BOOST_AUTO_TEST_CASE(slopes_at_the_joints) {
  const Tensor zero = vector_of<float>({0, 0, 0});
  const Tensor x = vector_of<float>({0, 1, -3});
  check_values(gradient_of(x, [&](const Tensor& v) { return rw::l1(v, zero, Reduction::sum); }),
               {0, 1, -1});
  check_values(
      gradient_of(x, [&](const Tensor& v) { return rw::huber(v, zero, 1.0, Reduction::sum); }),
      {0, 1, -1});
  check_values(gradient_of(x, [&](const Tensor& v) { return rw::mse(v, zero); }),
               {0, 2.0f / 3, -2});
}

BOOST_AUTO_TEST_CASE(wrong_calls_say_what_is_wrong) {
  const Tensor x = rw::zeros(Shape{4, 1});
  const Tensor y = rw::zeros(Shape{4});
  BOOST_CHECK_EXCEPTION(rw::mse(x, y), rw::ShapeError,
                        says("mse: the prediction is [4, 1], the target [4]"));
  BOOST_CHECK_EXCEPTION(rw::l1(x, y), rw::ShapeError, says("l1"));
  BOOST_CHECK_EXCEPTION(rw::huber(x, y), rw::ShapeError, says("huber"));
  BOOST_CHECK_EXCEPTION(rw::bce_with_logits(x, y), rw::ShapeError, says("bce_with_logits"));
  BOOST_CHECK_EXCEPTION(rw::kl_div(x, y), rw::ShapeError, says("kl_div"));
  BOOST_CHECK_THROW(rw::huber(x, x, 0.0), rw::UsageError);
  BOOST_CHECK_THROW(rw::huber(x, x, std::nan("")), rw::UsageError);
  BOOST_CHECK_THROW(rw::mse(x, rw::zeros(Shape{4, 1}, DType::float64)), rw::UsageError);
}

BOOST_AUTO_TEST_SUITE_END()
