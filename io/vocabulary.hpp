#pragma once
// Texts as numbers and back.
//
//     Vocabulary vocabulary(text);                    // characters
//     std::vector<std::int64_t> tokens = vocabulary.encode(text);
//     io::save("model.h5", "model", model, "vocabulary", vocabulary);
//     Vocabulary same = Vocabulary::load("model.h5");

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <rewind/autograd/tensor/state.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

enum class TokenUnit {
  character,  ///< UTF-8 code points, '\r' and '\n' too: convert line ends first if they may differ
  word        ///< what stands between ASCII white space: ' ', '\t', '\n', '\v', '\f', '\r'
};

struct VocabularyOptions {
  TokenUnit unit = TokenUnit::character;
  /// Tokens that occur less often are unknown; more than 1 needs a text for `unknown`.
  std::int64_t min_count = 1;
  // Texts of tokens with a meaning of their own, such as "<pad>"; empty: there is none. Where such
  // a text is itself a token of a text, it means the same.
  std::string padding = {};
  std::string unknown = {};  ///< stands for everything that is not in the vocabulary
  std::string begin = {};    ///< of a sequence
  std::string end = {};
};

/// Tokens, which are characters or words, numbered from 0: first padding, unknown, begin and end,
/// as far as there are any, then the others, the most frequent first and equally frequent ones in
/// the order of their bytes. All texts are UTF-8; a byte-order mark (U+FEFF) at the very beginning
/// of a text is left out, as RFC 3629, section 6 allows.
class Vocabulary {
 public:
  /// Of all tokens of `text`. Throws UsageError for bytes that are not UTF-8 and options that make
  /// no sense.
  explicit Vocabulary(std::string_view text, const VocabularyOptions& options = {});

  /// The vocabulary that was saved in a checkpoint under `name`. Throws CheckpointError as
  /// io::load() does, and when what is there is no vocabulary.
  static Vocabulary load(const std::string& path, const std::string& name = "vocabulary");

  TokenUnit unit() const;
  /// Number of tokens.
  std::int64_t size() const;
  /// The tokens' numbers. A token that is not in the vocabulary becomes `unknown`; throws
  /// UsageError where there is none, and for bytes that are not UTF-8.
  std::vector<std::int64_t> encode(std::string_view text) const;
  /// The text of these tokens: characters without anything between them, words with a space.
  /// Padding, begin and end are left out. Throws UsageError for a number outside [0, size()).
  std::string decode(std::span<const std::int64_t> tokens) const;
  std::string decode(const Tensor& tokens) const {
    return decode(tokens.to_vector<std::int64_t>());
  }

  bool contains(std::string_view token) const;
  /// Number of one token; that of `unknown` where it is not in the vocabulary. Throws UsageError
  /// where there is none.
  std::int64_t id(std::string_view token) const;
  /// Text of one token. Throws UsageError for a number outside [0, size()).
  const std::string& token(std::int64_t id) const;

  std::optional<std::int64_t> padding() const { return special(0); }
  std::optional<std::int64_t> unknown() const { return special(1); }
  std::optional<std::int64_t> begin() const { return special(2); }
  std::optional<std::int64_t> end() const { return special(3); }

  /// "tokens": the bytes of all tokens, -1 after each; "settings": the unit (0 characters, 1 words)
  /// and the numbers of padding, unknown, begin and end, -1 for none (int64). They share storage.
  StateList state() const { return {{"tokens", tokens_, {-1, 255}}, {"settings", settings_}}; }
  /// Whether it is a vocabulary.
  std::string fault_in(const StateList& values) const;
  /// The same as state(), in memory of its own.
  StateList to_state() const;
  /// The vocabulary with these entries of a state. Throws CheckpointRefused where there is none.
  static Vocabulary from_state(const StateList& values);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Numbers = std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>>;

  explicit Vocabulary(std::int64_t bytes);
  const Vocabulary& current() const;
  void read_state() const;
  struct Contents;
  static std::string read(const Tensor& tokens, const Tensor& settings, Contents& contents);
  std::optional<std::int64_t> special(std::size_t i) const;
  std::int64_t known(std::string_view token, const char* where, std::size_t at) const;

  Tensor tokens_;
  Tensor settings_;
  // What the state says, as of the version below: it may be restored at any time.
  mutable std::array<std::uint32_t, 2> versions_{};
  mutable std::vector<std::string> texts_;
  mutable Numbers numbers_;
};

}  // namespace rw
