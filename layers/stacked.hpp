#pragma once

#include <rewind/autograd/dropout.hpp>
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

  std::pair<Tensor, State> operator()(const Tensor& x) const {
    check_shape(x.rank() == 3, "stacked: x is {}, expected [T, B, features]", x.shape());
    return (*this)(x, initial_state(x.size(1)));
  }

  std::pair<Tensor, State> operator()(const Tensor& x, State state) const {
    Tensor y = x;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((std::tie(y, std::get<I>(state)) = std::get<I>(layers)(y, std::move(std::get<I>(state)))),
       ...);
    }
    (std::index_sequence_for<L...>{});
    return {std::move(y), std::move(state)};
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (visit(std::to_string(I), std::get<I>(layers)), ...);
    }
    (std::index_sequence_for<L...>{});
  }
};

/// The same for a number of equal layers known at run time, with dropout between them (not after
/// the last) where an Rng is given.
template <class L>
struct Stacked<std::vector<L>> {
  using State = StateVector<typename L::State>;

  std::vector<L> layers;
  double dropout_between = 0.0;

  State initial_state(std::int64_t batch) const {
    State state;
    state.reserve(layers.size());
    for (const L& layer : layers) {
      state.push_back(layer.initial_state(batch));
    }
    return state;
  }
  std::int64_t output_size() const { return layers.back().output_size(); }

  std::pair<Tensor, State> operator()(const Tensor& x) const {
    check_shape(x.rank() == 3, "stacked: x is {}, expected [T, B, features]", x.shape());
    return (*this)(x, initial_state(x.size(1)));
  }

  std::pair<Tensor, State> operator()(const Tensor& x, State state, Rng* rng = nullptr) const {
    check<UsageError>(state.size() == layers.size(), "stacked: got {} states for {} layers",
                      state.size(), layers.size());
    Tensor y = x;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (i > 0 && rng != nullptr) {
        y = dropout(y, dropout_between, *rng);
      }
      std::tie(y, state[i]) = layers[i](y, std::move(state[i]));
    }
    return {std::move(y), std::move(state)};
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("layers", layers);
  }
};

}  // namespace rw
