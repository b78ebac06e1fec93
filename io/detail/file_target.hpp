#pragma once
// What a file that is written is called in errors, and which error that is.

#include <string>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

enum class FileKind { checkpoint, table, picture, text };

/// A file that is to be written.
struct FileTarget {
  FileKind kind;
  std::string path;
  const char* who = "";  // the function that the user called; of no use for checkpoints
};

/// Throws CheckpointWriteError for a checkpoint, FileError for anything else: that the file was not
/// written, and why. A file that was there before must be untouched.
[[noreturn]] void fail_to_write(const FileTarget& target, const std::string& why);

/// The same after a call of the system that failed: "cannot flush to disk: No space left on
/// device".
[[noreturn]] void fail_to_write(const FileTarget& target, const char* what, int error_number);

/// Throws the same: the new file is there, but may be lost.
[[noreturn]] void fail_to_flush_folder(const FileTarget& target, int error_number);

}  // namespace rw::io::detail

#pragma GCC visibility pop
