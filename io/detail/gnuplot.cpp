#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rewind/io/detail/file.hpp>
#include <rewind/io/detail/gnuplot.hpp>
#include <rewind/io/detail/wait_for_process.hpp>

namespace rw::io::detail {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t most_picture_bytes = 64 << 20;
constexpr std::size_t most_word_bytes = 400;  // of gnuplot's own words in a message

struct Ends {
  Descriptor ours, theirs;
};

/// Both ends of a pipe or socket that `make` opens. Neither gets number 0, 1 or 2, even if this
/// process has closed those, because gnuplot's process needs them for its standard streams.
template <class Make>
Ends open_ends(const FileTarget& target, Make make) {
  std::array<int, 2> numbers{};
  if (make(numbers.data()) < 0) {
    fail_to_write(target, "open a pipe to gnuplot", errno);
  }
  const std::array<Descriptor, 2> opened = {Descriptor(numbers[0]), Descriptor(numbers[1])};
  const auto above = [&](const Descriptor& file) {
    Descriptor moved(::fcntl(file.number(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!moved.valid()) {
      fail_to_write(target, "open a pipe to gnuplot", errno);
    }
    return moved;
  };
  return {above(opened[0]), above(opened[1])};
}

/// The gnuplot process, in a process group of its own; killed at the end of the scope.
class Process {
 public:
  Process(const FileTarget& target, const Descriptor& input, const Descriptor& output,
          const Descriptor& words) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input.number(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, output.number(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, words.number(), STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    char name[] = "gnuplot";
    char defaults[] = "-d";  // do not read the user's start-up files
    char* arguments[] = {name, defaults, nullptr};
    const int failed = ::posix_spawnp(&number_, name, &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (failed == ENOENT) {
      fail_to_write(target, "gnuplot is not installed, expected it in PATH; install it");
    }
    if (failed != 0) {
      fail_to_write(target, "run gnuplot", failed);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (!has_ended_) {
      ::kill(-number_, SIGKILL);  // and all processes that it started
      wait_for_process(number_, Clock::time_point::max());
    }
  }

  /// Its exit status; nothing if it still runs at `end`.
  std::optional<int> wait(Clock::time_point end) {
    const std::optional<int> status = wait_for_process(number_, end);
    has_ended_ = status.has_value();
    return status;
  }

 private:
  pid_t number_ = 0;
  bool has_ended_ = false;
};

struct Output {
  std::string picture;
  std::string words;  // the end of its standard error
  bool is_late = false;
};

/// Reads what is available. Returns false at the end.
bool read_some(const Descriptor& from, std::string& to) {
  std::array<char, 65536> bytes;
  const ssize_t count = retried([&] { return ::read(from.number(), bytes.data(), bytes.size()); });
  to.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return count > 0;
}

/// Sends the script and collects what gnuplot writes, until it closes both outputs.
Output talk(Descriptor input, Descriptor output, Descriptor words, std::string_view script,
            Clock::time_point end) {
  Output result;
  while (output.valid() || words.valid()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    result.is_late = left.count() <= 0;
    if (result.is_late || result.picture.size() > most_picture_bytes) {
      break;
    }
    std::array<pollfd, 3> files = {pollfd{input.number(), POLLOUT, 0},
                                   pollfd{output.number(), POLLIN, 0},
                                   pollfd{words.number(), POLLIN, 0}};  // poll ignores -1
    if (::poll(files.data(), files.size(),
               static_cast<int>(std::min<std::int64_t>(left.count(), 1000))) <= 0) {
      continue;
    }
    if (files[0].revents != 0) {
      // Without MSG_NOSIGNAL, SIGPIPE would end the program if gnuplot stopped reading.
      const ssize_t count =
          ::send(input.number(), script.data(), script.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count >= 0) {
        script.remove_prefix(static_cast<std::size_t>(count));
      }
      if (script.empty() || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        input.close();
      }
    }
    if (files[1].revents != 0 && !read_some(output, result.picture)) {
      output.close();
    }
    if (files[2].revents != 0) {
      if (!read_some(words, result.words)) {
        words.close();
      }
      result.words.erase(0, result.words.size() - std::min(result.words.size(), most_word_bytes));
    }
  }
  return result;
}

/// `words` in one line of printable characters: ": gnuplot> plot ^ line 3: all points y value
/// undefined!". Empty if there are none.
std::string on_one_line(std::string_view words) {
  std::string line;
  bool is_between = true;
  for (const char c : words) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      is_between = true;
      continue;
    }
    if (is_between) {
      line += line.empty() ? ": " : " ";
      is_between = false;
    }
    line += byte > ' ' && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return line;
}

bool is_cut_off_png(std::string_view picture) {
  return picture.starts_with("\x89PNG\r\n\x1a\n") && !picture.ends_with("IEND\xae\x42\x60\x82");
}

}  // namespace

std::string run_gnuplot(const FileTarget& target, const std::string& script,
                        std::chrono::milliseconds time_limit) {
  const Clock::time_point end = Clock::now() + time_limit;
  const auto make_pipe = [](int* numbers) { return ::pipe2(numbers, O_CLOEXEC); };
  // A socket and not a pipe, because send() can suppress SIGPIPE.
  Ends input = open_ends(target, [](int* numbers) {
    return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers);
  });
  Ends output = open_ends(target, make_pipe);
  Ends words = open_ends(target, make_pipe);
  Process process(target, input.theirs, output.theirs, words.theirs);
  for (Ends* const ends : {&input, &output, &words}) {
    ends->theirs.close();
  }
  Output result =
      talk(std::move(input.ours), std::move(output.ours), std::move(words.ours), script, end);
  if (result.picture.size() > most_picture_bytes) {
    fail_to_write(target, fmt::format("gnuplot wrote more than {} MiB", most_picture_bytes >> 20));
  }
  const std::optional<int> status = result.is_late ? std::nullopt : process.wait(end);
  const std::string said = on_one_line(result.words);
  if (!status) {
    fail_to_write(target, fmt::format("gnuplot did not end within {} s{}",
                                      std::chrono::duration<double>(time_limit).count(), said));
  }
  if (*status != 0) {
    fail_to_write(target, fmt::format("gnuplot {}{}", ending_of(*status), said));
  }
  if (result.picture.empty() || is_cut_off_png(result.picture)) {
    fail_to_write(target, fmt::format("gnuplot wrote {}{}",
                                      result.picture.empty() ? "nothing" : "half a picture", said));
  }
  return std::move(result.picture);
}

}  // namespace rw::io::detail
