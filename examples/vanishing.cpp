/// vanishing: how far back does a gradient reach? dL/dh_t over 100 steps of RNN, LSTM and GRU
/// short: --steps 30 --updates 600
//
// The network has to name the first symbol of a long sequence after its last; all others are noise,
// drawn from other symbols. The gradient of the first step comes back through every step between.
// Where dL/dh_t shrinks from step to step, the network cannot learn the task; where it grows,
// training breaks down. (See Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen", 1991;
// Bengio et al. 1994; Pascanu et al., "On the difficulty of training recurrent neural networks",
// 2013, also for clipping.)

#include <cmath>
#include <string>
#include <vector>

#include <rewind/rewind.hpp>

#include "common/experiment.hpp"
#include "common/model.hpp"
#include "common/plot.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t symbols = 4;  // to be named; the noise has as many others
constexpr std::int64_t inputs = 2 * symbols;
constexpr std::int64_t batch_size = 16;

constexpr const char* usage =
    "  vanishing                      three cells, with clipping and without, in 15 seconds\n"
    "  vanishing --plot plots         the flow as plots/before.png and plots/after.png\n"
    "  vanishing --steps 30           a span that all of them learn\n"
    "  vanishing --memory 1           gates that forget at once: all three fail\n"
    "  vanishing --save v.h5          keep the trained models,\n"
    "  vanishing --load v.h5          and look at them again\n"
    "The last line of the output is for programs: accuracies are shares from 0 to 1, with "
    "clipping.";

struct Batch {
  Tensor x;       // [T, B, inputs], one-hot
  Tensor labels;  // int64 [B], the first symbols
};

/// One network: its name, the norms of its gradients before and after training, its accuracy.
struct Findings {
  std::string name;
  std::vector<double> before, after;
  double accuracy = 0;
};

void plot_flows(const std::string& path, const char* title, const std::vector<Findings>& all,
                std::vector<double> Findings::*flow) {
  std::string script = fmt::format(
      "set terminal pngcairo size 900,540\nset grid\nset key bottom right\nset logscale y\n"
      "set format y '10^{{%T}}'\nset title '{}'\nset xlabel 'step t'\nset ylabel '|dL/dh_t|'\n",
      title);
  std::string lines;
  for (std::size_t i = 0; i < all.size(); ++i) {
    script += fmt::format("$flow{} << END\n", i);
    for (std::size_t t = 0; t < (all[i].*flow).size(); ++t) {
      // A gradient that has become 0, or has exploded, cannot be drawn on a logarithmic axis.
      const double norm = (all[i].*flow)[t];
      script += norm > 0 && std::isfinite(norm) ? fmt::format("{} {}\n", t, norm) : "\n";
    }
    script += "END\n";
    lines += fmt::format(
        "$flow{} using 1:2 with lines linewidth 2 dashtype {} linecolor {} title '{}', ", i,
        i % 2 + 1, i / 2 + 1, all[i].name);
  }
  gnuplot(script + "plot " + lines + "\n", path);
}

void print_table(const std::vector<Findings>& all) {
  fmt::print("{:<24}{:>14}{:>14}{:>14}{:>14}{:>11}\n", "|dL/dh_t| at", "first, before",
             "last, before", "first, after", "last, after", "accuracy");
  for (const Findings& f : all) {
    fmt::print("{:<24}{:>14.2e}{:>14.2e}{:>14.2e}{:>14.2e}{:>11}\n", f.name, f.before.front(),
               f.before.back(), f.after.front(), f.after.back(), percent(f.accuracy));
  }
}

struct Vanishing : Experiment {
  Vanishing() : Experiment("vanishing", "Shows how gradients flow back through time.", usage) {}

  const std::int64_t& steps = integer("steps", 100, "Length of the sequences", 2, 10'000);
  const std::int64_t& hidden = integer("hidden", 24, "Units", 1, 512);
  const std::int64_t& memory = integer(
      "memory", [this] { return steps; },
      "Steps over which units of a gated cell initially forget (default: the length)", 1, 1e6);
  const std::int64_t& updates = integer("updates", 2000, "Steps of training", 0, 1e6);
  const double& learning_rate = add_learning_rate(5e-3, "Rate of Adam");
  const double& clip = number("clip", 1.0, "Norm to which gradients are clipped", 1e-8, 1e8);

  Batch draw(Rng& rng) const {
    std::vector<std::int64_t> drawn;
    for (std::int64_t i = 0; i < steps * batch_size; ++i) {
      drawn.push_back(rng.integer(symbols) + (i < batch_size ? 0 : symbols));
    }
    const Tensor numbers = Tensor::from<std::int64_t>({steps, batch_size}, drawn);
    return {one_hot(numbers, inputs), select(numbers, 0, 0)};
  }

  template <class Network>
  Graded name_first(const Model<Network>& model, Rng& rng) const {
    const auto [x, labels] = draw(rng);
    const Tensor logits = model.at_last_step(x);
    return {cross_entropy(logits, labels), count_correct(logits, labels)};
  }

  /// |dL/dh_t| for every step of one new batch, for the loss at the last step.
  template <class Network>
  std::vector<double> flow_of(const std::string& name, const Model<Network>& model, Rng rng) const {
    Tape tape;
    const StateRecorder recorder;
    const Tensor loss = name_first(model, rng).loss;
    const GradientFlow flow = gradient_flow(tape, loss, recorder).at(0);
    fmt::print(
        "{}; spectral radius of ds_t/ds_t-1 at t = 1: {:.3f}, middle: {:.3f}, last: {:.3f}\n", name,
        flow.spectral_radius(1), flow.spectral_radius(steps / 2), flow.spectral_radius(steps - 1));
    fmt::print("{}\n", to_string(flow));
    return flow.state_norms().template to_vector<double>();
  }

  int run() {
    Rng rng(seed);
    const Rng train_rng = rng.split();
    const Rng test_rng = rng.split();
    const Rng start_rng = rng.split();
    std::vector<Findings> all;
    StateList states;
    for (const std::string cell : {"rnn-tanh", "lstm", "gru"}) {
      for (const bool clipping : {true, false}) {
        Rng start = start_rng;  // the same start for both
        with_model(cell, {inputs, hidden, 1, symbols}, start, [&](auto& model) {
          set_memory(parameters(model), cell, memory, start);
          Findings found{cell + (clipping ? ", clipped" : ", not clipped"), {}, {}, 0};
          const std::string path = cell + (clipping ? "-clipped" : "-unclipped");
          found.before =
              clipping ? flow_of(cell + ", at initialisation", model, test_rng) : all.back().before;
          const Step step = [&](Rng& r) { return name_first(model, r); };
          if (load.empty()) {
            Adam optimizer(parameters(model), {.learning_rate = learning_rate});
            train(model, optimizer,
                  {.label = path,
                   .epochs = 1,
                   .batches = updates,
                   .clip_norm = clipping ? std::optional(clip) : std::nullopt,
                   .silent = true},
                  train_rng, step, path);
          } else {
            io::load(load, {.allow_unexpected = true}, path, model);
          }
          found.after = flow_of(found.name + ", after training", model, test_rng);
          Rng tested = test_rng;
          found.accuracy = test(20, tested, step).accuracy();
          all.push_back(std::move(found));
          // The entries share the parameters' memory, and keep it after the model is destroyed.
          const StateList entries = io::collect(path, model);
          states.insert(states.end(), entries.begin(), entries.end());
        });
      }
    }
    print_table(all);
    if (!save.empty()) {
      io::save(save, states, attributes());
      fmt::print("wrote {}\n", save);
    }
    if (!plot.empty()) {
      plot_flows(plot + "/before.png", "at initialisation", all, &Findings::before);
      plot_flows(plot + "/after.png", "after training", all, &Findings::after);
    }
    return result(fmt::format("rnn={:.4f} lstm={:.4f} gru={:.4f}", all[0].accuracy, all[2].accuracy,
                              all[4].accuracy),
                  {"steps"});
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<Vanishing>(argc, argv); }
