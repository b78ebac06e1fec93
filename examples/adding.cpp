/// adding: the sum of two marked numbers among a hundred, many steps apart
/// short: --steps 50 --epochs 4
//
// Every step brings a random number, and two of the steps are marked. At the end the network has to
// say the sum of the two marked numbers, and to ignore all others. A plain recurrent network never
// gets better than answering 1, the mean; one with gates learns to open them at the marks alone.
// (Hochreiter and Schmidhuber, "Long short-term memory", 1997, experiment 4.)

#include <string>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/adding_task.hpp"
#include "common/interrupt.hpp"
#include "common/load_or_train.hpp"
#include "common/model.hpp"
#include "common/options.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t batches_per_epoch = 100;
constexpr std::int64_t test_batches = 100;

struct Settings {
  std::string cell = "gru";
  std::int64_t steps = 100;
  std::int64_t hidden = 32;
  std::int64_t batch = 32;
  std::int64_t epochs = 60;
  double learning_rate = 1e-2;
  double goal = 3e-4;
};

constexpr const char* usage_examples =
    "  adding                              100 steps\n"
    "  adding --steps 400 --cell lstm      longer, by an LSTM\n"
    "  adding --cell rnn-tanh              what has no gates stays near 0.1667\n"
    "  adding --plot plots                 curves as plots/loss.png, plots/accuracy.png\n"
    "  adding --save adding.h5             keep the model,\n"
    "  adding --load adding.h5             and test it again\n"
    "The last line of the output is for programs: accuracy is the share of sums that are off by\n"
    "less than 0.04.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("cell", s.cell, "Kind of network; rnn is the plain one with relu")
      .one_of(cell_names);
  line.setting("steps", s.steps, "Length of the sequences").between(2, 10'000);
  line.setting("hidden", s.hidden, "Units").between(1, 4096);
  line.setting("batch", s.batch, "Sequences in a batch").between(1, 4096);
  line.setting("epochs", s.epochs, "At most so many epochs of 100 batches").between(0, 100'000);
  line.setting("learning-rate", s.learning_rate, "Of Adam, falling to 0 along half a cosine")
      .between(1e-8, 10);
  line.setting("goal", s.goal, "Training ends after an epoch with a smaller squared error")
      .between(0, 1);
}

Score score_of(const Tensor& answer, const Tensor& sums, const Tensor& loss) {
  Score score;
  score.add(loss.item(), sum(abs(answer.detach() - sums) < 0.04).item(), sums.elements());
  return score;
}

/// x [T, B, 2] -> [B, 1]: what the network says at the last step.
template <class Network>
Tensor answer_to(const Model<Network>& model, const Tensor& x) {
  auto [hidden, state] = model.network(x);
  return model.readout(select(hidden, 0, -1));
}

template <class Network>
Curve train(Model<Network>& model, const Settings& s, Rng rng) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  optimizer.set_schedule(cosine_decay(std::max<std::int64_t>(1, s.epochs * batches_per_epoch)));
  Monitor monitor(s.cell, s.epochs, batches_per_epoch);
  bool good = false;
  while (!monitor.done() && !good && !interrupted()) {
    for (std::int64_t i = 0; i < batches_per_epoch && !interrupted(); ++i) {
      const auto [x, sums] = adding_batch(s.steps, s.batch, rng);
      Tape tape;
      const Tensor answer = answer_to(model, x);
      const Tensor loss = mse(answer, sums);
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      monitor.step(score_of(answer, sums, loss));
    }
    // Every sequence is new, so that the training error is as good as one of validation.
    good = monitor.end_epoch().loss() < s.goal;
  }
  monitor.finish();
  return monitor.curve();
}

/// The same without a tape: nothing is recorded.
template <class Network>
Score test(const Model<Network>& model, const Settings& s, Rng rng) {
  Score total;
  for (std::int64_t i = 0; i < test_batches; ++i) {
    const auto [x, sums] = adding_batch(s.steps, s.batch, rng);
    const Tensor answer = answer_to(model, x);
    total.add(score_of(answer, sums, mse(answer, sums)));
  }
  return total;
}

int adding(int argc, char** argv) {
  Settings s;
  CommandLine line("adding", "Trains a recurrent network to add two marked numbers of a sequence.",
                   usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);

  Rng rng(line.seed);
  const Rng train_rng = rng.split();
  const Rng test_rng = rng.split();
  return with_model(s.cell, {2, s.hidden, 1, 1}, rng, [&](auto& model) {
    fmt::print("adding over {} steps: {}, {} units, {} weights, Adam {}, seed {}\n", s.steps,
               s.cell, s.hidden, count(model), s.learning_rate, line.seed);
    set_memory(parameters(model), s.cell, s.steps, rng);
    const Stopwatch watch;
    load_or_train(line, model, [&] { return train(model, s, train_rng); });
    const Score score = test(model, s, test_rng);
    fmt::print("test: squared error {:.6f} (always answering 1: {:.4f}), {} of {} sums right\n",
               score.loss(), adding_baseline, score.count() - score.wrong(), score.count());
    fmt::print(
        "result mse={:.6g} baseline={:.6g} accuracy={:.6f} seconds={:.2f} seed={} cell={} "
        "steps={} hidden={}\n",
        score.loss(), adding_baseline, score.accuracy(), watch.seconds(), line.seed, s.cell,
        s.steps, s.hidden);
    return interrupted() ? interrupted_code : 0;
  });
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return adding(argc, argv); });
}
