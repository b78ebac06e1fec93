#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rewind/autograd/losses/sequence_losses.hpp>
#include <rewind/layers/decoder.hpp>
#include <rewind/layers/embedding.hpp>

#include "common/characters.hpp"
#include "common/experiment.hpp"

namespace examples {

/// A network that reads tokens, and one that writes tokens.
template <class Encoder, class Decoder>
struct EncoderDecoder {
  rw::Embedding embedding;
  Encoder encoder;
  Decoder decoder;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("embedding", embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
  }
};

/// Teacher forcing: `decoder` predicts each character of `answers`, and the end, given the right
/// characters before it. Each character is graded by itself.
template <class D>
Graded teach(const D& decoder, typename D::State start, const std::vector<std::string>& answers,
             const Characters& alphabet) {
  const auto [targets, lengths] = alphabet.encode_with_end(answers);
  const rw::Tensor inputs = rw::shifted_targets(alphabet.borders(targets.size(1)), targets);
  const rw::Tensor logits = decoder.teach(inputs, std::move(start)).logits;
  return {rw::sequence_cross_entropy(logits, targets, lengths),
          rw::count_correct(logits, targets, {.lengths = lengths})};
}

/// How many answers are entirely right. Prints the first ten, each after its question, which takes
/// `width` columns, and `between`.
rw::Tally compare_answers(std::span<const std::string> asked, std::span<const std::string> expected,
                          std::span<const std::string> got, std::int64_t width,
                          const char* between);

}  // namespace examples
