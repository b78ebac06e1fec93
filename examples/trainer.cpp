/// trainer: the loop of training, by hand and by the Trainer, side by side and bit for bit the same
/// short: --epochs 3 --waves 200
//
// An LSTM sees noisy sine waves of unknown frequency and phase, one value at a time, and says what
// comes next. It is trained twice from the same weights: once by a loop that is written out, once
// by a Trainer that is told the same. Both keep the best model and stop when validation no longer
// improves; the program fails unless every number is the same.

#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/interrupt.hpp"
#include "common/options.hpp"
#include "common/plot.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

struct Settings {
  std::int64_t waves = 600;
  std::int64_t steps = 40;
  std::int64_t hidden = 16;
  std::int64_t batch = 32;
  std::int64_t epochs = 60;
  std::int64_t patience = 3;
  double learning_rate = 1e-2;
  std::string csv;
};

constexpr const char* usage_examples =
    "  trainer                                  both loops, and that they agree\n"
    "  trainer --epochs 3 --waves 200           in a second\n"
    "  trainer --csv history.csv --plot plots   losses as a table and as plots/loss.png\n"
    "  trainer --save best.h5                   keep the best model,\n"
    "  trainer --load best.h5                   and test it again\n"
    "The noise has variance 0.01: no network can predict better than that.\n"
    "The last line of the output is for programs: loss is the mean squared error on new waves.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("waves", s.waves, "Waves to learn from; a fifth of them is for validation")
      .between(20, 1e6);
  line.setting("steps", s.steps, "Values of each wave").between(1, 10'000);
  line.setting("hidden", s.hidden, "Units of the LSTM").between(1, 4096);
  line.setting("batch", s.batch, "Waves in a batch").between(1, 1e6);
  line.setting("epochs", s.epochs, "At most so many").between(1, 100'000);
  line.setting("patience", s.patience, "Epochs without improvement after which training stops")
      .between(1, 100'000);
  line.setting("learning-rate", s.learning_rate, "Of Adam").between(1e-8, 10);
  line.output_file("csv", s.csv, "Write the losses of all epochs to this file");
}

struct Model {
  LSTM lstm;
  Linear readout;

  Model(std::int64_t hidden, Rng rng)
      : lstm({.input = 1, .hidden = hidden}, rng), readout({.input = hidden, .output = 1}, rng) {}
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("lstm", lstm);
    visit("readout", readout);
  }
};

/// [steps + 1, waves, 1]: sines of 8 to 40 steps a period, with noise.
Tensor draw_waves(std::int64_t waves, std::int64_t steps, Rng& rng) {
  const Tensor time = reshape(arange(steps + 1, DType::float32), {steps + 1, 1, 1});
  const Tensor speed = rng.uniform({1, waves, 1}, 6.2832 / 40, 6.2832 / 8);
  const Tensor phase = rng.uniform({1, waves, 1}, 0, 6.2832);
  const Tensor noise = rng.normal({steps + 1, waves, 1}, 0, 0.1);
  return sin(speed * time + phase) + noise;
}

/// Mean squared error of all predictions of the next value.
Tensor loss_of(const Model& model, const Tensor& waves) {
  const std::int64_t steps = waves.size(0) - 1;
  auto [hidden, state] = model.lstm(slice(waves, 0, 0, steps));
  return mse(model.readout(hidden), slice(waves, 0, 1, steps + 1));
}

struct Data {
  Tensor train;
  Tensor valid;
};

/// What a training leaves: all losses, and the best model's weights.
struct Outcome {
  History history;
  std::vector<Tensor> best;
};

std::vector<Tensor> copy_of(const ParameterList& weights) {
  std::vector<Tensor> copies;
  for (const NamedParameter& entry : weights) {
    copies.push_back(entry.parameter->value().detach().clone());
  }
  return copies;
}

Outcome train_by_hand(Model& model, const Data& data, const Settings& s, std::uint64_t seed) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  Minibatches batches(data.train.size(1), {.batch = s.batch}, seed);
  EarlyStopping stopping({.patience = s.patience});
  Outcome outcome;
  for (std::int64_t epoch = 1; epoch <= s.epochs && stopping.waited() < s.patience; ++epoch) {
    double sum = 0;
    double count = 0;
    for (const Tensor& batch : batches) {
      const auto examples = static_cast<double>(batch.elements());
      Tape tape;
      const Tensor loss = loss_of(model, index_select(data.train, batch, 1));
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      sum += examples * loss.item();
      count += examples;
    }
    const double validation = loss_of(model, data.valid).item();
    outcome.history.add("loss", epoch, sum / count);
    outcome.history.add("validation", epoch, validation);
    outcome.history.add("learning_rate", epoch, optimizer.learning_rate());
    stopping.observe(validation);
    if (stopping.improved()) {
      outcome.best = copy_of(weights);
    }
  }
  return outcome;
}

Outcome train_by_trainer(Model& model, const Data& data, const Settings& s,
                         const CommandLine& line) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  Minibatches batches(data.train.size(1), {.batch = s.batch}, line.seed);
  Outcome outcome;
  const auto keep_best = [&] {
    outcome.best = copy_of(weights);
    if (!line.save.empty()) {
      io::save(line.save, line.attributes(), "model", model);
    }
  };
  Trainer trainer(optimizer, {.epochs = s.epochs,
                              .clip_norm = 1.0,
                              .validate = [&] { return loss_of(model, data.valid).item(); },
                              .on_best = keep_best,
                              .patience = s.patience,
                              .stop = interrupted,
                              .label = "lstm"});
  outcome.history = trainer.fit(batches, [&](const Tensor& batch) {
    return loss_of(model, index_select(data.train, batch, 1));
  });
  return outcome;
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].shape() != b[i].shape() ||
        std::memcmp(a[i].data<float>(), b[i].data<float>(),
                    static_cast<std::size_t>(a[i].elements()) * sizeof(float)) != 0) {
      return false;
    }
  }
  return true;
}

/// Four waves of five are for training; where one belongs depends on nothing but its number.
Data split_waves(const Tensor& waves) {
  const Split parts =
      split_by_hash(arange(waves.size(1)).to_vector<std::int64_t>(), {.valid = 0.2, .test = 0});
  const auto select_waves = [&](const std::vector<std::int64_t>& numbers) {
    const Shape shape{static_cast<std::int64_t>(numbers.size())};
    return index_select(waves, Tensor::from<std::int64_t>(shape, numbers), 1);
  };
  return {select_waves(parts.train), select_waves(parts.valid)};
}

/// Trains one model twice and leaves the best weights in it; false when the two differ.
bool train(Model& model, const Data& data, const Settings& s, const CommandLine& line) {
  Model other = model;
  const Outcome outcome = train_by_trainer(model, data, s, line);
  if (!s.csv.empty()) {
    io::write_csv(s.csv, outcome.history);
    fmt::print("wrote {}\n", s.csv);
  }
  if (!line.plot.empty() && !outcome.history.empty()) {
    plot_history(line.plot + "/loss.png", outcome.history, {"loss", "validation"});
  }
  bool same = true;
  if (!interrupted()) {
    const Outcome by_hand = train_by_hand(other, data, s, line.seed);
    same = by_hand.history == outcome.history && same_bits(by_hand.best, outcome.best);
    fmt::print("by hand: {} epochs, validation {:.6f}; {}\n", by_hand.history["loss"].size(),
               by_hand.history.last("validation"),
               same ? "every loss and weight is the same" : "NOT the same");
  }
  const ParameterList weights = parameters(model);
  for (std::size_t i = 0; i < outcome.best.size(); ++i) {
    weights[i].parameter->assign(outcome.best[i]);
  }
  return same;
}

int run(int argc, char** argv) {
  Settings s;
  CommandLine line("trainer", "Trains an LSTM on noisy sine waves, by hand and by the Trainer.",
                   usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);
  const Stopwatch watch;
  Rng rng(line.seed);
  Model model(s.hidden, rng.split());
  const Data data = split_waves(draw_waves(s.waves, s.steps, rng));
  fmt::print("{} waves for training, {} for validation; LSTM of {} units, Adam {}, seed {}\n",
             data.train.size(1), data.valid.size(1), s.hidden, s.learning_rate, line.seed);
  bool same = true;
  if (!line.load.empty()) {
    io::load(line.load, "model", model);
  } else {
    stop_training_on_interrupt();
    same = train(model, data, s, line);
  }
  const double loss = loss_of(model, draw_waves(1000, s.steps, rng)).item();
  fmt::print("result loss={:.6g} same={} seconds={:.2f} seed={} hidden={}\n", loss, same ? 1 : 0,
             watch.seconds(), line.seed, s.hidden);
  if (interrupted()) {
    return interrupted_code;
  }
  return same ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return run(argc, argv); });
}
