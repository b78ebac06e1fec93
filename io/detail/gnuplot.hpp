#pragma once

#include <chrono>
#include <string>

#include <rewind/io/detail/file_target.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// What gnuplot, run on `script`, writes to its standard output: never empty, and no PNG file that
/// is cut off. Throws as fail_to_write() does where gnuplot is missing, fails, or does not end in
/// `time_limit`; it is killed then.
std::string run_gnuplot(const FileTarget& target, const std::string& script,
                        std::chrono::milliseconds time_limit);

}  // namespace rw::io::detail

#pragma GCC visibility pop
