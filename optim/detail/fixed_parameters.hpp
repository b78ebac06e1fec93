#pragma once
// The parameters of an optimiser or an average. Their shapes and types must not change, because
// there is state of the same shape and type for each.

#include <string_view>
#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw::detail {

class FixedParameters {
 public:
  /// `owner` starts every message. Throws UsageError when the list is empty or has a parameter or a
  /// path twice.
  FixedParameters(std::string_view owner, ParameterList list);

  std::string_view owner() const { return owner_; }
  const ParameterList& list() const { return list_; }
  std::size_t size() const { return list_.size(); }
  const NamedParameter& operator[](std::size_t i) const { return list_[i]; }
  /// Throws UsageError when the shape or type of the i-th parameter has changed.
  void check_form(std::size_t i) const;

 private:
  struct Form {
    Shape shape;
    DType dtype;
  };

  std::string_view owner_;
  ParameterList list_;
  std::vector<Form> forms_;
};

/// Appends one tensor for each parameter, called "name/path" and with numbers in `range`, to
/// `state` and returns them.
template <class Make>
std::vector<Tensor> append_state(StateList& state, const ParameterList& list, std::string_view name,
                                 const ValueRange& range, Make&& make) {
  std::vector<Tensor> tensors;
  for (const NamedParameter& entry : list) {
    tensors.push_back(make(*entry.parameter));
    state.push_back({joined(std::string(name), entry.path), tensors.back(), range});
  }
  return tensors;
}

}  // namespace rw::detail
