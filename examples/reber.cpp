/// reber: what may come next in a string of the embedded Reber grammar?
/// short: --epochs 4
//
// The network reads strings that a small automaton has written, and says after every symbol how
// likely each symbol is to be the next. Mostly a look at the last few symbols is enough. But the
// last symbol but one must equal the second, with a whole string of the grammar in between: who
// does not remember it cannot know. A step counts as right when every legal symbol is held more
// likely than every illegal one. (Fahlman 1991; Hochreiter and Schmidhuber 1997, experiment 1.)

#include "common/reber.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/colour.hpp"
#include "common/interrupt.hpp"
#include "common/load_or_train.hpp"
#include "common/model.hpp"
#include "common/options.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t batches_per_epoch = 50;
constexpr std::int64_t test_batches = 80;

struct Settings {
  std::string cell = "lstm";
  std::int64_t hidden = 32;
  std::int64_t batch = 32;
  std::int64_t memory = 30;
  std::int64_t epochs = 25;
  double learning_rate = 1e-2;
};

constexpr const char* usage_examples =
    "  reber                       an LSTM learns the grammar, in seconds\n"
    "  reber --cell rnn-tanh       without gates the far end is mostly guessed\n"
    "  reber --plot plots          curves as plots/loss.png, plots/accuracy.png\n"
    "  reber --save reber.h5       keep the model,\n"
    "  reber --load reber.h5       and test it again\n"
    "The test is of strings of at least 12 symbols that were never trained on.\n"
    "The last line of the output is for programs: accuracy is the share of steps at which all\n"
    "legal symbols came before all others.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("cell", s.cell, "Kind of network; rnn is the plain one with relu")
      .one_of(cell_names);
  line.setting("hidden", s.hidden, "Units").between(1, 4096);
  line.setting("batch", s.batch, "Strings in a batch").between(1, 4096);
  line.setting("memory", s.memory, "Steps over which a gated cell's units forget at first")
      .between(1, 1e6);
  line.setting("epochs", s.epochs, "Epochs of 50 batches").between(0, 100'000);
  line.setting("learning-rate", s.learning_rate, "Of Adam, falling to 0 along half a cosine")
      .between(1e-8, 10);
}

std::vector<std::string> draw_strings(bool held_out, std::int64_t count, Rng& rng) {
  std::vector<std::string> strings;
  for (std::int64_t i = 0; i < count; ++i) {
    strings.push_back(reber::draw(held_out, rng));
  }
  return strings;
}

/// Whether the least likely legal symbol after `prefix` is above the most likely other one.
bool is_right(std::string_view prefix, const float* logits) {
  const std::string legal = reber::legal_after(prefix);
  float least = std::numeric_limits<float>::infinity();
  float most = -least;
  for (std::size_t i = 0; i < reber::symbols.size(); ++i) {
    if (legal.find(reber::symbols[i]) != std::string::npos) {
      least = std::min(least, logits[i]);
    } else {
      most = std::max(most, logits[i]);
    }
  }
  return least > most;
}

/// The right steps of each string, one bit each.
std::vector<std::vector<bool>> right_steps(const std::vector<std::string>& strings,
                                           const Tensor& logits) {
  const std::vector<float> values = logits.to_vector<float>();
  std::vector<std::vector<bool>> right(strings.size());
  for (std::size_t b = 0; b < strings.size(); ++b) {
    for (std::size_t t = 0; t + 1 < strings[b].size(); ++t) {
      right[b].push_back(is_right(std::string_view(strings[b]).substr(0, t + 1),
                                  &values[(t * strings.size() + b) * reber::symbols.size()]));
    }
  }
  return right;
}

Score score_of(const std::vector<std::string>& strings, const Tensor& logits, const Tensor& loss) {
  std::int64_t right = 0;
  std::int64_t steps = 0;
  for (const std::vector<bool>& string : right_steps(strings, logits)) {
    right += std::count(string.begin(), string.end(), true);
    steps += static_cast<std::int64_t>(string.size());
  }
  Score score;
  score.add(loss.item(), static_cast<double>(right), steps);
  return score;
}

/// Strings that were never trained on, without a tape: nothing is recorded.
template <class Network>
Score test(const Model<Network>& model, const Settings& s, Rng& rng) {
  Score total;
  for (std::int64_t i = 0; i < test_batches; ++i) {
    const std::vector<std::string> strings = draw_strings(true, s.batch, rng);
    const auto [x, target, lengths] = reber::encode(strings);
    const Tensor logits = model.readout(model.network(x).first);
    total.add(score_of(strings, logits, sequence_cross_entropy(logits, target, lengths)));
  }
  return total;
}

template <class Network>
Curve train(Model<Network>& model, const Settings& s, Rng rng) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  optimizer.set_schedule(cosine_decay(std::max<std::int64_t>(1, s.epochs * batches_per_epoch)));
  Monitor monitor(s.cell, s.epochs, batches_per_epoch);
  while (!monitor.done() && !interrupted()) {
    for (std::int64_t i = 0; i < batches_per_epoch && !interrupted(); ++i) {
      const std::vector<std::string> strings = draw_strings(false, s.batch, rng);
      const auto [x, target, lengths] = reber::encode(strings);
      Tape tape;
      const Tensor logits = model.readout(model.network(x).first);
      const Tensor loss = sequence_cross_entropy(logits, target, lengths);
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      monitor.step(score_of(strings, logits, loss));
    }
    monitor.end_epoch();
  }
  monitor.finish();
  return monitor.curve();
}

/// Some test strings; a symbol after which a legal one was held less likely than another is red.
template <class Network>
void show(const Model<Network>& model, Rng& rng) {
  const std::vector<std::string> strings = draw_strings(true, 5, rng);
  const Tensor logits = model.readout(model.network(reber::encode(strings).x).first);
  const auto right = right_steps(strings, logits);
  for (std::size_t b = 0; b < strings.size(); ++b) {
    for (std::size_t t = 0; t < strings[b].size(); ++t) {
      const bool good = t + 1 == strings[b].size() || right[b][t];
      fmt::print("{}", paint(strings[b].substr(t, 1), good ? Colour::green : Colour::red));
    }
    fmt::print("\n");
  }
}

int reber_grammar(int argc, char** argv) {
  Settings s;
  CommandLine line("reber", "Trains a recurrent network to know the embedded Reber grammar.",
                   usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);

  Rng rng(line.seed);
  const Rng train_rng = rng.split();
  Rng test_rng = rng.split();
  const auto width = static_cast<std::int64_t>(reber::symbols.size());
  return with_model(s.cell, {width, s.hidden, 1, width}, rng, [&](auto& model) {
    fmt::print("embedded Reber grammar: {}, {} units, {} weights, Adam {}, seed {}\n", s.cell,
               s.hidden, count(model), s.learning_rate, line.seed);
    set_memory(parameters(model), s.cell, s.memory, rng);
    const Stopwatch watch;
    load_or_train(line, model, [&] { return train(model, s, train_rng); });
    const Score score = test(model, s, test_rng);
    const double seconds = watch.seconds();
    show(model, test_rng);
    fmt::print("test: {} of {} continuations wrong in {} strings never trained on, loss {:.6f}\n",
               score.wrong(), score.count(), test_batches * s.batch, score.loss());
    fmt::print("result accuracy={:.6f} loss={:.6g} seconds={:.2f} seed={} cell={} hidden={}\n",
               score.accuracy(), score.loss(), seconds, line.seed, s.cell, s.hidden);
    return interrupted() ? interrupted_code : 0;
  });
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return reber_grammar(argc, argv); });
}
