#include <algorithm>
#include <cstring>
#include <thread>

#include <fmt/format.h>
#include <sys/wait.h>

#include <rewind/io/detail/file.hpp>
#include <rewind/io/detail/wait_for_process.hpp>

namespace rw::io::detail {

std::optional<int> wait_for_process(pid_t process, std::chrono::steady_clock::time_point end) {
  std::chrono::microseconds pause(50);
  while (true) {
    int status = 0;
    const pid_t ended = retried([&] { return ::waitpid(process, &status, WNOHANG); });
    if (ended != 0) {
      return ended > 0 ? status : 0;
    }
    if (std::chrono::steady_clock::now() > end) {
      return std::nullopt;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::microseconds(2000));
  }
}

std::string ending_of(int status) {
  if (WIFEXITED(status)) {
    const int code = WEXITSTATUS(status);
    return code == 0 ? "" : fmt::format("ended with code {}", code);
  }
  const int signal = WTERMSIG(status);
  const char* const name = ::sigdescr_np(signal);
  return fmt::format("was ended by signal {} ({})", signal, name == nullptr ? "unknown" : name);
}

}  // namespace rw::io::detail
