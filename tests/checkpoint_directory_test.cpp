// Folders of checkpoints: which are kept, which are found again, and runs that resume from them.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <rewind/io/checkpoint_directory.hpp>
#include <rewind/optim/autosave.hpp>

#include "support/messages.hpp"
#include "support/temporary_folder.hpp"
#include "support/trainer_tasks.hpp"

namespace {

using namespace rw::testing;
using rw::Adam;
using rw::Autosave;
using rw::DType;
using rw::Minibatches;
using rw::Tensor;
using rw::Trainer;
using rw::UsageError;
using rw::io::CheckpointDirectory;
using rw::io::Generation;
namespace fs = std::filesystem;

Tensor one_number(double value) { return rw::scalar(value, DType::float64); }

std::vector<std::int64_t> numbers_in(const CheckpointDirectory& directory) {
  std::vector<std::int64_t> numbers;
  for (const Generation& each : directory.generations()) {
    numbers.push_back(each.number);
  }
  return numbers;
}

void damage(const std::string& path) { fs::resize_file(path, fs::file_size(path) / 2); }

using Numbers = std::vector<std::int64_t>;

}  // namespace

BOOST_AUTO_TEST_CASE(the_last_and_the_best_are_kept) {
  const TemporaryFolder folder;
  CheckpointDirectory directory(folder / "runs/7", {.keep_last = 2, .keep_best = 1});
  std::ofstream(directory.path() + "/notes.txt") << "mine";
  std::ofstream(directory.path() + "/checkpoint-best.h5") << "mine too";
  for (const double loss : {5.0, 1.0, 4.0, 3.0, 2.0}) {
    directory.save(loss, "x", one_number(loss));
  }
  BOOST_TEST(numbers_in(directory) == (Numbers{2, 4, 5}), boost::test_tools::per_element());
  BOOST_TEST(directory.best()->number == 2);
  BOOST_TEST(directory.best()->score.value() == 1.0);
  BOOST_TEST(fs::exists(directory.path() + "/notes.txt"));
  BOOST_TEST(fs::exists(directory.path() + "/checkpoint-best.h5"));
  // Another process continues the numbering, and knows the scores.
  CheckpointDirectory again(directory.path(), {.keep_last = 1, .keep_best = 2});
  again.save("x", one_number(9));
  BOOST_TEST(numbers_in(again) == (Numbers{2, 5, 6}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(greater_scores_may_be_better_and_nan_never_is) {
  const TemporaryFolder folder;
  CheckpointDirectory directory(folder.path.string(),
                                {.keep_last = 1, .keep_best = 1, .maximize = true});
  for (const double accuracy : {0.25, 0.75, 0.5, std::numeric_limits<double>::quiet_NaN()}) {
    directory.save(accuracy, "x", one_number(accuracy));
  }
  BOOST_TEST(numbers_in(directory) == (Numbers{2, 4}), boost::test_tools::per_element());
  BOOST_TEST(directory.best()->number == 2);
}

BOOST_AUTO_TEST_CASE(resume_passes_over_damaged_ones_and_says_which) {
  const TemporaryFolder folder;
  CheckpointDirectory directory(folder.path.string());
  Tensor x = one_number(0);
  BOOST_TEST(!directory.resume("x", x).has_value());
  for (const double value : {1.0, 2.0, 3.0}) {
    directory.save("x", one_number(value));
  }
  BOOST_TEST(directory.resume("x", x)->number == 3);
  BOOST_TEST(x.item() == 3);
  BOOST_TEST(directory.skipped().empty());

  BOOST_TEST(directory.latest()->number == 3);

  damage(directory.generations()[2].path);
  BOOST_TEST(directory.latest()->number == 2);
  BOOST_TEST(directory.skipped().size() == 1U);
  BOOST_TEST(directory.resume("x", x)->number == 2);
  BOOST_TEST(x.item() == 2);
  BOOST_REQUIRE(directory.skipped().size() == 1);
  BOOST_TEST(directory.skipped()[0].generation.number == 3);
  check_contains(directory.skipped()[0].reason, {"checkpoint-000003.h5"});

  damage(directory.generations()[0].path);
  damage(directory.generations()[1].path);
  BOOST_CHECK_EXCEPTION(directory.resume("x", x), rw::io::CheckpointCorrupt, [](const auto& error) {
    check_contains(error.what(), {"none of its 3 checkpoints can be read"});
    return true;
  });
  BOOST_TEST(x.item() == 2);
}

BOOST_AUTO_TEST_CASE(other_files_are_left_alone_and_a_removed_folder_comes_back) {
  const TemporaryFolder folder;
  CheckpointDirectory directory(folder / "run", {.keep_last = 1});
  const std::vector<std::string> others{"checkpoint-1.h5", "checkpoint-0000010.h5",
                                        "checkpoint-9223372036854775807.h5"};
  for (const std::string& name : others) {
    std::ofstream(directory.path() + "/" + name) << "mine";
  }
  fs::create_directory(directory.path() + "/checkpoint-000009.h5");
  directory.save("x", one_number(1));
  directory.save("x", one_number(2));
  BOOST_TEST(numbers_in(directory) == Numbers{2}, boost::test_tools::per_element());
  for (const std::string& name : others) {
    BOOST_TEST(fs::exists(directory.path() + "/" + name));
  }
  BOOST_TEST(fs::is_directory(directory.path() + "/checkpoint-000009.h5"));
  fs::remove_all(directory.path());
  directory.save("x", one_number(3));
  BOOST_TEST(directory.generations().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_of_another_version_is_skipped) {
  const TemporaryFolder folder;
  CheckpointDirectory directory(folder.path.string());
  directory.save("x", one_number(1));
  const Generation newest = directory.save("x", one_number(2));
  std::fstream file(newest.path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(8).put('\x03');
  file.close();
  Tensor x = one_number(0);
  BOOST_TEST(directory.resume("x", x)->number == 1);
  BOOST_TEST(x.item() == 1);
  check_contains(directory.skipped()[0].reason, {"version 3"});
}

BOOST_AUTO_TEST_CASE(another_model_is_an_error_and_no_damage) {
  const TemporaryFolder folder;
  CheckpointDirectory directory(folder.path.string());
  directory.save("x", one_number(1));
  Tensor wider = rw::zeros({2}, DType::float64);
  BOOST_CHECK_THROW(directory.resume("x", wider), rw::io::StateMismatch);
}

BOOST_AUTO_TEST_CASE(bad_folders_and_options_are_refused) {
  const TemporaryFolder folder;
  BOOST_CHECK_THROW(CheckpointDirectory(""), UsageError);
  BOOST_CHECK_THROW(CheckpointDirectory(folder / "runs", {.keep_last = 0}), UsageError);
  BOOST_CHECK_THROW(CheckpointDirectory(folder / "runs", {.keep_best = -1}), UsageError);
  std::ofstream(folder / "file") << "a file";
  BOOST_CHECK_THROW(CheckpointDirectory{folder / "file"}, rw::io::CheckpointWriteError);
  BOOST_CHECK_THROW(CheckpointDirectory(folder / "file/below"), rw::io::CheckpointWriteError);
}

BOOST_AUTO_TEST_CASE(autosave_saves_by_steps_by_time_or_by_epoch) {
  int saves = 0;
  const auto save = [&] { ++saves; };
  Autosave by_steps({.save = save, .every_steps = 3});
  for (int step = 0; step < 7; ++step) {
    by_steps.after_step();
  }
  by_steps.after_epoch();
  BOOST_TEST(saves == 2);
  by_steps.finish();
  BOOST_TEST(saves == 3);
  by_steps.finish();  // nothing has happened since
  BOOST_TEST(saves == 3);

  Autosave by_epoch({.save = save});
  by_epoch.after_step();
  BOOST_TEST(saves == 3);
  by_epoch.after_epoch();
  BOOST_TEST(saves == 4);

  Autosave by_time({.save = save, .every_minutes = 1e-9});
  std::this_thread::sleep_for(std::chrono::microseconds(1));
  by_time.after_step();
  BOOST_TEST(saves == 5);

  BOOST_CHECK_THROW(Autosave({.save = save, .every_steps = -1}), UsageError);
  BOOST_CHECK_THROW(Autosave({.save = save, .every_minutes = -1}), UsageError);
  BOOST_CHECK_THROW(Autosave({.every_steps = 1}), UsageError);
}

BOOST_AUTO_TEST_CASE(training_goes_on_when_a_save_fails) {
  bool is_full = true;
  int saved = 0;
  Autosave autosave({.save =
                         [&] {
                           if (is_full) {
                             throw rw::io::CheckpointWriteError("no space left on device");
                           }
                           ++saved;
                         },
                     .every_steps = 1},
                    nullptr);
  autosave.after_step();
  BOOST_TEST(saved == 0);
  is_full = false;
  autosave.finish();  // what could not be saved is saved now
  BOOST_TEST(saved == 1);
  // Other exceptions are the program's own.
  Autosave broken({.save = [] { throw std::logic_error("a mistake"); }, .every_steps = 1}, nullptr);
  BOOST_CHECK_THROW(broken.after_step(), std::logic_error);
}

namespace {

/// A run with everything that has state, and its checkpoints.
struct Run {
  explicit Run(const std::string& path)
      : directory(path),
        optimizer(rw::parameters(task.model), {.learning_rate = 3e-2}),
        trainer(optimizer, silent({.epochs = 6,
                                   .clip_norm = 0.5,
                                   .accumulate = 2,
                                   .validate = [&] { return task.validate(); },
                                   .plateau = rw::ReduceOnPlateauOptions{.patience = 1},
                                   .checkpoints = {.save = [&] { save(); }, .every_steps = 3}})) {}

  void save() {
    directory.save("model", task.model, "optimizer", optimizer, "trainer", trainer, "batches",
                   batches, "rng", rng);
  }
  auto resume() {
    return directory.resume("model", task.model, "optimizer", optimizer, "trainer", trainer,
                            "batches", batches, "rng", rng);
  }
  /// Dies in batch number `last_batch` of this process.
  void train(int last_batch) {
    int batch_number = 0;
    trainer.fit(batches, [&](const Tensor& batch) {
      if (++batch_number == last_batch) {
        throw std::runtime_error("killed");
      }
      return task.loss(batch) * rng.uniform({}, 0.9, 1.1);
    });
  }

  Task task;
  CheckpointDirectory directory;
  Adam optimizer;
  Minibatches batches{50, {.batch = 8}, 5};
  rw::Rng rng{11};
  Trainer trainer;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_run_that_dies_again_and_again_ends_as_one_that_does_not) {
  const TemporaryFolder folder;
  Run whole(folder / "whole");
  whole.train(0);
  BOOST_TEST(whole.trainer.epochs_done() == 6);

  const std::string path = folder / "killed";
  int deaths = 0;
  for (const int last_batch : {3, 9, 8, 7, 11, 10, 13, 0}) {
    Run run(path);
    if (deaths > 1) {
      BOOST_TEST(run.resume().has_value());
    } else {
      run.resume();  // the first process died before it saved anything
    }
    try {
      run.train(last_batch);
    } catch (const std::runtime_error&) {
      ++deaths;
      continue;
    }
    BOOST_TEST(run.trainer.epochs_done() == 6);
    BOOST_TEST((run.task.bytes() == whole.task.bytes()));
    BOOST_TEST((bytes_of(rw::state_of(run.optimizer)) == bytes_of(rw::state_of(whole.optimizer))));
    BOOST_TEST(run.trainer.best() == whole.trainer.best());
  }
  BOOST_TEST(deaths == 7);
}

BOOST_AUTO_TEST_CASE(a_run_that_was_saved_at_the_end_of_an_epoch_has_the_same_history) {
  const TemporaryFolder folder;
  rw::History whole;
  for (const bool is_resumed : {false, true}) {
    Task task;
    Adam optimizer(rw::parameters(task.model));
    optimizer.set_schedule(rw::exponential_decay(0.5));
    Minibatches batches(50, {.batch = 10}, 5);
    int asked = 0;
    const auto make = [&](int stop_at) {
      return silent({.epochs = 2, .stop = [&asked, stop_at] { return ++asked == stop_at; }});
    };
    const std::string file = folder / "x.h5";
    if (is_resumed) {
      Trainer first(optimizer, make(6));  // after the fifth update, the epoch's last
      first.fit(batches, task.step());
      BOOST_TEST(first.interrupted());
      BOOST_TEST(first.epochs_done() == 0);
      rw::io::save(file, "trainer", first);
    }
    Trainer trainer(optimizer, make(0));
    if (is_resumed) {
      rw::io::load(file, "trainer", trainer);
    }
    trainer.fit(batches, task.step());
    BOOST_TEST((whole.empty() || trainer.history() == whole));
    whole = trainer.history();
  }
}

BOOST_AUTO_TEST_CASE(an_interrupted_run_is_saved_where_it_stands) {
  const TemporaryFolder folder;
  CheckpointDirectory directory(folder.path.string());
  Task task;
  Adam optimizer(rw::parameters(task.model));
  Minibatches batches(50, {.batch = 8}, 5);
  int asked = 0;
  Trainer trainer(optimizer,
                  silent({.epochs = 6,
                          .checkpoints = {.save = [&] { directory.save("model", task.model); }},
                          .stop = [&] { return ++asked > 4; }}));
  trainer.fit(batches, task.step());
  BOOST_TEST(trainer.interrupted());
  BOOST_REQUIRE(directory.generations().size() == 1);
  Task again(4);
  directory.resume("model", again.model);
  BOOST_TEST((again.bytes() == task.bytes()));
}
