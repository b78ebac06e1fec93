#pragma once
// The skeleton of an experiment, which adds its task, its loss and its story:
//
//     struct Adding : examples::Experiment {
//       Adding() : Experiment("adding", "Trains ...", "  adding   100 steps") {}
//       const std::int64_t& steps = integer("steps", 100, "Length of the sequences", 2, 10'000);
//       int run();
//     };
//     int main(int argc, char** argv) { return examples::run<Adding>(argc, argv); }

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <rewind/autograd/losses/metrics.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/io/checkpoint_directory.hpp>
#include <rewind/optim/optimizer.hpp>

#include "common/monitor.hpp"
#include "common/options.hpp"
#include "common/plot.hpp"

namespace examples {

/// What a network made of a batch: the mean loss of its predictions, and how many were right.
struct Graded {
  rw::Tensor loss;
  rw::Tally tally;
};

/// Draws a batch and grades what a network makes of it.
using Step = std::function<Graded(rw::Rng&)>;

/// How long a network is trained, and how. Training ends after `epochs`, or before that after an
/// epoch that was good enough: every batch is new, so that its loss is as good as that of a test.
struct TrainingOptions {
  std::string label = {};                 ///< of the lines that are printed, and of the curve
  std::int64_t epochs = 0;                ///< at most
  std::int64_t batches = 0;               ///< of an epoch
  std::optional<double> clip_norm = 1.0;  ///< greatest norm of the gradient
  double goal = 0;                        ///< a smaller mean loss in an epoch is good enough
  /// Three epochs in a row without a wrong answer are good enough. After one the learning rate is a
  /// tenth: where little is left to learn, large steps only do harm.
  bool until_flawless = false;
  bool silent = false;  ///< prints nothing
  bool plots = true;    ///< after training, draws the curve where --plot says

  /// Steps of a whole training, for a schedule; at least 1, which schedules ask for.
  std::int64_t steps() const { return std::max<std::int64_t>(1, epochs * batches); }
};

/// Settings with their options, training, testing and the last line. The clock runs from the
/// beginning.
class Experiment : public CommandLine {
 public:
  using CommandLine::CommandLine;

  // Settings that many experiments have.
  const std::string& add_cell(const std::string& value);
  const std::int64_t& add_hidden(std::int64_t value, const std::string& help = "Units");
  const std::int64_t& add_batch(std::int64_t value, const std::string& help);
  const std::int64_t& add_memory(std::int64_t value);
  const std::int64_t& add_epochs(std::int64_t value, const std::string& help);
  const double& add_learning_rate(double value, const std::string& help);

  /// With --load reads `model` from that file and returns an empty curve. Otherwise trains it and
  /// writes it where --save says.
  template <class Model>
  Curve load_or_train(Model& model, rw::Optimizer& optimizer, const TrainingOptions& options,
                      const rw::Rng& rng, const Step& step);

  /// Trains `model`, whose parameters `optimizer` has. Ctrl-C ends it after the step that is under
  /// way, but not the program. After --checkpoint the run is saved in that folder, or in `folder`
  /// below it where a program trains several models, and goes on from there after --resume.
  template <class Model>
  Curve train(Model& model, rw::Optimizer& optimizer, const TrainingOptions& options, rw::Rng rng,
              const Step& step, const std::string& folder = {}) const;

  /// The folder of --checkpoint, or `folder` below it; nothing without that option.
  std::optional<rw::io::CheckpointDirectory> checkpoints(const std::string& folder = {}) const;

  /// After --resume, loads pairs of name and object from the newest checkpoint that is whole, if
  /// there is one, and says which.
  template <class... Named>
  void resume_from(rw::io::CheckpointDirectory& directory, Named&&... named) const;

  /// The same without a tape: nothing is recorded.
  Score test(std::int64_t batches, rw::Rng& rng, const Step& step) const;

  /// Prints what a test gave; `what` was right or wrong, such as "sequences".
  static void print_test(const Score& score, const char* what);

  /// The seconds of the last line are those up to here; without this, up to that line.
  void stop_clock() { end_ = Clock::now(); }

  /// Prints the last line, which is for programs: what was measured, the seconds, the seed,
  /// `settings`, and whatever else. Returns the exit code: that of an interrupted program after
  /// Ctrl-C, else 0.
  int result(const std::string& measured, const std::vector<std::string>& settings,
             const std::string& more = {}) const;
  /// With accuracy and loss as what was measured.
  int result(const Score& score, const std::vector<std::string>& settings,
             const std::string& more = {}) const;

  /// After an interruption, how to go on.
  void print_resume_command() const;

 private:
  /// The steps of a training, without a word on where it is saved. `save` has the generator and the
  /// progress as they are.
  struct Run {
    rw::Rng rng;
    double learning_rate;  // at the beginning
    Monitor monitor;
    std::function<void()> save;
  };
  void train(rw::Optimizer& optimizer, const TrainingOptions& options, Run& run,
             const Step& step) const;
  static void print_resumed(const rw::io::CheckpointDirectory& directory,
                            const std::optional<rw::io::Generation>& generation);

  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  std::optional<Clock::time_point> end_;
};

/// Runs an experiment, whose run() returns the exit code.
template <class E>
int run(int argc, const char* const* argv) {
  return guarded([&] {
    E experiment;
    experiment.parse(argc, argv);
    return experiment.run();
  });
}

template <class Model>
Curve Experiment::load_or_train(Model& model, rw::Optimizer& optimizer,
                                const TrainingOptions& options, const rw::Rng& rng,
                                const Step& step) {
  if (!load.empty()) {
    rw::io::load(load, "model", model);
    return {};
  }
  Curve curve = train(model, optimizer, options, rng, step);
  if (!save.empty()) {
    rw::io::save(save, attributes(), "model", model);
    fmt::print("wrote {}\n", save);
  }
  if (options.plots) {
    plot_curves(plot, {curve});
  }
  return curve;
}

template <class Model>
Curve Experiment::train(Model& model, rw::Optimizer& optimizer, const TrainingOptions& options,
                        rw::Rng rng, const Step& step, const std::string& folder) const {
  Run run{rng,
          optimizer.learning_rate(),
          Monitor(options.label, options.epochs, options.batches, options.silent),
          {}};
  std::optional<rw::io::CheckpointDirectory> directory = checkpoints(folder);
  if (directory) {
    rw::Rng& current = run.rng;
    TrainingProgress& progress = run.monitor.progress();
    run.save = [&] {
      directory->save("model", model, "optimizer", optimizer, "rng", current, "progress", progress);
    };
    resume_from(*directory, "model", model, "optimizer", optimizer, "rng", current, "progress",
                progress);
    progress.curve.label = options.label;
  }
  train(optimizer, options, run, step);
  return run.monitor.curve();
}

template <class... Named>
void Experiment::resume_from(rw::io::CheckpointDirectory& directory, Named&&... named) const {
  if (resume) {
    print_resumed(directory, directory.resume(named...));
  }
}

}  // namespace examples
