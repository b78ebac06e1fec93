#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include <rewind/autograd/tensor/printable.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/staged_values.hpp>

namespace rw::io::detail {
namespace {

/// Copies `values` (dense, of the same shape and type) into `target`'s storage.
void assign(Tensor target, const Tensor& values) {
  dispatch(target.dtype(), [&](auto type) {
    using T = decltype(type);
    T* to = target.mutable_data<T>();
    if (target.elements() == 0) {
      return;
    }
    const T* from = values.data<T>();
    const std::int64_t columns = target.columns();
    for (std::int64_t r = 0; r < target.rows(); ++r) {
      std::memcpy(to + r * target.row_stride(), from + r * columns,
                  static_cast<std::size_t>(columns) * sizeof(T));
    }
  });
  rw::detail::end_loan(target);
}

}  // namespace

StagedValues::StagedValues(const std::vector<ObjectToLoad>& objects) : objects_(objects) {
  for (const ObjectToLoad& object : objects) {
    values_.push_back(object.state);
    loaded_.emplace_back(object.state.size(), false);
  }
}

void StagedValues::put(std::size_t object, std::size_t entry, Tensor values) {
  values_[object][entry].tensor = std::move(values);
  loaded_[object][entry] = true;
}

std::vector<std::string> StagedValues::faults(bool require_finite) const {
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < objects_.size(); ++i) {
    if (objects_[i].faults && is_loaded(i)) {
      std::ranges::move(objects_[i].faults(values_[i]), std::back_inserter(faults));
    }
    for (std::size_t j = 0; require_finite && j < values_[i].size(); ++j) {
      const Tensor& tensor = values_[i][j].tensor;
      const std::string fault =
          loaded_[i][j] && is_floating(tensor.dtype()) ? fault_of(tensor, finite_values) : "";
      if (!fault.empty()) {
        faults.push_back(
            fmt::format("{} {}", rw::detail::joined(objects_[i].name, values_[i][j].path), fault));
      }
    }
  }
  return faults;
}

void StagedValues::remake(const std::string& path) {
  for (std::size_t i = 0; i < objects_.size(); ++i) {
    if (!objects_[i].remake || !is_loaded(i)) {
      continue;
    }
    try {
      replacements_.push_back(objects_[i].remake(values_[i]));
    } catch (const CheckpointError& error) {
      fail_refused(path, fmt::format("{}: {}; nothing was changed", objects_[i].name,
                                     rw::detail::printable(error.what(), 1000)));
    }
  }
}

void StagedValues::assign_all() {
  for (std::size_t i = 0; i < objects_.size(); ++i) {
    for (std::size_t j = 0; !objects_[i].remake && j < values_[i].size(); ++j) {
      if (loaded_[i][j]) {
        assign(objects_[i].state[j].tensor, values_[i][j].tensor);
      }
    }
    if (objects_[i].finish) {
      objects_[i].finish();
    }
  }
  for (const std::function<void()>& replace : replacements_) {
    replace();
  }
}

bool StagedValues::is_loaded(std::size_t object) const {
  return std::ranges::find(loaded_[object], true) != loaded_[object].end();
}

}  // namespace rw::io::detail
