#pragma once
// A small model, gradients for it, and its bytes: what the tests of optimisers and of clipping
// share.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace optim_fixture {

using rw::DType;
using rw::Parameter;
using rw::ParameterList;
using rw::Tensor;

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
  static Parameter make(const rw::Shape& shape, DType dtype, double phase) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < shape.elements(); ++i) {
      values.push_back(std::sin(phase + 1.7 * static_cast<double>(i)));
    }
    return Parameter(Tensor::from<double>(shape, values).to(dtype));
  }
};

/// The gradient that the t-th step gets for the i-th element of a parameter with value w: a pull
/// towards a moving target.
inline double gradient_at(double w, std::size_t i, int t) {
  return 0.5 * w - 0.8 * std::cos(0.3 * t + static_cast<double>(i)) + 0.1;
}

/// Sets the gradients of step t, from the values as they are.
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
  p.set_grad(rw::full(p.shape(), value, p.dtype()));
}

/// Sets one element of a gradient that is there.
inline void poke(Parameter& p, std::int64_t i, double value) {
  rw::dispatch_floating(p.dtype(), [&](auto type) {
    using T = decltype(type);
    p.mutable_grad().mutable_data<T>()[i] = static_cast<T>(value);
  });
}

inline double value_of(const Parameter& p, std::size_t i = 0) {
  return p.value().to(DType::float64).to_vector<double>()[i];
}

/// All bytes that a step may change.
inline std::string bytes_of(const rw::StateList& state) {
  std::string bytes;
  for (const auto& entry : state) {
    const Tensor dense = entry.tensor.clone();
    rw::dispatch(dense.dtype(), [&](auto type) {
      const auto* data = dense.data<decltype(type)>();
      bytes.append(reinterpret_cast<const char*>(data),
                   static_cast<std::size_t>(dense.elements()) * rw::size_of(dense.dtype()));
    });
  }
  return bytes;
}

inline std::string gradient_bytes(const ParameterList& list) {
  rw::StateList gradients;
  for (const auto& entry : list) {
    gradients.push_back({entry.path, entry.parameter->grad()});
  }
  return bytes_of(gradients);
}

template <class Error, class Call>
std::string message_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  BOOST_ERROR("expected an exception");
  return {};
}

inline void check_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    BOOST_CHECK_MESSAGE(text.find(part) != std::string::npos, "no '" << part << "' in: " << text);
  }
}

}  // namespace optim_fixture
