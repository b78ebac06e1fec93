// What runs pass on: the summary in a state, the names of its tensors, and states in checkpoints.

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/layers/bidirectional.hpp>
#include <rewind/layers/decoder.hpp>
#include <rewind/layers/elman.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/mgu.hpp>
#include <rewind/layers/network_cell.hpp>
#include <rewind/layers/projected_lstm.hpp>
#include <rewind/layers/residual.hpp>
#include <rewind/layers/stacked.hpp>
#include <rewind/layers/truncated_bptt.hpp>

#include "support/cell_options.hpp"
#include "support/messages.hpp"
#include "support/numbers.hpp"
#include "support/paths_of.hpp"
#include "support/temporary_folder.hpp"

using namespace rw;
using namespace rw::testing;

namespace user {

/// A state as a user writes it: pointers, no names.
struct Cell {
  struct State {
    Tensor slow, fast;
    auto tensors() { return std::array{&slow, &fast}; }
    const Tensor& output() const { return fast; }
  };
  std::int64_t output_size() const { return 2; }
  State initial_state(std::int64_t batch) const {
    return {zeros({batch, 2}, DType::float64), zeros({batch, 2}, DType::float64)};
  }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    const Tensor fast = tanh(x + s.slow);
    return {fast, {0.5 * s.slow + 0.1 * fast, fast}};
  }
  template <class Visit>
  void parameters(Visit&&) {}
};

}  // namespace user

namespace {

constexpr std::int64_t input = 3;
constexpr std::int64_t hidden = 4;
constexpr std::int64_t batch = 3;

/// A sequence of 6 steps without padding, one padded at the end and one padded at the beginning.
std::vector<Sequence> sequences(Rng& rng, std::int64_t width = input) {
  const Tensor x = rng.normal({6, batch, width}, 0, 1, DType::float64);
  return {x, {x, integers({6, 1, 4})}, {x, integers({2, 6, 5}), Padding::before}};
}

/// In the states of layers that run forward, the outputs are the last ones.
template <class Net>
void check_forward(const char* name, const Net& net, Rng& rng, std::int64_t width = input) {
  BOOST_TEST_CONTEXT(name) {
    for (const Sequence& x : sequences(rng, width)) {
      const auto [y, state] = net(x);
      BOOST_TEST((numbers(final_output(state)) == numbers(last_step(x.with(y)))));
    }
  }
}

template <class Net>
void check_forward_network(const char* name, Rng& rng) {
  auto options = small_options<Net>(input, hidden);
  for (const std::int64_t layers : {1, 2}) {
    check_forward(name, Net(options, {.layers = layers}, rng), rng);
  }
}

/// A sequence with its steps in reverse order.
Tensor reversed(const Sequence& x) {
  TensorList steps;
  const std::int64_t length = x.steps.size(0);
  for (std::int64_t t = length; t-- > 0;) {
    steps.push_back(select(x.steps, 0, t));
  }
  return stack(std::span<const Tensor>(steps), 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(summaries)

BOOST_AUTO_TEST_CASE(of_what_runs_forward_is_the_last_step) {
  Rng rng(1);
  check_forward_network<LSTM>("LSTM", rng);
  check_forward_network<GRU>("GRU", rng);
  check_forward_network<MGU>("MGU", rng);
  check_forward_network<ProjectedLSTM>("ProjectedLSTM", rng);
  using Linears = NetworkLSTM<Linear>;
  check_forward_network<Linears>("NetworkLSTM", rng);
  check_forward("a user's cell", Recurrent<user::Cell>{}, rng, 2);
  const Recurrent<GruCell> first{GruCell(small_options<GruCell>(input, hidden), rng)};
  auto options = small_options<LstmCell>(input, hidden);
  options.input = hidden;
  const Recurrent<LstmCell> second{LstmCell(options, rng)};
  check_forward("stacked", Stacked(first, second), rng);
  check_forward("stacked on a residual", Stacked(Residual<Recurrent<LstmCell>>{second}, second),
                rng, hidden);
  check_forward("vector", Stacked<std::vector<Recurrent<LstmCell>>>{{second, second}}, rng, hidden);
}

BOOST_AUTO_TEST_CASE(of_both_directions_have_each_read_the_whole_sequence) {
  Rng rng(2);
  for (const Merge merge : {Merge::concat, Merge::sum, Merge::mean, Merge::product}) {
    auto options = small_options<LstmCell>(input, hidden);
    const Recurrent<LstmCell> ahead{LstmCell(options, rng)};
    const Recurrent<LstmCell> back{LstmCell(options, rng)};
    const Bidirectional<Recurrent<LstmCell>> both(ahead, back, merge);
    const Sequence whole = sequences(rng)[0];
    const Tensor expected = merge_directions(merge, last_step(ahead(whole).first),
                                             last_step(back(reversed(whole)).first));
    const auto [y, state] = both(whole);
    BOOST_TEST((numbers(final_output(state)) == numbers(expected)));
    BOOST_TEST((numbers(last_step(y)) != numbers(expected)));  // its backward half read one step
  }
}

BOOST_AUTO_TEST_CASE(of_deep_bidirectional_networks) {
  Rng rng(3);
  for (const Merge merge : {Merge::concat, Merge::sum, Merge::mean, Merge::product}) {
    for (const std::int64_t layers : {1, 2, 3}) {
      const GRU net(small_options<GRU>(input, hidden),
                    {.layers = layers, .bidirectional = true, .merge = merge}, rng);
      for (const Sequence& x : sequences(rng)) {
        const auto [y, state] = net(x);
        const std::size_t top = state.size() - 2;
        const Tensor expected = merge_directions(merge, state[top].h, state[top + 1].h);
        BOOST_TEST((numbers(final_output(state)) == numbers(expected)));
        BOOST_TEST((final_output(state).shape() == Shape{batch, net.output_size()}));
        // After other functions have handled the state, it still knows.
        const auto chosen = select_rows(detach(state), integers({2, 0}));
        BOOST_TEST((numbers(final_output(chosen)) ==
                    numbers(index_select(final_output(state), integers({2, 0})))));
      }
    }
  }
  // A sequence gives what it gives alone, whatever its padding.
  const GRU net(small_options<GRU>(input, hidden), {.bidirectional = true}, rng);
  const Sequence padded = sequences(rng)[1];
  const Tensor all = final_output(net(padded).second);
  const Tensor third = slice(slice(padded.steps, 1, 2, 3), 0, 0, 4);
  const Tensor alone = final_output(net(third).second);
  BOOST_TEST(max(abs(slice(all, 0, 2, 3) - alone)).item() < 1e-14);
}

BOOST_AUTO_TEST_CASE(pass_gradient_checks) {
  Rng rng(4);
  LSTM net(small_options<LSTM>(input, hidden),
           {.bidirectional = true, .merge = Merge::product, .learned_state = true}, rng);
  for (const NamedParameter& entry : parameters(net)) {
    entry.parameter->assign(rng.normal(entry.parameter->shape(), 0, 0.4, DType::float64));
  }
  const auto f = [&](const std::vector<Tensor>& in) {
    return sin(final_output(net({in[0], integers({2, 4, 0})}).second));
  };
  const auto result =
      gradcheck(f, {rng.normal({4, 3, input}, 0, 1, DType::float64)}, parameters(net));
  BOOST_TEST(result.passed, result.message);
}

BOOST_AUTO_TEST_CASE(that_the_state_does_not_hold_are_refused) {
  Rng rng(5);
  const GRU net(small_options<GRU>(input, hidden), {.layers = 2, .residual = true}, rng);
  const Tensor x = rng.normal({4, batch, input}, 0, 1, DType::float64);
  check_throws<UsageError>([&] { static_cast<void>(final_output(net(x).second)); },
                           "final_output: the last layer adds its input to its output (residual)");
  check_throws<UsageError>([&] { static_cast<void>(final_output(LSTM::State{})); },
                           "final_output: got 0 states");
  // A residual network of one layer adds nothing.
  const GRU one(small_options<GRU>(input, hidden), {.residual = true}, rng);
  const auto [y, state] = one(x);
  BOOST_TEST((numbers(final_output(state)) == numbers(last_step(y))));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(checkpoints)

namespace {

/// Saves a random state of `net` and loads it into an initial state that shares its memory.
template <class Net>
void check_saved(const char* name, const Net& net, const std::vector<std::string>& paths) {
  BOOST_TEST_CONTEXT(name) {
    Rng rng(7);
    auto state = net.initial_state(batch);
    for_each_tensor(state, [&](Tensor& t) { t = rng.normal(t.shape(), 0, 1, t.dtype()); });
    const auto listed = state_of(state);
    BOOST_TEST((paths_of(listed) == paths));
    const TemporaryFolder folder;
    io::save(folder / "a.h5", "state", state);
    auto loaded = net.initial_state(batch);
    const auto before = loaded;
    io::load(folder / "a.h5", "state", loaded);
    const auto got = state_of(loaded);
    const auto old = state_of(before);
    for (std::size_t i = 0; i < listed.size(); ++i) {
      BOOST_TEST((numbers(got[i].tensor) == numbers(listed[i].tensor)));
      BOOST_TEST((numbers(old[i].tensor) != numbers(listed[i].tensor)));
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(hold_the_states_of_every_network) {
  Rng rng(6);
  const Recurrent<LstmCell> lstm{LstmCell(small_options<LstmCell>(input, hidden), rng)};
  const Recurrent<GruCell> gru{GruCell(small_options<GruCell>(input, hidden), rng)};
  check_saved("LSTM layer", lstm, {"h", "c"});
  check_saved("a user's cell", Recurrent<user::Cell>{}, {"0", "1"});
  check_saved("a vector of a user's", Stacked<std::vector<Recurrent<user::Cell>>>{{{}, {}}},
              {"0/0", "0/1", "1/0", "1/1"});
  check_saved("Bidirectional", Bidirectional<Recurrent<LstmCell>>(lstm, lstm),
              {"forward/h", "forward/c", "backward/h", "backward/c"});
  check_saved("Stacked", Stacked(lstm, Bidirectional<Recurrent<GruCell>>(gru, gru)),
              {"0/h", "0/c", "1/forward/h", "1/backward/h"});
  check_saved("Residual", Residual<Recurrent<GruCell>>{gru}, {"layer/h"});
  const auto options = small_options<GRU>(input, hidden);
  check_saved("GRU", GRU(options, {.layers = 2, .learned_state = true}, rng), {"0/h", "1/h"});
  check_saved("bidirectional GRU",
              GRU(options, {.layers = 2, .bidirectional = true, .learned_state = true}, rng),
              {"0/forward/h", "0/backward/h", "1/forward/h", "1/backward/h"});
  auto elman = small_options<ElmanRNN>(input, hidden);
  elman.output = 2;
  check_saved("ElmanRNN", ElmanRNN(elman, rng), {"0/h"});
}

BOOST_AUTO_TEST_CASE(hold_a_decoders_state) {
  Rng rng(7);
  const Decoder<LSTM, LuongAttention> decoder(
      {.vocabulary = 5, .features = 2, .memory = 6, .dtype = DType::float64},
      LSTM({.input = 2 + 4, .hidden = 4, .dtype = DType::float64}, rng),
      LuongAttention({.query = 4, .memory = 6, .dtype = DType::float64}, rng), rng);
  const Tensor memory = rng.normal({7, batch, 6}, 0, 1, DType::float64);
  auto begin = decoder.begin(decoder.network.initial_state(batch), memory);
  const Tensor tokens = integers({0, 3, 4});
  auto state = decoder(tokens, begin).second;
  BOOST_TEST((paths_of(state_of(state)) ==
              std::vector<std::string>{"network/0/h", "network/0/c", "attended", "weights"}));
  const TemporaryFolder folder;
  io::save(folder / "a.h5", "state", state);
  io::load(folder / "a.h5", "state", begin);
  BOOST_TEST((numbers(decoder(tokens, begin).first) == numbers(decoder(tokens, state).first)));
}

BOOST_AUTO_TEST_CASE(saving_leaves_a_states_history) {
  Rng rng(8);
  GRU net(small_options<GRU>(input, hidden), rng);
  const Tensor x = rng.normal({4, batch, input}, 0, 1, DType::float64);
  const TemporaryFolder folder;
  Tape tape;
  auto [y, state] = net(x);
  io::save(folder / "a.h5", "state", state, "model", net);
  tape.backward(sum(square(state[0].h)));
  BOOST_TEST(sum(abs(parameters(net)[0].parameter->grad())).item() > 0);
  const auto constant = state;
  BOOST_CHECK_NO_THROW(io::save(folder / "b.h5", "state", constant));
}

BOOST_AUTO_TEST_CASE(of_another_shape_change_nothing) {
  Rng rng(9);
  GRU net(small_options<GRU>(input, hidden), rng);
  const TemporaryFolder folder;
  io::save(folder / "a.h5", "state", net(rng.normal({2, 2, input}, 0, 1, DType::float64)).second,
           "model", net);
  Tape tape;
  const Tensor x = rng.normal({4, batch, input}, 0, 1, DType::float64);
  auto state = net(x).second;
  const Tensor h = state[0].h;
  check_throws<io::StateMismatch>([&] { io::load(folder / "a.h5", "state", state, "model", net); },
                                  "state/0/h is [2, 4], expected [3, 4]");
  BOOST_TEST(state[0].h.same_as(h));
  tape.backward(sum(square(state[0].h)));
  // A state with other parts lists their names.
  LSTM lstm(small_options<LSTM>(input, hidden), rng);
  auto other = lstm.initial_state(2);
  check_throws<io::StateMismatch>([&] { io::load(folder / "a.h5", "state", other, "model", net); },
                                  "missing: state/0/c");
}

BOOST_AUTO_TEST_CASE(a_learned_initial_state_is_not_written_into) {
  Rng rng(10);
  GRU net(small_options<GRU>(input, hidden), {.learned_state = true}, rng);
  const TemporaryFolder folder;
  io::save(folder / "a.h5", "state", net(rng.normal({2, 1, input}, 0, 1, DType::float64)).second);
  const auto start = numbers(parameters(net).back().parameter->value());
  auto state = net.initial_state(1);
  io::load(folder / "a.h5", "state", state);
  BOOST_TEST((numbers(parameters(net).back().parameter->value()) == start));
  BOOST_TEST((numbers(state[0].h) != start));
}

BOOST_AUTO_TEST_CASE(truncated_bptt_names_what_it_carries) {
  Rng rng(11);
  const LSTM lstm(small_options<LSTM>(input, hidden), rng);
  TruncatedBptt bptt(lstm.initial_state(batch), {});
  const auto paths = paths_of(bptt.state());
  BOOST_TEST_REQUIRE(paths.size() >= 2U);
  BOOST_TEST(paths[0] == "state/0/h");
  BOOST_TEST(paths[1] == "state/0/c");
}

BOOST_AUTO_TEST_SUITE_END()
