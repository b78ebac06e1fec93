#pragma once
// A small model and gradients for it, for the tests of optimisers and of clipping.

#include <cmath>
#include <limits>
#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw::testing {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Three parameters: longer than a register, shorter than one, and of rank 0.
struct Model {
  Parameter w;
  Parameter b;
  Parameter s;
  explicit Model(DType dtype) {
    w = make({7, 5}, dtype, 0.1);
    b = make({3}, dtype, 0.7);
    s = make({}, dtype, 1.9);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("layer/w", w);
    visit("layer/b", b);
    visit("s", s);
  }

 private:
  static Parameter make(const Shape& shape, DType dtype, double phase) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      values.push_back(std::sin(phase + 1.7 * static_cast<double>(i)));
    }
    return Parameter(Tensor::from<double>(shape, values).to(dtype));
  }
};

/// The gradient in step t of a parameter's i-th element with value w: it pulls w towards a moving
/// target.
inline double gradient_at(double w, std::size_t i, int t) {
  return 0.5 * w - 0.8 * std::cos(0.3 * t + static_cast<double>(i)) + 0.1;
}

/// Sets the gradients of step t from the current values.
inline void set_gradients(const ParameterList& list, int t) {
  for (const auto& entry : list) {
    Parameter& p = *entry.parameter;
    std::vector<double> g = p.value().to(DType::float64).to_vector<double>();
    for (std::size_t i = 0; i < g.size(); ++i) {
      g[i] = gradient_at(g[i], i, t);
    }
    p.set_grad(Tensor::from<double>(p.shape(), g).to(p.dtype()));
  }
}

inline void set_gradient(Parameter& p, double value) {
  p.set_grad(full(p.shape(), value, p.dtype()));
}

/// Sets one element of an existing gradient.
inline void poke(Parameter& p, std::int64_t i, double value) {
  dispatch_floating(p.dtype(), [&](auto type) {
    using T = decltype(type);
    p.mutable_grad().mutable_data<T>()[i] = static_cast<T>(value);
  });
}

inline double value_of(const Parameter& p, std::size_t i = 0) {
  return p.value().to(DType::float64).to_vector<double>()[i];
}

}  // namespace rw::testing
