/// sequence_classification: which of X and Y came first, many steps ago?
/// short: --level easy --epochs 1
//
// A sequence of random letters has an X or a Y at two positions, and its class is their order: XX,
// XY, YX or YY. Only the network's output at the last step counts, so it has to remember both
// symbols while it sees nothing but noise. Gradients that flow back through so many steps vanish in
// a plain recurrent network; the LSTM was invented for such tasks. (Hochreiter and Schmidhuber,
// "Long short-term memory", 1997, experiment 6a.)

#include <string>
#include <vector>

#include <rewind/rewind.hpp>

#include "common/colour.hpp"
#include "common/experiment.hpp"
#include "common/heat_map.hpp"
#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/temporal_order.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  sequence_classification                              7 or 8 symbols, in seconds\n"
    "  sequence_classification --level hard --plot plots    the paper's 100 to 110 symbols\n"
    "  sequence_classification --cell gru --level normal --no-compare\n"
    "  sequence_classification --save lstm.h5               keep the model,\n"
    "  sequence_classification --load lstm.h5               and test it again\n"
    "At level easy 4 units, trained by RMSprop at rate 1e-3, are known to reach 99.9 % in 10 "
    "epochs\n"
    "as an LSTM and 52.7 % as a plain relu network.\n"
    "The last line of the output is for programs: accuracy is a share from 0 to 1.";

struct SequenceClassification : Experiment {
  SequenceClassification()
      : Experiment("sequence_classification",
                   "Trains a recurrent network to tell in which order X and Y stood in a sequence.",
                   usage) {}

  const std::string& level =
      choice("level", "easy", temporal_order::level_names(), "Length of the sequences");
  const std::string& cell = add_cell("lstm");
  const std::int64_t& hidden = integer(
      "hidden", [this] { return level == "easy" ? 4 : 16; },
      "Units of each layer (default: 4 at level easy, else 16)", 1, 4096);
  const std::int64_t& layers = integer("layers", 1, "Number of stacked layers", 1, 16);
  const std::int64_t& memory = integer(
      "memory", [this] { return temporal_order::level(level).length.high; },
      "Steps over which units of a gated cell initially forget (default: the longest length)", 1,
      1e6);
  const std::int64_t& epochs = integer(
      "epochs", [this] { return level == "easy" ? 10 : 200; },
      "Maximum number of epochs, of 992 sequences each (default: 10 at level easy, else 200); "
      "training ends when 3 in a row had no error",
      0, 100'000);
  const double& learning_rate = add_learning_rate(1e-2, "Rate of Adam");
  const bool& with_comparison =
      flag("compare", true, "Also train a plain relu network of as many units");

  TrainingOptions options(const std::string& label, std::int64_t at_most) const {
    return {.label = label,
            .epochs = at_most,
            .batches = 31,  // 992 sequences, never the same twice
            .until_flawless = true,
            .plots = false};
  }

  template <class Network>
  Step classifier(const Model<Network>& model) const {
    return [&](Rng& rng) -> Graded {
      const auto [x, labels] = temporal_order::draw_batch(temporal_order::level(level), 32, rng);
      const Tensor logits = model.at_last_step(x);
      return {cross_entropy(logits, labels), count_correct(logits, labels)};
    };
  }

  /// Prints some test sequences and the network's predictions, and draws how the hidden state
  /// develops over the last one.
  template <class Network>
  void show(const Model<Network>& model, Rng rng) const {
    temporal_order::Sequence sequence;
    Tensor h;
    for (int i = 0; i < 5; ++i) {
      sequence = temporal_order::draw(temporal_order::level(level), rng);
      h = model.network(temporal_order::encode({&sequence, 1}).x).first;
      const auto answer = static_cast<std::int64_t>(argmax(model.readout(select(h, 0, -1))).item());
      for (const char& symbol : sequence.text) {
        fmt::print("{}", paint({&symbol, 1}, symbol == 'X'   ? Colour::red
                                             : symbol == 'Y' ? Colour::blue
                                                             : Colour::grey));
      }
      const auto name = [](std::int64_t label) {
        return temporal_order::classes.substr(static_cast<std::size_t>(label), 1);
      };
      fmt::print("  is {}, predicted {}\n", name(sequence.label),
                 paint(name(answer), answer == sequence.label ? Colour::green : Colour::red));
    }
    std::vector<std::string> units;
    for (std::int64_t unit = 0; unit < hidden; ++unit) {
      units.push_back(fmt::format("unit {:3}", unit));
    }
    plot_heat_map(plot, "hidden_state.png",
                  {.title = "hidden state over time",
                   .x = "symbol",
                   .row = "unit",
                   .columns = sequence.text,
                   .rows = units,
                   .values = transpose(squeeze(h, 1), 0, 1),
                   .marked = "BEXY"});
  }

  int run() {
    Rng rng(seed);
    const Rng train_rng = rng.split();
    const Rng test_rng = rng.split();
    const ModelSize size{8, hidden, layers, 4};
    return with_model(cell, size, rng, [&](auto& model) {
      fmt::print("level {}: {}, {} x {} units, {} weights, Adam {}, seed {}\n", level, cell, layers,
                 hidden, count(model), learning_rate, seed);
      set_memory(parameters(model), cell, memory, rng);
      Adam optimizer(parameters(model), {.learning_rate = learning_rate});
      std::vector<Curve> curves{
          load_or_train(model, optimizer, options(cell, epochs), train_rng, classifier(model))};
      const std::int64_t trained = curves[0].epochs;
      Rng tested = test_rng;
      const Score score = test(80, tested, classifier(model));
      print_test(score, "sequences");
      stop_clock();
      show(model, test_rng);
      std::string more = fmt::format(" epochs={}", trained);
      if (with_comparison && cell != "rnn" && trained > 0 && !interrupted()) {
        with_model("rnn", size, rng, [&](auto& plain) {
          fmt::print(
              "\nfor comparison: a plain relu network of as many units, {} weights, {} epochs\n",
              count(plain), trained);
          Adam other(parameters(plain), {.learning_rate = learning_rate});
          curves.push_back(train(plain, other, options("rnn", trained), train_rng,
                                 classifier(plain), "comparison"));
          tested = test_rng;
          const Score rnn = test(80, tested, classifier(plain));
          print_test(rnn, "sequences");
          more += fmt::format(" rnn_accuracy={:.6f} rnn_loss={:.6g}", rnn.accuracy(), rnn.loss());
        });
      }
      plot_curves(plot, curves);
      return result(score, {"level", "cell", "hidden"}, more);
    });
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<SequenceClassification>(argc, argv); }
