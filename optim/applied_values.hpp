#pragma once

#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

/// Other values in the parameters of a model, for as long as this lives:
///
///     {
///       const AppliedValues averaged = average.apply();
///       validate(model);
///     }  // here the parameters have their own values again
///
/// Training must wait until then. A tape that used the parameters before refuses to run backwards
/// (Note [Version counters]).
class [[nodiscard]] AppliedValues {
 public:
  /// Writes `values`, one for each parameter and of its shape and type. Throws ShapeError or
  /// UsageError when one does not fit; nothing has changed then.
  AppliedValues(const ParameterList& list, const std::vector<Tensor>& values);
  AppliedValues(const AppliedValues&) = delete;
  AppliedValues& operator=(const AppliedValues&) = delete;
  ~AppliedValues() { restore(); }

  /// Puts the parameters' own values back now. Again: nothing.
  void restore() noexcept;
  /// Leaves the new values in the parameters for good.
  void keep() { own_.clear(); }

 private:
  struct Own {
    Tensor value;  // the parameter's, which it stays even if the parameter is replaced
    Tensor copy;
  };
  std::vector<Own> own_;
};

}  // namespace rw
