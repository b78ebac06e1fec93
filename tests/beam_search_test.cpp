// Beam search with a small recurrent model of random weights, compared with an enumeration of
// everything that the model can write.

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "support/tiny_writer.hpp"

namespace {

using namespace rw;
using namespace rw::testing;

}  // namespace

BOOST_AUTO_TEST_CASE(wide_beams_find_the_best_of_all) {
  int better_than_greedy = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const TinyWriter model(2 + static_cast<Size>(seed % 3), seed);
    const Size max_steps = 1 + static_cast<Size>(seed % 4);
    const bool ends = seed % 5 != 0;
    const double alpha = std::vector{0.0, 0.6, 2.0}[seed % 3];
    const Start from = start(3, seed + 100, model);
    const std::optional<Size> end = ends ? std::optional<Size>(end_token) : std::nullopt;
    const auto found = beam_search(
        model, from.state, from.first,
        {.end = end, .max_steps = max_steps, .beams = 300, .results = 10, .length_penalty = alpha});
    const auto greedy =
        greedy_decode(model, from.state, from.first, {.end = end, .max_steps = max_steps});
    for (std::size_t b = 0; b < 3; ++b) {
      const Start one = alone(from, static_cast<Size>(b));
      const auto expected = enumerate(model, one, ends, max_steps, alpha);
      BOOST_REQUIRE_EQUAL(found[b].size(), std::min<std::size_t>(10, expected.size()));
      for (std::size_t i = 0; i < found[b].size(); ++i) {
        check_same(found[b][i], expected[i]);
        BOOST_TEST(std::abs(found[b][i].score - expected[i].score) < 1e-12);
      }
      better_than_greedy += greedy[b].tokens != found[b][0].tokens ? 1 : 0;
    }
  }
  BOOST_TEST(better_than_greedy > 5);
}

BOOST_AUTO_TEST_CASE(one_beam_is_greedy) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const TinyWriter model(6, seed);
    const Start from = start(5, seed, model);
    const std::optional<Size> end = seed % 4 != 0 ? std::optional<Size>(end_token) : std::nullopt;
    const auto greedy = greedy_decode(model, from.state, from.first, {.end = end, .max_steps = 9});
    for (const double alpha : {0.0, 1.0}) {
      const auto found =
          beam_search(model, from.state, from.first,
                      {.end = end, .max_steps = 9, .beams = 1, .length_penalty = alpha});
      for (std::size_t b = 0; b < greedy.size(); ++b) {
        BOOST_REQUIRE_EQUAL(found[b].size(), 1U);
        check_same(found[b][0], greedy[b]);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(beams_do_not_depend_on_the_rest_of_the_batch) {
  const TinyWriter model(7, 3);
  const Start from = start(6, 4, model);
  const BeamOptions options{
      .end = end_token, .max_steps = 15, .beams = 5, .results = 5, .length_penalty = 0.7};
  const auto together = beam_search(model, from.state, from.first, options);
  for (Size b = 0; b < 6; ++b) {
    const Start one = alone(from, b);
    const auto by_itself = beam_search(model, one.state, one.first, options)[0];
    const auto& among_others = together[static_cast<std::size_t>(b)];
    BOOST_REQUIRE_EQUAL(by_itself.size(), among_others.size());
    for (std::size_t i = 0; i < by_itself.size(); ++i) {
      check_same(among_others[i], by_itself[i]);
      // Scores match what the model gives these tokens, so each state has followed its beam.
      double p = 0;
      Tokens prefix;
      Tokens tokens = by_itself[i].tokens;
      if (by_itself[i].ended) tokens.push_back(end_token);
      for (const Size token : tokens) {
        p += next_of(model, one, prefix)[static_cast<std::size_t>(token)];
        prefix.push_back(token);
      }
      BOOST_TEST(std::abs(p - by_itself[i].log_probability) < 1e-10);
      BOOST_TEST(std::abs(p / length_penalty(static_cast<Size>(tokens.size()), 0.7) -
                          by_itself[i].score) < 1e-10);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_length_penalty_prefers_longer_ones) {
  // Ends at once with probability 0.4, otherwise writes token 0 three times and ends.
  const auto step = [](const Tensor& tokens, const Tensor& count) {
    std::vector<double> logits;
    for (const double n : count.to_vector<double>()) {
      logits.push_back(n == 0 ? std::log(0.6) : n < 3 ? std::log(0.8) : std::log(0.01));
      logits.push_back(n == 0 ? std::log(0.4) : n < 3 ? std::log(0.2) : std::log(0.99));
    }
    return std::pair{Tensor::from<double>({tokens.size(0), 2}, logits), count + 1.0};
  };
  const auto best = [&](double alpha) {
    return beam_search(
        step, zeros({1}, DType::float64), Tensor::from<Size>({1}, {0}),
        {.end = end_token, .max_steps = 10, .beams = 3, .length_penalty = alpha})[0][0];
  };
  BOOST_TEST(best(0).tokens.empty());
  BOOST_TEST(std::abs(best(0).log_probability - std::log(0.4)) < 1e-12);
  BOOST_TEST(best(1).tokens == (Tokens{0, 0, 0}), boost::test_tools::per_element());
  const double p = std::log(0.6 * 0.8 * 0.8 * 0.99);
  BOOST_TEST(std::abs(best(1).log_probability - p) < 1e-12);
  BOOST_TEST(std::abs(best(1).score - p / 1.5) < 1e-12);
  BOOST_TEST(length_penalty(1, 0.6) == 1.0);
}

BOOST_AUTO_TEST_CASE(a_search_goes_on_while_a_longer_one_may_win) {
  // Ends at once with probability 0.6; otherwise writes token 0 eight more times, almost surely.
  const auto step = [](const Tensor& tokens, const Tensor& count) {
    std::vector<double> logits;
    for (const double n : count.to_vector<double>()) {
      const double end = n == 0 ? 0.6 : n < 9 ? 0.001 : 0.999;
      logits.push_back(std::log(1 - end));
      logits.push_back(std::log(end));
    }
    return std::pair{Tensor::from<double>({tokens.size(0), 2}, logits), count + 1.0};
  };
  const auto best = [&](double alpha) {
    return beam_search(
        step, zeros({1}, DType::float64), Tensor::from<Size>({1}, {0}),
        {.end = end_token, .max_steps = 10, .beams = 2, .length_penalty = alpha})[0][0];
  };
  BOOST_TEST(best(0).tokens.empty());
  BOOST_TEST(best(2).tokens.size() == 9U);
}
