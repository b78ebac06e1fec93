#include <algorithm>

#include <fmt/format.h>

#include <rewind/autograd/tensor/printable.hpp>
#include <rewind/io/detail/load_plan.hpp>
#include <rewind/io/detail/option_comparison.hpp>
#include <rewind/io/detail/renaming.hpp>

namespace rw::io::detail {

namespace {

/// Patterns that allow all these differences: their paths, or one per object if there are many.
std::vector<std::string> patterns_of(const std::vector<OptionDifference>& differences) {
  constexpr std::size_t most = 5;
  std::vector<std::string> patterns;
  for (const OptionDifference& difference : differences) {
    const std::string& path = difference.path;
    patterns.push_back(differences.size() > most ? path.substr(0, path.find('/')) + "/*" : path);
  }
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
  return patterns;
}

/// Whether the shape fits; an object that is remade judges shapes itself.
bool has_shape(const TensorRecord& tensor, const ObjectToLoad& object, const Tensor& target) {
  return object.remake || tensor.shape == target.shape();
}

bool fits(const TensorRecord& tensor, const ObjectToLoad& object, const Tensor& target) {
  return tensor.dtype == target.dtype() && has_shape(tensor, object, target);
}

}  // namespace

LoadPlan::LoadPlan(const std::vector<ObjectToLoad>& objects, const Index& index,
                   const LoadOptions& options)
    : options_(options) {
  NamedEntries named(index.tensors, options.rename);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const ObjectToLoad& object = objects[i];
    const StateList& state = object.state;
    const auto whole = [&](const StateEntry& entry) {
      return rw::detail::joined(object.name, entry.path);
    };
    // An object that is remade needs all of its entries.
    const bool is_incomplete =
        object.remake && std::ranges::any_of(state, [&](const StateEntry& entry) {
          return named.find(whole(entry)) == nullptr;
        });
    const bool is_partial = object.remake && std::ranges::any_of(state, [&](const auto& entry) {
                              const TensorRecord* const tensor = named.find(whole(entry));
                              return tensor != nullptr && !fits(*tensor, object, entry.tensor);
                            });
    for (std::size_t j = 0; j < state.size(); ++j) {
      const std::string path = whole(state[j]);
      const TensorRecord* const tensor = is_incomplete ? nullptr : named.take(path);
      if (tensor == nullptr) {
        report_.missing.push_back(path);
      } else if (!is_partial && fits(*tensor, object, state[j].tensor)) {
        report_.loaded.push_back(path);
        sources_.push_back({tensor->path, i, j, tensor->bytes()});
      } else {
        report_.mismatched.push_back(path);
        add_mismatch(*tensor, path, object, state[j].tensor);
      }
    }
  }
  report_.unexpected = named.left();
  differences_ = compare_options(objects, index, report_, options);
}

std::string LoadPlan::objections() const {
  static const std::vector<std::string> none;
  const bool anything = !sources_.empty() || report_.complete();
  std::string text =
      listed({{"missing", options_.allow_missing && anything ? none : report_.missing},
              {"unexpected", options_.allow_unexpected ? none : report_.unexpected},
              {"wrong shape", options_.allow_mismatched && anything ? none : misshapen_},
              {"wrong type", options_.allow_mismatched && anything ? none : mistyped_}});
  if (text.empty() && differences_.empty()) {
    return {};
  }
  text = fmt::format(
      "{}{}{}{}; nothing was changed; build the same objects as were saved, under the same names",
      anything ? "" : "nothing would be loaded; ", text,
      text.empty() || differences_.empty() ? "" : "; ", to_string(differences_));
  if (anything) {
    std::vector<std::string> allowing;
    const auto offer = [&](const char* option, bool is_allowed, bool is_needed) {
      if (is_needed && !is_allowed) {
        allowing.push_back(fmt::format(".{} = true", option));
      }
    };
    offer("allow_missing", options_.allow_missing, !report_.missing.empty());
    offer("allow_unexpected", options_.allow_unexpected, !report_.unexpected.empty());
    offer("allow_mismatched", options_.allow_mismatched, !report_.mismatched.empty());
    if (!allowing.empty()) {
      text += fmt::format(", or allow it in LoadOptions: {{{}}}", fmt::join(allowing, ", "));
    }
  }
  if (!differences_.empty()) {
    text += fmt::format(
        ", or say in LoadOptions which options may differ: .allow_different = {{\"{}\"}}",
        rw::detail::printable(fmt::format("{}", fmt::join(patterns_of(differences_), "\", \"")),
                              2000));
  }
  return text;
}

void LoadPlan::add_mismatch(const TensorRecord& tensor, const std::string& path,
                            const ObjectToLoad& object, const Tensor& target) {
  if (!has_shape(tensor, object, target)) {
    misshapen_.push_back(fmt::format("{} is {}, expected {}", path, tensor.shape, target.shape()));
  }
  if (tensor.dtype != target.dtype()) {
    mistyped_.push_back(
        fmt::format("{} is {}, expected {}", path, name_of(tensor.dtype), name_of(target.dtype())));
  }
}

std::string listed(
    const std::vector<std::pair<std::string_view, std::vector<std::string>>>& kinds) {
  std::vector<std::string> parts;
  for (const auto& [kind, list] : kinds) {
    if (!list.empty()) {
      parts.push_back(fmt::format("{}: {}", kind, fmt::join(list, ", ")));
    }
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace rw::io::detail
