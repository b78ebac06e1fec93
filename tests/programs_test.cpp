// Random programs (support/random_program.hpp): gradients as written, with moves and views,
// compared with those of the same program without them, with create_graph, and with finite
// differences. REWIND_PROGRAMS sets how many are drawn, REWIND_FIRST_PROGRAM the number of the
// first.

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/layers/rnn.hpp>

#include "support/closeness.hpp"
#include "support/random_program.hpp"

namespace rw::testing {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Numbers of one run: the loss, then every gradient.
using NumberLists = std::vector<std::vector<double>>;

void append(NumberLists& numbers, const Tensor& x) {
  numbers.push_back(x.to(DType::float64).to_vector<double>());
}

std::vector<TensorRef> refs_of(RandomProgram& program) {
  std::vector<TensorRef> refs(program.parameters().begin(), program.parameters().end());
  refs.insert(refs.end(), program.kept().begin(), program.kept().end());
  return refs;
}

NumberLists by_backward(RandomProgram& program, Way way) {
  for (Parameter& parameter : program.parameters()) {
    parameter.zero_grad();
  }
  Tape tape;
  const Tensor loss = program.run(way);
  tape.backward(loss);
  NumberLists numbers;
  append(numbers, loss);
  for (const Parameter& parameter : program.parameters()) {
    append(numbers, parameter.has_grad() ? parameter.grad() : zeros_like(parameter));
  }
  return numbers;
}

NumberLists by_gradient(RandomProgram& program, Way way, bool create_graph) {
  Tape tape;
  const Tensor loss = program.run(way);
  NumberLists numbers;
  append(numbers, loss);
  const auto refs = refs_of(program);
  for (const Tensor& gradient : tape.gradient(loss, refs, {.create_graph = create_graph})) {
    append(numbers, gradient);
  }
  return numbers;
}

/// The largest difference among the first gradients that both have, relative to the largest number
/// or to 1.
double difference(const NumberLists& a, const NumberLists& b) {
  double largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double d = relative_difference(a[i], b[i]);
    largest = d <= largest ? largest : d;  // keeps a NaN
  }
  return largest;
}

/// The derivative of the loss along one direction of all parameters, by a five-point formula,
/// compared with the gradients.
double slope_difference(RandomProgram& program, const NumberLists& gradients, std::uint64_t seed) {
  constexpr double step = 2e-5;
  std::vector<Tensor> start;
  for (const Parameter& parameter : program.parameters()) {
    start.push_back(parameter.value().clone());
  }
  double slope = 0;
  double scale = 1;
  const auto direction = [&](std::size_t i, std::int64_t k) {
    return std::sin(static_cast<double>(seed % 1000) + 7.0 * static_cast<double>(i) +
                    3.0 * static_cast<double>(k));
  };
  const auto loss_at = [&](double h) {
    for (std::size_t i = 0; i < start.size(); ++i) {
      Tensor moved = start[i].clone();
      for (std::int64_t k = 0; k < moved.elements(); ++k) {
        moved.mutable_data<double>()[k] += h * direction(i, k);
      }
      program.parameters()[i].assign(moved);
    }
    return program.run(Way::as_written).item();
  };
  const double by_differences =
      (8 * (loss_at(step) - loss_at(-step)) - (loss_at(2 * step) - loss_at(-2 * step))) /
      (12 * step);
  static_cast<void>(loss_at(0));
  for (std::size_t i = 0; i < start.size(); ++i) {
    for (std::size_t k = 0; k < gradients[i + 1].size(); ++k) {
      const double part = gradients[i + 1][k] * direction(i, static_cast<std::int64_t>(k));
      slope += part;
      scale += std::abs(part);
    }
  }
  return std::abs(slope - by_differences) / scale;
}

/// Draws the program `seed` and compares the ways to run it; returns what is wrong.
std::string fault_of(std::uint64_t seed, DType dtype) {
  RandomProgram program(seed, dtype);
  const double tolerance = dtype == DType::float64 ? 1e-9 : 2e-4;
  std::string fault;
  const auto expect = [&](const char* what, double got, double most) {
    if (!(got <= most)) {
      fault += fmt::format("{}: {:.3g}, expected at most {:.3g}; ", what, got, most);
    }
  };
  try {
    {
      Tape tape;  // the first run makes the parameters
      static_cast<void>(program.run(Way::plain));
    }
    const NumberLists plain = by_backward(program, Way::plain);
    const NumberLists written = by_backward(program, Way::as_written);
    expect("as written", difference(written, plain), tolerance);
    const NumberLists again = by_backward(program, Way::as_written);
    if (again != written && difference(again, written) != 0) {
      fault += "the second run differs from the first; ";
    }
    const NumberLists graph = by_gradient(program, Way::as_written, true);
    expect("create_graph", difference(graph, plain), tolerance);
    const NumberLists chosen = by_gradient(program, Way::as_written, false);
    expect("gradient()", difference(chosen, by_gradient(program, Way::plain, false)), tolerance);
    expect("gradient() against create_graph", difference(chosen, graph), tolerance);
    if (dtype == DType::float64 && seed % 10 == 0) {
      expect("finite differences", slope_difference(program, written, seed), 1e-6);
    }
  } catch (const std::exception& error) {
    fault += fmt::format("threw: {}", error.what());
  }
  return fault.empty()
             ? fault
             : fmt::format("program {} in {}: {}\n{}", seed, name_of(dtype), fault, program.text());
}

BOOST_AUTO_TEST_CASE(a_tensor_that_was_read_may_be_moved_into_addmm) {
  const auto gradient_of_w = [](bool moves) {
    Rng rng(1);
    const Tensor x = rng.normal({4, 3}, 0, 1, DType::float64);
    const Tensor u = rng.normal({4, 3}, 0, 1, DType::float64);
    Parameter w(rng.normal({3, 3}, 0, 1, DType::float64));
    const Parameter v(rng.normal({3, 3}, 0, 1, DType::float64));
    Tape tape;
    Tensor c = matmul(x, v);
    const Tensor other = sum(c);  // reads c and saves nothing of it
    const Tensor y = moves ? addmm(std::move(c), u, w) : addmm(c, u, w);
    tape.backward(sum(sin(y)) + 10.0 * other);
    return w.grad();
  };
  BOOST_TEST(max(abs(gradient_of_w(true) - gradient_of_w(false))).item() < 1e-13);
}

BOOST_AUTO_TEST_CASE(the_state_of_a_run_may_be_moved_beside_its_outputs) {
  const auto gradient_of_w = [](bool moves) {
    Rng rng(2);
    RNN rnn({.input = 2, .hidden = 3, .dtype = DType::float64}, rng);
    Parameter w(rng.normal({3, 3}, 0, 1, DType::float64));
    Tape tape;
    auto [y, state] = rnn(rng.normal({1, 4, 2}, 0, 1, DType::float64));
    Tensor& h = state[0].h;
    const Tensor z = moves ? addmm(std::move(h), select(y, 0, 0), w) : addmm(h, select(y, 0, 0), w);
    tape.backward(sum(sin(z)) + 3.0 * sum(y));  // y is read after h was moved
    return w.grad();
  };
  BOOST_TEST(max(abs(gradient_of_w(true) - gradient_of_w(false))).item() < 1e-13);
}

BOOST_AUTO_TEST_CASE(empty_views_at_the_end_of_their_base_have_nothing_written) {
  for (std::int64_t n = 2; n < 40; ++n) {
    Tape tape;
    const Tensor x = tape.watch(ones({n, 8}));
    const auto [left, right] = split(x, {8, 0});
    const Tensor dx = tape.gradient(sum(square(left)) + sum(square(right)), {x})[0];
    BOOST_TEST(max(abs(dx - 2.0)).item() == 0);
    const Tensor z = tape.watch(ones({1, 2 * n}));
    const Tensor half = slice(slice(z, 0, 1, 1), 1, n, 2 * n);
    const Tensor dz = tape.gradient(sum(tanh(half)) + sum(square(z)), {z})[0];
    BOOST_TEST(max(abs(dz - 2.0)).item() == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_row_of_a_sum_in_place_may_be_read_in_another_shape) {
  const auto gradient_of = [](bool moves) {
    Rng rng(3);
    const Parameter v(rng.normal({5, 9}, 0, 1, DType::float64));
    const Tensor x = rng.normal({8, 5}, 0, 1, DType::float64);
    const Tensor a = rng.normal({8, 2}, 0, 1, DType::float64);
    const Tensor w = rng.normal({2, 4}, 0, 1, DType::float64);
    Tape tape;
    Tensor p = matmul(x, v);
    auto parts = moves ? split(std::move(p), {4, 5}) : split(p, {4, 5});
    const Tensor y = moves ? addmm(std::move(parts[0]), a, w) : addmm(parts[0], a, w);
    const Tensor column = reshape(slice(y, 0, 5, 6), {4, 1});
    return tape.gradient(sum(sin(y)) + sum(square(slice(column, 0, 2, 4))), {v})[0];
  };
  BOOST_TEST(max(abs(gradient_of(true) - gradient_of(false))).item() < 1e-13);
}

BOOST_AUTO_TEST_CASE(a_pointer_that_was_kept_may_be_written_through_between_products) {
  // Rows of 4 KiB: a tape keeps a copy of such a weight (Note [Packed weights]).
  Parameter w(ones({8, 1024}));
  float* const pointer = w.mutable_data<float>();
  const Tensor x = ones({16, 8});
  const Tape tape;
  for (int i = 1; i <= 4; ++i) {
    pointer[0] = static_cast<float>(i);
    BOOST_TEST(matmul(x, w).data<float>()[0] == static_cast<float>(7 + i));
  }
}

BOOST_AUTO_TEST_CASE(random_programs_have_the_gradients_of_their_plain_forms) {
  const std::uint64_t first = number_from("REWIND_FIRST_PROGRAM", 1);
  const std::uint64_t count = number_from("REWIND_PROGRAMS", 2000);
  std::uint64_t faults = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const std::string fault = fault_of(seed, seed % 4 == 3 ? DType::float32 : DType::float64);
    if (!fault.empty() && ++faults <= number_from("REWIND_SHOWN", 3)) {
      BOOST_ERROR(fault);
    }
  }
  BOOST_TEST_MESSAGE(fmt::format("{} programs, {} wrong", count, faults));
  BOOST_TEST(faults == 0U);
}

}  // namespace
}  // namespace rw::testing
