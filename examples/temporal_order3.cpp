/// temporal_order3: in which order did three symbols come, among a hundred of noise?
/// short: --epochs 8
//
// Like sequence_classification, but with three symbols, each an X or a Y, far from each other and
// from the end. So there are eight classes, and the network also has to count the symbols.
// (Hochreiter and Schmidhuber, "Long short-term memory", 1997, experiment 6b; their LSTM was
// trained on 571,100 sequences until 2 of 2,560 test sequences were wrong.)

#include <rewind/rewind.hpp>

#include "common/experiment.hpp"
#include "common/model.hpp"
#include "common/temporal_order.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  temporal_order3                       an LSTM, 100 to 110 symbols\n"
    "  temporal_order3 --cell gru --plot plots\n"
    "  temporal_order3 --save order.h5       keep the model,\n"
    "  temporal_order3 --load order.h5       and test it again\n"
    "The last line of the output is for programs: accuracy is a share from 0 to 1.";

struct TemporalOrder3 : Experiment {
  TemporalOrder3()
      : Experiment("temporal_order3",
                   "Trains a recurrent network to tell in which order three X or Y stood in a "
                   "sequence.",
                   usage) {}

  const std::string& cell = add_cell("lstm");
  const std::int64_t& hidden = add_hidden(32);
  const std::int64_t& batch = add_batch(32, "Sequences in a batch");
  const std::int64_t& memory = add_memory(110);
  const std::int64_t& epochs = add_epochs(
      400,
      "Maximum number of epochs, of 31 batches each; training ends when 3 in a row had no "
      "error");
  const double& learning_rate =
      add_learning_rate(1e-2, "Rate of Adam; a tenth of it after an epoch without error");

  int run() {
    Rng rng(seed);
    const Rng train_rng = rng.split();
    Rng test_rng = rng.split();
    return with_model(cell, {8, hidden, 1, 8}, rng, [&](auto& model) {
      fmt::print("order of three symbols: {}, {} units, {} weights, Adam {}, seed {}\n", cell,
                 hidden, count(model), learning_rate, seed);
      set_memory(parameters(model), cell, memory, rng);
      const Step step = [&](Rng& r) -> Graded {
        const auto [x, labels] = temporal_order::draw_batch(temporal_order::three, batch, r);
        const Tensor logits = model.at_last_step(x);
        return {cross_entropy(logits, labels), count_correct(logits, labels)};
      };
      Adam optimizer(parameters(model), {.learning_rate = learning_rate});
      load_or_train(model, optimizer,
                    {.label = cell, .epochs = epochs, .batches = 31, .until_flawless = true},
                    train_rng, step);
      const Score score = test(160, test_rng, step);
      print_test(score, "sequences");
      return result(score, {"cell", "hidden"});
    });
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<TemporalOrder3>(argc, argv); }
