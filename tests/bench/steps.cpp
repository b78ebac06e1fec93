#include <fmt/format.h>

#include <rewind/rewind.hpp>

#include "common/echo_task.hpp"
#include "common/model.hpp"
#include "common/temporal_order.hpp"
#include "heap.hpp"
#include "networks.hpp"
#include "rewind_contestant.hpp"
#include "singles.hpp"
#include "threads.hpp"

namespace bench {

namespace {

using rw::Tensor;

constexpr int steps_measured = 1000;

/// 1,000 steps of training as in `examples/echo.cpp`: chunks of 20 steps of 5 streams, the state
/// carried over.
void measure_echo(const SingleRun& run, const std::string& cell, std::int64_t hidden) {
  const std::string name = fmt::format("1,000 training steps of echo, {} {}", cell, hidden);
  if (!run.wanted(name)) {
    return;
  }
  rw::Rng rng(1);
  examples::with_model(cell, {1, hidden, 1, 1}, rng, [&](auto& model) {
    const auto streams = examples::echo_streams(20 * steps_measured, 5, 3, rng);
    const rw::ParameterList weights = rw::parameters(model);
    rw::RmsProp optimizer(weights, {.learning_rate = 5e-3});
    auto state = model.network.initial_state(5);
    const auto body = [&] {
      for (std::int64_t step = 0; step < steps_measured; ++step) {
        rw::Tape tape;
        auto [y, next] = model.network(rw::slice(streams.x, 0, 20 * step, 20 * step + 20), state);
        const Tensor loss = rw::bce_with_logits(model.readout(y),
                                                rw::slice(streams.y, 0, 20 * step, 20 * step + 20));
        optimizer.zero_grad();
        tape.backward(loss);
        rw::clip_by_norm(weights, 1.0);
        optimizer.step();
        state = rw::detach(next);
      }
    };
    run.report({name, measure({{"rewind", 1, body}}, run.effort).front().median(), "s"});
  });
}

/// 1,000 steps of training as in `examples/sequence_classification.cpp`: batches of 32 at level
/// easy.
void measure_classification(const SingleRun& run, const std::string& cell, std::int64_t hidden) {
  const std::string name =
      fmt::format("1,000 training steps of sequence classification, {} {}", cell, hidden);
  if (!run.wanted(name)) {
    return;
  }
  namespace task = examples::temporal_order;
  rw::Rng rng(1);
  examples::with_model(cell, {8, hidden, 1, 4}, rng, [&](auto& model) {
    const rw::ParameterList weights = rw::parameters(model);
    rw::Adam optimizer(weights, {.learning_rate = 1e-2});
    const auto body = [&] {
      for (int step = 0; step < steps_measured; ++step) {
        const auto [x, labels] = task::draw_batch(task::level("easy"), 32, rng);
        rw::Tape tape;
        auto [y, state] = model.network(x);
        const Tensor loss = rw::cross_entropy(model.readout(rw::select(y, 0, -1)), labels);
        optimizer.zero_grad();
        tape.backward(loss);
        rw::clip_by_norm(weights, 1.0);
        optimizer.step();
      }
    };
    run.report({name, measure({{"rewind", 1, body}}, run.effort).front().median(), "s"});
  });
}

void measure_memory(const SingleRun& run) {
  for (const Sizes& sizes : quick_sizes()) {
    const std::string name = fmt::format("peak memory of a training step, lstm {}", name_of(sizes));
    if (run.wanted(name)) {
      const auto contestant = make_rewind(make_problem(Kind::lstm, sizes), Mode::training);
      run.report({name, static_cast<double>(peak_bytes(*contestant)) / 1e6, "MB"});
    }
  }
}

void measure_allocations(const SingleRun& run) {
  for (const Kind kind : {Kind::rnn, Kind::lstm, Kind::gru, Kind::gru_reset_before, Kind::custom}) {
    for (const Sizes& sizes : {Sizes{20, 5, 1, 4, 1}, Sizes{28, 64, 28, 128, 1}}) {
      for (const int threads : {1, 2}) {
        const std::string name = fmt::format("heap allocations, {} {}, {} thread{}", name_of(kind),
                                             name_of(sizes), threads, threads > 1 ? "s" : "");
        if (!run.wanted(name)) {
          continue;
        }
        set_threads(threads);
        const auto contestant = make_rewind(make_problem(kind, sizes), Mode::training);
        for (int i = 0; i < 4; ++i) {
          contestant->run();
        }
        const std::int64_t before = heap_allocations();
        contestant->run();
        const std::int64_t count = heap_allocations() - before;
        run.report({name, static_cast<double>(count), ""});
      }
    }
  }
}

/// Time per step of the sequence, which stays the same if the cost is linear in the length.
void measure_length(const SingleRun& run) {
  const std::string prefix = "training, lstm batch 4, 16 units, time a step";
  if (!run.wanted(prefix)) {
    return;
  }
  std::vector<std::unique_ptr<Contestant>> contestants;
  std::vector<Entry> entries;
  const std::vector<std::int64_t> lengths{100, 300, 1000, 3000, 10'000};
  for (const std::int64_t steps : lengths) {
    contestants.push_back(
        make_rewind(make_problem(Kind::lstm, {steps, 4, 8, 16, 1}), Mode::training));
    entries.push_back({std::to_string(steps), 1, [it = contestants.back().get()] { it->run(); }});
  }
  const auto timings = measure(entries, run.effort);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    run.report({fmt::format("{} of {}", prefix, lengths[i]),
                1e6 * timings[i].median() / static_cast<double>(lengths[i]), "us"});
  }
}

/// A training step over sequences of all lengths from 1 to T, compared with one over sequences of
/// length T: the time that padding would waste.
template <class Network>
void measure_padding(const SingleRun& run, const char* cell, bool bidirectional) {
  const std::string name = fmt::format("mean length T/2 against full, {}{} 100 32 64 128", cell,
                                       bidirectional ? " bidirectional" : "");
  if (!run.wanted(name)) {
    return;
  }
  constexpr std::int64_t steps = 100;
  constexpr std::int64_t batch = 32;
  rw::Rng rng(1);
  Network network({.input = 64, .hidden = 128}, {.bidirectional = bidirectional}, rng);
  const Tensor x = rng.normal({steps, batch, 64}, 0, 1);
  std::vector<std::int64_t> lengths;
  for (const std::int64_t i : rng.permutation(batch)) {
    lengths.push_back(1 + i * (steps - 2) / (batch - 1));  // 1 to 99, mean 50
  }
  const auto train_on = [&](const Tensor& of_lengths) {
    rw::Tape tape;
    const Tensor y = network({x, of_lengths}).first;
    rw::zero_grad(network);
    tape.backward(y, {.seed = y.detach()});
  };
  const Tensor half = Tensor::from<std::int64_t>({batch}, lengths);
  const auto timings = measure(
      {{"full", 1, [&] { train_on({}); }}, {"half", 1, [&] { train_on(half); }}}, run.effort);
  run.report({name, timings[1].median() / timings[0].median(), "x"});
}

}  // namespace

void measure_steps(const SingleRun& run) {
  measure_echo(run, "rnn", 16);
  measure_echo(run, "lstm", 32);
  measure_classification(run, "lstm", 4);
  measure_memory(run);
  measure_allocations(run);
  measure_length(run);
  measure_padding<rw::LSTM>(run, "lstm", false);
  measure_padding<rw::LSTM>(run, "lstm", true);
  measure_padding<rw::GRU>(run, "gru", false);
}

}  // namespace bench
