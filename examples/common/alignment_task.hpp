#pragma once

#include <string>
#include <vector>

#include <rewind/autograd/tensor/rng.hpp>

/// A toy model of speech: words of letters, each lasting some noisy frames, with silence between
/// letters. What was said is known; when it was said is not.
namespace examples::alignment {

inline constexpr std::string_view letters = "abcdef";
inline constexpr std::int64_t classes = 7;   // the blank, 0, and the letters
inline constexpr std::int64_t features = 8;  // of a frame

struct Utterance {
  std::vector<std::int64_t> labels;  // 1 to 6
  std::string truth;                 // for each frame the letter that it belongs to, or '-'
  std::vector<float> frames;         // [frames, 8]
};

/// Three to eight letters of 3 to 8 frames each, with 0 to 4 frames of silence between letters, but
/// at least 2 between equal ones. A letter is a pattern of eight +1 and -1, silence is 0, and
/// normal noise of the given deviation is added to every number.
Utterance draw(double noise, rw::Rng& rng);

struct Batch {
  rw::Tensor x;              // [T, B, 8], zeros in the padding
  rw::Tensor frame_lengths;  // int64 [B]
  rw::Tensor labels;         // int64 [S, B], 0 in the padding
  rw::Tensor label_lengths;  // int64 [B]
  std::vector<Utterance> utterances;
};

Batch draw_batch(std::int64_t count, double noise, rw::Rng& rng);

}  // namespace examples::alignment
