#include <cstring>

#include <rewind/optim/applied_values.hpp>

namespace rw {
namespace {

/// Copies between dense tensors.
void copy(const Tensor& from, Tensor& to) {
  dispatch_floating(to.dtype(), [&](auto type) {
    using T = decltype(type);
    if (to.elements() != 0) {
      std::memcpy(to.mutable_data<T>(), from.data<T>(),
                  static_cast<std::size_t>(to.elements()) * sizeof(T));
    }
  });
}

}  // namespace

AppliedValues::AppliedValues(const ParameterList& list, const std::vector<Tensor>& values) {
  check<UsageError>(list.size() == values.size(), "applied values: got {} for {} parameters",
                    values.size(), list.size());
  own_.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Tensor& value = list[i].parameter->value();
    check_shape(value.shape() == values[i].shape(),
                "applied values: the one for '{}' has shape {}, expected {}", list[i].path,
                values[i].shape(), value.shape());
    check<UsageError>(value.dtype() == values[i].dtype() && values[i].is_contiguous(),
                      "applied values: the one for '{}' is {}, expected a dense {}", list[i].path,
                      name_of(values[i].dtype()), name_of(value.dtype()));
    own_.push_back({value, detail::copy_of(value)});
  }
  for (std::size_t i = 0; i < own_.size(); ++i) {
    copy(values[i], own_[i].value);
  }
}

void AppliedValues::restore() noexcept {
  for (Own& own : own_) {
    copy(own.copy, own.value);
  }
  own_.clear();
}

}  // namespace rw
