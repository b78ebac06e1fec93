#include "common/experiment.hpp"

#include <filesystem>

#include <rewind/autograd/tape/tape.hpp>
#include <rewind/optim/autosave.hpp>
#include <rewind/optim/clip.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"

namespace examples {

namespace {

Score score_of(const Graded& graded) {
  Score score;
  score.add(graded.loss.item(), static_cast<double>(graded.tally.hits), graded.tally.total);
  return score;
}

}  // namespace

const std::string& Experiment::add_cell(const std::string& value) {
  return choice("cell", value, cell_names, "Kind of network; rnn is the plain one with relu");
}

const std::int64_t& Experiment::add_hidden(std::int64_t value, const std::string& help) {
  return integer("hidden", value, help, 1, 4096);
}

const std::int64_t& Experiment::add_batch(std::int64_t value, const std::string& help) {
  return integer("batch", value, help, 1, 4096);
}

const std::int64_t& Experiment::add_memory(std::int64_t value) {
  return integer("memory", value, "Steps over which units of a gated cell initially forget", 1,
                 1e6);
}

const std::int64_t& Experiment::add_epochs(std::int64_t value, const std::string& help) {
  return integer("epochs", value, help, 0, 100'000);
}

const double& Experiment::add_learning_rate(double value, const std::string& help) {
  return number("learning-rate", value, help, 1e-8, 10);
}

namespace {

bool is_good_enough(const Monitor& monitor, const TrainingOptions& options) {
  return monitor.curve().epochs > 0 &&
         (monitor.score().loss() < options.goal ||
          (options.until_flawless && monitor.epochs_without_error() >= 3));
}

}  // namespace

void Experiment::train(rw::Optimizer& optimizer, const TrainingOptions& options, Run& run,
                       const Step& step) const {
  stop_training_on_interrupt();
  auto& [rng, learning_rate, monitor, save_run] = run;
  rw::Autosave autosave({.save = save_run});
  while (!monitor.done() && !is_good_enough(monitor, options) && !interrupted()) {
    while (monitor.steps_in_epoch() < options.batches && !interrupted()) {
      rw::Tape tape;
      const Graded graded = step(rng);
      optimizer.zero_grad();
      tape.backward(graded.loss);
      if (options.clip_norm) {
        rw::clip_by_norm(optimizer.parameters(), *options.clip_norm);
      }
      optimizer.step();
      monitor.step(score_of(graded));
      autosave.after_step();
    }
    const bool is_whole = monitor.steps_in_epoch() == options.batches;
    if (!is_whole && !options.keeps_state_in_epoch) {
      autosave.finish();  // before end_epoch(), so that a resumed run trains the rest of the epoch
    }
    if (is_whole || monitor.steps_in_epoch() > 0) {
      monitor.end_epoch();
    }
    if (is_whole) {
      if (options.until_flawless) {
        optimizer.set_learning_rate(learning_rate *
                                    (monitor.epochs_without_error() > 0 ? 0.1 : 1.0));
      }
      autosave.after_epoch();
    }
  }
  monitor.finish();
}

std::optional<rw::io::CheckpointDirectory> Experiment::checkpoints(
    const std::string& folder) const {
  if (checkpoint.empty()) {
    return std::nullopt;
  }
  return std::optional<rw::io::CheckpointDirectory>(
      std::in_place, (std::filesystem::path(checkpoint) / folder).string(),
      rw::io::CheckpointDirectoryOptions{.attributes = attributes()});
}

void Experiment::print_resumed(const rw::io::CheckpointDirectory& directory,
                               const std::optional<rw::io::Generation>& generation) {
  for (const rw::io::SkippedGeneration& skipped : directory.skipped()) {
    fmt::print(stderr, "skipped {}: {}\n", skipped.generation.path, skipped.reason);
  }
  if (generation) {
    fmt::print("resumed from {}\n", generation->path);
    if (!directory.report().inexact.empty()) {
      fmt::print("{}\n", directory.report().inexact);
    }
  }
}

void Experiment::print_resume_command() const {
  if (has_checkpoints()) {
    fmt::print(stderr, "to resume this run: {}\n", resume_command());
  }
}

Score Experiment::test(std::int64_t batches, rw::Rng& rng, const Step& step) const {
  Score total;
  for (std::int64_t i = 0; i < batches; ++i) {
    total.add(score_of(step(rng)));
  }
  return total;
}

void Experiment::print_test(const Score& score, const char* what) {
  fmt::print("test accuracy {}, loss {:.6f}: {} of {} {} wrong\n", percent(score.accuracy()),
             score.loss(), score.wrong(), score.count(), what);
}

int Experiment::result(const std::string& measured, const std::vector<std::string>& settings,
                       const std::string& more) const {
  const std::chrono::duration<double> elapsed = end_.value_or(Clock::now()) - start_;
  fmt::print("result {} seconds={:.2f} seed={}", measured, elapsed.count(), seed);
  const rw::io::Attributes all = attributes();
  for (const std::string& name : settings) {
    fmt::print(" {}={}", name, all.at(name));
  }
  fmt::print("{}\n", more);
  if (!interrupted()) {
    return 0;
  }
  print_resume_command();
  return interrupted_code();
}

int Experiment::result(const Score& score, const std::vector<std::string>& settings,
                       const std::string& more) const {
  return result(fmt::format("accuracy={:.6f} loss={:.6g}", score.accuracy(), score.loss()),
                settings, more);
}

}  // namespace examples
