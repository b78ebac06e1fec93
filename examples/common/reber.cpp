#include "common/reber.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace examples::reber {

namespace {

struct Edge {
  char symbol;
  int next;
};

// Two edges leave each state, except state 5, from which only E leads on.
constexpr int last_state = 5;
constexpr std::array<std::array<Edge, 2>, 5> graph{{
    {{{'T', 1}, {'P', 2}}},
    {{{'S', 1}, {'X', 3}}},
    {{{'T', 2}, {'V', 4}}},
    {{{'X', 2}, {'S', 5}}},
    {{{'P', 3}, {'V', 5}}},
}};

/// Whether the least likely legal symbol after `prefix` is more likely than every other symbol.
bool is_right(std::string_view prefix, const float* logits) {
  const std::string legal = legal_after(prefix);
  float least = std::numeric_limits<float>::infinity();
  float most = -least;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    if (legal.find(symbols[i]) != std::string::npos) {
      least = std::min(least, logits[i]);
    } else {
      most = std::max(most, logits[i]);
    }
  }
  return least > most;
}

}  // namespace

std::string legal_after(std::string_view prefix) {
  // A string is B, the symbol to remember, the inner string from its B to its E, the same symbol,
  // E.
  std::string legal = "B";
  int state = -1;  // of the inner string; -1 outside of it
  bool inside = false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    const char symbol = prefix[i];
    if (legal.find(symbol) == std::string::npos) {
      return {};
    }
    if (inside && state == last_state) {
      inside = false;
      legal = prefix[1];
    } else if (inside || i == 2) {
      if (i == 2) {
        inside = true;
        state = 0;
      } else {
        const auto& ways = graph[static_cast<std::size_t>(state)];
        state = (ways[0].symbol == symbol ? ways[0] : ways[1]).next;
      }
      legal = "E";
      if (state != last_state) {
        const auto& ways = graph[static_cast<std::size_t>(state)];
        legal = {ways[0].symbol, ways[1].symbol};
      }
    } else if (state == last_state) {
      legal = legal == "E" ? "" : "E";
    } else {
      legal = i == 0 ? "TP" : "B";
    }
  }
  return legal;
}

std::string draw(rw::Rng& rng) {
  std::string text;
  for (std::string legal = legal_after(text); !legal.empty(); legal = legal_after(text)) {
    text += legal[static_cast<std::size_t>(rng.integer(static_cast<std::int64_t>(legal.size())))];
  }
  return text;
}

bool held_out(std::string_view text) {
  if (text.size() < 12) {
    return false;
  }
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char symbol : text) {
    hash = (hash ^ static_cast<std::uint64_t>(symbol)) * 0x100000001b3;
  }
  return (hash >> 32) % 5 == 0;
}

std::string draw(bool from_held_out, rw::Rng& rng) {
  std::string text = draw(rng);
  while (held_out(text) != from_held_out) {
    text = draw(rng);
  }
  return text;
}

std::vector<std::string> draw(bool from_held_out, std::int64_t count, rw::Rng& rng) {
  std::vector<std::string> strings;
  for (std::int64_t i = 0; i < count; ++i) {
    strings.push_back(draw(from_held_out, rng));
  }
  return strings;
}

Batch encode(std::span<const std::string> strings) {
  std::size_t steps = 0;
  for (const std::string& text : strings) {
    steps = std::max(steps, text.size() - 1);
  }
  const std::size_t batch = strings.size();
  std::vector<float> x(steps * batch * symbols.size(), 0.0F);
  std::vector<std::int64_t> target(steps * batch, 0);
  std::vector<std::int64_t> lengths;
  for (std::size_t b = 0; b < batch; ++b) {
    const std::string& text = strings[b];
    for (std::size_t t = 0; t + 1 < text.size(); ++t) {
      x[(t * batch + b) * symbols.size() + symbols.find(text[t])] = 1.0F;
      target[t * batch + b] = static_cast<std::int64_t>(symbols.find(text[t + 1]));
    }
    lengths.push_back(static_cast<std::int64_t>(text.size()) - 1);
  }
  const auto rows = static_cast<std::int64_t>(steps);
  const auto columns = static_cast<std::int64_t>(batch);
  return {rw::Tensor::from<float>({rows, columns, static_cast<std::int64_t>(symbols.size())}, x),
          rw::Tensor::from<std::int64_t>({rows, columns}, target),
          rw::Tensor::from<std::int64_t>({columns}, lengths)};
}

std::vector<std::vector<bool>> right_steps(std::span<const std::string> strings,
                                           const rw::Tensor& logits) {
  const std::vector<float> values = logits.to_vector<float>();
  std::vector<std::vector<bool>> right(strings.size());
  for (std::size_t b = 0; b < strings.size(); ++b) {
    for (std::size_t t = 0; t + 1 < strings[b].size(); ++t) {
      right[b].push_back(is_right(std::string_view(strings[b]).substr(0, t + 1),
                                  &values[(t * strings.size() + b) * symbols.size()]));
    }
  }
  return right;
}

}  // namespace examples::reber
