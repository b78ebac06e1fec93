// The generator, compared with the published algorithm; its statistics, its state, and the dropout
// masks drawn from it.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include <rewind/autograd/fuse/broadcast.hpp>
#include <rewind/autograd/operations/dropout.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>

#include "support/messages.hpp"
#include "support/plain_array.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

/// xoshiro256++ and splitmix64 as published by their authors (prng.di.unimi.it), independent of the
/// library's.
struct Published {
  std::array<std::uint64_t, 4> s{};

  explicit Published(std::uint64_t x) {
    for (std::uint64_t& word : s) {
      std::uint64_t z = (x += 0x9e3779b97f4a7c15);
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }
  static std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t next() {
    const std::uint64_t result = rotl(s[0] + s[3], 23) + s[0];
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
  }
};

struct Moments {
  double mean = 0;
  double variance = 0;
  double skewness = 0;
  double kurtosis = 0;
};

Moments moments(const std::vector<double>& x) {
  const auto n = static_cast<double>(x.size());
  Moments m;
  m.mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  for (const double value : x) {
    const double d = value - m.mean;
    m.variance += d * d / n;
    m.skewness += d * d * d / n;
    m.kurtosis += d * d * d * d / n;
  }
  m.skewness /= std::pow(m.variance, 1.5);
  m.kurtosis /= m.variance * m.variance;
  return m;
}

constexpr std::int64_t many = 400'000;
// Five standard errors of the mean of `many` numbers of variance 1: a correct generator fails for
// one seed in two million.
const double five_errors = 5 / std::sqrt(static_cast<double>(many));

std::vector<std::uint64_t> draw(Rng& rng, int n) {
  std::vector<std::uint64_t> numbers(static_cast<std::size_t>(n));
  std::generate(numbers.begin(), numbers.end(), [&] { return rng.next(); });
  return numbers;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bits_are_those_of_the_published_algorithm) {
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{42}, ~std::uint64_t{0}}) {
    Rng rng(seed);
    Published published(seed);
    for (int i = 0; i < 1000; ++i) {
      BOOST_TEST_REQUIRE(rng.next() == published.next());
    }
  }
}

BOOST_AUTO_TEST_CASE(published_test_vectors) {
  // xoshiro256++ from the state 1, 2, 3, 4: a vector that several public implementations test.
  Rng rng(0);
  Tensor state = rng.state()[0].tensor;
  std::int64_t* const words = state.mutable_data<std::int64_t>();
  std::iota(words, words + 4, 1);
  const std::vector<std::uint64_t> expected = {41943041U, 58720359U, 3588806011781223U,
                                               3591011842654386U, 9228616714210784205U};
  BOOST_TEST(draw(rng, 5) == expected, boost::test_tools::per_element());
  // splitmix64 from 1234567, as published by Rosetta Code.
  BOOST_TEST(Published(1234567).s[0] == 6457827717110365317U);
  BOOST_TEST(Published(1234567).s[1] == 3203168211198807973U);
}

BOOST_AUTO_TEST_CASE(uniform_numbers_fill_the_unit_interval) {
  Rng rng(1);
  std::vector<double> x(many);
  std::generate(x.begin(), x.end(), [&] { return rng.uniform(); });
  BOOST_TEST(*std::min_element(x.begin(), x.end()) >= 0);
  BOOST_TEST(*std::max_element(x.begin(), x.end()) < 1);
  const Moments m = moments(x);
  BOOST_TEST(std::abs(m.mean - 0.5) < five_errors * std::sqrt(1.0 / 12));
  BOOST_TEST(std::abs(m.variance - 1.0 / 12) < five_errors * std::sqrt(1.0 / 180));
}

BOOST_AUTO_TEST_CASE(uniform_numbers_stay_below_the_upper_bound) {
  // Ranges of a few units in the last place: rounding would give the upper bound every few draws.
  Rng rng(2);
  const double high = 1 + 3 * std::numeric_limits<double>::epsilon();
  for (int i = 0; i < 1000; ++i) {
    const double x = rng.uniform(1, high);
    BOOST_TEST_REQUIRE((x >= 1 && x < high));
  }
  const double high_float = 1 + 3 * static_cast<double>(std::numeric_limits<float>::epsilon());
  for (const float x : rng.uniform(Shape{1000}, 1, high_float).to_vector<float>()) {
    BOOST_TEST_REQUIRE((x >= 1 && static_cast<double>(x) < high_float));
  }
  BOOST_TEST(rng.uniform(3, 3) == 3);
  BOOST_TEST(rng.uniform(Shape{}, 3, 3).item() == 3);
}

BOOST_AUTO_TEST_CASE(tensors_of_uniform_numbers) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Rng rng(3);
    const Tensor t = rng.uniform(Shape{many / 100, 100}, -2, 4, dtype);
    BOOST_TEST((t.dtype() == dtype));
    const std::vector<double> x = t.to(DType::float64).to_vector<double>();
    BOOST_TEST(*std::min_element(x.begin(), x.end()) >= -2);
    BOOST_TEST(*std::max_element(x.begin(), x.end()) < 4);
    BOOST_TEST(*std::max_element(x.begin(), x.end()) > 3.99);
    const Moments m = moments(x);
    BOOST_TEST(std::abs(m.mean - 1) < five_errors * std::sqrt(3.0));
    BOOST_TEST(std::abs(m.variance - 3) < five_errors * 6 * 6 * std::sqrt(1.0 / 180));
  }
  Rng rng(3);
  BOOST_TEST(rng.uniform(Shape{0, 4}, 0, 1).elements() == 0);
}

BOOST_AUTO_TEST_CASE(normal_numbers_have_the_moments_of_the_normal_distribution) {
  Rng rng(4);
  std::vector<double> x(many);
  std::generate(x.begin(), x.end(), [&] { return rng.normal(); });
  const std::vector<double> scaled =
      rng.normal(Shape{many}, 3, 2, DType::float64).to_vector<double>();
  std::vector<double> standard(many);
  std::transform(scaled.begin(), scaled.end(), standard.begin(),
                 [](double value) { return (value - 3) / 2; });
  for (const std::vector<double>& numbers : {x, standard}) {
    const Moments m = moments(numbers);
    // For n normal numbers, the variances of the estimates are 1, 2, 6 and 24, divided by n.
    BOOST_TEST(std::abs(m.mean) < five_errors);
    BOOST_TEST(std::abs(m.variance - 1) < five_errors * std::sqrt(2.0));
    BOOST_TEST(std::abs(m.skewness) < five_errors * std::sqrt(6.0));
    BOOST_TEST(std::abs(m.kurtosis - 3) < five_errors * std::sqrt(24.0));
  }
  // The two numbers of a pair are uncorrelated.
  double product = 0;
  for (std::size_t i = 0; i + 1 < standard.size(); i += 2) {
    product += standard[i] * standard[i + 1];
  }
  BOOST_TEST(std::abs(product / (many / 2)) < five_errors * std::sqrt(2.0));
}

BOOST_AUTO_TEST_CASE(tensors_of_an_odd_number_of_normal_numbers) {
  for (const std::int64_t n : {0, 1, 3}) {
    Rng rng(5);
    Rng longer(5);
    const std::vector<float> x = rng.normal(Shape{n}, 0, 1).to_vector<float>();
    const std::vector<float> y = longer.normal(Shape{n + n % 2}, 0, 1).to_vector<float>();
    BOOST_TEST(std::equal(x.begin(), x.end(), y.begin()));
    BOOST_TEST(rng.next() == longer.next());
  }
  Rng rng(5);
  BOOST_TEST(rng.normal(Shape{2, 2}, 7, 0).to_vector<float>() == std::vector<float>(4, 7.0F),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(integers_are_equally_likely) {
  Rng rng(6);
  for (const std::int64_t n : {1, 2, 3, 10, 17}) {
    std::vector<double> count(static_cast<std::size_t>(n));
    constexpr int draws = 100'000;
    for (int i = 0; i < draws; ++i) {
      ++count.at(static_cast<std::size_t>(rng.integer(n)));
    }
    const double p = 1.0 / static_cast<double>(n);
    for (const double c : count) {
      BOOST_TEST(std::abs(c - draws * p) <= 5 * std::sqrt(draws * p * (1 - p)));
    }
  }
}

BOOST_AUTO_TEST_CASE(integers_of_a_huge_range_have_no_bias) {
  // 2^64 is 8/3 of n = 3 * 2^61. A plain remainder would favour the smaller numbers by half; a
  // 128-bit product without rejection would favour those that leave 0 or 1 when divided by 3.
  Rng rng(7);
  const std::int64_t n = std::int64_t{3} << 61;
  constexpr int draws = 100'000;
  std::array<double, 3> thirds{};
  std::array<double, 3> remainders{};
  for (int i = 0; i < draws; ++i) {
    const std::int64_t x = rng.integer(n);
    BOOST_TEST_REQUIRE((0 <= x && x < n));
    ++thirds[static_cast<std::size_t>(x >> 61)];
    ++remainders[static_cast<std::size_t>(x % 3)];
  }
  for (const auto& count : {thirds, remainders}) {
    for (const double c : count) {
      BOOST_TEST(std::abs(c - draws / 3.0) < 5 * std::sqrt(draws * 2.0 / 9));
    }
  }
  BOOST_TEST(rng.integer(std::numeric_limits<std::int64_t>::max()) >= 0);
}

BOOST_AUTO_TEST_CASE(bernoulli_follows_its_probability) {
  Rng rng(8);
  int hits = 0;
  for (int i = 0; i < many; ++i) {
    hits += rng.bernoulli(0.3) ? 1 : 0;
  }
  BOOST_TEST(std::abs(static_cast<double>(hits) / many - 0.3) < five_errors * std::sqrt(0.21));
  BOOST_TEST(!rng.bernoulli(0));
  BOOST_TEST(rng.bernoulli(1));
}

BOOST_AUTO_TEST_CASE(permutations_are_equally_likely) {
  Rng rng(9);
  BOOST_TEST(rng.permutation(0).empty());
  BOOST_TEST(rng.permutation(1) == std::vector<std::int64_t>{0}, boost::test_tools::per_element());
  std::vector<std::int64_t> order = rng.permutation(1000);
  BOOST_TEST(!std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) {
    BOOST_TEST_REQUIRE(order[static_cast<std::size_t>(i)] == i);
  }
  std::array<double, 6> count{};
  constexpr int draws = 60'000;
  for (int i = 0; i < draws; ++i) {
    const std::vector<std::int64_t> p = rng.permutation(3);
    ++count.at(static_cast<std::size_t>(2 * p[0] + (p[1] > p[2] ? 1 : 0)));
  }
  for (const double c : count) {
    BOOST_TEST(std::abs(c - draws / 6.0) < 5 * std::sqrt(draws * 5.0 / 36));
  }
}

BOOST_AUTO_TEST_CASE(a_restored_state_continues_the_same_numbers) {
  Rng rng(10);
  rng.normal();
  const Tensor saved_words = rng.state()[0].tensor.clone();
  BOOST_TEST(rng.state()[0].path == "xoshiro256++");
  const auto continue_with = [](Rng& from) {
    std::vector<double> numbers = from.normal(Shape{5}, 0, 1, DType::float64).to_vector<double>();
    numbers.push_back(from.normal());
    numbers.push_back(from.uniform());
    return numbers;
  };
  const std::vector<double> expected = continue_with(rng);

  Rng other(99);
  StateList state = other.state();
  other.normal();
  std::copy_n(saved_words.data<std::int64_t>(), 4, state[0].tensor.mutable_data<std::int64_t>());
  BOOST_TEST(continue_with(other) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(copies_are_independent) {
  Rng rng(11);
  Rng copy(rng);
  const std::vector<std::uint64_t> numbers = draw(rng, 10);
  BOOST_TEST(draw(copy, 10) == numbers, boost::test_tools::per_element());

  Rng assigned(12);
  const StateList state = assigned.state();
  assigned = rng;
  const std::uint64_t following = rng.next();
  BOOST_TEST(assigned.next() == following);
  // The state taken earlier still belongs to the same generator.
  BOOST_TEST(state[0].tensor.same_as(assigned.state()[0].tensor));
  const Rng& self = assigned;
  assigned = self;
  BOOST_TEST(assigned.next() == rng.next());
}

BOOST_AUTO_TEST_CASE(a_moved_from_generator_still_works) {
  Rng rng(13);
  Published published(13);
  Rng moved(std::move(rng));
  BOOST_TEST(moved.next() == published.next());
  BOOST_TEST(moved.next() == published.next());
  rng = Rng(14);  // NOLINT(bugprone-use-after-move)
  BOOST_TEST(rng.next() == Published(14).next());
  moved = std::move(rng);
  rng.next();
  Published fourteen(14);
  fourteen.next();
  BOOST_TEST(moved.next() == fourteen.next());
}

BOOST_AUTO_TEST_CASE(split_makes_another_sequence) {
  Rng rng(15);
  Rng other = rng.split();
  BOOST_TEST(draw(rng, 4) != draw(other, 4));
  Published published(15);
  BOOST_TEST(Rng(15).split().next() == Published(published.next()).next());
}

BOOST_AUTO_TEST_CASE(wrong_arguments_draw_nothing) {
  Rng rng(16);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  check_throws<UsageError>([&] { rng.integer(0); }, "integer: got n = 0, expected at least 1");
  check_throws<UsageError>([&] { rng.permutation(-1); }, "permutation: got n = -1");
  check_throws<UsageError>([&] { rng.bernoulli(1.5); }, "bernoulli: got probability 1.5");
  check_throws<UsageError>([&] { rng.bernoulli(nan); }, "bernoulli: got probability nan");
  check_throws<UsageError>([&] { rng.uniform(1, 0); }, "uniform: got the range [1, 0)");
  check_throws<UsageError>([&] { rng.uniform(Shape{2}, 0, infinity); }, "uniform: got the range");
  check_throws<UsageError>([&] { rng.uniform(Shape{2}, 0, 1, DType::int64); },
                           "uniform: got int64");
  check_throws<UsageError>([&] { rng.normal(Shape{2}, 0, -1); },
                           "normal: got mean 0 and deviation -1");
  check_throws<UsageError>([&] { rng.normal(Shape{2}, nan, 1); }, "normal: got mean nan");
  check_throws<UsageError>([&] { rng.normal(Shape{2}, 0, 1, DType::int64); }, "normal: got int64");
  BOOST_TEST(rng.next() == Published(16).next());
}

BOOST_AUTO_TEST_CASE(dropout_keeps_the_expectation) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const double p : {0.1, 0.5, 0.9}) {
      Rng rng(17);
      const std::vector<double> mask =
          dropout_mask(Shape{many}, p, rng, dtype).to(DType::float64).to_vector<double>();
      const double kept = dtype == DType::float32 ? static_cast<float>(1 / (1 - p)) : 1 / (1 - p);
      double count = 0;
      for (const double value : mask) {
        BOOST_TEST_REQUIRE((value == 0 || value == kept));
        count += value == 0 ? 0 : 1;
      }
      BOOST_TEST(std::abs(count / many - (1 - p)) < five_errors * std::sqrt(p * (1 - p)));
      // Neighbours, which share 64 bits, are uncorrelated.
      double both = 0;
      for (std::size_t i = 0; i + 1 < mask.size(); i += 2) {
        both += mask[i] != 0 && mask[i + 1] != 0 ? 1 : 0;
      }
      const double q = (1 - p) * (1 - p);
      BOOST_TEST(std::abs(both / (many / 2) - q) < five_errors * std::sqrt(2 * q * (1 - q)));
    }
  }
}

BOOST_AUTO_TEST_CASE(dropout_multiplies_by_its_mask) {
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{3, 0}, Shape{2, 3, 7}}) {
    Rng rng(18);
    Rng same(18);
    Tape tape;
    const Tensor x = tape.watch(numbered<float>(shape));
    const Tensor y = dropout(x, 0.4, rng);
    const std::vector<float> mask = dropout_mask(shape, 0.4, same).to_vector<float>();
    const Tensor dx = tape.gradient(y, {x}, {.seed = full(shape, 2)})[0];
    for (std::size_t i = 0; i < mask.size(); ++i) {
      BOOST_TEST(y.to_vector<float>()[i] == x.to_vector<float>()[i] * mask[i]);
      BOOST_TEST(dx.to_vector<float>()[i] == 2 * mask[i]);
    }
    BOOST_TEST(rng.next() == same.next());
  }
}

BOOST_AUTO_TEST_CASE(dropout_at_the_ends_of_its_range) {
  Rng rng(19);
  const Tensor x = numbered<float>(Shape{4, 5});
  BOOST_TEST(dropout(x, 0, rng).same_as(x));
  BOOST_TEST(rng.next() == Published(19).next());
  for (const float value : dropout(x, 1, rng).to_vector<float>()) {
    BOOST_TEST(value == 0);
  }
  for (const float value : dropout_mask(Shape{9}, 0, rng).to_vector<float>()) {
    BOOST_TEST(value == 1);
  }
  for (const double value : dropout_mask(Shape{9}, 1, rng, DType::float64).to_vector<double>()) {
    BOOST_TEST(value == 0);
  }
}

BOOST_AUTO_TEST_CASE(dropout_refuses_what_is_no_probability) {
  Rng rng(20);
  const Tensor x = zeros(Shape{2});
  check_throws<UsageError>([&] { dropout(x, -0.1, rng); },
                           "dropout: p is -0.1, expected a probability in [0, 1]");
  check_throws<UsageError>([&] { dropout(x, 1.5, rng); }, "dropout: p is 1.5");
  check_throws<UsageError>([&] { dropout(x, std::nan(""), rng); }, "dropout: p is nan");
  check_throws<UsageError>([&] { dropout(x.to(DType::int64), 0.5, rng); }, "dropout: got int64");
  check_throws<UsageError>([&] { dropout_mask(Shape{2}, 2, rng); }, "dropout_mask: p is 2");
  check_throws<UsageError>([&] { dropout_mask(Shape{2}, 0.5, rng, DType::int64); },
                           "dropout_mask: got int64");
  BOOST_TEST(rng.next() == Published(20).next());
}

BOOST_AUTO_TEST_CASE(tensors_are_standard_unless_told) {
  Rng a(21);
  Rng b(21);
  BOOST_TEST(a.normal({5, 3}).to_vector<float>() == b.normal({5, 3}, 0, 1).to_vector<float>());
  BOOST_TEST(a.uniform({5, 3}).to_vector<float>() == b.uniform({5, 3}, 0, 1).to_vector<float>());
}

BOOST_AUTO_TEST_CASE(classes_come_as_often_as_their_weights_say) {
  Rng rng(22);
  const std::int64_t rows = 30000;
  // Each row has its own weights, in columns of a wider tensor.
  const Tensor wide =
      expand(Tensor::from<double>({2, 1, 5}, {9, 1, 0, 3, 0, 9, 0, 0.5, 0.25, 0.25}), {2, rows, 5});
  const Tensor weights = slice(wide, -1, 1, 5);
  const Tensor drawn = rng.categorical(weights);
  BOOST_TEST(drawn.shape() == Shape({2, rows}));
  std::array<std::array<double, 4>, 2> counts{};
  const auto classes = drawn.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < classes.size(); ++i) {
    counts[i / static_cast<std::size_t>(rows)][static_cast<std::size_t>(classes[i])] += 1.0 / rows;
  }
  const std::array<std::array<double, 4>, 2> expected{{{0.25, 0, 0.75, 0}, {0, 0.5, 0.25, 0.25}}};
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t k = 0; k < 4; ++k) {
      BOOST_TEST(std::abs(counts[r][k] - expected[r][k]) < 0.015, "class " << k << ", row " << r);
      BOOST_TEST((expected[r][k] > 0 || counts[r][k] == 0));
    }
  }
  // The same numbers give the same classes; each row takes one number.
  Rng again(22);
  BOOST_TEST(again.categorical(weights).to_vector<std::int64_t>() == classes);
  BOOST_TEST(again.next() == rng.next());
}

BOOST_AUTO_TEST_CASE(weights_of_the_smallest_and_the_largest_numbers) {
  Rng rng(23);
  const auto draw = [&](std::initializer_list<double> weights, DType dtype) {
    return rng
        .categorical(
            Tensor::from<double>({static_cast<std::int64_t>(weights.size())}, weights).to(dtype))
        .item();
  };
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(draw({0, 5e-324, 0}, DType::float64) == 1);
    BOOST_TEST(draw({0, 0, 1e-45}, DType::float32) == 2);
    BOOST_TEST(draw({3.4e38, 3.4e38}, DType::float32) <= 1);
  }
  BOOST_TEST(rng.categorical(ones({7, 1})).to_vector<std::int64_t>() ==
             std::vector<std::int64_t>(7, 0));
  BOOST_TEST(rng.categorical(ones({0, 3})).shape() == Shape({0}));
  BOOST_TEST(rng.categorical(ones({3})).rank() == 0);
}

BOOST_AUTO_TEST_CASE(weights_by_which_nothing_can_be_drawn) {
  Rng rng(24);
  const double inf = std::numeric_limits<double>::infinity();
  const auto draw = [&](std::initializer_list<double> second_row) {
    std::vector<double> weights{1, 2, 3};
    weights.insert(weights.end(), second_row);
    return rng.categorical(Tensor::from<double>({2, 3}, weights));
  };
  check_throws<UsageError>(
      [&] {
        draw({1, -0.5, 1});
      },
      "categorical: weight 1 of row 1 is -0.5, expected a finite number of at "
      "least 0 (the weights are [2, 3])");
  check_throws<UsageError>([&] { draw({1, 1, std::nan("")}); }, "weight 2 of row 1 is nan");
  check_throws<UsageError>([&] { draw({inf, 1, 1}); }, "weight 0 of row 1 is inf");
  check_throws<UsageError>(
      [&] {
        draw({0, 0, -0.0});
      },
      "categorical: the weights of row 1 add up to 0");
  check_throws<UsageError>([&] { draw({1e308, 1e308, 1}); }, "row 1 add up to inf");
  check_throws<ShapeError>([&] { rng.categorical(scalar(1)); },
                           "categorical: the weights have shape []");
  check_throws<ShapeError>(
      [&] {
        rng.categorical(zeros({2, 0}));
      },
      "categorical: the weights have shape [2, 0]");
  check_throws<UsageError>([&] { rng.categorical(arange(3)); }, "categorical: got int64");
  BOOST_TEST(rng.next() == Published(24).next());
}
