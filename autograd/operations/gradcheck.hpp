#pragma once

#include <functional>
#include <string>
#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// A function to check, from its inputs, in order, to one tensor of any shape. Must return the same
/// result when called again.
using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

struct GradcheckOptions {
  double step = 1e-5;  ///< half the distance of the central difference
  double absolute = 1e-8;
  double relative = 1e-6;
};

/// Converts to true when all derivatives agree; otherwise `message` says where they differ most.
struct GradcheckResult {
  bool passed = true;
  std::string message;
  std::int64_t derivatives = 0;  ///< how many were compared
  explicit operator bool() const { return passed; }
};

/// Compares the gradient of `function` with central differences, for every element of every input
/// and of every given parameter: |analytic - numeric| <= absolute + relative |numeric|.
///
/// The outputs are summed with irregular weights, because a symmetric loss hides mistakes that
/// cancel. Also checks that a second backward pass gives the same bits. Inputs and parameters must
/// be float64 (UsageError otherwise): float32 has too few digits.
///
///     auto result = gradcheck([](const auto& x) { return tanh(matmul(x[0], x[1])); }, {a, b});
///     if (!result) fmt::print("{}\n", result.message);
GradcheckResult gradcheck(const TensorFunction& function, const std::vector<Tensor>& inputs,
                          const ParameterList& parameters = {},
                          const GradcheckOptions& options = {});

/// The same for second derivatives: checks the gradient of an irregularly weighted sum of all first
/// derivatives.
GradcheckResult gradgradcheck(const TensorFunction& function, const std::vector<Tensor>& inputs,
                              const ParameterList& parameters = {},
                              const GradcheckOptions& options = {});

}  // namespace rw
