#include <iterator>

#include <fmt/format.h>

#include <rewind/autograd/tape/detail/tape_storage.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>

namespace rw {

std::vector<std::string> Tape::operation_names() const {
  std::vector<std::string> names;
  for (const detail::Node* node = storage_->first; node != nullptr; node = node->next) {
    if (node->run != nullptr) {
      names.emplace_back(node->name);
    }
  }
  return names;
}

namespace {

/// `text` escaped for a quoted string of the dot language.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
    }
    result += c;
  }
  return result;
}

constexpr const char* dot_legend = R"(  subgraph cluster_legend {
    label="legend"; style=dotted; fontname="sans-serif";
    legend_leaf [label="parameter or\nwatched tensor", shape=ellipse];
    legend_operation [label="operation\n[shape of its result]", shape=box];
    legend_part [label="operation", shape=box];
    legend_leaf -> legend_operation [label="reads all"];
    legend_leaf -> legend_part [label="reads a part:\na view", style=dashed];
  }
)";

}  // namespace

std::string Tape::to_dot() const {
  std::string dot =
      "digraph tape {\n  rankdir=TB;\n  node [fontname=\"sans-serif\"];\n"
      "  edge [fontname=\"sans-serif\"];\n";
  const auto out = std::back_inserter(dot);
  int parameters = 0;
  for (const detail::Node* node = storage_->first; node != nullptr; node = node->next) {
    std::string label = node->name;
    if (node->parameter != nullptr) {
      ++parameters;
      label = node->parameter->name.empty() ? fmt::format("parameter {}", parameters)
                                            : escaped(node->parameter->name);
    }
    for (const detail::Slot& slot : node->slot_span()) {
      label += fmt::format("\\n{}", slot.shape);
    }
    fmt::format_to(out, "  n{} [label=\"{}\", shape={}];\n", node->index, label,
                   node->run == nullptr ? "ellipse" : "box");
    for (const detail::Input& input : node->input_span()) {
      if (input.node != nullptr) {
        fmt::format_to(out, "  n{} -> n{}{};\n", input.node->index, node->index,
                       input.region == nullptr ? "" : " [style=dashed]");
      }
    }
  }
  return dot + dot_legend + "}\n";
}

}  // namespace rw
