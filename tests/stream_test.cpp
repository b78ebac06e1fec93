// Streams against the networks that they run, and the promise of real time.

#include <cfloat>
#include <cmath>
#include <csignal>
#include <limits>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/autograd/kernels/threads.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tensor/sanitized.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/layers/bidirectional.hpp>
#include <rewind/layers/embedding.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/residual.hpp>
#include <rewind/layers/sequential.hpp>
#include <rewind/layers/stacked.hpp>
#include <rewind/layers/stream.hpp>

#include "cell_table.hpp"
#include "support/counted_allocations.hpp"
#include "support/messages.hpp"
#include "support/random_layers.hpp"
#include "support/temporary_folder.hpp"

using namespace rw;
using rw::testing::contains;

namespace {

template <class T>
std::span<const T> values_of(const Tensor& x) {
  return {x.data<T>(), static_cast<std::size_t>(x.elements())};
}

/// The largest difference between a stream's outputs and y [T, rows, outputs], relative to the
/// largest output.
template <class T>
double difference(Stream& stream, const Tensor& x, const Tensor& y) {
  std::vector<T> out(static_cast<std::size_t>(y.elements()));
  stream.process(values_of<T>(x), std::span<T>(out));
  const Tensor dense = y.is_contiguous() ? y : y.detach().clone();
  const auto expected = values_of<T>(dense);
  double apart = 0;
  double largest = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    apart =
        std::max(apart, std::abs(static_cast<double>(out[i]) - static_cast<double>(expected[i])));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return std::isfinite(apart) ? apart / largest : HUGE_VAL;
}

/// The network in float32 and the same in float64, which shows how much of a difference is due to
/// rounding, which norms of few numbers magnify. Without a forget gate the state grows without end,
/// and with it the effect of each rounding, so that such a network takes fewer steps.
template <class Row>
void check_cell(const Row& row, std::int64_t rows) {
  using C = typename Row::Cell;
  const std::int64_t steps = row.name == "no_forget_lstm" ? 100 : 10'000;
  Rng rng(7);
  Recurrent<C> wide{.cell = C(row.options(3, 5, DType::float64), rng)};
  Recurrent<C> layer{.cell = C(row.options(3, 5, DType::float32), rng)};
  rw::testing::copy_parameters(layer, wide);
  const Tensor x = rng.normal({steps, rows, 3});
  const Tensor exact = wide(x.to(DType::float64)).first;
  const Tensor y = layer(x).first;
  const double rounding = max(abs(y.to(DType::float64) - exact)).item() / max(abs(exact)).item();
  const auto check = [&]<class T>(const auto& network, const Tensor& in, const Tensor& out, T,
                                  double tolerance) {
    Stream stream(network, {.inputs = 3, .rows = rows, .dtype = dtype_of<T>});
    const double apart = difference<T>(stream, in, out);
    BOOST_TEST(apart <= tolerance,
               row.name << " of " << rows << " rows: " << apart << ", at most " << tolerance);
  };
  const double of_float = std::max(1e-6, 8 * rounding);
  check(layer, x, y, float(), of_float);
  check(layer.cell, x, y, float(), of_float);
  constexpr double finer = std::numeric_limits<double>::epsilon() /
                           static_cast<double>(std::numeric_limits<float>::epsilon());
  const double of_double = std::max(1e-14, 32 * finer * rounding);
  check(wide, x.to(DType::float64), exact, double(), of_double);
  check(wide.cell, x.to(DType::float64), exact, double(), of_double);
}

/// A model of the user: a running mean and an LSTM, put together by hand.
struct MeanAndLstm {
  struct State {
    Tensor mean;
    LstmCell::State lstm;
    template <class Visit>
    void tensors(Visit&& visit) {
      visit("mean", mean);
      visit("lstm", lstm);
    }
  };
  LstmCell cell;
  Linear head;

  State initial_state(std::int64_t rows) const {
    return {zeros({rows, 1}), cell.initial_state(rows)};
  }
  std::pair<Tensor, State> step(const Tensor& x, const State& state) const {
    const Tensor mean = 0.9 * state.mean + 0.1 * x;
    auto [h, next] = cell(x - mean, state.lstm);
    return {head(h) + mean, {mean, next}};
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("cell", cell);
    visit("head", head);
  }
};

/// Keeps its last inputs: the next state is made of the old one.
struct DelayLine {
  using State = std::array<Tensor, 3>;
  State initial_state(std::int64_t rows) const {
    return {zeros({rows, 1}), zeros({rows, 1}), zeros({rows, 1})};
  }
  std::pair<Tensor, State> step(const Tensor& x, const State& state) const {
    return {state[2], {x, state[0], state[1]}};
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(streams_of_every_cell_equal_the_whole_sequence) {
  rw::testing::for_each_cell([&](const auto& row) {
    check_cell(row, 1);
    check_cell(row, 4);
  });
}

BOOST_AUTO_TEST_CASE(streams_of_random_networks_equal_the_whole_sequence) {
  Rng rng(3);
  const auto check_network = [&]<class Network>(const Network& network, std::int64_t inputs) {
    const Linear head({.input = network.output_size(), .output = 2}, rng);
    Stream stream(network, head, {.inputs = inputs});
    const Tensor x = rng.normal({200, 1, inputs});
    const double apart = difference<float>(stream, x, head(network(x).first));
    BOOST_TEST(apart <= 1e-6, "difference " << apart);
  };
  for (int i = 0; i < 200; ++i) {
    const std::int64_t inputs = 1 + rng.integer(4);
    const std::int64_t hidden = 1 + rng.integer(40);
    const NetworkOptions options{.layers = 1 + rng.integer(3),
                                 .residual = rng.bernoulli(0.5),
                                 .learned_state = rng.bernoulli(0.3)};
    switch (rng.integer(4)) {
      case 0:
        check_network(LSTM({.input = inputs, .hidden = hidden}, options, rng), inputs);
        break;
      case 1:
        check_network(GRU({.input = inputs, .hidden = hidden}, options, rng), inputs);
        break;
      case 2:
        check_network(RNN({.input = inputs, .hidden = hidden}, options, rng), inputs);
        break;
      default:
        check_network(
            Stacked(Recurrent<LstmCell>{LstmCell({.input = inputs, .hidden = hidden}, rng)},
                    Residual<Recurrent<GruCell>>{
                        Recurrent<GruCell>{GruCell({.input = hidden, .hidden = hidden}, rng)}}),
            inputs);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_model_of_steps_streams) {
  Rng rng(1);
  const MeanAndLstm model{LstmCell({.input = 1, .hidden = 6}, rng),
                          {{.input = 6, .output = 1}, rng}};
  Stream stream(model, {.inputs = 1, .rows = 2});
  auto state = model.initial_state(2);
  const Tensor xs = rng.normal({50, 2, 1});
  for (std::int64_t t = 0; t < 50; ++t) {
    auto [y, next] = model.step(xs[t], state);
    state = next;
    std::array<float, 2> out{};
    stream.step(std::span(xs.row<float>(2 * t), 2), std::span<float>(out));
    BOOST_TEST(std::abs(out[0] - y.data<float>()[0]) < 1e-6);
    BOOST_TEST(std::abs(out[1] - y.data<float>()[1]) < 1e-6);
  }
  BOOST_TEST(stream.state()[1].path == "lstm/h");
}

BOOST_AUTO_TEST_CASE(a_state_may_move_on_within_itself) {
  Stream stream(DelayLine(), {.inputs = 1});
  const std::vector<float> x{1, 2, 3, 4, 5, 6};
  std::vector<float> y(6);
  stream.process(std::span<const float>(x), std::span<float>(y));
  BOOST_TEST((y == std::vector<float>{0, 0, 0, 1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(tokens_stream_through_an_embedding) {
  Rng rng(1);
  struct Model {
    Embedding embedding;
    GRU gru;
    Linear head;
    GRU::State initial_state(std::int64_t rows) const { return gru.initial_state(rows); }
    std::pair<Tensor, GRU::State> step(const Tensor& token, GRU::State state) const {
      auto [y, next] = gru(unsqueeze(embedding(token), 0), std::move(state));
      return {head(y[0]), std::move(next)};
    }
  };
  const Model model{Embedding({.vocabulary = 5, .features = 4}, rng),
                    GRU({.input = 4, .hidden = 7}, rng), Linear({.input = 7, .output = 5}, rng)};
  Stream stream(model, {.tokens = true});
  const std::vector<std::int64_t> text{3, 1, 4, 1, 0, 2};
  std::vector<float> y(6 * 5);
  stream.process(std::span<const std::int64_t>(text), std::span<float>(y));
  const Tensor whole =
      model.head(model.gru(model.embedding(Tensor::from<std::int64_t>({6, 1}, text))).first);
  const auto expected = whole.to_vector<float>();
  for (std::size_t i = 0; i < y.size(); ++i) {
    BOOST_TEST(std::abs(y[i] - expected[i]) < 1e-6);
  }
  const std::vector<std::int64_t> wrong{5};
  BOOST_CHECK_THROW(stream.step(std::span<const std::int64_t>(wrong), std::span(y).first(5)),
                    ShapeError);
}

BOOST_AUTO_TEST_CASE(what_reads_from_the_end_is_refused) {
  Rng rng(1);
  const auto refusal = [](const auto& network) {
    try {
      Stream(network, {.inputs = 2});
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("streams");
  };
  BOOST_TEST(contains(refusal(LSTM({.input = 2, .hidden = 3}, {.bidirectional = true}, rng)),
                      "bidirectional"));
  const Recurrent<GruCell> forward{GruCell({.input = 2, .hidden = 3}, rng)};
  Recurrent<GruCell> backward = forward;
  backward.direction = Direction::backward;
  BOOST_TEST(contains(refusal(backward), "backward"));
  BOOST_TEST(contains(refusal(Stacked(Bidirectional(forward, backward))), "bidirectional"));
  BOOST_TEST(refusal(forward) == "streams");
}

BOOST_AUTO_TEST_CASE(wrong_sizes_and_types_leave_the_state) {
  Rng rng(1);
  const LSTM lstm({.input = 2, .hidden = 3}, rng);
  BOOST_CHECK_THROW(Stream(lstm, {.inputs = 3}), ShapeError);
  BOOST_CHECK_THROW(Stream(lstm, {.inputs = 0}), UsageError);
  BOOST_CHECK_THROW(Stream(lstm, {.inputs = 2, .rows = 0}), UsageError);
  const auto of_all_rows = [](const Tensor& h) { return sum(h, {0}); };
  BOOST_CHECK_THROW(Stream(lstm, of_all_rows, {.inputs = 2, .rows = 4}), ShapeError);
  BOOST_CHECK_THROW(Stream(lstm, {.inputs = 2, .dtype = DType::float64}), UsageError);
  Stream stream(lstm, {.inputs = 2});
  std::vector<float> x(4);
  std::vector<float> y(6);
  const auto in = [&](std::size_t n) { return std::span<const float>(x).first(n); };
  stream.process(in(4), std::span<float>(y));
  const auto before = stream.state()[0].tensor.to_vector<float>();
  BOOST_CHECK_THROW(stream.process(in(3), std::span<float>(y)), ShapeError);
  BOOST_CHECK_THROW(stream.process(in(2), std::span<float>(y)), ShapeError);
  std::vector<double> wide(6);
  BOOST_CHECK_THROW(stream.process(std::span<const double>(wide).first(4), std::span<double>(wide)),
                    UsageError);
  BOOST_TEST((stream.state()[0].tensor.to_vector<float>() == before));
  stream.process(in(0), std::span<float>(y).first(0));
  BOOST_TEST((stream.state()[0].tensor.to_vector<float>() == before));
}

BOOST_AUTO_TEST_CASE(states_are_separate_saved_and_reset) {
  Rng rng(1);
  const GRU gru({.input = 1, .hidden = 4}, rng);
  Stream one(gru, {.inputs = 1});
  Stream two(gru, {.inputs = 1});
  const Tensor x = rng.normal({100, 1, 1});
  const auto run = [&](Stream& stream, std::int64_t begin, std::int64_t end) {
    std::vector<float> y(static_cast<std::size_t>(4 * (end - begin)));
    stream.process(values_of<float>(x).subspan(static_cast<std::size_t>(begin),
                                               static_cast<std::size_t>(end - begin)),
                   std::span<float>(y));
    return y;
  };
  const auto first = run(one, 0, 50);
  const rw::testing::TemporaryFolder folder;
  io::save(folder / "stream.h5", "stream", one);
  const auto rest = run(one, 50, 100);
  BOOST_TEST((run(two, 0, 50) == first));  // untouched by the other
  io::load(folder / "stream.h5", "stream", one);
  BOOST_TEST((run(one, 50, 100) == rest));
  BOOST_TEST((run(two, 50, 100) == rest));
  one.reset();
  BOOST_TEST((run(one, 0, 50) == first));
  two.set_state(one.state());
  BOOST_TEST((run(two, 50, 100) == rest));
  const LSTM lstm({.input = 1, .hidden = 4}, rng);
  BOOST_CHECK_THROW(two.set_state(Stream(lstm, {.inputs = 1}).state()), ShapeError);
}

BOOST_AUTO_TEST_CASE(new_weights_count_after_refresh) {
  Rng rng(1);
  LSTM lstm({.input = 1, .hidden = 4}, rng);
  Stream stream(lstm, {.inputs = 1});
  for (auto& parameter : parameters(lstm)) {
    parameter.parameter->assign(parameter.parameter->value().detach() * 0.5);
  }
  stream.refresh();
  const Tensor x = rng.normal({20, 1, 1});
  BOOST_TEST(difference<float>(stream, x, lstm(x).first) < 1e-6);
}

BOOST_AUTO_TEST_CASE(a_step_allocates_nothing) {
  Rng rng(1);
  const LSTM lstm({.input = 1, .hidden = 20}, {.layers = 2}, rng);
  const Linear head({.input = 20, .output = 1}, rng);
  Stream stream(lstm, head, {.inputs = 1});
  std::vector<float> x(64, 0.5F);
  std::vector<float> y(64);
  const std::int64_t before = rw::testing::heap_allocations;
  const std::int64_t live = memory_statistics().live_bytes;
  for (int i = 0; i < 100; ++i) {
    stream.process(std::span<const float>(x), std::span<float>(y));
  }
  BOOST_TEST(rw::testing::heap_allocations == before);
  BOOST_TEST(memory_statistics().live_bytes == live);
}

// In this mode the kernel kills a process at any system call but read, write and exit.
BOOST_AUTO_TEST_CASE(a_step_makes_no_system_call,
                     *boost::unit_test::enable_if<!rw::detail::is_sanitized>()) {
  Rng rng(1);
  const LSTM lstm({.input = 1, .hidden = 64}, {.layers = 2}, rng);
  const Linear head({.input = 64, .output = 1}, rng);
  Stream stream(lstm, head, {.inputs = 1});
  const std::vector<float> x(1000, 0.5F);
  std::vector<float> y(1000);
  const auto ending = [&](auto body) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
      body();
      ::syscall(SYS_exit, 7);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  };
  const int of_stream =
      ending([&] { stream.process(std::span<const float>(x), std::span<float>(y)); });
  BOOST_TEST((WIFEXITED(of_stream) && WEXITSTATUS(of_stream) == 7));
  const int of_call = ending([] { static_cast<void>(::getppid()); });  // would be noticed
  BOOST_TEST((WIFSIGNALED(of_call) && WTERMSIG(of_call) == SIGKILL));
}

BOOST_AUTO_TEST_CASE(any_thread_and_number_of_threads_gives_the_same_bits) {
  Rng rng(1);
  const LSTM lstm({.input = 8, .hidden = 300}, rng);
  const Tensor x = rng.normal({20, 1, 8});
  Stream stream(lstm, {.inputs = 8});
  std::vector<float> y(20 * 300);
  const auto outputs = [&](int threads) {
    const ThreadLimit limit(threads);
    stream.reset();
    stream.process(values_of<float>(x), std::span<float>(y));
    return y;
  };
  const auto expected = outputs(1);
  for (int threads = 2; threads <= 8; ++threads) {
    BOOST_TEST((outputs(threads) == expected));
  }
  std::vector<float> elsewhere;
  std::thread([&] { elsewhere = outputs(2); }).join();
  BOOST_TEST((elsewhere == expected));
}

BOOST_AUTO_TEST_CASE(silence_leaves_no_denormal_numbers) {
  Rng rng(1);
  LSTM lstm({.input = 1, .hidden = 8}, rng);
  for (auto& parameter : parameters(lstm)) {
    if (parameter.path.ends_with("bias")) {
      parameter.parameter->assign(zeros_like(parameter.parameter->value()));
    }
  }
  Stream stream(lstm, {.inputs = 1});
  std::vector<float> x(20'000);
  std::fill_n(x.begin(), 100, 1.0F);
  std::vector<float> y(8 * x.size());
  stream.process(std::span<const float>(x), std::span<float>(y));
  std::int64_t denormal = 0;
  for (const float value : y) {
    denormal += std::fpclassify(value) == FP_SUBNORMAL ? 1 : 0;
  }
  BOOST_TEST(denormal == 0);
  BOOST_TEST(std::abs(y.back()) < 1e-6F);
  const volatile float tiny = FLT_MIN;  // the caller's arithmetic is as before
  BOOST_TEST(std::fpclassify(tiny / 2) == FP_SUBNORMAL);
}
