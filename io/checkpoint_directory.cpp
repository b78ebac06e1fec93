#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include <rewind/io/checkpoint_directory.hpp>
#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/with_memory.hpp>

namespace rw::io {
namespace {

constexpr std::string_view prefix = "checkpoint-";
constexpr std::string_view suffix = ".h5";
constexpr const char* score_attribute = "score";

std::string name_of(std::int64_t number) {
  return fmt::format("{}{:06}{}", prefix, number, suffix);
}

/// The number in a file name; nothing for a name that this class does not give.
std::optional<std::int64_t> number_of(std::string_view name) {
  constexpr std::int64_t most = 999'999'999'999;
  if (!name.starts_with(prefix)) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
  const bool is_ours = number > 0 && number < most && name == name_of(number);
  return is_ours ? std::optional(number) : std::nullopt;
}

std::optional<double> score_of(const std::string& path) {
  try {
    const Attributes attributes = read_attributes(path);
    const auto found = attributes.find(score_attribute);
    if (found == attributes.end()) {
      return std::nullopt;
    }
    double score = 0;
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), score);
    return error == std::errc() ? std::optional(score) : std::nullopt;
  } catch (const CheckpointError&) {
    return std::nullopt;  // damaged: resume() reports it
  }
}

}  // namespace

CheckpointDirectory::CheckpointDirectory(std::string path, CheckpointDirectoryOptions options)
    : path_(std::move(path)), options_(std::move(options)) {
  check<UsageError>(!path_.empty(), "checkpoint directory: the path is empty");
  check<UsageError>(options_.keep_last >= 1,
                    "checkpoint directory: keep_last is {}, expected at least 1",
                    options_.keep_last);
  check<UsageError>(options_.keep_best >= 0,
                    "checkpoint directory: keep_best is {}, expected at least 0",
                    options_.keep_best);
  check<UsageError>(!options_.attributes.contains(score_attribute),
                    "checkpoint directory: the attribute '{}' is reserved; choose another name",
                    score_attribute);
  make_folder();
}

void CheckpointDirectory::make_folder() const {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error || !std::filesystem::is_directory(path_, error)) {
    throw CheckpointWriteError(fmt::format(
        "checkpoint directory '{}' cannot be made: {}", path_,
        error ? error.message() : "there is something else of that name, expected a folder"));
  }
}

std::vector<Generation> CheckpointDirectory::listed() const {
  std::vector<Generation> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const auto number = number_of(entry.path().filename().string());
    std::error_code ignored;  // it may have been removed meanwhile
    if (number && entry.is_regular_file(ignored)) {
      found.push_back({*number, entry.path().string()});
    }
  }
  if (error) {
    throw CheckpointReadError(
        fmt::format("checkpoint directory '{}' cannot be read: {}", path_, error.message()));
  }
  std::ranges::sort(found, {}, &Generation::number);
  return found;
}

std::vector<Generation> CheckpointDirectory::generations() const {
  std::vector<Generation> all = listed();
  for (Generation& each : all) {
    each.score = score_of(each.path);
  }
  return all;
}

namespace {

/// Those with a score, best first; newest first where scores are equal.
std::vector<Generation> by_score(std::vector<Generation> generations, bool maximize) {
  std::erase_if(generations,
                [](const Generation& each) { return !each.score || std::isnan(*each.score); });
  std::ranges::stable_sort(generations, [maximize](const Generation& a, const Generation& b) {
    const double x = maximize ? -*a.score : *a.score;
    const double y = maximize ? -*b.score : *b.score;
    return x < y || (x == y && a.number > b.number);
  });
  return generations;
}

}  // namespace

std::optional<Generation> CheckpointDirectory::best() const {
  const std::vector<Generation> ranked = by_score(generations(), options_.maximize);
  return ranked.empty() ? std::nullopt : std::optional(ranked.front());
}

std::optional<Generation> CheckpointDirectory::latest() {
  return resume_newest([](const std::string& path) {
    detail::with_memory(path, 0, [&] {
      const std::vector<std::string> damage = detail::CheckpointReader(path).damage();
      if (!damage.empty()) {
        detail::fail_corrupt(path, damage.front());
      }
    });
  });
}

Generation CheckpointDirectory::make_next(std::optional<double> score) const {
  make_folder();  // it may have been removed since
  const std::vector<Generation> before = listed();
  const std::int64_t number = before.empty() ? 1 : before.back().number + 1;
  return {number, (std::filesystem::path(path_) / name_of(number)).string(), score};
}

Attributes CheckpointDirectory::attributes_of(const Generation& generation) const {
  Attributes all = options_.attributes;
  if (generation.score) {
    all[score_attribute] = fmt::format("{}", *generation.score);
  }
  return all;
}

void CheckpointDirectory::remove_old() const {
  const std::vector<Generation> all = options_.keep_best > 0 ? generations() : listed();
  std::set<std::int64_t> kept;
  const auto keep = [&](const auto& first, const auto& last) {
    std::for_each(first, last, [&](const Generation& each) { kept.insert(each.number); });
  };
  const auto newest = std::min(options_.keep_last, static_cast<std::int64_t>(all.size()));
  keep(all.end() - newest, all.end());
  const std::vector<Generation> ranked = by_score(all, options_.maximize);
  const auto best = std::min(options_.keep_best, static_cast<std::int64_t>(ranked.size()));
  keep(ranked.begin(), ranked.begin() + best);
  for (const Generation& each : all) {
    if (!kept.contains(each.number)) {
      std::error_code ignored;  // the next save tries again
      std::filesystem::remove(each.path, ignored);
    }
  }
}

void CheckpointDirectory::check_not_all_damaged() const {
  if (!skipped_.empty()) {
    throw CheckpointCorrupt(fmt::format(
        "checkpoint directory '{}': none of its {} checkpoints can be read; the newest: {}", path_,
        skipped_.size(), skipped_.front().reason));
  }
}

}  // namespace rw::io
