#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/utf8.hpp>
#include <rewind/io/vocabulary.hpp>

namespace rw {
namespace {

constexpr std::array special_names{"padding", "unknown", "begin", "end"};
constexpr std::string_view white_space = " \t\n\v\f\r";

/// U+FEFF, which some editors put at the start of a text.
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Calls body(token, index of its first byte) for each token. A byte-order mark at the very
/// beginning is skipped. Throws UsageError for bytes that are not UTF-8, before the first call.
template <class Body>
void for_each_token(std::string_view text, TokenUnit unit, Body&& body) {
  const std::size_t bad = io::detail::first_bad_byte(text);
  check<UsageError>(bad == text.size(),
                    "vocabulary: byte {} of the text is {:#04x}, which is not UTF-8 there; convert "
                    "the text first",
                    bad, bad < text.size() ? static_cast<unsigned char>(text[bad]) : 0);
  std::size_t at = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  while (at < text.size()) {
    std::size_t end = 0;
    if (unit == TokenUnit::character) {
      end = at + io::detail::character_bytes(text, at);
    } else {
      at = std::min(text.find_first_not_of(white_space, at), text.size());
      end = std::min(text.find_first_of(white_space, at), text.size());
    }
    if (end > at) {
      body(text.substr(at, end - at), at);
    }
    at = end;
  }
}

void check_options(const VocabularyOptions& options) {
  check<UsageError>(options.min_count <= 1 || !options.unknown.empty(),
                    "vocabulary: with min_count {}, give the option unknown a text, such as "
                    "\"<unk>\", that stands for rarer tokens",
                    options.min_count);
  const std::array specials{&options.padding, &options.unknown, &options.begin, &options.end};
  for (std::size_t i = 0; i < specials.size(); ++i) {
    const std::string& text = *specials[i];
    check<UsageError>(io::detail::first_bad_byte(text) == text.size(),
                      "vocabulary: the text for {} is not UTF-8", special_names[i]);
    check<UsageError>(options.unit == TokenUnit::character ||
                          text.find_first_of(white_space) == std::string::npos,
                      "vocabulary: the text for {}, '{}', holds white space, expected a word",
                      special_names[i], text);
    for (std::size_t j = 0; j < i; ++j) {
      check<UsageError>(text.empty() || text != *specials[j],
                        "vocabulary: {} and {} are both '{}', expected different texts",
                        special_names[j], special_names[i], text);
    }
  }
}

/// The tokens that occur often enough, the most frequent first.
std::vector<std::string_view> frequent_tokens(std::string_view text,
                                              const VocabularyOptions& options) {
  std::map<std::string_view, std::int64_t> counts;
  for_each_token(text, options.unit, [&](std::string_view token, std::size_t) { ++counts[token]; });
  std::vector<std::pair<std::string_view, std::int64_t>> ordered(counts.begin(), counts.end());
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string_view> tokens;
  for (const auto& [token, count] : ordered) {
    if (count >= options.min_count) {
      tokens.push_back(token);
    }
  }
  return tokens;
}

}  // namespace

Vocabulary::Vocabulary(std::int64_t bytes)
    : tokens_(zeros({bytes}, DType::int64)),
      settings_(zeros({1 + static_cast<std::int64_t>(special_names.size())}, DType::int64)) {}

Vocabulary::Vocabulary(std::string_view text, const VocabularyOptions& options) {
  check_options(options);
  std::vector<std::int64_t> bytes;
  const auto append = [&](std::string_view token) {
    for (const char byte : token) {
      bytes.push_back(static_cast<unsigned char>(byte));
    }
    bytes.push_back(-1);
  };
  std::vector<std::int64_t> settings{options.unit == TokenUnit::word ? 1 : 0};
  std::int64_t specials = 0;
  for (const std::string* token :
       {&options.padding, &options.unknown, &options.begin, &options.end}) {
    settings.push_back(token->empty() ? -1 : specials++);
    if (!token->empty()) {
      append(*token);
    }
  }
  for (const std::string_view token : frequent_tokens(text, options)) {
    if (token != options.padding && token != options.unknown && token != options.begin &&
        token != options.end) {
      append(token);
    }
  }
  tokens_ = Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(bytes.size())}, bytes);
  settings_ =
      Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(settings.size())}, settings);
  read_state();
}

Vocabulary Vocabulary::load(const std::string& path, const std::string& name) {
  Vocabulary vocabulary(0);
  io::load(path, io::LoadOptions{.allow_unexpected = true}, name, vocabulary);
  return vocabulary;
}

/// The state in a form that can be searched.
struct Vocabulary::Contents {
  std::vector<std::string> texts;
  Numbers numbers;
};

/// Reads the contents. Returns what is wrong with the state, beginning with the entry's name; empty
/// if nothing is.
std::string Vocabulary::read(const Tensor& tokens, const Tensor& settings, Contents& contents) {
  std::string token;
  for (const std::int64_t byte : tokens.to_vector<std::int64_t>()) {
    if (byte < -1 || byte > 0xFF) {
      return fmt::format("tokens holds {}, which is no byte", byte);
    }
    if (byte >= 0) {
      token.push_back(static_cast<char>(byte));
      continue;
    }
    const auto number = static_cast<std::int64_t>(contents.texts.size());
    if (token.empty()) {
      return fmt::format("tokens holds an empty token, number {}", number);
    }
    if (io::detail::first_bad_byte(token) != token.size()) {
      return fmt::format("tokens holds a token that is not UTF-8, number {}", number);
    }
    if (!contents.numbers.emplace(token, number).second) {
      return fmt::format("tokens holds token {} twice", number);
    }
    contents.texts.push_back(std::exchange(token, {}));
  }
  if (!token.empty()) {
    return "tokens has a last token without an end";
  }
  const auto* numbers = settings.data<std::int64_t>();
  if (numbers[0] != 0 && numbers[0] != 1) {
    return fmt::format("settings has the unit {}, expected 0 (characters) or 1 (words)",
                       numbers[0]);
  }
  const auto size = static_cast<std::int64_t>(contents.texts.size());
  for (std::size_t i = 0; i < special_names.size(); ++i) {
    const std::int64_t number = numbers[1 + i];
    if (number < -1 || number >= size) {
      return fmt::format("settings has the number {} for {}, expected -1 to {}", number,
                         special_names[i], size - 1);
    }
    if (number >= 0 && std::find(numbers + 1, numbers + 1 + i, number) != numbers + 1 + i) {
      return fmt::format("settings has the number {} for {} and another", number, special_names[i]);
    }
  }
  return {};
}

std::string Vocabulary::fault_in(const StateList& values) const {
  Contents contents;
  return read(values[0].tensor, values[1].tensor, contents);
}

StateList Vocabulary::to_state() const {
  StateList copies = state();
  for (StateEntry& entry : copies) {
    entry.tensor = entry.tensor.clone();
  }
  return copies;
}

Vocabulary Vocabulary::from_state(const StateList& values) {
  Vocabulary vocabulary(0);
  const auto settings = vocabulary.settings_.shape();
  check<io::CheckpointRefused>(
      values.size() == 2 && values[0].tensor.dtype() == DType::int64 &&
          values[0].tensor.rank() == 1 && values[1].tensor.dtype() == DType::int64 &&
          values[1].tensor.shape() == settings,
      "vocabulary: expected tokens int64 [n] and settings int64 {}", settings);
  vocabulary.tokens_ = values[0].tensor.clone();
  vocabulary.settings_ = values[1].tensor.clone();
  vocabulary.read_state();
  return vocabulary;
}

void Vocabulary::read_state() const {
  Contents contents;
  const std::string fault = read(tokens_, settings_, contents);
  check<io::CheckpointRefused>(fault.empty(),
                               "vocabulary: the restored state is not a vocabulary: {}", fault);
  texts_ = std::move(contents.texts);
  numbers_ = std::move(contents.numbers);
  versions_ = {tokens_.body().block->version, settings_.body().block->version};
}

const Vocabulary& Vocabulary::current() const {
  if (versions_ != std::array{tokens_.body().block->version, settings_.body().block->version})
      [[unlikely]] {
    read_state();
  }
  return *this;
}

TokenUnit Vocabulary::unit() const {
  return *settings_.data<std::int64_t>() == 1 ? TokenUnit::word : TokenUnit::character;
}

std::optional<std::int64_t> Vocabulary::special(std::size_t i) const {
  const std::int64_t number = current().settings_.data<std::int64_t>()[1 + i];
  return number < 0 ? std::nullopt : std::optional(number);
}

std::int64_t Vocabulary::size() const { return static_cast<std::int64_t>(current().texts_.size()); }

bool Vocabulary::contains(std::string_view token) const {
  return current().numbers_.contains(token);
}

std::int64_t Vocabulary::known(std::string_view token, const char* where, std::size_t at) const {
  const auto found = numbers_.find(token);
  if (found != numbers_.end()) {
    return found->second;
  }
  const std::int64_t unknown = settings_.data<std::int64_t>()[2];
  check<UsageError>(unknown >= 0,
                    "vocabulary: '{}'{}{} is none of the {} tokens; build the vocabulary from all "
                    "of the text, or with the option unknown",
                    token, where, *where == '\0' ? std::string() : std::to_string(at),
                    texts_.size());
  return unknown;
}

std::int64_t Vocabulary::id(std::string_view token) const { return current().known(token, "", 0); }

const std::string& Vocabulary::token(std::int64_t id) const {
  check<UsageError>(0 <= id && id < size(), "vocabulary: got the number {}, expected 0 to {}", id,
                    size() - 1);
  return texts_[static_cast<std::size_t>(id)];
}

std::vector<std::int64_t> Vocabulary::encode(std::string_view text) const {
  const Vocabulary& vocabulary = current();
  std::vector<std::int64_t> numbers;
  for_each_token(text, unit(), [&](std::string_view token, std::size_t at) {
    numbers.push_back(vocabulary.known(token, " at byte ", at));
  });
  return numbers;
}

std::string Vocabulary::decode(std::span<const std::int64_t> tokens) const {
  const bool words = unit() == TokenUnit::word;
  std::string text;
  bool first = true;
  for (const std::int64_t id : tokens) {
    const std::string& one = token(id);
    if (id == padding() || id == begin() || id == end()) {
      continue;
    }
    if (words && !first) {
      text.push_back(' ');
    }
    text += one;
    first = false;
  }
  return text;
}

}  // namespace rw
