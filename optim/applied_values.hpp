#pragma once

#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

/// Replaces the values of a model's parameters for as long as this object lives:
///
///     {
///       const AppliedValues averaged = average.apply();
///       validate(model);
///     }  // from here on the parameters have their own values again
///
/// Do not train before that. A tape that used the parameters before refuses to run backwards (Note
/// [Version counters]).
class [[nodiscard]] AppliedValues {
 public:
  /// Writes `values`, one for each parameter and of its shape and type. Throws ShapeError or
  /// UsageError, without changing anything, when one does not fit.
  AppliedValues(const ParameterList& list, const std::vector<Tensor>& values);
  AppliedValues(const AppliedValues&) = delete;
  AppliedValues& operator=(const AppliedValues&) = delete;
  ~AppliedValues() { restore(); }

  /// Restores the parameters' own values now. A second call does nothing.
  void restore() noexcept;
  /// Keeps the new values in the parameters permanently.
  void keep() { own_.clear(); }

 private:
  struct Own {
    Tensor value;  // the parameter's; kept even if the parameter gets another one
    Tensor copy;
  };
  std::vector<Own> own_;
};

}  // namespace rw
