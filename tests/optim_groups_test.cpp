// Parameter groups and schedules on every optimiser, and gradients accumulated over several passes.

#include <memory>
#include <string>
#include <vector>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/optim/adam.hpp>
#include <rewind/optim/sgd.hpp>

#include "optimizer_table.hpp"
#include "support/bytes_of.hpp"
#include "support/counted_allocations.hpp"
#include "support/messages.hpp"
#include "support/small_model.hpp"

namespace {

using namespace rw::testing;
using namespace rw;

bool is_bias(const rw::NamedParameter& p) { return p.path.ends_with("/b"); }

std::string bytes_of(const Parameter& p) { return rw::testing::bytes_of({{"p", p.value()}}); }

}  // namespace

BOOST_AUTO_TEST_SUITE(groups)

BOOST_AUTO_TEST_CASE(equal_an_optimiser_of_their_own) {
  for (const OptimizerRow& rule : optimizer_table()) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      Model model(dtype);
      const ParameterList list = rw::parameters(model);
      const auto optimizer = rule.make(list);
      optimizer->add_group({.name = "biases",
                            .contains = is_bias,
                            .learning_rate_factor = 0.5,
                            .weight_decay = 0.25});
      Model apart(dtype);
      const ParameterList biases = {{"layer/b", &apart.b}};
      const ParameterList others = {{"layer/w", &apart.w}, {"s", &apart.s}};
      const auto of_biases =
          rule.make_with(biases, {.learning_rate_factor = 0.5, .weight_decay = 0.25});
      const auto of_others = rule.make(others);
      const std::string start = bytes_of(model.b);
      for (int t = 1; t <= 20; ++t) {
        set_gradients(list, t);
        set_gradients(biases, t);
        set_gradients(others, t);
        optimizer->step();
        of_biases->step();
        of_others->step();
      }
      BOOST_TEST_INFO(rule.name);
      BOOST_CHECK(bytes_of(model.b) == bytes_of(apart.b));
      BOOST_CHECK(bytes_of(model.w) == bytes_of(apart.w));
      BOOST_CHECK(bytes_of(model.s) == bytes_of(apart.s));
      BOOST_CHECK(bytes_of(model.b) != start);
    }
  }
}

BOOST_AUTO_TEST_CASE(without_decay_a_zero_gradient_moves_nothing) {
  for (const OptimizerRow& rule : optimizer_table()) {
    if (rule.name == "asgd") {
      continue;  // its lambda shrinks weights too
    }
    Model model(DType::float64);
    const ParameterList list = rw::parameters(model);
    const auto optimizer = rule.make_with(list, {.weight_decay = 0.1});
    optimizer->add_group({.name = "biases", .contains = is_bias, .weight_decay = 0});
    const std::string w = bytes_of(model.w);
    const std::string b = bytes_of(model.b);
    for (const auto& entry : list) {
      set_gradient(*entry.parameter, 0);
    }
    optimizer->step();
    BOOST_TEST_INFO(rule.name);
    BOOST_CHECK(bytes_of(model.b) == b);
    BOOST_CHECK(bytes_of(model.w) != w);
  }
}

BOOST_AUTO_TEST_CASE(the_last_group_counts_for_each_setting) {
  Model model(DType::float64);
  rw::Sgd optimizer(rw::parameters(model), {.learning_rate = 0.5, .weight_decay = 0.25});
  const auto in_layer = [](const rw::NamedParameter& p) { return p.path.starts_with("layer/"); };
  optimizer.add_group({.name = "layer", .contains = in_layer, .learning_rate_factor = 0.5});
  optimizer.add_group({.name = "biases", .contains = is_bias, .weight_decay = 0});
  const double w = value_of(model.w);
  const double b = value_of(model.b);
  const double s = value_of(model.s);
  for (Parameter* p : {&model.w, &model.b, &model.s}) {
    set_gradient(*p, 1);
  }
  optimizer.step();
  BOOST_CHECK_EQUAL(value_of(model.w), w - 0.25 * (1 + 0.25 * w));
  BOOST_CHECK_EQUAL(value_of(model.b), b - 0.25);
  BOOST_CHECK_EQUAL(value_of(model.s), s - 0.5 * (1 + 0.25 * s));

  optimizer.set_learning_rate_factor("layer", 0);
  BOOST_CHECK_EQUAL(optimizer.learning_rate_factor("layer"), 0);
  const double before = value_of(model.w);
  optimizer.step();
  BOOST_CHECK_EQUAL(value_of(model.w), before);
}

BOOST_AUTO_TEST_CASE(factors_are_state) {
  Model model(DType::float32);
  const auto make = [&] {
    auto optimizer = std::make_unique<rw::Adam>(rw::parameters(model));
    optimizer->add_group({.name = "biases", .contains = is_bias, .weight_decay = 0});
    optimizer->add_group({.name = "w",
                          .contains = [](const auto& p) { return p.path == "layer/w"; },
                          .learning_rate_factor = 3});
    return optimizer;
  };
  const auto optimizer = make();
  const rw::StateList state = optimizer->state();
  BOOST_CHECK_EQUAL(state.back().path, "learning_rate_factor/w");
  BOOST_CHECK_EQUAL(state.back().tensor.item(), 3);
  BOOST_CHECK_NE(state[state.size() - 2].path, "learning_rate_factor/biases");
  *rw::Tensor(state.back().tensor).mutable_data<double>() = 5;
  BOOST_CHECK_EQUAL(optimizer->learning_rate_factor("w"), 5);
}

BOOST_AUTO_TEST_CASE(senseless_groups_are_refused) {
  Model model(DType::float32);
  rw::Adam optimizer(rw::parameters(model), {.weight_decay = 0.1});
  optimizer.add_group({.name = "biases", .contains = is_bias, .weight_decay = 0});
  const auto all = [](const rw::NamedParameter&) { return true; };
  const auto none = [](const rw::NamedParameter&) { return false; };
  const std::string before = rw::testing::bytes_of(optimizer.state());
  const auto message = [&](const rw::ParameterGroup& group) {
    return message_of<rw::UsageError>([&] { optimizer.add_group(group); });
  };
  check_contains(message({.name = "none", .contains = none, .weight_decay = 0}),
                 {"adam: group 'none'", "none of the 3 parameters", "'layer/w'"});
  check_contains(message({.name = "biases", .contains = all, .weight_decay = 0}), {"'biases'"});
  check_contains(message({.name = "", .contains = all, .weight_decay = 0}), {"name for a group"});
  check_contains(message({.name = "a/b", .contains = all, .weight_decay = 0}), {"'a/b'"});
  check_contains(message({.name = "g", .contains = all}), {"'g' sets nothing"});
  check_contains(message({.name = "g", .contains = {}, .weight_decay = 0}), {"`contains`"});
  for (const double bad : {-1.0, not_a_number, infinity}) {
    check_contains(message({.name = "g", .contains = all, .weight_decay = bad}),
                   {"adam: weight_decay is"});
    check_contains(message({.name = "g", .contains = all, .learning_rate_factor = bad}),
                   {"adam: learning_rate_factor is"});
  }
  BOOST_CHECK_THROW(static_cast<void>(optimizer.learning_rate_factor("g")), rw::UsageError);
  BOOST_CHECK_THROW(optimizer.set_learning_rate_factor("biases", 1), rw::UsageError);
  BOOST_CHECK(rw::testing::bytes_of(optimizer.state()) == before);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(schedules)

BOOST_AUTO_TEST_CASE(equal_setting_the_rate_by_hand) {
  const rw::Schedule schedule = rw::warm_up(4) * rw::cosine_decay(15, 0.1);
  for (const OptimizerRow& rule : optimizer_table()) {
    Model a(DType::float32);
    Model b(DType::float32);
    const ParameterList list_a = rw::parameters(a);
    const ParameterList list_b = rw::parameters(b);
    const auto scheduled = rule.make(list_a);
    const auto by_hand = rule.make(list_b);
    for (const auto& optimizer : {scheduled.get(), by_hand.get()}) {
      optimizer->add_group(
          {.name = "biases", .contains = is_bias, .learning_rate_factor = 0.3, .weight_decay = 0});
    }
    scheduled->set_schedule(schedule);
    const double rate = scheduled->learning_rate();
    for (int t = 1; t <= 20; ++t) {
      by_hand->set_learning_rate(rate * schedule(t - 1));
      BOOST_CHECK_EQUAL(scheduled->scheduled_learning_rate(), by_hand->learning_rate());
      set_gradients(list_a, t);
      set_gradients(list_b, t);
      scheduled->step();
      by_hand->step();
    }
    BOOST_TEST_INFO(rule.name);
    BOOST_CHECK_EQUAL(scheduled->learning_rate(), rate);
    BOOST_CHECK(rw::testing::bytes_of(rw::state_of(list_a)) ==
                rw::testing::bytes_of(rw::state_of(list_b)));
  }
}

BOOST_AUTO_TEST_CASE(a_factor_that_is_none_is_refused) {
  Model model(DType::float32);
  const ParameterList list = rw::parameters(model);
  rw::Adam optimizer(list);
  for (const double bad : {-0.5, not_a_number, infinity}) {
    optimizer.set_schedule([=](std::int64_t step) { return step == 1 ? bad : 1.0; });
    Model start = model;
    set_gradients(list, 1);
    optimizer.step();
    const std::string before = bytes_of(model.w);
    set_gradients(list, 2);
    check_contains(message_of<rw::UsageError>([&] { optimizer.step(); }),
                   {"adam: the schedule's factor at step 1 is", "at least 0"});
    BOOST_CHECK(bytes_of(model.w) == before);
    BOOST_CHECK_EQUAL(optimizer.steps(), 1);
    optimizer.state()[1].tensor.mutable_data<std::int64_t>()[0] = 0;
  }
}

BOOST_AUTO_TEST_CASE(warm_steps_allocate_nothing) {
  for (const OptimizerRow& rule : optimizer_table()) {
    Model model(DType::float32);
    const ParameterList list = rw::parameters(model);
    const auto optimizer = rule.make(list);
    optimizer->add_group({.name = "biases", .contains = is_bias, .learning_rate_factor = 0.5});
    optimizer->set_schedule(rw::warm_up(3).then(3, rw::cosine_restarts(5, 2)) * rw::step_decay(7));
    set_gradients(list, 1);
    optimizer->step();
    const std::int64_t before = heap_allocations;
    for (int i = 0; i < 10; ++i) {
      optimizer->step();
    }
    BOOST_TEST_INFO(rule.name);
    BOOST_CHECK_EQUAL(heap_allocations - before, 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(accumulation)

BOOST_AUTO_TEST_CASE(parts_of_a_batch_add_up_to_the_whole) {
  rw::Rng rng(5);
  const Tensor x = rng.normal({12, 5}, 0, 1, DType::float64);
  const Tensor y = rng.normal({12, 2}, 0, 1, DType::float64);
  Parameter w(rng.normal({5, 2}, 0, 1, DType::float64));
  Parameter copy = w;
  const auto part = [](const Tensor& rows, std::int64_t i) {
    return rw::slice(rows, 0, 4 * i, 4 * i + 4);
  };

  rw::Adam whole({{"w", &w}}, {.learning_rate = 0.1});
  rw::Adam in_parts({{"w", &copy}}, {.learning_rate = 0.1});
  for (int t = 0; t < 20; ++t) {
    {
      rw::Tape tape;
      whole.zero_grad();
      tape.backward(rw::mse(rw::tanh(rw::matmul(x, w)), y));
    }
    in_parts.zero_grad();
    for (int i = 0; i < 3; ++i) {
      rw::Tape tape;
      tape.backward(rw::mse(rw::tanh(rw::matmul(part(x, i), copy)), part(y, i)) / 3);
    }
    const std::vector<double> g = w.grad().to_vector<double>();
    const std::vector<double> sum = copy.grad().to_vector<double>();
    for (std::size_t i = 0; i < g.size(); ++i) {
      BOOST_CHECK_SMALL(sum[i] - g[i], 1e-14);
    }
    whole.step();
    in_parts.step();
  }
  for (std::size_t i = 0; i < 10; ++i) {
    BOOST_CHECK_SMALL(value_of(copy, i) - value_of(w, i), 1e-12);
  }
}

BOOST_AUTO_TEST_SUITE_END()
