#pragma once
// Converts texts to token numbers and back.
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
  word        ///< text between ASCII white space: ' ', '\t', '\n', '\v', '\f', '\r'
};

struct VocabularyOptions {
  TokenUnit unit = TokenUnit::character;
  /// Tokens that occur less often are unknown; if this is more than 1, `unknown` must be set.
  std::int64_t min_count = 1;
  // Texts of the special tokens, such as "<pad>"; empty: there is no such token. Where this text
  // occurs in a text as a token, it is the special token.
  std::string padding = {};
  std::string unknown = {};  ///< stands for every token that is not in the vocabulary
  std::string begin = {};    ///< of a sequence
  std::string end = {};
};

/// Tokens (characters or words), numbered from 0: first padding, unknown, begin and end, if they
/// exist; then the others, the most frequent first, and in the order of their bytes if equally
/// frequent. All texts are UTF-8. A byte-order mark (U+FEFF) at the very beginning of a text is
/// skipped, as RFC 3629, section 6 allows.
class Vocabulary {
 public:
  /// Built from all tokens of `text`. Throws UsageError for bytes that are not UTF-8 and for
  /// inconsistent options.
  explicit Vocabulary(std::string_view text, const VocabularyOptions& options = {});

  /// The vocabulary that was saved in a checkpoint under `name`. Throws CheckpointError as
  /// io::load() does, and if there is no vocabulary of that name.
  static Vocabulary load(const std::string& path, const std::string& name = "vocabulary");

  TokenUnit unit() const;
  /// Number of tokens.
  std::int64_t size() const;
  /// The numbers of the tokens of `text`. A token that is not in the vocabulary becomes `unknown`.
  /// Throws UsageError if there is no `unknown`, and for bytes that are not UTF-8.
  std::vector<std::int64_t> encode(std::string_view text) const;
  /// The text of these tokens: characters joined directly, words joined by a space. Padding, begin
  /// and end are left out. Throws UsageError for a number outside [0, size()).
  std::string decode(std::span<const std::int64_t> tokens) const;
  std::string decode(const Tensor& tokens) const {
    return decode(tokens.to_vector<std::int64_t>());
  }

  bool contains(std::string_view token) const;
  /// The number of one token, or of `unknown` if the token is not in the vocabulary. Throws
  /// UsageError if there is no `unknown`.
  std::int64_t id(std::string_view token) const;
  /// The text of one token. Throws UsageError for a number outside [0, size()).
  const std::string& token(std::int64_t id) const;

  std::optional<std::int64_t> padding() const { return special(0); }
  std::optional<std::int64_t> unknown() const { return special(1); }
  std::optional<std::int64_t> begin() const { return special(2); }
  std::optional<std::int64_t> end() const { return special(3); }

  /// "tokens": the bytes of all tokens, -1 after each; "settings": the unit (0 characters, 1 words)
  /// and the numbers of padding, unknown, begin and end, -1 for none (int64). They share storage
  /// with this object.
  StateList state() const { return {{"tokens", tokens_, {-1, 255}}, {"settings", settings_}}; }
  /// What rules out these values as a vocabulary; empty if nothing does.
  std::string fault_in(const StateList& values) const;
  /// The same as state(), in newly allocated memory.
  StateList to_state() const;
  /// The vocabulary with these entries as its state. Throws CheckpointRefused if they are not one.
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
  // The contents of the state at the versions below: it may be restored at any time.
  mutable std::array<std::uint32_t, 2> versions_{};
  mutable std::vector<std::string> texts_;
  mutable Numbers numbers_;
};

}  // namespace rw
