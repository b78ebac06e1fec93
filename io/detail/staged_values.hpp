#pragma once

#include <functional>
#include <string>
#include <vector>

#include <rewind/io/detail/checkpoint_object.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// The values read from a file, before they are assigned.
class StagedValues {
 public:
  /// Begins with the values that the objects have. `objects` must outlive it.
  explicit StagedValues(const std::vector<ObjectToLoad>& objects);

  /// `values` are dense, of the entry's shape and type.
  void put(std::size_t object, std::size_t entry, Tensor values);

  /// Everything that makes the values impossible for their objects.
  std::vector<std::string> faults(bool require_finite) const;
  /// Makes the new objects that replace those not written in place. Throws CheckpointRefused,
  /// naming the file `path`.
  void remake(const std::string& path);
  /// Cannot fail.
  void assign_all();

 private:
  bool is_loaded(std::size_t object) const;

  const std::vector<ObjectToLoad>& objects_;
  std::vector<StateList> values_;
  std::vector<std::vector<bool>> loaded_;
  std::vector<std::function<void()>> replacements_;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
