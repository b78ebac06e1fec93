/// echo: a recurrent network repeats a stream of random bits some steps later
//
// The network sees one bit of each stream at a time, for ever, and has to keep the last few in its
// state. The streams are far too long to be played back as a whole, so that they are cut into
// chunks: the state goes on from one chunk into the next, but the gradient stops there. This is
// truncated back-propagation through time.

#include <algorithm>
#include <optional>
#include <string>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/echo_task.hpp"
#include "common/interrupt.hpp"
#include "common/load_or_train.hpp"
#include "common/model.hpp"
#include "common/options.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

struct Settings {
  std::string cell = "rnn";
  std::int64_t delay = 3;
  std::optional<std::int64_t> hidden;
  std::int64_t layers = 1;
  std::int64_t steps = 20'000;
  std::int64_t streams = 5;
  std::int64_t chunk = 20;
  std::optional<std::int64_t> epochs;
  double learning_rate = 5e-3;
};

constexpr const char* usage_examples =
    "  echo                                        a plain relu network, 3 steps of delay\n"
    "  echo --cell lstm --delay 10                 what the plain network fails at\n"
    "  echo --cell gru --hidden 32 --plot plots    curves as plots/loss.png, plots/accuracy.png\n"
    "  echo --save echo.h5                         keep the model,\n"
    "  echo --load echo.h5                         and test it again\n"
    "The task is known with a relu network of 4 units, trained by RMSprop at rate 1e-3: it learns\n"
    "delay 3 in 5 epochs, and fails at delay 10 with 49.9 %.\n"
    "The last line of the output is for programs: accuracy is a share from 0 to 1.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("cell", s.cell, "Kind of network; rnn is the plain one with relu")
      .one_of(cell_names);
  line.setting("delay", s.delay, "Steps from a bit to its echo").between(0, 1000);
  line.setting("hidden", s.hidden, "Units of each layer (default: 16 for delays up to 5, else 32)")
      .between(1, 4096);
  line.setting("layers", s.layers, "Layers on top of each other").between(1, 16);
  line.setting("steps", s.steps, "Length of each stream").between(1, 1e7);
  line.setting("streams", s.streams, "Streams side by side").between(1, 4096);
  line.setting("chunk", s.chunk, "Steps through which the gradient flows").between(1, 100'000);
  line.setting("epochs", s.epochs, "Fresh sets of streams (default: 5 for delays up to 5, else 10)")
      .between(0, 100'000);
  line.setting("learning-rate", s.learning_rate, "Of RMSprop, falling evenly to 0")
      .between(1e-8, 10);
}

void choose_defaults(Settings& s) {
  const bool short_delay = s.delay <= 5;
  s.hidden = s.hidden.value_or(short_delay ? 16 : 32);
  s.epochs = s.epochs.value_or(short_delay ? 5 : 10);
}

Score score_of(const Tensor& logits, const Tensor& y, const Tensor& loss) {
  Score score;
  score.add(loss.item(), sum(equal(logits.detach() > 0.0, y)).item(), y.elements());
  return score;
}

/// Calls `body(x, y)` with one chunk of the streams after another, until it returns false.
template <class Body>
void for_each_chunk(const EchoStreams& streams, std::int64_t chunk, Body&& body) {
  const std::int64_t steps = streams.x.size(0);
  for (std::int64_t begin = 0; begin < steps; begin += chunk) {
    const std::int64_t end = std::min(begin + chunk, steps);
    if (!body(slice(streams.x, 0, begin, end), slice(streams.y, 0, begin, end))) {
      return;
    }
  }
}

template <class Network>
Curve train(Model<Network>& model, const Settings& s, Rng& rng) {
  const ParameterList weights = parameters(model);
  RmsProp optimizer(weights, {.learning_rate = s.learning_rate});
  Monitor monitor(s.cell, *s.epochs, (s.steps + s.chunk - 1) / s.chunk);
  while (!monitor.done() && !interrupted()) {
    // The rate falls evenly, so that the last steps, which no later ones correct, are small.
    const double left =
        1.0 - static_cast<double>(monitor.epochs_done()) / static_cast<double>(*s.epochs);
    optimizer.set_learning_rate(s.learning_rate * left);
    const EchoStreams streams = echo_streams(s.steps, s.streams, s.delay, rng);
    auto state = model.network.initial_state(s.streams);
    for_each_chunk(streams, s.chunk, [&](const Tensor& x, const Tensor& y) {
      Tape tape;
      auto [hidden, next] = model.network(x, state);
      const Tensor logits = model.readout(hidden);
      const Tensor loss = bce_with_logits(logits, y);
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      state = detach(next);  // the values go on, the gradient does not
      monitor.step(score_of(logits, y, loss));
      return !interrupted();
    });
    monitor.end_epoch();
  }
  monitor.finish();
  return monitor.curve();
}

/// The same without a tape: nothing is recorded.
template <class Network>
Score test(const Model<Network>& model, const Settings& s, Rng& rng) {
  Score total;
  auto state = model.network.initial_state(s.streams);
  const EchoStreams streams = echo_streams(s.steps, s.streams, s.delay, rng);
  for_each_chunk(streams, s.chunk, [&](const Tensor& x, const Tensor& y) {
    auto [hidden, next] = model.network(x, state);
    const Tensor logits = model.readout(hidden);
    total.add(score_of(logits, y, bce_with_logits(logits, y)));
    state = next;
    return true;
  });
  return total;
}

template <class Network>
int run(Model<Network>& model, const CommandLine& line, const Settings& s, Rng& train_rng,
        Rng& test_rng) {
  const Stopwatch watch;
  load_or_train(line, model, [&] { return train(model, s, train_rng); });
  const Score score = test(model, s, test_rng);
  fmt::print("test accuracy {}, loss {:.6f}: {} of {} bits wrong\n", percent(score.accuracy()),
             score.loss(), score.wrong(), score.count());
  fmt::print(
      "result accuracy={:.6f} loss={:.6g} seconds={:.2f} seed={} cell={} delay={} hidden={}\n",
      score.accuracy(), score.loss(), watch.seconds(), line.seed, s.cell, s.delay, *s.hidden);
  return interrupted() ? interrupted_code : 0;
}

int echo(int argc, char** argv) {
  Settings s;
  CommandLine line("echo", "Trains a recurrent network to repeat a stream of random bits.",
                   usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);
  choose_defaults(s);
  fmt::print(
      "echo after {} steps: {}, {} x {} units, {} streams of {} steps, chunks of {}, "
      "{} epochs, RMSprop {}, seed {}\n",
      s.delay, s.cell, s.layers, *s.hidden, s.streams, s.steps, s.chunk, *s.epochs, s.learning_rate,
      line.seed);
  Rng rng(line.seed);
  Rng train_rng = rng.split();
  Rng test_rng = rng.split();
  return with_model(s.cell, {1, *s.hidden, s.layers, 1}, rng,
                    [&](auto& model) { return run(model, line, s, train_rng, test_rng); });
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return echo(argc, argv); });
}
