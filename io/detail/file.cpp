#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rewind/io/detail/file.hpp>
#include <rewind/io/error.hpp>

namespace rw::io::detail {
namespace {

std::string error_text(int number) { return std::generic_category().message(number); }

[[noreturn]] void fail_write(const std::string& path, const char* what, int number) {
  throw CheckpointWriteError(fmt::format(
      "checkpoint '{}' was not saved: cannot {}: {}; a file that was there before is as "
      "it was",
      path, what, error_text(number)));
}

[[noreturn]] void fail_read(const std::string& path, const std::string& why) {
  throw CheckpointReadError(fmt::format("checkpoint '{}' cannot be read: {}", path, why));
}

constexpr std::string_view temporary_prefix = ".rewind-";
constexpr std::string_view temporary_suffix = ".tmp";

/// Whether `name` is that of a temporary file of a process that has ended.
bool is_of_ended_process(std::string_view name) {
  if (!name.starts_with(temporary_prefix) || !name.ends_with(temporary_suffix)) {
    return false;
  }
  name.remove_prefix(temporary_prefix.size());
  pid_t process = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), process);
  return error == std::errc() && *end == '-' && process > 0 && ::kill(process, 0) < 0 &&
         errno == ESRCH;
}

/// Removes the temporary files that killed processes have left in `folder`. One that is locked
/// belongs to a process of another machine. Whatever fails is left for the next save.
void remove_abandoned(const std::string& folder, int directory) {
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (!is_of_ended_process(name)) {
      continue;
    }
    const Descriptor file(retried([&] {
      return ::openat(directory, name.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    }));
    if (file.valid() && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0) {
      ::unlinkat(directory, name.c_str(), 0);
    }
  }
}

/// A file under a name of its own in `directory`, gone at the end of its scope unless it was
/// renamed.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& path, int directory)
      : path_(path), directory_(directory), file_(path, create()) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) {
      ::unlinkat(directory_, name_.c_str(), 0);
    }
  }

  OutputFile& file() { return file_; }

  void set_mode(mode_t mode) {
    if (::fchmod(file_.descriptor().number(), mode) < 0) {
      fail_write(path_, "keep the mode of the old file", errno);
    }
  }

  /// Flushes the bytes to disk and gives the file its final name.
  void rename_to(const std::string& name) {
    if (retried([&] { return ::fsync(file_.descriptor().number()); }) < 0) {
      fail_write(path_, "flush to disk", errno);
    }
    if (file_.descriptor().close() < 0) {
      fail_write(path_, "close", errno);
    }
    if (::renameat(directory_, name_.c_str(), directory_, name.c_str()) < 0) {
      fail_write(path_, "rename the finished file", errno);
    }
    name_.clear();
  }

 private:
  Descriptor create() {
    static std::atomic<unsigned> counter = 0;
    int number = -1;
    // A name may be taken by what a killed process with our number left behind.
    do {
      name_ = fmt::format("{}{}-{}{}", temporary_prefix, ::getpid(), counter++, temporary_suffix);
      number = retried([&] {
        return ::openat(directory_, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      });
    } while (number < 0 && errno == EEXIST);
    if (number < 0) {
      const int reason = errno;
      name_.clear();
      fail_write(path_, "create a temporary file beside it", reason);
    }
    ::flock(number, LOCK_EX | LOCK_NB);  // says to remove_abandoned() that somebody writes it
    return Descriptor(number);
  }

  const std::string& path_;
  int directory_;
  std::string name_;
  OutputFile file_;
};

/// While it lives, a write beyond RLIMIT_FSIZE fails with EFBIG instead of killing the process.
class BlockedFileSizeSignal {
 public:
  BlockedFileSizeSignal() {
    ::sigemptyset(&signal_);
    ::sigaddset(&signal_, SIGXFSZ);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGXFSZ) == 1;
    ::pthread_sigmask(SIG_BLOCK, &signal_, &mask_);
  }
  BlockedFileSizeSignal(const BlockedFileSizeSignal&) = delete;
  BlockedFileSizeSignal& operator=(const BlockedFileSizeSignal&) = delete;
  ~BlockedFileSizeSignal() {
    const timespec now{};
    if (!was_pending_) {
      retried([&] { return ::sigtimedwait(&signal_, nullptr, &now); });
    }
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }

 private:
  sigset_t signal_;
  sigset_t mask_;
  bool was_pending_;
};

/// The mode of the file `name` in `directory`, if there is one.
std::optional<mode_t> existing_mode(const std::string& path, int directory,
                                    const std::string& name) {
  struct stat status = {};
  if (::fstatat(directory, name.c_str(), &status, 0) < 0) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    fail_write(path, "look at the old file", errno);
  }
  if (S_ISDIR(status.st_mode)) {
    fail_write(path, "replace it", EISDIR);
  }
  if (!S_ISREG(status.st_mode)) {
    throw CheckpointWriteError(fmt::format(
        "checkpoint '{}' was not saved: that is a device, pipe or socket, expected a regular file",
        path));
  }
  return status.st_mode & 07777;
}

/// Where `path` leads when symbolic links are followed, whether or not there is a file yet.
std::filesystem::path followed(const std::string& path) {
  constexpr int most = 40;  // as Linux has it
  std::filesystem::path target = path;
  for (int links = 0;; ++links) {
    std::error_code none;  // whatever is wrong with the path, opening it says it better
    if (!std::filesystem::is_symlink(std::filesystem::symlink_status(target, none))) {
      return target;
    }
    if (links == most) {
      fail_write(path, "follow its symbolic links", ELOOP);
    }
    const std::filesystem::path next = std::filesystem::read_symlink(target, none);
    if (none) {
      fail_write(path, "follow its symbolic link", none.value());
    }
    target = target.parent_path() / next;  // `next` alone where it is absolute
  }
}

}  // namespace

Descriptor::~Descriptor() {
  if (number_ >= 0) {
    ::close(number_);
  }
}

int Descriptor::close() { return ::close(std::exchange(number_, -1)); }

void OutputFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = retried([&] {
      return ::pwrite(descriptor_.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (count <= 0) {
      fail_write(path_, "write", count == 0 ? EIO : errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void replace_file(const std::string& path, const std::function<void(OutputFile&)>& write) {
  const std::filesystem::path target = followed(path);
  const std::string name = target.filename();
  if (name.empty()) {
    fail_write(path, "use this as the name of a file", EINVAL);
  }

  const std::string folder = target.has_parent_path() ? target.parent_path().string() : ".";
  const Descriptor directory(
      retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!directory.valid()) {
    fail_write(path, "open its directory", errno);
  }

  const std::optional<mode_t> mode = existing_mode(path, directory.number(), name);
  remove_abandoned(folder, directory.number());
  TemporaryFile file(path, directory.number());
  const BlockedFileSizeSignal blocked;
  write(file.file());
  if (mode) {
    file.set_mode(*mode);
  }
  file.rename_to(name);
  // Some file systems cannot flush a directory and say so with EINVAL.
  if (retried([&] { return ::fsync(directory.number()); }) < 0 && errno != EINVAL) {
    throw CheckpointWriteError(
        fmt::format("checkpoint '{}' is in place, but its directory could not be flushed to disk: "
                    "{}; it may be lost if the power fails now",
                    path, error_text(errno)));
  }
}

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
