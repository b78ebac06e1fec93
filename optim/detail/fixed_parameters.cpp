#include <algorithm>

#include <rewind/optim/detail/fixed_parameters.hpp>

namespace rw::detail {

FixedParameters::FixedParameters(std::string_view owner, ParameterList list)
    : owner_(owner), list_(std::move(list)) {
  check<UsageError>(!list_.empty(), "{}: got no parameters, expected at least one", owner_);
  forms_.reserve(list_.size());
  for (auto entry = list_.begin(); entry != list_.end(); ++entry) {
    const auto twin = std::find_if(list_.begin(), entry, [&](const NamedParameter& other) {
      return other.parameter == entry->parameter || other.path == entry->path;
    });
    check<UsageError>(twin == entry,
                      "{}: '{}' and '{}' are the same parameter or have the same path; list each "
                      "parameter once, under a unique path",
                      owner_, twin->path, entry->path);
    forms_.push_back({entry->parameter->shape(), entry->parameter->dtype()});
  }
}

void FixedParameters::check_form(std::size_t i) const {
  const NamedParameter& entry = list_[i];
  const Form& form = forms_[i];
  const Tensor& value = entry.parameter->value();
  check<UsageError>(value.shape() == form.shape && value.dtype() == form.dtype,
                    "{}: parameter '{}' is now {} {}, expected {} {} as when the {} was made; make "
                    "a new one for a changed model",
                    owner_, entry.path, name_of(value.dtype()), value.shape(), name_of(form.dtype),
                    form.shape, owner_);
}

}  // namespace rw::detail
