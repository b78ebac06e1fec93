#pragma once
// What tests of losses and metrics ask: numbers, gradients, and the words of an error.

#include <functional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/error.hpp>

namespace rw::testing {

using Numbers = std::vector<double>;
using Loss = std::function<Tensor(const Tensor&)>;

inline Numbers numbers(const Tensor& x) { return x.to(DType::float64).to_vector<double>(); }

/// Gradient of the sum of f(x).
inline Numbers gradient_of(const Tensor& x, const Loss& f, bool recorded = false) {
  Tape tape;
  const Tensor watched = tape.watch(x);
  return numbers(tape.gradient(sum(f(watched)), {watched}, {.create_graph = recorded})[0]);
}

/// For BOOST_CHECK_EXCEPTION: whether the message holds `part`.
inline auto says(const std::string& part) {
  return [part](const Error& error) {
    BOOST_TEST_MESSAGE(error.what());
    return std::string(error.what()).find(part) != std::string::npos;
  };
}

}  // namespace rw::testing
