// A tensor by itself: how it is printed, converted, copied and moved.
#include <cmath>
#include <limits>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/io/padding.hpp>

#include "support/messages.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

BOOST_AUTO_TEST_SUITE(printing)

BOOST_AUTO_TEST_CASE(integers_keep_all_digits) {
  BOOST_TEST(to_string(Tensor::from<std::int64_t>({2}, {123456, 123457})) ==
             "int64 [2] [123456, 123457]");
  BOOST_TEST(
      to_string(Tensor::from<std::int64_t>({1}, {std::numeric_limits<std::int64_t>::min()})) ==
      "int64 [1] [-9223372036854775808]");
  BOOST_TEST(to_string(Tensor::from<double>({2}, {123456, 1234567})) ==
             "float64 [2] [ 123456, 1234567]");
  BOOST_TEST(to_string(scalar(1e7)) == "float32 [] 1e+07");
}

BOOST_AUTO_TEST_CASE(rows_are_aligned_in_nested_brackets) {
  BOOST_TEST(to_string(Tensor::from<float>({2, 3}, {1, 0.5f, -3, 4, 5.25f, 100})) ==
             "float32 [2, 3]\n"
             "[[   1,  0.5,   -3],\n"
             " [   4, 5.25,  100]]");
  BOOST_TEST(to_string(reshape(arange(8), {2, 2, 2})) ==
             "int64 [2, 2, 2]\n"
             "[[[0, 1],\n"
             "  [2, 3]],\n"
             "\n"
             " [[4, 5],\n"
             "  [6, 7]]]");
  // A view of columns, whose rows are not adjacent.
  BOOST_TEST(to_string(slice(reshape(arange(6), {2, 3}), 1, 1, 3)) ==
             "int64 [2, 2]\n"
             "[[1, 2],\n"
             " [4, 5]]");
}

BOOST_AUTO_TEST_CASE(long_axes_are_shortened) {
  BOOST_TEST(to_string(arange(8)) == "int64 [8] [0, 1, 2, 3, 4, 5, 6, 7]");
  BOOST_TEST(to_string(arange(100)) == "int64 [100] [ 0,  1,  2,  3, ..., 96, 97, 98, 99]");
  const std::string matrix = to_string(reshape(arange(1000), {100, 10}));
  BOOST_TEST(matrix.find("[[  0,   1,   2,   3, ...,   6,   7,   8,   9],\n") != std::string::npos);
  BOOST_TEST(matrix.find("  39],\n ...,\n [960, 961, ") != std::string::npos);
  BOOST_TEST(to_string(zeros({20, 20, 20, 20, 20})).size() < 20000U);
}

BOOST_AUTO_TEST_CASE(numbers_that_are_none_and_tensors_without_elements) {
  // Arithmetic gives a NaN with a sign.
  const Tensor x = Tensor::from<float>({4}, {0, 1, -1, 2}) / Tensor::from<float>({4}, {0, 0, 0, 4});
  BOOST_TEST(to_string(x) == "float32 [4] [ nan,  inf, -inf,  0.5]");
  BOOST_TEST(to_string(-x).find("-nan") == std::string::npos);
  BOOST_TEST(to_string(zeros({0})) == "float32 [0] []");
  BOOST_TEST(to_string(zeros({2, 0}, DType::int64)) == "int64 [2, 0] []");
  BOOST_TEST(to_string(Tensor()) == "undefined tensor");
  BOOST_TEST(to_string(scalar(0.25, DType::float64)) == "float64 [] 0.25");
}

BOOST_AUTO_TEST_CASE(streams_and_fmt_give_the_same_text) {
  const Tensor x = reshape(arange(4), {2, 2});
  const Parameter w(ones({2}));
  std::ostringstream out;
  out << x << ' ' << w;
  BOOST_TEST(out.str() == to_string(x) + " float32 [2] [1, 1]");
  BOOST_TEST(fmt::format("{}", x) == to_string(x));
  BOOST_TEST(fmt::format("{}", w) == "float32 [2] [1, 1]");
}

BOOST_AUTO_TEST_CASE(a_nan_taken_out_prints_as_nan) {
  const Tensor zero = zeros({1});
  const double from_arithmetic = (zero / zero).item();
  BOOST_TEST(std::isnan(from_arithmetic));
  BOOST_TEST(fmt::format("{} {:.5f}", from_arithmetic, from_arithmetic) == "nan nan");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(conversions)

BOOST_AUTO_TEST_CASE(what_int64_cannot_hold_is_refused_with_its_place) {
  for (const double bad : {not_a_number, infinity, -infinity, 1e30, 0x1p63, -0x1.00002p63}) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      const Tensor x = Tensor::from<double>({2, 3}, {0, 1, 2, 3, 4, bad}).to(dtype);
      BOOST_CHECK_EXCEPTION(x.to(DType::int64), UsageError, says("to: element [1, 2] of [2, 3]"));
      BOOST_CHECK_EXCEPTION(slice(x, 1, 1, 3).to(DType::int64), UsageError, says("[1, 1]"));
    }
    BOOST_CHECK_EXCEPTION(full({2}, bad, DType::int64), UsageError, says("full: "));
    BOOST_CHECK_EXCEPTION(scalar(bad, DType::int64), UsageError, says("scalar: "));
    BOOST_CHECK_EXCEPTION(pad(arange(3), 0, 1, 1, bad), UsageError, says("pad: "));
    const std::vector<Tensor> sequences{arange(2), arange(3)};
    BOOST_CHECK_EXCEPTION(pad_sequences(sequences, bad), UsageError, says("pad_sequences: "));
    BOOST_CHECK_NO_THROW(full({2}, bad));
    BOOST_CHECK_NO_THROW(pad(ones({3}), 0, 1, 1, bad));
  }
  BOOST_CHECK_EXCEPTION(arange(-1), ShapeError, says("arange: "));
  Parameter w(Tensor::from<double>({1}, {not_a_number}));
  w.set_name("cell/w_h");
  BOOST_CHECK_EXCEPTION(w.value().to(DType::int64), UsageError, says("parameter 'cell/w_h' [1]"));
}

BOOST_AUTO_TEST_CASE(what_int64_can_hold_loses_its_fraction) {
  const Tensor x = Tensor::from<double>({4}, {2.9, -2.9, -0x1p63, 0x1.fffffffffffffp62});
  BOOST_TEST(x.to(DType::int64).to_vector<std::int64_t>() ==
                 (std::vector<std::int64_t>{2, -2, std::numeric_limits<std::int64_t>::min(),
                                            9223372036854774784}),
             boost::test_tools::per_element());
  BOOST_TEST(full({1}, -3.5, DType::int64).to_vector<std::int64_t>()[0] == -3);
}

BOOST_AUTO_TEST_CASE(gradients_flow_through_copies_and_between_floating_types) {
  Parameter w(Tensor::from<float>({3}, {1, -2, 3}));
  const Tensor factors = Tensor::from<double>({3}, {1, 2, 4});
  Tape tape;
  tape.backward(sum(square(w.value().clone().to(DType::float64)) * factors));
  BOOST_TEST((w.grad().dtype() == DType::float32));
  BOOST_TEST(w.grad().to_vector<float>() == (std::vector<float>{2, -8, 24}),
             boost::test_tools::per_element());
  // Cubes, so that there are derivatives of three orders.
  const auto cube = [&](const Tensor& x) {
    const Tensor wide = x.to(DType::float64);
    return sum(wide * wide * wide).to(DType::float32);
  };
  const Tensor first = tape.gradient(cube(w), {w}, {.create_graph = true})[0];
  const Tensor second = tape.gradient(sum(first), {w}, {.create_graph = true})[0];
  const Tensor third = tape.gradient(sum(second), {w})[0];
  BOOST_TEST(first.to_vector<float>() == (std::vector<float>{3, 12, 27}),
             boost::test_tools::per_element());
  BOOST_TEST(second.to_vector<float>() == (std::vector<float>{6, -12, 18}),
             boost::test_tools::per_element());
  BOOST_TEST(third.to_vector<float>() == (std::vector<float>{6, 6, 6}),
             boost::test_tools::per_element());
  BOOST_TEST(!w.value().to(DType::int64).requires_grad());
  BOOST_TEST(!w.value().detach().clone().requires_grad());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(memory)

BOOST_AUTO_TEST_CASE(results_share_memory_only_where_it_is_said) {
  const Tensor x = reshape(arange(6).to(DType::float32), {2, 3});
  const auto shares = [&](const Tensor& y) { return y.body().block == x.body().block; };
  BOOST_TEST(!shares(expand(x, {2, 3})));
  BOOST_TEST(!shares(expand(x, {1, 2, 3})));
  BOOST_TEST(!shares(x.clone()));
  BOOST_TEST(!shares(x.to(DType::float32)));
  BOOST_TEST(!shares(flip(x)));
  BOOST_TEST(!shares(cumsum(x, 0)));
  BOOST_TEST(!shares(transpose(x, 0, 1)));
  BOOST_TEST(!shares(sum(x, {0}, true)));
  BOOST_TEST(!shares(max(reshape(x, {2, 3, 1}), {2})));
  BOOST_TEST(!shares(clamp(x, -infinity, infinity)));
  BOOST_TEST(!shares(concat({x, x}, 0)));
  BOOST_TEST(shares(contiguous(x)));
  BOOST_TEST(shares(sum_to(x, {2, 3})));
  BOOST_TEST(shares(pad(x, 0, 0, 0)));
  BOOST_TEST(shares(concat({x}, 0)));
  BOOST_TEST(shares(stack({x}, 0)));
}

BOOST_AUTO_TEST_CASE(a_transposed_temporary_is_held) {
  const Tensor wide = reshape(arange(12).to(DType::float32), {3, 4});
  const Tensor x = ones({2, 3});
  const auto held = transposed(contiguous(slice(wide, 1, 1, 4)));
  const auto copied = held;
  const MatrixOperand plain(slice(wide, 1, 1, 4).clone());
  const Tensor others[] = {full({3, 3}, 7), full({3, 3}, 8), full({3, 3}, 9)};
  const Tensor right = matmul(x, transpose(slice(wide, 1, 1, 4), 0, 1));
  BOOST_TEST(max(abs(matmul(x, held) - right)).item() == 0);
  BOOST_TEST(max(abs(matmul(x, copied) - right)).item() == 0);
  BOOST_TEST(max(abs(matmul(x, plain) - matmul(x, slice(wide, 1, 1, 4)))).item() == 0);
  // A named tensor is referred to, at no cost.
  BOOST_TEST(&transposed(wide).tensor == &wide);
  const Parameter w(wide);
  BOOST_TEST(&transposed(w).tensor == &w.value());
}

// A const tensor cannot be taken over: std::move of one would silently copy it.
template <class C>
concept AddmmTakes = requires(const Tensor& a) {
  addmm(std::declval<C>(), a, a);
  addmm_columns(std::declval<C>(), a, a, 0);
};
template <class C>
concept SplitTakes = requires {
  split<2>(std::declval<C>());
  split(std::declval<C>(), {1, 2});
};

BOOST_AUTO_TEST_CASE(a_const_tensor_cannot_be_moved_into_a_sum) {
  static_assert(AddmmTakes<Tensor> && AddmmTakes<Tensor&> && AddmmTakes<const Tensor&>);
  static_assert(AddmmTakes<Parameter&> && AddmmTakes<const Parameter&>);
  static_assert(!AddmmTakes<const Tensor>);
  static_assert(SplitTakes<Tensor> && SplitTakes<Tensor&> && SplitTakes<const Tensor&>);
  static_assert(SplitTakes<Parameter&> && !SplitTakes<const Tensor>);
  const Tensor a = ones({2, 2});
  Tensor c = zeros({2, 2});
  const float* const data = c.data<float>();
  const Parameter bias(ones({2}));
  BOOST_TEST(addmm(c, a, a).data<float>() != data);
  BOOST_TEST(c.data<float>()[0] == 0);
  BOOST_TEST(addmm(bias, a, a).data<float>()[0] == 3);
  BOOST_TEST(bias.value().data<float>()[0] == 1);
  BOOST_TEST(addmm(std::move(c), a, a).data<float>() == data);
  auto [left, right] = split<2>(ones({2, 4}));
  BOOST_TEST(addmm(std::move(left), a, a).data<float>()[0] == 3);
}

BOOST_AUTO_TEST_SUITE_END()
