#pragma once

#include <string>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// What writes a checkpoint here, as the file names it: the versions of Rewind, oneDNN and HDF5,
/// the instruction sets and the number of threads.
std::string writer_name();

/// One line on why training that goes on from a file of `writer` may differ in the last bits from
/// one that was not interrupted; empty when it does not.
std::string inexactness(const std::string& writer);

}  // namespace rw::io::detail

#pragma GCC visibility pop
