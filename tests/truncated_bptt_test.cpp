// Truncated back-propagation through time against full backward passes over states cut by hand.
#include <cmath>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/layers/embedding.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/truncated_bptt.hpp>

#include "support/closeness.hpp"
#include "support/messages.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr std::int64_t input = 3;
constexpr std::int64_t hidden = 4;
constexpr std::int64_t batch = 2;
constexpr std::int64_t steps = 11;

using GradientValues = std::vector<std::vector<double>>;

struct Fixture {
  Rng rng{1};
  LSTM lstm{{.input = input, .hidden = hidden, .dtype = DType::float64}, {.layers = 2}, rng};
  Tensor x = rng.normal({steps, batch, input}, 0, 1, DType::float64);
  Tensor target = rng.normal({steps, batch, hidden}, 0, 1, DType::float64);

  /// Different at every step, and a sum, so that the losses of windows add up.
  auto loss() const {
    return [this](const Tensor& y, const TimeSteps& at) { return sum(square(y - at.of(target))); };
  }
  GradientValues take() {
    GradientValues all;
    for (const NamedParameter& entry : parameters(lstm)) {
      all.push_back(entry.parameter->grad().to_vector<double>());
    }
    zero_grad(lstm);
    return all;
  }
  /// A small step of gradient descent, so that each window has other weights.
  void descend() {
    for (const NamedParameter& entry : parameters(lstm)) {
      entry.parameter->assign((entry.parameter->value() - 0.01 * entry.parameter->grad()).detach());
    }
  }
  LSTM::State state_before(std::int64_t step, LSTM::State start) const {
    return step == 0 ? start : detach(lstm(slice(x, 0, 0, step), start).second);
  }
};

double difference(const GradientValues& a, const GradientValues& b) {
  BOOST_TEST_REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = largest_difference(a[i], b[i]);
    largest = difference <= largest ? largest : difference;  // keeps a NaN
  }
  return largest;
}

template <class State>
std::vector<double> values(State state) {
  std::vector<double> all;
  for_each_tensor(state, [&](const Tensor& tensor) {
    const auto part = tensor.template to_vector<double>();
    all.insert(all.end(), part.begin(), part.end());
  });
  return all;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_chunk_is_a_window_and_the_state_goes_on, Fixture) {
  const TimeSteps chunks[] = {{0, 5}, {5, 8}, {8, 11}};
  std::vector<GradientValues> expected;
  auto state = lstm.initial_state(batch);
  for (const auto& [begin, end] : chunks) {
    Tape tape;
    const auto [y, next] = lstm(slice(x, 0, begin, end), state);
    tape.backward(sum(square(y - slice(target, 0, begin, end))));
    expected.push_back(take());
    state = detach(next);
  }
  TruncatedBptt bptt(lstm.initial_state(batch));
  std::size_t chunk = 0;
  for (const TimeSteps& at_chunk : chunks) {
    const Tensor targets = at_chunk.of(target);
    bptt.run(
        lstm, at_chunk.of(x),
        [&](const Tensor& y, const TimeSteps& at) {
          BOOST_TEST(at.begin == 0);
          BOOST_TEST(at.end == at_chunk.end - at_chunk.begin);
          return sum(square(y - at.of(targets)));
        },
        [&](const Tensor& loss) {
          BOOST_TEST(loss.elements() == 1);
          BOOST_TEST(difference(take(), expected.at(chunk++)) == 0);
        });
  }
  BOOST_TEST(chunk == 3U);
  BOOST_TEST((values(bptt.carried()) == values(state)));
}

BOOST_FIXTURE_TEST_CASE(each_gradient_is_that_of_the_graph_cut_k2_steps_back, Fixture) {
  const TruncationOptions windows[] = {{1, 1}, {1, 4},  {2, 2},   {2, 3}, {3, 7},
                                       {4, 9}, {5, 50}, {11, 11}, {20, 0}};
  for (const TruncationOptions& options : windows) {
    const std::int64_t every = options.every;
    const std::int64_t back = options.back;
    const auto start = lstm.initial_state(batch);
    TruncatedBptt bptt(start, options);
    std::int64_t begin = 0;
    bptt.run(lstm, x, loss(), [&](const Tensor&) {
      const std::int64_t end = std::min(begin + every, steps);
      const std::int64_t first =
          std::max<std::int64_t>(0, begin - std::max<std::int64_t>(back - every, 0));
      const GradientValues got = take();
      Tape tape;
      const Tensor y = lstm(slice(x, 0, first, end), state_before(first, start)).first;
      tape.backward(loss()(slice(y, 0, begin - first, end - first), {begin, end}));
      BOOST_TEST_CONTEXT("every " << every << ", back " << back << ", steps from " << begin) {
        BOOST_TEST(difference(got, take()) < 1e-13);
      }
      begin = end;
    });
    BOOST_TEST(begin == steps);
  }
}

BOOST_FIXTURE_TEST_CASE(chunks_change_nothing, Fixture) {
  // Windows reach back into earlier chunks; the weights change in between.
  const auto gradients = [&](std::initializer_list<std::int64_t> ends) {
    Fixture fresh;
    TruncatedBptt bptt(fresh.lstm.initial_state(batch), {.every = 2, .back = 5});
    std::vector<GradientValues> all;
    std::int64_t begin = 0;
    for (const std::int64_t end : ends) {
      const Tensor targets = slice(fresh.target, 0, begin, end);
      bptt.run(
          fresh.lstm, slice(fresh.x, 0, begin, end),
          [&](const Tensor& y, const TimeSteps& at) { return sum(square(y - at.of(targets))); },
          [&](const Tensor&) {
            fresh.descend();
            all.push_back(fresh.take());
          });
      begin = end;
    }
    return all;
  };
  const auto whole = gradients({steps});
  const auto parts = gradients({2, 4, 10, steps});
  BOOST_TEST_REQUIRE(whole.size() == parts.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    BOOST_TEST(difference(whole[i], parts[i]) == 0);
  }
}

BOOST_FIXTURE_TEST_CASE(overlapping_steps_run_with_the_weights_as_they_are, Fixture) {
  TruncatedBptt bptt(lstm.initial_state(batch), {.every = 2, .back = 4});
  LSTM::State before = lstm.initial_state(batch);  // where each window begins
  std::int64_t begin = 0;
  LSTM now = lstm;
  bptt.run(lstm, x, loss(), [&](const Tensor&) {
    const std::int64_t end = std::min(begin + 2, steps);
    const std::int64_t first = std::max<std::int64_t>(0, begin - 2);
    zero_grad(now);
    Tape tape;
    const auto [y, last] = now(slice(x, 0, first, end), before);
    tape.backward(loss()(slice(y, 0, begin - first, end - first), {begin, end}));
    GradientValues expected;
    for (const NamedParameter& entry : parameters(now)) {
      expected.push_back(entry.parameter->grad().to_vector<double>());
    }
    const std::int64_t next = std::max<std::int64_t>(0, end - 2);
    before = next == first ? before : detach(now(slice(x, 0, first, next), before).second);
    descend();
    BOOST_TEST(difference(take(), expected) < 1e-13);
    BOOST_TEST((values(bptt.carried()) == values(before)));
    now = lstm;
    begin = end;
  });
}

BOOST_FIXTURE_TEST_CASE(a_window_of_all_steps_is_the_full_gradient, Fixture) {
  GradientValues full;
  {
    Tape tape;
    tape.backward(loss()(lstm(x).first, {0, steps}));
    full = take();
  }
  const auto start = lstm.initial_state(batch);
  for (const std::int64_t every : {1, 3, 11}) {
    TruncatedBptt bptt(start, {.every = every, .back = steps + every});
    bptt.run(lstm, x, loss(), [](const Tensor&) {});  // accumulates gradients
    BOOST_TEST(difference(take(), full) < 1e-12);
  }
  const auto [total, last] = truncated_backward(lstm, x, start, steps, loss());
  BOOST_TEST(difference(take(), full) < 1e-12);
  BOOST_TEST(std::abs(total.item() - loss()(lstm(x).first, {0, steps}).item()) < 1e-12);
  BOOST_TEST((values(last) == values(lstm(x).second)));
}

BOOST_FIXTURE_TEST_CASE(inside_a_run_no_loss_reaches_further_than_the_window, Fixture) {
  const auto start = lstm.initial_state(batch);
  for (const std::int64_t window : {1, 2, 5}) {
    truncated_backward(lstm, x, start, window, loss());
    const GradientValues got = take();
    for (std::int64_t t = 0; t < steps; ++t) {
      const std::int64_t first = std::max<std::int64_t>(0, t + 1 - window);
      const auto before = state_before(first, start);
      Tape tape;
      const Tensor y = lstm(slice(x, 0, first, t + 1), before).first;
      tape.backward(loss()(slice(y, 0, t - first, t + 1 - first), {t, t + 1}));
    }
    BOOST_TEST(difference(got, take()) < 1e-12);
    TruncatedBptt bptt(start, {.every = 1, .back = window});
    bptt.run(lstm, x, loss(), [](const Tensor&) {});
    BOOST_TEST(difference(got, take()) < 1e-12);
  }
}

BOOST_FIXTURE_TEST_CASE(a_checkpoint_resumes_the_stream, Fixture) {
  for (const std::int64_t back : {2, 5}) {
    const TruncationOptions options{.every = 2, .back = back};
    const Tensor step_like = zeros({batch, input}, DType::float64);
    const auto go_on = [&](auto& bptt, std::int64_t begin, std::int64_t end) {
      const Tensor targets = slice(target, 0, begin, end);
      GradientValues all;
      bptt.run(
          lstm, slice(x, 0, begin, end),
          [&](const Tensor& y, const TimeSteps& at) { return sum(square(y - at.of(targets))); },
          [](const Tensor&) {});
      return take();
    };
    TruncatedBptt first(lstm.initial_state(batch), options);
    go_on(first, 0, 4);
    StateList saved = first.state();
    for (StateEntry& entry : saved) {
      entry.tensor = entry.tensor.clone();
    }
    TruncatedBptt second(lstm.initial_state(batch), options, step_like);
    StateList restored = second.state();
    BOOST_TEST_REQUIRE(restored.size() == saved.size());
    BOOST_TEST(saved.size() == (back == 2 ? 4U : 6U));
    for (std::size_t i = 0; i < saved.size(); ++i) {
      BOOST_TEST(restored[i].path == saved[i].path);
      BOOST_TEST_REQUIRE(restored[i].tensor.shape() == saved[i].tensor.shape());
      dispatch(saved[i].tensor.dtype(), [&](auto type) {
        using T = decltype(type);
        std::copy_n(saved[i].tensor.data<T>(), saved[i].tensor.elements(),
                    restored[i].tensor.mutable_data<T>());
      });
    }
    BOOST_TEST(difference(go_on(first, 4, steps), go_on(second, 4, steps)) == 0);
  }
}

BOOST_FIXTURE_TEST_CASE(a_stream_begins_anew, Fixture) {
  TruncatedBptt bptt(lstm.initial_state(batch), {.every = 2, .back = 4});
  const auto run = [&] {
    bptt.run(lstm, x, loss(), [](const Tensor&) {});
    return take();
  };
  const GradientValues once = run();
  BOOST_TEST(difference(run(), once) > 1e-3);
  bptt.restart(lstm.initial_state(batch));
  BOOST_TEST(difference(run(), once) == 0);
  // Rows of single sequences.
  const auto last = bptt.carried();
  bptt.restart(reset_rows(last, Tensor::from<std::int64_t>({1}, {1}), lstm.initial_state(batch)));
  BOOST_TEST((values(select(bptt.carried()[0].h, 0, 0)) == values(select(last[0].h, 0, 0))));
  BOOST_TEST(sum(abs(select(bptt.carried()[0].h, 0, 1))).item() == 0);
}

BOOST_AUTO_TEST_CASE(any_network_and_token_numbers) {
  Rng rng(7);
  const Embedding embedding({.vocabulary = 9, .features = input}, rng);
  const Recurrent<GruCell> gru{.cell = GruCell({.input = input, .hidden = hidden}, rng),
                               .dropout = {.zoneout = 0.1}};
  const Linear readout({.input = hidden, .output = 9}, rng);
  Rng draws(8);
  const auto model = [&](const Tensor& tokens, HiddenState state) {
    auto [y, next] = gru(embedding(tokens), std::move(state), draws);
    return std::pair{readout(y), next};
  };
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = 0; i < (steps + 1) * batch; ++i) {
    numbers.push_back(rng.integer(9));
  }
  const Tensor stream = Tensor::from<std::int64_t>({steps + 1, batch}, numbers);
  TruncatedBptt bptt(gru.initial_state(batch), {.every = 3, .back = 5});
  int windows = 0;
  bptt.run(
      model, slice(stream, 0, 0, steps),
      [&](const Tensor& y, const TimeSteps& at) {
        BOOST_TEST((y.shape() == Shape{at.end - at.begin, batch, 9}));
        return cross_entropy(y, at.of(slice(stream, 0, 1, steps + 1)));
      },
      [&](const Tensor& loss) {
        BOOST_TEST(std::isfinite(loss.item()));
        ++windows;
      });
  BOOST_TEST(windows == 4);
}

BOOST_FIXTURE_TEST_CASE(a_failure_leaves_the_stream_where_it_was, Fixture) {
  TruncatedBptt bptt(lstm.initial_state(batch), {.every = 2, .back = 4});
  bptt.run(lstm, slice(x, 0, 0, 4), loss(), [](const Tensor&) {});
  const auto before = values(bptt.carried());
  const GradientValues gradients = [&] {
    GradientValues all;
    for (const NamedParameter& entry : parameters(lstm)) {
      all.push_back(entry.parameter->grad().to_vector<double>());
    }
    return all;
  }();
  BOOST_CHECK_THROW(bptt.run(
                        lstm, slice(x, 0, 4, 8),
                        [](const Tensor& y, const TimeSteps&) {
                          check<UsageError>(false, "no loss");
                          return y;
                        },
                        [](const Tensor&) {}),
                    UsageError);
  BOOST_TEST((values(bptt.carried()) == before));
  BOOST_TEST(difference(take(), gradients) == 0);
  check_throws<ShapeError>(
      [&] {
        bptt.run(lstm, zeros({2, 3, input}, DType::float64), loss(), [](const Tensor&) {});
      },
      "the steps are [2, 3, 3], expected [2, 2, 3] as before");
}

BOOST_FIXTURE_TEST_CASE(windows_that_make_no_sense_are_refused, Fixture) {
  const auto start = lstm.initial_state(batch);
  const auto make = [&](const TruncationOptions& options) { TruncatedBptt bptt(start, options); };
  check_throws<UsageError>([&] { make({.every = -1}); }, "every = -1");
  check_throws<UsageError>([&] { make({.every = 5, .back = 4}); }, "expected at least every = 5");
  check_throws<UsageError>([&] { make({.back = 4}); }, "without every");
  TruncatedBptt bptt(start, {.every = 2, .back = 4});
  check_throws<UsageError>([&] { bptt.state(); }, "not known before the first chunk");
  check_throws<UsageError>([&] { truncated_backward(lstm, x, start, 0, loss()); },
                           "got a window of 0 steps");
  check_throws<UsageError>([&] { truncated_backward(lstm, slice(x, 0, 0, 0), start, 1, loss()); },
                           "expected at least one step");
  bptt.run(lstm, slice(x, 0, 0, 0), loss(), [](const Tensor&) { BOOST_ERROR("no steps"); });
}
