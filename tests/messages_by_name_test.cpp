// A message begins with the function that the user called: pointwise functions, losses, layers and
// optimisers. Views, products, reductions and indexing are in messages_test.cpp.
#include <functional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/rewind.hpp>

#include "cell_table.hpp"
#include "optimizer_table.hpp"
#include "support/messages.hpp"
#include "support/pointwise_oracles.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

const Tensor x = ones({2, 3});
const Tensor wide = ones({2, 3}, DType::float64);
const Tensor whole = zeros({2}, DType::int64);
const Tensor whole_rows = zeros({2, 3}, DType::int64);

/// Expects an Error that begins with `name`.
void expect_name(const std::string& name, const std::function<void()>& call) {
  const std::string message = message_of(call);
  BOOST_TEST((message.starts_with(name + ": ") || message.starts_with(name + " (")),
             name << " says \"" << message << '"');
}

}  // namespace

BOOST_AUTO_TEST_CASE(pointwise_functions) {
  for (const Unary& operation : unary_operations) {
    expect_name(operation.name, [&] { static_cast<void>(operation.function(whole)); });
  }
  for (const Tensor& b : {wide, ones({4})}) {
    for (const Binary& operation : binary_operations) {
      expect_name(operation.name, [&] { static_cast<void>(operation.function(x, b)); });
    }
    expect_name("mine", [&] {
      static_cast<void>(fuse(
          "mine", [](auto p, auto q) { return p * q; }, x, b));
    });
  }
}

BOOST_AUTO_TEST_CASE(reductions_and_order) {
  for (const int axis : {2, -3}) {
    expect_name("argmin", [=] { static_cast<void>(argmin(x, axis)); });
    expect_name("stddev", [=] { static_cast<void>(stddev(x, {axis})); });
    expect_name("norm", [=] { static_cast<void>(norm(x, {axis})); });
    expect_name("prod", [=] { static_cast<void>(prod(x, {axis})); });
    expect_name("any", [=] { static_cast<void>(any(x, {axis})); });
    expect_name("all", [=] { static_cast<void>(all(x, {axis})); });
    expect_name("sort", [=] { static_cast<void>(sort(x, axis)); });
  }
  expect_name("topk", [] { static_cast<void>(topk(x, 4)); });
  expect_name("topk", [] { static_cast<void>(topk(x, -1)); });
  expect_name("stddev", [] { static_cast<void>(stddev(whole)); });
  expect_name("norm", [] { static_cast<void>(norm(whole)); });
  expect_name("norm", [] { static_cast<void>(norm(x, {}, false, 0.5)); });
  expect_name("prod", [] { static_cast<void>(prod(whole)); });
}

BOOST_AUTO_TEST_CASE(dropout_and_checks) {
  static Rng rng(1);
  expect_name("dropout", [] { static_cast<void>(dropout(x, 1.5, rng)); });
  expect_name("dropout", [] { static_cast<void>(dropout(whole, 0.5, rng)); });
  expect_name("dropout_mask", [] { static_cast<void>(dropout_mask({2}, -1, rng)); });
  const auto f = [](const std::vector<Tensor>& in) { return sum(in[0]); };
  expect_name("gradcheck", [&] { static_cast<void>(gradcheck(f, {x})); });
  expect_name("gradgradcheck", [&] { static_cast<void>(gradgradcheck(f, {x})); });
}

BOOST_AUTO_TEST_CASE(losses) {
  const Lengths lengths = Tensor::from<std::int64_t>({2}, {1, 2});
  const Tensor steps = ones({3, 2, 4});
  const Tensor labels = zeros({3, 2}, DType::int64);
  expect_name("cross_entropy",
              [] { static_cast<void>(cross_entropy(x, zeros({3}, DType::int64))); });
  expect_name("cross_entropy", [] { static_cast<void>(cross_entropy(whole_rows, whole)); });
  expect_name("nll", [] { static_cast<void>(nll(x, zeros({3}, DType::int64))); });
  expect_name("nll", [] { static_cast<void>(nll(x, x)); });
  for (const Tensor& other : {wide, ones({2, 4})}) {
    expect_name("mse", [&] { static_cast<void>(mse(x, other)); });
    expect_name("l1", [&] { static_cast<void>(l1(x, other)); });
    expect_name("huber", [&] { static_cast<void>(huber(x, other)); });
    expect_name("bce_with_logits", [&] { static_cast<void>(bce_with_logits(x, other)); });
    expect_name("kl_div", [&] { static_cast<void>(kl_div(x, other)); });
  }
  expect_name("sequence_cross_entropy", [&] {
    static_cast<void>(sequence_cross_entropy(steps, zeros({3, 3}, DType::int64), lengths));
  });
  expect_name("sequence_cross_entropy", [&] {
    static_cast<void>(
        sequence_cross_entropy(steps, labels, Tensor::from<std::int64_t>({2}, {1, 4})));
  });
  expect_name("sequence_mse", [&] {
    static_cast<void>(sequence_mse(steps, ones({3, 2, 5}), lengths));
  });
  expect_name("sequence_reduce", [&] {
    static_cast<void>(sequence_reduce(ones({3, 3}), lengths));
  });
  expect_name("mask_steps", [&] { static_cast<void>(mask_steps(ones({3, 3}), lengths)); });
  expect_name("ctc_loss", [&] { static_cast<void>(ctc_loss(x, labels, lengths, lengths)); });
}

BOOST_AUTO_TEST_CASE(layers) {
  Rng rng(1);
  const Linear linear({.input = 5, .output = 2}, rng);
  expect_name("linear", [&] { linear(x); });
  const Embedding table({.vocabulary = 4, .features = 2}, rng);
  expect_name("embedding", [&] { table(x); });
  const LayerNorm normalised({.features = 5});
  expect_name("layer_norm", [&] { normalised(x); });
  const FullyConnected network({.input = 5, .output = 2, .hidden = 4}, rng);
  expect_name("fully_connected", [&] { network(x); });
}

BOOST_AUTO_TEST_CASE(every_cell) {
  Rng rng(1);
  testing::for_each_cell([&](const auto& row) {
    using C = typename std::decay_t<decltype(row)>::Cell;
    const RecurrentNetwork<C> net(row.options(5, 4, DType::float32), rng);
    const std::string name = C::name;
    BOOST_TEST_CONTEXT(row.name) {
      if (!name.starts_with("network")) {  // its inputs are checked by its networks
        expect_name(name, [&] { net(ones({3, 2, 6})); });
        expect_name(name, [&] { net(ones({3, 2, 5}, DType::float64)); });
      }
      expect_name(name, [&] { net(x); });
      expect_name(name, [&] { net({ones({3, 2, 5}), Tensor::from<std::int64_t>({2}, {1, 4})}); });
      expect_name(name, [&] { net(ones({3, 2, 5}), net.initial_state(3)); });
      expect_name(name, [&] { const RecurrentNetwork<C> none(row.options(0, 4), rng); });
    }
  });
}

BOOST_AUTO_TEST_CASE(optimisers) {
  Rng rng(1);
  Linear linear({.input = 2, .output = 2}, rng);
  const ParameterList list = parameters(linear);
  for (const OptimizerRow& row : optimizer_table()) {
    expect_name(row.name, [&] { row.make_with(list, {.learning_rate_factor = -1}); });
    expect_name(row.name, [&] { row.make({}); });
    expect_name(row.name, [&] { row.make(list)->step(); });
  }
}
