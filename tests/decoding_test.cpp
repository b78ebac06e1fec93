// Greedy decoding and sampling with a small recurrent model of random weights, against the
// definitions; edge cases and messages shared with beam search.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/tape/tape.hpp>

#include "support/messages.hpp"
#include "support/tiny_writer.hpp"

namespace {

using namespace rw;
using namespace rw::testing;

/// The probability of each next token under the options, from the definition.
std::vector<double> expected_shares(std::vector<double> p, const SamplingOptions& options) {
  std::vector<std::pair<double, std::size_t>> sorted;
  double total = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    total += p[i] = std::pow(std::exp(p[i]), 1 / options.temperature);
  }
  for (std::size_t i = 0; i < p.size(); ++i) sorted.emplace_back(p[i] / total, i);
  std::sort(sorted.rbegin(), sorted.rend());
  if (options.top_k > 0 && options.top_k < static_cast<Size>(p.size())) {
    sorted.resize(static_cast<std::size_t>(options.top_k));
  }
  double kept = 0;
  for (const auto& [share, i] : sorted) kept += share;
  std::vector<double> result(p.size(), 0.0);
  double inside = 0;
  for (const auto& [share, i] : sorted) {
    if (inside >= options.top_p * kept) break;
    result[i] = share;
    inside += share;
  }
  for (double& share : result) share /= inside;
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(greedy_takes_the_best_token_each_time) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const TinyWriter model(5, seed);
    const Start from = start(4, seed, model);
    const auto got =
        greedy_decode(model, from.state, from.first, {.end = end_token, .max_steps = 12});
    for (std::size_t b = 0; b < got.size(); ++b) {
      Decoded expected;
      while (expected.tokens.size() < 12 && !expected.ended) {
        const auto p = next_of(model, alone(from, static_cast<Size>(b)), expected.tokens);
        const auto best = std::max_element(p.begin(), p.end());
        expected.log_probability += *best;
        expected.ended = best - p.begin() == end_token;
        if (!expected.ended) expected.tokens.push_back(best - p.begin());
      }
      check_same(got[b], expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(samples_have_the_distribution_asked_for) {
  const TinyWriter model(6, 5, 1.0);
  const Start one = start(1, 6, model);
  constexpr Size draws = 20'000;
  const Tensor state = index_select(one.state, zeros({draws}, DType::int64));
  const Tensor first = index_select(one.first, zeros({draws}, DType::int64));
  const std::vector<double> p = next_of(model, one, {});
  for (SamplingOptions options :
       {SamplingOptions{}, SamplingOptions{.temperature = 0.5}, SamplingOptions{.temperature = 3},
        SamplingOptions{.top_k = 3}, SamplingOptions{.top_k = 1}, SamplingOptions{.top_k = 99},
        SamplingOptions{.top_p = 0.6}, SamplingOptions{.top_p = 1e-9},
        SamplingOptions{.temperature = 2, .top_k = 4, .top_p = 0.8}}) {
    options.max_steps = 1;
    Rng rng(7);
    std::vector<double> counts(6, 0.0);
    for (const Decoded& sample : sample_decode(model, state, first, rng, options)) {
      const auto token = static_cast<std::size_t>(sample.tokens.at(0));
      ++counts[token];
      BOOST_REQUIRE(std::abs(sample.log_probability - p[token]) < 1e-12);
    }
    const std::vector<double> shares = expected_shares(p, options);
    double chi_square = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const double expected = shares[i] * draws;
      if (expected == 0) {
        BOOST_TEST(counts[i] == 0);
      } else {
        chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
      }
    }
    // With five degrees of freedom, 20.5 is exceeded once in a thousand.
    BOOST_TEST(chi_square < 20.5, "top_k " << options.top_k << " top_p " << options.top_p
                                           << " temperature " << options.temperature);
  }
}

BOOST_AUTO_TEST_CASE(whole_samples_have_their_probability) {
  // Sequences over two tokens and an end: the share of each, compared with its probability.
  const TinyWriter model(3, 8, 1.0);
  const Start one = start(1, 9, model);
  constexpr Size draws = 20'000;
  Rng rng(10);
  std::map<std::pair<Tokens, bool>, double> counts;
  for (const Decoded& sample :
       sample_decode(model, index_select(one.state, zeros({draws}, DType::int64)),
                     index_select(one.first, zeros({draws}, DType::int64)), rng,
                     {.end = end_token, .max_steps = 3})) {
    ++counts[{sample.tokens, sample.ended}];
  }
  double total = 0;
  for (const BeamDecoded& each : enumerate(model, one, true, 3, 0)) {
    const double p = std::exp(each.log_probability);
    total += p;
    const double expected = p * draws;
    BOOST_TEST(std::abs(counts[{each.tokens, each.ended}] - expected) <
               5 * std::sqrt(expected * (1 - p)) + 1);
  }
  BOOST_TEST(std::abs(total - 1) < 1e-12);
}

BOOST_AUTO_TEST_CASE(the_seed_decides) {
  const TinyWriter model(20, 11);
  const Start from = start(8, 12, model);
  const auto run = [&](std::uint64_t seed) {
    Rng rng(seed);
    std::vector<Tokens> all;
    for (const Decoded& each : sample_decode(model, from.state, from.first, rng,
                                             {.end = end_token, .max_steps = 20, .top_p = 0.9})) {
      all.push_back(each.tokens);
    }
    return all;
  };
  BOOST_TEST((run(1) == run(1)));
  BOOST_TEST((run(1) != run(2)));
}

BOOST_AUTO_TEST_CASE(edges) {
  const TinyWriter model(4, 13);
  const Start from = start(2, 14, model);
  Rng rng(15);
  for (const Decoded& each : greedy_decode(model, from.state, from.first, {.max_steps = 0})) {
    BOOST_TEST((each.tokens.empty() && each.log_probability == 0 && !each.ended));
  }
  BOOST_TEST(sample_decode(model, from.state, from.first, rng, {.max_steps = 0}).size() == 2U);
  const auto found = beam_search(model, from.state, from.first, {.max_steps = 0});
  BOOST_REQUIRE_EQUAL(found.size(), 2U);
  BOOST_REQUIRE_EQUAL(found[1].size(), 1U);
  BOOST_TEST((found[1][0].tokens.empty() && found[1][0].score == 0));

  const Tensor no_state = zeros({0, 4}, DType::float64);
  const Tensor nobody = zeros({0}, DType::int64);
  BOOST_TEST(greedy_decode(model, no_state, nobody, {.end = 1}).empty());
  BOOST_TEST(sample_decode(model, no_state, nobody, rng, {.end = 1}).empty());
  BOOST_TEST(beam_search(model, no_state, nobody, {.end = 1}).empty());
}

BOOST_AUTO_TEST_CASE(the_end_may_come_first_and_is_not_asked_again) {
  // Sequence 0 ends at once, and its logits are NaN from then on; the other writes two tokens.
  int calls = 0;
  const auto step = [&](const Tensor& tokens, const Tensor& state) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double inf = std::numeric_limits<double>::infinity();
    const Size each = tokens.size(0) / 2;
    std::vector<double> logits;
    for (Size row = 0; row < tokens.size(0); ++row) {
      const bool ended = row / each == 0 && calls > 0;
      const bool ends = row / each == 0 || calls == 2;
      logits.push_back(ended ? nan : ends ? -inf : 0);
      logits.push_back(ended ? nan : ends ? 0 : -inf);
    }
    ++calls;
    return std::pair{Tensor::from<double>({tokens.size(0), 2}, logits), state};
  };
  const Tensor first = Tensor::from<Size>({2}, {0, 0});
  const auto greedy = greedy_decode(step, zeros({2}), first, {.end = 1});
  BOOST_TEST(calls == 3);
  calls = 0;
  const auto found = beam_search(step, zeros({2}), first, {.end = 1, .beams = 3, .results = 3});
  BOOST_TEST(calls == 3);
  for (const auto& result : {greedy, std::vector<Decoded>{found[0][0], found[1][0]}}) {
    BOOST_TEST((result[0].tokens.empty() && result[0].ended && result[0].log_probability == 0));
    BOOST_TEST(result[1].tokens == (Tokens{0, 0}), boost::test_tools::per_element());
    BOOST_TEST(result[1].ended);
  }
  BOOST_TEST(found[0].size() == 1U);  // nothing else is possible
}

BOOST_AUTO_TEST_CASE(nothing_is_recorded) {
  const TinyWriter model(4, 16);
  Start from = start(2, 17, model);
  Tape tape;
  from.state = tape.watch(from.state);
  Rng rng(18);
  const auto operations = tape.operations();
  static_cast<void>(greedy_decode(model, from.state, from.first, {.max_steps = 3}));
  static_cast<void>(sample_decode(model, from.state, from.first, rng, {.max_steps = 3}));
  static_cast<void>(beam_search(model, from.state, from.first, {.max_steps = 3}));
  BOOST_TEST(tape.operations() == operations);
}

BOOST_AUTO_TEST_CASE(wrong_calls_are_told) {
  const TinyWriter model(4, 19);
  const Start from = start(2, 20, model);
  Rng rng(21);
  const auto greedy = [&](const GreedyOptions& o) {
    greedy_decode(model, from.state, from.first, o);
  };
  const auto sample = [&](const SamplingOptions& o) {
    sample_decode(model, from.state, from.first, rng, o);
  };
  const auto beams = [&](const BeamOptions& o) { beam_search(model, from.state, from.first, o); };
  check_throws<UsageError>([&] { greedy({.max_steps = -1}); },
                           "greedy_decode: max_steps is -1, expected at least 0");
  check_throws<UsageError>([&] { greedy({.end = 4}); },
                           "greedy_decode: the end token 4 is outside [0, 4)");
  check_throws<UsageError>([&] { beams({.end = -1}); },
                           "beam_search: the end token -1 is outside [0, 4)");
  check_throws<UsageError>([&] { sample({.temperature = 0}); },
                           "sample_decode: temperature is 0, expected more than 0");
  check_throws<UsageError>([&] { sample({.top_k = -2}); }, "sample_decode: top_k is -2");
  for (const double p : {0.0, 1.5, -0.1, std::numeric_limits<double>::quiet_NaN()}) {
    check_throws<UsageError>([&] { sample({.top_p = p}); }, "sample_decode: top_p is");
  }
  check_throws<UsageError>([&] { beams({.beams = 0}); },
                           "beam_search: results is 1 and beams 0, expected 1 <= results <= beams");
  check_throws<UsageError>([&] { beams({.beams = 2, .results = 3}); }, "results is 3 and beams 2");
  check_throws<UsageError>([&] { beams({.length_penalty = -0.5}); }, "length_penalty is -0.5");
  check_throws<UsageError>([&] { greedy_decode(model, from.state, zeros({2})); },
                           "greedy_decode: the first tokens are float32, expected int64");
  check_throws<ShapeError>(
      [&] {
        beam_search(model, from.state, zeros({2, 1}, DType::int64));
      },
      "beam_search: the first tokens are [2, 1], expected [B]");
  int calls = 0;
  const auto nan_at_third = [&](const Tensor& tokens, const Tensor& state) {
    Tensor logits = zeros({tokens.size(0), 3});
    if (++calls % 3 == 0) {
      logits.mutable_data<float>()[logits.elements() - 1] = std::numeric_limits<float>::quiet_NaN();
    }
    return std::pair{logits, state};
  };
  check_throws<NonFiniteError>([&] { greedy_decode(nan_at_third, zeros({2}), from.first); },
                               "greedy_decode: step 2: row 1 of the logits [2, 3] holds a NaN");
  check_throws<NonFiniteError>([&] { sample_decode(nan_at_third, zeros({2}), from.first, rng); },
                               "sample_decode: step 2: row 1");
  check_throws<NonFiniteError>(
      [&] { beam_search(nan_at_third, zeros({2}), from.first, {.beams = 2}); },
      "beam_search: step 2: row 3 of the logits [4, 3]");
  const auto wrong_shape = [](const Tensor& tokens, const Tensor& state) {
    return std::pair{zeros({tokens.size(0), 1, 3}), state};
  };
  check_throws<ShapeError>(
      [&] { greedy_decode(wrong_shape, zeros({2}), from.first); },
      "greedy_decode: the step gave logits [2, 1, 3], expected [2, vocabulary]");
}
