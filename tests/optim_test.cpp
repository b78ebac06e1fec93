// Optimisers against their published formulae, and what they do with unusable numbers.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <rewind/optim/ada_belief.hpp>
#include <rewind/optim/adagrad.hpp>
#include <rewind/optim/adam.hpp>
#include <rewind/optim/adamax.hpp>
#include <rewind/optim/clip.hpp>
#include <rewind/optim/lamb.hpp>
#include <rewind/optim/rms_prop.hpp>
#include <rewind/optim/sgd.hpp>

#include "optimizer_table.hpp"
#include "support/bytes_of.hpp"
#include "support/counted_allocations.hpp"
#include "support/messages.hpp"
#include "support/small_model.hpp"

namespace {

using namespace rw::testing;
using namespace rw;

constexpr int test_steps = 50;

std::string training_bytes(const ParameterList& list, const rw::Optimizer& optimizer) {
  return bytes_of(rw::state_of(list)) + bytes_of(optimizer.state());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rules)

BOOST_AUTO_TEST_CASE(agree_with_the_papers) {
  for (const OptimizerRow& rule : optimizer_table()) {
    for (const DType dtype : {DType::float64, DType::float32}) {
      Model model(dtype);
      const ParameterList list = rw::parameters(model);
      const auto optimizer = rule.make(list);
      std::vector<std::vector<double>> expected;
      std::vector<Reference> references;
      for (const auto& entry : list) {
        expected.push_back(entry.parameter->value().to(DType::float64).to_vector<double>());
        references.push_back(rule.reference());
      }
      double worst = 0;
      for (int t = 1; t <= test_steps; ++t) {
        set_gradients(list, t);
        optimizer->step();
        for (std::size_t k = 0; k < list.size(); ++k) {
          std::vector<double>& w = expected[k];
          std::vector<double> g(w.size());
          for (std::size_t i = 0; i < w.size(); ++i) {
            g[i] = gradient_at(w[i], i, t);
          }
          references[k](w, g, t);
          for (std::size_t i = 0; i < w.size(); ++i) {
            worst = std::max(worst, std::abs(value_of(*list[k].parameter, i) - w[i]));
          }
        }
      }
      BOOST_CHECK_EQUAL(optimizer->steps(), test_steps);
      BOOST_TEST_INFO(rule.name << " " << rw::name_of(dtype));
      BOOST_CHECK_LE(worst, dtype == DType::float64 ? 1e-12 : 1e-5);
    }
  }
}

BOOST_AUTO_TEST_CASE(learning_rate_takes_effect_at_the_next_step) {
  Model model(DType::float64);
  const ParameterList list = rw::parameters(model);
  rw::Sgd optimizer(list, {.learning_rate = 0.5});
  set_gradient(model.s, 1);
  const double start = value_of(model.s);
  optimizer.step();
  BOOST_CHECK_EQUAL(value_of(model.s), start - 0.5);
  optimizer.set_learning_rate(0.25);
  BOOST_CHECK_EQUAL(optimizer.learning_rate(), 0.25);
  optimizer.step();
  BOOST_CHECK_EQUAL(value_of(model.s), start - 0.75);
  for (const double bad : {-1.0, not_a_number, infinity}) {
    BOOST_CHECK_THROW(optimizer.set_learning_rate(bad), rw::UsageError);
  }
  BOOST_CHECK_EQUAL(optimizer.learning_rate(), 0.25);
}

BOOST_AUTO_TEST_CASE(frozen_and_unreached_parameters_stay) {
  for (const OptimizerRow& rule : optimizer_table()) {
    Model model(DType::float32);
    const ParameterList list = rw::parameters(model);
    const auto optimizer = rule.make(list);
    const std::string before = training_bytes(list, *optimizer);
    set_gradient(model.w, 1);
    model.w.set_trainable(false);
    optimizer->step();
    std::string after = training_bytes(list, *optimizer);
    BOOST_CHECK_EQUAL(optimizer->steps(), 1);
    *optimizer->state()[1].tensor.mutable_data<std::int64_t>() = 0;
    BOOST_CHECK(training_bytes(list, *optimizer) == before);
    BOOST_CHECK(after != before);
  }
}

BOOST_AUTO_TEST_CASE(a_parameter_that_joins_late_starts_like_the_others) {
  Model model(DType::float64);
  rw::Adam optimizer(rw::parameters(model), {.learning_rate = 0.1});
  model.s.set_trainable(false);
  set_gradient(model.b, 1);
  set_gradient(model.s, 1);
  for (int i = 0; i < 1000; ++i) {
    optimizer.step();
  }
  model.s.set_trainable(true);
  const double before = value_of(model.s);
  optimizer.step();
  BOOST_CHECK_CLOSE(value_of(model.s), before - 0.1, 1e-5);
}

BOOST_AUTO_TEST_CASE(lamb_takes_a_zero_norm_as_one) {
  Parameter p(rw::zeros({3}, DType::float64));
  rw::Lamb optimizer({{"p", &p}}, {.learning_rate = 0.25});
  set_gradient(p, 0);
  optimizer.step();
  BOOST_CHECK_EQUAL(value_of(p), 0);
  set_gradient(p, 1e3);
  optimizer.step();
  // After two steps, m = 0.1 g and v = 0.001 g^2.
  BOOST_CHECK_CLOSE(value_of(p), -0.25 * (0.1 / 0.19) / std::sqrt(0.001 / 0.001999), 1e-6);
}

BOOST_AUTO_TEST_CASE(lamb_of_many_blocks) {
  // Longer than the blocks that the optimiser works in, and not a multiple of a register.
  constexpr std::int64_t n = 2 * 1024 + 7;
  Parameter p(rw::full({n}, 2, DType::float64));
  rw::Lamb optimizer({{"p", &p}}, {.learning_rate = 0.25, .weight_decay = 0});
  set_gradient(p, -3);
  optimizer.step();
  for (const double w : p.value().to_vector<double>()) {
    BOOST_REQUIRE_CLOSE(w, 2 + 0.25 * 2, 1e-10);
  }
}

BOOST_AUTO_TEST_CASE(zero_sized_parameters) {
  for (const OptimizerRow& rule : optimizer_table()) {
    Parameter p(rw::zeros({0, 4}));
    const auto optimizer = rule.make({{"p", &p}});
    set_gradient(p, 1);
    optimizer->step();
    BOOST_CHECK_EQUAL(optimizer->steps(), 1);
    BOOST_CHECK_EQUAL(rw::clip_by_norm({{"p", &p}}, 1, 0.5), 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(edges)

BOOST_AUTO_TEST_CASE(ten_thousand_steps_of_a_constant_gradient_stay_finite) {
  for (const double g : {0.0, 1e-30, 0.3, -7.0}) {
    for (const OptimizerRow& rule : optimizer_table()) {
      Parameter p(rw::full({19}, 0.5));
      const auto optimizer = rule.make({{"p", &p}});
      set_gradient(p, g);
      for (int i = 0; i < 10000; ++i) {
        optimizer->step();
      }
      BOOST_TEST_INFO(rule.name << " " << g);
      BOOST_CHECK(std::isfinite(value_of(p)));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_centered_variance_that_rounds_below_zero_counts_as_zero) {
  Parameter p(rw::zeros({1000}));
  rw::RmsProp optimizer({{"p", &p}}, {.learning_rate = 1e-6, .alpha = 0.9, .centered = true});
  // Both means fall towards their limits and stop a few roundings above them, the square of one
  // above the other.
  for (const float scale : {2.0F, 1.0F}) {
    std::vector<float> g;
    for (int i = 0; i < 1000; ++i) {
      g.push_back(scale * (0.1F + 0.013F * static_cast<float>(i)));
    }
    p.set_grad(Tensor::from<float>({1000}, g));
    for (int t = 0; t < 300; ++t) {
      optimizer.step();
    }
  }
  const std::vector<float> values = p.value().to_vector<float>();
  BOOST_CHECK(std::all_of(values.begin(), values.end(), [](float w) { return std::isfinite(w); }));
}

BOOST_AUTO_TEST_CASE(adam_first_step_moves_by_the_learning_rate_whatever_the_scale) {
  for (const double g : {1e-2, 1.0, 1e18}) {
    Parameter p(rw::full({5}, 0.0));
    rw::Adam optimizer({{"p", &p}}, {.learning_rate = 0.25});
    set_gradient(p, -g);
    optimizer.step();
    BOOST_CHECK_CLOSE(value_of(p), 0.25, 1e-3);
  }
}

BOOST_AUTO_TEST_CASE(squares_that_overflow_are_reported) {
  for (const OptimizerRow& rule : optimizer_table()) {
    if (!rule.squares) {
      continue;
    }
    Parameter p(rw::full({33}, 0.5));
    const auto optimizer = rule.make({{"p", &p}});
    set_gradient(p, 1);
    optimizer->step();
    poke(p, 32, 1e20);
    const std::string before = training_bytes({{"p", &p}}, *optimizer);
    check_contains(message_of<rw::NonFiniteError>([&] { optimizer->step(); }),
                   {rule.name, "'p'", "step 2", "1e+20", "overflows float32"});
    BOOST_CHECK(training_bytes({{"p", &p}}, *optimizer) == before);
    poke(p, 32, 1e18);
    optimizer->step();
    BOOST_CHECK(std::isfinite(value_of(p, 32)));
  }
}

BOOST_AUTO_TEST_CASE(adagrad_notices_when_its_sum_overflows) {
  Parameter p(rw::full({3}, 0.5));
  rw::Adagrad optimizer({{"p", &p}}, {.learning_rate = 0.1, .initial_sum = 3e38});
  set_gradient(p, 1e19);
  const std::string before = training_bytes({{"p", &p}}, optimizer);
  BOOST_CHECK_THROW(optimizer.step(), rw::NonFiniteError);
  BOOST_CHECK(training_bytes({{"p", &p}}, optimizer) == before);
}

BOOST_AUTO_TEST_CASE(adamax_notices_differences_of_gradients_that_overflow) {
  Parameter p(rw::full({3}, 0.5));
  rw::Adamax optimizer({{"p", &p}});
  for (const double sign : {1.0, -1.0}) {
    set_gradient(p, sign * 1.6e38);
    optimizer.step();
    BOOST_CHECK(std::isfinite(value_of(p)));
    set_gradient(p, sign * 1.8e38);
    BOOST_CHECK_THROW(optimizer.step(), rw::NonFiniteError);
  }
}

BOOST_AUTO_TEST_CASE(adabelief_notices_squares_of_differences_that_overflow) {
  Parameter p(rw::full({3}, 0.5));
  rw::AdaBelief optimizer({{"p", &p}});
  set_gradient(p, -9e18);
  for (int t = 0; t < 60; ++t) {
    optimizer.step();
  }
  set_gradient(p, 1.1e19);  // its own square is finite
  const std::string before = training_bytes({{"p", &p}}, optimizer);
  BOOST_CHECK_THROW(optimizer.step(), rw::NonFiniteError);
  BOOST_CHECK(training_bytes({{"p", &p}}, optimizer) == before);
  set_gradient(p, 9e18);
  optimizer.step();
  BOOST_CHECK(std::isfinite(value_of(p)));
}

BOOST_AUTO_TEST_CASE(a_step_with_a_bad_gradient_changes_nothing) {
  for (const OptimizerRow& rule : optimizer_table()) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      Model model(dtype);
      const ParameterList list = rw::parameters(model);
      const auto optimizer = rule.make(list);
      for (int t = 1; t <= 3; ++t) {
        set_gradients(list, t);
        optimizer->step();
      }
      const std::string before = training_bytes(list, *optimizer);
      // Every element of every parameter in turn: whole registers, remainders, and the last
      // parameter.
      for (const auto& entry : list) {
        for (std::int64_t i = 0; i < entry.parameter->value().elements(); ++i) {
          for (const double bad : {not_a_number, infinity, -infinity}) {
            set_gradients(list, 4);
            poke(*entry.parameter, i, bad);
            BOOST_CHECK_THROW(optimizer->step(), rw::NonFiniteError);
            BOOST_CHECK(training_bytes(list, *optimizer) == before);
          }
        }
      }
      set_gradients(list, 4);
      poke(model.b, 0, not_a_number);
      poke(model.b, 2, infinity);
      poke(model.b, 1, 2.5);
      poke(model.s, 0, not_a_number);
      check_contains(message_of<rw::NonFiniteError>([&] { optimizer->step(); }),
                     {rule.name, "'layer/b'", "1 NaN and 1 infinite of 3", "step 4", "2.5"});
    }
  }
}

// Single options out of range are in options_test.cpp.
BOOST_AUTO_TEST_CASE(constructors_refuse_what_makes_no_sense) {
  Model model(DType::float32);
  const ParameterList list = rw::parameters(model);
  const auto refused = [](auto&& make) { BOOST_CHECK_THROW(make(), rw::UsageError); };
  refused([&] { rw::Sgd(list, {.nesterov = true}); });
  refused([&] { rw::Adam(list, {.beta2 = 1}); });
  refused([&] { rw::Adam(list, {.epsilon = 0}); });
  refused([&] { rw::Sgd(ParameterList{}); });
  refused([&] { rw::Sgd({{"a", &model.w}, {"b", &model.w}}); });
  refused([&] { rw::Sgd({{"a", &model.w}, {"a", &model.b}}); });
  check_contains(message_of<rw::UsageError>([&] { rw::Adam(list, {.beta2 = 1.5}); }),
                 {"adam: beta2 is 1.5", "at least 0 and less than 1"});
}

BOOST_AUTO_TEST_CASE(changed_parameters_and_foreign_gradients_are_refused) {
  Model model(DType::float32);
  const ParameterList list = rw::parameters(model);
  rw::Adam optimizer(list);
  set_gradients(list, 1);
  const std::string before = bytes_of(optimizer.state());
  model.b.mutable_grad() = rw::zeros({4});
  BOOST_CHECK_THROW(optimizer.step(), rw::ShapeError);
  BOOST_CHECK_THROW(rw::clip_by_norm(list, 1), rw::ShapeError);
  model.b.mutable_grad() = rw::zeros({3}, DType::float64);
  BOOST_CHECK_THROW(optimizer.step(), rw::UsageError);
  BOOST_CHECK_THROW(rw::clip_by_value(list, 1), rw::UsageError);
  model.b = Parameter(rw::zeros({4}));
  set_gradient(model.b, 1);
  check_contains(message_of<rw::UsageError>([&] { optimizer.step(); }),
                 {"'layer/b'", "[4]", "[3]"});
  BOOST_CHECK(bytes_of(optimizer.state()) == before);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(state)

BOOST_AUTO_TEST_CASE(a_fresh_optimiser_continues_from_copied_state_bit_for_bit) {
  for (const OptimizerRow& rule : optimizer_table()) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      Model model(dtype);
      const ParameterList list = rw::parameters(model);
      const auto optimizer = rule.make(list);
      for (int t = 1; t <= 20; ++t) {
        set_gradients(list, t);
        optimizer->step();
      }
      optimizer->set_learning_rate(0.007);
      Model copy = model;
      const ParameterList copied_list = rw::parameters(copy);
      const auto fresh = rule.make(copied_list);
      const rw::StateList from = optimizer->state();
      const rw::StateList to = fresh->state();
      BOOST_REQUIRE_EQUAL(from.size(), to.size());
      for (std::size_t i = 0; i < from.size(); ++i) {
        BOOST_REQUIRE_EQUAL(from[i].path, to[i].path);
        BOOST_REQUIRE(from[i].tensor.shape() == to[i].tensor.shape());
        rw::dispatch(from[i].tensor.dtype(), [&](auto type) {
          using T = decltype(type);
          const std::vector<T> values = from[i].tensor.template to_vector<T>();
          Tensor target = to[i].tensor;
          std::copy(values.begin(), values.end(), target.mutable_data<T>());
        });
      }
      BOOST_CHECK_EQUAL(fresh->steps(), 20);
      BOOST_CHECK_EQUAL(fresh->learning_rate(), 0.007);
      for (int t = 21; t <= 40; ++t) {
        for (const auto& [parameters, rule_of] :
             {std::pair{&list, optimizer.get()}, std::pair{&copied_list, fresh.get()}}) {
          set_gradients(*parameters, t);
          rule_of->step();
        }
      }
      BOOST_CHECK(training_bytes(list, *optimizer) == training_bytes(copied_list, *fresh));
    }
  }
}

BOOST_AUTO_TEST_CASE(names) {
  Model model(DType::float32);
  const auto paths = [](const rw::Optimizer& optimizer) {
    std::vector<std::string> names;
    for (const auto& entry : optimizer.state()) {
      names.push_back(entry.path);
    }
    return names;
  };
  const ParameterList list = {{"cell/w_x", &model.w}};
  for (const OptimizerRow& rule : optimizer_table()) {
    std::vector<std::string> expected{"learning_rate", "step"};
    for (const std::string& name : rule.state) {
      expected.push_back(name + "/cell/w_x");
    }
    const std::vector<std::string> got = paths(*rule.make(list));
    BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), expected.begin(), expected.end());
  }
  static_assert(rw::HasState<rw::Adam>);
}

BOOST_AUTO_TEST_CASE(warm_steps_allocate_nothing) {
  for (const OptimizerRow& rule : optimizer_table()) {
    Model model(DType::float32);
    const ParameterList list = rw::parameters(model);
    const auto optimizer = rule.make(list);
    set_gradients(list, 1);
    optimizer->step();
    const std::int64_t before = heap_allocations;
    rw::clip_by_norm(list, 0.1, 0.01);
    rw::clip_by_value(list, 0.01);
    optimizer->step();
    optimizer->set_learning_rate(1e-4);
    optimizer->step();
    optimizer->zero_grad();
    BOOST_CHECK_EQUAL(heap_allocations - before, 0);
    BOOST_CHECK(!model.w.has_grad());
  }
  const std::int64_t before = heap_allocations;
  ::operator delete(::operator new(1));  // a container's allocation could be optimised away
  BOOST_CHECK_EQUAL(heap_allocations - before, 1);  // proves that the counter counts
}

BOOST_AUTO_TEST_SUITE_END()
