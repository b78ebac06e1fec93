// Schedules against values computed by hand; reducing the learning rate on a plateau, and early
// stopping.

#include <vector>

#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/reduce_on_plateau.hpp>
#include <rewind/optim/schedule.hpp>
#include <rewind/optim/sgd.hpp>

#include "support/messages.hpp"
#include "support/small_model.hpp"

namespace {

using namespace rw::testing;
using namespace rw;

/// Compares a schedule at steps 0, 1, 2, ...
void check_factors(const rw::Schedule& schedule, const std::vector<double>& expected) {
  for (std::size_t s = 0; s < expected.size(); ++s) {
    BOOST_TEST_INFO("step " << s);
    BOOST_CHECK_SMALL(schedule(static_cast<std::int64_t>(s)) - expected[s], 1e-15);
  }
}

const double root_half = std::sqrt(0.5);

}  // namespace

BOOST_AUTO_TEST_SUITE(schedules)

BOOST_AUTO_TEST_CASE(constant) {
  check_factors({}, {1, 1, 1});
  check_factors([](std::int64_t step) { return 1.0 / static_cast<double>(step + 1); },
                {1, 0.5, 1.0 / 3});
}

BOOST_AUTO_TEST_CASE(in_steps) {
  check_factors(rw::step_decay(2, 0.5), {1, 1, 0.5, 0.5, 0.25, 0.25, 0.125});
  check_factors(rw::step_decay(1), {1, 0.1, 0.01});
  check_factors(rw::multi_step_decay({1, 4}, 0.5), {1, 0.5, 0.5, 0.5, 0.25, 0.25});
  check_factors(rw::multi_step_decay({0}), {0.1, 0.1});
  check_factors(rw::multi_step_decay({}), {1, 1});
  BOOST_CHECK_CLOSE(rw::step_decay(30)(89), 0.01, 1e-12);
}

BOOST_AUTO_TEST_CASE(smooth) {
  check_factors(rw::exponential_decay(0.5), {1, 0.5, 0.25, 0.125});
  check_factors(rw::linear_decay(4), {1, 0.75, 0.5, 0.25, 0, 0});
  check_factors(rw::linear_decay(2, 0.2), {1, 0.6, 0.2, 0.2});
  check_factors(rw::cosine_decay(4), {1, (1 + root_half) / 2, 0.5, (1 - root_half) / 2, 0, 0, 0});
  check_factors(rw::cosine_decay(2, 0.2), {1, 0.6, 0.2, 0.2});
}

BOOST_AUTO_TEST_CASE(restarts) {
  check_factors(rw::cosine_restarts(2), {1, 0.5, 1, 0.5, 1, 0.5});
  const double a = (1 + root_half) / 2;
  const double b = (1 - root_half) / 2;
  check_factors(rw::cosine_restarts(1, 2), {1, 1, 0.5, 1, a, 0.5, b, 1});
  check_factors(rw::cosine_restarts(2, 2, 0.2), {1, 0.6, 1, 0.2 + 0.8 * a, 0.6, 0.2 + 0.8 * b, 1});
  // Far beyond the number of periods that can be counted.
  const double late = rw::cosine_restarts(1, 1'000'000)(std::numeric_limits<std::int64_t>::max());
  BOOST_CHECK(late >= 0 && late <= 1);
}

BOOST_AUTO_TEST_CASE(warming_up) {
  check_factors(rw::warm_up(4), {0.25, 0.5, 0.75, 1, 1, 1});
  check_factors(rw::warm_up(2, 0.5), {0.75, 1, 1});
  check_factors(rw::warm_up(1), {1, 1});
}

BOOST_AUTO_TEST_CASE(one_cycle) {
  // Up over steps 0 to 2, down over steps 2 to 9.
  const rw::Schedule cycle = rw::one_cycle({.steps = 10, .rise = 0.3, .start = 0.2, .end = 0.1});
  check_factors(cycle, {0.2, 0.6, 1});
  BOOST_CHECK_CLOSE(cycle(3), 0.1 + 0.9 * (1 + std::cos(M_PI / 7)) / 2, 1e-12);
  BOOST_CHECK_CLOSE(cycle(6), 0.1 + 0.9 * (1 + std::cos(M_PI * 4 / 7)) / 2, 1e-12);
  BOOST_CHECK_CLOSE(cycle(9), 0.1, 1e-12);
  BOOST_CHECK_CLOSE(cycle(1000), 0.1, 1e-12);

  const rw::Schedule usual = rw::one_cycle({.steps = 100});
  BOOST_CHECK_CLOSE(usual(0), 0.04, 1e-12);
  BOOST_CHECK_CLOSE(usual(29), 1, 1e-12);
  BOOST_CHECK_CLOSE(usual(99), 4e-6, 1e-8);
  for (int s = 1; s < 100; ++s) {
    BOOST_CHECK((usual(s) > usual(s - 1)) == (s <= 29));
  }
}

BOOST_AUTO_TEST_CASE(composition) {
  check_factors(rw::warm_up(2) * rw::step_decay(3, 0.5), {0.5, 1, 1, 0.5, 0.5, 0.5, 0.25});
  check_factors(rw::warm_up(2).then(3, rw::linear_decay(2)), {0.5, 1, 1, 1, 0.5, 0, 0});
  check_factors(rw::Schedule().then(0, rw::exponential_decay(0.5)), {1, 0.5});
}

BOOST_AUTO_TEST_CASE(bad_arguments) {
  const auto message = [](auto&& make) { return message_of<rw::UsageError>(make); };
  check_contains(message([] { rw::step_decay(0); }), {"step_decay: period is 0", "at least 1"});
  check_contains(message([] { rw::multi_step_decay({3, 3}); }), {"multi_step_decay", "greater"});
  check_contains(message([] { rw::multi_step_decay({-1, 3}); }), {"negative"});
  check_contains(message([] { rw::linear_decay(-2); }), {"linear_decay: steps is -2"});
  check_contains(message([] { rw::cosine_decay(3, -1); }),
                 {"cosine_decay: floor is -1", "factor on the learning rate"});
  check_contains(message([] { rw::cosine_restarts(0); }), {"cosine_restarts: period is 0"});
  check_contains(message([] { rw::cosine_restarts(3, 0); }), {"growth is 0"});
  check_contains(message([] { rw::warm_up(0); }), {"warm_up: steps is 0"});
  check_contains(message([] { rw::one_cycle({}); }), {"one_cycle: steps is 0"});
  check_contains(message([] { rw::one_cycle({.steps = 3}); }), {"3 steps are too few"});
  check_contains(message([] { rw::one_cycle({.steps = 100, .rise = 1}); }), {"rise is 1"});
  check_contains(message([] { rw::Schedule().then(-1, {}); }), {"then() after -1 steps"});
  for (const double bad : {0.0, -1.0, not_a_number, infinity}) {
    BOOST_CHECK_THROW(rw::step_decay(1, bad), rw::UsageError);
    BOOST_CHECK_THROW(rw::multi_step_decay({1}, bad), rw::UsageError);
    BOOST_CHECK_THROW(rw::exponential_decay(bad), rw::UsageError);
  }
  for (const double bad : {-1.0, not_a_number, infinity}) {
    BOOST_CHECK_THROW(rw::linear_decay(2, bad), rw::UsageError);
    BOOST_CHECK_THROW(rw::cosine_restarts(2, 1, bad), rw::UsageError);
    BOOST_CHECK_THROW(rw::warm_up(2, bad), rw::UsageError);
    BOOST_CHECK_THROW(rw::one_cycle({.steps = 100, .start = bad}), rw::UsageError);
    BOOST_CHECK_THROW(rw::one_cycle({.steps = 100, .end = bad}), rw::UsageError);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(plateau)

struct Line {
  Parameter p{rw::zeros({2})};
  rw::Sgd optimizer{{{"p", &p}}, {.learning_rate = 1}};
};

BOOST_AUTO_TEST_CASE(reduces_after_more_than_patience) {
  Line line;
  rw::ReduceOnPlateau plateau(line.optimizer, {.factor = 0.5, .patience = 2});
  const std::vector<double> losses{3, 2, 2, 2, 2, 2, 2, 2, 1.9, not_a_number, 5, 5};
  const std::vector<double> rates{1, 1, 1, 1, .5, .5, .5, .25, .25, .25, .25, .125};
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const double before = line.optimizer.learning_rate();
    BOOST_TEST_INFO(i);
    BOOST_CHECK_EQUAL(plateau.observe(losses[i]), rates[i] < before);
    BOOST_CHECK_EQUAL(line.optimizer.learning_rate(), rates[i]);
  }
  BOOST_CHECK_EQUAL(plateau.best(), 1.9);
}

BOOST_AUTO_TEST_CASE(options) {
  const auto rates = [](const rw::ReduceOnPlateauOptions& options,
                        const std::vector<double>& losses) {
    Line line;
    rw::ReduceOnPlateau plateau(line.optimizer, options);
    std::vector<double> rates;
    for (const double loss : losses) {
      plateau.observe(loss);
      rates.push_back(line.optimizer.learning_rate());
    }
    return rates;
  };
  using Rates = std::vector<double>;
  BOOST_CHECK(rates({.factor = 0.5, .patience = 0, .min_delta = 0.1}, {10, 9.1, 8.9, 8, 7.9}) ==
              (Rates{1, 0.5, 0.5, 0.5, 0.25}));
  BOOST_CHECK(rates({.factor = 0.5, .patience = 0, .min_delta = 1, .relative = false},
                    {10, 9.1, 8.9, 8, 7.8}) == (Rates{1, 0.5, 0.5, 0.25, 0.25}));
  BOOST_CHECK(rates({.factor = 0.5, .patience = 0, .maximize = true}, {1, 2, 2, 3, 1}) ==
              (Rates{1, 1, 0.5, 0.5, 0.25}));
  BOOST_CHECK(rates({.factor = 0.5, .patience = 0, .cooldown = 2}, {1, 1, 1, 1, 1, 1}) ==
              (Rates{1, 0.5, 0.5, 0.5, 0.25, 0.25}));
  BOOST_CHECK(rates({.factor = 0.5, .patience = 0, .min_learning_rate = 0.3}, {1, 1, 1, 1}) ==
              (Rates{1, 0.5, 0.3, 0.3}));
  BOOST_CHECK(rates({.factor = 0.5, .patience = 0, .min_learning_rate = 3}, {1, 1}) ==
              (Rates{1, 1}));
}

BOOST_AUTO_TEST_CASE(bad_options) {
  Line line;
  const auto message = [&](const rw::ReduceOnPlateauOptions& options) {
    return message_of<rw::UsageError>([&] { rw::ReduceOnPlateau(line.optimizer, options); });
  };
  for (const double bad : {0.0, 1.0, not_a_number}) {
    check_contains(message({.factor = bad}), {"reduce on plateau: factor is"});
  }
  check_contains(message({.patience = -1}), {"patience is -1"});
  check_contains(message({.cooldown = -1}), {"cooldown -1"});
  check_contains(message({.min_delta = -1}), {"reduce on plateau: min_delta is -1"});
  check_contains(message({.min_learning_rate = infinity}), {"min_learning_rate is inf"});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stopping_early)

BOOST_AUTO_TEST_CASE(best_value) {
  rw::BestValue best;
  BOOST_CHECK_EQUAL(best.best(), infinity);
  BOOST_CHECK(!best.observe(not_a_number));
  BOOST_CHECK(best.observe(-2));
  BOOST_CHECK(!best.observe(-2));
  BOOST_CHECK(!best.observe(not_a_number));
  BOOST_CHECK_EQUAL(best.waited(), 2);
  BOOST_CHECK_EQUAL(best.best(), -2);

  rw::BestValue greatest({.min_delta = 0.5, .relative = true, .maximize = true});
  BOOST_CHECK(greatest.observe(-4));
  BOOST_CHECK(!greatest.observe(-2));
  BOOST_CHECK(greatest.observe(-1.9));
  BOOST_CHECK_EQUAL(greatest.best(), -1.9);
}

BOOST_AUTO_TEST_CASE(stops_after_patience) {
  rw::EarlyStopping stopping({.patience = 2, .min_delta = 0.1});
  const std::vector<double> losses{3, 2, 1.95, 1.8, not_a_number, 1.75};
  const std::vector<bool> improved{true, true, false, true, false, false};
  for (std::size_t i = 0; i < losses.size(); ++i) {
    BOOST_CHECK_EQUAL(stopping.observe(losses[i]), i == 5);
    BOOST_CHECK_EQUAL(stopping.improved(), improved[i]);
  }
  BOOST_CHECK_EQUAL(stopping.best(), 1.8);
  BOOST_CHECK_EQUAL(stopping.waited(), 2);

  rw::EarlyStopping accuracy({.patience = 1, .maximize = true});
  BOOST_CHECK(!accuracy.observe(0.5));
  BOOST_CHECK(!accuracy.observe(0.6));
  BOOST_CHECK(accuracy.observe(0.6));
}

BOOST_AUTO_TEST_CASE(bad_options) {
  check_contains(message_of<rw::UsageError>([] { rw::EarlyStopping({.patience = 0}); }),
                 {"early stopping: patience is 0", "at least 1"});
  for (const double bad : {-1.0, not_a_number, infinity}) {
    check_contains(message_of<rw::UsageError>([=] { rw::EarlyStopping({.min_delta = bad}); }),
                   {"early stopping: min_delta is"});
  }
}

BOOST_AUTO_TEST_SUITE_END()
