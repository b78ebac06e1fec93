#pragma once
// Checks of what is to be saved, and its description in the file.

#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/checkpoint_object.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Throws UsageError unless all paths are valid and different, and all tensors are defined.
void check_state(const StateList& state);

/// Throws UsageError for names and values that a file cannot hold.
void check_attributes(const Attributes& attributes);

/// Kind and options of each object that has a name and is more than a single tensor. Throws
/// UsageError if two have the same name, and for options that a file cannot hold.
std::vector<ObjectRecord> to_records(const std::vector<ObjectToSave>& objects);

}  // namespace rw::io::detail

#pragma GCC visibility pop
