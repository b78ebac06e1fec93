#pragma once

#include <rewind/autograd/tensor/error.hpp>

namespace rw::io {

/// A table, picture or text cannot be written, for reasons outside the program. The file that was
/// there before is untouched, unless the message says that the new one is in place.
class FileError : public Error {
 public:
  using Error::Error;
};

/// The file could not be written: disk full, no permission, no such directory. The file that was
/// there before is untouched, unless the message says that the new one is in place.
class CheckpointWriteError : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

/// The file could not be opened or read, or there is not enough memory to read it. Says nothing
/// about the file's content.
class CheckpointReadError : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

/// The file is not a checkpoint, has another size than it records, or does not match a digest.
class CheckpointCorrupt : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

/// The file is sound, but holds something that no checkpoint of this version holds, such as a link
/// to another file, or values that are impossible for the object; or libhdf5 crashed or took too
/// long reading it.
class CheckpointRefused : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

/// The file is a good checkpoint of something else: names, shapes, types or options differ from the
/// state to be restored.
class StateMismatch : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

}  // namespace rw::io
