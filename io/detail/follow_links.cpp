#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rewind/io/detail/follow_links.hpp>

namespace rw::io::detail {
namespace {

constexpr int most_links = 40;  // Linux's own limit

Descriptor open_in(int folder, const std::string& name, int flags) {
  return Descriptor(retried([&] { return ::openat(folder, name.c_str(), flags | O_CLOEXEC); }));
}

struct stat status_of(const FileTarget& target, const Descriptor& file) {
  struct stat status = {};
  if (::fstat(file.number(), &status) < 0) {
    fail_to_write(target, "follow its path", errno);
  }
  return status;
}

/// Note [Planted links]
void check_not_planted(const FileTarget& target, const std::string& name, const struct stat& folder,
                       const struct stat& link) {
  constexpr mode_t everybody = S_ISVTX | S_IWOTH;
  if ((folder.st_mode & everybody) == everybody && link.st_uid != ::geteuid() &&
      link.st_uid != folder.st_uid) {
    fail_to_write(target, fmt::format("its symbolic link '{}' is in a folder where everybody may "
                                      "write, and belongs to user {}, expected one of user {} or "
                                      "of the folder's owner, {}; remove the link or choose "
                                      "another folder",
                                      name, link.st_uid, ::geteuid(), folder.st_uid));
  }
}

std::string content_of(const FileTarget& target, const Descriptor& link) {
  std::array<char, PATH_MAX> text;
  const ssize_t bytes = ::readlinkat(link.number(), "", text.data(), text.size());
  if (bytes < 0) {
    fail_to_write(target, "follow its symbolic link", errno);
  }
  return {text.data(), static_cast<std::size_t>(bytes)};
}

/// Removes and returns the first component of `path`, which must have one.
std::string take_component(std::string& path) {
  const std::size_t begin = path.find_first_not_of('/');
  const std::size_t end = std::min(path.find('/', begin), path.size());
  std::string name = path.substr(begin, end - begin);
  path.erase(0, end);
  return name;
}

}  // namespace

FolderEntry follow_links(const FileTarget& target) {
  if (target.path.empty() || target.path.find('\0') != std::string::npos) {
    fail_to_write(target, "use this as the name of a file", EINVAL);
  }
  const auto start_of = [&](const std::string& path) {
    Descriptor start = open_in(AT_FDCWD, path.starts_with('/') ? "/" : ".", O_PATH | O_DIRECTORY);
    if (!start.valid()) {
      fail_to_write(target, "open its directory", errno);
    }
    return start;
  };

  std::string path = target.path;
  Descriptor folder = start_of(path);
  int links = 0;
  while (path.find_first_not_of('/') != std::string::npos) {
    const std::string name = take_component(path);
    const bool is_last = path.empty();
    Descriptor entry = open_in(folder.number(), name, O_PATH | O_NOFOLLOW);
    if (!entry.valid() && !(is_last && errno == ENOENT)) {
      fail_to_write(target, is_last ? "look at the old file" : "open its directory", errno);
    }
    const bool is_link = entry.valid() && S_ISLNK(status_of(target, entry).st_mode);
    if (is_link) {
      check_not_planted(target, name, status_of(target, folder), status_of(target, entry));
      if (++links > most_links) {
        fail_to_write(target, "follow its symbolic links", ELOOP);
      }
      path.insert(0, content_of(target, entry));
      if (path.starts_with('/')) {
        folder = start_of(path);
      }
    } else if (is_last) {
      Descriptor readable = open_in(folder.number(), ".", O_RDONLY | O_DIRECTORY);
      if (!readable.valid()) {
        fail_to_write(target, "open its directory", errno);
      }
      return {std::move(readable), name};
    } else {
      folder = std::move(entry);
    }
  }
  fail_to_write(target, "use this as the name of a file", EISDIR);
}

}  // namespace rw::io::detail
