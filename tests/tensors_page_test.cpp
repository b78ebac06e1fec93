// The code of docs/tensors.md. tests/lint/guide.sh checks that each line of the page is here. What
// the page leaves out, such as data, is added around it.
#include <iostream>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <fmt/core.h>

#include <rewind/rewind.hpp>

using namespace rw;

BOOST_AUTO_TEST_CASE(making_and_reading) {
  Rng rng(1);
  const std::vector<float> measured{1, 2, 3, 4};
  const Tensor scores = rng.normal({4, 3});
  // clang-format off
Tensor a = Tensor::of({{1, 2, 3}, {4, 5, 6}});           // [2, 3], float32
Tensor labels = Tensor::of({2, 0, 1}, DType::int64);     // [3]
Tensor b = Tensor::from<float>({2, 2}, measured);        // copies a vector or span of four
Tensor c = zeros({2, 3});                                // also ones, full, zeros_like, ones_like
Tensor steps = arange(5);                                // int64: 0, 1, 2, 3, 4
Tensor noise = rng.normal({2, 3});                       // mean 0, deviation 1; also uniform
Tensor drawn = rng.categorical(softmax(scores));         // int64: one class for each row
  // clang-format on
  BOOST_TEST(a.shape() == Shape({2, 3}));
  BOOST_TEST((labels.dtype() == DType::int64));
  BOOST_TEST(b.elements() + c.elements() + steps.elements() + noise.elements() == 4 + 6 + 5 + 6);
  BOOST_TEST(drawn.shape() == Shape({4}));

  std::ostringstream text;
  std::streambuf* const console = std::cout.rdbuf(text.rdbuf());
  // clang-format off
double loss = mean(a).item();                            // the only element, whatever the type
std::vector<float> copied = a.to_vector<float>();        // all elements, in row-major order
const float* first = a.data<float>();                    // in place; rows lie a.row_stride() apart
std::cout << a << '\n';                                  // float32 [2, 3] and the rows
fmt::print("{} {}\n", a.shape(), a[0]);                  // [2, 3] float32 [3] [1, 2, 3]
  // clang-format on
  std::cout.rdbuf(console);
  BOOST_TEST(text.str() == "float32 [2, 3]\n[[1, 2, 3],\n [4, 5, 6]]\n");
  BOOST_TEST(fmt::format("{} {}", a.shape(), a[0]) == "[2, 3] float32 [3] [1, 2, 3]");
  BOOST_TEST(loss == 3.5);
  BOOST_TEST(copied[5] == first[a.row_stride() + 2]);
}

BOOST_AUTO_TEST_CASE(slicing_and_types) {
  Tensor a = Tensor::of({{1, 2, 3}, {4, 5, 6}});
  // clang-format off
Tensor row = a[1];                                       // [3]; a[-1] is the last
Tensor one = a[1][2];                                    // a single number
Tensor columns = slice(a, 1, 0, 2);                      // [2, 2]: columns 0 and 1
Tensor flat = reshape(a, {-1});                          // [6]; one size may be left open
auto [left, right] = split(a, {1, 2});                   // [2, 1] and [2, 2]

Tensor precise = a.to(DType::float64);                   // gradients flow through
Tensor whole = round(a).to(DType::int64);                // what follows the point is left out
  // clang-format on
  BOOST_TEST(row.shape() == Shape({3}));
  BOOST_TEST(one.item() == 6);
  BOOST_TEST(flat.shape() == Shape({6}));
  BOOST_TEST(right.shape() == columns.shape());
  BOOST_TEST(left.shape() == Shape({2, 1}));
  for (const Tensor& view : {row, one, columns, flat, left, right}) {
    BOOST_TEST(view.body().block == a.body().block);
  }
  BOOST_TEST((precise.dtype() == DType::float64));
  BOOST_TEST((whole.dtype() == DType::int64));
  BOOST_TEST(((a * 0.5).dtype() == DType::float32));
  BOOST_CHECK_THROW(a + precise, UsageError);
  BOOST_CHECK_THROW(whole + whole, UsageError);
  BOOST_TEST(matmul(a, transposed(a)).shape() == Shape({2, 2}));
}

BOOST_AUTO_TEST_CASE(who_owns_what) {
  std::vector<float> measured{1, 2, 3, 4};
  Tensor c = zeros({2, 3});
  // clang-format off
Tensor same = c;                                         // another handle to one array
c += 1.0;                                                // c is a new tensor, same is still zeros
same.mutable_data<float>()[0] = 7;                       // writes into what all its handles show

Tensor shown = Tensor::view_of<float>({2, 2}, measured); // reads the vector's own elements
measured[3] = 10;                                        // seen by shown; no tape learns of it
  // clang-format on
  BOOST_TEST(sum(c).item() == 6);
  BOOST_TEST(sum(same).item() == 7);
  BOOST_TEST(shown[1][1].item() == 10);
}
