// Compares float32 with float64: thousands of random recurrent networks of every cell, each run
// forward and backward in both types from the same numbers. Every output, final state and gradient
// must agree, element by element.
//
// How far apart they may be follows from numerical analysis: forward error = condition times
// backward error. Rounding errors behave like random steps: if n of them, each of at most eps of
// the magnitude, add up in one number, the sum is off by about eps sqrt(n). n is the length of the
// longest chain of additions, through the products of every step and layer. The condition says how
// much such errors in the data change the result. It is measured: float64 runs again with every
// input number changed by a relative eps up or down. Magnitudes and conditions are taken over all
// tensors of one kind (outputs, gradients of inputs, gradients of parameters) together, because a
// single element, or a small tensor as a whole, may be the small difference of large numbers.
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/layers/elman.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/layer_norm_lstm.hpp>
#include <rewind/layers/mgu.hpp>
#include <rewind/layers/network_cell.hpp>
#include <rewind/layers/peephole_lstm.hpp>
#include <rewind/layers/projected_lstm.hpp>
#include <rewind/layers/rnn.hpp>

#include "cell_table.hpp"
#include "support/recurrent_draw.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

using Group = std::vector<NamedTensor>;

constexpr double eps = std::numeric_limits<float>::epsilon();

struct Outcome {
  double worst = 0;  // largest error, as a multiple of the allowed error
  std::string where;
  std::int64_t numbers = 0;
};

double largest(const Group& group) {
  double result = 0;
  for (const NamedTensor& each : group) {
    if (each.value.elements() > 0) {
      result = std::max(result, max(abs(each.value)).item());
    }
  }
  return result;
}

/// The largest difference between the elements of two groups.
double difference(const Group& a, const Group& b) {
  double result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].value.elements() > 0) {
      result = std::max(result, max(abs(a[i].value - b[i].value)).item());
    }
  }
  return result;
}

/// The allowed error of numbers of the given magnitude, if changing the data has changed them by
/// `moved`.
double allowed_error(const Configuration& c, double magnitude, double moved) {
  const double chain = static_cast<double>(c.steps * c.layers * (c.input + c.hidden + c.extra + 1));
  return std::sqrt(chain) * std::max(eps * magnitude, moved);
}

void compare(const Group& single, const Group& exact, double allowed, Outcome& outcome) {
  BOOST_REQUIRE(single.size() == exact.size());
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const std::vector<double> got = single[i].value.to(DType::float64).to_vector<double>();
    const std::vector<double> expected = exact[i].value.to_vector<double>();
    BOOST_REQUIRE(got.size() == expected.size());
    for (std::size_t k = 0; k < got.size(); ++k) {
      const double apart = std::abs(got[k] - expected[k]);
      const double error = apart == 0 ? 0 : apart / allowed;
      // Written so that NaN counts as the worst error.
      if (!(error <= outcome.worst)) {
        outcome.worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
        outcome.where = fmt::format("{}[{}]: {} in float32, {} in float64", exact[i].name, k,
                                    got[k], expected[k]);
      }
    }
    outcome.numbers += static_cast<std::int64_t>(got.size());
  }
}

/// Each element times 1 + eps or 1 - eps.
Tensor moved(const Tensor& x, Rng& rng) {
  std::vector<double> values = x.to_vector<double>();
  for (double& value : values) {
    value *= rng.bernoulli(0.5) ? 1 + eps : 1 - eps;
  }
  return Tensor::from<double>(x.shape(), values);
}

RunData moved(const RunData& data, Rng& rng) {
  RunData result{data.x.with(moved(data.x.steps, rng)), {}, moved(data.dy, rng), {}};
  for (const Tensor& s : data.state) {
    result.state.push_back(moved(s, rng));
  }
  for (const Tensor& s : data.dstate) {
    result.dstate.push_back(moved(s, rng));
  }
  return result;
}

/// How far the groups of a result move when the data is changed by eps.
struct Movement {
  double outputs = 0;
  double input_gradients = 0;
  double parameter_gradients = 0;
};

/// The largest of several tries: in a single try, the numbers that a tiny network depends on may
/// happen not to move. Leaves the network's parameters moved.
template <class Net>
Movement measure_movement(Net& net, const RunData& data, const RunResult& expected, Rng& rng) {
  constexpr int tries = 4;
  std::vector<Tensor> weights;
  for (const NamedParameter& entry : parameters(net)) {
    weights.push_back(entry.parameter->value().clone());
  }
  Movement most;
  for (int i = 0; i < tries; ++i) {
    std::size_t next = 0;
    for (const NamedParameter& entry : parameters(net)) {
      entry.parameter->assign(moved(weights[next++], rng));
    }
    const RunResult beside = run(net, moved(data, rng));
    const auto keep = [](double& largest, const Group& a, const Group& b) {
      largest = std::max(largest, difference(a, b));
    };
    keep(most.outputs, expected.outputs, beside.outputs);
    keep(most.input_gradients, expected.input_gradients, beside.input_gradients);
    keep(most.parameter_gradients, expected.parameter_gradients, beside.parameter_gradients);
  }
  return most;
}

/// A relu cell that records how near its sums have come to 0, where its derivative jumps.
struct WatchedCell : RnnCell {
  using RnnCell::RnnCell;
  static inline double nearest = 0;

  std::pair<Tensor, State> step(Tensor projected, const State& state) const {
    const Tensor z = addmm(std::move(projected), state.h, w_h);
    nearest = std::min(nearest, min(abs(z)).item());
    const Tensor h = relu(z);
    return {h, {h}};
  }
};

/// How near the sums of a relu network come to 0; infinity for cells without relu.
template <class C>
double nearest_kink(const typename C::Options& options, const NetworkOptions& network,
                    RecurrentNetwork<C>& net, const RunData& data) {
  WatchedCell::nearest = std::numeric_limits<double>::infinity();
  if constexpr (std::same_as<C, RnnCell>) {
    if (options.activation == Activation::relu) {
      Rng rng(1);
      RecurrentNetwork<WatchedCell> watched(options, network, rng);
      copy_parameters(net, watched);
      run(watched, data);
    }
  }
  return WatchedCell::nearest;
}

/// Draws and runs one network of the cell in both types. Returns nothing if rounding could decide
/// on which side of a kink a sum falls: then the gradients may differ by any amount.
template <class C>
std::optional<Outcome> check(const Configuration& c,
                             const std::function<void(typename C::Options&)>& change, Rng& rng) {
  auto options = options_of<typename C::Options>(c, DType::float32);
  change(options);
  RecurrentNetwork<C> single(options, network_options(c), rng);
  shake_vectors(single, rng);
  options.dtype = DType::float64;
  RecurrentNetwork<C> exact(options, network_options(c), rng);
  copy_parameters(single, exact);
  const RunData data = draw_data(single, c, rng);
  const RunData data64 = data.to(DType::float64);
  const RunResult expected = run(exact, data64);
  const double kink = nearest_kink<C>(options, network_options(c), exact, data64);

  const Movement movement = measure_movement(exact, data64, expected, rng);
  // Outputs can be differences of gates, which are numbers up to 1.
  const double off = allowed_error(c, std::max(1.0, largest(expected.outputs)), movement.outputs);
  if (kink <= off) {
    return std::nullopt;
  }
  const RunResult got = run(single, data);
  Outcome outcome;
  compare(got.outputs, expected.outputs, off, outcome);
  compare(got.input_gradients, expected.input_gradients,
          allowed_error(c, largest(expected.input_gradients), movement.input_gradients), outcome);
  compare(got.parameter_gradients, expected.parameter_gradients,
          allowed_error(c, largest(expected.parameter_gradients), movement.parameter_gradients),
          outcome);
  return outcome;
}

struct Kind {
  std::string name;
  std::function<std::optional<Outcome>(const Configuration&, Rng&)> check;
};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  testing::for_each_cell([&](const auto& row) {
    using C = typename std::decay_t<decltype(row)>::Cell;
    all.push_back({row.name, [choose = row.choose](const Configuration& c, Rng& rng) {
                     return ::check<C>(c, choose, rng);
                   }});
  });
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(float32_agrees_with_float64) {
  constexpr int wanted = 5000;
  const std::vector<Kind> all = kinds();
  Rng rng(2024);
  std::map<std::string, double> worst;
  std::map<std::int64_t, int> inputs, hidden;
  std::set<std::int64_t> steps;
  int compared = 0;
  int of_lengths = 0;
  int on_a_kink = 0;
  std::int64_t numbers = 0;
  while (compared < wanted) {
    const Kind& kind = all[static_cast<std::size_t>(compared) % all.size()];
    Configuration c = draw_configuration(rng);
    if (rng.bernoulli(0.4)) {
      draw_lengths(c, rng);
    }
    const std::optional<Outcome> outcome = kind.check(c, rng);
    if (!outcome.has_value()) {
      ++on_a_kink;
      continue;
    }
    ++compared;
    of_lengths += c.lengths.empty() ? 0 : 1;
    ++inputs[c.input];
    ++hidden[c.hidden];
    steps.insert(c.steps);
    numbers += outcome->numbers;
    worst[kind.name] = std::max(worst[kind.name], outcome->worst);
    BOOST_TEST(outcome->worst <= 1.0, kind.name << ", " << c.text() << ": " << outcome->where
                                                << ", " << outcome->worst << " of what is allowed");
  }
  fmt::print(
      "float32 agrees with float64: {} configurations, {} of them of sequences of different "
      "lengths, {} numbers; {} left out on a kink\n",
      compared, of_lengths, numbers, on_a_kink);
  for (const auto& [name, ratio] : worst) {
    fmt::print("  {:26} worst error {:.2f} of what is allowed\n", name, ratio);
  }
  BOOST_TEST(on_a_kink < wanted / 20);
  BOOST_TEST(of_lengths > wanted / 3);
  BOOST_TEST(steps.size() == 64U);
  for (const std::int64_t size : sizes) {
    BOOST_TEST(inputs[size] >= wanted / 200, "input " << size << " occurs " << inputs[size]);
    BOOST_TEST(hidden[size] >= wanted / 200, "hidden " << size << " occurs " << hidden[size]);
  }
}

BOOST_AUTO_TEST_CASE(networks_with_rows_of_4_kib_agree) {
  // Note [Rows of a multiple of 4 KiB]: 256 units have 1,024 columns of gates.
  Rng rng(77);
  for (const Kind& kind : kinds()) {
    Configuration c{.steps = 3, .batch = 17, .input = 5, .hidden = 256};
    draw_lengths(c, rng);
    const std::optional<Outcome> outcome = kind.check(c, rng);
    if (outcome.has_value()) {
      BOOST_TEST(outcome->worst <= 1.0, kind.name << ", " << c.text() << ": " << outcome->where);
    }
  }
}
