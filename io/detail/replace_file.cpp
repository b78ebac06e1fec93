#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rewind/io/detail/follow_links.hpp>
#include <rewind/io/detail/replace_file.hpp>

namespace rw::io::detail {
namespace {

constexpr std::string_view temporary_prefix = ".rewind-";
constexpr std::string_view temporary_suffix = ".tmp";

/// Whether `name` is that of a temporary file whose process has ended.
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

/// Removes the temporary files that killed processes left in a folder. A locked file belongs to a
/// process on another machine. What cannot be removed is left for the next save.
void remove_abandoned(int folder) {
  Descriptor again(
      retried([&] { return ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  const auto close = [](DIR* list) { ::closedir(list); };
  const std::unique_ptr<DIR, decltype(close)> list(again.valid() ? ::fdopendir(again.number())
                                                                 : nullptr);
  if (list == nullptr) {
    return;
  }
  again.release();
  while (const dirent* const entry = ::readdir(list.get())) {
    const char* const name = entry->d_name;
    if (!is_of_ended_process(name)) {
      continue;
    }
    const Descriptor file(retried(
        [&] { return ::openat(folder, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); }));
    if (file.valid() && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0) {
      ::unlinkat(folder, name, 0);
    }
  }
}

/// A file under a unique name in a folder, removed at the end of its scope unless it was renamed.
class TemporaryFile {
 public:
  TemporaryFile(const FileTarget& target, int folder, mode_t mode)
      : target_(target), folder_(folder), file_(target, create(mode)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) {
      ::unlinkat(folder_, name_.c_str(), 0);
    }
  }

  OutputFile& file() { return file_; }

  /// Copies owner, group and mode of the file that is replaced (Note [Atomic replacement]).
  void take_rights_of(const struct stat& old) {
    const int file = file_.descriptor().number();
    struct stat now = {};
    if (::fstat(file, &now) < 0) {
      fail_to_write(target_, "look at the temporary file", errno);
    }
    mode_t mode = old.st_mode & 07777;
    const bool same = now.st_uid == old.st_uid && now.st_gid == old.st_gid;
    if (!same && ::fchown(file, old.st_uid, old.st_gid) < 0) {
      mode &= 0777;
      if (now.st_gid != old.st_gid && ::fchown(file, static_cast<uid_t>(-1), old.st_gid) < 0) {
        // A different group gets the rights that everybody has.
        mode = (mode & ~mode_t{S_IRWXG}) | ((mode & S_IRWXO) << 3);
      }
    }
    if (::fchmod(file, mode) < 0) {
      fail_to_write(target_, "keep the mode of the old file", errno);
    }
  }

  /// Flushes the bytes to disk and gives the file its final name.
  void rename_to(const std::string& name) {
    if (retried([&] { return ::fsync(file_.descriptor().number()); }) < 0) {
      fail_to_write(target_, "flush to disk", errno);
    }
    if (file_.descriptor().close() < 0) {
      fail_to_write(target_, "close", errno);
    }
    if (::renameat(folder_, name_.c_str(), folder_, name.c_str()) < 0) {
      fail_to_write(target_, "rename the finished file", errno);
    }
    name_.clear();
  }

 private:
  Descriptor create(mode_t mode) {
    static std::atomic<unsigned> counter = 0;
    int number = -1;
    // A killed process with the same id may have left a file of this name.
    do {
      name_ = fmt::format("{}{}-{}{}", temporary_prefix, ::getpid(), counter++, temporary_suffix);
      number = retried([&] {
        return ::openat(folder_, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
      });
    } while (number < 0 && errno == EEXIST);
    if (number < 0) {
      const int reason = errno;
      name_.clear();
      fail_to_write(target_, "create a temporary file beside it", reason);
    }
    ::flock(number, LOCK_EX | LOCK_NB);  // tells remove_abandoned() that the file is in use
    return Descriptor(number);
  }

  const FileTarget& target_;
  int folder_;
  std::string name_;
  OutputFile file_;
};

/// While it exists, a write beyond RLIMIT_FSIZE fails with EFBIG instead of killing the process.
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

/// The file that will be replaced, if there is one.
std::optional<struct stat> old_file(const FileTarget& target, const FolderEntry& place) {
  struct stat status = {};
  if (::fstatat(place.folder.number(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    fail_to_write(target, "look at the old file", errno);
  }
  if (S_ISDIR(status.st_mode)) {
    fail_to_write(target, "replace it", EISDIR);
  }
  if (!S_ISREG(status.st_mode)) {
    fail_to_write(target, "that is a device, pipe or socket, expected a regular file");
  }
  return status;
}

}  // namespace

void OutputFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = retried([&] {
      return ::pwrite(descriptor_.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (count <= 0) {
      fail_to_write(target_, "write", count == 0 ? EIO : errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

void replace_file(const FileTarget& target, const std::function<void(OutputFile&)>& write) {
  const FolderEntry place = follow_links(target);
  const int folder = place.folder.number();
  const std::optional<struct stat> old = old_file(target, place);
  remove_abandoned(folder);
  TemporaryFile file(target, folder, old ? S_IRUSR | S_IWUSR : 0666);
  const BlockedFileSizeSignal blocked;
  write(file.file());
  if (old) {
    file.take_rights_of(*old);
  }
  file.rename_to(place.name);
  // Some file systems cannot flush a directory and say so with EINVAL.
  if (retried([&] { return ::fsync(folder); }) < 0 && errno != EINVAL) {
    fail_to_flush_folder(target, errno);
  }
}

void replace_file(const FileTarget& target, std::string_view content) {
  replace_file(target, [&](OutputFile& file) { file.write(0, std::as_bytes(std::span(content))); });
}

}  // namespace rw::io::detail
