#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/io/plot.hpp>

namespace rw::io {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& why) {
  throw FileError(fmt::format("no {}: {}", path, why));
}

std::string error_text(int number) { return std::generic_category().message(number); }

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// A file without a name that holds `text` and stands at its beginning. A pipe would end the
/// program where gnuplot stops reading. Null on failure.
std::unique_ptr<std::FILE, Close> file_of(const std::string& text) {
  std::unique_ptr<std::FILE, Close> file(std::tmpfile());
  if (file != nullptr &&
      (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() ||
       std::fflush(file.get()) != 0 || std::fseek(file.get(), 0, SEEK_SET) != 0)) {
    file.reset();
  }
  return file;
}

/// Runs gnuplot with these files as its standard input and output. An error number, or 0.
int run_gnuplot(int script, int picture) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, picture, STDOUT_FILENO);
  char name[] = "gnuplot";
  char* arguments[] = {name, nullptr};
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, name, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    return failed;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return EIO;
    }
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EIO;
}

bool is_finite(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

}  // namespace

void gnuplot(const std::string& script, const std::string& path) {
  const auto input = file_of(script);
  if (input == nullptr) {
    fail(path, "cannot write a temporary file");
  }
  const int picture = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (picture < 0) {
    fail(path, "cannot write it: " + error_text(errno));
  }
  const int failed = run_gnuplot(::fileno(input.get()), picture);
  ::close(picture);
  if (failed != 0) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    fail(path, failed == ENOENT ? "gnuplot is not installed" : "gnuplot failed");
  }
}

std::string gnuplot_text(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    // In single quotes nothing else has a meaning, but a string ends with its line.
    quoted += c == '\'' ? "''" : std::string(1, static_cast<unsigned char>(c) < ' ' ? ' ' : c);
  }
  return quoted + "'";
}

void plot_lines(const std::string& path, const PlotAxes& axes,
                const std::vector<PlotCurve>& curves) {
  std::string script = fmt::format(
      "set terminal pngcairo noenhanced size 900,540\nset encoding utf8\nset grid\nset key {}\n"
      "set title {}\nset xlabel {}\nset ylabel {}\n",
      axes.log_y ? "top right" : "bottom right", gnuplot_text(axes.title), gnuplot_text(axes.x),
      gnuplot_text(axes.y));
  if (axes.log_y) {
    script += "set logscale y\n";
  }
  std::string plot;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const auto& points = curves[i].points;
    if (std::none_of(points.begin(), points.end(), is_finite)) {
      continue;
    }
    script += fmt::format("$curve{} << END\n", i);
    for (const auto& point : points) {
      // A line is broken at an empty one.
      script += is_finite(point) ? fmt::format("{} {}\n", point.first, point.second) : "\n";
    }
    script += "END\n";
    plot += fmt::format("{}$curve{} using 1:2 with lines linewidth 2 title {}",
                        plot.empty() ? "plot " : ", ", i, gnuplot_text(curves[i].label));
  }
  if (plot.empty()) {
    fail(path, "there is nothing to draw");
  }
  gnuplot(script + plot + "\n", path);
}

}  // namespace rw::io
