#include "common/temporal_order.hpp"

#include <algorithm>

namespace examples::temporal_order {

namespace {

std::int64_t within(const Range& range, rw::Rng& rng) {
  return range.low + rng.integer(range.high - range.low + 1);
}

}  // namespace

const Level& level(std::string_view name) {
  const auto* found = std::find_if(levels.begin(), levels.end(),
                                   [&](const Level& each) { return each.name == name; });
  rw::check<rw::UsageError>(found != levels.end(), "temporal order: there is no level \"{}\"",
                            name);
  return *found;
}

std::vector<std::string> level_names() {
  std::vector<std::string> names;
  for (const Level& each : levels) {
    names.emplace_back(each.name);
  }
  return names;
}

Sequence draw(const Level& level, rw::Rng& rng) {
  std::string text(static_cast<std::size_t>(within(level.length, rng)), ' ');
  for (char& symbol : text) {
    symbol = "abcd"[rng.integer(4)];
  }
  const std::int64_t label = rng.integer(level.has_third() ? 8 : 4);
  text.front() = 'B';
  text.back() = 'E';
  // The binary digits of the label, highest first: 0 is X and 1 is Y.
  std::int64_t digit = level.has_third() ? 4 : 2;
  const auto place = [&](const Range& range) {
    text[static_cast<std::size_t>(within(range, rng))] = (label & digit) == 0 ? 'X' : 'Y';
    digit /= 2;
  };
  place(level.first);
  place(level.second);
  if (level.has_third()) {
    place(level.third);
  }
  return {std::move(text), label};
}

Batch encode(std::span<const Sequence> sequences) {
  std::size_t steps = 0;
  for (const Sequence& sequence : sequences) {
    steps = std::max(steps, sequence.text.size());
  }
  const std::size_t batch = sequences.size();
  std::vector<float> x(steps * batch * symbols.size(), 0.0F);
  std::vector<std::int64_t> labels;
  for (std::size_t b = 0; b < batch; ++b) {
    const std::string& text = sequences[b].text;
    const std::size_t padding = steps - text.size();
    for (std::size_t i = 0; i < text.size(); ++i) {
      x[((padding + i) * batch + b) * symbols.size() + symbols.find(text[i])] = 1.0F;
    }
    labels.push_back(sequences[b].label);
  }
  const auto size = static_cast<std::int64_t>(batch);
  return {
      rw::Tensor::from<float>(
          {static_cast<std::int64_t>(steps), size, static_cast<std::int64_t>(symbols.size())}, x),
      rw::Tensor::from<std::int64_t>({size}, labels)};
}

Batch draw_batch(const Level& level, std::int64_t count, rw::Rng& rng) {
  std::vector<Sequence> sequences;
  for (std::int64_t i = 0; i < count; ++i) {
    sequences.push_back(draw(level, rng));
  }
  return encode(sequences);
}

}  // namespace examples::temporal_order
