#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include <rewind/autograd/tensor/launch.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/splitmix.hpp>

namespace rw {
namespace {

__extension__ using Wide = unsigned __int128;

std::uint64_t* words_of(Tensor& state) {
  // Signed integers may be accessed as unsigned ones, which wrap.
  return reinterpret_cast<std::uint64_t*>(state.mutable_data<std::int64_t>());
}

void check_range(double low, double high) {
  check<UsageError>(low <= high && std::isfinite(high - low),
                    "uniform: got the range [{}, {}), expected low <= high, both finite", low,
                    high);
}

void check_drawable(const char* who, DType dtype) {
  check<UsageError>(is_floating(dtype), "{}: got int64, expected float32 or float64; see integer()",
                    who);
}

/// Maps `unit` from [0, 1) to [low, high); rounding must not reach `high`.
template <class T>
T scaled(double unit, double low, double high) {
  const T value = static_cast<T>(low + (high - low) * unit);
  const T bound = static_cast<T>(high);
  return value < bound ? value
                       : std::max(static_cast<T>(low), std::nextafter(bound, static_cast<T>(low)));
}

/// Two independent standard normal numbers: a random point in the unit disc, scaled (Marsaglia &
/// Bray 1964).
std::pair<double, double> normal_pair(Rng& rng) {
  detail::refuse_in_capture("a generator draws numbers");
  for (;;) {
    const double u = 2 * rng.uniform() - 1;
    const double v = 2 * rng.uniform() - 1;
    const double square = u * u + v * v;
    if (square > 0 && square < 1) {
      const double stretch = std::sqrt(-2 * std::log(square) / square);
      return {u * stretch, v * stretch};
    }
  }
}

/// The sum of a row of weights, in double. Throws UsageError if nothing can be drawn from them.
template <class T>
double total_weight(std::span<const T> weights, std::int64_t row, const Shape& shape) {
  double total = 0;
  for (const T& weight : weights) {
    check<UsageError>(weight >= 0 && std::isfinite(weight),
                      "categorical: weight {} of row {} is {}, expected a finite number of at "
                      "least 0 (the weights are {})",
                      &weight - weights.data(), row, weight, shape);
    total += static_cast<double>(weight);
  }
  check<UsageError>(total > 0 && std::isfinite(total),
                    "categorical: the weights of row {} add up to {}, expected a finite number "
                    "above 0 (the weights are {})",
                    row, total, shape);
  return total;
}

/// The class at which the running sum of the weights first exceeds `at`, or the last one of
/// positive weight if rounding keeps the sum below.
template <class T>
std::int64_t drawn_class(std::span<const T> weights, double at) {
  std::int64_t last = 0;
  double passed = 0;
  for (std::size_t i = 0; i < weights.size() && (i == 0 || passed <= at); ++i) {
    if (weights[i] > 0) {
      last = static_cast<std::int64_t>(i);
      passed += static_cast<double>(weights[i]);
    }
  }
  return last;
}

}  // namespace

Rng::Rng(std::uint64_t seed)
    : state_(detail::make_tensor(Shape{4}, DType::int64)), words_(words_of(state_)) {
  // As recommended by xoshiro's authors: splitmix64 never leaves all four words zero.
  for (int i = 0; i < 4; ++i) {
    seed += detail::mix_increment;
    words_[i] = detail::mixed(seed);
  }
}

Rng::Rng(const Rng& other) : state_(detail::copy_of(other.state_)), words_(words_of(state_)) {}

Rng& Rng::operator=(const Rng& other) {
  if (this != &other) {
    std::copy_n(other.words_, 4, words_of(state_));
  }
  return *this;
}

std::string Rng::fault_in(const StateList& values) const {
  const auto* words = values[0].tensor.data<std::int64_t>();
  return std::all_of(words, words + 4, [](std::int64_t word) { return word == 0; })
             ? values[0].path + " is 0 in all four words, from which a generator draws zeros only"
             : std::string();
}

void Rng::fill(std::span<std::uint64_t> bits) {
  detail::refuse_in_capture("a generator draws numbers");
  std::array<std::uint64_t, 4> words{};
  std::copy_n(words_, 4, words.begin());
  for (std::uint64_t& each : bits) {
    each = detail::xoshiro_step(words.data());
  }
  std::copy_n(words.begin(), 4, words_);
}

double Rng::uniform(double low, double high) {
  check_range(low, high);
  return scaled<double>(uniform(), low, high);
}

double Rng::normal() { return normal_pair(*this).first; }

std::int64_t Rng::integer(std::int64_t n) {
  check<UsageError>(n >= 1, "integer: got n = {}, expected at least 1", n);
  // The high half of a 128-bit product is uniform once the few products that would bias the result
  // are rejected.
  const auto range = static_cast<std::uint64_t>(n);
  Wide product = static_cast<Wide>(next()) * range;
  if (static_cast<std::uint64_t>(product) < range) {
    const std::uint64_t excess = (0 - range) % range;
    while (static_cast<std::uint64_t>(product) < excess) {
      product = static_cast<Wide>(next()) * range;
    }
  }
  return static_cast<std::int64_t>(product >> 64);
}

bool Rng::bernoulli(double probability) {
  check<UsageError>(probability >= 0 && probability <= 1,
                    "bernoulli: got probability {}, expected a number in [0, 1]", probability);
  return uniform() < probability;
}

Tensor Rng::uniform(const Shape& shape, double low, double high, DType dtype) {
  check_drawable("uniform", dtype);
  check_range(low, high);
  Tensor result = detail::make_tensor(shape, dtype);
  dispatch_floating(dtype, [&](auto type) {
    using T = decltype(type);
    T* const to = result.mutable_data<T>();
    std::array<std::uint64_t, 512> bits;
    for (std::size_t i = 0, n = static_cast<std::size_t>(shape.elements()); i < n;) {
      const std::size_t count = std::min(bits.size(), n - i);
      fill({bits.data(), count});
      for (std::size_t k = 0; k < count; ++k, ++i) {
        to[i] = scaled<T>(detail::unit_interval(bits[k]), low, high);
      }
    }
  });
  return result;
}

Tensor Rng::normal(const Shape& shape, double mean, double deviation, DType dtype) {
  check_drawable("normal", dtype);
  check<UsageError>(
      std::isfinite(mean) && std::isfinite(deviation) && deviation >= 0,
      "normal: got mean {} and deviation {}, expected finite numbers, the latter 0 or "
      "more",
      mean, deviation);
  Tensor result = detail::make_tensor(shape, dtype);
  dispatch_floating(dtype, [&](auto type) {
    using T = decltype(type);
    T* const to = result.mutable_data<T>();
    const std::int64_t n = shape.elements();
    for (std::int64_t i = 0; i < n; i += 2) {
      const auto [a, b] = normal_pair(*this);
      to[i] = static_cast<T>(mean + deviation * a);
      if (i + 1 < n) {
        to[i + 1] = static_cast<T>(mean + deviation * b);
      }
    }
  });
  return result;
}

Tensor Rng::categorical(const Tensor& weights) {
  check_drawable("categorical", weights.dtype());
  check_shape(weights.rank() >= 1 && weights.columns() >= 1,
              "categorical: the weights have shape {}, expected at least one per row",
              weights.shape());
  detail::refuse_in_capture("a generator draws numbers");
  const std::int64_t rows = weights.rows();
  const std::int64_t classes = weights.columns();
  Tensor result = detail::make_tensor(weights.shape().without(-1), DType::int64);
  dispatch_floating(weights.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto row_of = [&](std::int64_t r) {
      return std::span<const T>(weights.row<T>(r), static_cast<std::size_t>(classes));
    };
    std::vector<double> totals;
    totals.reserve(static_cast<std::size_t>(rows));
    for (std::int64_t r = 0; r < rows; ++r) {
      totals.push_back(total_weight(row_of(r), r, weights.shape()));
    }
    auto* const to = result.mutable_data<std::int64_t>();
    for (std::int64_t r = 0; r < rows; ++r) {
      to[r] = drawn_class(row_of(r), uniform() * totals[static_cast<std::size_t>(r)]);
    }
  });
  return result;
}

std::vector<std::int64_t> Rng::permutation(std::int64_t n) {
  check<UsageError>(n >= 0, "permutation: got n = {}, expected 0 or more", n);
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[static_cast<std::size_t>(integer(static_cast<std::int64_t>(i)))]);
  }
  return order;
}

}  // namespace rw
