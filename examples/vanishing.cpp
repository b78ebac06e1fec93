/// vanishing: how far back does a gradient reach? dL/dh_t over 100 steps of RNN, LSTM and GRU
/// short: --steps 30 --updates 600
//
// The first symbol of a long sequence has to be named after its last; all others are noise, drawn
// from other symbols. What the loss says about the first step comes back through every step
// between: where dL/dh_t shrinks from step to step, the network cannot learn the task; where it
// grows, training breaks down. (See Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen",
// 1991; Bengio et al. 1994; Pascanu et al., "On the difficulty of training recurrent neural
// networks", 2013, also for clipping.)

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/options.hpp"
#include "common/plot.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t symbols = 4;  // to be named; as many others are noise
constexpr std::int64_t inputs = 2 * symbols;
constexpr std::int64_t batch_size = 16;
const std::vector<std::string> cells{"rnn-tanh", "lstm", "gru"};

struct Settings {
  std::int64_t steps = 100;
  std::int64_t hidden = 24;
  std::int64_t updates = 2000;
  std::optional<std::int64_t> memory;
  double learning_rate = 5e-3;
  double clip = 1.0;
};

constexpr const char* usage_examples =
    "  vanishing                      three cells, with clipping and without, in 15 seconds\n"
    "  vanishing --plot plots         the flow as plots/before.png and plots/after.png\n"
    "  vanishing --steps 30           a span that all of them learn\n"
    "  vanishing --memory 1           gates that forget at once: all three fail\n"
    "  vanishing --save v.h5          keep the trained models,\n"
    "  vanishing --load v.h5          and look at them again\n"
    "The last line of the output is for programs: accuracies are shares from 0 to 1, with "
    "clipping.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("steps", s.steps, "Length of the sequences").between(2, 10'000);
  line.setting("hidden", s.hidden, "Units").between(1, 512);
  line.setting("memory", s.memory,
               "Steps over which a gated cell's units forget at first (default: the length)")
      .between(1, 1e6);
  line.setting("updates", s.updates, "Steps of training").between(0, 1e6);
  line.setting("learning-rate", s.learning_rate, "Of Adam").between(1e-8, 10);
  line.setting("clip", s.clip, "Norm to which gradients are clipped").between(1e-8, 1e8);
}

struct Batch {
  Tensor x;       // [T, B, inputs], one-hot
  Tensor labels;  // int64 [B], the first symbols
};

Batch draw_batch(std::int64_t steps, Rng& rng) {
  std::vector<std::int64_t> drawn;
  for (std::int64_t i = 0; i < steps * batch_size; ++i) {
    drawn.push_back(rng.integer(symbols) + (i < batch_size ? 0 : symbols));
  }
  const Tensor numbers = Tensor::from<std::int64_t>({steps, batch_size}, drawn);
  return {one_hot(numbers, inputs), select(numbers, 0, 0)};
}

/// One network: its name, how its gradient flows before and after training, what it has learned.
struct Result {
  std::string name;
  std::vector<double> before, after;
  double accuracy = 0;
};

/// |dL/dh_t| for every step of one fresh batch, of the loss at the last step.
template <class Network>
std::vector<double> flow_of(const std::string& name, const Model<Network>& model, const Settings& s,
                            Rng rng) {
  const Batch batch = draw_batch(s.steps, rng);
  Tape tape;
  const StateRecorder recorder;
  const Tensor hidden = model.network(batch.x).first;
  const Tensor loss = cross_entropy(model.readout(select(hidden, 0, -1)), batch.labels);
  const GradientFlow flow = gradient_flow(tape, loss, recorder).at(0);
  fmt::print("{}; spectral radius of ds_t/ds_t-1 at t = 1: {:.3f}, middle: {:.3f}, last: {:.3f}\n",
             name, flow.spectral_radius(1), flow.spectral_radius(s.steps / 2),
             flow.spectral_radius(s.steps - 1));
  fmt::print("{}\n", to_string(flow));
  return flow.state_norms().template to_vector<double>();
}

template <class Network>
void train(Model<Network>& model, const Settings& s, bool clipping, Rng rng) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  for (std::int64_t i = 0; i < s.updates && !interrupted(); ++i) {
    const Batch batch = draw_batch(s.steps, rng);
    Tape tape;
    const Tensor hidden = model.network(batch.x).first;
    optimizer.zero_grad();
    tape.backward(cross_entropy(model.readout(select(hidden, 0, -1)), batch.labels));
    if (clipping) {
      clip_by_norm(weights, s.clip);
    }
    optimizer.step();
  }
}

template <class Network>
double test(const Model<Network>& model, const Settings& s, Rng rng) {
  Score score;
  for (int i = 0; i < 20; ++i) {
    const Batch batch = draw_batch(s.steps, rng);
    const Tensor logits = model.readout(select(model.network(batch.x).first, 0, -1));
    const auto answers = argmax(logits).template to_vector<std::int64_t>();
    const auto right = batch.labels.template to_vector<std::int64_t>();
    double same = 0;
    for (std::size_t k = 0; k < right.size(); ++k) {
      same += answers[k] == right[k] ? 1 : 0;
    }
    score.add(0.0, same, batch_size);
  }
  return score.accuracy();
}

void plot_flows(const std::string& path, const char* title, const std::vector<Result>& results,
                std::vector<double> Result::*flow) {
  std::string script = fmt::format(
      "set terminal pngcairo size 900,540\nset grid\nset key bottom right\nset logscale y\n"
      "set format y '10^{{%T}}'\nset title '{}'\nset xlabel 'step t'\nset ylabel '|dL/dh_t|'\n",
      title);
  std::string lines;
  for (std::size_t i = 0; i < results.size(); ++i) {
    script += fmt::format("$flow{} << END\n", i);
    for (std::size_t t = 0; t < (results[i].*flow).size(); ++t) {
      script += fmt::format("{} {}\n", t, (results[i].*flow)[t]);
    }
    script += "END\n";
    lines += fmt::format(
        "$flow{} using 1:2 with lines linewidth 2 dashtype {} linecolor {} title '{}', ", i,
        i % 2 + 1, i / 2 + 1, results[i].name);
  }
  gnuplot(script + "plot " + lines + "\n", path);
}

void print_table(const std::vector<Result>& results) {
  fmt::print("{:<24}{:>14}{:>14}{:>14}{:>14}{:>11}\n", "|dL/dh_t| at", "first, before",
             "last, before", "first, after", "last, after", "accuracy");
  for (const Result& r : results) {
    fmt::print("{:<24}{:>14.2e}{:>14.2e}{:>14.2e}{:>14.2e}{:>11}\n", r.name, r.before.front(),
               r.before.back(), r.after.front(), r.after.back(), percent(r.accuracy));
  }
}

int vanishing(int argc, char** argv) {
  Settings s;
  CommandLine line("vanishing", "Shows how gradients flow back through time.", usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);
  s.memory = s.memory.value_or(s.steps);
  stop_training_on_interrupt();
  const Stopwatch watch;
  Rng rng(line.seed);
  const Rng train_rng = rng.split();
  const Rng test_rng = rng.split();
  const Rng start_rng = rng.split();
  std::vector<Result> results;
  StateList states;
  for (const std::string& cell : cells) {
    for (const bool clipping : {true, false}) {
      Rng start = start_rng;  // the same start for both
      with_model(cell, {inputs, s.hidden, 1, symbols}, start, [&](auto& model) {
        set_memory(parameters(model), cell, *s.memory, start);
        Result result{cell + (clipping ? ", clipped" : ", not clipped"), {}, {}, 0};
        const std::string path = cell + (clipping ? "-clipped" : "-unclipped");
        result.before = clipping ? flow_of(cell + ", at initialisation", model, s, test_rng)
                                 : results.back().before;
        if (line.load.empty()) {
          train(model, s, clipping, train_rng);
        } else {
          io::load(line.load, {.allow_unexpected = true}, path, model);
        }
        result.after = flow_of(result.name + ", after training", model, s, test_rng);
        result.accuracy = test(model, s, test_rng);
        results.push_back(std::move(result));
        // The entries share the parameters' memory, which they keep when the model has gone.
        const StateList entries = io::collect(path, model);
        states.insert(states.end(), entries.begin(), entries.end());
      });
    }
  }
  print_table(results);
  if (!line.save.empty()) {
    io::save(line.save, states, line.attributes());
    fmt::print("wrote {}\n", line.save);
  }
  if (!line.plot.empty()) {
    plot_flows(line.plot + "/before.png", "at initialisation", results, &Result::before);
    plot_flows(line.plot + "/after.png", "after training", results, &Result::after);
  }
  fmt::print("result rnn={:.4f} lstm={:.4f} gru={:.4f} seconds={:.2f} seed={} steps={}\n",
             results[0].accuracy, results[2].accuracy, results[4].accuracy, watch.seconds(),
             line.seed, s.steps);
  return interrupted() ? interrupted_code : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return vanishing(argc, argv); });
}
