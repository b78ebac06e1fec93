#include <algorithm>

#include <fmt/format.h>

#include "common/plot.hpp"
#include "peers.hpp"
#include "report.hpp"

namespace bench {

namespace {

struct Bar {
  std::string name, title;
};

/// How many times as fast as oneDNN, as text for gnuplot.
std::string speed(const NetworkResult& result, const std::string& name) {
  const Timing* const t = result.find(name, 1);
  const Timing* const onednn = result.find("onednn", 1);
  return t == nullptr || onednn == nullptr ? "NaN" : fmt::format("{}", times_as_fast(*t, *onednn));
}

/// All bars but oneDNN's, which is the line at 1.
std::vector<Bar> all_bars() {
  std::vector<Bar> bars{{"rewind", "Rewind"}};
  for (const Peer& peer : peers()) {
    if (peer.name != "onednn") {
      bars.push_back({peer.name, peer.title});
    }
  }
  bars.push_back({"bound", "products alone"});
  return bars;
}

}  // namespace

void write_chart(const Report& report, const std::string& path) {
  std::string data, plots;
  int panels = 0;
  for (const Kind kind : {Kind::lstm, Kind::gru}) {
    for (const Mode mode : {Mode::training, Mode::inference}) {
      std::vector<const NetworkResult*> results;
      for (const NetworkResult& r : report.networks) {
        if (r.kind == kind && r.mode == mode && r.find("rewind", 1) != nullptr) {
          results.push_back(&r);
        }
      }
      if (results.empty()) {
        continue;
      }
      // Only contestants that took part: gnuplot draws no column without numbers.
      std::vector<Bar> bars;
      for (const Bar& bar : all_bars()) {
        if (std::any_of(results.begin(), results.end(),
                        [&](const auto* r) { return speed(*r, bar.name) != "NaN"; })) {
          bars.push_back(bar);
        }
      }
      data += fmt::format("$panel{} << END\n", panels);
      for (const NetworkResult* r : results) {
        data += fmt::format("\"{}\"", name_of(r->sizes));
        for (const Bar& bar : bars) {
          data += fmt::format(" {}", speed(*r, bar.name));
        }
        data += '\n';
      }
      data += "END\n";
      plots += fmt::format("set title '{} {}, one thread: how many times as fast as oneDNN'\nplot ",
                           name_of(kind), name_of(mode));
      for (std::size_t i = 0; i < bars.size(); ++i) {
        plots +=
            fmt::format("$panel{} using {}:xtic(1) title '{}', ", panels, i + 2, bars[i].title);
      }
      plots += "1 with lines lc 'black' title 'oneDNN'\n";
      ++panels;
    }
  }
  if (panels == 0) {
    return;
  }
  examples::gnuplot(
      fmt::format("{}set terminal pngcairo size 1100,{}\nset style data histograms\n"
                  "set style fill solid\nset yrange [0:3]\nset grid ytics\n"
                  "set xtics rotate by -25\nset key outside\nset multiplot layout {},1\n{}"
                  "unset multiplot\n",
                  data, 380 * panels, panels, plots),
      path);
}

}  // namespace bench
