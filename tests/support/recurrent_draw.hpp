#pragma once
// Random configurations of recurrent networks, for tests that compare two computations of the same
// network; and the results of such a network.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/layers/cell.hpp>
#include <rewind/layers/recurrent_network.hpp>
#include <rewind/layers/sequence.hpp>

#include "cell_options.hpp"
#include "random_layers.hpp"

namespace rw::testing {

/// Sizes around the vector lengths, the blocks of products and the powers of two.
inline constexpr std::array<std::int64_t, 12> sizes{1, 2, 7, 15, 16, 17, 31, 32, 33, 64, 65, 128};

struct Configuration {
  std::int64_t steps = 1;
  std::int64_t batch = 1;
  std::int64_t input = 1;
  std::int64_t hidden = 1;
  std::int64_t extra = 1;  // output size, projection or inner layer of the cells that have one
  std::int64_t layers = 1;
  bool bidirectional = false;
  bool bias = true;
  bool given_state = false;
  std::vector<std::int64_t> lengths = {};  // empty: all sequences have T steps
  Padding padding = Padding::after;

  /// The approximate number of multiplications of one gate's forward pass.
  double work() const {
    const std::int64_t in = layers == 1 ? input : std::max(input, 2 * hidden);
    return static_cast<double>(steps * batch * layers * hidden * (in + hidden) *
                               (bidirectional ? 2 : 1));
  }
  std::string text() const {
    return fmt::format("T {} B {} input {} hidden {} extra {} layers {}{}{}{}{}[{}]", steps, batch,
                       input, hidden, extra, layers, bidirectional ? " bidirectional" : "",
                       bias ? "" : " without bias", given_state ? " given state" : "",
                       padding == Padding::after ? " lengths " : " lengths after padding ",
                       fmt::join(lengths, " "));
  }
};

template <class T, std::size_t N>
T any_of(const std::array<T, N>& choices, Rng& rng) {
  return choices[static_cast<std::size_t>(rng.integer(static_cast<std::int64_t>(N)))];
}

/// Sizes from the list, T up to 64. If all sizes were large together, they would take all the time.
/// So their product has a limit, which is drawn too: every size occurs often, and sometimes large
/// ones occur together.
inline Configuration draw_configuration(Rng& rng) {
  constexpr std::array<std::int64_t, 7> corners{1, 2, 3, 31, 32, 33, 64};
  constexpr std::array<std::int64_t, 9> batches{1, 2, 3, 4, 5, 8, 15, 17, 33};
  const double limit = std::exp2(rng.uniform(11.0, 23.0));
  Configuration c;
  do {
    c.steps = rng.bernoulli(0.5) ? any_of(corners, rng) : 1 + rng.integer(64);
    c.batch = any_of(batches, rng);
    c.input = any_of(sizes, rng);
    c.hidden = any_of(sizes, rng);
    c.layers = 1 + rng.integer(3);
    c.bidirectional = rng.bernoulli(0.5);
  } while (c.work() > limit);
  c.extra = any_of(sizes, rng);
  c.bias = rng.bernoulli(0.8);
  c.given_state = rng.bernoulli(0.5);
  return c;
}

/// Gives each sequence its own length from 0 to T. The first has at least one step, because there
/// must be something to differentiate.
inline void draw_lengths(Configuration& c, Rng& rng) {
  c.lengths.clear();
  for (std::int64_t b = 0; b < c.batch; ++b) {
    c.lengths.push_back(b == 0 ? 1 + rng.integer(c.steps) : rng.integer(c.steps + 1));
  }
  c.padding = rng.bernoulli(0.5) ? Padding::after : Padding::before;
}

/// The options of a cell of any kind.
template <class Options>
Options options_of(const Configuration& c, DType dtype) {
  auto options =
      options_of_sizes<Options>({c.input, c.hidden, c.extra, c.extra, c.extra, c.extra}, dtype);
  if constexpr (requires { options.bias; }) {
    options.bias = c.bias;
  }
  return options;
}

inline NetworkOptions network_options(const Configuration& c) {
  return {.layers = c.layers, .bidirectional = c.bidirectional};
}

struct NamedTensor {
  std::string name;
  Tensor value;
};

/// All results of a run, in groups of numbers of similar magnitude.
struct RunResult {
  std::vector<NamedTensor> outputs;              // y and the final states
  std::vector<NamedTensor> input_gradients;      // of x and the initial states
  std::vector<NamedTensor> parameter_gradients;  // of every parameter
};

/// Inputs, and the gradients of the outputs.
struct RunData {
  Sequence x;
  std::vector<Tensor> state;  // empty: the initial state
  Tensor dy;
  std::vector<Tensor> dstate;

  RunData to(DType dtype) const {
    RunData converted{x.with(x.steps.to(dtype)), {}, dy.to(dtype), {}};
    const auto all = [&](const std::vector<Tensor>& from, std::vector<Tensor>& into) {
      std::transform(from.begin(), from.end(), std::back_inserter(into),
                     [&](const Tensor& t) { return t.to(dtype); });
    };
    all(state, converted.state);
    all(dstate, converted.dstate);
    return converted;
  }
};

template <class Net>
RunData draw_data(const Net& net, const Configuration& c, Rng& rng, DType dtype = DType::float32) {
  RunData data{rng.normal({c.steps, c.batch, c.input}, 0, 1, dtype), {}, {}, {}};
  if (!c.lengths.empty()) {
    data.x = {data.x.steps, Tensor::from<std::int64_t>({c.batch}, c.lengths), c.padding};
  }
  data.dy = rng.normal({c.steps, c.batch, net.output_size()}, 0, 1, dtype);
  auto state = net.initial_state(c.batch);
  for_each_tensor(state, [&](const Tensor& s) {
    if (c.given_state) {
      data.state.push_back(rng.normal(s.shape(), 0, 0.5, dtype));
    }
    data.dstate.push_back(rng.normal(s.shape(), 0, 1, dtype));
  });
  return data;
}

/// Runs `net` forward and backward.
template <class Net>
RunResult run(Net& net, const RunData& data) {
  Tape tape;
  const Tensor x = tape.watch(data.x.steps);
  auto state = net.initial_state(x.size(1));
  std::vector<Tensor> given;
  for (const Tensor& s : data.state) {
    given.push_back(tape.watch(s));
  }
  std::size_t next = 0;
  for_each_tensor(state, [&](Tensor& s) {
    if (!given.empty()) {
      s = given[next++];
    }
  });
  auto [y, last] = net(data.x.with(x), std::move(state));

  RunResult result;
  result.outputs.push_back({"y", y});
  Tensor loss = sum(y * data.dy);
  next = 0;
  for_each_tensor(last, [&](const Tensor& s) {
    loss = loss + sum(s * data.dstate[next]);
    result.outputs.push_back({fmt::format("final state {}", next++), s});
  });

  const ParameterList weights = parameters(net);
  std::vector<TensorRef> targets(given.begin(), given.end());
  targets.insert(targets.begin(), x);
  for (const NamedParameter& entry : weights) {
    targets.push_back(entry.parameter->value());
  }
  const std::vector<Tensor> all = tape.gradient(loss, std::span<const TensorRef>(targets));
  for (std::size_t i = 0; i <= given.size(); ++i) {
    result.input_gradients.push_back(
        {i == 0 ? "gradient of x" : fmt::format("gradient of initial state {}", i - 1), all[i]});
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    result.parameter_gradients.push_back(
        {"gradient of " + weights[i].path, all[i + 1 + given.size()]});
  }
  return result;
}

}  // namespace rw::testing
