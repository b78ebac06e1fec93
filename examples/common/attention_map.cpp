#include "common/attention_map.hpp"

#include <vector>

#include <fmt/format.h>

#include <rewind/io/plot.hpp>

#include "common/colour.hpp"
#include "common/plot.hpp"

namespace examples {

namespace {

/// gnuplot's labels for the characters of `text`.
std::string labels(const std::string& text) {
  std::string list;
  for (std::size_t i = 0; i < text.size(); ++i) {
    list += fmt::format("{}{} {}", i == 0 ? "" : ", ", rw::io::gnuplot_text({text[i]}), i);
  }
  return list;
}

}  // namespace

void plot_attention(const std::string& folder, const std::string& read, const std::string& written,
                    const rw::Tensor& weights) {
  const std::vector<float> values = weights.to_vector<float>();
  const auto width = static_cast<std::size_t>(weights.size(1));
  const auto weight = [&](std::size_t t, std::size_t s) { return values.at(t * width + s); };
  std::string script =
      "set terminal pngcairo noenhanced size 900,420\nset palette defined (0 'white', 1 'blue')\n"
      "set cbrange [0:1]\nset title 'where the decoder looks'\nset xlabel 'read'\n"
      "set ylabel 'written'\nunset key\n$map << END\n";
  for (std::size_t t = 0; t < written.size(); ++t) {
    for (std::size_t s = 0; s < read.size(); ++s) {
      script += fmt::format("{} ", weight(t, s));
    }
    script += "\n";
  }
  script += fmt::format(
      "END\nset xtics ({})\nset ytics ({})\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\n"
      "plot $map matrix with image\n",
      labels(read), labels(written), static_cast<double>(read.size()) - 0.5,
      static_cast<double>(written.size()) - 0.5);
  if (read.empty() || written.empty() ||
      (!folder.empty() && gnuplot(script, folder + "/attention.png"))) {
    return;
  }
  fmt::print("\nwhere the decoder looks, one line per character; {} is -1 to 1\n     {}\n",
             shade_legend(), read);
  for (std::size_t t = 0; t < written.size(); ++t) {
    fmt::print("  {}  ", written[t]);
    for (std::size_t s = 0; s < read.size(); ++s) {
      fmt::print("{}", shade(weight(t, s)));
    }
    fmt::print("\n");
  }
}

}  // namespace examples
