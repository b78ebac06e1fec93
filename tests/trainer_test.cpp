// The Trainer does the same as a hand-written loop, bit for bit, with any batches, and each option
// does what it says.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <limits>
#include <list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/messages.hpp"
#include "support/small_model.hpp"
#include "support/trainer_tasks.hpp"

namespace {

using namespace rw::testing;
using namespace rw;
using rw::Adam;
using rw::Minibatches;
using rw::Trainer;

/// What a function writes to the file that it receives.
std::string written_by(const std::function<void(std::FILE*)>& body) {
  std::FILE* const file = std::tmpfile();
  body(file);
  std::string text(static_cast<std::size_t>(std::ftell(file)), ' ');
  std::rewind(file);
  BOOST_TEST(std::fread(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
  return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(equals_the_loop_written_by_hand_bit_for_bit) {
  Task by_hand;
  rw::History history;
  std::string best;
  {
    const rw::ParameterList weights = rw::parameters(by_hand.model);
    Adam optimizer(weights, {.learning_rate = 3e-2});
    optimizer.set_schedule(rw::cosine_decay(60));
    Minibatches batches(50, {.batch = 8}, 5);
    double least = std::numeric_limits<double>::infinity();
    for (int epoch = 1; epoch <= 9; ++epoch) {
      double sum = 0;
      double rate = 0;
      for (const Tensor& batch : batches) {
        rw::Tape tape;
        const Tensor loss = by_hand.loss(batch);
        optimizer.zero_grad();
        tape.backward(loss);
        rw::clip_by_norm(weights, 0.5);
        rate = optimizer.scheduled_learning_rate();
        optimizer.step();
        sum += static_cast<double>(batch.elements()) * loss.item();  // 8, and 2 in the last
      }
      history.add("loss", epoch, sum / 50.0);
      history.add("validation", epoch, by_hand.validate());
      history.add("learning_rate", epoch, rate);
      if (by_hand.validate() < least) {
        least = by_hand.validate();
        best = by_hand.bytes();
      }
    }
  }
  Task task;
  std::string kept;
  Adam optimizer(rw::parameters(task.model), {.learning_rate = 3e-2});
  optimizer.set_schedule(rw::cosine_decay(60));
  Minibatches batches(50, {.batch = 8}, 5);
  Trainer trainer(optimizer, silent({.epochs = 9,
                                     .clip_norm = 0.5,
                                     .validate = [&] { return task.validate(); },
                                     .on_best = [&] { kept = task.bytes(); }}));
  BOOST_TEST((trainer.fit(batches, task.step()) == history));
  BOOST_TEST((task.bytes() == by_hand.bytes()));
  BOOST_TEST((kept == best));
  BOOST_TEST(trainer.epochs_done() == 9);
  BOOST_TEST(history.last("loss") < history["loss"][0].value);  // it learns
}

BOOST_AUTO_TEST_CASE(any_range_and_any_function_that_returns_one) {
  const std::vector<double> vector{1, 2, 4};
  const auto result = [](auto&& batches) {
    Slope slope;
    Trainer trainer(slope.optimizer, silent({.epochs = 2}));
    trainer.fit(std::forward<decltype(batches)>(batches), slope.step());
    return slope.value();
  };
  BOOST_TEST(result(vector) == -13.0);
  BOOST_TEST(result(std::vector<double>{1, 2, 4}) == -13.0);
  BOOST_TEST(result(std::list<double>{1, 2, 4}) == -13.0);
  BOOST_TEST(result(std::span(vector).first(2)) == -5.0);
  int calls = 0;
  BOOST_TEST(result([&] {
               ++calls;
               return std::vector<double>(2, calls);
             }) == -5.0);
  BOOST_TEST(calls == 2);
  BOOST_TEST(result([&]() -> const std::vector<double>& { return vector; }) == -13.0);
}

BOOST_AUTO_TEST_CASE(chunks_of_a_stream) {
  Slope slope;
  rw::BpttBatches chunks(Tensor::from<double>({8}, {1, 2, 3, 4, 5, 6, 7, 8}),
                         {.batch = 2, .steps = 2});
  Trainer trainer(slope.optimizer, silent({.epochs = 1}));
  trainer.fit(chunks,
              [&](const rw::BpttBatch& chunk) { return rw::sum(chunk.y - chunk.x) * slope.w; });
  BOOST_TEST(slope.value() == 1.0 - 6.0);
}

BOOST_AUTO_TEST_CASE(accumulated_batches_are_one_large_batch) {
  Task large;
  Task small;
  const auto train = [](Task& task, std::int64_t batch, std::int64_t accumulate) {
    rw::Sgd optimizer(rw::parameters(task.model), {.learning_rate = 0.1});
    // 40 of the 50: full batches only, so that the means have equal weights.
    Minibatches batches(40, {.batch = batch, .shuffle = false}, 5);
    Trainer trainer(optimizer, silent({.epochs = 5, .clip_norm = 0.5, .accumulate = accumulate}));
    trainer.fit(batches, task.step());
    BOOST_TEST(optimizer.steps() == 10);
  };
  train(large, 20, 1);
  train(small, 5, 4);
  const auto a = rw::state_of(large.model);
  const auto b = rw::state_of(small.model);
  for (std::size_t i = 0; i < a.size(); ++i) {
    BOOST_TEST(a[i].tensor.to_vector<float>() == b[i].tensor.to_vector<float>(),
               boost::test_tools::tolerance(1e-5F) << boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(the_last_update_of_an_epoch_may_have_fewer_batches) {
  Slope slope;
  Trainer trainer(slope.optimizer, silent({.epochs = 2, .accumulate = 2}));
  trainer.fit(std::vector<double>{1, 3, 8}, slope.step());
  BOOST_TEST(slope.value() == 1.0 - 2 * ((1.0 + 3.0) / 2 + 8.0));
  BOOST_TEST(slope.optimizer.steps() == 4);
}

BOOST_AUTO_TEST_CASE(smaller_batches_weigh_less) {
  // The mean of (w - y)^2 over 1, 1, 1, 1, 6: at w = 0 it is 8, with gradient -4.
  const Tensor y = Tensor::from<double>({5}, {1, 1, 1, 1, 6});
  const auto loss_of = [&](const Slope& slope, const Tensor& examples) {
    return rw::mean(rw::square(slope.w.value() - rw::index_select(y, examples)));
  };
  for (const auto& [batch, accumulate] : {std::pair{5, 1}, {2, 3}, {1, 5}, {4, 2}, {3, 7}}) {
    Slope slope;
    slope.w.assign(Tensor::from<double>({}, {0.0}));
    Minibatches batches(5, {.batch = batch, .shuffle = false}, 1);
    Trainer trainer(slope.optimizer, silent({.accumulate = accumulate}));
    trainer.fit(batches, [&](const Tensor& examples) { return loss_of(slope, examples); });
    BOOST_TEST(std::abs(slope.value() - 4) < 1e-14);
    BOOST_TEST(std::abs(trainer.history().last("loss") - 8) < 1e-14);
  }
  // Means of each update and of the epoch: here the last batch is an update by itself.
  Slope slope;
  slope.w.assign(Tensor::from<double>({}, {0.0}));
  Minibatches batches(5, {.batch = 2, .shuffle = false}, 1);
  Trainer trainer(slope.optimizer, silent({.accumulate = 2}));
  trainer.fit(batches, [&](const Tensor& examples) { return loss_of(slope, examples); });
  BOOST_TEST(slope.value() == 2 + 2 * (6 - 2));
  BOOST_TEST(trainer.history().last("loss") == (2 * 1 + 2 * 1 + 1 * 16) / 5.0);
}

BOOST_AUTO_TEST_CASE(a_loss_may_say_its_weight) {
  // Means over 3, 1 and 2 tokens: together (3 * 1 + 1 * 5 + 2 * 8) / 6 = 4.
  struct Batch {
    double mean;
    std::int64_t tokens;
  };
  const std::vector<Batch> batches{{1, 3}, {5, 1}, {8, 2}};
  Slope slope;
  Trainer trainer(slope.optimizer, silent({.accumulate = 3}));
  const auto step = [&](const Batch& batch) -> rw::WeightedLoss {
    return {slope.w * batch.mean, batch.tokens};
  };
  trainer.fit(batches, step);
  BOOST_TEST(std::abs(slope.value() - (1 - 4)) < 1e-14);
  BOOST_TEST(std::abs(trainer.history().last("loss") - 4) < 1e-14);
  BOOST_TEST(std::abs(rw::mean_loss(batches, step) - 4 * -3) < 1e-14);

  for (const double bad : {0.0, -1.0, not_a_number, std::numeric_limits<double>::infinity()}) {
    const double before = slope.value();
    Trainer refusing(slope.optimizer, silent({}));
    const auto refused = [&](const Batch&) { return rw::WeightedLoss(slope.w * 1.0, bad); };
    BOOST_CHECK_THROW(refusing.fit(batches, refused), rw::UsageError);
    BOOST_CHECK_THROW(rw::mean_loss(batches, refused), rw::UsageError);
    BOOST_TEST(slope.value() == before);
  }
}

BOOST_AUTO_TEST_CASE(the_weight_of_a_batch_is_its_number_of_examples) {
  const auto weight_of = [](auto batch) { return rw::detail::weight_of(batch); };
  BOOST_TEST(weight_of(std::vector<int>(7)) == 7.0);
  BOOST_TEST(weight_of(rw::zeros({3}, DType::int64)) == 3.0);
  // It is not known which axis of these counts examples.
  BOOST_TEST(weight_of(rw::zeros({3, 2})) == 1.0);
  BOOST_TEST(weight_of(rw::zeros({})) == 1.0);
  BOOST_TEST(weight_of(std::pair(1, 2)) == 1.0);
  rw::BpttBatches chunks(rw::zeros({8}), {.batch = 2, .steps = 2});
  BOOST_TEST(weight_of(chunks.next()) == 4.0);
  BOOST_TEST(weight_of(chunks.next()) == 2.0);

  // A mean over batches equals the mean over all examples.
  const Task task;
  const double expected = task.validate();
  Minibatches batches(50, {.batch = 16}, 5);
  const rw::Tape outer;
  const double mean = rw::mean_loss(batches, [&](const Tensor& batch) { return task.loss(batch); });
  BOOST_TEST(std::abs(mean - expected) < 1e-6);
  BOOST_TEST(outer.operations() == 0);
  BOOST_CHECK_THROW(rw::mean_loss(std::vector<int>{}, [](int) { return rw::scalar(1); }),
                    rw::UsageError);
}

BOOST_AUTO_TEST_CASE(stops_early_and_keeps_the_best) {
  const std::vector<double> validations{5, 4, 4.5, 3, 3.5, not_a_number, 3.2, 1};
  for (const bool maximize : {false, true}) {
    Slope slope;
    std::size_t epoch = 0;
    std::vector<std::size_t> best;
    Trainer trainer(slope.optimizer,
                    silent({.epochs = 100,
                            .validate = [&] { return (maximize ? -1 : 1) * validations[epoch++]; },
                            .maximize = maximize,
                            .on_best = [&] { best.push_back(epoch); },
                            .patience = 3}));
    BOOST_TEST(!trainer.stopped_early());
    trainer.fit(std::vector<double>{1}, slope.step());
    BOOST_TEST(trainer.stopped_early());
    BOOST_TEST(epoch == 7U);
    BOOST_TEST((best == std::vector<std::size_t>{1, 2, 4}));
    BOOST_TEST(trainer.best() == (maximize ? -3.0 : 3.0));
    BOOST_TEST(trainer.history()["validation"].size() == 7U);
    trainer.fit(std::vector<double>{1}, slope.step());
    BOOST_TEST(epoch == 7U);
  }
}

BOOST_AUTO_TEST_CASE(without_validation_the_training_loss_counts) {
  Slope slope;
  int best = 0;
  Trainer trainer(slope.optimizer, silent({.epochs = 3, .on_best = [&] { ++best; }}));
  trainer.fit(std::vector<double>{1}, slope.step());
  BOOST_TEST(best == 3);  // w decreases forever
  BOOST_TEST(trainer.best() == -1.0);
  BOOST_TEST(!trainer.history().contains("validation"));
}

BOOST_AUTO_TEST_CASE(a_plateau_lowers_the_rate) {
  Slope slope;
  Trainer trainer(slope.optimizer,
                  silent({.epochs = 4,
                          .validate = [] { return 1.0; },
                          .maximize = true,
                          .plateau = rw::ReduceOnPlateauOptions{.factor = 0.5, .patience = 0}}));
  trainer.fit(std::vector<double>{0}, slope.step());
  std::vector<double> rates;
  for (const auto& point : trainer.history()["learning_rate"]) {
    rates.push_back(point.value);
  }
  BOOST_TEST((rates == std::vector<double>{1, 1, 0.5, 0.25}));
}

BOOST_AUTO_TEST_CASE(validation_is_not_recorded) {
  Slope slope;
  bool recorded = false;
  const rw::Tape outer;
  Trainer trainer(slope.optimizer, silent({.validate = [&] {
                    recorded = (slope.w * 2.0).requires_grad();
                    return 0.0;
                  }}));
  trainer.fit(std::vector<double>{1}, slope.step());
  BOOST_TEST(!recorded);
  BOOST_TEST(outer.operations() == 0);
}

BOOST_AUTO_TEST_CASE(a_line_for_each_epoch) {
  Slope slope;
  const std::string text = written_by([&](std::FILE* file) {
    Trainer trainer(slope.optimizer, {.epochs = 2,
                                      .validate = [&] { return slope.value() < -4 ? 9.0 : 0.25; },
                                      .output = file,
                                      .label = "slope"});
    trainer.fit(std::vector<double>{1, 2}, slope.step());
  });
  check_contains(text, {"   slope  epoch   1   loss 0.50000   validation 0.25000   rate 1 ",
                        " s   best\n   slope  epoch   2   loss -4.00000   validation 9.00000"});
  BOOST_TEST(text.find("best") == text.rfind("best"));
  BOOST_TEST(text.find('\r') == std::string::npos);  // no progress bar in a file
}

BOOST_AUTO_TEST_CASE(of_many_epochs_some_lines_and_the_last) {
  Slope slope;
  const std::string text = written_by([&](std::FILE* file) {
    Trainer trainer(slope.optimizer, {.epochs = 101, .output = file});
    trainer.fit(std::vector<double>{1}, slope.step());
  });
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 17 + 1);
  check_contains(text, {"epoch   6 ", "epoch  96 ", "epoch 101 ",
                        "ended: all 101 epochs done; lowest loss -99.00000 in epoch 101\n"});
}

/// The numbers of the epochs that have a line.
std::vector<int> epochs_in(const std::string& text) {
  std::vector<int> epochs;
  for (std::size_t at = 0; (at = text.find("  epoch ", at)) != std::string::npos;) {
    at += 8;
    epochs.push_back(std::stoi(text.substr(at)));
  }
  return epochs;
}

BOOST_AUTO_TEST_CASE(the_best_epochs_have_a_line) {
  // Decreases until epoch 4, and briefly at 7 and 31.
  const auto validation = [](std::int64_t epoch) {
    return epoch == 31  ? 1.0
           : epoch == 7 ? 2.0
           : epoch <= 4 ? 10.0 - static_cast<double>(epoch)
                        : 9.0;
  };
  const auto text_of = [&](TrainerOptions options) {
    return written_by([&](std::FILE* file) {
      Slope slope;
      options.validate = [&] { return validation(slope.optimizer.steps()); };
      options.output = file;
      Trainer trainer(slope.optimizer, options);
      trainer.fit(std::vector<double>{0}, slope.step());
    });
  };
  const std::string text = text_of({.epochs = 60});
  BOOST_TEST((epochs_in(text) == std::vector<int>{3,  4,  6,  7,  9,  12, 15, 18, 21, 24, 27, 30,
                                                  31, 33, 36, 39, 42, 45, 48, 51, 54, 57, 60}));
  check_contains(text, {"ended: all 60 epochs done; lowest validation 1.00000 in epoch 31\n"});
  BOOST_TEST(
      (epochs_in(text_of({.epochs = 60, .every = 25})) == std::vector<int>{4, 7, 25, 31, 50, 60}));
  BOOST_TEST(epochs_in(text_of({.epochs = 60, .every = 1})).size() == 60U);
  const std::string early = text_of({.epochs = 60, .patience = 5, .every = 100});
  BOOST_TEST((epochs_in(early) == std::vector<int>{4, 7, 12}));
  check_contains(early,
                 {"ended: no improvement in 5 epochs; lowest validation 2.00000 in epoch 7"});
}

BOOST_AUTO_TEST_CASE(a_line_that_waits_is_written_when_training_fails) {
  const std::string text = written_by([&](std::FILE* file) {
    Slope slope;
    Trainer trainer(slope.optimizer, {.epochs = 60, .output = file, .every = 60});
    BOOST_CHECK_THROW(
        trainer.fit(std::vector<double>{1},
                    [&](double c) { return slope.w * (slope.value() < -6 ? not_a_number : c); }),
        rw::NonFiniteError);
  });
  BOOST_TEST((epochs_in(text) == std::vector<int>{8}));
}

BOOST_AUTO_TEST_CASE(it_says_where_it_was_stopped) {
  Slope slope;
  const std::string text = written_by([&](std::FILE* file) {
    Trainer trainer(
        slope.optimizer,
        {.epochs = 5, .stop = [&] { return slope.optimizer.steps() == 5; }, .output = file});
    trainer.fit(std::vector<double>{1, 1, 1}, slope.step());
    BOOST_TEST(trainer.epochs_done() == 1);
  });
  check_contains(text, {"stopped in epoch 2 after 2 batches\n"});
}
