/// copy_memory: ten symbols, fifty steps of nothing, and the ten symbols again
/// short: --delay 5 --hidden 64 --epochs 8
//
// The network sees ten random symbols, then blanks, and has to repeat the symbols in order when it
// sees "go". There is nothing to compute: the state only has to hold thirty bits for fifty steps.
// Without memory the best strategy is to predict blanks and then to guess, with a loss of 10 ln 8 /
// T. (Hochreiter and Schmidhuber 1997; in this form Arjovsky, Shah and Bengio, "Unitary evolution
// recurrent neural networks", 2016.)

#include <rewind/rewind.hpp>

#include "common/copy_task.hpp"
#include "common/experiment.hpp"
#include "common/model.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  copy_memory                         50 steps from the symbols to their copy\n"
    "  copy_memory --delay 20 --cell lstm  fewer, by an LSTM\n"
    "  copy_memory --plot plots            curves as plots/loss.png, plots/accuracy.png\n"
    "  copy_memory --save copy.h5          keep the model,\n"
    "  copy_memory --load copy.h5          and test it again\n"
    "The last line of the output is for programs: accuracy is the share of right steps, blanks "
    "included.";

struct CopyMemory : Experiment {
  CopyMemory()
      : Experiment("copy_memory",
                   "Trains a recurrent network to hold ten symbols in its state for many steps.",
                   usage) {}

  const std::string& cell = add_cell("gru");
  const std::int64_t& delay =
      integer("delay", 50, "Steps from the symbols to their copy", 1, 10'000);
  const std::int64_t& hidden = add_hidden(128);
  const std::int64_t& batch = add_batch(32, "Sequences in a batch");
  const std::int64_t& epochs = add_epochs(150, "Maximum number of epochs, of 50 batches each");
  const double& learning_rate =
      add_learning_rate(8e-3, "Initial rate of Adam, which falls to 0 along half a cosine");
  const double& goal = number(
      "goal", 0.07, "Training ends after an epoch with this part of the baseline's loss", 0, 1);

  /// The network's output at every step.
  template <class Network>
  Graded repeat(const Model<Network>& model, Rng& rng) const {
    const auto [x, target] = copy_task::draw_batch(delay, batch, rng);
    const Tensor logits = model.at_each_step(x);
    return {cross_entropy(logits, target), count_correct(logits, target)};
  }

  int run() {
    Rng rng(seed);
    const Rng train_rng = rng.split();
    Rng test_rng = rng.split();
    const ModelSize size{copy_task::inputs, hidden, 1, copy_task::outputs};
    return with_model(cell, size, rng, [&](auto& model) {
      const double baseline = copy_task::baseline(delay);
      fmt::print("copy after {} steps: {}, {} units, {} weights, Adam {}, seed {}\n", delay, cell,
                 hidden, count(model), learning_rate, seed);
      set_memory(parameters(model), cell, delay + 2 * copy_task::length, rng);
      const Step step = [&](Rng& r) { return repeat(model, r); };
      const TrainingOptions options{
          .label = cell, .epochs = epochs, .batches = 50, .goal = goal * baseline};
      Adam optimizer(parameters(model), {.learning_rate = learning_rate});
      optimizer.set_schedule(cosine_decay(options.steps()));
      load_or_train(model, optimizer, options, train_rng, step);
      const Score score = test(50, test_rng, step);
      const double part = score.loss() / baseline;
      fmt::print("test loss {:.6f}, {:.4f} of the baseline {:.4f}; {} of {} steps wrong\n",
                 score.loss(), part, baseline, score.wrong(), score.count());
      return result(fmt::format("loss={:.6g} baseline={:.6g} part={:.6g} accuracy={:.6f}",
                                score.loss(), baseline, part, score.accuracy()),
                    {"cell", "delay", "hidden"});
    });
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<CopyMemory>(argc, argv); }
