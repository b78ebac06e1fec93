#pragma once
// The error bounds that autograd/kernels/simd.hpp states above its functions. They are read from
// that file, so that they are written in one place only. The line above each function is one of
//
//     /// Max error: float 1.1 ulp, double 1.1 ulp. Valid range: all.
//     /// Max error: float 2 ulp, double 2 ulp. Valid range: float [-87, inf], double [-708, inf].

#include <optional>
#include <string>
#include <vector>

#include <rewind/autograd/tensor/dtype.hpp>

namespace rw::testing {

/// The largest error in units in the last place, for arguments from `low` to `high`.
struct ErrorBound {
  double ulp = 0;
  double low = 0;
  double high = 0;
};

/// A function of one or two registers of numbers.
struct SimdFunction {
  std::string name;
  std::optional<ErrorBound> single = {};   // float32; missing if the header states none
  std::optional<ErrorBound> precise = {};  // float64
};

/// All SIMD functions, in the order of the header.
const std::vector<SimdFunction>& simd_functions();

/// The bound that the header states for `name`.
ErrorBound stated_bound(const std::string& name, DType dtype);

}  // namespace rw::testing
