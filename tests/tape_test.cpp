// The tape: what is recorded, what backward gives, and every way to use it wrongly.
#include <cmath>
#include <limits>
#include <memory>
#include <thread>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>

using namespace rw;

namespace {

Tensor matrix(std::initializer_list<double> values, std::int64_t rows, std::int64_t columns) {
  return Tensor::from<double>({rows, columns}, values);
}

/// Runs `body`, which must throw E, and returns the message.
template <class E, class Body>
std::string message_of(Body&& body) {
  try {
    body();
  } catch (const E& error) {
    return error.what();
  }
  BOOST_ERROR("expected an exception");
  return {};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recording)

BOOST_AUTO_TEST_CASE(nothing_is_recorded_without_a_tape) {
  const Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  const Tensor y = tanh(matmul(w, w));
  BOOST_TEST(!y.requires_grad());
  Tape tape;
  BOOST_TEST(!y.requires_grad());
  BOOST_TEST(tape.operations() == 0);
}

BOOST_AUTO_TEST_CASE(everything_is_released_with_the_tape) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  const std::int64_t live = memory_statistics().live_bytes;
  for (const bool off_the_path : {false, true}) {
    for (const bool backward : {false, true}) {
      {
        Tape tape;
        if (off_the_path) {
          tanh(matmul(w, w)) * w;  // recorded, but the root does not depend on it
        }
        const Tensor loss = sum(tanh(w * w));
        if (backward) {
          tape.backward(loss);
        }
        tanh(w);
      }
      w.zero_grad();
      BOOST_TEST(memory_statistics().live_bytes == live);
    }
  }
  for (const bool after : {false, true}) {
    {
      Tape tape;
      tanh(matmul(w, w)) * w;
      tape.backward(sum(w * w));
      if (after) {
        tanh(w);
      }
    }
    w.zero_grad();
    BOOST_TEST(memory_statistics().live_bytes == live);
  }
}

BOOST_AUTO_TEST_CASE(only_what_needs_a_gradient_is_recorded) {
  const Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Parameter frozen(matrix({1, 2, 3, 4}, 2, 2), false);
  const Tensor constant = matrix({1, 1, 1, 1}, 2, 2);
  Tape tape;
  const Tensor a = constant * 2.0;
  const Tensor b = matmul(frozen, constant);
  BOOST_TEST(tape.operations() == 0);
  BOOST_TEST(!a.requires_grad());
  BOOST_TEST(!b.requires_grad());
  const Tensor c = a * w;
  BOOST_TEST(tape.operations() == 1);
  BOOST_TEST(c.requires_grad());
  BOOST_TEST(!c.detach().requires_grad());
  {
    const StopRecording stop;
    BOOST_TEST(!(c * 2.0).requires_grad());
  }
  BOOST_TEST(tape.operations() == 1);
}

BOOST_AUTO_TEST_CASE(views_are_no_operations) {
  const Parameter w(zeros({4, 6}, DType::float64));
  Tape tape;
  const auto parts = split<3>(w);
  const Tensor row = select(w, 0, 1);
  const Tensor flat = reshape(w, {24});
  BOOST_TEST(tape.operations() == 0);
  BOOST_TEST(parts[1].requires_grad());
  BOOST_TEST(row.requires_grad());
  BOOST_TEST(flat.requires_grad());
}

BOOST_AUTO_TEST_CASE(names_and_picture) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  w.set_name("cell/w_h");
  Tape tape;
  const Tensor loss = sum(tanh(matmul(w, w)));
  const std::vector<std::string> expected{"matmul", "tanh", "sum"};
  BOOST_TEST(tape.operation_names() == expected, boost::test_tools::per_element());
  const std::string dot = tape.to_dot();
  BOOST_TEST(contains(dot, "digraph"));
  BOOST_TEST(contains(dot, "cell/w_h"));
  BOOST_TEST(contains(dot, "tanh"));
  BOOST_TEST(contains(dot, "->"));
}

BOOST_AUTO_TEST_CASE(a_picture_names_every_parameter_and_explains_its_lines) {
  Parameter w(zeros({2, 4}));
  Parameter b(zeros({2, 2}));
  Parameter named(zeros({2, 2}));
  named.set_name("a \"quoted\" name");
  Tape tape;
  const auto [left, right] = split<2>(w);
  const Tensor y = left * right + b + named;
  const std::string dot = tape.to_dot();
  BOOST_TEST(contains(dot, "label=\"parameter 1\\n[2, 4]\", shape=ellipse"));
  BOOST_TEST(contains(dot, "label=\"parameter 2\\n[2, 2]\", shape=ellipse"));
  BOOST_TEST(contains(dot, "label=\"a \\\"quoted\\\" name\\n[2, 2]\""));
  BOOST_TEST(contains(dot, "label=\"legend\""));
  BOOST_TEST(contains(dot, "a view\", style=dashed"));
}

BOOST_AUTO_TEST_CASE(a_tensor_outlives_its_tape_as_a_constant) {
  const Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tensor y;
  {
    Tape tape;
    y = w * 3.0;
  }
  BOOST_TEST(y.to_vector<double>()[3] == 12.0);
  Tape tape;
  BOOST_TEST(!y.requires_grad());
  const Tensor z = y * w;
  BOOST_TEST(tape.operations() == 1);
  const auto text = message_of<UsageError>([&] { tape.backward(sum(y)); });
  BOOST_TEST(contains(text, "not recorded"));
  const auto other = message_of<UsageError>([&] { static_cast<void>(tape.gradient(sum(z), {y})); });
  BOOST_TEST(contains(other, "not on this tape"));
}

BOOST_AUTO_TEST_CASE(the_innermost_tape_records_and_tapes_end_in_any_order) {
  const Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  auto outer = std::make_unique<Tape>();
  const Tensor a = w * 2.0;
  auto inner = std::make_unique<Tape>();
  BOOST_TEST(Tape::active() == inner.get());
  BOOST_CHECK_THROW(a * 2.0, UsageError);  // recorded on a tape that is still alive
  const Tensor b = a.detach() * w;
  BOOST_TEST(inner->operations() == 1);
  outer.reset();
  BOOST_TEST(Tape::active() == inner.get());
  const Tensor c = a * b;  // the outer tape has ended: `a` is a constant
  BOOST_TEST(inner->operations() == 2);
  inner.reset();
  BOOST_TEST(Tape::active() == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

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
  // A copy carries the gradient on.
  Tape tape;
  const Tensor x = tape.watch(matrix({1, 2, 3, 4}, 2, 2));
  const Tensor z = square(x);
  const auto d = tape.gradient(sum(z * z), {z, x, z}, {.create_graph = true});
  const Tensor second = tape.gradient(sum(d[2]), {x})[0];  // 2 z, by x
  BOOST_TEST(second.to_vector<double>() == (std::vector<double>{4, 8, 12, 16}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_gradient_is_written_over_the_one_that_it_comes_from) {
  // Unless somebody still wants that one, as `middle` and what both operands share here.
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

/// Small whole numbers, with which every order of summation gives the same.
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
  // Rows of 4 KiB and more are read from a copy of another layout (Note [Packed weights]).
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
  // Note [Rows of a multiple of 4 KiB]. Both orders of gradients, in place and not; float64 has no
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
  // A formula of two slices writes their gradients and clears what it leaves; another one adds to
  // that later, or nothing does. Against products that pick the same columns.
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
  // Each function takes x [4, 6] apart through views; with `copy` every part is cloned by an
  // operation first.
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
      [&](const Tensor& x, bool copy) {  // gates of rows, then the whole once more
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

BOOST_AUTO_TEST_SUITE(mistakes)

BOOST_AUTO_TEST_CASE(a_saved_tensor_that_was_changed) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Parameter other(matrix({1, 2, 3, 4}, 2, 2));
  w.set_name("cell/w_h");
  Tape tape;
  const Tensor loss = sum(matmul(w, w)) + sum(other * 2.0);
  w.mutable_data<double>()[0] = 5.0;
  const auto text = message_of<UsageError>([&] { tape.backward(loss); });
  BOOST_TEST(contains(text, "'matmul'"));
  BOOST_TEST(contains(text, "'cell/w_h'"));
  BOOST_TEST(contains(text, "[2, 2]"));
  BOOST_TEST(contains(text, "version"));
  BOOST_TEST(!w.has_grad());
  BOOST_TEST(!other.has_grad());
}

// The advice of the message above.
BOOST_AUTO_TEST_CASE(a_clone_may_be_saved_and_its_original_changed) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor copy = w.value().clone();
  const Tensor loss = sum(square(copy));
  w.mutable_data<double>()[0] = 5.0;
  tape.backward(loss);
  BOOST_TEST(w.grad().to_vector<double>() == (std::vector<double>{2, 4, 6, 8}),
             boost::test_tools::per_element());
  Tensor x = tape.watch(matrix({1, 2, 3, 4}, 2, 2));
  const Tensor squares = square(x.clone());
  x.mutable_data<double>()[0] = 5.0;
  const Tensor g = tape.gradient(sum(squares), {x})[0];
  BOOST_TEST(g.to_vector<double>()[0] == 2.0);
}

BOOST_AUTO_TEST_CASE(a_detached_tensor_of_an_outer_tape_is_a_constant) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  const Tape outer;
  const Tensor y = w * 2.0;
  Tape inner;
  const auto text = message_of<UsageError>([&] { static_cast<void>(y * w); });
  BOOST_TEST(contains(text, "detach()"));
  inner.backward(sum(y.detach() * w));
  BOOST_TEST(w.grad().to_vector<double>()[3] == 8.0);
}

BOOST_AUTO_TEST_CASE(copies_that_the_library_makes_are_not_recorded) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  w.set_grad(w);
  Tape tape;
  const Tensor y = w * 2.0;
  const Parameter copy = w;
  const Parameter of_result(y);
  const Parameter of_columns(slice(y, 1, 0, 1));
  static_cast<void>(argmax(y));
  static_cast<void>(slice(y, 1, 0, 1).to_vector<double>());
  BOOST_TEST(tape.operations() == 1);
}

BOOST_AUTO_TEST_CASE(a_changed_tensor_that_no_rule_reads_is_fine) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor loss = sum(w + 1.0);
  w.mutable_data<double>()[0] = 5.0;
  tape.backward(loss);
  BOOST_TEST(w.grad().to_vector<double>()[0] == 1.0);
}

BOOST_AUTO_TEST_CASE(a_second_backward_needs_retain) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor loss = sum(w * w);
  tape.backward(loss, {.retain = true});
  tape.backward(loss);
  BOOST_TEST(w.grad().to_vector<double>()[1] == 8.0);
  const auto text = message_of<UsageError>([&] { tape.backward(loss); });
  BOOST_TEST(contains(text, "retain"));
  BOOST_TEST(w.grad().to_vector<double>()[1] == 8.0);
}

BOOST_AUTO_TEST_CASE(a_root_that_depends_on_nothing) {
  Tape tape;
  BOOST_CHECK_THROW(tape.backward(scalar(1.0)), UsageError);
  BOOST_CHECK_THROW(static_cast<void>(tape.gradient(scalar(1.0), {scalar(2.0)})), UsageError);
  BOOST_CHECK_THROW(tape.watch(arange(3)), UsageError);
  BOOST_CHECK_THROW(static_cast<void>(Tensor().shape()), UsageError);
}

BOOST_AUTO_TEST_CASE(a_tape_belongs_to_its_thread) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor loss = sum(w * w);
  std::string from_backward;
  std::string from_use;
  std::thread([&] {
    from_backward = message_of<UsageError>([&] { tape.backward(loss); });
    Tape own;
    from_use = message_of<UsageError>([&] { static_cast<void>(loss * w); });
  }).join();
  BOOST_TEST(contains(from_backward, "another thread"));
  BOOST_TEST(contains(from_use, "another tape"));
  BOOST_TEST(!w.has_grad());
  tape.backward(loss);
  BOOST_TEST(w.has_grad());
}

BOOST_AUTO_TEST_CASE(a_rule_that_throws_changes_no_gradient) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Parameter v(matrix({1, 2, 3, 4}, 2, 2));
  {
    Tape tape;
    tape.backward(sum(w * w));
  }
  const std::vector<double> before = w.grad().to_vector<double>();
  Tape tape;
  const Tensor bad = record("bad", {w}, w.value() * 1.0, saved(), [](const Tensor&, Gradients& d) {
    d.add(0, []() -> Tensor { throw std::bad_alloc(); });
  });
  BOOST_CHECK_THROW(tape.backward(sum(bad) + sum(v * v) + sum(w * 2.0)), std::bad_alloc);
  BOOST_TEST(w.grad().to_vector<double>() == before, boost::test_tools::per_element());
  BOOST_TEST(!v.has_grad());
  // The tape and the parameters stay usable.
  tape.backward(sum(v * v));
  BOOST_TEST(v.grad().to_vector<double>()[0] == 2.0);
}

BOOST_AUTO_TEST_CASE(a_rule_with_a_wrong_shape_is_named) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor y = record(
      "careless", {w}, w.value() * 1.0, saved(),
      [](const Tensor&, Gradients& d) { d.add(0, [] { return zeros({3}, DType::float64); }); });
  const auto text = message_of<ShapeError>([&] { tape.backward(sum(y)); });
  BOOST_TEST(contains(text, "careless"));
  BOOST_TEST(contains(text, "[3]"));
}

BOOST_AUTO_TEST_CASE(mixed_types_and_shapes_that_do_not_fit) {
  const Tensor a = zeros({2, 3});
  const Tensor b = zeros({2, 3}, DType::float64);
  BOOST_CHECK_THROW(a + b, UsageError);
  BOOST_CHECK_THROW(matmul(a, transposed(b)), UsageError);
  BOOST_CHECK_THROW(a + arange(3), UsageError);
  BOOST_TEST(contains(message_of<ShapeError>([&] {
                        static_cast<void>(a + zeros({2, 4}));
                      }),
                      "[2, 4]"));
  BOOST_TEST(contains(message_of<ShapeError>([&] { static_cast<void>(matmul(a, a)); }), "inner"));
  BOOST_CHECK_THROW((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), ShapeError);
  BOOST_CHECK_THROW((Shape{-1}), ShapeError);
}

BOOST_AUTO_TEST_CASE(anomaly_mode_names_the_first_bad_operation) {
  Parameter w(matrix({1, 0, 3, 4}, 2, 2));
  const AnomalyMode anomaly;
  Tape tape;
  const auto forward = message_of<NonFiniteError>([&] { static_cast<void>(sum(log(w) * 2.0)); });
  BOOST_TEST(contains(forward, "'log'"));
  const Tensor root = sqrt(w);  // finite, with an infinite slope at 0
  const auto backward = message_of<NonFiniteError>([&] { tape.backward(sum(root)); });
  BOOST_TEST(contains(backward, "'sqrt'"));
  BOOST_TEST(contains(backward, "gradient"));
  BOOST_TEST(contains(forward, "this operation made them"));
  BOOST_TEST(contains(backward, "this operation made them"));
  BOOST_TEST(!w.has_grad());
}

BOOST_AUTO_TEST_CASE(anomaly_mode_names_the_input_that_brought_a_nan) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Parameter w(matrix({1, std::nan(""), 3, infinity}, 2, 2));
  w.set_name("lstm/cell/w_h");
  const Tensor x = matrix({1, 2, 3, 4}, 2, 2);
  const Tensor bad = matrix({1, -infinity, 3, 4}, 2, 2);
  const AnomalyMode anomaly;
  const std::vector<std::string> messages{
      message_of<NonFiniteError>([&] { static_cast<void>(matmul(x, w)); }),
      message_of<NonFiniteError>([&] { static_cast<void>(x * w); }),
      message_of<NonFiniteError>([&] {
        static_cast<void>(fuse(
            "three", [](auto a, auto b, auto c) { return a * b + c; }, x, 2.0, w));
      })};
  for (const std::string& message : messages) {
    BOOST_TEST(
        contains(message, "parameter 'lstm/cell/w_h' [2, 2], already holds 1 NaN and 1 infinite"),
        message);
    BOOST_TEST(!contains(message, "finite, so"), message);
  }
  BOOST_TEST(contains(messages[1], "'mul'"));
  BOOST_TEST(contains(messages[1], "input 1"));
  BOOST_TEST(contains(messages[2], "input 2"));
  const auto of_input = message_of<NonFiniteError>([&] { static_cast<void>(concat({x, bad}, 0)); });
  BOOST_TEST(contains(of_input, "its input 1, [2, 2], already holds 0 NaN and 1 infinite"),
             of_input);
  const auto of_number = message_of<NonFiniteError>([&] { static_cast<void>(x + infinity); });
  BOOST_TEST(contains(of_number, "its input 1, a number, is inf"), of_number);
  // Made before the mode began, found on the way back.
  Parameter v(matrix({1, 2, 3, 4}, 2, 2));
  v.set_name("v");
  Tape tape;
  const Tensor finite = where(x > 0.0, v, v * 2.0);
  const auto of_seed = message_of<NonFiniteError>([&] { tape.backward(finite, {.seed = bad}); });
  BOOST_TEST(contains(of_seed, "the seed"), of_seed);
  BOOST_TEST(!v.has_grad());
}

BOOST_AUTO_TEST_CASE(anomaly_mode_names_a_saved_tensor_that_was_not_finite) {
  Parameter w(matrix({1, std::nan(""), 3, 4}, 2, 2));
  w.set_name("lstm/cell/w_h");
  const Tensor x = matrix({1, 2, 3, 4}, 2, 2);
  Tape tape;
  const Tensor watched = tape.watch(x);
  const Tensor loss = sum(watched * w);
  const AnomalyMode anomaly;
  const auto message =
      message_of<NonFiniteError>([&] { static_cast<void>(tape.gradient(loss, {watched})); });
  BOOST_TEST(contains(message, "the gradient that backward computed in 'mul'"), message);
  BOOST_TEST(contains(message, "it was computed from parameter 'lstm/cell/w_h' [2, 2], which"),
             message);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(parameters)

BOOST_AUTO_TEST_CASE(copies_are_independent) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  {
    Tape tape;
    tape.backward(sum(w * w));
  }
  Parameter copy = w;
  copy.mutable_data<double>()[0] = 9;
  BOOST_TEST(w.value().to_vector<double>()[0] == 1.0);
  copy.mutable_grad().mutable_data<double>()[0] = 7;
  BOOST_TEST(w.grad().to_vector<double>()[0] == 2.0);
  const Parameter moved = std::move(copy);
  BOOST_TEST(!copy.defined());
  BOOST_CHECK_THROW(copy.value(), UsageError);
  BOOST_TEST(moved.value().to_vector<double>()[0] == 9.0);
}

BOOST_AUTO_TEST_CASE(a_parameter_may_move_or_die_between_forward_and_backward) {
  auto w = std::make_unique<Parameter>(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor loss = sum(*w * *w);
  Parameter moved = std::move(*w);
  w.reset();
  tape.backward(loss, {.retain = true});
  BOOST_TEST(moved.grad().to_vector<double>()[1] == 4.0);
  moved = Parameter();
  tape.backward(loss);  // nobody is left to receive the gradient; nothing breaks
}

BOOST_AUTO_TEST_CASE(values_are_checked) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  w.set_name("w");
  BOOST_CHECK_THROW(w.assign(zeros({2, 2})), UsageError);
  const auto text = message_of<ShapeError>([&] { w.assign(zeros({4}, DType::float64)); });
  BOOST_TEST(contains(text, "'w'"));
  BOOST_TEST(w.value().to_vector<double>()[3] == 4.0);
  BOOST_CHECK_THROW(Parameter(arange(4)), UsageError);
}

BOOST_AUTO_TEST_SUITE_END()
