#pragma once
// The skeleton of an experiment. Each experiment adds its task, its loss and its story:
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

/// The result of a network for one batch: the mean loss of its predictions, and how many were
/// right.
struct Graded {
  rw::Tensor loss;
  rw::Tally tally;
};

/// Draws a batch and grades the network's predictions for it.
using Step = std::function<Graded(rw::Rng&)>;

/// How a network is trained, and for how long. Training ends after `epochs`, or earlier after an
/// epoch that was good enough. Every batch is new, so the loss of an epoch is as good an estimate
/// as a test.
struct TrainingOptions {
  std::string label = {};                 ///< names the printed lines and the curve
  std::int64_t epochs = 0;                ///< maximum
  std::int64_t batches = 0;               ///< in an epoch
  std::optional<double> clip_norm = 1.0;  ///< greatest norm of the gradient
  double goal = 0;                        ///< an epoch with a smaller mean loss is good enough
  /// Three epochs in a row without a wrong answer are good enough. After each of them the learning
  /// rate is a tenth of the initial one: large steps only do harm when little is left to learn.
  bool until_flawless = false;
  /// The step keeps something from one batch to the next of an epoch: a run is saved at the ends of
  /// epochs only, where it can be resumed.
  bool keeps_state_in_epoch = false;
  bool silent = false;  ///< prints nothing
  bool plots = true;    ///< draw the curve after training, if --plot is given

  /// Steps of the whole training, for a schedule; at least 1, as schedules require.
  std::int64_t steps() const { return std::max<std::int64_t>(1, epochs * batches); }
};

/// An experiment's settings, training, testing and result line. The clock starts with construction.
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

  /// With --load, reads `model` from that file and returns an empty curve. Otherwise trains it, and
  /// writes it to the file of --save, if given.
  template <class Model>
  Curve load_or_train(Model& model, rw::Optimizer& optimizer, const TrainingOptions& options,
                      const rw::Rng& rng, const Step& step);

  /// Trains `model`, whose parameters `optimizer` has. Ctrl-C ends the training after the current
  /// step, but not the program. With --checkpoint the run is saved in that folder, or in `folder`
  /// below it if a program trains several models; with --resume it continues from there.
  template <class Model>
  Curve train(Model& model, rw::Optimizer& optimizer, const TrainingOptions& options, rw::Rng rng,
              const Step& step, const std::string& folder = {}) const;

  /// The folder of --checkpoint, or `folder` below it; nothing if the option is not given.
  std::optional<rw::io::CheckpointDirectory> checkpoints(const std::string& folder = {}) const;

  /// With --resume, loads pairs of name and object from the newest undamaged checkpoint, if there
  /// is one, and prints which.
  template <class... Named>
  void resume_from(rw::io::CheckpointDirectory& directory, Named&&... named) const;

  /// Grades `batches` batches without a tape, so nothing is recorded.
  Score test(std::int64_t batches, rw::Rng& rng, const Step& step) const;

  /// Prints the result of a test; `what` names the things that were right or wrong, such as
  /// "sequences".
  static void print_test(const Score& score, const char* what);

  /// Stops the clock for the result line; otherwise it runs until that line is printed.
  void stop_clock() { end_ = Clock::now(); }

  /// Prints the result line, which is for programs: the measurements, the seconds, the seed,
  /// `settings`, and `more`. Returns the exit code: 0, or after Ctrl-C that of an interrupted
  /// program.
  int result(const std::string& measured, const std::vector<std::string>& settings,
             const std::string& more = {}) const;
  /// The same with accuracy and loss as the measurements.
  int result(const Score& score, const std::vector<std::string>& settings,
             const std::string& more = {}) const;

 private:
  /// One training, without knowledge of where it is saved. `save` refers to the generator and the
  /// progress.
  struct Run {
    rw::Rng rng;
    double learning_rate;  // at the beginning
    Monitor monitor;
    std::function<void()> save;
  };
  void train(rw::Optimizer& optimizer, const TrainingOptions& options, Run& run,
             const Step& step) const;
  void print_resume_command() const;
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
    // The checkpoint of a run holds more than the model.
    rw::io::load(load, {.allow_unexpected = true}, "model", model);
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
