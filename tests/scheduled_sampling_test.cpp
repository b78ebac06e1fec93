// Scheduled sampling: which tokens a decoder reads in training, and how often its own.

#include <algorithm>
#include <cmath>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/layers/scheduled_sampling.hpp>

namespace {

using namespace rw;
using Size = std::int64_t;
using Tokens = std::vector<Size>;

}  // namespace

BOOST_AUTO_TEST_CASE(each_row_is_drawn_by_itself) {
  constexpr Size rows = 10'000;
  const Tensor right = zeros({rows}, DType::int64);
  Tensor logits = zeros({rows, 3});
  for (Size i = 0; i < rows; ++i) logits.mutable_data<float>()[3 * i + 2] = 1;
  const auto draw = [&](std::uint64_t seed) {
    Rng rng(seed);
    return sampled_tokens(right, logits, 0.3, rng).to_vector<Size>();
  };
  const Tokens mixed = draw(1);
  const auto own = std::count(mixed.begin(), mixed.end(), 2);
  BOOST_TEST(own + std::count(mixed.begin(), mixed.end(), 0) == rows);
  BOOST_TEST(std::abs(static_cast<double>(own) - 3000) < 5 * std::sqrt(rows * 0.3 * 0.7));
  BOOST_TEST((draw(1) == mixed));
  BOOST_TEST((draw(2) != mixed));
}

BOOST_AUTO_TEST_CASE(schedules) {
  BOOST_TEST(linear_sampling(0, 10) == 0.0);
  BOOST_TEST(linear_sampling(5, 10) == 0.5);
  BOOST_TEST(linear_sampling(50, 10, 0.8) == 0.8);
  BOOST_TEST(exponential_sampling(0, 0.9) == 0.0);
  BOOST_TEST(std::abs(exponential_sampling(3, 0.9) - (1 - 0.729)) < 1e-15);
  // 1 - k / (k + e^(i / k)), half way at i = k ln k.
  BOOST_TEST(std::abs(inverse_sigmoid_sampling(7, 20) - (1 - 20 / (20 + std::exp(7.0 / 20)))) <
             1e-15);
  BOOST_TEST(std::abs(inverse_sigmoid_sampling(1711, 300) - 0.5) < 1e-3);
  BOOST_TEST(inverse_sigmoid_sampling(1'000'000, 10) == 1.0);
  BOOST_CHECK_THROW(linear_sampling(1, 0), UsageError);
  BOOST_CHECK_THROW(exponential_sampling(1, 1.5), UsageError);
  BOOST_CHECK_THROW(inverse_sigmoid_sampling(1, 0.5), UsageError);
}
