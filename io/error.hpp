#pragma once

#include <rewind/autograd/tensor/error.hpp>

namespace rw::io {

/// The world's fault: a table, picture or text that cannot be written. The file that was there
/// before is untouched, unless the message says that the new one is in place.
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

/// The file could not be opened or read at all, or there is not enough memory to read it. Nothing
/// is said about the file.
class CheckpointReadError : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

/// The file is no checkpoint, has another size than it says, or a digest does not match.
class CheckpointCorrupt : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

/// The file is sound, but holds something that no checkpoint of this version holds, such as a link
/// to another file; or libhdf5 did not survive reading it.
class CheckpointRefused : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

/// The file is a good checkpoint of something else: names, shapes or types differ from the state to
/// be restored.
class StateMismatch : public CheckpointError {
 public:
  using CheckpointError::CheckpointError;
};

}  // namespace rw::io
