#include "report.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <rewind/io/write_file.hpp>

#include "peers.hpp"

namespace bench {

namespace {

std::string ratio(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value) : "-";
}

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.0f} %", 100 * *value) : "-";
}

/// One column per peer, with what `cell` returns for its name.
template <class Cell>
std::string peer_columns(Cell&& cell) {
  std::string columns;
  for (const Peer& peer : peers()) {
    columns += fmt::format(" {:>{}}", cell(peer.name), std::max<std::size_t>(peer.name.size(), 7));
  }
  return columns;
}

std::string peer_names() {
  return peer_columns([](const std::string& name) { return name; });
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
    }
    result += c;
  }
  return result + '"';
}

}  // namespace

const Timing* NetworkResult::find(const std::string& name, int threads) const {
  const auto found = std::find_if(timings.begin(), timings.end(), [&](const Timing& t) {
    return t.name == name && t.threads == threads;
  });
  return found == timings.end() ? nullptr : &*found;
}

std::optional<double> NetworkResult::against(const std::string& other, int threads) const {
  const Timing* const ours = find("rewind", threads);
  const Timing* const theirs = find(other, threads);
  return ours != nullptr && theirs != nullptr ? std::optional(times_as_fast(*ours, *theirs))
                                              : std::nullopt;
}

const SingleResult* Report::find(const std::string& name) const {
  const auto found = std::find_if(singles.begin(), singles.end(),
                                  [&](const SingleResult& s) { return s.name == name; });
  return found == singles.end() ? nullptr : &*found;
}

double geometric_mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) {
    sum += std::log(value);
  }
  return std::exp(sum / static_cast<double>(values.size()));
}

void print_header(const std::vector<std::string>& context) {
  for (const std::string& line : context) {
    fmt::print("{}\n", line);
  }
  fmt::print(
      "\nRewind's milliseconds and GFLOP/s; how many times as fast as each peer it is; share of\n"
      "the speed of the matrix products alone; medians of rounds.\n\n"
      "{:<17}{:<10}{:<22}{:>7}{:>11}{:>9}{}{:>7}{:>8}\n",
      "network", "", "T B I H layers", "threads", "ms", "GFLOP/s", peer_names(), "bound", "rounds");
}

void print_row(const NetworkResult& result) {
  for (const Timing& t : result.timings) {
    if (t.name != "rewind") {
      continue;
    }
    fmt::print("{:<17}{:<10}{:<22}{:>7}{:>11.4f}{:>9.1f}{}{:>7}{:>8}\n", name_of(result.kind),
               name_of(result.mode), name_of(result.sizes), t.threads, 1e3 * t.median(),
               operations(result.kind, result.sizes, result.mode) / t.median() * 1e-9,
               peer_columns(
                   [&](const std::string& name) { return ratio(result.against(name, t.threads)); }),
               percent(result.against("bound", t.threads)), t.seconds.size());
  }
  std::fflush(stdout);
}

void print_single(const SingleResult& result) {
  fmt::print("{:<60}{:>12.4g} {}\n", result.name, result.value, result.unit);
  std::fflush(stdout);
}

std::string describe_pace(const Report& report) {
  const auto pace = [&](int threads) {
    std::vector<double> ratios;
    for (const NetworkResult& result : report.networks) {
      for (const Timing& t : result.timings) {
        if (t.threads == threads) {
          ratios.push_back(t.median() / *std::min_element(t.seconds.begin(), t.seconds.end()));
        }
      }
    }
    return ratios.empty() ? 1.0 : geometric_mean(ratios);
  };
  return fmt::format(
      "pace of the machine: the median run took {:.2f} times as long as the fastest of its kind "
      "with one thread, {:.2f} times with two (quiet: up to 1.05 and 1.08)",
      pace(1), pace(2));
}

void print_means(const Report& report) {
  fmt::print("\nGeometric means over the shapes\n{:<17}{:<10}{:>7}{}{:>7}{:>8}\n", "network", "",
             "threads", peer_names(), "bound", "shapes");
  for (const Mode mode : {Mode::training, Mode::inference}) {
    for (const Kind kind :
         {Kind::rnn, Kind::lstm, Kind::gru, Kind::gru_reset_before, Kind::custom}) {
      for (const int threads : {1, 2}) {
        std::size_t shapes = 0;
        const auto mean = [&](const std::string& other) -> std::optional<double> {
          std::vector<double> ratios;
          for (const NetworkResult& result : report.networks) {
            if (result.kind == kind && result.mode == mode) {
              if (const auto r = result.against(other, threads)) {
                ratios.push_back(*r);
              }
            }
          }
          shapes = std::max(shapes, ratios.size());
          return ratios.empty() ? std::nullopt : std::optional(geometric_mean(ratios));
        };
        const std::string columns =
            peer_columns([&](const std::string& name) { return ratio(mean(name)); });
        const std::string bound = percent(mean("bound"));
        if (shapes > 0) {
          fmt::print("{:<17}{:<10}{:>7}{}{:>7}{:>8}\n", name_of(kind), name_of(mode), threads,
                     columns, bound, shapes);
        }
      }
    }
  }
}

bool print_requirements(const std::vector<Requirement>& list) {
  fmt::print("\nFigures to reach\n");
  bool all = true;
  for (const Requirement& r : list) {
    all = all && r.holds();
    fmt::print("{} {}: {:.3g}, to be {} {:.3g}{}\n", r.holds() ? "  met" : "SHORT", r.what,
               r.measured, r.at_least ? "at least" : "at most", r.bound,
               r.where.empty() ? "" : " (" + r.where + ")");
  }
  return all;
}

void write_json(const Report& report, const std::vector<Requirement>& list,
                const std::string& path) {
  const auto join = [](const std::vector<std::string>& items) {
    return fmt::format("[\n    {}\n  ]", fmt::join(items, ",\n    "));
  };
  std::vector<std::string> context, networks, singles, figures;
  for (const std::string& line : report.context) {
    context.push_back(quoted(line));
  }
  for (const NetworkResult& r : report.networks) {
    for (const Timing& t : r.timings) {
      networks.push_back(fmt::format(
          R"({{"network": "{}", "mode": "{}", "steps": {}, "batch": {}, "input": {}, "hidden": {}, )"
          R"("layers": {}, "directions": {}, "contestant": "{}", "threads": {}, "median": {:.6g}, )"
          R"("seconds": [{:.6g}]}})",
          name_of(r.kind), name_of(r.mode), r.sizes.steps, r.sizes.batch, r.sizes.input,
          r.sizes.hidden, r.sizes.layers, r.sizes.directions(), t.name, t.threads, t.median(),
          fmt::join(t.seconds, ", ")));
    }
  }
  for (const SingleResult& s : report.singles) {
    singles.push_back(fmt::format(R"({{"name": {}, "value": {:.6g}, "unit": {}}})", quoted(s.name),
                                  s.value, quoted(s.unit)));
  }
  for (const Requirement& r : list) {
    figures.push_back(fmt::format(
        R"({{"what": {}, "measured": {:.6g}, "bound": {:.6g}, "at_least": {}, "holds": {}}})",
        quoted(r.what), r.measured, r.bound, r.at_least, r.holds()));
  }
  rw::io::write_file(path,
                     fmt::format("{{\n  \"context\": {},\n  \"networks\": {},\n  \"singles\": "
                                 "{},\n  \"figures\": {}\n}}\n",
                                 join(context), join(networks), join(singles), join(figures)));
  fmt::print("wrote {}\n", path);
}

}  // namespace bench
