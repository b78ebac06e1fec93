/// copy_memory: ten symbols, fifty steps of nothing, and the ten symbols again
/// short: --delay 5 --hidden 64 --epochs 8
//
// The network sees ten random symbols, then blanks, and has to say the symbols, in order, when it
// is told to go. Nothing is to be computed: the state just has to hold thirty bits over fifty
// steps. Without memory the best answer is blanks and then guesses, at a loss of 10 ln 8 / T.
// (Hochreiter and Schmidhuber 1997; in this form Arjovsky, Shah and Bengio, "Unitary evolution
// recurrent neural networks", 2016.)

#include <string>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/copy_task.hpp"
#include "common/interrupt.hpp"
#include "common/load_or_train.hpp"
#include "common/model.hpp"
#include "common/options.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t batches_per_epoch = 50;
constexpr std::int64_t test_batches = 50;

struct Settings {
  std::string cell = "gru";
  std::int64_t delay = 50;
  std::int64_t hidden = 128;
  std::int64_t batch = 32;
  std::int64_t epochs = 150;
  double learning_rate = 8e-3;
  double goal = 0.07;
};

constexpr const char* usage_examples =
    "  copy_memory                         50 steps from the symbols to their copy\n"
    "  copy_memory --delay 20 --cell lstm  fewer, by an LSTM\n"
    "  copy_memory --plot plots            curves as plots/loss.png, plots/accuracy.png\n"
    "  copy_memory --save copy.h5          keep the model,\n"
    "  copy_memory --load copy.h5          and test it again\n"
    "The last line of the output is for programs: accuracy is the share of right steps, blanks "
    "included.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("cell", s.cell, "Kind of network; rnn is the plain one with relu")
      .one_of(cell_names);
  line.setting("delay", s.delay, "Steps from the symbols to their copy").between(1, 10'000);
  line.setting("hidden", s.hidden, "Units").between(1, 4096);
  line.setting("batch", s.batch, "Sequences in a batch").between(1, 4096);
  line.setting("epochs", s.epochs, "At most so many epochs of 50 batches").between(0, 100'000);
  line.setting("learning-rate", s.learning_rate, "Of Adam, falling to 0 along half a cosine")
      .between(1e-8, 10);
  line.setting("goal", s.goal, "Training ends after an epoch with this part of the baseline's loss")
      .between(0, 1);
}

Score score_of(const Tensor& logits, const Tensor& target, const Tensor& loss) {
  const Tally tally = count_correct(logits, target);
  Score score;
  score.add(loss.item(), static_cast<double>(tally.hits), tally.total);
  return score;
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
      const auto [x, target] = copy_task::draw_batch(s.delay, s.batch, rng);
      Tape tape;
      const Tensor logits = model.readout(model.network(x).first);
      const Tensor loss = cross_entropy(logits, target);
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      monitor.step(score_of(logits, target, loss));
    }
    // Every sequence is new, so that the training loss is as good as one of validation.
    good = monitor.end_epoch().loss() < s.goal * copy_task::baseline(s.delay);
  }
  monitor.finish();
  return monitor.curve();
}

/// The same without a tape: nothing is recorded.
template <class Network>
Score test(const Model<Network>& model, const Settings& s, Rng rng) {
  Score total;
  for (std::int64_t i = 0; i < test_batches; ++i) {
    const auto [x, target] = copy_task::draw_batch(s.delay, s.batch, rng);
    const Tensor logits = model.readout(model.network(x).first);
    total.add(score_of(logits, target, cross_entropy(logits, target)));
  }
  return total;
}

int copy_memory(int argc, char** argv) {
  Settings s;
  CommandLine line("copy_memory",
                   "Trains a recurrent network to hold ten symbols in its state for many steps.",
                   usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);

  Rng rng(line.seed);
  const Rng train_rng = rng.split();
  const Rng test_rng = rng.split();
  const ModelSize size{copy_task::inputs, s.hidden, 1, copy_task::outputs};
  return with_model(s.cell, size, rng, [&](auto& model) {
    const double baseline = copy_task::baseline(s.delay);
    fmt::print("copy after {} steps: {}, {} units, {} weights, Adam {}, seed {}\n", s.delay, s.cell,
               s.hidden, count(model), s.learning_rate, line.seed);
    set_memory(parameters(model), s.cell, s.delay + 2 * copy_task::length, rng);
    const Stopwatch watch;
    load_or_train(line, model, [&] { return train(model, s, train_rng); });
    const Score score = test(model, s, test_rng);
    fmt::print("test loss {:.6f}, {:.4f} of the baseline {:.4f}; {} of {} steps wrong\n",
               score.loss(), score.loss() / baseline, baseline, score.wrong(), score.count());
    fmt::print(
        "result loss={:.6g} baseline={:.6g} part={:.6g} accuracy={:.6f} seconds={:.2f} seed={} "
        "cell={} delay={} hidden={}\n",
        score.loss(), baseline, score.loss() / baseline, score.accuracy(), watch.seconds(),
        line.seed, s.cell, s.delay, s.hidden);
    return interrupted() ? interrupted_code : 0;
  });
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return copy_memory(argc, argv); });
}
