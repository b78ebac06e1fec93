// The figures that Rewind promises (ratios of one run; with one thread unless stated), and what was
// measured. What was not measured, such as a missing peer, is left out.
#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "peers.hpp"
#include "report.hpp"

namespace bench {

namespace {

struct Ratio {
  double value;
  std::string where;
};

using Ratios = std::vector<Ratio>;

/// `value` of every result of that kind and mode that has one.
Ratios collect(const Report& report, Kind kind, Mode mode,
               const std::function<std::optional<double>(const NetworkResult&)>& value) {
  Ratios ratios;
  for (const NetworkResult& r : report.networks) {
    if (r.kind == kind && r.mode == mode) {
      if (const auto v = value(r)) {
        ratios.push_back({*v, name_of(r.sizes)});
      }
    }
  }
  return ratios;
}

void require_mean(std::vector<Requirement>& list, const std::string& what, const Ratios& ratios,
                  double bound) {
  if (!ratios.empty()) {
    std::vector<double> values;
    for (const Ratio& r : ratios) {
      values.push_back(r.value);
    }
    list.push_back({what + ", geometric mean", geometric_mean(values), bound, true,
                    fmt::format("{} shapes", ratios.size())});
  }
}

/// One line for the worst shape, or one for each shape that falls short.
void require_each(std::vector<Requirement>& list, const std::string& what, const Ratios& ratios,
                  double bound) {
  if (ratios.empty()) {
    return;
  }
  const std::size_t before = list.size();
  for (const Ratio& r : ratios) {
    if (r.value < bound) {
      list.push_back({what + ", each shape", r.value, bound, true, r.where});
    }
  }
  if (list.size() == before) {
    const auto worst =
        std::min_element(ratios.begin(), ratios.end(),
                         [](const Ratio& a, const Ratio& b) { return a.value < b.value; });
    list.push_back({what + ", each shape", worst->value, bound, true, "worst: " + worst->where});
  }
}

void against_onednn(std::vector<Requirement>& list, const Report& report) {
  for (const Kind kind : {Kind::lstm, Kind::gru, Kind::gru_reset_before}) {
    for (const int threads : {1, 2}) {
      const std::string what = fmt::format("{} training against oneDNN, {} thread{}", name_of(kind),
                                           threads, threads > 1 ? "s" : "");
      const Ratios ratios = collect(report, kind, Mode::training, [&](const NetworkResult& r) {
        return r.against("onednn", threads);
      });
      require_mean(list, what, ratios, 1.15);
      require_each(list, what, ratios, threads == 1 ? 1.0 : 0.95);
    }
    const Ratios speed_up =
        collect(report, kind, Mode::training, [](const NetworkResult& r) -> std::optional<double> {
          const Timing* const one = r.find("rewind", 1);
          const Timing* const two = r.find("rewind", 2);
          return one != nullptr && two != nullptr ? std::optional(times_as_fast(*two, *one))
                                                  : std::nullopt;
        });
    require_each(list, fmt::format("{} training, two threads against one", name_of(kind)), speed_up,
                 1.0);
  }
  require_mean(list, "lstm inference against oneDNN, 1 thread",
               collect(report, Kind::lstm, Mode::inference,
                       [](const NetworkResult& r) { return r.against("onednn", 1); }),
               1.15);
}

void share_of_bound(std::vector<Requirement>& list, const Report& report) {
  const auto require = [&](const char* where, std::int64_t least, std::int64_t most, double bound) {
    for (const Kind kind : {Kind::lstm, Kind::gru}) {
      require_each(
          list, fmt::format("{} training, share of the product bound at {}", name_of(kind), where),
          collect(report, kind, Mode::training,
                  [&](const NetworkResult& r) -> std::optional<double> {
                    const Sizes& s = r.sizes;
                    return s.batch >= 20 && s.hidden >= least && s.hidden <= most
                               ? r.against("bound", 1)
                               : std::nullopt;
                  }),
          bound);
    }
  };
  require("H = 128", 128, 199, 0.82);
  require("H >= 200", 200, 1 << 20, 0.88);
}

/// Required only of these or later versions of the peer: older ones are slower.
void against_modern_peers(std::vector<Requirement>& list, const Report& report) {
  const auto require = [&](const char* name, Mode mode, Kind kind, double each, double mean) {
    const std::string what =
        fmt::format("{} {} against {}", name_of(kind), name_of(mode), peer(name).title);
    const Ratios ratios =
        collect(report, kind, mode, [&](const NetworkResult& r) { return r.against(name, 1); });
    require_mean(list, what, ratios, mean);
    require_each(list, what, ratios, each);
  };
  if (peer("libtorch").is_at_least(2, 6)) {
    for (const Kind kind : {Kind::lstm, Kind::gru}) {
      require("libtorch", Mode::training, kind, 1.05, 1.8);
    }
  }
  if (peer("onnxruntime").is_at_least(1, 21)) {
    for (const Kind kind : {Kind::lstm, Kind::gru}) {
      require("onnxruntime", Mode::inference, kind, 0.97, 1.3);
    }
  }
}

void custom_cell(std::vector<Requirement>& list, const Report& report) {
  require_mean(list, "custom cell training against lstm, per multiply-add",
               collect(report, Kind::custom, Mode::training,
                       [](const NetworkResult& r) -> std::optional<double> {
                         const auto faster = r.against("lstm", 1);
                         const double work = operations(Kind::custom, r.sizes, r.mode) /
                                             operations(Kind::lstm, r.sizes, r.mode);
                         return faster ? std::optional(*faster * work) : std::nullopt;
                       }),
               0.9);
}

void singles(std::vector<Requirement>& list, const Report& report) {
  const auto at_most = [&](const std::string& prefix, const char* what, double bound) {
    for (const SingleResult& s : report.singles) {
      if (s.name.rfind(prefix, 0) == 0) {
        list.push_back({fmt::format("{} ({})", what, s.name), s.value, bound, false, s.unit});
      }
    }
  };
  at_most("tape: ", "tape overhead", 80);
  at_most("fused ", "fused operation, time relative to a hand-written loop", 1.15);
  at_most("heap allocations", "heap allocations in a warm training step", 0);
  at_most("mean length T/2", "time of a training step, relative to full sequences", 0.6);
  at_most("compile time", "compilation", 4);
}

/// Names end in the number of units.
void streams(std::vector<Requirement>& list, const Report& report) {
  const auto require = [&](const std::string& prefix, bool at_least,
                           const std::function<double(int)>& bound) {
    for (const SingleResult& s : report.singles) {
      if (s.name.starts_with(prefix)) {
        const int units = std::stoi(s.name.substr(s.name.find_last_of(' ') + 1));
        const double figure = bound(units);
        if (figure > 0) {
          list.push_back({s.name, s.value, figure, at_least, s.unit});
        }
      }
    }
  };
  for (const char* const cell : {"lstm", "gru"}) {
    require(fmt::format("stream step, {} ", cell), false, [](int units) {
      return units < 20 ? 1.15 : units <= 64 ? 1.0 : 0;
    });
    require(fmt::format("stream step against a layer call, {} ", cell), true, [](int units) {
      return units <= 32 ? 8 : units == 128 ? 1.4 : units == 256 ? 1.2 : 0;
    });
  }
  require("stream step of the custom cell per multiply-add, lstm ", true, [](int) { return 0.8; });
  for (const SingleResult& s : report.singles) {
    if (s.name.starts_with("stream step of two layers")) {
      list.push_back({s.name, s.value, 1.1, false, s.unit});
    }
  }
}

}  // namespace

std::vector<Requirement> requirements(const Report& report) {
  std::vector<Requirement> list;
  against_onednn(list, report);
  share_of_bound(list, report);
  against_modern_peers(list, report);
  custom_cell(list, report);
  singles(list, report);
  streams(list, report);
  return list;
}

}  // namespace bench
