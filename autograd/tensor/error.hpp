#pragma once
// Rewind reports every failure with one of these exceptions; no data from a user or a file makes it
// abort.

#include <stdexcept>
#include <string>

#include <fmt/core.h>

namespace rw {

/// Base of every exception that Rewind throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Sizes or axes that do not fit the operation.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A call in the wrong order, on the wrong thread, or with a wrong option.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// A NaN or an infinity where only finite values can be used.
class NonFiniteError : public Error {
 public:
  using Error::Error;
};

/// A checkpoint that cannot be written, read or trusted.
class CheckpointError : public Error {
 public:
  using Error::Error;
};

namespace detail {
template <class Kind>
[[noreturn]] void fail(fmt::string_view format, fmt::format_args arguments) {
  throw Kind(fmt::vformat(format, arguments));
}
extern template void fail<ShapeError>(fmt::string_view, fmt::format_args);
extern template void fail<UsageError>(fmt::string_view, fmt::format_args);
extern template void fail<NonFiniteError>(fmt::string_view, fmt::format_args);
extern template void fail<CheckpointError>(fmt::string_view, fmt::format_args);
}  // namespace detail

/// Throws `Kind` with the formatted message unless `condition` holds; formats only on failure.
template <class Kind, class... Arguments>
void check(bool condition, fmt::format_string<const Arguments&...> format,
           const Arguments&... arguments) {
  if (!condition) [[unlikely]] {
    detail::fail<Kind>(format, fmt::make_format_args(arguments...));
  }
}

/// `check` for ShapeError, the most frequent kind.
template <class... Arguments>
void check_shape(bool condition, fmt::format_string<const Arguments&...> format,
                 const Arguments&... arguments) {
  if (!condition) [[unlikely]] {
    detail::fail<ShapeError>(format, fmt::make_format_args(arguments...));
  }
}

}  // namespace rw
