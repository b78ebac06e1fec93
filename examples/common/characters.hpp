#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rewind/io/padding.hpp>
#include <rewind/io/vocabulary.hpp>

namespace examples {

/// An alphabet for lines of text. One more token, the border, marks the beginning and the end of a
/// line, and pads shorter lines.
class Characters {
 public:
  explicit Characters(std::string_view symbols) : vocabulary_(symbols, {.end = "\n"}) {}

  std::int64_t border() const { return *vocabulary_.end(); }
  /// The number of tokens.
  std::int64_t size() const { return vocabulary_.size(); }
  /// `count` borders: the first input of a decoder.
  rw::Tensor borders(std::int64_t count) const;

  /// Lines without a border.
  rw::PaddedSequences encode(std::span<const std::string> lines) const {
    return encode(lines, false);
  }
  /// Lines with the border at their end: the target of a decoder.
  rw::PaddedSequences encode_with_end(std::span<const std::string> lines) const {
    return encode(lines, true);
  }
  std::string decode(std::span<const std::int64_t> tokens) const {
    return vocabulary_.decode(tokens);
  }

 private:
  rw::PaddedSequences encode(std::span<const std::string> lines, bool with_end) const;

  rw::Vocabulary vocabulary_;
};

}  // namespace examples
