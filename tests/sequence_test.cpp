// Batches of sequences of different lengths: each sequence runs as if it were alone, whatever the
// padding holds. Also operations on the rows of a state.
#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/elman.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/layer_norm_lstm.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/mgu.hpp>
#include <rewind/layers/peephole_lstm.hpp>
#include <rewind/layers/projected_lstm.hpp>
#include <rewind/layers/residual.hpp>
#include <rewind/layers/rnn.hpp>
#include <rewind/layers/state_rows.hpp>

#include "cell_table.hpp"
#include "support/closeness.hpp"
#include "support/messages.hpp"
#include "support/padded.hpp"
#include "support/random_layers.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr std::int64_t input = 3;
constexpr std::int64_t hidden = 5;
const double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// x [T, B, F] with `value` in the padding.
Tensor with_padding(const Tensor& x, const std::vector<std::int64_t>& lengths, Padding side,
                    double value) {
  Tensor result = x.clone();
  const std::int64_t features = x.size(2);
  auto* const data = result.mutable_data<double>();
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    for (std::int64_t b = 0; b < x.size(1); ++b) {
      const std::int64_t length = lengths[static_cast<std::size_t>(b)];
      const bool real = side == Padding::after ? t < length : t >= x.size(0) - length;
      for (std::int64_t f = 0; f < features && !real; ++f) {
        data[(t * x.size(1) + b) * features + f] = value;
      }
    }
  }
  return result;
}

/// The rows [begin, end) of a state.
template <class State>
State slice_rows(State state, std::int64_t begin, std::int64_t end) {
  for_each_tensor(state, [&](Tensor& tensor) { tensor = slice(tensor, 0, begin, end); });
  return state;
}

/// A loss that depends on each output and each part of the last state in a different way.
template <class State>
Tensor asymmetric_loss(const Tensor& y, const State& last) {
  const auto weighted = [](const Tensor& t, double phase) {
    const Tensor index = arange(t.elements(), DType::float64);
    return sum(sin(reshape(t, {t.elements()}) * 1.3 + phase) * (0.5 + 0.1 * cos(index)));
  };
  Tensor loss = weighted(y, 0.3);
  double phase = 0.5;
  State copy = last;
  for_each_tensor(copy, [&](const Tensor& s) { loss = loss + weighted(s, phase += 0.2); });
  return loss;
}

/// A loss that treats all sequences alike, so that it is the same for a sequence alone and in a
/// batch.
template <class State>
Tensor symmetric_loss(const Tensor& y, const State& last) {
  Tensor loss = sum(sin(y * 1.3 + 0.3));
  State copy = last;
  for_each_tensor(copy, [&](const Tensor& s) { loss = loss + sum(sin(s + 0.7)); });
  return loss;
}

/// Compares the batch with each of its sequences alone, bit by bit: outputs, last states, gradients
/// of the input and of the initial state. The gradients of parameters are compared with the sum.
template <class Net>
void check_alone(Net& net, const std::vector<std::int64_t>& lengths, std::int64_t steps,
                 Padding side, Rng& rng) {
  const auto batch = static_cast<std::int64_t>(lengths.size());
  const Tensor x = with_padding(rng.normal({steps, batch, input}, 0, 1, DType::float64), lengths,
                                side, not_a_number);
  const auto start = random_state(net, batch, rng);
  const ParameterList weights = parameters(net);
  zero_grad(weights);

  Tape tape;
  const Tensor watched = tape.watch(x);
  auto state = start;
  for_each_tensor(state, [&](Tensor& s) { s = tape.watch(s); });
  const TensorList begin = detail::tensors_of(state);
  const auto [y, last] = net({watched, integers(lengths), side}, state);
  const Tensor loss = symmetric_loss(y, last);
  BOOST_TEST(same(y, with_padding(y, lengths, side, 0.0)), "outputs in the padding are 0");
  std::vector<TensorRef> wanted{watched};
  wanted.insert(wanted.end(), begin.begin(), begin.end());
  const std::vector<Tensor> gradients =
      tape.gradient(loss, std::span<const TensorRef>(wanted), {.retain = true});
  tape.backward(loss);
  BOOST_TEST(same(gradients[0], with_padding(gradients[0], lengths, side, 0.0)));
  std::vector<Tensor> sums;
  for (const NamedParameter& entry : weights) {
    sums.push_back(entry.parameter->has_grad() ? entry.parameter->grad().clone()
                                               : zeros_like(entry.parameter->value()));
  }

  zero_grad(weights);
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t length = lengths[static_cast<std::size_t>(b)];
    Tape own_tape;
    const Tensor own = own_tape.watch(alone(x, b, length, side).clone());
    auto own_state = slice_rows(start, b, b + 1);
    for_each_tensor(own_state, [&](Tensor& s) { s = own_tape.watch(s.clone()); });
    const TensorList own_begin = detail::tensors_of(own_state);
    const auto [own_y, own_last] = net(own, own_state);
    BOOST_TEST(same(alone(y, b, length, side), own_y));
    const TensorList all = detail::tensors_of(slice_rows(detach(last), b, b + 1));
    const TensorList single = detail::tensors_of(own_last);
    for (std::size_t i = 0; i < all.size(); ++i) {
      BOOST_TEST(same(all[i], single[i]), "part " << i << " of the last state");
    }
    const Tensor own_loss = symmetric_loss(own_y, own_last);
    std::vector<TensorRef> own_wanted{own};
    own_wanted.insert(own_wanted.end(), own_begin.begin(), own_begin.end());
    const auto own_gradients =
        own_tape.gradient(own_loss, std::span<const TensorRef>(own_wanted), {.retain = true});
    own_tape.backward(own_loss);
    BOOST_TEST(same(alone(gradients[0], b, length, side), own_gradients[0]));
    for (std::size_t i = 1; i < own_gradients.size(); ++i) {
      BOOST_TEST(same(slice(gradients[i].detach(), 0, b, b + 1), own_gradients[i]));
    }
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!weights[i].parameter->has_grad()) {
      continue;
    }
    const auto single = weights[i].parameter->grad().to_vector<double>();
    const auto together = sums[i].to_vector<double>();
    for (std::size_t k = 0; k < single.size(); ++k) {
      BOOST_TEST(std::abs(single[k] - together[k]) <= 1e-12 * (1 + std::abs(single[k])),
                 weights[i].path << ": " << together[k] << " != " << single[k]);
    }
  }
}

template <class Net>
void check_network(const std::string& name, const typename Net::Options& options, Rng& rng) {
  for (const bool bidirectional : {false, true}) {
    for (const Padding side : {Padding::after, Padding::before}) {
      Net net(options, {.layers = 2, .bidirectional = bidirectional}, rng);
      BOOST_TEST_CONTEXT(name << ", bidirectional " << bidirectional << ", padding "
                              << (side == Padding::after ? "after" : "before")) {
        check_alone(net, {2, 7, 0, 4, 7, 1, 3}, 7, side, rng);
        check_alone(net, {5, 4, 1}, 6, side, rng);  // longest first, shorter than T
        check_alone(net, {0, 0}, 3, side, rng);
        check_alone(net, {3, 3}, 3, side, rng);
        check_alone(net, {2}, 5, side, rng);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_sequence_is_as_if_it_ran_alone) {
  Rng rng(3);
  testing::for_each_cell([&](const auto& row) {
    using C = typename std::decay_t<decltype(row)>::Cell;
    check_network<RecurrentNetwork<C>>(row.name, row.options(input, hidden), rng);
  });
}

BOOST_AUTO_TEST_CASE(reset_before_merges_residuals_and_learned_states_as_if_alone) {
  Rng rng(4);
  auto options = small_options<GRU>(input, hidden);
  options.reset = Reset::before;
  GRU before(options, rng);
  check_alone(before, {4, 1, 6}, 6, Padding::after, rng);
  for (const Merge merge : {Merge::concat, Merge::sum, Merge::mean, Merge::product}) {
    for (const Reset reset : {Reset::before, Reset::after}) {
      options.reset = reset;
      GRU net(options,
              {.layers = 3,
               .bidirectional = true,
               .merge = merge,
               .residual = true,
               .learned_state = true},
              rng);
      BOOST_TEST(net.output_size() == (merge == Merge::concat ? 2 * hidden : hidden));
      check_alone(net, {4, 1, 6, 0}, 6, Padding::after, rng);
      check_alone(net, {4, 1, 6, 0}, 7, Padding::before, rng);
    }
  }
  Residual<Recurrent<MguCell>> residual{
      {MguCell({.input = input, .hidden = input, .dtype = DType::float64}, rng)}};
  check_alone(residual, {4, 1, 6, 0}, 7, Padding::before, rng);
}

BOOST_AUTO_TEST_CASE(a_padded_single_sequence_has_the_very_gradients) {
  Rng rng(5);
  LSTM net(small_options<LSTM>(input, hidden), rng);
  const Tensor x = rng.normal({9, 1, input}, 0, 1, DType::float64);
  const auto gradients = [&](const Sequence& sequence) {
    zero_grad(net);
    Tape tape;
    const auto [y, last] = net(sequence);
    tape.backward(symmetric_loss(y, last));
    std::vector<std::vector<double>> all;
    for (const NamedParameter& entry : parameters(net)) {
      all.push_back(entry.parameter->grad().to_vector<double>());
    }
    return all;
  };
  const auto padded = gradients({x, integers({6})});
  // Each padded output adds sin(0.3) to the loss, but its gradient goes no further.
  BOOST_TEST((padded == gradients(slice(x, 0, 0, 6))));
}

BOOST_AUTO_TEST_CASE(lengths_pass_gradient_checks) {
  Rng rng(6);
  LSTM net(small_options<LSTM>(input, hidden),
           {.bidirectional = true, .merge = Merge::product, .learned_state = true}, rng);
  for (const NamedParameter& entry : parameters(net)) {
    const Tensor& value = entry.parameter->value();
    entry.parameter->assign(value + rng.normal(value.shape(), 0, 0.3, DType::float64));
  }
  const auto f = [&](const std::vector<Tensor>& in) {
    const auto [y, last] = net({in[0], integers({2, 4, 0}), Padding::before});
    return asymmetric_loss(y, last);
  };
  const std::vector<Tensor> inputs{rng.normal({4, 3, input}, 0, 1, DType::float64)};
  const auto first = gradcheck(f, inputs, parameters(net));
  BOOST_TEST(first.passed, first.message);
  const auto second = gradgradcheck(f, inputs, parameters(net));
  BOOST_TEST(second.passed, second.message);
}

BOOST_AUTO_TEST_CASE(the_states_of_all_steps_are_those_of_runs_that_end_there) {
  Rng rng(7);
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    const Recurrent<LstmCell> layer{LstmCell(small_options<LstmCell>(input, hidden), rng),
                                    direction};
    const Tensor x = rng.normal({6, 3, input}, 0, 1, DType::float64);
    const std::vector<std::int64_t> lengths{4, 6, 1};
    const auto trace = layer.trace({x, integers(lengths)});
    BOOST_TEST(same(trace.y, layer({x, integers(lengths)}).first));
    BOOST_TEST(same(trace.states.h, trace.y));
    for (std::int64_t b = 0; b < 3; ++b) {
      const std::int64_t length = lengths[static_cast<std::size_t>(b)];
      for (std::int64_t t = 0; t < 6; ++t) {
        const Tensor got = slice(select(trace.states.c, 0, t), 0, b, b + 1);
        if (t >= length) {
          BOOST_TEST(same(got, zeros({1, hidden}, DType::float64)));
          continue;
        }
        const Tensor part =
            direction == Direction::forward ? slice(x, 0, 0, t + 1) : slice(x, 0, t, length);
        BOOST_TEST(same(got, layer(slice(part, 1, b, b + 1)).second.c));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(last_steps) {
  const Tensor x = reshape(arange(24, DType::float64), {4, 3, 2});
  const auto rows = [](const Tensor& t) { return t.to_vector<double>(); };
  BOOST_TEST((rows(last_step(x)) == std::vector<double>{18, 19, 20, 21, 22, 23}));
  BOOST_TEST(
      (rows(last_step({x, integers({1, 4, 2})})) == std::vector<double>{0, 1, 20, 21, 10, 11}));
  BOOST_TEST(
      (rows(last_step({x, integers({0, 4, 2})})) == std::vector<double>{0, 0, 20, 21, 10, 11}));
  BOOST_TEST((rows(last_step({x, integers({1, 0, 2}), Padding::before})) ==
              std::vector<double>{18, 19, 0, 0, 22, 23}));
  BOOST_TEST((rows(last_step(zeros({0, 2, 1}, DType::float64))) == std::vector<double>{0, 0}));
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(last_step({x, integers({5, 1, 1})}));
      },
      "lengths[0] = 5 is outside [0, 4]");
}

BOOST_AUTO_TEST_CASE(no_steps_and_no_sequences) {
  Rng rng(10);
  const LSTM net({.input = input, .hidden = hidden}, {.bidirectional = true}, rng);
  const auto [none, state] = net({zeros({3, 0, input}), integers({})});
  BOOST_TEST(none.shape() == Shape({3, 0, 2 * hidden}));
  BOOST_TEST(state[1].c.shape() == Shape({0, hidden}));
  auto start = net.initial_state(2);
  start[0].h = rng.normal({2, hidden}, 0, 1);
  const auto [empty, last] = net({zeros({0, 2, input}), integers({0, 0})}, start);
  BOOST_TEST(empty.shape() == Shape({0, 2, 2 * hidden}));
  BOOST_TEST(last[0].h.same_as(start[0].h));
}

BOOST_AUTO_TEST_CASE(wrong_lengths_name_themselves) {
  Rng rng(8);
  const LSTM net({.input = input, .hidden = hidden}, rng);
  const Tensor x = rng.normal({4, 2, input}, 0, 1);
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(net({x, integers({1})}));
      },
      "lengths are [1], expected [2]");
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(net({x, integers({1, -1})}));
      },
      "lengths[1] = -1 is outside [0, 4]");
  check_throws<UsageError>([&] { static_cast<void>(net({x, zeros({2})})); }, "expected int64");
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(net(zeros({4, input})));
      },
      "expected three axes [T, B, features]");
}

BOOST_AUTO_TEST_CASE(rows_of_a_state_are_reset_and_chosen) {
  Rng rng(9);
  LSTM net(small_options<LSTM>(input, hidden), {.learned_state = true}, rng);
  for (const NamedParameter& entry : parameters(net)) {
    entry.parameter->assign(rng.normal(entry.parameter->shape(), 0, 0.4, DType::float64));
  }
  const Tensor x = rng.normal({3, 4, input}, 0, 1, DType::float64);
  auto state = net(x).second;
  state[0].c.mutable_data<double>()[hidden] = not_a_number;  // of sequence 1, which restarts
  const auto fresh = net.initial_state(4);
  const auto next = reset_rows(state, integers({1, 3}), fresh);
  BOOST_TEST(same(slice_rows(next, 0, 1)[0].c, slice_rows(state, 0, 1)[0].c));
  BOOST_TEST(same(slice_rows(next, 1, 2)[0].c, slice_rows(fresh, 1, 2)[0].c));
  BOOST_TEST(same(slice_rows(next, 2, 3)[0].h, slice_rows(state, 2, 3)[0].h));
  BOOST_TEST(same(slice_rows(next, 3, 4)[0].h, slice_rows(fresh, 3, 4)[0].h));
  const auto branched = select_rows(next, integers({2, 2, 0}));
  BOOST_TEST(same(branched[0].h, index_select(next[0].h, integers({2, 2, 0}))));
  check_throws<ShapeError>([&] { static_cast<void>(reset_rows(state, integers({4}), fresh)); },
                           "index 4");
  check_throws<ShapeError>(
      [&] { static_cast<void>(reset_rows(state, integers({1}), net.initial_state(3))); },
      "expected [4, 5]");

  Tape tape;
  const auto begin = net.initial_state(4);
  const auto kept = reset_rows(state, integers({1, 3}), begin);
  tape.backward(sum(net(x, kept).first));
  const ParameterList weights = parameters(net);
  BOOST_TEST(weights.back().path.find("start") != std::string::npos);
  BOOST_TEST(weights.back().parameter->has_grad());
}
