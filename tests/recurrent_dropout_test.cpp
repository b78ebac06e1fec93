// Dropout of recurrent layers: what is dropped, when masks are drawn, and gradients; layers that
// run with other values in place of their parameters.
#include <algorithm>
#include <cmath>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/substitution.hpp>
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

#include "cell_table.hpp"
#include "support/messages.hpp"
#include "support/numbers.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr std::int64_t hidden = 6;

Recurrent<LstmCell> layer_with(const RecurrentDropout& dropout, Rng& rng) {
  return {.cell = LstmCell({.input = 3, .hidden = hidden, .dtype = DType::float64}, rng),
          .dropout = dropout};
}

Tensor sequence(Rng& rng, std::int64_t steps = 5, std::int64_t batch = 4) {
  return rng.normal({steps, batch, 3}, 0, 1, DType::float64);
}

std::int64_t zeros_of(const Tensor& t) {
  const auto all = numbers(t);
  return std::count(all.begin(), all.end(), 0.0);
}

/// Number of rows of a matrix that are all 0.
std::int64_t zero_rows(const Tensor& t) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < t.size(0); ++i) {
    count += zeros_of(select(t, 0, i)) == t.size(1) ? 1 : 0;
  }
  return count;
}

/// A user's cell without a recurrent matrix.
struct AddingCell {
  using State = HiddenState;
  static constexpr const char* name = "adding";

  std::int64_t output_size() const { return 3; }
  State initial_state(std::int64_t batch) const { return {zeros({batch, 3}, DType::float64)}; }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    const Tensor h = x + s.h;
    return {h, {h}};
  }
  template <class Visit>
  void parameters(Visit&&) {}
};

/// A user's cell whose units read only themselves (Li et al. 2018), through a vector, and one more
/// matrix, called as recurrent dropout used to require.
struct IndependentCell {
  using State = HiddenState;

  Parameter w_x, u, w_h;

  explicit IndependentCell(Rng& rng)
      : w_x(rng.normal({3, hidden}, 0, 1, DType::float64)),
        u(rng.normal({hidden}, 0, 1, DType::float64)),
        w_h(rng.normal({hidden, hidden}, 0, 1, DType::float64)) {}
  std::int64_t output_size() const { return hidden; }
  State initial_state(std::int64_t batch) const { return {zeros({batch, hidden}, DType::float64)}; }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    const Tensor h = tanh(matmul(x, w_x) + s.h * u + matmul(s.h, w_h));
    return {h, {h}};
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("u", u, ParameterRole::recurrent);
    visit("w_h", w_h);
  }
};

/// Dropping every state, or every recurrent weight, equals zeros in place of the parameters
/// `recurrent`; dropping some of them differs from that and from no dropout.
template <class C>
void check_drops(const C& cell, const std::vector<std::string>& recurrent) {
  BOOST_TEST_CONTEXT(detail::name_of_cell<C>()) {
    Rng rng(12);
    C changed = cell;
    for (const NamedParameter& entry : parameters(changed)) {
      entry.parameter->assign(rng.normal(entry.parameter->shape(), 0, 0.7, DType::float64));
    }
    const Tensor x = sequence(rng);
    const auto run = [&](const C& used, const RecurrentDropout& dropout) {
      Rng draws(13);
      return numbers(Recurrent<C>{.cell = used, .dropout = dropout}(x, draws).first);
    };
    const auto whole = run(changed, {});
    const auto all_states = run(changed, {.states = 1});
    const auto all_weights = run(changed, {.weights = 1});
    for (const RecurrentDropout& some : {RecurrentDropout{.states = 0.5}, {.weights = 0.5}}) {
      const auto got = run(changed, some);
      BOOST_TEST((got != whole));
      BOOST_TEST((got != all_states));
    }
    for (const NamedParameter& entry : parameters(changed)) {
      if (std::find(recurrent.begin(), recurrent.end(), entry.path) != recurrent.end()) {
        entry.parameter->assign(zeros_like(entry.parameter->value()));
      }
    }
    const auto zeroed = run(changed, {});
    BOOST_TEST((zeroed != whole));
    BOOST_TEST((all_states == zeroed));
    BOOST_TEST((all_weights == zeroed));
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_cell_says_which_matrices_are_recurrent) {
  Rng rng(10);
  testing::for_each_cell([&](const auto& row) {
    using C = typename std::decay_t<decltype(row)>::Cell;
    BOOST_TEST_CONTEXT(row.name) { check_drops(C(row.options(3, hidden), rng), row.recurrent); }
  });
  check_drops(IndependentCell(rng), {"u", "w_h"});
}

BOOST_AUTO_TEST_CASE(state_dropout_is_a_mask_on_the_rows_of_w_h) {
  Rng rng(1);
  auto layer = layer_with({.states = 0.5}, rng);
  const Tensor x = sequence(rng);
  Rng draws(7);
  Rng same(7);
  const Tensor mask = dropout_mask({hidden, 1}, 0.5, same, DType::float64);
  BOOST_TEST_REQUIRE(zeros_of(mask) > 0);
  BOOST_TEST_REQUIRE(zeros_of(mask) < hidden);
  Tape tape;
  const Tensor y = layer(x, layer.initial_state(4), draws).first;
  auto by_hand = layer;
  by_hand.cell.w_h.assign(layer.cell.w_h * mask);
  BOOST_TEST((numbers(y) == numbers(by_hand(x).first)));
  tape.backward(sum(y * y));
  // The gradient has reached the layer's own parameters; dropped rows have none.
  BOOST_TEST(zero_rows(layer.cell.w_h.grad()) == zeros_of(mask));
  BOOST_TEST(zeros_of(layer.cell.w_x.grad()) == 0);
  BOOST_TEST(layer.cell.bias.has_grad());
}

BOOST_AUTO_TEST_CASE(weight_dropout_drops_single_weights) {
  Rng rng(2);
  auto layer = layer_with({.weights = 0.3}, rng);
  const Tensor x = sequence(rng);
  Rng draws(8);
  Rng same(8);
  const Tensor mask = dropout_mask(layer.cell.w_h.shape(), 0.3, same, DType::float64);
  Tape tape;
  const Tensor y = layer(x, layer.initial_state(4), draws).first;
  tape.backward(sum(y * y));
  BOOST_TEST(zeros_of(layer.cell.w_h.grad()) == zeros_of(mask));
  auto by_hand = layer;
  by_hand.cell.w_h.assign(layer.cell.w_h * mask);
  BOOST_TEST((numbers(y) == numbers(by_hand(x).first)));
}

BOOST_AUTO_TEST_CASE(without_an_rng_or_a_probability_nothing_is_dropped_or_drawn) {
  Rng rng(3);
  const auto layer = layer_with({.states = 0.5, .weights = 0.5}, rng);
  const Recurrent<LstmCell> plain{layer.cell};
  const Tensor x = sequence(rng);
  BOOST_TEST((numbers(layer(x).first) == numbers(plain(x).first)));
  Rng draws(9);
  BOOST_TEST((numbers(plain(x, plain.initial_state(4), draws).first) == numbers(plain(x).first)));
  const LSTM network({.input = 3, .hidden = 4, .dtype = DType::float64}, {.layers = 2}, rng);
  BOOST_TEST((numbers(network(x, draws).first) == numbers(network(x).first)));
  BOOST_TEST(draws.next() == Rng(9).next());
}

BOOST_AUTO_TEST_CASE(zoneout_keeps_states) {
  Rng rng(4);
  const Tensor x = sequence(rng);
  auto layer = layer_with({.zoneout = 1, .zoneout_cell = 1}, rng);
  LstmCell::State start{rng.normal({4, hidden}, 0, 1, DType::float64),
                        rng.normal({4, hidden}, 0, 1, DType::float64)};
  const auto [frozen, last] = layer(x, start, rng);
  BOOST_TEST((numbers(last.h) == numbers(start.h)));
  BOOST_TEST((numbers(last.c) == numbers(start.c)));
  BOOST_TEST((numbers(select(frozen, 0, 2)) == numbers(start.h)));

  // One step in training keeps some units of each sequence and updates the others ...
  layer.dropout = {.zoneout = 0.4, .zoneout_cell = 0.0};
  const Recurrent<LstmCell> plain{layer.cell};
  const Tensor one = slice(x, 0, 0, 1);
  const auto moved = plain(one, start).second;
  const auto zoned = layer(one, start, rng).second;
  const auto old_h = numbers(start.h), new_h = numbers(moved.h), got = numbers(zoned.h);
  int kept = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    kept += got[i] == old_h[i] ? 1 : 0;
    BOOST_TEST((got[i] == old_h[i] || got[i] == new_h[i]));
  }
  BOOST_TEST(kept > 0);
  BOOST_TEST(kept < static_cast<int>(got.size()));
  BOOST_TEST((numbers(zoned.c) == numbers(moved.c)));
  // ... and in evaluation takes their weighted mean.
  const auto [y, expected] = layer(one, start);
  for (std::size_t i = 0; i < got.size(); ++i) {
    BOOST_TEST(std::abs(numbers(expected.h)[i] - (0.4 * old_h[i] + 0.6 * new_h[i])) < 1e-15);
  }
  BOOST_TEST((numbers(y) == numbers(expected.h)));
}

BOOST_AUTO_TEST_CASE(zoneout_keeps_the_share_it_was_asked_for) {
  Rng rng(5);
  const Recurrent<GruCell> layer{
      .cell = GruCell({.input = 3, .hidden = 40, .dtype = DType::float64}, rng),
      .dropout = {.zoneout = 0.15}};
  const Tensor start = zeros({50, 40}, DType::float64);
  const auto last = layer(sequence(rng, 1, 50), {start}, rng).second;
  // 2,000 draws, so four standard deviations are 0.032.
  BOOST_TEST(std::abs(static_cast<double>(zeros_of(last.h)) / 2000 - 0.15) < 0.032);
}

BOOST_AUTO_TEST_CASE(gradients_with_everything_dropped_that_can_be) {
  Rng rng(6);
  LSTM net(
      {.input = 3, .hidden = 4, .dtype = DType::float64},
      {.layers = 2,
       .bidirectional = true,
       .dropout = 0.3,
       .residual = true,
       .learned_state = true,
       .same_dropout_over_time = true,
       .input_dropout = 0.2,
       .recurrent_dropout = {.states = 0.3, .weights = 0.2, .zoneout = 0.2, .zoneout_cell = 0.3}},
      rng);
  const Tensor lengths = Tensor::from<std::int64_t>({3}, {2, 4, 1});
  for (const bool training : {true, false}) {
    const auto f = [&](const std::vector<Tensor>& in) {
      Rng draws(11);
      const Sequence x{in[0], lengths};
      const auto [y, last] = training ? net(x, draws) : net(x);
      const Tensor index = arange(y.elements(), DType::float64);
      return sum(sin(reshape(y, {y.elements()}) * 1.3) * (1 + 0.1 * cos(index))) +
             sum(square(last[1].c)) + sum(last[3].h);
    };
    const std::vector<Tensor> inputs{sequence(rng, 4, 3)};
    const auto first = gradcheck(f, inputs, parameters(net));
    BOOST_TEST(first.passed, first.message);
    const auto second = gradgradcheck(f, inputs, parameters(net));
    BOOST_TEST(second.passed, second.message);
  }
}

BOOST_AUTO_TEST_CASE(variational_dropout_drops_the_same_at_every_step) {
  Rng rng(7);
  const Tensor x = ones({6, 3, 50});
  const Tensor y = variational_dropout(x, 0.4, rng);
  const auto first = select(y, 0, 0).to_vector<float>();
  const auto dropped = std::count(first.begin(), first.end(), 0.0f);
  BOOST_TEST(dropped > 30);
  BOOST_TEST(dropped < 90);
  for (std::int64_t t = 1; t < 6; ++t) {
    BOOST_TEST((select(y, 0, t).to_vector<float>() == first));
  }
  BOOST_TEST((select(select(y, 0, 0), 0, 0).to_vector<float>() !=
              select(select(y, 0, 0), 0, 1).to_vector<float>()));
  BOOST_TEST(variational_dropout(x, 0, rng).same_as(x));
  check_throws<ShapeError>([&] { static_cast<void>(variational_dropout(ones({3}), 0.5, rng)); },
                           "expected [T, B, ...]");
}

BOOST_AUTO_TEST_CASE(wrong_dropout_is_refused) {
  Rng rng(8);
  const Tensor x = sequence(rng);
  auto layer = layer_with({.states = 1.5}, rng);
  check_throws<UsageError>([&] { static_cast<void>(layer(x)); }, "states is 1.5");
  check_throws<UsageError>(
      [&] {
        static_cast<void>(
            LSTM({.input = 3, .hidden = 4}, {.recurrent_dropout = {.zoneout = -0.1}}, rng));
      },
      "zoneout is -0.1");
  check_throws<UsageError>(
      [&] { static_cast<void>(LSTM({.input = 3, .hidden = 4}, {.input_dropout = 2}, rng)); },
      "input_dropout 2");
  const Recurrent<AddingCell> without{.cell = {}, .dropout = {.states = 0.5}};
  check_throws<UsageError>([&] { static_cast<void>(without(x, rng)); },
                           "adding: dropout of states or weights acts on the cell's recurrent "
                           "matrices, and it lists none");
}

BOOST_AUTO_TEST_CASE(a_layer_runs_with_other_values) {
  Rng rng(9);
  Linear layer({.input = 2, .output = 3, .dtype = DType::float64}, rng);
  const Tensor x = rng.normal({4, 2}, 0, 1, DType::float64);
  const auto before = numbers(layer.weight);
  // A step of gradient descent that is itself differentiated, as in meta-learning.
  const auto f = [&](const std::vector<Tensor>& in) {
    Tape* const tape = Tape::active();
    const Tensor loss = sum(sin(layer(in[0])));
    if (tape == nullptr) {
      Tape own;
      const Tensor again = sum(sin(layer(in[0])));
      const auto d = own.gradient(again, {layer.weight});
      const Linear stepped = with_values(layer, [&](std::string_view name, const Tensor& value) {
        return name == "weight" ? value - 0.3 * d[0] : value;
      });
      return sum(square(stepped(in[0]))).detach();
    }
    const auto d = tape->gradient(loss, {layer.weight}, {.create_graph = true});
    const Linear stepped = with_values(layer, [&](std::string_view name, const Tensor& value) {
      return name == "weight" ? value - 0.3 * d[0] : value;
    });
    return sum(square(stepped(in[0])));
  };
  const auto result = gradcheck(f, {x}, parameters(layer));
  BOOST_TEST(result.passed, result.message);
  BOOST_TEST((numbers(layer.weight) == before));
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(with_values(
            layer, [](std::string_view, const Tensor&) { return zeros({1}, DType::float64); }));
      },
      "expected its shape [2, 3]");
  {
    const Linear shared = with_values(layer, [](std::string_view, const Tensor& v) { return v; });
    BOOST_TEST(shared.weight.value().same_as(layer.weight.value()));
  }
  Tape tape;  // the original is still the same leaf
  tape.backward(sum(layer(x)));
  BOOST_TEST(layer.weight.has_grad());
}
