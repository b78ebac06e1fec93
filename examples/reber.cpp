/// reber: what may come next in a string of the embedded Reber grammar?
/// short: --epochs 4
//
// The network reads strings that a small automaton has written, and predicts after every symbol how
// likely each symbol is to be the next. Mostly the last few symbols are enough for that. But the
// last symbol but one must equal the second, with a whole string of the grammar in between: only a
// network that remembers it can know. A step counts as right if every legal symbol is more likely
// than every illegal one. (Fahlman 1991; Hochreiter and Schmidhuber 1997, experiment 1.)

#include "common/reber.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <rewind/rewind.hpp>

#include "common/colour.hpp"
#include "common/experiment.hpp"
#include "common/model.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  reber                       an LSTM learns the grammar, in seconds\n"
    "  reber --cell rnn-tanh       without gates the last but one symbol is mostly guessed\n"
    "  reber --plot plots          curves as plots/loss.png, plots/accuracy.png\n"
    "  reber --save reber.h5       keep the model,\n"
    "  reber --load reber.h5       and test it again\n"
    "The test is of strings of at least 12 symbols that were never trained on.\n"
    "The last line of the output is for programs: accuracy is the share of steps at which all\n"
    "legal symbols came before all others.";

struct Reber : Experiment {
  Reber()
      : Experiment("reber", "Trains a recurrent network to know the embedded Reber grammar.",
                   usage) {}

  const std::string& cell = add_cell("lstm");
  const std::int64_t& hidden = add_hidden(32);
  const std::int64_t& batch = add_batch(32, "Strings in a batch");
  const std::int64_t& memory = add_memory(30);
  const std::int64_t& epochs = add_epochs(25, "Epochs of 50 batches");
  const double& learning_rate =
      add_learning_rate(1e-2, "Initial rate of Adam, which falls to 0 along half a cosine");

  template <class Network>
  Graded predict(const Model<Network>& model, bool held_out, Rng& rng) const {
    const std::vector<std::string> strings = reber::draw(held_out, batch, rng);
    const auto [x, target, lengths] = reber::encode(strings);
    const Tensor logits = model.at_each_step(x);
    Tally right;
    for (const std::vector<bool>& string : reber::right_steps(strings, logits)) {
      right += {std::count(string.begin(), string.end(), true), std::ssize(string)};
    }
    return {sequence_cross_entropy(logits, target, lengths), right};
  }

  /// Prints some test strings; a symbol is red if after it a legal symbol was less likely than
  /// another.
  template <class Network>
  void show(const Model<Network>& model, Rng& rng) const {
    const std::vector<std::string> strings = reber::draw(true, 5, rng);
    const Tensor logits = model.at_each_step(reber::encode(strings).x);
    const auto right = reber::right_steps(strings, logits);
    for (std::size_t b = 0; b < strings.size(); ++b) {
      for (std::size_t t = 0; t < strings[b].size(); ++t) {
        const bool good = t + 1 == strings[b].size() || right[b][t];
        fmt::print("{}", paint(strings[b].substr(t, 1), good ? Colour::green : Colour::red));
      }
      fmt::print("\n");
    }
  }

  int run() {
    Rng rng(seed);
    const Rng train_rng = rng.split();
    Rng test_rng = rng.split();
    const auto width = std::ssize(reber::symbols);
    return with_model(cell, {width, hidden, 1, width}, rng, [&](auto& model) {
      fmt::print("embedded Reber grammar: {}, {} units, {} weights, Adam {}, seed {}\n", cell,
                 hidden, count(model), learning_rate, seed);
      set_memory(parameters(model), cell, memory, rng);
      const TrainingOptions options{.label = cell, .epochs = epochs, .batches = 50};
      Adam optimizer(parameters(model), {.learning_rate = learning_rate});
      optimizer.set_schedule(cosine_decay(options.steps()));
      load_or_train(model, optimizer, options, train_rng,
                    [&](Rng& r) { return predict(model, false, r); });
      const Score score = test(80, test_rng, [&](Rng& r) { return predict(model, true, r); });
      stop_clock();
      show(model, test_rng);
      fmt::print("test: {} of {} continuations wrong in {} strings never trained on, loss {:.6f}\n",
                 score.wrong(), score.count(), 80 * batch, score.loss());
      return result(score, {"cell", "hidden"});
    });
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<Reber>(argc, argv); }
