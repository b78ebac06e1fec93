#include <utility>

#include <rewind/optim/saved_gradients.hpp>

namespace rw {

SavedGradients::SavedGradients(ParameterList list) : list_(std::move(list)) {
  Tensor present = zeros({static_cast<std::int64_t>(list_.size())}, DType::int64);
  state_.push_back({"present", present, {0, 1}});
  for (std::size_t i = 0; i < list_.size(); ++i) {
    const Parameter& parameter = *list_[i].parameter;
    present.mutable_data<std::int64_t>()[i] = parameter.has_grad() ? 1 : 0;
    state_.push_back({"gradient/" + list_[i].path,
                      parameter.has_grad() ? parameter.grad().clone()
                                           : zeros(parameter.shape(), parameter.dtype())});
  }
}

void SavedGradients::put_back() const {
  const auto* const present = state_[0].tensor.data<std::int64_t>();
  for (std::size_t i = 0; i < list_.size(); ++i) {
    Parameter& parameter = *list_[i].parameter;
    if (present[i] == 0) {
      parameter.zero_grad();
    } else {
      parameter.set_grad(state_[i + 1].tensor);
    }
  }
}

}  // namespace rw
