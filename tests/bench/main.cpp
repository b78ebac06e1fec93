#include <cstdlib>
#include <ctime>
#include <fstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <rewind/version.hpp>

#include "networks.hpp"
#include "peers.hpp"
#include "singles.hpp"
#include "threads.hpp"

namespace {

using namespace bench;

struct Settings {
  bool check = false;
  bool quick = false;
  double compile_seconds = 0;
  std::string folder = ".";
  std::vector<std::string> filters;

  /// Whether the name contains every word.
  bool wants(const std::string& name) const {
    for (const std::string& word : filters) {
      if (name.find(word) == std::string::npos) {
        return false;
      }
    }
    return true;
  }
};

Settings parse(int argc, char** argv) {
  Settings s;
  CLI::App app(
      "Times Rewind against oneDNN's recurrent primitives, other libraries and the matrix products "
      "alone");
  app.add_flag("--check", s.check, "Fail where a promised figure is missed");
  app.add_flag("--quick", s.quick, "Fewer shapes and rounds: under a minute, and less certain");
  app.add_option("--compile-seconds", s.compile_seconds,
                 "Seconds that compiling a cell's translation unit took, to be reported");
  app.add_option("--folder", s.folder, "Folder for results.json and results.png")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("filters", s.filters,
                 "Measure only what has all these words in its name, such as: lstm training "
                 "\"100 32 64 128 1\"");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::exit(app.exit(e));
  }
  return s;
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) == 0) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown processor";
}

std::vector<std::string> describe() {
  const std::time_t now = std::time(nullptr);
  char day[32];
  std::strftime(day, sizeof day, "%Y-%m-%d", std::localtime(&now));
  std::vector<std::string> versions;
  for (const Peer& peer : peers()) {
    versions.push_back(peer.title + " " + (peer.version.empty() ? "left out" : peer.version));
  }
  double load = -1;
  getloadavg(&load, 1);
  return {fmt::format("Rewind {}, {}, {}", REWIND_VERSION, processor(), day),
          fmt::format("peers: {}", fmt::join(versions, "; ")),
          "threads are set to the number in the table",
          fmt::format("load average before: {:.2f}{}", load,
                      load > 0.5 ? "; something else is running, do not trust these figures" : "")};
}

int run(const Settings& s) {
  Report report;
  report.context = describe();
  const Effort effort = s.quick ? Effort{3, 7, 1e-3, 0.1} : Effort{};
  set_threads(1);
  check_agreement();
  print_header(report.context);
  const std::vector<Kind> kinds =
      s.quick ? std::vector{Kind::lstm, Kind::gru, Kind::custom}
              : std::vector{Kind::lstm, Kind::gru, Kind::gru_reset_before, Kind::rnn, Kind::custom};
  for (const Kind kind : kinds) {
    for (const Mode mode : {Mode::training, Mode::inference}) {
      for (const Sizes& sizes : s.quick ? quick_sizes() : all_sizes()) {
        if (s.wants(fmt::format("{} {} {}", name_of(kind), name_of(mode), name_of(sizes)))) {
          report.networks.push_back(measure_network(kind, mode, sizes, effort));
          print_row(report.networks.back());
        }
      }
    }
  }
  fmt::print("\n");
  set_threads(1);
  const SingleRun singles{effort, [&](const std::string& name) { return s.wants(name); },
                          [&](SingleResult result) {
                            print_single(result);
                            report.singles.push_back(std::move(result));
                          }};
  measure_operations(singles);
  measure_steps(singles);
  measure_streams(singles);
  if (s.compile_seconds > 0) {
    singles.report({"compile time of a cell's translation unit", s.compile_seconds, "s"});
  }
  print_means(report);
  if (!report.networks.empty()) {
    report.context.push_back(describe_pace(report));
    fmt::print("\n{}\n", report.context.back());
  }
  const auto list = requirements(report);
  const bool all = print_requirements(list);
  write_json(report, list, s.folder + "/results.json");
  write_chart(report, s.folder + "/results.png");
  if (s.check && !all) {
    fmt::print(stderr, "bench: figures fall short, marked SHORT above\n");
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse(argc, argv));
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 2;
  }
}
