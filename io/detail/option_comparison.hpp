#pragma once

#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/checkpoint_object.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// The options, under the names that they have after renaming, that were saved with other values
/// than the objects have, but for those that `options` allow. Of an object that was saved without
/// options nothing is known, and options of what `report` leaves out do not count. Throws
/// UsageError for a pattern of what may differ that fits no option.
std::vector<OptionDifference> compare_options(const std::vector<LoadedObject>& objects,
                                              const Index& index, const LoadReport& report,
                                              const LoadOptions& options);

}  // namespace rw::io::detail

#pragma GCC visibility pop
