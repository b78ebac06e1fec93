#pragma once

#include <chrono>
#include <string>

#include <rewind/io/detail/file_target.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Runs gnuplot on `script` and returns what it writes to its standard output: never empty, and
/// never a truncated PNG file. Throws as fail_to_write() does if gnuplot is missing, fails, or does
/// not end within `time_limit`; it is then killed.
std::string run_gnuplot(const FileTarget& target, const std::string& script,
                        std::chrono::milliseconds time_limit);

}  // namespace rw::io::detail

#pragma GCC visibility pop
