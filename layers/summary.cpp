#include <algorithm>

#include <fmt/format.h>

#include <rewind/layers/summary.hpp>

namespace rw {

std::string summary(const ParameterList& list) {
  std::size_t path_width = 9;
  std::size_t shape_width = 5;
  for (const NamedParameter& entry : list) {
    path_width = std::max(path_width, entry.path.size());
    shape_width = std::max(shape_width, to_string(entry.parameter->shape()).size());
  }
  std::string table = fmt::format("{:<{}}  {:<{}}  {:<8}  {:>10}\n", "parameter", path_width,
                                  "shape", shape_width, "type", "values");
  table += std::string(path_width + shape_width + 24, '-') + "\n";
  for (const NamedParameter& entry : list) {
    const Parameter& p = *entry.parameter;
    table += fmt::format("{:<{}}  {:<{}}  {:<8}  {:>10}{}\n", entry.path, path_width,
                         to_string(p.shape()), shape_width, name_of(p.dtype()),
                         p.value().elements(), p.trainable() ? "" : "  (not trained)");
  }
  return table + fmt::format("{:<{}}  {:<{}}  {:<8}  {:>10}\n", "trainable", path_width, "",
                             shape_width, "", count(list));
}

}  // namespace rw
