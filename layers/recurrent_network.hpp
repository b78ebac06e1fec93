#pragma once

#include <variant>

#include <rewind/layers/bidirectional.hpp>
#include <rewind/layers/stacked.hpp>

namespace rw {

/// Options of a cell that needs nothing more. `layers`, `bidirectional` and `dropout` are for the
/// ready-made networks; a cell by itself does not read them.
struct CellOptions {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  std::int64_t layers = 1;
  bool bidirectional = false;
  double dropout = 0.0;
  bool bias = true;
  DType dtype = DType::float32;
};

/// A ready-made stack of equal cells, one- or bidirectional, as most people want it: RNN, LSTM and
/// GRU are this.
///
/// Options beside the cell's own: `layers`, `bidirectional`, and `dropout` between layers. x [T, B,
/// input] -> y [T, B, output] with the cell's output size, mostly `hidden`, or [T, B, 2 output]
/// when bidirectional. States are listed layer by layer, forward before backward.
template <ProjectingCell C>
class RecurrentNetwork {
 public:
  using Options = typename C::Options;
  using State = StateVector<typename C::State>;

  RecurrentNetwork() = default;
  RecurrentNetwork(const Options& options, Rng& rng) {
    check<UsageError>(options.input > 0 && options.hidden > 0 && options.layers > 0,
                      "{}: got input {}, hidden {}, layers {}; each must be at least 1", C::name,
                      options.input, options.hidden, options.layers);
    check<UsageError>(options.dropout >= 0.0 && options.dropout <= 1.0,
                      "{}: got dropout {}, expected 0 to 1", C::name, options.dropout);
    Options each = options;
    OneWay one_way;
    BothWays both_ways;
    one_way.dropout_between = both_ways.dropout_between = options.dropout;
    for (std::int64_t i = 0; i < options.layers; ++i) {
      Recurrent<C> forward{C(each, rng)};
      const std::int64_t output = forward.output_size();
      if (options.bidirectional) {
        both_ways.layers.emplace_back(std::move(forward), Recurrent<C>{C(each, rng)});
      } else {
        one_way.layers.push_back(std::move(forward));
      }
      each.input = options.bidirectional ? 2 * output : output;
    }
    if (options.bidirectional) {
      network_ = std::move(both_ways);
    } else {
      network_ = std::move(one_way);
    }
  }

  State initial_state(std::int64_t batch) const {
    return std::visit([&](const auto& net) { return flat(net.initial_state(batch)); }, network_);
  }
  std::int64_t output_size() const {
    return std::visit([](const auto& net) { return net.output_size(); }, network_);
  }

  /// From the initial state (zeros); no dropout.
  std::pair<Tensor, State> operator()(const Tensor& x) const {
    check_shape(x.rank() == 3,
                "{}: x is {}, expected three axes [T, B, features], time first; unsqueeze a single "
                "sequence to a batch of one",
                C::name, x.shape());
    return (*this)(x, initial_state(x.size(1)));
  }
  /// From `state`; no dropout.
  std::pair<Tensor, State> operator()(const Tensor& x, State state) const {
    return run(x, std::move(state), nullptr);
  }
  /// Training: from `state`, with dropout between layers drawn from `rng`.
  std::pair<Tensor, State> operator()(const Tensor& x, State state, Rng& rng) const {
    return run(x, std::move(state), &rng);
  }
  std::pair<Tensor, State> operator()(const Tensor& x, Rng& rng) const {
    return run(x, initial_state(x.size(1)), &rng);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    std::visit([&](auto& net) { net.parameters(visit); }, network_);
  }

 private:
  using OneWay = Stacked<std::vector<Recurrent<C>>>;
  using BothWays = Stacked<std::vector<Bidirectional<Recurrent<C>>>>;

  std::pair<Tensor, State> run(const Tensor& x, State state, Rng* rng) const {
    return std::visit(
        [&](const auto& net) -> std::pair<Tensor, State> {
          using Net = std::remove_cvref_t<decltype(net)>;
          const std::size_t directions = std::same_as<Net, OneWay> ? 1 : 2;
          check<UsageError>(state.size() == directions * net.layers.size(),
                            "{}: got {} states, expected {} ({} layers, {} directions)", C::name,
                            state.size(), directions * net.layers.size(), net.layers.size(),
                            directions);
          auto [y, last] = net(x, nested<Net>(std::move(state)), rng);
          return {std::move(y), flat(std::move(last))};
        },
        network_);
  }

  static State flat(State state) { return state; }
  static State flat(typename BothWays::State pairs) {
    State state;
    state.reserve(2 * pairs.size());
    for (auto& [forward, backward] : pairs) {
      state.push_back(std::move(forward));
      state.push_back(std::move(backward));
    }
    return state;
  }

  template <class Net>
  static typename Net::State nested(State state) {
    if constexpr (std::same_as<Net, OneWay>) {
      return state;
    } else {
      typename Net::State pairs;
      pairs.reserve(state.size() / 2);
      for (std::size_t i = 0; i < state.size(); i += 2) {
        pairs.emplace_back(std::move(state[i]), std::move(state[i + 1]));
      }
      return pairs;
    }
  }

  std::variant<OneWay, BothWays> network_;
};

}  // namespace rw
