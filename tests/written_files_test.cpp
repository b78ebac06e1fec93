// What holds for every file that Rewind writes: the old file stays until the new one is complete,
// and then passes on its name, owner and mode.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/as_user.hpp"
#include "support/kinds_of_files.hpp"
#include "support/messages.hpp"

namespace {

using namespace rw::testing;
namespace fs = std::filesystem;
namespace io = rw::io;

constexpr uid_t somebody = 1234;

void put(const std::string& path, std::string_view content) { std::ofstream(path) << content; }

struct stat status_of(const std::string& path) {
  struct stat status = {};
  BOOST_REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

mode_t mode_of(const std::string& path) { return status_of(path).st_mode & 07777; }

/// The error message; empty if there is no error, or one of another type.
std::string message_of_failure(const KindOfFile& kind, const std::string& path) {
  try {
    kind.write(path);
  } catch (const io::FileError& error) {
    return kind.name == "checkpoint" ? "" : error.what();
  } catch (const io::CheckpointWriteError& error) {
    return kind.name == "checkpoint" ? error.what() : "";
  }
  return "";
}

/// A file system of 64 KiB in a folder, if mounting is allowed.
struct SmallFileSystem {
  explicit SmallFileSystem(fs::path folder)
      : path(std::move(folder)),
        is_mounted(::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64k") == 0) {}
  ~SmallFileSystem() {
    if (is_mounted) {
      ::umount(path.c_str());
    }
  }
  fs::path path;
  bool is_mounted;
};

/// Writes each kind of file while `gnuplot` is a program that draws at once.
struct AllKinds {
  const FakeGnuplot fake{FakeGnuplot::draws()};
  const std::vector<KindOfFile> kinds = kinds_of_files();
  const TemporaryFolder folder;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(written_files, AllKinds)

BOOST_AUTO_TEST_CASE(a_disk_that_fills_up_keeps_the_old_file) {
  for (const KindOfFile& kind : kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      const std::string path = folder / kind.name;
      put(path, "old");
      for (const bool ignores : {true, false}) {
        const int code = code_of_child([&] {
          const rlimit bytes = {10, 10};
          ::signal(SIGXFSZ, ignores ? SIG_IGN : SIG_DFL);
          ::setrlimit(RLIMIT_FSIZE, &bytes);
          const std::string message = message_of_failure(kind, path);
          return contains(message, "File too large") &&
                         contains(message, "a file that was there before is as it was")
                     ? 7
                     : 8;
        });
        BOOST_TEST(code == 7);
        BOOST_TEST(content_of(path) == "old");
      }
    }
  }
  BOOST_TEST(folder.files().size() == kinds.size());
}

BOOST_AUTO_TEST_CASE(a_full_file_system_keeps_the_old_file) {
  const SmallFileSystem small(folder.path);
  if (!small.is_mounted) {
    fmt::print(stderr, "skipped: no file system of 64 KiB can be mounted\n");
    return;
  }
  for (const KindOfFile& kind : kinds) {
    put(folder / kind.name, "old");
  }
  put(folder / "ballast", std::string(1 << 20, 'x'));  // as much as fits
  for (const KindOfFile& kind : kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      BOOST_TEST(contains(message_of_failure(kind, folder / kind.name), "No space left on device"));
      BOOST_TEST(content_of(folder / kind.name) == "old");
    }
  }
  BOOST_TEST(folder.files().size() == kinds.size() + 1);
  fs::remove(folder / "ballast");
  for (const KindOfFile& kind : kinds) {
    kind.write(folder / kind.name);
    BOOST_TEST(content_of(folder / kind.name) != "old");
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_is_refused) {
  fs::create_directory(folder / "directory");
  BOOST_REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const KindOfFile& kind : kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      const auto fails = [&](const std::string& path, const std::string& part) {
        check_contains(message_of_failure(kind, path), {part, path});
      };
      fails(folder / "no/file", "No such file or directory");
      fails("", "Invalid argument");
      BOOST_TEST(!message_of_failure(kind, folder / std::string("a\0b", 3)).empty());
      fails(folder / "directory", "Is a directory");
      fails(folder / "directory/", "Is a directory");
      fails(folder / "pipe", "expected a regular file");
      fails(folder / "pipe/file", "Not a directory");
      fails(folder / std::string(256, 'x'), "File name too long");
      fails("/dev/null", "expected a regular file");
      BOOST_TEST(S_ISCHR(status_of("/dev/null").st_mode));
    }
  }
  BOOST_TEST(folder.files().size() == 2U);
  BOOST_TEST(fs::is_empty(folder / "directory"));
}

BOOST_AUTO_TEST_CASE(the_message_names_the_function_that_was_called) {
  const std::vector<std::string> beginnings = {"checkpoint '", "write_csv: table '",
                                               "plot_history: picture '", "write_file: file '"};
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    BOOST_TEST(message_of_failure(kinds[i], folder / "no/file").starts_with(beginnings.at(i)));
  }
}

BOOST_AUTO_TEST_CASE(the_mode_stays) {
  const mode_t mask = ::umask(027);
  for (const KindOfFile& kind : kinds) {
    const std::string path = folder / kind.name;
    kind.write(path);
    BOOST_TEST(mode_of(path) == 0640U);
    for (const mode_t mode : {0600U, 0444U, 0666U}) {
      BOOST_REQUIRE(::chmod(path.c_str(), mode) == 0);
      kind.write(path);
      BOOST_TEST(mode_of(path) == mode);
    }
  }
  ::umask(mask);
}

BOOST_AUTO_TEST_CASE(owner_and_group_stay) {
  if (!is_root()) {
    return;
  }
  for (const KindOfFile& kind : kinds) {
    const std::string path = folder / kind.name;
    put(path, "old");
    BOOST_REQUIRE(::chown(path.c_str(), somebody, somebody + 1) == 0);
    BOOST_REQUIRE(::chmod(path.c_str(), 0640) == 0);
    kind.write(path);
    BOOST_TEST(content_of(path) != "old");
    BOOST_TEST(status_of(path).st_uid == somebody);
    BOOST_TEST(status_of(path).st_gid == somebody + 1);
    BOOST_TEST(mode_of(path) == 0640U);
  }
}

BOOST_AUTO_TEST_CASE(a_user_who_may_not_give_files_away_gets_the_file) {
  if (!is_root()) {
    return;
  }
  const std::string path = folder / "file";
  BOOST_REQUIRE(::chmod(folder.path.c_str(), 0777) == 0);
  const auto replaced_as = [&](mode_t mode, const std::vector<gid_t>& groups) {
    fs::remove(path);
    put(path, "old");
    BOOST_REQUIRE(::chown(path.c_str(), somebody, somebody) == 0);
    BOOST_REQUIRE(::chmod(path.c_str(), mode) == 0);
    const auto write = [&] {
      io::write_file(path, "new");
      return 0;
    };
    BOOST_TEST(code_as_nobody(write, groups) == 0);
    BOOST_TEST(content_of(path) == "new");
    return status_of(path);
  };
  // In the group, but not the owner: only the group is kept, and the set-user-ID bit is dropped.
  struct stat status = replaced_as(06750, {somebody});
  BOOST_TEST(status.st_uid == nobody);
  BOOST_TEST(status.st_gid == somebody);
  BOOST_TEST((status.st_mode & 07777) == 0750U);
  // Neither owner nor in the group: the group's rights do not go to another group.
  status = replaced_as(0664, {});
  BOOST_TEST(status.st_uid == nobody);
  BOOST_TEST(status.st_gid == nobody);
  BOOST_TEST((status.st_mode & 07777) == 0644U);
  status = replaced_as(0660, {});
  BOOST_TEST((status.st_mode & 07777) == 0600U);
}

BOOST_AUTO_TEST_CASE(symbolic_links_are_followed) {
  fs::create_directory(folder / "runs");
  fs::create_directory(folder / "links");
  fs::create_symlink("runs/file", folder / "link");
  fs::create_symlink("../link", folder / "links/link");
  fs::create_symlink(folder / "runs/file", folder / "absolute");
  fs::create_symlink("runs/", folder / "folder");
  fs::create_symlink("loop", folder / "loop");
  fs::create_symlink("no/file", folder / "broken");
  for (const KindOfFile& kind : kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      for (const char* const path :
           {"link", "links/link", "absolute", "folder/file", "folder/../links/.././link"}) {
        kind.write(folder / path);  // to a file that does not exist yet
        BOOST_TEST(fs::is_regular_file(fs::symlink_status(folder / "runs/file")));
        put(folder / "runs/file", "old");
        kind.write(folder / path);
        BOOST_TEST(content_of(folder / "runs/file") != "old");
        fs::remove(folder / "runs/file");
      }
      check_contains(message_of_failure(kind, folder / "loop"), {"symbolic links"});
      check_contains(message_of_failure(kind, folder / "broken"), {"No such file or directory"});
    }
  }
  for (const char* const link : {"link", "links/link", "absolute", "folder", "loop", "broken"}) {
    BOOST_TEST(fs::is_symlink(folder / link));
  }
}

BOOST_AUTO_TEST_CASE(a_link_that_somebody_else_planted_is_refused) {
  if (!is_root()) {
    return;
  }
  const std::string shared = folder / "shared";
  fs::create_directory(shared);
  put(folder / "precious", "old");
  fs::create_symlink(folder / "precious", shared + "/link");
  fs::create_symlink(folder / "missing", shared + "/dangling");
  fs::create_symlink(folder.path, shared + "/to_folder");
  for (const char* const link : {"/link", "/dangling", "/to_folder"}) {
    BOOST_REQUIRE(::lchown((shared + link).c_str(), somebody, somebody) == 0);
  }
  BOOST_REQUIRE(::chmod(shared.c_str(), 01777) == 0);
  for (const KindOfFile& kind : kinds) {
    BOOST_TEST_CONTEXT(kind.name) {
      for (const char* const path : {"/link", "/dangling", "/to_folder/precious"}) {
        check_contains(message_of_failure(kind, shared + path),
                       {"everybody may write", "belongs to user 1234", "remove the link"});
      }
      BOOST_TEST(content_of(folder / "precious") == "old");
      BOOST_TEST(!fs::exists(folder / "missing"));
      BOOST_TEST(fs::is_symlink(shared + "/link"));
    }
  }

  const auto follows = [&](const std::string& path) {
    put(folder / "precious", "old");
    try {
      io::write_file(path, "new");
    } catch (const io::FileError&) {
      BOOST_TEST(content_of(folder / "precious") == "old");
      return false;
    }
    return content_of(folder / "precious") == "new";
  };
  // Not writable for everybody, or not sticky, where anybody may replace anything anyway.
  for (const mode_t mode : {01775U, 0777U, 0755U}) {
    BOOST_REQUIRE(::chmod(shared.c_str(), mode) == 0);
    BOOST_TEST(follows(shared + "/link"));
  }
  BOOST_REQUIRE(::chmod(shared.c_str(), 01777) == 0);
  BOOST_TEST(!follows(shared + "/link"));
  BOOST_REQUIRE(::chown(shared.c_str(), somebody, somebody) == 0);
  BOOST_TEST(follows(shared + "/link"));  // belongs to the folder's owner
}

BOOST_AUTO_TEST_CASE(own_links_in_a_shared_folder_are_followed) {
  if (!is_root()) {
    return;
  }
  const std::string shared = folder / "shared";
  fs::create_directory(shared);
  BOOST_REQUIRE(::chmod(folder.path.c_str(), 0777) == 0);
  for (const uid_t owner : {nobody, uid_t{0}, somebody}) {
    const std::string link = fmt::format("{}/{}", shared, owner);
    fs::create_symlink(folder / "file", link);
    BOOST_REQUIRE(::lchown(link.c_str(), owner, owner) == 0);
  }
  BOOST_REQUIRE(::chmod(shared.c_str(), 01777) == 0);
  const auto code = [&](uid_t owner) {
    return code_as_nobody([&] {
      const std::string link = fmt::format("{}/{}", shared, owner);
      return message_of_failure(kinds.back(), link).empty() ? 7 : 8;
    });
  };
  BOOST_TEST(code(nobody) == 7);
  BOOST_TEST(code(0) == 7);  // belongs to the folder's owner
  BOOST_TEST(code(somebody) == 8);
}

BOOST_AUTO_TEST_CASE(what_killed_processes_left_is_removed) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  for (const KindOfFile& kind : kinds) {
    const std::string left = folder / fmt::format(".rewind-{}-0.tmp", child);
    put(left, "left");
    kind.write(folder / kind.name);
    BOOST_TEST(!fs::exists(left));
  }
}

BOOST_AUTO_TEST_SUITE_END()
