#pragma once

#pragma GCC visibility push(hidden)
// The parts that Adam and its variants share, for registers or numbers.

namespace rw::detail {

/// Exponential moving averages of a gradient and of its square:
/// m += (1 - beta1) (g - m), v += (1 - beta2) (g^2 - v).
template <class T>
struct Moments {
  T first_rate;
  T second_rate;

  Moments(double beta1, double beta2)
      : first_rate(static_cast<T>(1 - beta1)), second_rate(static_cast<T>(1 - beta2)) {}

  template <class V>
  void advance(const V& g, V& first, V& second) const {
    first += first_rate * (g - first);
    second += second_rate * (g * g - second);
  }
};

/// Weight decay as part of the gradient, g += decay w, or decoupled from it,
/// w -= rate decay w (Loshchilov & Hutter 2019).
template <class T>
struct Decay {
  T of_gradient;
  T of_value;

  Decay(double decay, double rate, bool decoupled)
      : of_gradient(static_cast<T>(decoupled ? 0 : decay)),
        of_value(static_cast<T>(decoupled ? rate * decay : 0)) {}

  template <class V>
  void apply(V& g, V& w) const {
    g += of_gradient * w;
    w -= of_value * w;
  }
};

}  // namespace rw::detail

#pragma GCC visibility pop
