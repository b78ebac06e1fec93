#pragma once
// Files as the system has them: opened for reading, and replaced as a whole.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// What of a large file is read or written, and hashed, at once: the caches hold it.
inline constexpr std::size_t piece_bytes = 1 << 20;

/// Calls `f` until it is not interrupted by a signal.
template <class F>
auto retried(F f) {
  auto result = f();
  while (result < 0 && errno == EINTR) {
    result = f();
  }
  return result;
}

/// An open file, closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();

  bool valid() const { return number_ >= 0; }
  int number() const { return number_; }
  /// Closes now and tells of an error; it may be the first news of a failed write.
  int close();

 private:
  int number_;
};

/// A regular file to read. Throws CheckpointReadError.
class InputFile {
 public:
  /// Follows symbolic links.
  explicit InputFile(const std::string& path);
  /// `path` is for messages.
  InputFile(const std::string& path, Descriptor descriptor);

  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_.number(); }
  /// Its size when it was opened.
  std::uint64_t bytes() const { return bytes_; }
  /// Fills `bytes` with what stands at `offset`.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  std::string path_;
  Descriptor descriptor_;
  std::uint64_t bytes_ = 0;
};

/// A file to write, named `path` in messages. Throws CheckpointWriteError.
class OutputFile {
 public:
  OutputFile(const std::string& path, Descriptor descriptor)
      : path_(path), descriptor_(std::move(descriptor)) {}

  Descriptor& descriptor() { return descriptor_; }
  void write(std::uint64_t offset, std::span<const std::byte> bytes);

 private:
  std::string path_;
  Descriptor descriptor_;
};

// Note [Atomic replacement]
// A checkpoint exists to survive the death of the process that writes it. So the bytes go to a
// temporary file in the target's directory, are flushed to disk, and only then take the target's
// name; last, the directory is flushed. Whoever opens the target sees the old file or the new one,
// both complete. Temporary files of processes that were killed are removed by the next save.

/// Replaces the file at `path` by one that `write` fills (Note [Atomic replacement]), keeping the
/// mode of a file that was there. A symbolic link stays, and what it points to is replaced, or made
/// where it is not there yet. Throws CheckpointWriteError, and what `write` throws.
void replace_file(const std::string& path, const std::function<void(OutputFile&)>& write);

}  // namespace rw::io::detail

#pragma GCC visibility pop
