/// echo: a recurrent network repeats a stream of random bits some steps later
//
// The network sees one bit of each stream at a time, without end, and has to keep the last few in
// its state. The streams are far too long to back-propagate through as a whole, so they are cut
// into chunks: the state is carried over from one chunk to the next, but the gradient stops there.
// This is truncated back-propagation through time.

#include <algorithm>

#include <rewind/rewind.hpp>

#include "common/echo_task.hpp"
#include "common/experiment.hpp"
#include "common/model.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  echo                                        a plain relu network, 3 steps of delay\n"
    "  echo --cell lstm --delay 10                 too long a delay for the plain network\n"
    "  echo --cell gru --hidden 32 --plot plots    curves as plots/loss.png, plots/accuracy.png\n"
    "  echo --save echo.h5                         keep the model,\n"
    "  echo --load echo.h5                         and test it again\n"
    "The task is known with a relu network of 4 units, trained by RMSprop at rate 1e-3: it learns\n"
    "delay 3 in 5 epochs, and fails at delay 10 with 49.9 %.\n"
    "The last line of the output is for programs: accuracy is a share from 0 to 1.";

struct Echo : Experiment {
  Echo()
      : Experiment("echo", "Trains a recurrent network to repeat a stream of random bits.", usage) {
  }

  const std::string& cell = add_cell("rnn");
  const std::int64_t& delay = integer("delay", 3, "Steps from a bit to its echo", 0, 1000);
  const std::int64_t& hidden = integer(
      "hidden", [this] { return delay <= 5 ? 16 : 32; },
      "Units of each layer (default: 16 for delays up to 5, else 32)", 1, 4096);
  const std::int64_t& layers = integer("layers", 1, "Number of stacked layers", 1, 16);
  const std::int64_t& steps = integer("steps", 20'000, "Length of each stream", 1, 1e7);
  const std::int64_t& streams =
      integer("streams", 5, "Number of streams, which make a batch", 1, 4096);
  const std::int64_t& chunk =
      integer("chunk", 20, "Steps through which the gradient flows", 1, 100'000);
  const std::int64_t& epochs = integer(
      "epochs", [this] { return delay <= 5 ? 5 : 10; },
      "Epochs, each with new streams (default: 5 for delays up to 5, else 10)", 0, 100'000);
  const double& learning_rate =
      add_learning_rate(5e-3, "Initial rate of RMSprop, which falls linearly to 0");

  /// Iterates over the streams in chunks; after the last chunk, new streams are drawn.
  template <class Network>
  Step listener(const Model<Network>& model) const {
    using State = decltype(model.network.initial_state(1));
    return [&, bits = EchoStreams{}, state = State{}, begin = steps](Rng& rng) mutable -> Graded {
      if (begin == steps) {
        bits = echo_streams(steps, streams, delay, rng);
        state = model.network.initial_state(streams);
        begin = 0;
      }
      const std::int64_t end = std::min(begin + chunk, steps);
      const Tensor y = slice(bits.y, 0, begin, end);
      const auto [h, next] = model.network(slice(bits.x, 0, std::exchange(begin, end), end), state);
      state = detach(next);  // carry the values over, but no gradient
      const Tensor logits = model.readout(h);
      const double right = sum(equal(logits.detach() > 0.0, y)).item();
      return {bce_with_logits(logits, y), {static_cast<std::int64_t>(right), y.elements()}};
    };
  }

  int run() {
    check<UsageError>(steps * streams <= 20'000'000,
                      "echo: got {} streams of {} steps, expected at most 20,000,000 bits in all; "
                      "lower --streams or --steps",
                      streams, steps);
    fmt::print(
        "echo after {} steps: {}, {} x {} units, {} streams of {} steps, chunks of {}, "
        "{} epochs, RMSprop {}, seed {}\n",
        delay, cell, layers, hidden, streams, steps, chunk, epochs, learning_rate, seed);
    Rng rng(seed);
    const Rng train_rng = rng.split();
    Rng test_rng = rng.split();
    return with_model(cell, {1, hidden, layers, 1}, rng, [&](auto& model) {
      const std::int64_t chunks = (steps + chunk - 1) / chunk;
      RmsProp optimizer(parameters(model), {.learning_rate = learning_rate});
      // The rate falls linearly, so that the last steps, which no later ones correct, are small.
      optimizer.set_schedule([&, chunks](std::int64_t step) {
        return 1.0 - static_cast<double>(step / chunks) / static_cast<double>(epochs);
      });
      load_or_train(
          model, optimizer,
          {.label = cell, .epochs = epochs, .batches = chunks, .keeps_state_in_epoch = true},
          train_rng, listener(model));
      const Score score = test(chunks, test_rng, listener(model));
      print_test(score, "bits");
      return result(score, {"cell", "delay", "hidden"});
    });
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<Echo>(argc, argv); }
