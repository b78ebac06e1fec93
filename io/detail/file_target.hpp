#pragma once
// How errors name a file that is written, and which type of error it is.

#include <string>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

enum class FileKind { checkpoint, table, picture, text };

/// A file to write.
struct FileTarget {
  FileKind kind;
  std::string path;
  const char* who = "";  // the function that the user called; unused for checkpoints
};

/// Throws CheckpointWriteError for a checkpoint, FileError for anything else, saying that the file
/// was not written, and why. A file that was there before must be untouched.
[[noreturn]] void fail_to_write(const FileTarget& target, const std::string& why);

/// The same after a failed system call: "cannot flush to disk: No space left on device".
[[noreturn]] void fail_to_write(const FileTarget& target, const char* what, int error_number);

/// Throws an error of the same type: the new file is in place, but may be lost.
[[noreturn]] void fail_to_flush_folder(const FileTarget& target, int error_number);

}  // namespace rw::io::detail

#pragma GCC visibility pop
