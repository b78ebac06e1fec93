// The Trainer stays usable whatever happens during training: exceptions, non-finite numbers, the
// end of the process.

#include <forward_list>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/messages.hpp"
#include "support/small_model.hpp"
#include "support/temporary_folder.hpp"
#include "support/trainer_tasks.hpp"

namespace {

using namespace rw::testing;
using namespace rw;
using rw::Adam;
using rw::Minibatches;
using rw::Trainer;

}  // namespace

BOOST_AUTO_TEST_CASE(a_loss_that_is_not_finite_touches_nothing) {
  for (const double bad : {not_a_number, std::numeric_limits<double>::infinity()}) {
    Slope slope;
    Trainer trainer(slope.optimizer, silent({.epochs = 5}));
    int count = 0;
    const auto fit = [&] {
      trainer.fit(std::vector<double>{1, 2, 4},
                  [&](double c) { return slope.w * (++count == 5 ? bad : c); });
    };
    const std::string message = message_of<rw::NonFiniteError>(fit);
    check_contains(message, {"trainer: epoch 2, batch 2, step 5", "the loss is", "clip_norm"});
    BOOST_TEST(slope.value() == 1.0 - 7 - 1);
    BOOST_TEST(slope.optimizer.steps() == 4);
    BOOST_TEST(trainer.epochs_done() == 1);
    fit();  // repeats the second epoch from its first batch
    BOOST_TEST(trainer.epochs_done() == 5);
    BOOST_TEST(slope.value() == 1.0 - 5 * 7 - 1);
    BOOST_TEST(trainer.history()["loss"].size() == 5U);
  }
}

BOOST_AUTO_TEST_CASE(a_gradient_that_is_not_finite_touches_nothing) {
  for (const std::optional<double> clip : {std::optional<double>(), std::optional(1.0)}) {
    Parameter w(Tensor::from<double>({}, {0.0}));
    rw::Sgd optimizer(rw::ParameterList{{"w", &w}}, {.learning_rate = 1.0});
    Trainer trainer(optimizer, silent({.clip_norm = clip}));
    // The gradient of a square root at 0.
    const std::string message = message_of<rw::NonFiniteError>(
        [&] { trainer.fit(std::vector{1}, [&](int) { return rw::sqrt(w.value()); }); });
    check_contains(message, {"trainer: epoch 1, batch 1, step 1", "'w'"});
    BOOST_TEST(w.value().item() == 0.0);
    BOOST_TEST(optimizer.steps() == 0);
  }
}

BOOST_AUTO_TEST_CASE(no_batches) {
  Slope slope;
  Trainer trainer(slope.optimizer, silent({.epochs = 2}));
  const std::string message =
      message_of<rw::UsageError>([&] { trainer.fit(std::vector<double>{}, slope.step()); });
  check_contains(message, {"no batch in epoch 1"});
  Minibatches none(0, {}, 1);
  BOOST_CHECK_THROW(trainer.fit(none, [&](const Tensor&) { return slope.w * 1.0; }),
                    rw::UsageError);
  Minibatches too_few(5, {.batch = 8, .drop_last = true}, 1);
  check_contains(message_of<rw::UsageError>(
                     [&] { trainer.fit(too_few, [&](const Tensor&) { return slope.w * 1.0; }); }),
                 {"no batch in epoch 1", "size() 0", "drop_last"});
  check_contains(
      message_of<rw::UsageError>([&] { trainer.fit(std::forward_list<double>{}, slope.step()); }),
      {"no batch in epoch 1", "only once"});
  BOOST_TEST(trainer.epochs_done() == 0);
  trainer.fit(std::vector<double>{1}, slope.step());
  BOOST_TEST(slope.value() == -1.0);
}

BOOST_AUTO_TEST_CASE(no_epochs) {
  Slope slope;
  Trainer trainer(slope.optimizer, silent({.epochs = 0}));
  BOOST_TEST(trainer.fit(std::vector<double>{1}, slope.step()).empty());
}

BOOST_AUTO_TEST_CASE(an_exception_in_the_step_leaves_everything_usable) {
  Slope slope;
  Trainer trainer(slope.optimizer, silent({.epochs = 2, .accumulate = 2}));
  int count = 0;
  const auto step = [&](double c) {
    if (++count == 4) {
      throw std::runtime_error("broken");
    }
    return slope.w * c;
  };
  BOOST_CHECK_THROW(trainer.fit(std::vector<double>{1, 3, 5, 7}, step), std::runtime_error);
  BOOST_TEST(rw::Tape::active() == nullptr);
  BOOST_TEST(slope.value() == 1.0 - 2);
  // The gradient of the third batch, which was never applied, must not be added to the next.
  trainer.fit(std::vector<double>{1, 3, 5, 7}, step);
  BOOST_TEST(slope.value() == 1.0 - 2 - 2 * (2 + 6));
  BOOST_TEST(trainer.history()["loss"].size() == 2U);
}

BOOST_AUTO_TEST_CASE(exceptions_of_the_callbacks_too) {
  Slope slope;
  bool broken = true;
  const auto fail = [&] {
    if (broken) {
      throw std::runtime_error("broken");
    }
    return 1.0;
  };
  Trainer trainer(slope.optimizer, silent({.epochs = 1, .validate = fail}));
  BOOST_CHECK_THROW(trainer.fit(std::vector<double>{1}, slope.step()), std::runtime_error);
  BOOST_TEST(trainer.epochs_done() == 0);
  BOOST_TEST(trainer.history().empty());
  broken = false;
  trainer.fit(std::vector<double>{1}, slope.step());
  BOOST_TEST(trainer.epochs_done() == 1);
}

BOOST_AUTO_TEST_CASE(a_loss_of_another_model) {
  Slope slope;
  const Slope other;
  Trainer trainer(slope.optimizer, silent({.accumulate = 2}));
  check_contains(message_of<rw::UsageError>([&] {
                   trainer.fit(std::vector<double>{1, 2}, [&](double c) { return other.w * c; });
                 }),
                 {"sgd: none of the 1 parameters has a gradient"});
  BOOST_TEST(trainer.epochs_done() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_loss) {
  Slope slope;
  Trainer trainer(slope.optimizer, silent({}));
  BOOST_CHECK_THROW(
      trainer.fit(std::vector{1}, [&](int) { return slope.w * rw::ones({2}, DType::float64); }),
      rw::ShapeError);
  BOOST_CHECK_THROW(trainer.fit(std::vector{1}, [&](int) { return rw::scalar(1); }),
                    rw::UsageError);
  BOOST_CHECK_THROW(trainer.fit(std::vector{1},
                                [&](int) {
                                  trainer.fit(std::vector{1}, [&](int) { return slope.w * 1.0; });
                                  return slope.w * 1.0;
                                }),
                    rw::UsageError);
  BOOST_TEST(slope.value() == 1.0);
}

BOOST_AUTO_TEST_CASE(options_out_of_range) {
  Slope slope;
  const auto refuse = [&](const TrainerOptions& options) {
    BOOST_CHECK_THROW(Trainer(slope.optimizer, options), rw::UsageError);
  };
  refuse({.epochs = -1});
  refuse({.clip_norm = 0.0});
  refuse({.clip_norm = not_a_number});
  refuse({.accumulate = 0});
  refuse({.every = -1});
  refuse({.min_delta = -1});
  refuse({.patience = 0});
  refuse({.plateau = rw::ReduceOnPlateauOptions{.factor = 2}});
}

BOOST_AUTO_TEST_CASE(stopped_and_resumed_at_any_batch_it_goes_on_bit_for_bit) {
  const TemporaryFolder folder;
  const std::string file = folder / "trainer.h5";
  struct Run {
    Task task;
    Adam optimizer{rw::parameters(task.model), {.learning_rate = 3e-2}};
    Minibatches batches;
    int updates = 0;
    Trainer trainer;
    Run(std::uint64_t seed, std::int64_t accumulate, int stop_after)
        : task(seed),
          batches(50, {.batch = 16}, seed),
          trainer(optimizer, silent({.epochs = 4,
                                     .accumulate = accumulate,
                                     .validate = [this] { return task.validate(); },
                                     .patience = 3,
                                     .plateau = rw::ReduceOnPlateauOptions{.patience = 0},
                                     .stop =
                                         [this, stop_after] {
                                           return static_cast<int>(optimizer.steps()) == stop_after;
                                         }})) {}
    rw::StateList state() {
      return rw::io::collect("model", task.model, "optimizer", optimizer, "batches", batches,
                             "trainer", trainer);
    }
  };
  for (const std::int64_t accumulate : {1, 2}) {
    Run whole(3, accumulate, -1);
    whole.trainer.fit(whole.batches, whole.task.step());
    const auto updates = static_cast<int>(whole.optimizer.steps());
    BOOST_TEST(updates == 16 / accumulate);
    for (int stop_after = 0; stop_after <= updates; ++stop_after) {
      Run first(3, accumulate, stop_after);
      first.trainer.fit(first.batches, first.task.step());
      BOOST_TEST(first.trainer.interrupted());
      BOOST_TEST(first.optimizer.steps() == stop_after);
      rw::io::save(file, first.state());
      Run second(3, accumulate, -1);
      second.batches.next();
      rw::io::load(file, second.state());
      second.trainer.fit(second.batches, second.task.step());
      BOOST_TEST(!second.trainer.interrupted());
      BOOST_TEST(second.trainer.epochs_done() == 4);
      BOOST_TEST((bytes_of(second.state()) == bytes_of(whole.state())));
      BOOST_TEST(second.trainer.history().last("loss") == whole.trainer.history().last("loss"));
    }
  }
}

BOOST_AUTO_TEST_CASE(taken_back_to_an_earlier_epoch_the_history_goes_on_from_there) {
  const TemporaryFolder folder;
  const std::string file = folder / "trainer.h5";
  Slope slope;
  double factor = 1;
  bool saved = false;
  Trainer trainer(slope.optimizer, silent({.epochs = 3, .validate = [&] { return factor; }}));
  trainer.fit(std::vector<double>{0}, [&](double c) {
    if (!saved && trainer.epochs_done() == 1) {
      rw::io::save(file, "trainer", trainer);
      saved = true;
    }
    return slope.w * c;
  });
  rw::io::load(file, "trainer", trainer);
  BOOST_TEST(trainer.epochs_done() == 1);
  factor = 2;
  trainer.fit(std::vector<double>{0}, slope.step());
  BOOST_TEST(
      (trainer.history()["validation"] == std::vector<rw::History::Point>{{1, 1}, {2, 2}, {3, 2}}));
}
