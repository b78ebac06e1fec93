// Tensors from nested braces and over the user's memory; x[i]; sizes to be inferred; x += y.

#include <cmath>
#include <limits>
#include <numeric>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/closeness.hpp"
#include "support/messages.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

using Floats = std::vector<float>;

void check_values(const Tensor& x, const Shape& shape, const Floats& expected) {
  BOOST_TEST(x.shape() == shape);
  rw::testing::check_values(x, expected);
}

}  // namespace

BOOST_AUTO_TEST_CASE(nested_braces) {
  check_values(Tensor::of({{1, 2, 3}, {4, 5, 6}}), {2, 3}, {1, 2, 3, 4, 5, 6});
  check_values(Tensor::of({1.5, 2, -3.25f}), {3}, {1.5f, 2, -3.25f});
  check_values(Tensor::of({7}), {1}, {7});
  check_values(Tensor::of({{7}}), {1, 1}, {7});
  check_values(Tensor::of({{{7}}}), {1, 1, 1}, {7});
  check_values(Tensor::of(7), {}, {7});
  check_values(Tensor::of({{{1}, {2}}, {{3}, {4}}, {{5}, {6}}}), {3, 2, 1}, {1, 2, 3, 4, 5, 6});
  check_values(Tensor::of({{{{{1, 2}}}}}), {1, 1, 1, 1, 2}, {1, 2});
  check_values(Tensor::of({}), {0}, {});
  check_values(Tensor::of({{}, {}}), {2, 0}, {});
  const int count = 3;
  const double size = 0.5;
  check_values(Tensor::of({{count, size}}), {1, 2}, {3, 0.5f});
  const Tensor integers = Tensor::of({{0, 2}, {-1, 1}}, DType::int64);
  BOOST_TEST(integers.to_vector<std::int64_t>() == std::vector<std::int64_t>({0, 2, -1, 1}),
             boost::test_tools::per_element());
  BOOST_TEST((Tensor::of({0.1}, DType::float64).item() == 0.1));
  BOOST_TEST(std::isnan(Tensor::of({std::nan("")}).item()));
}

BOOST_AUTO_TEST_CASE(ragged_braces_and_numbers_that_do_not_fit) {
  check_throws<ShapeError>(
      [] {
        Tensor::of({{1, 2, 3}, {4, 5}});
      },
      "of: part 1 in braces is [2], expected [3] like part 0");
  check_throws<ShapeError>(
      [] {
        Tensor::of({{1, 2}, 3});
      },
      "of: part 1 in braces is a number, expected [2]");
  check_throws<ShapeError>(
      [] {
        Tensor::of({{{1}, {2}}, {{3}, {4, 5}}});
      },
      "of: part 1 in braces is [2], expected [1]");
  check_throws<ShapeError>([] { Tensor::of({{{{{{1}}}}}}); },
                           "of: got numbers in 6 levels of braces, expected at most 5");
  check_throws<UsageError>([] { Tensor::of({1, INFINITY}, DType::int64); }, "of: the value inf");
}

BOOST_AUTO_TEST_CASE(memory_of_the_user_is_shared) {
  Floats memory(7);
  std::iota(memory.begin(), memory.end(), 0.0f);
  {
    // Aligned to no more than an element.
    Tensor x = Tensor::view_of({2, 3}, std::span(memory).subspan(1));
    BOOST_TEST(x.data<float>() == memory.data() + 1);
    check_values(x, {2, 3}, {1, 2, 3, 4, 5, 6});
    check_values(matmul(x, ones({3, 1})), {2, 1}, {6, 15});
    check_values(x[1] * 2, {3}, {8, 10, 12});
    memory[1] = 10;
    check_values(x[0], {3}, {10, 2, 3});
    x.mutable_data<float>()[5] = -1;
    BOOST_TEST(memory[6] == -1);
    // Operations return tensors with their own memory, and a handle may outlive the first one.
    const Tensor part = x[1];
    x = x + 1;
    BOOST_TEST(memory[1] == 10);
    check_values(part, {3}, {4, 5, -1});
  }
  BOOST_TEST(memory[6] == -1);
  const auto before = memory_statistics().live_bytes;
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(Tensor::view_of<float>({7}, memory).elements() == 7);
    // The block goes back to the pool, and the next tensor gets it exclusively.
    Tensor own = ones({7});
    BOOST_TEST(detail::is_sole_owner(own));
  }
  BOOST_TEST(memory_statistics().live_bytes == before);
  check_values(Tensor::view_of<float>({0, 2}, std::span<float>()), {0, 2}, {});
  std::vector<std::int64_t> tokens{3, 1, 2};
  BOOST_TEST(Tensor::view_of<std::int64_t>({3}, tokens).to_vector<std::int64_t>() == tokens);
  check_throws<ShapeError>(
      [&] {
        Tensor::view_of<float>({2, 3}, memory);
      },
      "view_of: got memory of 7 elements for shape [2, 3], expected 6");
}

BOOST_AUTO_TEST_CASE(no_operation_writes_into_memory_of_the_user) {
  const Tensor a = ones({2, 3});
  const Tensor b = ones({3, 4});
  Floats memory(8, 1.0f);
  check_values(addmm(Tensor::view_of<float>({2, 4}, memory), a, b), {2, 4}, Floats(8, 4.0f));
  auto [left, right] = split<2>(Tensor::view_of<float>({2, 8}, std::span(memory = Floats(16, 1))));
  check_values(addmm(std::move(left), a, b), {2, 4}, Floats(8, 4.0f));
  BOOST_TEST(memory == Floats(16, 1.0f), boost::test_tools::per_element());
  // A backward pass does not write into it either, if it is the seed or a parameter's first value.
  Parameter w(Tensor::view_of<float>({16}, memory));
  w.mutable_data<float>()[0] = 5;
  Tape tape;
  tape.backward(-(w * 2.0), {.seed = Tensor::view_of<float>({16}, memory)});
  BOOST_TEST(memory == Floats(16, 1.0f), boost::test_tools::per_element());
  check_values(w.grad(), {16}, Floats(16, -2.0f));
}

BOOST_AUTO_TEST_CASE(a_weight_that_is_read_from_memory_of_the_user_is_read_anew) {
  // Products keep copies of other weights as long as a tape exists.
  Floats memory(64 * 64, 1.0f);
  const Tensor w = Tensor::view_of<float>({64, 64}, memory);
  const Tensor x = ones({4, 64});
  Tape tape;
  for (int i = 1; i < 50; ++i) {
    std::fill(memory.begin(), memory.end(), static_cast<float>(i));
    BOOST_TEST(matmul(x, w).to_vector<float>()[0] == 64.0f * static_cast<float>(i));
  }
}

BOOST_AUTO_TEST_CASE(parts_of_the_first_axis) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}});
  check_values(x[1], {3}, {4, 5, 6});
  check_values(x[-2], {3}, {1, 2, 3});
  BOOST_TEST(x[1][2].item() == 6);
  BOOST_TEST(x[1].data<float>() == x.data<float>() + 3);
  const Parameter w(x);
  Tape tape;
  tape.backward(sum(w[1] * w[1]) + w[0][-1]);
  check_values(w.grad(), {2, 3}, {0, 0, 1, 8, 10, 12});
  check_throws<ShapeError>([&] { x[2]; },
                           "operator[]: index 2 does not lie in axis 0 of [2, 3] (size 2)");
  check_throws<ShapeError>([&] { x[-3]; }, "operator[]: index -3 does not lie in axis 0");
  check_throws<ShapeError>([&] { x[0][0][0]; }, "operator[]: axis 0 does not exist in shape []");
  check_throws<ShapeError>([&] { zeros({0, 2})[0]; }, "operator[]: index 0 does not lie");
}

BOOST_AUTO_TEST_CASE(one_size_left_open) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}});
  BOOST_TEST(reshape(x, {-1}).shape() == Shape({6}));
  BOOST_TEST(reshape(x, {3, -1}).shape() == Shape({3, 2}));
  BOOST_TEST(reshape(x, {2, -1, 3}).shape() == Shape({2, 1, 3}));
  BOOST_TEST(reshape(x, {-1, 3}).same_as(x));
  BOOST_TEST(reshape(scalar(1), {-1}).shape() == Shape({1}));
  BOOST_TEST(reshape(zeros({0, 3}), {-1, 3}).shape() == Shape({0, 3}));
  check_throws<ShapeError>(
      [&] {
        reshape(x, {-1, -1});
      },
      "reshape: got several sizes of -1, expected at most one (x is [2, 3])");
  check_throws<ShapeError>(
      [&] {
        reshape(x, {-1, 4});
      },
      "reshape: [2, 3] has 6 elements, and no one size in place of -1 makes "
      "[-1, 4] hold them");
  check_throws<ShapeError>(
      [&] {
        reshape(zeros({0, 3}), {-1, 0});
      },
      "reshape: [0, 3] has 0 elements, and no one size");
  check_throws<ShapeError>([&] { reshape(x, {5}); }, "reshape: [2, 3] has 6 elements, [5] has 5");
}

BOOST_AUTO_TEST_CASE(assignment_with_an_operator_makes_a_new_tensor) {
  Tensor x = Tensor::of({1, 2});
  const Tensor other = x;
  x += other;
  x *= 3;
  x -= 2;
  x /= Tensor::of({2, 5});
  check_values(x, {2}, {2, 2});
  check_values(other, {2}, {1, 2});
  // The result of broadcasting may have another shape.
  x += zeros({3, 1});
  BOOST_TEST(x.shape() == Shape({3, 2}));
  // What a tape saved stays the same, and gradients flow through every step.
  Tape tape;
  const Tensor w = tape.watch(Tensor::of({3, 4}, DType::float64));
  Tensor y = w * w;
  y *= w;
  y += 2 * w;
  const Tensor dw = tape.gradient(sum(y), {w})[0];
  BOOST_TEST(dw.to_vector<double>() == std::vector<double>({29, 50}),
             boost::test_tools::per_element());
  check_throws<ShapeError>([&] { x += zeros({5}); }, "add: ");
}
