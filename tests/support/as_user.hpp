#pragma once
// Helpers for tests with files of other users, which only root can create.

#include <exception>
#include <functional>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/core.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace rw::testing {

inline constexpr uid_t nobody = 65534;

/// Whether this is root. If not, prints that a test is skipped.
inline bool is_root() {
  const bool is = ::geteuid() == 0;
  if (!is) {
    fmt::print(stderr, "skipped: only root can give files to another user\n");
  }
  return is;
}

/// The exit code of a child that runs `work`; 99 if it throws.
inline int code_of_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    int code = 99;
    try {
      code = work();
    } catch (const std::exception& error) {
      fmt::print(stderr, "in a child: {}\n", error.what());
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/// The same as user and group `nobody`, also as a member of `groups`.
inline int code_as_nobody(const std::function<int()>& work, const std::vector<gid_t>& groups = {}) {
  return code_of_child([&] {
    if (::setgroups(groups.size(), groups.data()) != 0 ||
        ::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0) {
      return 98;
    }
    return work();
  });
}

}  // namespace rw::testing
