#pragma once
// A small recurrent model that writes tokens, and an enumeration of everything that it can write.

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/layers/beam_search.hpp>

#include "numbers.hpp"

namespace rw::testing {

using Tokens = std::vector<Size>;

constexpr Size end_token = 1;

/// h' = tanh(h W + E[token]), logits = h' R.
struct TinyWriter {
  Tensor recurrent, table, readout;

  TinyWriter(Size vocabulary, std::uint64_t seed, double scale = 1.5) {
    Rng rng(seed);
    recurrent = rng.normal({4, 4}, 0, 1, DType::float64);
    table = rng.normal({vocabulary, 4}, 0, 1, DType::float64);
    readout = rng.normal({4, vocabulary}, 0, scale, DType::float64);
  }
  Size vocabulary() const { return table.size(0); }
  std::pair<Tensor, Tensor> operator()(const Tensor& tokens, const Tensor& h) const {
    const Tensor next = tanh(matmul(h, recurrent) + embedding(table, tokens));
    return {matmul(next, readout), next};
  }
};

struct Start {
  Tensor state, first;
};

inline Start start(Size batch, std::uint64_t seed, const TinyWriter& model) {
  Rng rng(seed);
  Tokens first;
  for (Size b = 0; b < batch; ++b) first.push_back(rng.integer(model.vocabulary()));
  return {rng.normal({batch, 4}, 0, 1, DType::float64), Tensor::from<Size>({batch}, first)};
}

/// Row b of a start, alone.
inline Start alone(const Start& all, Size b) {
  return {slice(all.state, 0, b, b + 1), slice(all.first, 0, b, b + 1)};
}

/// Log-probabilities of the next token after `tokens`.
inline std::vector<double> next_of(const TinyWriter& model, const Start& from,
                                   const Tokens& tokens) {
  Tensor state = from.state;
  Tensor token = from.first;
  Tensor logits;
  for (std::size_t i = 0;; ++i) {
    std::tie(logits, state) = model(token, state);
    if (i == tokens.size()) {
      return log_softmax(logits).to_vector<double>();
    }
    token = Tensor::from<Size>({1}, {tokens[i]});
  }
}

/// Everything that the model can write in at most `max_steps`, best first.
inline std::vector<BeamDecoded> enumerate(const TinyWriter& model, const Start& from, bool ends,
                                          Size max_steps, double alpha) {
  std::vector<BeamDecoded> all;
  const auto add = [&](const Tokens& tokens, double p, bool ended) {
    const auto length = static_cast<double>(tokens.size()) + (ended ? 1 : 0);
    all.push_back({{tokens, p, ended}, p / std::pow((5 + length) / 6, alpha)});
  };
  const auto go = [&](auto&& self, const Tokens& tokens, double p) -> void {
    if (static_cast<Size>(tokens.size()) == max_steps) {
      add(tokens, p, false);
      return;
    }
    const std::vector<double> next = next_of(model, from, tokens);
    for (std::size_t token = 0; token < next.size(); ++token) {
      if (ends && token == end_token) {
        add(tokens, p + next[token], true);
      } else {
        Tokens longer = tokens;
        longer.push_back(static_cast<Size>(token));
        self(self, longer, p + next[token]);
      }
    }
  };
  go(go, {}, 0);
  std::sort(all.begin(), all.end(),
            [](const BeamDecoded& a, const BeamDecoded& b) { return a.score > b.score; });
  return all;
}

inline void check_same(const Decoded& got, const Decoded& expected) {
  BOOST_TEST(got.tokens == expected.tokens, boost::test_tools::per_element());
  BOOST_TEST(got.ended == expected.ended);
  BOOST_TEST(std::abs(got.log_probability - expected.log_probability) < 1e-12);
}

}  // namespace rw::testing
