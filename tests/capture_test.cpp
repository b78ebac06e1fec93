// Captured plans against the functions that they were captured from: every operation and its
// gradient, random programs, and what cannot be captured.

#include <algorithm>
#include <cmath>
#include <set>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/capture/plan.hpp>
#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/kernels/threads.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/dropout.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/launch.hpp>
#include <rewind/optim/sgd.hpp>

#include "operation_table.hpp"
#include "support/counted_allocations.hpp"
#include "support/messages.hpp"
#include "support/random_program.hpp"

using namespace rw;
using rw::testing::contains;
using rw::testing::Operation;
using rw::testing::Sample;

namespace {

using Function = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

Plan captured(const Function& function, const std::vector<Tensor>& inputs) {
  Capture capture(inputs);
  std::vector<Tensor> own;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    own.push_back(capture.input(i));
  }
  return capture.finish(function(own));
}

/// Other values in the same domain.
std::vector<Tensor> changed(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    result.push_back(is_floating(input.dtype()) ? input * 0.9921875 : input.clone());
  }
  return result;
}

void write(Plan& plan, const std::vector<Tensor>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    dispatch(inputs[i].dtype(), [&](auto type) {
      using T = decltype(type);
      std::ranges::copy(inputs[i].to_vector<T>(), plan.input_data<T>(i));
    });
  }
}

/// The largest difference, relative to the largest value; infinite where NaN and infinities differ.
double difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) {
    return HUGE_VAL;
  }
  double largest = 0;
  double apart = 0;
  dispatch(a.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto left = a.to_vector<T>();
    const auto right = b.to_vector<T>();
    for (std::size_t i = 0; i < left.size(); ++i) {
      const auto x = static_cast<double>(left[i]);
      const auto y = static_cast<double>(right[i]);
      if (std::isfinite(x) && std::isfinite(y)) {
        largest = std::max(largest, std::abs(x));
        apart = std::max(apart, std::abs(x - y));
      } else if (!(x == y || (std::isnan(x) && std::isnan(y)))) {
        apart = HUGE_VAL;
      }
    }
  });
  return apart == 0 ? 0 : apart / std::max(largest, 1e-300);
}

/// Captures with some values, runs with others, and compares with a call.
void check_capture(const std::string& what, const Function& function,
                   const std::vector<Tensor>& inputs, double tolerance = 1e-12) {
  Plan plan = captured(function, inputs);
  const std::vector<Tensor> others = changed(inputs);
  write(plan, others);
  plan.run();
  plan.run();  // nothing of the first run is left
  const std::vector<Tensor> expected = function(others);
  BOOST_REQUIRE(plan.output_count() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double apart = difference(expected[i], plan.output(i));
    BOOST_TEST(apart <= tolerance, what << ", output " << i << ": " << apart);
  }
}

/// The operations that compute on the host or draw numbers (Note [Launches]).
const std::set<std::string> refused_operations{
    "ctc_loss",     "dropout",         "mask_steps", "sequence_cross_entropy",
    "sequence_mse", "sequence_reduce", "sort",       "topk",
};

const rw::testing::Table& table() {
  static const rw::testing::Table all = rw::testing::operation_table();
  return all;
}

/// The gradients of a weighted sum of a sample's result.
Function gradients_of(const Sample& sample) {
  return [&sample](const std::vector<Tensor>& inputs) {
    Tape tape;
    std::vector<Tensor> watched;
    std::vector<TensorRef> refs;
    for (const Tensor& input : inputs) {
      watched.push_back(tape.watch(input));
    }
    for (const Tensor& each : watched) {
      refs.emplace_back(each);
    }
    const Tensor y = sample.function(watched);
    return tape.gradient(sum(y * y + 3 * y), refs);
  };
}

/// Replays what `function_of` makes of each sample; only the operations above may be refused.
void check_table(const std::function<Function(const Sample&)>& function_of) {
  std::set<std::string> refused;
  int replayed = 0;
  for (const Operation& row : table()) {
    for (const Sample& sample : row.samples) {
      try {
        check_capture(row.name, function_of(sample), sample.inputs);
        ++replayed;
      } catch (const UsageError& error) {
        BOOST_TEST(contains(error.what(), "capture: "), row.name << ": " << error.what());
        refused.insert(row.name);
      }
    }
  }
  BOOST_TEST(replayed > 500);
  BOOST_TEST(fmt::format("{}", fmt::join(refused, " ")) ==
             fmt::format("{}", fmt::join(refused_operations, " ")));
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_operation_is_replayed_or_refused) {
  check_table([](const Sample& sample) -> Function {
    return [&sample](const std::vector<Tensor>& x) { return std::vector{sample.function(x)}; };
  });
}

BOOST_AUTO_TEST_CASE(every_gradient_is_replayed_or_refused) { check_table(gradients_of); }

BOOST_AUTO_TEST_CASE(host_reads_and_random_draws_are_refused_by_name) {
  const Tensor x = Tensor::of({1, 2, 3});
  Rng rng(1);
  const auto refusal = [&](auto function) {
    try {
      capture(function, x);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("captured");
  };
  BOOST_TEST(
      contains(refusal([](const Tensor& a) { return sum(a).item() > 0 ? a : -a; }), "item()"));
  BOOST_TEST(contains(
      refusal([](const Tensor& a) { return Tensor::from<float>({3}, a.to_vector<float>()); }),
      "to_vector()"));
  BOOST_TEST(contains(refusal([&](const Tensor& a) { return dropout(a, 0.5, rng); }), "draws"));
  BOOST_TEST(contains(
      refusal([&](const Tensor& a) {
        Tensor y = zeros({3});
        const float* const from = a.data<float>();
        std::transform(from, from + 3, y.mutable_data<float>(), [](float v) { return 2 * v; });
        return record("twice", {a}, std::move(y), saved(), [](const Tensor&, Gradients&) {});
      }),
      "'twice'"));
  Parameter weight(ones({3}));
  Sgd optimizer({{"w", &weight}}, {.learning_rate = 0.1});
  weight.set_grad(ones({3}));
  BOOST_TEST(contains(refusal([&](const Tensor& a) {
                        optimizer.step();
                        return a * weight;
                      }),
                      "optimizer takes a step"));
  BOOST_TEST(contains(refusal([&](const Tensor& a) {
                        weight.assign(a);
                        return a * weight;
                      }),
                      "assign()"));
  BOOST_TEST((weight.value().to_vector<float>() == std::vector<float>{1, 1, 1}));
  // After a refusal the thread computes as before.
  BOOST_TEST(sum(x + x).item() == 12);
  BOOST_TEST(refusal([](const Tensor& a) { return a * a; }) == "captured");
}

BOOST_AUTO_TEST_CASE(an_operation_of_the_user_is_captured_without_a_line_of_its_own) {
  const auto reversed = [](const Tensor& a) {
    Tensor y = zeros(a.shape());
    launch([from = a.data<float>(), to = y.mutable_data<float>(), n = a.elements()] {
      std::reverse_copy(from, from + n, to);
    });
    return record("reversed", {a}, std::move(y), saved(), [](const Tensor&, Gradients&) {});
  };
  Plan plan = capture([&](const Tensor& a) { return reversed(a) + 1; }, Tensor::of({1, 2, 3}));
  std::ranges::copy(std::vector<float>{5, 6, 7}, plan.input_data<float>(0));
  plan.run();
  BOOST_TEST((plan.output(0).to_vector<float>() == std::vector<float>{8, 7, 6}));
}

BOOST_AUTO_TEST_CASE(weights_are_read_at_capture_and_by_refresh) {
  Parameter weight(Tensor::of({{1, 2}, {3, 4}}));
  Parameter bias(Tensor::of({10, 20}));
  Plan plan = capture([&](const Tensor& x) { return addmm(bias, x, weight); },
                      Tensor::of(NestedNumbers{{1, 1}}));
  plan.run();
  BOOST_TEST((plan.output(0).to_vector<float>() == std::vector<float>{14, 26}));
  weight.assign(Tensor::of({{2, 2}, {2, 2}}));
  bias.assign(Tensor::of({0, 1}));
  plan.run();
  BOOST_TEST((plan.output(0).to_vector<float>() == std::vector<float>{14, 26}));
  plan.refresh();
  plan.run();
  BOOST_TEST((plan.output(0).to_vector<float>() == std::vector<float>{4, 5}));
}

BOOST_AUTO_TEST_CASE(merged_products_read_what_was_there_when_they_ran) {
  Rng rng(1);
  const Tensor bias = rng.normal({8}), w = rng.normal({3, 8}), v = rng.normal({4, 4});
  for (const std::int64_t rows : {1, 2}) {
    check_capture(
        "a factor that is part of the result",
        [&](const std::vector<Tensor>& in) {
          auto [a, b] = split<2>(addmm(bias, in[0], w));
          return std::vector{addmm(std::move(a), b, v)};
        },
        {rng.normal({rows, 3})}, 1e-5);
  }
  // Infinities stay in their own columns.
  const Tensor six = rng.normal({6}), left = rng.normal({3, 4}), right = ones({2, 2});
  check_capture(
      "infinite factors",
      [&](const std::vector<Tensor>& in) {
        return std::vector{addmm_columns(addmm_columns(six, in[0], left, 0), in[1], right, 4)};
      },
      {rng.normal({1, 3}), full({1, 2}, HUGE_VAL)}, 1e-5);
}

BOOST_AUTO_TEST_CASE(what_the_capture_did_not_make_is_not_overwritten) {
  const Tensor w = ones({2, 2});
  Tensor outside = zeros({1, 2});
  Plan plan =
      capture([&](const Tensor& x) { return addmm(std::move(outside), x, w); }, zeros({1, 2}));
  std::fill_n(plan.input_data<float>(0), 2, 1.0F);
  plan.run();
  plan.run();
  BOOST_TEST((plan.output(0).to_vector<float>() == std::vector<float>{2, 2}));
}

BOOST_AUTO_TEST_CASE(host_results_that_look_like_overwritten_memory_are_refused_too) {
  const auto negated = [](const Tensor& x) {
    Tensor y = zeros({1}, DType::int64);
    *y.mutable_data<std::int64_t>() = -*x.data<std::int64_t>();
    return record("negated", {x}, std::move(y), saved(), [](const Tensor&, Gradients&) {});
  };
  BOOST_CHECK_THROW(capture(negated, Tensor::from<std::int64_t>({1}, {1})), UsageError);
}

BOOST_AUTO_TEST_CASE(constants_made_in_the_function_come_back) {
  const auto f = [](const Tensor& x) {
    const Tensor table = Tensor::of({{1, 2}, {3, 4}, {5, 6}});
    const Tensor order = Tensor::from<std::int64_t>({3}, {2, 0, 1});
    return std::vector{x + index_select(table, order, 0) + full({3, 2}, 0.5) +
                       arange(2, DType::float32)};
  };
  check_capture("constants", [&](const std::vector<Tensor>& x) { return f(x[0]); }, {ones({3, 2})});
}

BOOST_AUTO_TEST_CASE(an_index_out_of_range_is_an_error_in_a_run_too) {
  const Tensor table = Tensor::of({{1, 2}, {3, 4}});
  Plan plan = capture([&](const Tensor& i) { return embedding(table, i); },
                      Tensor::from<std::int64_t>({1}, {1}));
  *plan.input_data<std::int64_t>(0) = 2;
  BOOST_CHECK_THROW(plan.run(), ShapeError);
  *plan.input_data<std::int64_t>(0) = 0;
  plan.run();
  BOOST_TEST((plan.output(0).to_vector<float>() == std::vector<float>{1, 2}));
}

BOOST_AUTO_TEST_CASE(random_programs_and_their_gradients_are_replayed) {
  int replayed = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    rw::testing::RandomProgram program(seed, DType::float64);
    program.run(rw::testing::Way::as_written);
    const auto gradients = [&] {
      Tape tape;
      std::vector<TensorRef> refs;
      for (const Parameter& parameter : program.parameters()) {
        refs.emplace_back(parameter);
      }
      const Tensor loss = program.run(rw::testing::Way::as_written);
      std::vector<Tensor> results = tape.gradient(loss, refs);
      results.push_back(loss.detach());
      return results;
    };
    try {
      Plan plan = captured([&](const std::vector<Tensor>&) { return gradients(); }, {});
      for (Parameter& parameter : program.parameters()) {
        parameter.assign(parameter.value().detach() * 0.9921875);
      }
      plan.refresh();
      plan.run();
      const std::vector<Tensor> expected = gradients();
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const double apart = difference(expected[i], plan.output(i));
        BOOST_TEST(apart <= 1e-10, "seed " << seed << ", result " << i << ": " << apart << "\n"
                                           << program.text());
      }
      ++replayed;
    } catch (const UsageError& error) {
      BOOST_TEST(contains(error.what(), "capture: "), "seed " << seed << ": " << error.what());
    }
  }
  BOOST_TEST(replayed > 100, replayed << " of 150 replayed");
}

BOOST_AUTO_TEST_CASE(a_run_allocates_nothing_and_records_nothing) {
  Rng rng(1);
  const Tensor w = rng.normal({64, 64});
  Plan plan = capture([&](const Tensor& x) { return tanh(matmul(tanh(matmul(x, w)), w)); },
                      rng.normal({4, 64}));
  Tape tape;
  const std::int64_t before = rw::testing::heap_allocations;
  const std::int64_t live = memory_statistics().live_bytes;
  for (int i = 0; i < 100; ++i) {
    plan.run();
  }
  BOOST_TEST(rw::testing::heap_allocations == before);
  BOOST_TEST(memory_statistics().live_bytes == live);
  BOOST_TEST(tape.operations() == 0);
}

BOOST_AUTO_TEST_CASE(a_plan_outlives_its_thread_and_moves_to_another) {
  std::optional<Plan> plan;
  Tensor output;
  std::thread([&] {
    plan.emplace(capture([](const Tensor& x) { return exp(x) + x; }, zeros({100})));
    output = plan->output(0);
  }).join();
  Plan moved = std::move(*plan);
  plan.reset();
  moved.run();
  BOOST_TEST(sum(output).item() == 100);
  std::thread([last = std::move(moved)]() mutable { last.run(); }).join();
  BOOST_TEST(sum(output).item() == 100);  // a tensor that outlives the plan
}

BOOST_AUTO_TEST_CASE(memory_of_a_plan_is_not_used_by_others) {
  Tensor kept;
  Plan plan = capture(
      [&](const Tensor& x) {
        const Tensor y = x * 2;
        return y + 1;
      },
      ones({1000}));
  for (int i = 0; i < 50; ++i) {
    const Tensor other = full({1000}, i);
    plan.run();
    BOOST_TEST(sum(other).item() == 1000.0 * i);
    BOOST_TEST(sum(plan.output(0)).item() == 3000);
  }
}

BOOST_AUTO_TEST_CASE(captures_do_not_nest_and_end_with_an_exception) {
  const Tensor x = ones({2});
  BOOST_CHECK_THROW(
      capture(
          [&](const Tensor& a) { return capture([](const Tensor& b) { return b; }, a).output(0); },
          x),
      UsageError);
  BOOST_CHECK_THROW(
      capture([](const Tensor& a) -> Tensor { throw ShapeError(fmt::format("{}", a.shape())); }, x),
      ShapeError);
  BOOST_TEST(sum(x).item() == 2);
  Plan plan = capture([](const Tensor& a) { return a + 1; }, x);
  BOOST_CHECK_THROW(plan.input(1), UsageError);
  BOOST_CHECK_THROW(plan.output(1), UsageError);
  const Plan moved = std::move(plan);
  BOOST_CHECK_THROW(plan.run(), UsageError);      // NOLINT(bugprone-use-after-move)
  BOOST_CHECK_THROW(plan.refresh(), UsageError);  // NOLINT(bugprone-use-after-move)
  BOOST_CHECK_THROW(plan.input(0), UsageError);   // NOLINT(bugprone-use-after-move)
}
