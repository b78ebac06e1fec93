/// adding: the sum of two marked numbers among a hundred, many steps apart
/// short: --steps 50 --epochs 4
//
// Every step brings a random number, and two of the steps are marked. After the last step the
// network has to give the sum of the two marked numbers and ignore all others. A plain recurrent
// network never does better than answering 1, the mean; a gated one learns to open its gates at the
// marks only. (Hochreiter and Schmidhuber, "Long short-term memory", 1997, experiment 4.)

#include <rewind/rewind.hpp>

#include "common/adding_task.hpp"
#include "common/experiment.hpp"
#include "common/model.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  adding                              100 steps\n"
    "  adding --steps 400 --cell lstm      longer, by an LSTM\n"
    "  adding --cell rnn-tanh              a network without gates stays near 0.1667\n"
    "  adding --plot plots                 curves as plots/loss.png, plots/accuracy.png\n"
    "  adding --save adding.h5             keep the model,\n"
    "  adding --load adding.h5             and test it again\n"
    "The last line of the output is for programs: accuracy is the share of sums that are off by\n"
    "less than 0.04.";

struct Adding : Experiment {
  Adding()
      : Experiment("adding", "Trains a recurrent network to add two marked numbers of a sequence.",
                   usage) {}

  const std::string& cell = add_cell("gru");
  const std::int64_t& steps = integer("steps", 100, "Length of the sequences", 2, 10'000);
  const std::int64_t& hidden = add_hidden(32);
  const std::int64_t& batch = add_batch(32, "Sequences in a batch");
  const std::int64_t& epochs = add_epochs(60, "Maximum number of epochs, of 100 batches each");
  const double& learning_rate =
      add_learning_rate(1e-2, "Initial rate of Adam, which falls to 0 along half a cosine");
  const double& goal =
      number("goal", 3e-4, "Training ends after an epoch with a smaller squared error", 0, 1);

  /// The network's output at the last step, [B, 1], compared with the sums.
  template <class Network>
  Graded answer(const Model<Network>& model, Rng& rng) const {
    const auto [x, sums] = adding_batch(steps, batch, rng);
    const Tensor said = model.at_last_step(x);
    const double right = sum(abs(said.detach() - sums) < 0.04).item();
    return {mse(said, sums), {static_cast<std::int64_t>(right), sums.elements()}};
  }

  int run() {
    Rng rng(seed);
    const Rng train_rng = rng.split();
    Rng test_rng = rng.split();
    return with_model(cell, {2, hidden, 1, 1}, rng, [&](auto& model) {
      fmt::print("adding over {} steps: {}, {} units, {} weights, Adam {}, seed {}\n", steps, cell,
                 hidden, count(model), learning_rate, seed);
      set_memory(parameters(model), cell, steps, rng);
      const Step step = [&](Rng& r) { return answer(model, r); };
      const TrainingOptions options{.label = cell, .epochs = epochs, .batches = 100, .goal = goal};
      Adam optimizer(parameters(model), {.learning_rate = learning_rate});
      optimizer.set_schedule(cosine_decay(options.steps()));
      load_or_train(model, optimizer, options, train_rng, step);
      const Score score = test(100, test_rng, step);
      fmt::print("test: squared error {:.6f} (always answering 1: {:.4f}), {} of {} sums right\n",
                 score.loss(), adding_baseline, score.count() - score.wrong(), score.count());
      return result(fmt::format("mse={:.6g} baseline={:.6g} accuracy={:.6f}", score.loss(),
                                adding_baseline, score.accuracy()),
                    {"cell", "steps", "hidden"});
    });
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<Adding>(argc, argv); }
