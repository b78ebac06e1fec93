// Checkpoints and the file system: what may be at a path, and what happens to it.

#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <utility>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/autograd/tensor/sanitized.hpp>
#include <rewind/io/checkpoint.hpp>

#include "support/checkpoint_fixture.hpp"

using namespace rw::testing::checkpoints;

BOOST_AUTO_TEST_CASE(files_that_cannot_be_written) {
  const Folder folder;
  const StateList state = {{"a", numbers({2})}};
  BOOST_TEST(
      contains(message_of<io::CheckpointWriteError>([&] { io::save(folder / "no/x.h5", state); }),
               "No such file or directory"));
  BOOST_CHECK_THROW(io::save("", state), io::CheckpointWriteError);
  fs::create_directory(folder / "directory");
  BOOST_TEST(
      contains(message_of<io::CheckpointWriteError>([&] { io::save(folder / "directory", state); }),
               "Is a directory"));
  BOOST_CHECK_THROW(io::save((folder / "directory") + "/", state), io::CheckpointWriteError);
  BOOST_CHECK_THROW(io::save(folder / std::string(256, 'x').c_str(), state),
                    io::CheckpointWriteError);
  BOOST_REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  BOOST_CHECK_THROW(io::save(folder / "pipe", state), io::CheckpointWriteError);
  BOOST_TEST(folder.files().size() == 2u);
  BOOST_TEST(fs::is_empty(folder / "directory"));
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_read) {
  const Folder folder;
  const StateList state = {{"a", numbers({2})}};
  BOOST_TEST(
      contains(message_of<io::CheckpointReadError>([&] { io::load(folder / "no.h5", state); }),
               "No such file or directory"));
  BOOST_TEST(contains(message_of<io::CheckpointReadError>([&] { io::load(folder.path, state); }),
                      "it is a directory"));
  BOOST_REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  BOOST_CHECK_THROW(io::load(folder / "pipe", state), io::CheckpointReadError);
  for (const std::string& text : {std::string(), std::string("\x89HDF\r\n\x1a\n", 8),
                                  std::string("weights: 1, 2, 3\n"), std::string(5000, '\0')}) {
    write(folder / "x.h5", text);
    BOOST_CHECK_THROW(io::load(folder / "x.h5", state), io::CheckpointCorrupt);
    BOOST_CHECK_THROW(io::list(folder / "x.h5"), io::CheckpointCorrupt);
    BOOST_CHECK_THROW(io::read_attributes(folder / "x.h5"), io::CheckpointCorrupt);
  }
}

BOOST_AUTO_TEST_CASE(a_disk_that_fills_up_keeps_the_old_file) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  io::save(path, {{"a", numbers({2000})}});
  const std::string old = content_of(path);
  const StateList state = {{"a", numbers({2000}, rw::DType::float32, 2)}};
  for (const rlim_t limit : {0u, 1u, 511u, 4096u, 8191u}) {
    const pid_t child = ::fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      const rlimit bytes = {limit, limit};
      std::signal(SIGXFSZ, SIG_IGN);
      ::setrlimit(RLIMIT_FSIZE, &bytes);
      try {
        io::save(path, state);
      } catch (const io::CheckpointWriteError& error) {
        ::_exit(contains(error.what(), "File too large") ? 7 : 8);
      }
      ::_exit(9);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST(WIFEXITED(status));
    BOOST_TEST(WEXITSTATUS(status) == 7);
    BOOST_CHECK(content_of(path) == old);
    BOOST_TEST(folder.files().size() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(mode_and_symbolic_link_of_the_old_file_stay) {
  const Folder folder;
  const StateList first = {{"a", numbers({2})}};
  const StateList second = {{"a", numbers({3})}};
  io::save(folder / "x.h5", first);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  const auto mode = [&](const char* name) {
    struct stat status = {};
    BOOST_REQUIRE(::stat((folder / name).c_str(), &status) == 0);
    return status.st_mode & 07777;
  };
  BOOST_TEST(mode("x.h5") == (0666 & ~mask));
  for (const mode_t wanted : {0600u, 0640u, 0444u, 0666u}) {
    BOOST_REQUIRE(::chmod((folder / "x.h5").c_str(), wanted) == 0);
    io::save(folder / "x.h5", second);
    BOOST_TEST(mode("x.h5") == wanted);
  }
  fs::create_symlink("x.h5", folder / "latest.h5");
  io::save(folder / "latest.h5", first);
  BOOST_TEST(fs::is_symlink(folder / "latest.h5"));
  BOOST_CHECK(io::list(folder / "x.h5").at(0).shape == Shape{2});
  io::load(folder / "latest.h5", zeros_like(first));
  BOOST_TEST(folder.files().size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_symbolic_link_to_a_file_that_is_not_there_yet_is_followed) {
  const Folder folder;
  const StateList state = {{"a", numbers({2})}};
  fs::create_directory(folder / "runs");
  fs::create_directory(folder / "links");
  fs::create_symlink("runs/7.h5", folder / "latest.h5");
  fs::create_symlink("../latest.h5", folder / "links/newest.h5");
  fs::create_symlink(folder / "runs/8.h5", folder / "absolute.h5");
  for (const auto& [link, file] : {std::pair{"latest.h5", "runs/7.h5"},
                                   {"links/newest.h5", "runs/7.h5"},
                                   {"absolute.h5", "runs/8.h5"}}) {
    io::save(folder / link, state);
    BOOST_TEST(fs::is_symlink(folder / link));
    BOOST_TEST(fs::is_regular_file(fs::symlink_status(folder / file)));
    io::load(folder / link, zeros_like(state));
    fs::remove(folder / file);
  }

  fs::create_symlink("nowhere/x.h5", folder / "broken.h5");
  BOOST_TEST(
      contains(message_of<io::CheckpointWriteError>([&] { io::save(folder / "broken.h5", state); }),
               "No such file or directory"));
  fs::create_symlink("b.h5", folder / "a.h5");
  fs::create_symlink("a.h5", folder / "b.h5");
  BOOST_TEST(
      contains(message_of<io::CheckpointWriteError>([&] { io::save(folder / "a.h5", state); }),
               "symbolic links"));
  BOOST_TEST(fs::is_symlink(folder / "broken.h5"));
  BOOST_TEST(fs::is_symlink(folder / "a.h5"));
  BOOST_TEST(fs::is_empty(folder / "runs"));
}

BOOST_AUTO_TEST_CASE(a_relative_path_is_saved_in_the_working_directory) {
  const Folder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path);
  io::save("x.h5", {{"a", numbers({2})}});
  fs::current_path(before);
  BOOST_TEST(fs::exists(folder / "x.h5"));
}

// The allocators of sanitizers may stay locked in a process that is forked while another thread
// allocates.
BOOST_AUTO_TEST_CASE(a_process_forked_during_a_save_can_save,
                     *boost::unit_test::enable_if<!rw::detail::is_sanitized>()) {
  const Folder folder;
  const StateList state = {{"a", numbers({200})}, {"b/c", numbers({30})}};
  std::atomic<bool> done = false;
  std::jthread saver([&] {
    while (!done) {
      io::save(folder / "x.h5", state);
    }
  });
  int saved = 0;
  constexpr int forks = 30;
  for (int i = 0; i < forks; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(60);
      io::save(folder / "y.h5", state);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    saved += status == 0 ? 1 : 0;
  }
  done = true;
  BOOST_TEST(saved == forks);
}

BOOST_AUTO_TEST_CASE(the_next_save_removes_what_killed_processes_left) {
  const Folder folder;
  const StateList state = {{"a", numbers({2})}};
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  const std::string ended = fmt::format(".rewind-{}-0.tmp", child);
  const std::string living = fmt::format(".rewind-{}-123456.tmp", ::getppid());
  for (const std::string& name :
       {ended, living, std::string(".rewind-x-0.tmp"), fmt::format(".rewind-{}", child)}) {
    write(folder / name.c_str(), "left");
  }
  io::save(folder / "x.h5", state);
  BOOST_TEST(!fs::exists(folder / ended.c_str()));
  BOOST_TEST(fs::exists(folder / living.c_str()));
  BOOST_TEST(folder.files().size() == 4u);
}
