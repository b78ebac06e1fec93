// A message begins with the function that the user called, and names a parameter by its path.
#include "support/messages.hpp"

#include <functional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/losses/metrics.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/standardize.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tape/tape.hpp>

using namespace rw;
using namespace rw::testing;

namespace {

struct Mistake {
  const char* name;  // of the function that the user called
  std::function<void()> call;
};

void expect_names(const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    const std::string message = message_of(mistake.call);
    BOOST_TEST(message.starts_with(std::string(mistake.name) + ": "),
               mistake.name << " says \"" << message << '"');
  }
}

struct Cell {
  Parameter w_h{ones({8, 32})};
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_h", w_h);
  }
};

struct Network {
  Cell cell;
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("cell", cell);
  }
};

const Tensor x = zeros({2, 3});
const Tensor wide = zeros({2, 3}, DType::float64);
const Tensor deep = zeros({2, 3, 4});
const Tensor whole = arange(2);

}  // namespace

BOOST_AUTO_TEST_CASE(axes_that_do_not_exist) {
  for (const int axis : {2, -3, 7}) {
    expect_names({
        {"slice", [=] { slice(x, axis, 0, 1); }},
        {"select", [=] { select(x, axis, 0); }},
        {"split", [=] { split(x, 2, axis); }},
        {"split", [=] { split<2>(x, axis); }},
        {"split",
         [=] {
           split(x, {1, 1}, axis);
         }},
        {"squeeze", [=] { squeeze(x, axis); }},
        {"permute",
         [=] {
           permute(x, {0, axis});
         }},
        {"transpose", [=] { transpose(x, 0, axis); }},
        {"transpose", [=] { transpose(x, axis, 0); }},
        {"concat",
         [=] {
           concat({x, x}, axis);
         }},
        {"concat", [=] { concat({x}, axis); }},
        {"flip", [=] { flip(x, {axis}); }},
        {"pad", [=] { pad(x, axis, 0, 0); }},
        {"cumsum", [=] { cumsum(x, axis); }},
        {"sum", [=] { sum(x, {axis}); }},
        {"mean",
         [=] {
           mean(x, {0, axis});
         }},
        {"max", [=] { max(x, {axis}); }},
        {"min", [=] { min(x, {axis}); }},
        {"var", [=] { var(x, {axis}); }},
        {"logsumexp", [=] { logsumexp(x, {axis}); }},
        {"argmax", [=] { argmax(x, axis); }},
        {"softmax", [=] { softmax(x, axis); }},
        {"log_softmax", [=] { log_softmax(x, axis); }},
        {"index_select", [=] { index_select(x, whole, axis); }},
        {"index_add", [=] { index_add(x, whole, 4, axis); }},
        {"gather",
         [=] {
           gather(x, reshape(whole, {2, 1}), axis);
         }},
        {"scatter_add", [=] { scatter_add(zeros({2}), whole, {3}, axis); }},
        {"shape", [=] { static_cast<void>(x.size(axis)); }},
    });
  }
  for (const int axis : {4, -4, 7}) {
    expect_names({{"stack", [=] { stack({x, x}, axis); }}, {"stack", [=] { stack({x}, axis); }}});
  }
  for (const int axis : {3, -1}) {
    expect_names({{"unsqueeze", [=] { unsqueeze(x, axis); }}});
  }
  expect_names({{"unsqueeze",
                 [] {
                   unsqueeze(zeros({1, 1, 1, 1, 1}), 0);
                 }},
                {"argmax", [] { argmax(scalar(1)); }},
                {"softmax", [] { softmax(scalar(1)); }}});
  BOOST_TEST(message_of([] { slice(x, 2, 0, 1); }) ==
             "slice: axis 2 does not exist in shape [2, 3], expected -2 to 1");
  BOOST_TEST(message_of([] { select(scalar(1), 0, 0); }) ==
             "select: axis 0 does not exist in shape [], a single number");
}

BOOST_AUTO_TEST_CASE(shapes_that_do_not_fit) {
  expect_names({
      {"reshape", [] { reshape(x, {5}); }},
      {"squeeze", [] { squeeze(x, 0); }},
      {"slice", [] { slice(x, 1, 2, 4); }},
      {"slice", [] { slice(deep, 1, 3, 2); }},
      {"select", [] { select(x, 0, 2); }},
      {"split", [] { split(x, 2); }},
      {"split", [] { split<2>(x); }},
      {"split",
       [] {
         split(x, {1, 1});
       }},
      {"split",
       [] {
         split(x, {-1, 4});
       }},
      {"permute", [] { permute(x, {0}); }},
      {"permute",
       [] {
         permute(x, {0, 0});
       }},
      {"concat",
       [] {
         concat({x, deep}, 0);
       }},
      {"stack",
       [] {
         stack({x, deep}, 0);
       }},
      {"flip",
       [] {
         flip(x, {0, 0});
       }},
      {"pad", [] { pad(x, 0, -1, 0); }},
      {"sum",
       [] {
         sum(x, {0, 0});
       }},
      {"max",
       [] {
         max(zeros({0, 2}), {0});
       }},
      {"argmax",
       [] {
         argmax(zeros({2, 0}));
       }},
      {"sum_to", [] { sum_to(x, {2}); }},
      {"expand",
       [] {
         expand(x, {2, 4});
       }},
      {"matmul", [] { matmul(x, x); }},
      {"matmul", [] { matmul(zeros({3}), x); }},
      {"matmul",
       [] {
         matmul(deep, zeros({3, 4, 2}));
       }},
      {"addmm", [] { addmm(x, x, x); }},
      {"addmm", [] { addmm(x, zeros({3}), x); }},
      {"addmm",
       [] {
         addmm(x, x, zeros({3, 4}));
       }},
      {"addmm",
       [] {
         addmm(x, x, zeros({2, 3, 3}));
       }},
      {"addmm_columns", [] { addmm_columns(x, x, x, 0); }},
      {"addmm_columns",
       [] {
         addmm_columns(x, x, zeros({3, 2}), 2);
       }},
      {"index_select", [] { index_select(x, arange(3), 0); }},
      {"index_add", [] { index_add(x, arange(3), 4); }},
      {"embedding", [] { embedding(deep, whole); }},
      {"embedding", [] { embedding(x, arange(3)); }},
      {"gather", [] { gather(x, arange(3), 0); }},
      {"scatter_add", [] { scatter_add(x, whole, {3}, 0); }},
      {"one_hot", [] { one_hot(arange(3), 2); }},
      {"standardize", [] { standardize(scalar(1)); }},
      {"add",
       [] {
         x + zeros({2, 4});
       }},
      {"mul",
       [] {
         x* zeros({2, 4});
       }},
      {"where",
       [] {
         where(x > 0.0, zeros({2, 4}), 1.0);
       }},
      {"clamp", [] { clamp(x, 0.0, zeros({4})); }},
      {"mine",
       [] {
         fuse(
             "mine", [](auto a, auto b) { return a * b; }, x, zeros({4}));
       }},
      {"item", [] { static_cast<void>(x.item()); }},
      {"count_correct", [] { static_cast<void>(count_correct(x, arange(3))); }},
      {"accuracy", [] { static_cast<void>(accuracy(x, arange(3))); }},
  });
}

BOOST_AUTO_TEST_CASE(types_that_do_not_fit) {
  expect_names({
      {"concat",
       [] {
         concat({x, wide}, 0);
       }},
      {"stack",
       [] {
         stack({x, wide}, 0);
       }},
      {"sum", [] { sum(whole); }},
      {"var", [] { var(whole); }},
      {"argmax", [] { argmax(whole); }},
      {"sum_to", [] { sum_to(whole, {1}); }},
      {"softmax", [] { softmax(whole); }},
      {"log_softmax", [] { log_softmax(whole); }},
      {"standardize", [] { standardize(whole); }},
      {"matmul", [] { matmul(x, transposed(wide)); }},
      {"addmm",
       [] {
         addmm(zeros({2, 2}), x, transpose(wide, 0, 1));
       }},
      {"addmm",
       [] {
         addmm(zeros({2, 2}, DType::float64), x, transpose(x, 0, 1));
       }},
      {"addmm_columns",
       [] {
         addmm_columns(zeros({2, 2}), x, transpose(wide, 0, 1), 0);
       }},
      {"index_select", [] { index_select(x, x, 0); }},
      {"index_add", [] { index_add(x, zeros({2}), 3); }},
      {"embedding", [] { embedding(x, x); }},
      {"gather", [] { gather(x, x, 0); }},
      {"scatter_add",
       [] {
         scatter_add(x, x, {2, 3}, 0);
       }},
      {"one_hot", [] { one_hot(x, 3); }},
      {"add", [] { x + wide; }},
      {"tanh", [] { tanh(whole); }},
      {"count_correct", [] { static_cast<void>(count_correct(whole, whole)); }},
      {"count_correct", [] { static_cast<void>(count_correct(x, zeros({2}))); }},
      {"watch", [] { Tape().watch(whole); }},
  });
}

BOOST_AUTO_TEST_CASE(backward_and_gradient_go_by_their_names) {
  Parameter w(ones({2}));
  Tape tape;
  const Tensor y = w * 2.0;
  const Tensor constant = scalar(1);
  expect_names({
      {"backward", [&] { tape.backward(y); }},
      {"backward", [&] { tape.backward(constant); }},
      {"backward", [&] { tape.backward(y, {.seed = ones({3})}); }},
      {"backward", [&] { tape.backward(y, {.seed = ones({2}, DType::float64)}); }},
      {"gradient", [&] { tape.gradient(y, {w}); }},
      {"gradient", [&] { tape.gradient(constant, {w}); }},
      {"gradient", [&] { tape.gradient(y, {constant}, {.seed = ones({2})}); }},
      {"gradient", [&] { tape.gradient(y, {w}, {.seed = ones({3})}); }},
      {"gradient", [&] { tape.gradient(y, {w}, {.seed = ones({2}, DType::float64)}); }},
  });
  const Tensor squares = sum(w * w);
  w.mutable_data<float>()[0] = 3;
  expect_names({{"gradient", [&] { tape.gradient(squares, {w}); }},
                {"backward", [&] { tape.backward(squares); }}});
}

BOOST_AUTO_TEST_CASE(a_parameter_is_named_by_its_path) {
  Network network;
  static_cast<void>(parameters(network));
  const Tensor& w = network.cell.w_h;
  const std::string name = "parameter 'cell/w_h' [8, 32]";
  const std::vector<std::function<void()>> calls{
      [&] {
        matmul(ones({2, 3}), w);
      },
      [&] {
        matmul(w, ones({3, 3}));
      },
      [&] { matmul(ones({3}), w); },
      [&] {
        matmul(ones({2, 3}), transposed(w));
      },
      [&] {
        addmm(ones({2, 3}), ones({2, 3}), w);
      },
      [&] {
        addmm(ones({2, 3}), ones({2, 8}), w);
      },
      [&] {
        addmm_columns(ones({2, 3}), ones({2, 8}), w, 0);
      },
      [&] {
        ones({2, 3}) * w;
      },
      [&] {
        w + ones({2, 3});
      },
      [&] {
        where(w, ones({8, 1}), ones({5}));
      },
  };
  for (const auto& call : calls) {
    const std::string message = message_of(call);
    BOOST_TEST(message.find(name) != std::string::npos, message);
  }
  // A tensor without a path is named by its shape.
  BOOST_TEST(message_of([] { x* Parameter(zeros({4})); }) ==
             "mul: shapes [2, 3] and [4] do not broadcast: axis -1 has sizes 3 and 4");
  BOOST_TEST(message_of([&] {
               ones({2, 3}) * ones({2, 4});
             }) == "mul: shapes [2, 3] and [2, 4] do not broadcast: axis -1 has sizes 3 and 4");
}
