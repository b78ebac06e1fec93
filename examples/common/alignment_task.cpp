#include "common/alignment_task.hpp"

#include <algorithm>
#include <bit>

namespace examples::alignment {

namespace {

// Rows 1 to 6 of the Walsh matrix: any two differ in half of their elements.
float pattern(std::int64_t label, std::int64_t feature) {
  const auto common = static_cast<std::uint64_t>(label & feature);
  return std::popcount(common) % 2 == 0 ? 1.0F : -1.0F;
}

}  // namespace

Utterance draw(double noise, rw::Rng& rng) {
  Utterance utterance;
  const auto add_frames = [&](std::int64_t count, std::int64_t label) {
    for (std::int64_t i = 0; i < count; ++i) {
      utterance.truth += label == 0 ? '-' : letters[static_cast<std::size_t>(label - 1)];
      for (std::int64_t f = 0; f < features; ++f) {
        const float clean = label == 0 ? 0.0F : pattern(label, f);
        utterance.frames.push_back(clean + static_cast<float>(noise * rng.normal()));
      }
    }
  };
  add_frames(rng.integer(5), 0);
  const std::int64_t count = 3 + rng.integer(6);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = 1 + rng.integer(classes - 1);
    const bool repeated = i > 0 && label == utterance.labels.back();
    if (i > 0) {
      add_frames(repeated ? 2 + rng.integer(3) : rng.integer(5), 0);
    }
    utterance.labels.push_back(label);
    add_frames(3 + rng.integer(6), label);
  }
  add_frames(rng.integer(5), 0);
  return utterance;
}

Batch draw_batch(std::int64_t count, double noise, rw::Rng& rng) {
  Batch batch;
  std::vector<std::int64_t> frame_lengths, label_lengths;
  for (std::int64_t b = 0; b < count; ++b) {
    batch.utterances.push_back(draw(noise, rng));
    frame_lengths.push_back(static_cast<std::int64_t>(batch.utterances.back().truth.size()));
    label_lengths.push_back(static_cast<std::int64_t>(batch.utterances.back().labels.size()));
  }
  const std::int64_t steps = *std::max_element(frame_lengths.begin(), frame_lengths.end());
  const std::int64_t most = *std::max_element(label_lengths.begin(), label_lengths.end());
  std::vector<float> x(static_cast<std::size_t>(steps * count * features), 0.0F);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(most * count), 0);
  for (std::int64_t b = 0; b < count; ++b) {
    const Utterance& utterance = batch.utterances[static_cast<std::size_t>(b)];
    for (std::size_t i = 0; i < utterance.frames.size(); ++i) {
      const auto t = static_cast<std::int64_t>(i) / features;
      const auto f = static_cast<std::int64_t>(i) % features;
      x[static_cast<std::size_t>((t * count + b) * features + f)] = utterance.frames[i];
    }
    for (std::size_t i = 0; i < utterance.labels.size(); ++i) {
      labels[i * static_cast<std::size_t>(count) + static_cast<std::size_t>(b)] =
          utterance.labels[i];
    }
  }
  batch.x = rw::Tensor::from<float>({steps, count, features}, x);
  batch.frame_lengths = rw::Tensor::from<std::int64_t>({count}, frame_lengths);
  batch.labels = rw::Tensor::from<std::int64_t>({most, count}, labels);
  batch.label_lengths = rw::Tensor::from<std::int64_t>({count}, label_lengths);
  return batch;
}

}  // namespace examples::alignment
