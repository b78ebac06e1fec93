#pragma once
// File descriptors, and reading from files.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// How much of a large file is read or written, and hashed, at a time: it fits into the caches.
inline constexpr std::size_t piece_bytes = 1 << 20;

/// The text for an errno, such as "No such file or directory".
std::string error_text(int number);

/// Calls `f` again as long as a signal interrupts it.
template <class F>
auto retried(F f) {
  auto result = f();
  while (result < 0 && errno == EINTR) {
    result = f();
  }
  return result;
}

/// An open file descriptor, closed at the end of its scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  bool valid() const { return number_ >= 0; }
  int number() const { return number_; }
  /// Closes now. A negative result, with errno, may be the first sign that a write has failed.
  int close();
  /// Leaves closing to the caller.
  int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

/// A regular file, open for reading. Throws CheckpointReadError.
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
  /// Fills `bytes` with the file's content from `offset` on.
  void read(std::uint64_t offset, std::span<std::byte> bytes) const;

 private:
  std::string path_;
  Descriptor descriptor_;
  std::uint64_t bytes_ = 0;
};

}  // namespace rw::io::detail

#pragma GCC visibility pop
