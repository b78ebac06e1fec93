// The float32 products against the float64 reference, element by element.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/kernels/products.hpp>

#include "support/messages.hpp"

namespace {

using rw::kernels::MatrixBatch;
using rw::kernels::MatrixView;
using rw::kernels::multiply;
using rw::kernels::multiply_batched;
using Size = std::int64_t;

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr double epsilon = std::numeric_limits<float>::epsilon();

/// The same random numbers in three forms, from which every test takes its matrices.
struct Numbers {
  std::vector<float> single;
  std::vector<double> exact;
  std::vector<double> magnitude;

  explicit Numbers(std::size_t count) {
    std::mt19937 engine(1);
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    for (std::size_t i = 0; i < count; ++i) {
      single.push_back(uniform(engine));
      exact.push_back(single.back());
      magnitude.push_back(std::abs(exact.back()));
    }
  }

  /// Where right matrices begin, so that they share no numbers with the left ones.
  static constexpr Size half = Size{1} << 20;

  static const Numbers& instance() {
    static const Numbers numbers(static_cast<std::size_t>(half + half / 2));
    return numbers;
  }
};

struct Operand {
  Size offset;
  Size rows;
  Size cols;
  Size stride;
  bool transposed;
  Size distance = 0;

  template <class T>
  MatrixBatch<T> in(const std::vector<T>& numbers) const {
    return {{numbers.data() + offset, rows, cols, stride, transposed}, distance};
  }
};

struct Case {
  Operand a;
  Operand b;
  Size m, n, k;
  Size batch;
  Size c_stride;
  Size c_distance;
  bool accumulate;
  bool batched;

  std::string describe() const {
    return fmt::format(
        "{} x [{}, {}] x [{}, {}], a {}, b {}, strides {} {} {}, distances {} {} {}, accumulate {}",
        batch, m, k, k, n, a.transposed ? "T" : "N", b.transposed ? "T" : "N", a.stride, b.stride,
        c_stride, a.distance, b.distance, c_distance, accumulate);
  }
};

template <class T>
void run(const Case& test, const std::vector<T>& numbers, T* c) {
  const auto a = test.a.in(numbers);
  const auto b = test.b.in(numbers);
  if (test.batched) {
    multiply_batched(a, b, test.batch, c, test.c_stride, test.c_distance, test.accumulate);
  } else {
    multiply(a.first, b.first, c, test.c_stride, test.accumulate);
  }
}

/// The worst error in units of its bound, 4 eps (sum |a| |b| + |c|). Infinity if an element outside
/// the result was changed. The result starts as NaN unless the product accumulates.
double worst_error(const Case& test) {
  const Numbers& numbers = Numbers::instance();
  const auto count = static_cast<std::size_t>(
      (std::max<Size>(test.batch, 1) - 1) * test.c_distance + test.m * test.c_stride + test.n + 1);
  std::vector<char> inside(count, 0);
  for (Size item = 0; item < test.batch; ++item) {
    for (Size i = 0; i < test.m; ++i) {
      for (Size j = 0; j < test.n; ++j) {
        inside[static_cast<std::size_t>(item * test.c_distance + i * test.c_stride + j)] = 1;
      }
    }
  }
  constexpr float canary = 7.0f;
  std::vector<float> single(count, canary);
  for (std::size_t i = 0; i < count; ++i) {
    if (inside[i]) single[i] = test.accumulate ? numbers.single[i] : nan_value;
  }
  std::vector<double> exact(single.begin(), single.end());
  std::vector<double> bound(count);
  std::transform(exact.begin(), exact.end(), bound.begin(), [](double x) { return std::abs(x); });
  run(test, numbers.single, single.data());
  run(test, numbers.exact, exact.data());
  run(test, numbers.magnitude, bound.data());
  double worst = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (inside[i]) {
      const double error = std::abs(static_cast<double>(single[i]) - exact[i]);
      const double ratio = error == 0 ? 0 : error / (4 * epsilon * bound[i]);
      worst = std::isnan(ratio) ? infinity : std::max(worst, ratio);
    } else if (single[i] != canary) {
      worst = infinity;
    }
  }
  return worst;
}

void expect_accurate(const Case& test) {
  const double worst = worst_error(test);
  const bool accurate = worst <= 1;
  // Described only on failure: formatting every case would take longer than running it.
  BOOST_CHECK_MESSAGE(accurate, (accurate ? std::string() : test.describe())
                                    << ": " << worst << " times the bound");
}

Case plain_case(Size m, Size n, Size k, bool a_transposed, bool b_transposed, Size extra_columns,
                bool accumulate) {
  const Size a_rows = a_transposed ? k : m;
  const Size a_cols = a_transposed ? m : k;
  const Size b_rows = b_transposed ? n : k;
  const Size b_cols = b_transposed ? k : n;
  const auto stride = [&](Size cols) { return std::max<Size>(1, cols + extra_columns); };
  return {{extra_columns, a_rows, a_cols, stride(a_cols), a_transposed},
          {Numbers::half + extra_columns, b_rows, b_cols, stride(b_cols), b_transposed},
          m,
          n,
          k,
          1,
          stride(n),
          0,
          accumulate,
          false};
}

constexpr std::array sizes = {0, 1, 2, 7, 15, 16, 17, 31, 33, 64, 65, 128};

/// Products that together use every path inside: tiny, sgemm, primitive, each orientation.
const std::vector<Case>& cases_of_each_way() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (const auto& [m, n, k] : std::vector<std::array<Size, 3>>{
             {3, 5, 4}, {4, 16, 8}, {1, 130, 140}, {20, 48, 40}, {130, 70, 300}, {600, 20, 33}}) {
      for (int flags = 0; flags < 4; ++flags) {
        all.push_back(plain_case(m, n, k, flags & 1, flags & 2, 3, false));
        Case batched = all.back();
        batched.batched = true;
        batched.batch = 3;
        batched.a.distance = batched.a.rows * batched.a.stride;
        batched.b.distance = batched.b.rows * batched.b.stride;
        batched.c_distance = batched.m * batched.c_stride;
        all.push_back(batched);
      }
    }
    return all;
  }();
  return cases;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(products)

BOOST_AUTO_TEST_CASE(agrees_with_the_reference_at_all_sizes_and_orientations) {
  int count = 0;
  for (const Size m : sizes) {
    for (const Size n : sizes) {
      for (const Size k : sizes) {
        for (int flags = 0; flags < 4; ++flags, ++count) {
          const Size extra = count % 3 == 0 ? 0 : count % 3 * 4 - 3;
          expect_accurate(plain_case(m, n, k, flags & 1, flags & 2, extra, count % 5 < 2));
        }
      }
    }
  }
  BOOST_TEST(count >= 6900);
}

BOOST_AUTO_TEST_CASE(agrees_with_the_reference_for_long_sums) {
  int count = 0;
  for (const Size m : {1, 16, 64, 130}) {
    for (const Size n : {1, 17, 96}) {
      for (const Size k : {1000, 2048, 4096}) {
        for (int flags = 0; flags < 4; ++flags, ++count) {
          expect_accurate(plain_case(m, n, k, flags & 1, flags & 2, count % 2 * 5, count % 3 == 0));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(agrees_with_the_reference_in_batches) {
  enum Layout {
    consecutive,
    gaps,
    one_left,
    one_right,
    one_right_result_with_gaps,
    side_by_side,
    overlapping_inputs
  };
  int count = 0;
  for (const Size batch : {0, 1, 2, 9}) {
    for (const Size m : {0, 1, 7, 16, 33}) {
      for (const Size n : {0, 1, 16, 33}) {
        for (const Size k : {0, 1, 7, 64}) {
          for (int flags = 0; flags < 4; ++flags) {
            for (const Layout layout :
                 {consecutive, gaps, one_left, one_right, one_right_result_with_gaps, side_by_side,
                  overlapping_inputs}) {
              Case test = plain_case(m, n, k, flags & 1, flags & 2, 0, ++count % 3 == 0);
              test.batched = true;
              test.batch = batch;
              const auto place = [&](Size rows, Size cols, Size& stride, Size& distance) {
                if (layout == side_by_side) {
                  distance = cols;
                  stride = std::max<Size>(1, std::max<Size>(1, batch) * cols);
                } else {
                  const Size gap = layout == gaps ? 3 : 0;
                  stride += gap;
                  distance = rows * stride + gap;
                }
              };
              place(test.a.rows, test.a.cols, test.a.stride, test.a.distance);
              place(test.b.rows, test.b.cols, test.b.stride, test.b.distance);
              place(m, n, test.c_stride, test.c_distance);
              if (layout == one_right_result_with_gaps) test.c_distance += 3;
              if (layout == one_left) test.a.distance = 0;
              if (layout == one_right || layout == one_right_result_with_gaps) test.b.distance = 0;
              if (layout == overlapping_inputs) test.a.distance = test.b.distance = 1;
              expect_accurate(test);
            }
          }
        }
      }
    }
  }
  BOOST_TEST(count == 4 * 5 * 4 * 4 * 4 * 7);
}

// oneDNN 2.6.3 leaves part of such results unwritten, with three threads or more.
BOOST_AUTO_TEST_CASE(batches_with_long_sums_are_complete) {
  for (const Size m : {2, 16, 64, 120}) {
    for (const Size k : {2048, 4096}) {
      for (int flags = 0; flags < 4; ++flags) {
        Case test = plain_case(m, 40, k, flags & 1, flags & 2, 0, false);
        test.batched = true;
        test.batch = 2;
        test.a.distance = test.a.rows * test.a.stride;
        test.b.distance = test.b.rows * test.b.stride;
        test.c_distance = test.m * test.c_stride;
        expect_accurate(test);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_empty_sum_is_zero_and_adds_nothing) {
  std::vector<float> c(12, nan_value);
  const MatrixView<float> a{nullptr, 3, 0, 1};
  const MatrixView<float> b{nullptr, 0, 4, 4};
  multiply(a, b, c.data(), 4, false);
  BOOST_TEST(c == std::vector<float>(12, 0.0f), boost::test_tools::per_element());
  std::fill(c.begin(), c.end(), 2.0f);
  multiply(a, b, c.data(), 4, true);
  BOOST_TEST(c == std::vector<float>(12, 2.0f), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(not_a_number_and_infinity_propagate) {
  for (Case test : cases_of_each_way()) {
    std::vector<float> numbers = Numbers::instance().single;
    // In the last item, row 1 (or 0) of op(a) holds a NaN, the last row zeros, and the middle
    // column of op(b) an infinity, so that 0 * infinity must give NaN.
    const auto element = [&](const Operand& operand, Size i, Size j) -> float& {
      const Size inner = operand.transposed ? j * operand.stride + i : i * operand.stride + j;
      return numbers[static_cast<std::size_t>(operand.offset + inner +
                                              (test.batch - 1) * operand.distance)];
    };
    const Size nan_row = test.m > 2 ? 1 : 0;
    const Size zero_row = test.m - 1;
    const Size infinite_column = test.n / 2;
    for (Size p = 0; p < test.k; ++p) element(test.a, zero_row, p) = 0;
    element(test.a, nan_row, test.k / 2) = nan_value;
    element(test.b, test.k - 1, infinite_column) = infinity;
    std::vector<float> c(
        static_cast<std::size_t>(test.batch * test.c_distance + test.m * test.c_stride));
    run(test, numbers, c.data());
    bool as_expected = true;
    for (Size item = 0; item < test.batch; ++item) {
      for (Size i = 0; i < test.m; ++i) {
        for (Size j = 0; j < test.n; ++j) {
          const float value =
              c[static_cast<std::size_t>(item * test.c_distance + i * test.c_stride + j)];
          const bool last = item == test.batch - 1;
          const bool expect_nan = last && (i == nan_row || (i == zero_row && j == infinite_column));
          const bool expect_infinity = last && !expect_nan && j == infinite_column;
          as_expected &= std::isnan(value) == expect_nan && std::isinf(value) == expect_infinity;
        }
      }
    }
    BOOST_CHECK_MESSAGE(as_expected, test.describe());
  }
}

BOOST_AUTO_TEST_CASE(any_thread_gives_the_same_bits) {
  const auto run_all = [] {
    std::vector<std::vector<float>> results;
    for (const Case& test : cases_of_each_way()) {
      results.emplace_back(
          static_cast<std::size_t>(test.batch * test.c_distance + test.m * test.c_stride), 0.0f);
      run(test, Numbers::instance().single, results.back().data());
    }
    return results;
  };
  const auto here = run_all();
  std::array<bool, 4> same{};
  std::vector<std::thread> threads;
  for (bool& result : same) {
    threads.emplace_back([&] {
      result = true;
      for (int repeat = 0; repeat < 3; ++repeat) result &= run_all() == here;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const bool result : same) BOOST_TEST(result);
}

BOOST_AUTO_TEST_CASE(more_shapes_than_the_cache_holds) {
  for (int round = 0; round < 2; ++round) {
    for (Size k = 40; k < 340; ++k) expect_accurate(plain_case(16, 20, k, false, true, 0, false));
  }
}

BOOST_AUTO_TEST_CASE(sizes_that_do_not_fit_are_refused_and_nothing_is_written) {
  const std::vector<float> numbers(64, 1.0f);
  std::vector<float> c(64, 5.0f);
  const float* data = numbers.data();
  const MatrixView<float> a{data, 2, 3, 3};
  const MatrixView<float> b{data, 3, 4, 4};
  const auto refuses = [&](MatrixView<float> left, MatrixView<float> right, Size c_stride,
                           const std::string& message) {
    BOOST_CHECK_EXCEPTION(multiply(left, right, c.data(), c_stride, false), rw::ShapeError,
                          rw::testing::says(message));
  };
  constexpr Size huge = std::numeric_limits<Size>::max() / 2;
  refuses(a, a, 3, "inner dimensions differ: got [2, 3] times [2, 3]");
  refuses({data, 2, 3, 2}, b, 4, "rows of the left matrix overlap: stride 2");
  refuses({data, 2, 3, -3}, b, 4, "rows of the left matrix overlap: stride -3");
  refuses({data, -2, 3, 3}, b, 4, "the left matrix has a negative size");
  refuses(a, {data, 3, 4, 0}, 4, "rows of the right matrix overlap: stride 0");
  refuses(a, b, 3, "rows of the result overlap: stride 3");
  refuses(a, {data, 3, 4, huge}, 4, "the right matrix is too large");
  const auto refuses_batch = [&](Size a_distance, Size batch, Size c_distance) {
    BOOST_CHECK_THROW(multiply_batched(MatrixBatch<float>{a, a_distance}, MatrixBatch<float>{b, 0},
                                       batch, c.data(), 4, c_distance, false),
                      rw::ShapeError);
  };
  refuses_batch(-6, 2, 8);
  refuses_batch(6, -1, 8);
  refuses_batch(6, 2, 3);
  refuses_batch(huge, 3, 8);
  BOOST_TEST(c == std::vector<float>(64, 5.0f), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_single_row_needs_no_stride) {
  const std::vector<float> numbers(8, 2.0f);
  for (const Size stride : {0, -1, 1}) {
    std::vector<float> c(2, nan_value);
    multiply(MatrixView<float>{numbers.data(), 1, 4, stride},
             MatrixView<float>{numbers.data(), 4, 2, 2}, c.data(), stride, false);
    BOOST_TEST(c == std::vector<float>(2, 16.0f), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()
