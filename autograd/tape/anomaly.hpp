#pragma once
// Finding the operation that made the first NaN or infinity.

#include <rewind/autograd/tape/record.hpp>

namespace rw {

/// While alive, the first operation on this thread whose result, or whose gradient, contains a NaN
/// or an infinity throws a NonFiniteError. It names the operation, and the input that already
/// contained them, if any: a parameter by the path that parameters(model) gave it. Slow: every
/// result is read again.
class AnomalyMode {
 public:
  AnomalyMode() : scope_(detail::context.anomaly, detail::anomaly_scopes, this) {}

 private:
  detail::ThreadScope<AnomalyMode> scope_;
};

}  // namespace rw
