#include "harness.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

namespace faults {

std::int64_t Folder::temporaries() const {
  const std::vector<std::string> names = files();
  return std::ranges::count_if(names, [](const std::string& name) { return name != "model.h5"; });
}

Model::Model(std::int64_t elements)
    : state_{{"model/cell/w", rw::zeros({elements})},
             {"model/cell/bias", rw::zeros({7}, rw::DType::float64)},
             {"optimizer/step", rw::zeros({}, rw::DType::int64)}} {}

void Model::set(std::int64_t generation) {
  for (rw::StateEntry& entry : state_) {
    rw::dispatch(entry.tensor.dtype(), [&](auto type) {
      using T = decltype(type);
      T* const data = entry.tensor.mutable_data<T>();
      std::fill_n(data, entry.tensor.elements(), static_cast<T>(generation));
    });
  }
}

std::int64_t Model::generation() const {
  std::int64_t found = -1;
  bool is_first = true;
  for (const rw::StateEntry& entry : state_) {
    rw::dispatch(entry.tensor.dtype(), [&](auto type) {
      using T = decltype(type);
      for (std::int64_t i = 0; i < entry.tensor.elements(); ++i) {
        const auto value = static_cast<std::int64_t>(entry.tensor.data<T>()[i]);
        found = is_first || found == value ? value : -1;
        is_first = false;
      }
    });
  }
  return found;
}

void save(const std::string& path, std::int64_t generation, std::int64_t elements) {
  Model model(elements);
  model.set(generation);
  rw::io::save(path, model.state());
}

std::int64_t load(const std::string& path, std::int64_t elements) {
  try {
    Model model(elements);
    rw::io::load(path, model.state());
    return model.generation();
  } catch (const std::exception&) {
    return -1;
  }
}

Ending in_child(const std::function<int()>& work, int seconds) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = work();
    } catch (const std::exception& error) {
      fmt::print(stderr, "{}\n", error.what());
    }
    ::_exit(code);
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int status = 0;
  Ending ending;
  auto pause = std::chrono::microseconds(50);
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      ending.hung = true;
      return ending;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::microseconds(2000));
  }
  ending.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return ending;
}

void Count::add(const Ending& ending) {
  if (ending.code == not_reached) {
    return;
  }
  ++tries;
  lost += ending.code == faults::lost ? 1 : 0;
  stuck += ending.code == faults::stuck || ending.code == 99 ? 1 : 0;
  left += ending.code == faults::left ? 1 : 0;
  crashes += ending.signal != 0 ? 1 : 0;
  hangs += ending.hung ? 1 : 0;
}

}  // namespace faults
