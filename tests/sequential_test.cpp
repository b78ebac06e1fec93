// Feed-forward layers in sequence, and frozen parameters.

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/dropout.hpp>
#include <rewind/layers/embedding.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/sequential.hpp>
#include <rewind/optim/sgd.hpp>

#include "support/messages.hpp"
#include "support/numbers.hpp"
#include "support/paths_of.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

Linear linear(std::int64_t input, std::int64_t output, Rng& rng) {
  return Linear({.input = input, .output = output}, rng);
}

}  // namespace

BOOST_AUTO_TEST_CASE(layers_run_one_after_another) {
  Rng rng(1);
  const Linear first = linear(3, 4, rng);
  const Linear second = linear(4, 2, rng);
  Sequential net(
      first, Activation::relu, [](const Tensor& x) { return silu(x); }, second);
  const Tensor x = rng.normal({5, 3});
  BOOST_TEST(numbers(net(x)) == numbers(second(silu(relu(first(x))))),
             boost::test_tools::per_element());
  BOOST_TEST(numbers(net(x, rng)) == numbers(net(x)), boost::test_tools::per_element());
  BOOST_TEST(Sequential<>()(x).same_as(x));
  check_throws<ShapeError>([&] { net(zeros({5, 7})); }, "linear: ");
}

BOOST_AUTO_TEST_CASE(parameters_have_the_numbers_of_their_layers) {
  Rng rng(2);
  Sequential net(linear(3, 4, rng), Activation::tanh, Dropout{0.5},
                 Sequential(linear(4, 4, rng), [](const Tensor& x) { return x; }),
                 linear(4, 2, rng));
  const std::vector<std::string> expected{"0/weight", "0/bias",   "3/0/weight",
                                          "3/0/bias", "4/weight", "4/bias"};
  BOOST_TEST(paths_of(parameters(net)) == expected, boost::test_tools::per_element());
  BOOST_TEST(count(net) == 3 * 4 + 4 + 4 * 4 + 4 + 4 * 2 + 2);
  // A copy has its own parameters.
  auto copy = net;
  std::get<0>(copy.layers).weight.mutable_data<float>()[0] += 1;
  BOOST_TEST(numbers(copy(ones({1, 3}))) != numbers(net(ones({1, 3}))));
}

BOOST_AUTO_TEST_CASE(only_training_drops) {
  Rng rng(3);
  const Sequential net(Sequential(Dropout{0.5}), Activation::identity, Dropout{0.5});
  const Tensor x = ones({1000});
  BOOST_TEST(numbers(net(x)) == numbers(x), boost::test_tools::per_element());
  const double kept = sum(not_equal(net(x, rng), 0)).item();
  BOOST_TEST(kept > 180);
  BOOST_TEST(kept < 320);
}

BOOST_AUTO_TEST_CASE(frozen_parameters_stay_as_they_are) {
  Rng rng(4);
  Sequential net(linear(3, 4, rng), Activation::tanh, linear(4, 2, rng));
  Linear& first = std::get<0>(net.layers);
  Linear& last = std::get<2>(net.layers);
  Sgd optimizer(parameters(net), {.learning_rate = 0.1});
  const Tensor x = rng.normal({5, 3});
  const auto step = [&] {
    Tape tape;
    tape.backward(sum(square(net(x))));
    optimizer.step();
    optimizer.zero_grad();
  };
  freeze(first);
  BOOST_TEST(!first.weight.trainable());
  BOOST_TEST(count(net) == 4 * 2 + 2);
  const auto frozen = numbers(first.weight);
  const auto trained = numbers(last.weight);
  step();
  BOOST_TEST(numbers(first.weight) == frozen, boost::test_tools::per_element());
  BOOST_TEST(numbers(last.weight) != trained);
  unfreeze(net);
  step();
  BOOST_TEST(numbers(first.weight) != frozen);
  freeze(parameters(net));
  BOOST_TEST(count(net) == 0);
}
