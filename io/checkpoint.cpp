#include <algorithm>
#include <cstring>
#include <functional>
#include <iterator>
#include <new>

#include <fmt/format.h>

#include <rewind/autograd/tensor/printable.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_checks.hpp>
#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/checkpoint_writer.hpp>
#include <rewind/io/detail/load_plan.hpp>
#include <rewind/io/detail/provenance.hpp>

namespace rw::io {
namespace {

/// Copies `values` (dense, same shape and type) into `target`'s storage.
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

/// Calls `f`, telling of memory that does not suffice; `f` may set how many bytes are `needed`.
template <class F>
auto with_memory(const std::string& path, const std::uint64_t& needed, F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    constexpr std::uint64_t mebibyte = 1 << 20;
    throw CheckpointReadError(fmt::format(
        "checkpoint '{}' cannot be read: not enough memory{}; nothing was changed", path,
        needed == 0 ? "" : fmt::format(": needs {} MiB", (needed + mebibyte - 1) / mebibyte)));
  }
}

std::string joined_faults(const std::vector<std::string>& faults) {
  constexpr std::size_t most = 10;
  const std::size_t shown = std::min(faults.size(), most);
  return fmt::format(
      "{}{}", fmt::join(faults.begin(), faults.begin() + shown, "; "),
      shown < faults.size() ? fmt::format("; and {} more", faults.size() - shown) : "");
}

/// The values of a file before they are assigned.
class StagedValues {
 public:
  /// Everything at first as it is.
  explicit StagedValues(const std::vector<detail::LoadedObject>& objects) : objects_(objects) {
    for (const detail::LoadedObject& object : objects) {
      values_.push_back(object.state);
      loaded_.emplace_back(object.state.size(), false);
    }
  }

  void put(std::size_t object, std::size_t entry, Tensor values) {
    values_[object][entry].tensor = std::move(values);
    loaded_[object][entry] = true;
  }

  /// All that keeps the values from being those of the objects.
  std::vector<std::string> faults(bool require_finite) const {
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
          faults.push_back(fmt::format(
              "{} {}", rw::detail::joined(objects_[i].name, values_[i][j].path), fault));
        }
      }
    }
    return faults;
  }

  /// Makes anew what is not written into.
  void remake(const std::string& path) {
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      if (!objects_[i].remake || !is_loaded(i)) {
        continue;
      }
      try {
        finish_.push_back(objects_[i].remake(values_[i]));
      } catch (const CheckpointError& error) {
        detail::fail_refused(path, fmt::format("{}: {}; nothing was changed", objects_[i].name,
                                               rw::detail::printable(error.what(), 1000)));
      }
    }
  }

  /// Nothing in it can fail.
  void assign_all() {
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
    for (const std::function<void()>& finish : finish_) {
      finish();
    }
  }

 private:
  bool is_loaded(std::size_t object) const {
    return std::ranges::find(loaded_[object], true) != loaded_[object].end();
  }

  const std::vector<detail::LoadedObject>& objects_;
  std::vector<StateList> values_;
  std::vector<std::vector<bool>> loaded_;
  std::vector<std::function<void()>> finish_;
};

}  // namespace

StateList detail::whole_state(const std::vector<SavedObject>& objects) {
  StateList whole;
  for (const SavedObject& object : objects) {
    for (const StateEntry& entry : object.state) {
      whole.push_back({rw::detail::joined(object.name, entry.path), entry.tensor, entry.range});
    }
  }
  return whole;
}

void detail::save(const std::string& path, const std::vector<SavedObject>& objects,
                  const Attributes& attributes) {
  const StateList state = whole_state(objects);
  check_state(state);
  check_attributes(attributes);
  try {
    write_checkpoint(path, state, attributes, to_records(objects), writer_name());
  } catch (const std::bad_alloc&) {
    throw CheckpointWriteError(fmt::format(
        "checkpoint '{}' was not saved: not enough memory; a file that was there before is as it "
        "was",
        path));
  }
}

void save(const std::string& path, const StateList& state, const Attributes& attributes) {
  detail::save(path, detail::objects_to_save("", state), attributes);
}

LoadReport detail::load(const std::string& path, const std::vector<LoadedObject>& objects,
                        const LoadOptions& options) {
  check_state(whole_state({objects.begin(), objects.end()}));
  std::uint64_t needed = 0;
  return with_memory(path, needed, [&] {
    const CheckpointReader reader(path);
    const LoadPlan plan(objects, reader.index(), options);
    const std::string objections = plan.objections();
    if (!objections.empty()) {
      throw StateMismatch(fmt::format("checkpoint '{}' does not fit: {}", path, objections));
    }
    for (const LoadPlan::Source& source : plan.sources()) {
      needed += source.bytes;
    }
    reader.verify_rest();
    StagedValues staged(objects);
    for (const LoadPlan::Source& source : plan.sources()) {
      staged.put(source.object, source.entry, reader.read(source.path));
    }
    const std::vector<std::string> faults = staged.faults(options.require_finite);
    if (!faults.empty()) {
      fail_refused(path, fmt::format("{}; nothing was changed", joined_faults(faults)));
    }
    staged.remake(path);
    LoadReport report = plan.report();
    report.inexact = inexactness(reader.index().writer);
    staged.assign_all();
    return report;
  });
}

LoadReport load(const std::string& path, const StateList& state, const LoadOptions& options) {
  return detail::load(path, detail::objects_to_load("", state), options);
}

std::string to_string(const LoadReport& report) {
  const std::string rest = detail::listed({{"missing", report.missing},
                                           {"unexpected", report.unexpected},
                                           {"mismatched", report.mismatched}});
  return fmt::format("{} loaded{}{}", report.loaded.size(), rest.empty() ? "" : "; ", rest);
}

Attributes read_attributes(const std::string& path) {
  return with_memory(path, 0, [&] { return detail::CheckpointReader(path).index().metadata; });
}

std::vector<EntryInfo> list(const std::string& path) {
  return with_memory(path, 0, [&] {
    std::vector<EntryInfo> entries;
    const detail::CheckpointReader reader(path);
    for (const detail::TensorRecord& tensor : reader.index().tensors) {
      entries.push_back({tensor.path, tensor.shape, tensor.dtype});
    }
    return entries;
  });
}

}  // namespace rw::io
