#include "common/plot.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/autograd/views.hpp>

#include "common/colour.hpp"

namespace examples {

namespace {

constexpr const char* head = "set terminal pngcairo size 900,540\nset grid\nset key bottom right\n";

/// Until the end of the scope, writing to a process that has ended is an error instead of our own
/// end.
class IgnoreBrokenPipe {
 public:
  IgnoreBrokenPipe() { before_ = std::signal(SIGPIPE, SIG_IGN); }
  ~IgnoreBrokenPipe() { std::signal(SIGPIPE, before_); }
  IgnoreBrokenPipe(const IgnoreBrokenPipe&) = delete;
  IgnoreBrokenPipe& operator=(const IgnoreBrokenPipe&) = delete;

 private:
  void (*before_)(int);
};

bool write_all(int file, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::write(file, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) {
      return false;
    }
    done += n < 0 ? 0 : static_cast<std::size_t>(n);
  }
  return true;
}

/// Starts gnuplot with `script` as its standard input and `picture` as its standard output. An
/// error number, or 0.
int feed_gnuplot(const std::string& script, int picture) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return errno;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, picture, STDOUT_FILENO);
  char name[] = "gnuplot";
  char* arguments[] = {name, nullptr};
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, name, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[0]);
  if (failed != 0) {
    ::close(ends[1]);
    return failed;
  }
  const IgnoreBrokenPipe ignore;
  const bool written = write_all(ends[1], script);
  ::close(ends[1]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return written && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EIO;
}

void plot_lines(const std::string& path, const char* quantity, const std::vector<Curve>& curves,
                double Curve::Point::*value, double scale) {
  std::string script = head;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    script += fmt::format("$curve{} << END\n", i);
    for (const Curve::Point& point : curves[i].points) {
      script += fmt::format("{} {}\n", point.epoch, scale * point.*value);
    }
    script += "END\n";
  }
  script += fmt::format("set xlabel 'epoch'\nset ylabel '{}'\nplot ", quantity);
  for (std::size_t i = 0; i < curves.size(); ++i) {
    script +=
        fmt::format("$curve{} using 1:2 with lines linewidth 2 title '{}', ", i, curves[i].label);
  }
  gnuplot(script + "\n", path);
}

struct HeatMap {
  std::string symbols;                     // one for each step
  std::vector<std::vector<double>> units;  // [unit][step]
  double largest = 0;                      // magnitude
};

HeatMap heat_map(const std::string& symbols, const rw::Tensor& hidden) {
  const std::vector<float> values = hidden.to_vector<float>();
  const std::size_t count = values.size() / std::max<std::size_t>(1, symbols.size());
  HeatMap map{symbols, std::vector(count, std::vector<double>(symbols.size())), 1e-12};
  for (std::size_t t = 0; t < symbols.size(); ++t) {
    for (std::size_t unit = 0; unit < count; ++unit) {
      const double value = values[t * count + unit];
      map.units[unit][t] = value;
      map.largest = std::max(map.largest, std::abs(value));
    }
  }
  return map;
}

std::string heat_map_script(const HeatMap& map) {
  std::string script = head;
  script += "$map << END\n";
  for (const std::vector<double>& unit : map.units) {
    script += fmt::format("{}\n", fmt::join(unit, " "));
  }
  script += "END\nset xtics (";
  const bool crowded = map.symbols.size() > 60;  // then only those that matter
  for (std::size_t t = 0; t < map.symbols.size(); ++t) {
    const char symbol = map.symbols[t];
    if (!crowded || symbol < 'a') {
      script += fmt::format("'{}' {}, ", symbol, t);
    }
  }
  script.resize(script.size() - 2);
  script += fmt::format(
      ")\nset title 'hidden state over time'\nset xlabel 'symbol'\nset ylabel 'unit'\n"
      "unset key\nunset grid\nset ytics 1\nset cbrange [{0}:{1}]\n"
      "set palette defined (-1 'blue', 0 'white', 1 'red')\n"
      "set xrange [-0.5:{2}]\nset yrange [{3}:-0.5]\nplot $map matrix with image\n",
      -map.largest, map.largest, static_cast<double>(map.symbols.size()) - 0.5,
      static_cast<double>(map.units.size()) - 0.5);
  return script;
}

/// Steps become fewer until they fit into a line; of several in one place the largest value and the
/// first capital letter stay.
HeatMap narrowed(const HeatMap& map, std::size_t width) {
  const std::size_t pool = (map.symbols.size() + width - 1) / width;
  const std::size_t steps = (map.symbols.size() + pool - 1) / std::max<std::size_t>(1, pool);
  HeatMap result{std::string(steps, ' '), std::vector(map.units.size(), std::vector<double>(steps)),
                 map.largest};
  for (std::size_t t = 0; t < map.symbols.size(); ++t) {
    char& symbol = result.symbols[t / pool];
    symbol = symbol == ' ' || (symbol >= 'a' && map.symbols[t] < 'a') ? map.symbols[t] : symbol;
    for (std::size_t unit = 0; unit < map.units.size(); ++unit) {
      double& value = result.units[unit][t / pool];
      value = std::abs(map.units[unit][t]) > std::abs(value) ? map.units[unit][t] : value;
    }
  }
  return result;
}

}  // namespace

bool gnuplot(const std::string& script, const std::string& path) {
  const int picture = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (picture < 0) {
    fmt::print(stderr, "cannot write {}: {}\n", path, std::strerror(errno));
    return false;
  }
  const int failed = feed_gnuplot(script, picture);
  ::close(picture);
  if (failed != 0) {
    std::filesystem::remove(path);
    fmt::print(stderr, "no {}: {}\n", path,
               failed == ENOENT ? "gnuplot is not installed" : "gnuplot failed");
    return false;
  }
  fmt::print("wrote {}\n", path);
  return true;
}

void plot_curves(const std::string& folder, const std::vector<Curve>& curves) {
  std::vector<Curve> drawn;
  std::copy_if(curves.begin(), curves.end(), std::back_inserter(drawn),
               [](const Curve& curve) { return !curve.points.empty(); });
  if (!folder.empty() && !drawn.empty()) {
    plot_lines(folder + "/loss.png", "loss", drawn, &Curve::Point::loss, 1.0);
    plot_lines(folder + "/accuracy.png", "accuracy in %", drawn, &Curve::Point::accuracy, 100.0);
  }
}

void plot_hidden_state(const std::string& folder, const std::string& symbols,
                       const rw::Tensor& hidden) {
  const HeatMap map = heat_map(symbols, hidden);
  if (!folder.empty() && gnuplot(heat_map_script(map), folder + "/hidden_state.png")) {
    return;
  }
  const HeatMap narrow = narrowed(map, 100);
  fmt::print("\nhidden state over time, one line per unit; {} is -{:.2f} to {:.2f}\n          ",
             shade_legend(), map.largest, map.largest);
  for (const char symbol : narrow.symbols) {
    fmt::print("{}", symbol < 'a' ? paint({&symbol, 1}, Colour::yellow) : std::string(1, symbol));
  }
  for (std::size_t unit = 0; unit < narrow.units.size(); ++unit) {
    fmt::print("\nunit {:3}  ", unit);
    for (const double value : narrow.units[unit]) {
      fmt::print("{}", shade(value / map.largest));
    }
  }
  fmt::print("\n");
}

}  // namespace examples
