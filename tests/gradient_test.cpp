// Gradients of every operation against central differences: each row of the operation table, each
// sample, and each choice of the inputs to differentiate.

#include <cmath>
#include <set>
#include <span>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise_operations.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "operation_table.hpp"

using rw::Tensor;
using rw::testing::Operation;
using rw::testing::Sample;
using rw::testing::Table;

namespace {

constexpr int min_samples = 12;
constexpr int min_checks = 3000;

const Table& table() {
  static const Table all = rw::testing::operation_table();
  return all;
}

/// The sample as a function of the inputs whose bits are set in `chosen`; the others are constants.
Sample restricted(const Sample& sample, unsigned chosen) {
  Sample result;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    if (((chosen >> i) & 1U) != 0) {
      result.inputs.push_back(sample.inputs[i]);
    }
  }
  result.function = [&sample, chosen](const std::vector<Tensor>& x) {
    std::vector<Tensor> all = sample.inputs;
    std::size_t next = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (((chosen >> i) & 1U) != 0) {
        all[i] = x[next++];
      }
    }
    return sample.function(all);
  };
  return result;
}

std::string describe(const Operation& row, std::size_t sample, unsigned chosen) {
  std::string text = fmt::format("{}, sample {}, inputs", row.name, sample);
  for (std::size_t i = 0; i < row.samples[sample].inputs.size(); ++i) {
    text += fmt::format(" {}{}", row.samples[sample].inputs[i].shape(),
                        ((chosen >> i) & 1U) != 0 ? "" : " (constant)");
  }
  return text;
}

/// The gradient of an irregularly weighted sum of a sample's result with respect to its inputs, one
/// after another.
std::vector<double> gradients_of_sample(const Sample& sample, bool recorded) {
  rw::Tape tape;
  std::vector<Tensor> x;
  for (const Tensor& input : sample.inputs) {
    x.push_back(tape.watch(input));
  }
  const std::vector<rw::TensorRef> targets(x.begin(), x.end());
  const Tensor y = sample.function(x);
  const Tensor loss = sum(y * rw::testing::Values(11).nonzero(y.shape()));
  std::vector<double> all;
  for (const Tensor& gradient :
       tape.gradient(loss, std::span<const rw::TensorRef>(targets), {.create_graph = recorded})) {
    const std::vector<double> values = gradient.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_pointwise_operation_has_a_row) {
  std::set<std::string> names;
  for (const Operation& row : table()) {
    BOOST_TEST(names.insert(row.name).second, row.name << " has two rows");
    BOOST_TEST(row.samples.size() >= min_samples,
               row.name << " has " << row.samples.size() << " samples");
  }
  for (std::uint8_t i = 0; i < rw::pointwise::Operations::size; ++i) {
    rw::pointwise::visit_operation(i, [&]<class Pointwise>() {
      BOOST_TEST(names.count(Pointwise::name) == 1,
                 Pointwise::name << " has no row in the operation table");
    });
  }
}

BOOST_AUTO_TEST_CASE(first_derivatives_of_every_operation) {
  int checks = 0;
  std::int64_t derivatives = 0;
  for (const Operation& row : table()) {
    for (std::size_t i = 0; i < row.samples.size(); ++i) {
      for (unsigned chosen = 1; chosen < 1U << row.samples[i].inputs.size(); ++chosen) {
        const Sample sample = restricted(row.samples[i], chosen);
        BOOST_TEST_CONTEXT(describe(row, i, chosen)) {
          BOOST_CHECK_NO_THROW({
            const auto result = rw::gradcheck(sample.function, sample.inputs);
            BOOST_TEST(result.passed, result.message);
            derivatives += result.derivatives;
          });
        }
        ++checks;
      }
    }
  }
  fmt::print("gradient checks: {} of {} operations, {} derivatives\n", checks, table().size(),
             derivatives);
  BOOST_TEST(checks >= min_checks);
}

// gradgradcheck cannot see a term of the recorded gradient that does not depend on the inputs.
BOOST_AUTO_TEST_CASE(recorded_gradients_equal_plain_ones) {
  for (const Operation& row : table()) {
    for (std::size_t i = 0; i < row.samples.size(); ++i) {
      const std::vector<double> plain = gradients_of_sample(row.samples[i], false);
      const std::vector<double> recorded = gradients_of_sample(row.samples[i], true);
      BOOST_TEST_CONTEXT(describe(row, i, ~0U)) {
        BOOST_REQUIRE(plain.size() == recorded.size());
        for (std::size_t k = 0; k < plain.size(); ++k) {
          BOOST_TEST(std::abs(plain[k] - recorded[k]) <= 1e-12 * (1 + std::abs(plain[k])),
                     "plain " << plain[k] << ", recorded " << recorded[k]);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(second_derivatives_of_every_operation) {
  int checks = 0;
  std::int64_t derivatives = 0;
  for (const Operation& row : table()) {
    std::int64_t of_row = 0;
    for (std::size_t i = 0; i < row.samples.size(); ++i) {
      BOOST_TEST_CONTEXT(describe(row, i, ~0U)) {
        BOOST_CHECK_NO_THROW({
          const auto result = rw::gradgradcheck(row.samples[i].function, row.samples[i].inputs);
          BOOST_TEST(result.passed, result.message);
          of_row += result.derivatives;
        });
      }
      ++checks;
    }
    BOOST_TEST(of_row > 0, row.name << ": no second derivative was compared");
    derivatives += of_row;
  }
  fmt::print("second derivative checks: {}, {} derivatives\n", checks, derivatives);
  BOOST_TEST(checks >= min_checks / 3);
}
