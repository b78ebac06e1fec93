#pragma once

#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/checkpoint_object.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// The options whose saved values differ from those of the objects, under their names after
/// renaming, except those that `options` allows to differ. An object that was saved without options
/// has no differences, and options of what `report` lists as left out do not count. Throws
/// UsageError if a pattern in `allow_different` matches no option.
std::vector<OptionDifference> compare_options(const std::vector<ObjectToLoad>& objects,
                                              const Index& index, const LoadReport& report,
                                              const LoadOptions& options);

}  // namespace rw::io::detail

#pragma GCC visibility pop
