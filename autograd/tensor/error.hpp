#pragma once
// Every failure of Rewind is one of these exceptions; nothing aborts for data a user or a file
// supplies.

#include <stdexcept>
#include <string>

#include <fmt/core.h>

namespace rw {

/// Base of every exception that Rewind throws.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The caller's fault: sizes or axes that do not fit the operation.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// The caller's fault: a call in the wrong order, on the wrong thread, or with a wrong option.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// The numbers' fault: a NaN or an infinity where only finite values can be used.
class NonFiniteError : public Error {
 public:
  using Error::Error;
};

/// The world's fault: a checkpoint that cannot be written, read or trusted.
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

/// `check` for the most frequent kind.
template <class... Arguments>
void check_shape(bool condition, fmt::format_string<const Arguments&...> format,
                 const Arguments&... arguments) {
  if (!condition) [[unlikely]] {
    detail::fail<ShapeError>(format, fmt::make_format_args(arguments...));
  }
}

}  // namespace rw
