#include <fmt/format.h>

#include <rewind/io/detail/file.hpp>
#include <rewind/io/detail/file_target.hpp>
#include <rewind/io/error.hpp>

namespace rw::io::detail {
namespace {

/// The beginning of every message.
std::string name_of(const FileTarget& target) {
  switch (target.kind) {
    case FileKind::checkpoint:
      return fmt::format("checkpoint '{}'", target.path);
    case FileKind::table:
      return fmt::format("{}: table '{}'", target.who, target.path);
    case FileKind::picture:
      return fmt::format("{}: picture '{}'", target.who, target.path);
    case FileKind::text:
      break;
  }
  return fmt::format("{}: file '{}'", target.who, target.path);
}

[[noreturn]] void fail(FileKind kind, const std::string& message) {
  if (kind == FileKind::checkpoint) {
    throw CheckpointWriteError(message);
  }
  throw FileError(message);
}

}  // namespace

void fail_to_write(const FileTarget& target, const std::string& why) {
  fail(target.kind,
       fmt::format("{} was not {}: {}; a file that was there before is as it was", name_of(target),
                   target.kind == FileKind::checkpoint ? "saved" : "written", why));
}

void fail_to_write(const FileTarget& target, const char* what, int error_number) {
  fail_to_write(target, fmt::format("cannot {}: {}", what, error_text(error_number)));
}

void fail_to_flush_folder(const FileTarget& target, int error_number) {
  fail(target.kind,
       fmt::format("{} is in place, but its directory could not be flushed to disk: {}; it may be "
                   "lost if the power fails now",
                   name_of(target), error_text(error_number)));
}

}  // namespace rw::io::detail
