#include <algorithm>
#include <map>

#include <fmt/format.h>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/autograd/tensor/printable.hpp>

namespace rw {

std::string detail::number_text(double value) { return fmt::format("{}", value); }
std::string detail::number_text(float value) { return fmt::format("{}", value); }

void add_options(OptionList& list, std::string_view name, const OptionList& part) {
  for (const OptionEntry& entry : part) {
    list.push_back({detail::joined(std::string(name), entry.path), entry.value});
  }
}

namespace {

using Texts = std::map<std::string_view, std::string_view>;

Texts by_path(const OptionList& list) {
  Texts texts;
  for (const OptionEntry& entry : list) {
    texts.emplace(entry.path, entry.value);
  }
  return texts;
}

/// Whether the whole of `text` fits, where each '*' of the pattern stands for any text. Goes back
/// to the last star only, since what the stars before it stand for may stay as short as it was.
bool fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t after_star = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::string_view object_of(std::string_view path) {
  return path.substr(0, path.find('/') == std::string_view::npos ? 0 : path.rfind('/'));
}
std::string_view name_in_object(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::optional<std::string> value_at(const Texts& texts, std::string_view path) {
  const auto found = texts.find(path);
  return found == texts.end() ? std::nullopt : std::optional(std::string(found->second));
}

std::string kind_at(const Texts& texts, std::string_view object) {
  return value_at(texts, detail::joined(std::string(object), "kind")).value_or("");
}

/// "adam {beta1 0.9, epsilon unset}" with "by" or "into" in front, or "with" where there is no
/// kind.
std::string side(std::string_view preposition, const std::string& kind,
                 const std::vector<std::string>& options) {
  std::string text =
      kind.empty() ? "with" : fmt::format("{} {}", preposition, detail::printable(kind));
  if (kind.empty() || !options.empty()) {
    text += fmt::format(" {{{}}}", fmt::join(options, ", "));
  }
  return text;
}

}  // namespace

std::vector<OptionDifference> differing_options(const OptionList& saved, const OptionList& now,
                                                const std::vector<std::string>& allow_different) {
  const Texts before = by_path(saved);
  const Texts after = by_path(now);
  for (const std::string& pattern : allow_different) {
    const auto meant = [&](const auto& entry) { return fits(pattern, entry.first); };
    check<UsageError>(std::any_of(before.begin(), before.end(), meant) ||
                          std::any_of(after.begin(), after.end(), meant),
                      "options: there is none whose path fits '{}', which may differ; options_of() "
                      "lists them",
                      pattern);
  }
  std::vector<OptionDifference> differences;
  const auto compare = [&](std::string_view path) {
    std::optional<std::string> was = value_at(before, path);
    std::optional<std::string> is = value_at(after, path);
    const bool allowed =
        std::any_of(allow_different.begin(), allow_different.end(),
                    [&](const std::string& pattern) { return fits(pattern, path); });
    if (was != is && !allowed) {
      const std::string_view object = object_of(path);
      differences.push_back({std::string(path), std::move(was), std::move(is),
                             kind_at(before, object), kind_at(after, object)});
    }
  };
  for (const OptionEntry& entry : now) {
    compare(entry.path);
  }
  for (const OptionEntry& entry : saved) {
    if (!after.contains(entry.path)) {
      compare(entry.path);
    }
  }
  return differences;
}

std::string to_string(const std::vector<OptionDifference>& differences) {
  struct Object {
    std::string_view path;
    const OptionDifference* any;
    std::vector<std::string> saved;
    std::vector<std::string> now;
  };
  std::vector<Object> objects;
  for (const OptionDifference& difference : differences) {
    const std::string_view path = object_of(difference.path);
    auto object = std::find_if(objects.begin(), objects.end(),
                               [&](const Object& other) { return other.path == path; });
    if (object == objects.end()) {
      object = objects.insert(object, {path, &difference, {}, {}});
    }
    const std::string_view name = name_in_object(difference.path);
    if (name != "kind") {
      const auto told = [&](const std::optional<std::string>& value) {
        return fmt::format("{} {}", detail::printable(name),
                           value ? detail::printable(*value) : "unset");
      };
      object->saved.push_back(told(difference.saved));
      object->now.push_back(told(difference.now));
    }
  }
  std::vector<std::string> parts;
  for (const Object& object : objects) {
    parts.push_back(fmt::format("{}{}saved {}, loaded {}", detail::printable(object.path),
                                object.path.empty() ? "" : ": ",
                                side("by", object.any->saved_kind, object.saved),
                                side("into", object.any->now_kind, object.now)));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace rw
