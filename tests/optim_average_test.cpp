// Averages of weights: their values, swapping them into the model and back.

#include <string>
#include <vector>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/optim/asgd.hpp>
#include <rewind/optim/average.hpp>
#include <rewind/optim/sgd.hpp>

#include "support/bytes_of.hpp"
#include "support/counted_allocations.hpp"
#include "support/messages.hpp"
#include "support/small_model.hpp"

namespace {

using namespace rw::testing;
using namespace rw;

void set_value(Parameter& p, double value) { p.assign(rw::full(p.shape(), value, p.dtype())); }

/// The element at `i` of the first average in a state (after the entry "updates").
double average_of(const rw::WeightAverage& average, std::size_t i = 0) {
  return average.state()[1].tensor.to(DType::float64).to_vector<double>()[i];
}

}  // namespace

BOOST_AUTO_TEST_CASE(corrected_average_is_the_weighted_mean_of_what_it_saw) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const double decay : {0.0, 0.5, 0.9, 0.9999}) {
      Parameter p(rw::full({19}, 100, dtype));
      rw::ParameterAverage average({{"p", &p}}, {.decay = decay});
      BOOST_CHECK_EQUAL(average_of(average), 100);
      double sum = 0;
      double weights = 0;
      for (int t = 1; t <= 25; ++t) {
        const double w = std::sin(1.3 * t);
        set_value(p, w);
        average.update();
        sum = decay * sum + w;
        weights = decay * weights + 1;
        for (const std::size_t i : {0UL, 15UL, 18UL}) {
          BOOST_CHECK_SMALL(average_of(average, i) - sum / weights,
                            dtype == DType::float64 ? 1e-12 : 1e-5);
        }
      }
      BOOST_CHECK_EQUAL(average.updates(), 25);
    }
  }
}

BOOST_AUTO_TEST_CASE(without_correction_the_start_stays_in) {
  Parameter p(rw::full({3}, 4, DType::float64));
  rw::ParameterAverage average({{"p", &p}}, {.decay = 0.75, .bias_correction = false});
  set_value(p, 0);
  average.update();
  BOOST_CHECK_EQUAL(average_of(average), 3);
  average.update();
  BOOST_CHECK_EQUAL(average_of(average), 2.25);
}

BOOST_AUTO_TEST_CASE(lookahead) {
  Parameter p(rw::full({3}, 1, DType::float64));
  rw::Lookahead lookahead({{"p", &p}}, {.period = 2, .alpha = 0.25});
  set_value(p, 3);
  lookahead.update();
  BOOST_CHECK_EQUAL(value_of(p), 3);
  set_value(p, 5);
  lookahead.update();
  BOOST_CHECK_EQUAL(value_of(p), 2);  // 1 + 0.25 (5 - 1)
  set_value(p, 10);
  lookahead.update();
  BOOST_CHECK_EQUAL(value_of(p), 10);
  BOOST_CHECK_EQUAL(average_of(lookahead), 2);
  lookahead.update();
  BOOST_CHECK_EQUAL(value_of(p), 4);
  BOOST_CHECK_EQUAL(lookahead.updates(), 4);
}

BOOST_AUTO_TEST_CASE(lookahead_agrees_with_the_paper_on_sgd) {
  Model model(DType::float64);
  const ParameterList list = rw::parameters(model);
  rw::Sgd optimizer(list, {.learning_rate = 0.2});
  rw::Lookahead lookahead(list);
  std::vector<double> fast = model.w.value().to_vector<double>();
  std::vector<double> slow = fast;
  for (int t = 1; t <= 23; ++t) {
    set_gradients(list, t);
    optimizer.step();
    lookahead.update();
    for (std::size_t i = 0; i < fast.size(); ++i) {
      fast[i] -= 0.2 * gradient_at(fast[i], i, t);
      if (t % 5 == 0) {
        slow[i] = 0.5 * slow[i] + 0.5 * fast[i];
        fast[i] = slow[i];
      }
      BOOST_CHECK_SMALL(value_of(model.w, i) - fast[i], 1e-12);
    }
  }
}

BOOST_AUTO_TEST_CASE(averaged_sgd) {
  Model model(DType::float64);
  const ParameterList list = rw::parameters(model);
  rw::Asgd optimizer(list, {.learning_rate = 0.1, .lambda = 0.01, .averaging_start = 4});
  double average = 0;
  for (int t = 1; t <= 20; ++t) {
    set_gradients(list, t);
    optimizer.step();
    const double w = value_of(model.b, 1);
    const double mu = 1.0 / std::max(1, t - 1 - 4);
    average = mu == 1 ? w : average + (w - average) * mu;
    const rw::AppliedValues applied = optimizer.apply_average();
    BOOST_CHECK_SMALL(value_of(model.b, 1) - average, 1e-14);
  }
  BOOST_CHECK_GT(std::abs(average - value_of(model.b, 1)), 1e-3);
}

BOOST_AUTO_TEST_CASE(applied_until_the_end_of_the_scope) {
  Model model(DType::float32);
  const ParameterList list = rw::parameters(model);
  rw::ParameterAverage average(list, {.decay = 0.9});
  average.update();
  const double first = value_of(model.w, 3);
  set_value(model.w, 7);
  average.update();
  const std::string state = bytes_of(average.state());
  const std::string values = bytes_of(rw::state_of(list));
  {
    const rw::AppliedValues applied = average.apply();
    BOOST_CHECK_SMALL(value_of(model.w, 3) - (0.9 * first + 7) / 1.9, 1e-6);
    BOOST_CHECK_EQUAL(value_of(model.w, 3), average_of(average, 3));
    BOOST_CHECK(bytes_of(average.state()) == state);
  }
  BOOST_CHECK(bytes_of(rw::state_of(list)) == values);
  {
    rw::AppliedValues applied = average.apply();
    applied.restore();
    BOOST_CHECK(bytes_of(rw::state_of(list)) == values);
    set_value(model.w, 8);
  }
  BOOST_CHECK_EQUAL(value_of(model.w), 8);
  average.apply().keep();
  BOOST_CHECK_EQUAL(value_of(model.w, 3), average_of(average, 3));
}

BOOST_AUTO_TEST_CASE(a_tape_notices_that_the_values_were_exchanged) {
  Parameter p(rw::full({3}, 2));
  rw::ParameterAverage average({{"p", &p}});
  rw::Tape tape;
  const Tensor y = rw::sum(rw::exp(p) * p);
  { const rw::AppliedValues applied = average.apply(); }
  BOOST_CHECK_THROW(tape.backward(y), rw::UsageError);
}

BOOST_AUTO_TEST_CASE(misuse) {
  Model model(DType::float32);
  const ParameterList list = rw::parameters(model);
  for (const double bad : {-0.1, 1.0, not_a_number}) {
    check_contains(message_of<rw::UsageError>([&] { rw::ParameterAverage(list, {.decay = bad}); }),
                   {"parameter average: decay is", "less than 1"});
  }
  check_contains(message_of<rw::UsageError>([&] { rw::Lookahead(list, {.period = 0}); }),
                 {"lookahead: period is 0"});
  for (const double bad : {0.0, 1.1, not_a_number}) {
    check_contains(message_of<rw::UsageError>([&] { rw::Lookahead(list, {.alpha = bad}); }),
                   {"lookahead: alpha is"});
  }
  BOOST_CHECK_THROW(rw::ParameterAverage(ParameterList{}), rw::UsageError);
  BOOST_CHECK_THROW(rw::Lookahead({{"a", &model.w}, {"b", &model.w}}), rw::UsageError);

  rw::ParameterAverage average(list);
  model.b = Parameter(rw::zeros({4}));
  const std::string before = bytes_of(average.state()) + bytes_of(rw::state_of(list));
  check_contains(message_of<rw::UsageError>([&] { average.update(); }),
                 {"parameter average", "'layer/b' is now float32 [4], expected float32 [3]"});
  BOOST_CHECK_THROW(static_cast<void>(average.apply()), rw::ShapeError);
  model.b = Parameter(rw::zeros({3}, DType::float64));
  BOOST_CHECK_THROW(static_cast<void>(average.apply()), rw::UsageError);
  model.b = Parameter(rw::zeros({4}));
  BOOST_CHECK(bytes_of(average.state()) + bytes_of(rw::state_of(list)) == before);
}

BOOST_AUTO_TEST_CASE(updates_allocate_nothing) {
  Model model(DType::float32);
  const ParameterList list = rw::parameters(model);
  rw::ParameterAverage average(list);
  rw::Lookahead lookahead(list);
  average.update();
  lookahead.update();
  const std::int64_t before = heap_allocations;
  for (int i = 0; i < 10; ++i) {
    average.update();
    lookahead.update();
  }
  BOOST_CHECK_EQUAL(heap_allocations - before, 0);
}
