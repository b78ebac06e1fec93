#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rewind/io/detail/file.hpp>
#include <rewind/io/error.hpp>

namespace rw::io::detail {
namespace {

[[noreturn]] void fail_read(const std::string& path, const std::string& why) {
  throw CheckpointReadError(fmt::format("checkpoint '{}' cannot be read: {}", path, why));
}

}  // namespace

std::string error_text(int number) { return std::generic_category().message(number); }

Descriptor::~Descriptor() {
  if (number_ >= 0) {
    ::close(number_);
  }
}

int Descriptor::close() { return ::close(std::exchange(number_, -1)); }

InputFile::InputFile(const std::string& path)
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    : InputFile(path, Descriptor(retried([&] {
                  return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                }))) {}

InputFile::InputFile(const std::string& path, Descriptor descriptor)
    : path_(path), descriptor_(std::move(descriptor)) {
  struct stat status = {};
  if (!descriptor_.valid() || ::fstat(descriptor_.number(), &status) < 0) {
    fail_read(path, error_text(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    fail_read(path, S_ISDIR(status.st_mode)
                        ? "it is a directory, expected a regular file"
                        : "it is a device, pipe or socket, expected a regular file");
  }
  bytes_ = static_cast<std::uint64_t>(status.st_size);
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = retried([&] {
      return ::pread(descriptor_.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (count < 0) {
      fail_read(path_, error_text(errno));
    }
    if (count == 0) {
      fail_read(path_, "it became shorter while it was read");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

}  // namespace rw::io::detail
