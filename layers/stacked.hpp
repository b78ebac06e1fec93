#pragma once

#include <rewind/layers/detail/run_layer.hpp>
#include <rewind/layers/dropout.hpp>
#include <rewind/layers/recurrent.hpp>

namespace rw {

/// Recurrent layers on top of each other: the outputs of one are the inputs of the next.
///
///     Stacked net(Recurrent<MyCell>{...}, Bidirectional(Recurrent<LstmCell>{...},
///     Recurrent<LstmCell>{...}));
template <class... L>
struct Stacked {
  using State = std::tuple<typename L::State...>;

  std::tuple<L...> layers;

  Stacked() = default;
  explicit Stacked(L... each) : layers(std::move(each)...) {}

  State initial_state(std::int64_t batch) const {
    return std::apply([&](const L&... layer) { return State{layer.initial_state(batch)...}; },
                      layers);
  }
  std::int64_t output_size() const { return std::get<sizeof...(L) - 1>(layers).output_size(); }

  std::pair<Tensor, State> operator()(const Sequence& x) const {
    return run(x, initial_state(detail::batch_of("stacked", x)), nullptr);
  }
  std::pair<Tensor, State> operator()(const Sequence& x, State state) const {
    return run(x, std::move(state), nullptr);
  }
  /// Training: with the layers' own dropout.
  std::pair<Tensor, State> operator()(const Sequence& x, Rng& rng) const {
    return run(x, initial_state(detail::batch_of("stacked", x)), &rng);
  }
  std::pair<Tensor, State> operator()(const Sequence& x, State state, Rng& rng) const {
    return run(x, std::move(state), &rng);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (visit(std::to_string(I), std::get<I>(layers)), ...);
    }
    (std::index_sequence_for<L...>{});
  }

 private:
  std::pair<Tensor, State> run(const Sequence& x, State state, Rng* rng) const {
    Tensor y = x.steps;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((std::tie(y, std::get<I>(state)) =
            detail::run_layer(std::get<I>(layers), x.with(y), std::move(std::get<I>(state)), rng)),
       ...);
    }
    (std::index_sequence_for<L...>{});
    return {std::move(y), std::move(state)};
  }
};

/// The same for a number of equal layers known at run time.
template <class L>
struct Stacked<std::vector<L>> {
  using State = StateVector<typename L::State>;

  std::vector<L> layers;
  /// Dropout between layers (not after the last) where an Rng is given, and whether it keeps one
  /// mask for all time steps (variational dropout, Gal & Ghahramani 2016).
  double dropout_between = 0.0;
  bool same_over_time = false;
  /// Each layer but the first adds its input to its output, as Residual does.
  bool residual = false;

  State initial_state(std::int64_t batch) const {
    State state;
    state.reserve(layers.size());
    for (const L& layer : layers) {
      state.push_back(layer.initial_state(batch));
    }
    return state;
  }
  std::int64_t output_size() const { return layers.back().output_size(); }

  std::pair<Tensor, State> operator()(const Sequence& x) const {
    return (*this)(x, initial_state(detail::batch_of("stacked", x)));
  }

  std::pair<Tensor, State> operator()(const Sequence& x, State state, Rng* rng = nullptr) const {
    check<UsageError>(state.size() == layers.size(), "stacked: got {} states for {} layers",
                      state.size(), layers.size());
    Tensor y = x.steps;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (i > 0 && rng != nullptr) {
        y = same_over_time ? variational_dropout(y, dropout_between, *rng)
                           : dropout(y, dropout_between, *rng);
      }
      const Sequence in = x.with(y);
      std::tie(y, state[i]) = detail::run_layer(layers[i], in, std::move(state[i]), rng);
      if (i > 0 && residual) {
        y = detail::residual_sum(in, y);
      }
    }
    return {std::move(y), std::move(state)};
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("layers", layers);
  }
};

}  // namespace rw
