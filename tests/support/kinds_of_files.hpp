#pragma once
// Every kind of file that Rewind writes, for tests of what they have in common.

#include <functional>
#include <string>
#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/history_files.hpp>
#include <rewind/io/write_file.hpp>

#include "fake_gnuplot.hpp"

namespace rw::testing {

struct KindOfFile {
  std::string name;
  std::function<void(const std::string& path)> write;
};

/// Requires a FakeGnuplot that draws.
inline std::vector<KindOfFile> kinds_of_files() {
  static const History history = [] {
    History made;
    for (std::int64_t step = 1; step <= 500; ++step) {
      made.add("loss", step, 1.0 / static_cast<double>(step));
    }
    return made;
  }();
  return {
      {"checkpoint",
       [](const std::string& path) {
         io::save(path, {{"a", zeros({2000})}});
       }},
      {"table", [](const std::string& path) { io::write_csv(path, history); }},
      {"picture", [](const std::string& path) { io::plot_history(path, history); }},
      {"text", [](const std::string& path) { io::write_file(path, std::string(5000, 'x')); }},
  };
}

}  // namespace rw::testing
