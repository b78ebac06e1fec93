// Softmax and its logarithm against a long-double reference, and their edge cases.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "support/as_columns.hpp"
#include "support/closeness.hpp"
#include "support/loss_reference.hpp"
#include "support/numbers.hpp"
#include "support/random_tensors.hpp"

namespace {

using namespace rw::testing;
using namespace rw::testing::extremes;
using rw::DType;
using rw::Shape;
using rw::Tensor;

}  // namespace

BOOST_AUTO_TEST_SUITE(softmax)

BOOST_AUTO_TEST_CASE(values_match_the_reference) {
  for (const Shape& shape : {Shape{1}, Shape{5}, Shape{16}, Shape{40}, Shape{1000}, Shape{3, 1},
                             Shape{7, 10}, Shape{4, 33}, Shape{2, 3, 129}, Shape{2, 1, 3, 2, 17}}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Tensor dense = random_tensor(shape, 3, -20, 20).to(dtype);
      Numbers expected = log_softmax_rows(dense);
      for (const Tensor& x : {dense, as_columns(dense)}) {
        check_close(rw::log_softmax(x), expected, tolerance_of(x));
      }
      for (double& v : expected) {
        v = std::exp(v);
      }
      for (const Tensor& x : {dense, as_columns(dense)}) {
        const Tensor y = rw::softmax(x);
        check_close(y, expected, tolerance_of(x));
        for (const double total : numbers(rw::sum(y.to(DType::float64), {-1}))) {
          BOOST_CHECK_SMALL(total - 1, 1e-6);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(any_axis) {
  const Tensor x = random_tensor(Shape{3, 4, 5});
  for (int axis = 0; axis < 3; ++axis) {
    const Tensor moved = rw::contiguous(rw::transpose(x, axis, -1));
    const Tensor expected = rw::contiguous(rw::transpose(rw::softmax(moved), axis, -1));
    check_close(rw::softmax(x, axis), numbers(expected), 0);
    check_close(rw::softmax(x, axis - 3), numbers(expected), 0);
    check_close(rw::exp(rw::log_softmax(x, axis)), numbers(expected), 1e-6);
  }
  BOOST_CHECK_THROW(rw::softmax(x, 3), rw::ShapeError);
  BOOST_CHECK_THROW(rw::softmax(rw::scalar(1.0)), rw::ShapeError);
  BOOST_CHECK_THROW(rw::softmax(rw::arange(3)), rw::UsageError);
  BOOST_CHECK(rw::softmax(rw::zeros(Shape{0, 4})).shape() == (Shape{0, 4}));
  BOOST_CHECK(rw::log_softmax(rw::zeros(Shape{4, 0})).shape() == (Shape{4, 0}));
}

BOOST_AUTO_TEST_CASE(rows_with_nan_or_no_winner_are_nan) {
  for (const Size n : {1, 2, 15, 16, 17, 40, 100}) {
    for (const Size at : {Size{0}, n / 2, n - 1}) {
      std::vector<float> values(static_cast<std::size_t>(n), 0.5f);
      values[static_cast<std::size_t>(at)] = nan_value;
      BOOST_CHECK(all_nan(rw::softmax(vector_of<float>(values))));
      BOOST_CHECK(all_nan(rw::log_softmax(vector_of<float>(values))));
      values[static_cast<std::size_t>(at)] = infinity;
      BOOST_CHECK(all_nan(rw::softmax(vector_of<float>(values))));
    }
    const Tensor none = rw::full(Shape{n}, -INFINITY);
    BOOST_CHECK(all_nan(rw::softmax(none)));
    BOOST_CHECK(all_nan(rw::log_softmax(none)));
  }
  // The other rows are not affected.
  const Tensor x = Tensor::from<float>(Shape{2, 2}, {nan_value, 0, 0, 0});
  check_values(rw::slice(rw::softmax(x), 0, 1, 2), {0.5f, 0.5f});
}

BOOST_AUTO_TEST_CASE(extreme_rows) {
  check_values(rw::softmax(vector_of<float>({1e38f, 1e38f, -1e38f, 0})), {0.5f, 0.5f, 0, 0});
  check_values(rw::softmax(vector_of<float>({largest, -largest})), {1, 0});
  check_values(rw::softmax(vector_of<float>({-infinity, 3, -infinity})), {0, 1, 0});
  check_values(rw::log_softmax(vector_of<float>({-infinity, 3, -infinity})),
               {-infinity, 0, -infinity});
  check_values(rw::log_softmax(vector_of<float>({1e4f, 0})), {0, -1e4f});
  for (const double v : numbers(rw::log_softmax(random_tensor(Shape{200, 30}, 9, -50, 50)))) {
    BOOST_CHECK_LE(v, 0.0);
  }
}

BOOST_AUTO_TEST_CASE(gradients_match_the_formula) {
  for (const Shape& shape : {Shape{5}, Shape{3, 40}, Shape{2, 3, 17}}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Tensor x = as_columns(random_tensor(shape).to(dtype));
      const Tensor g = random_tensor(shape, 5).to(dtype);
      const Tensor y = rw::softmax(x);
      const Numbers soft = numbers(y * (g - rw::sum(g * y, {-1}, true)));
      const Numbers log_soft = numbers(g - y * rw::sum(g, {-1}, true));
      const GradientPair a = gradients_of(x, [](const Tensor& v) { return rw::softmax(v); });
      check_close(a.now, soft, tolerance_of(x));
      check_close(a.recorded, soft, tolerance_of(x));
      const GradientPair b = gradients_of(x, [](const Tensor& v) { return rw::log_softmax(v); });
      check_close(b.now, log_soft, tolerance_of(x));
      check_close(b.recorded, log_soft, tolerance_of(x));
      // If another gradient has been written first, these accumulate.
      const GradientPair c =
          gradients_of(x, [](const Tensor& v) { return rw::softmax(v) + rw::log_softmax(v) + v; });
      Numbers both = numbers(g);
      for (std::size_t i = 0; i < both.size(); ++i) {
        both[i] += soft[i] + log_soft[i];
      }
      check_close(c.now, both, 2 * tolerance_of(x));
      check_close(c.recorded, both, 2 * tolerance_of(x));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
