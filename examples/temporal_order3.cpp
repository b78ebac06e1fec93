/// temporal_order3: in which order did three symbols come, among a hundred of noise?
/// short: --epochs 8
//
// Like sequence_classification, but with three symbols, each an X or a Y, far from each other and
// from the end, and so with eight classes: the network has to count what it remembers. (Hochreiter
// and Schmidhuber, "Long short-term memory", 1997, experiment 6b; their LSTM saw 571,100 sequences
// until 2 of 2,560 test sequences were wrong.)

#include <string>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/interrupt.hpp"
#include "common/load_or_train.hpp"
#include "common/model.hpp"
#include "common/options.hpp"
#include "common/temporal_order.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t batches_per_epoch = 31;
constexpr std::int64_t test_batches = 160;

struct Settings {
  std::string cell = "lstm";
  std::int64_t hidden = 32;
  std::int64_t batch = 32;
  std::int64_t memory = 110;
  std::int64_t epochs = 400;
  double learning_rate = 1e-2;
};

constexpr const char* usage_examples =
    "  temporal_order3                       an LSTM, 100 to 110 symbols\n"
    "  temporal_order3 --cell gru --plot plots\n"
    "  temporal_order3 --save order.h5       keep the model,\n"
    "  temporal_order3 --load order.h5       and test it again\n"
    "The last line of the output is for programs: accuracy is a share from 0 to 1.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("cell", s.cell, "Kind of network; rnn is the plain one with relu")
      .one_of(cell_names);
  line.setting("hidden", s.hidden, "Units").between(1, 4096);
  line.setting("batch", s.batch, "Sequences in a batch").between(1, 4096);
  line.setting("memory", s.memory, "Steps over which a gated cell's units forget at first")
      .between(1, 1e6);
  line.setting("epochs", s.epochs,
               "At most so many epochs of 31 batches; training ends when 3 in a row were without "
               "error")
      .between(0, 100'000);
  line.setting("learning-rate", s.learning_rate,
               "Of Adam; a tenth of it while epochs are without error")
      .between(1e-8, 10);
}

Score score_of(const Tensor& logits, const Tensor& labels, const Tensor& loss) {
  const Tally tally = count_correct(logits, labels);
  Score score;
  score.add(loss.item(), static_cast<double>(tally.hits), tally.total);
  return score;
}

/// x [T, B, 8] -> logits [B, 8]: what the network says at the last step.
template <class Network>
Tensor classify(const Model<Network>& model, const Tensor& x) {
  auto [hidden, state] = model.network(x);
  return model.readout(select(hidden, 0, -1));
}

template <class Network>
Curve train(Model<Network>& model, const Settings& s, Rng rng) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  Monitor monitor(s.cell, s.epochs, batches_per_epoch);
  // Every sequence is new, so that an epoch without error in training counts like a test.
  int without_error = 0;
  while (!monitor.done() && without_error < 3 && !interrupted()) {
    for (std::int64_t i = 0; i < batches_per_epoch && !interrupted(); ++i) {
      const auto [x, labels] = temporal_order::draw_batch(temporal_order::three, s.batch, rng);
      Tape tape;
      const Tensor logits = classify(model, x);
      const Tensor loss = cross_entropy(logits, labels);
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      monitor.step(score_of(logits, labels, loss));
    }
    without_error = monitor.end_epoch().wrong() == 0 ? without_error + 1 : 0;
    // Where little is left to learn, large steps only do harm.
    optimizer.set_learning_rate(s.learning_rate * (without_error > 0 ? 0.1 : 1.0));
  }
  monitor.finish();
  return monitor.curve();
}

/// The same without a tape: nothing is recorded.
template <class Network>
Score test(const Model<Network>& model, const Settings& s, Rng rng) {
  Score total;
  for (std::int64_t i = 0; i < test_batches; ++i) {
    const auto [x, labels] = temporal_order::draw_batch(temporal_order::three, s.batch, rng);
    const Tensor logits = classify(model, x);
    total.add(score_of(logits, labels, cross_entropy(logits, labels)));
  }
  return total;
}

int temporal_order3(int argc, char** argv) {
  Settings s;
  CommandLine line("temporal_order3",
                   "Trains a recurrent network to tell in which order three X or Y stood in a "
                   "sequence.",
                   usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);

  Rng rng(line.seed);
  const Rng train_rng = rng.split();
  const Rng test_rng = rng.split();
  return with_model(s.cell, {8, s.hidden, 1, 8}, rng, [&](auto& model) {
    fmt::print("order of three symbols: {}, {} units, {} weights, Adam {}, seed {}\n", s.cell,
               s.hidden, count(model), s.learning_rate, line.seed);
    set_memory(parameters(model), s.cell, s.memory, rng);
    const Stopwatch watch;
    load_or_train(line, model, [&] { return train(model, s, train_rng); });
    const Score score = test(model, s, test_rng);
    fmt::print("test accuracy {}, loss {:.6f}: {} of {} sequences wrong\n",
               percent(score.accuracy()), score.loss(), score.wrong(), score.count());
    fmt::print("result accuracy={:.6f} loss={:.6g} seconds={:.2f} seed={} cell={} hidden={}\n",
               score.accuracy(), score.loss(), watch.seconds(), line.seed, s.cell, s.hidden);
    return interrupted() ? interrupted_code : 0;
  });
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return temporal_order3(argc, argv); });
}
