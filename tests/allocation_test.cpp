// A training step allocates nothing from the heap once it is warm.
#include <boost/test/unit_test.hpp>

#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/elman.hpp>
#include <rewind/layers/gated_lstm.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/layer_norm_lstm.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/mgu.hpp>
#include <rewind/layers/network_cell.hpp>
#include <rewind/layers/peephole_lstm.hpp>
#include <rewind/layers/projected_lstm.hpp>
#include <rewind/layers/rnn.hpp>
#include <rewind/optim/adam.hpp>
#include <rewind/optim/clip.hpp>

#include "cell_table.hpp"
#include "support/counted_allocations.hpp"

using namespace rw;

namespace {

template <class Net>
struct Model {
  Net net;
  Linear head;
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("net", net);
    visit("head", head);
  }
};

/// Heap allocations of one step of forward pass, loss, backward pass, clipping and update, after
/// warming up.
template <class Net>
std::int64_t allocations_of_a_step(const typename Net::Options& options,
                                   const NetworkOptions& more = {}, const Tensor& lengths = {}) {
  Rng rng(1);
  Model<Net> model{Net(options, more, rng), {}};
  model.head = Linear({.input = model.net.output_size(), .output = 3}, rng);
  const ParameterList list = parameters(model);
  Adam optimizer(list, {});
  const Tensor x = rng.normal({10, 4, options.input}, 0, 1);
  const Tensor targets = Tensor::from<std::int64_t>({4}, {0, 1, 2, 1});
  auto state = model.net.initial_state(4);
  std::int64_t count = 0;
  for (int step = 0; step < 5; ++step) {
    const std::int64_t before = rw::testing::heap_allocations;
    {
      Tape tape;
      auto [y, last] = model.net({x, lengths}, state, rng);
      const Tensor loss = cross_entropy(model.head(last_step({y, lengths})), targets);
      zero_grad(list);
      tape.backward(loss);
      clip_by_norm(list, 1.0);
      optimizer.step();
      state = detach(std::move(last));
    }
    count = rw::testing::heap_allocations - before;
  }
  return count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_counter_counts) {
  const std::int64_t before = rw::testing::heap_allocations;
  ::operator delete(::operator new(1));  // a new-expression could be optimised away
  BOOST_TEST(rw::testing::heap_allocations == before + 1);
}

BOOST_AUTO_TEST_CASE(lstm) {
  BOOST_TEST(allocations_of_a_step<LSTM>({.input = 5, .hidden = 8}) == 0);
  BOOST_TEST(allocations_of_a_step<LSTM>({.input = 5, .hidden = 8},
                                         {.layers = 2, .bidirectional = true}) == 0);
}

BOOST_AUTO_TEST_CASE(every_cell) {
  testing::for_each_cell([](const auto& row) {
    using C = typename std::decay_t<decltype(row)>::Cell;
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(allocations_of_a_step<RecurrentNetwork<C>>(row.options(5, 8, DType::float32),
                                                            {.layers = 2}) == 0);
    }
  });
  BOOST_TEST(allocations_of_a_step<LSTM>(
                 {.input = 5, .hidden = 8, .gate_activation = Activation::hard_sigmoid}) == 0);
}

BOOST_AUTO_TEST_CASE(sequences_of_different_lengths) {
  const Tensor lengths = Tensor::from<std::int64_t>({4}, {3, 10, 1, 7});
  BOOST_TEST(allocations_of_a_step<LSTM>({.input = 5, .hidden = 8}, {.layers = 2}, lengths) == 0);
  BOOST_TEST(
      allocations_of_a_step<GRU>({.input = 5, .hidden = 8}, {.bidirectional = true}, lengths) == 0);
}

BOOST_AUTO_TEST_CASE(dropout_of_every_kind) {
  BOOST_TEST(allocations_of_a_step<LSTM>(
                 {.input = 5, .hidden = 8},
                 {.layers = 2,
                  .bidirectional = true,
                  .dropout = 0.2,
                  .merge = Merge::mean,
                  .residual = true,
                  .learned_state = true,
                  .same_dropout_over_time = true,
                  .input_dropout = 0.1,
                  .recurrent_dropout = {
                      .states = 0.1, .weights = 0.1, .zoneout = 0.1, .zoneout_cell = 0.2}}) == 0);
}
