/// trainer: the loop of training, by hand and by the Trainer, side by side and bit for bit the same
/// short: --epochs 3 --waves 200
//
// An LSTM sees noisy sine waves of unknown frequency and phase, one value at a time, and predicts
// the next. It is trained twice from the same weights: once by a loop that is written out, once by
// a Trainer with the same options. Both keep the best model and stop when validation no longer
// improves. The program fails unless every number is the same.

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include <rewind/rewind.hpp>

#include "common/experiment.hpp"
#include "common/interrupt.hpp"
#include "common/plot.hpp"
#include "common/wave_task.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  trainer                                  both loops, and that they agree\n"
    "  trainer --epochs 3 --waves 200           in a second\n"
    "  trainer --csv history.csv --plot plots   losses as a table and as plots/loss.png\n"
    "  trainer --save best.h5                   keep the best model,\n"
    "  trainer --load best.h5                   and test it again\n"
    "The noise has variance 0.01: no network can predict better than that.\n"
    "The last line of the output is for programs: loss is the mean squared error on new waves.";

struct Model {
  LSTM lstm;
  Linear readout;

  Model(std::int64_t hidden, Rng rng)
      : lstm({.input = 1, .hidden = hidden}, rng), readout({.input = hidden, .output = 1}, rng) {}

  /// Mean squared error of predicting each next value of waves [T, B, 1].
  Tensor loss(const Tensor& waves) const {
    const std::int64_t steps = waves.size(0) - 1;
    const Tensor hidden = lstm(slice(waves, 0, 0, steps)).first;
    return mse(readout(hidden), slice(waves, 0, 1, steps + 1));
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("lstm", lstm);
    visit("readout", readout);
  }
};

/// The result of a training: all losses, and the best model.
struct Outcome {
  explicit Outcome(const Model& model) : best(model) {}

  History history;
  Model best;
};

bool same_bits(Model& a, Model& b) {
  const ParameterList ours = parameters(a);
  const ParameterList theirs = parameters(b);
  return std::ranges::equal(ours, theirs, [](const NamedParameter& x, const NamedParameter& y) {
    const auto p = x.parameter->value().to_vector<float>();
    const auto q = y.parameter->value().to_vector<float>();
    return p.size() == q.size() && std::memcmp(p.data(), q.data(), p.size() * sizeof(float)) == 0;
  });
}

struct TrainerExperiment : Experiment {
  TrainerExperiment()
      : Experiment("trainer", "Trains an LSTM on noisy sine waves, by hand and by the Trainer.",
                   usage) {}

  const std::int64_t& number_of_waves =
      integer("waves", 600, "Waves to learn from; a fifth of them is for validation", 20, 1e6);
  const std::int64_t& steps = integer("steps", 40, "Values of each wave", 1, 10'000);
  const std::int64_t& hidden = add_hidden(16, "Units of the LSTM");
  const std::int64_t& batch_size = integer("batch", 32, "Waves in a batch", 1, 1e6);
  const std::int64_t& epochs = integer("epochs", 60, "Maximum number of epochs", 1, 100'000);
  const std::int64_t& patience =
      integer("patience", 3, "Epochs without improvement after which training stops", 1, 100'000);
  const double& learning_rate = add_learning_rate(1e-2, "Rate of Adam");
  const std::string& csv = output_file("csv", "Write the losses of all epochs to this file");

  Outcome train_by_hand(Model& model, const waves::Data& data) const {
    const ParameterList weights = parameters(model);
    Adam optimizer(weights, {.learning_rate = learning_rate});
    Minibatches batches(data.train.size(1), {.batch = batch_size}, seed);
    EarlyStopping stopping({.patience = patience});
    Outcome outcome(model);
    for (std::int64_t epoch = 1; epoch <= epochs && stopping.waited() < patience; ++epoch) {
      double sum = 0;
      double count = 0;
      for (const Tensor& batch : batches) {
        const auto examples = static_cast<double>(batch.elements());
        Tape tape;
        const Tensor loss = model.loss(index_select(data.train, batch, 1));
        optimizer.zero_grad();
        tape.backward(loss);
        clip_by_norm(weights, 1.0);
        optimizer.step();
        sum += examples * loss.item();
        count += examples;
      }
      const double validation = model.loss(data.valid).item();
      outcome.history.add("loss", epoch, sum / count);
      outcome.history.add("validation", epoch, validation);
      outcome.history.add("learning_rate", epoch, optimizer.learning_rate());
      stopping.observe(validation);
      if (stopping.improved()) {
        outcome.best = model;
      }
    }
    return outcome;
  }

  Outcome train_by_trainer(Model& model, const waves::Data& data) const {
    Adam optimizer(parameters(model), {.learning_rate = learning_rate});
    Minibatches batches(data.train.size(1), {.batch = batch_size}, seed);
    Outcome outcome(model);
    std::optional<Trainer> trainer;
    std::optional<io::CheckpointDirectory> directory = checkpoints();
    std::function<void()> save_run;
    if (directory) {
      save_run = [&] {
        directory->save("model", model, "best", outcome.best, "optimizer", optimizer, "batches",
                        batches, "trainer", *trainer, "history", trainer->history());
      };
    }
    const auto keep_best = [&] {
      outcome.best = model;
      if (!save.empty()) {
        io::save(save, attributes(), "model", model);
      }
    };
    trainer.emplace(optimizer,
                    TrainerOptions{.epochs = epochs,
                                   .clip_norm = 1.0,
                                   .validate = [&] { return model.loss(data.valid).item(); },
                                   .on_best = keep_best,
                                   .patience = patience,
                                   .checkpoints = {.save = save_run},
                                   .stop = interrupted,
                                   .label = "lstm"});
    if (directory) {
      History history;
      resume_from(*directory, "model", model, "best", outcome.best, "optimizer", optimizer,
                  "batches", batches, "trainer", *trainer, "history", history);
      trainer->set_history(std::move(history));
    }
    outcome.history = trainer->fit(batches, [&](const Tensor& batch) {
      return model.loss(index_select(data.train, batch, 1));
    });
    return outcome;
  }

  /// Trains one model twice and leaves the best weights in it. Returns false if the two trainings
  /// differ.
  bool train_twice(Model& model, const waves::Data& data) const {
    Model other = model;
    Outcome outcome = train_by_trainer(model, data);
    if (!csv.empty()) {
      io::write_csv(csv, outcome.history);
      fmt::print("wrote {}\n", csv);
    }
    if (!plot.empty() && !outcome.history.empty()) {
      const std::string path = plot + "/loss.png";
      draw_file(path, [&] { io::plot_history(path, outcome.history, {"loss", "validation"}); });
    }
    bool same = true;
    if (!interrupted()) {
      Outcome by_hand = train_by_hand(other, data);
      same = by_hand.history == outcome.history && same_bits(by_hand.best, outcome.best);
      fmt::print("by hand: {} epochs, validation {:.6f}; {}\n", by_hand.history["loss"].size(),
                 by_hand.history.last("validation"),
                 same ? "every loss and weight is the same" : "NOT the same");
    }
    model = outcome.best;
    return same;
  }

  int run() {
    Rng rng(seed);
    Model model(hidden, rng.split());
    const waves::Data data = waves::split(waves::draw(steps + 1, number_of_waves, rng));
    fmt::print("{} waves for training, {} for validation; LSTM of {} units, Adam {}, seed {}\n",
               data.train.size(1), data.valid.size(1), hidden, learning_rate, seed);
    bool same = true;
    if (!load.empty()) {
      io::load(load, {.allow_unexpected = true}, "model", model);
    } else {
      stop_training_on_interrupt();
      same = train_twice(model, data);
    }
    const double loss = model.loss(waves::draw(steps + 1, 1000, rng)).item();
    const int code = result(fmt::format("loss={:.6g} same={}", loss, same ? 1 : 0), {"hidden"});
    return same ? code : 1;
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<TrainerExperiment>(argc, argv); }
