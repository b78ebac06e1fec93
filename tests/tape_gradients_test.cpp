// The results of backward and gradient: sums over uses, views, seeds, derivatives of any order.
#include <cmath>
#include <memory>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>

#include "support/messages.hpp"
#include "support/numbers.hpp"

using namespace rw;
using namespace rw::testing;

BOOST_AUTO_TEST_SUITE(gradients)

BOOST_AUTO_TEST_CASE(backward_adds_until_zeroed) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  BOOST_CHECK_THROW(w.grad(), UsageError);
  for (int pass = 1; pass <= 2; ++pass) {
    Tape tape;
    tape.backward(sum(w * w));
    BOOST_TEST(w.grad().to_vector<double>()[2] == 6.0 * pass);
  }
  w.zero_grad();
  BOOST_TEST(!w.has_grad());
}

BOOST_AUTO_TEST_CASE(gradient_leaves_parameters_alone) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor x = tape.watch(matrix({1, 1, 1, 1}, 2, 2));
  const Tensor y = w * x;
  const auto g = tape.gradient(sum(y * y), {x, w, y});
  BOOST_TEST(!w.has_grad());
  BOOST_TEST(g[0].to_vector<double>()[3] == 32.0);
  BOOST_TEST(g[1].to_vector<double>()[3] == 8.0);
  BOOST_TEST(g[2].to_vector<double>()[3] == 8.0);
}

BOOST_AUTO_TEST_CASE(returned_gradients_share_no_memory) {
  for (const bool create_graph : {false, true}) {
    Tape tape;
    const Tensor a = tape.watch(matrix({1, 2, 3, 4}, 2, 2));
    const Tensor b = tape.watch(matrix({5, 6, 7, 8}, 2, 2));
    const Tensor part = slice(a, 1, 0, 1);
    const Tensor y = a + b + reshape(reshape(part, {2}), {2, 1});
    Tensor seed = matrix({1, 1, 1, 1}, 2, 2);
    std::vector<Tensor> d =
        tape.gradient(y, {a, b, part, y, a}, {.seed = seed, .create_graph = create_graph});
    const std::vector<std::vector<double>> expected{
        {3, 1, 3, 1}, {1, 1, 1, 1}, {3, 3}, {1, 1, 1, 1}, {3, 1, 3, 1}};
    for (std::size_t i = 0; i < d.size(); ++i) {
      BOOST_TEST(d[i].to_vector<double>() == expected[i], boost::test_tools::per_element());
      d[i].mutable_data<double>()[0] = 100;
    }
    BOOST_TEST(seed.to_vector<double>() == expected[1], boost::test_tools::per_element());
    for (std::size_t i = 0; i < d.size(); ++i) {
      for (std::size_t k = 1; k < expected[i].size(); ++k) {
        BOOST_TEST(d[i].to_vector<double>()[k] == expected[i][k]);
      }
      BOOST_TEST(d[i].data<double>()[0] == 100);
    }
  }
  // Gradients flow through a copy.
  Tape tape;
  const Tensor x = tape.watch(matrix({1, 2, 3, 4}, 2, 2));
  const Tensor z = square(x);
  const auto d = tape.gradient(sum(z * z), {z, x, z}, {.create_graph = true});
  const Tensor second = tape.gradient(sum(d[2]), {x})[0];  // the gradient of 2 z
  BOOST_TEST(second.to_vector<double>() == (std::vector<double>{4, 8, 12, 16}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_gradient_is_written_over_the_one_that_it_comes_from) {
  // Unless something still needs it, as with `middle` and the value that both operands share here.
  const std::int64_t n = 1000;
  Tape tape;
  const Tensor x = tape.watch(full({n}, 1.0, DType::float64));
  Tensor y = x;
  for (int i = 0; i < 10; ++i) {
    y = y * 0.5;
  }
  const Tensor seed = ones({n}, DType::float64);
  const std::int64_t before = memory_statistics().live_bytes;
  reset_peak_memory();
  const Tensor dx = tape.gradient(y, {x}, {.seed = seed, .retain = true})[0];
  const std::int64_t one = 8 * n;
  BOOST_TEST(memory_statistics().peak_bytes - before < 2 * one);
  BOOST_TEST(dx.to_vector<double>()[n - 1] == std::ldexp(1.0, -10));
  BOOST_TEST(seed.to_vector<double>() == std::vector<double>(n, 1.0),
             boost::test_tools::per_element());

  const Tensor middle = y * 3.0;
  const Tensor loss = sum(middle * middle * middle);
  const auto g = tape.gradient(loss, {middle, y, x});
  const double value = 3 * std::ldexp(1.0, -10);
  BOOST_TEST(g[0].to_vector<double>()[7] == 3 * value * value, boost::test_tools::tolerance(1e-14));
  BOOST_TEST(g[1].to_vector<double>()[7] == 9 * value * value, boost::test_tools::tolerance(1e-14));
  BOOST_TEST(g[2].to_vector<double>()[7] == std::ldexp(9 * value * value, -10),
             boost::test_tools::tolerance(1e-14));
}

namespace {

/// Small integers, whose sum is the same in every order.
Tensor whole_numbers(const Shape& shape, int seed) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values.push_back(static_cast<float>((i * 7 + seed) % 11 - 5));
  }
  return Tensor::from<float>(shape, values);
}

}  // namespace

BOOST_AUTO_TEST_CASE(too_many_tapes_at_once_are_refused) {
  std::vector<std::unique_ptr<Tape>> tapes;
  const auto text = message_of<UsageError>([&] {
    for (int i = 0; i < 10000; ++i) {
      tapes.push_back(std::make_unique<Tape>());
    }
  });
  BOOST_TEST(contains(text, "1024 tapes are alive"));
  BOOST_TEST(tapes.size() == 1024U);
  tapes.pop_back();
  const Tape tape;
  BOOST_TEST(tape.operations() == 0);
}

BOOST_AUTO_TEST_CASE(a_weight_met_again_is_read_as_it_is_then) {
  // Rows of 4 KiB and more are read from packed copies (Note [Packed weights]).
  for (const Shape& shape : {Shape{24, 512}, {24, 1024}, {24, 2048}, {512, 40}}) {
    Parameter w(whole_numbers(shape, 3));
    const Tensor x = whole_numbers({20, shape[0]}, 1);
    const Tensor dy = whole_numbers({20, shape[1]}, 2);
    Tape tape;
    const Tensor watched = tape.watch(x);
    for (int step = 0; step < 5; ++step) {
      if (step == 3) {
        Tensor value = w.value();
        std::fill_n(value.mutable_data<float>(), value.elements(), 2.0F);
      }
      const Tensor exact = matmul(x.to(DType::float64), w.value().to(DType::float64));
      const Tensor y = matmul(watched, w);
      const Tensor sum_of_both = addmm(dy.clone(), watched, w);
      BOOST_TEST(max(abs(y.to(DType::float64) - exact)).item() == 0);
      BOOST_TEST(max(abs(sum_of_both - (y + dy))).item() == 0);
      const auto g = tape.gradient(y, {watched, w}, {.seed = dy});
      BOOST_TEST(max(abs(g[0].to(DType::float64) -
                         matmul(dy.to(DType::float64), transposed(w.value().to(DType::float64)))))
                     .item() == 0);
      BOOST_TEST(max(abs(g[1] - matmul(transposed(x), dy))).item() == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(sums_with_rows_of_4_kib_have_exact_gradients) {
  // Note [Rows of a multiple of 4 KiB]. Gradients in both orders, in place and not; float64 has no
  // such rows.
  const auto gradients = [](DType dtype, std::int64_t rows, std::int64_t columns, bool bias) {
    const Tensor x = whole_numbers({rows, 3}, 1).to(dtype);
    const Tensor w = whole_numbers({3, columns}, 2).to(dtype);
    const Tensor u = whole_numbers({3, 256}, 3).to(dtype);
    const Tensor c = whole_numbers(bias ? Shape{columns} : Shape{rows, columns}, 4).to(dtype);
    Tape tape;
    const Tensor inputs[] = {tape.watch(x), tape.watch(w), tape.watch(u), tape.watch(c)};
    Tensor sums = addmm(inputs[3], inputs[0], inputs[1]);
    if (dtype == DType::float32) {
      BOOST_TEST(sums.row_stride() == (rows >= 16 && columns % 1024 == 0 ? columns + 16 : columns));
    }
    const void* const memory = sums.body().data;
    const Tensor y = addmm_columns(std::move(sums), inputs[0], inputs[2], 256);
    BOOST_TEST(y.body().data == memory);
    const auto parts = split(y, 2, 1);
    const std::vector<TensorRef> all(std::begin(inputs), std::end(inputs));
    const auto first =
        tape.gradient(sum(parts[0] * parts[0]) + sum(parts[1]), all, {.create_graph = true});
    Tensor slope = scalar(0, dtype);
    for (const Tensor& each : first) {
      slope = slope + sum(each * each) / 64.0;
    }
    std::vector<Tensor> result = first;
    for (const Tensor& each : tape.gradient(slope, all)) {
      result.push_back(each);
    }
    return result;
  };
  for (const std::int64_t rows : {15, 16}) {
    for (const std::int64_t columns : {1022, 1024}) {
      for (const bool bias : {false, true}) {
        const auto single = gradients(DType::float32, rows, columns, bias);
        const auto exact = gradients(DType::float64, rows, columns, bias);
        for (std::size_t i = 0; i < exact.size(); ++i) {
          BOOST_TEST(max(abs(single[i].to(DType::float64) - exact[i])).item() <=
                     max(abs(exact[i])).item() * 1e-6);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_y_does_not_depend_on_gets_zeros) {
  Tape tape;
  const Tensor x = tape.watch(matrix({1, 2}, 1, 2));
  const Tensor unused = tape.watch(matrix({3, 4, 5}, 1, 3));
  const Tensor later = x * 5.0;
  const auto g = tape.gradient(sum(x), {x, unused, later});
  BOOST_TEST(g[1].to_vector<double>() == std::vector<double>(3), boost::test_tools::per_element());
  BOOST_TEST((g[2].shape() == Shape{1, 2}));
}

BOOST_AUTO_TEST_CASE(seeds) {
  Tape tape;
  const Tensor x = tape.watch(matrix({1, 2}, 1, 2));
  const Tensor y = x * x;
  const auto text = message_of<ShapeError>([&] { tape.backward(y); });
  BOOST_TEST(contains(text, "[1, 2]"));
  BOOST_TEST(contains(text, "seed"));
  BOOST_CHECK_THROW(tape.backward(y, {.seed = ones({2}, DType::float64)}), ShapeError);
  BOOST_CHECK_THROW(tape.backward(y, {.seed = ones({1, 2}, DType::float32)}), UsageError);
  const auto g = tape.gradient(y, {x}, {.seed = matrix({10, 100}, 1, 2)});
  const std::vector<double> expected{20, 400};
  BOOST_TEST(g[0].to_vector<double>() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(one_result_of_several_may_be_unused) {
  for (const bool use_first : {true, false}) {
    Tape tape;
    const Tensor x = tape.watch(matrix({0.3, -0.4}, 1, 2));
    const auto results = fuse(
        "pair",
        [](auto v) {
          return std::tuple{v * v, sin(v)};
        },
        x);
    const auto g = tape.gradient(sum(results[use_first ? 0 : 1]), {x});
    BOOST_TEST(g[0].to_vector<double>()[1] == (use_first ? -0.8 : std::cos(-0.4)),
               boost::test_tools::tolerance(1e-14));
  }
}

BOOST_AUTO_TEST_CASE(derivatives_of_any_order) {
  // d^n/dx^n of e^x sin x is 2^(n/2) e^x sin(x + n pi / 4).
  const double at = 0.7;
  Tape tape;
  const Tensor x = tape.watch(scalar(at, DType::float64));
  Tensor y = fuse(
      "damped", [](auto v) { return exp(v) * sin(v); }, x);
  for (int order = 1; order <= 6; ++order) {
    y = tape.gradient(y, {x}, {.create_graph = true})[0];
    const double expected =
        std::pow(2.0, order / 2.0) * std::exp(at) * std::sin(at + order * std::acos(-1.0) / 4);
    BOOST_TEST(y.item() == expected, boost::test_tools::tolerance(1e-12));
  }
}

BOOST_AUTO_TEST_CASE(a_gradient_penalty_trains_parameters) {
  Parameter w(matrix({0.5, -0.2, 0.1, 0.4}, 2, 2));
  const ParameterList list{{"w", &w}};
  const auto penalty = [&](const std::vector<Tensor>& in) {
    Tape* const tape = Tape::active();
    if (tape == nullptr) {
      Tape own;
      const Tensor x = own.watch(in[0]);
      const Tensor y = sum(tanh(matmul(x, w)));
      return sum(square(own.gradient(y, {x}, {.create_graph = true})[0])).detach();
    }
    const Tensor y = sum(tanh(matmul(in[0], w)));
    return sum(square(tape->gradient(y, {in[0]}, {.create_graph = true})[0]));
  };
  const auto result = gradcheck(penalty, {matrix({0.3, 0.7, -0.1, 0.2}, 2, 2)}, list);
  BOOST_TEST(result.passed, result.message);
}

BOOST_AUTO_TEST_CASE(columns_beside_each_other_that_leave_some_of_their_rows) {
  // A formula of two slices writes their gradients and clears the other columns. Then another
  // formula accumulates into these, or nothing does. Compared with products that pick the same
  // columns.
  const std::int64_t columns = 19;
  const auto picked = [&](const Tensor& z, std::int64_t begin, std::int64_t end, bool by_slice) {
    if (by_slice) {
      return slice(z, 1, begin, end);
    }
    Tensor pick = zeros({columns, end - begin}, DType::float64);
    for (std::int64_t c = begin; c < end; ++c) {
      pick.mutable_data<double>()[c * (end - begin) + c - begin] = 1;
    }
    return matmul(z, pick);
  };
  Rng rng(5);
  const Tensor values = rng.normal({4, 3, columns}, 0, 1, DType::float64);
  const Tensor weights = rng.normal({3, 6}, 0, 1, DType::float64);
  const auto gradient = [&](bool by_slice) {
    Tape tape;
    const Tensor z = tape.watch(values);
    Tensor loss = scalar(0, DType::float64);
    for (std::int64_t t = 0; t < 4; ++t) {
      const Tensor step = select(z, 0, t);
      const Tensor third = sin(picked(step, 13, 19, by_slice));
      const Tensor a = picked(step, 7, 13, by_slice);
      const Tensor b = picked(step, 0, 6, by_slice);
      loss = loss +
             sum(weights * fuse(
                               "pair", [](auto x, auto y) { return tanh(x) * y; }, a, b)) +
             (t % 2 == 0 ? sum(weights * third * third) : sum(third * b));
    }
    return tape.gradient(loss, {z})[0];
  };
  BOOST_TEST(max(abs(gradient(true) - gradient(false))).item() < 1e-14);
}

BOOST_AUTO_TEST_CASE(views_in_any_order_and_overlap_give_the_gradients_of_copies) {
  // Each function takes x [4, 6] apart through views; with `copy`, every part is first cloned by an
  // operation.
  using Function = std::function<Tensor(const Tensor&, bool)>;
  const auto part = [](const Tensor& t, bool copy) { return copy ? t * 1.0 : t; };
  const std::vector<Function> functions{
      [&](const Tensor& x, bool copy) {  // rows forwards, backwards, with a gap
        Tensor total = scalar(0, DType::float64);
        for (const int row : {0, 1, 3}) {
          total = total + sum(sin(part(select(x, 0, row), copy)) * (1.0 + row));
        }
        return total;
      },
      [&](const Tensor& x, bool copy) {
        Tensor total = scalar(0, DType::float64);
        for (const int row : {3, 0, 2, 1, 2}) {
          total = total + sum(square(part(select(x, 0, row), copy)) * (1.0 + row));
        }
        return total;
      },
      [&](const Tensor& x, bool copy) {  // gates: columns that tile the rows
        const auto [a, b, c] = split<3>(x);
        return sum(fuse([](auto i, auto j, auto k) { return sin(i) * j + k * k * i; },
                        part(a, copy), part(b, copy), part(c, copy)));
      },
      [&](const Tensor& x, bool copy) {  // gates of rows, then the whole again
        const Tensor top = slice(x, 0, 0, 2);
        const auto [a, b] = split<2>(top);
        return sum(part(a, copy) * part(b, copy)) + sum(x * x * x);
      },
      [&](const Tensor& x, bool copy) {  // overlapping rows in one operation
        return sum(fuse([](auto i, auto j) { return sin(i) * j; }, part(slice(x, 0, 0, 3), copy),
                        part(slice(x, 0, 1, 4), copy)));
      },
      [&](const Tensor& x, bool copy) {  // overlapping columns
        return sum(fuse([](auto i, auto j) { return sin(i) * j; }, part(slice(x, 1, 0, 4), copy),
                        part(slice(x, 1, 2, 6), copy)));
      },
      [&](const Tensor& x, bool copy) {  // the same view twice
        const Tensor a = part(slice(x, 1, 1, 3), copy);
        return sum(fuse([](auto i, auto j) { return sin(i) * j; }, a, a));
      },
      [&](const Tensor& x, bool copy) {  // only a part is used
        return sum(exp(part(slice(slice(x, 0, 1, 3), 1, 2, 4), copy)));
      },
      [&](const Tensor& x, bool copy) {  // reshapes and a product
        const Tensor a = part(reshape(x, {6, 4}), copy);
        return sum(matmul(a, part(slice(x, 1, 0, 3), copy)));
      },
  };
  const Tensor value = matrix({.1,  .2,  .3,  .4,  .5,  .6,  .7,  .8,  .9,  1.,  1.1, 1.2,
                               1.3, 1.4, 1.5, -.1, -.2, -.3, -.4, -.5, -.6, -.7, -.8, -.9},
                              4, 6);
  for (std::size_t i = 0; i < functions.size(); ++i) {
    BOOST_TEST_CONTEXT("function " << i) {
      std::vector<std::vector<double>> gradients;
      for (const bool copy : {false, true}) {
        Tape tape;
        const Tensor x = tape.watch(value);
        gradients.push_back(tape.gradient(functions[i](x, copy), {x})[0].to_vector<double>());
      }
      for (std::size_t k = 0; k < gradients[0].size(); ++k) {
        BOOST_TEST(gradients[0][k] == gradients[1][k], boost::test_tools::tolerance(1e-12));
      }
      const auto f = [&](const std::vector<Tensor>& in) { return functions[i](in[0], false); };
      const auto first = gradcheck(f, {value});
      BOOST_TEST(first.passed, first.message);
      const auto second = gradgradcheck(f, {value});
      BOOST_TEST(second.passed, second.message);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
