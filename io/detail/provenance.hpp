#pragma once

#include <string>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// The writer that checkpoints record here: the versions of Rewind, oneDNN and HDF5, the
/// instruction sets and the number of threads.
std::string writer_name();

/// One line on why training resumed from a file of `writer` may differ in the last bits from an
/// uninterrupted run; empty if it will not.
std::string inexactness(const std::string& writer);

}  // namespace rw::io::detail

#pragma GCC visibility pop
