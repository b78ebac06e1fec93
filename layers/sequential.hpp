#pragma once

#include <concepts>
#include <string>
#include <tuple>
#include <utility>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/layers/activation.hpp>
#include <rewind/layers/optional_rng.hpp>

namespace rw {

/// Feed-forward layers in sequence, each applied to the output of the previous one: y = f_n(...
/// f_1(f_0(x))).
///
/// A layer is an Activation or anything that can be called with a Tensor and returns one; if it
/// also takes an Rng, as Dropout does, it gets it in training. Parameters are listed under "0",
/// "1", ..., the indices of the layers that have parameters.
///
///     Sequential net(Linear({.input = 8, .output = 32}, rng), Activation::relu, Dropout{0.1},
///                    Linear({.input = 32, .output = 2}, rng));
///     Tensor y = net(x);        // evaluation
///     Tensor z = net(x, rng);   // training
template <class... L>
struct Sequential {
  std::tuple<L...> layers;

  Sequential() = default;
  explicit Sequential(L... each) requires(sizeof...(L) > 0) : layers(std::move(each)...) {}

  /// An Rng, given in training, draws the layers' own dropout.
  Tensor operator()(const Tensor& x, OptionalRng rng = std::nullopt) const {
    Tensor y = x;
    std::apply([&](const L&... layer) { ((y = call(layer, y, rng)), ...); }, layers);
    return y;
  }

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "sequential");
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (visit_activation(visit, std::to_string(I), std::get<I>(layers)), ...);
    }
    (std::index_sequence_for<L...>{});
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (visit_one(visit, std::to_string(I), std::get<I>(layers)), ...);
    }
    (std::index_sequence_for<L...>{});
  }

 private:
  template <class Visit, class Each>
  static void visit_one(Visit& visit, const std::string& name, Each& layer) {
    if constexpr (HasParameters<Each>) {
      visit(name, layer);
    }
  }

  template <class Visit, class Each>
  static void visit_activation(Visit& visit, const std::string& name, const Each& layer) {
    if constexpr (std::same_as<Each, Activation>) {
      visit(name, layer);
    }
  }

  template <class Each>
  static Tensor call(const Each& layer, const Tensor& x, OptionalRng rng) {
    if constexpr (std::same_as<Each, Activation>) {
      return activate(layer, x);
    } else {
      static_assert(
          requires {
            { layer(x) } -> std::convertible_to<Tensor>;
          },
          "sequential: a layer must be callable with a Tensor alone, and give one");
      if constexpr (requires { layer(x, rng); }) {
        return layer(x, rng);
      } else if constexpr (requires { layer(x, *rng); }) {
        return rng ? layer(x, *rng) : layer(x);
      } else {
        return layer(x);
      }
    }
  }
};

}  // namespace rw
