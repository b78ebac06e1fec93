// Recurrent layers: gradients in float64 over a grid of configurations, float32 against float64,
// structure, edge cases.
#include <cmath>
#include <tuple>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/rnn.hpp>

#include "support/cell_options.hpp"
#include "support/naive_cells.hpp"
#include "support/random_layers.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr std::int64_t input = 2;
constexpr std::int64_t hidden = 3;

/// The lengths of the sequences in a batch.
enum class Lengths { none, full, ragged, with_empty };

struct Configuration {
  std::int64_t steps, batch, layers;
  bool bidirectional, given_state;
  Lengths lengths = Lengths::none;
};

/// int64 [B]: all T; or T, T - 1, ...; or with the first one empty.
Tensor lengths_of(const Configuration& c) {
  if (c.lengths == Lengths::none) {
    return {};
  }
  std::vector<std::int64_t> lengths;
  for (std::int64_t b = 0; b < c.batch; ++b) {
    const std::int64_t shorter = c.lengths == Lengths::full ? 0 : b + (c.batch == 1 ? 1 : 0);
    lengths.push_back(std::max<std::int64_t>(0, c.steps - shorter));
  }
  if (c.lengths == Lengths::with_empty) {
    lengths.front() = 0;
  }
  return Tensor::from<std::int64_t>({c.batch}, lengths);
}

std::vector<Configuration> grid() {
  std::vector<Configuration> all;
  for (const std::int64_t steps : {0, 1, 5}) {
    for (const std::int64_t batch : {1, 3}) {
      for (const std::int64_t layers : {1, 2, 3}) {
        for (const bool bidirectional : {false, true}) {
          for (const bool given_state : {false, true}) {
            for (const Lengths lengths :
                 {Lengths::none, Lengths::full, Lengths::ragged, Lengths::with_empty}) {
              all.push_back({steps, batch, layers, bidirectional, given_state, lengths});
            }
          }
        }
      }
    }
  }
  return all;
}

NetworkOptions network_options(const Configuration& c) {
  return {.layers = c.layers, .bidirectional = c.bidirectional};
}

std::vector<Tensor> inputs_of(const Configuration& c, std::size_t state_tensors, Rng& rng,
                              DType dtype = DType::float64) {
  std::vector<Tensor> inputs{rng.normal({c.steps, c.batch, input}, 0, 1, dtype)};
  for (std::size_t i = 0; c.given_state && i < state_tensors; ++i) {
    inputs.push_back(rng.normal({c.batch, hidden}, 0, 0.5, dtype));
  }
  return inputs;
}

/// Runs a network on inputs x and its state's tensors, and returns all outputs and final states as
/// one row.
template <class Net>
Tensor run(const Net& net, const std::vector<Tensor>& in, const Tensor& lengths = {}) {
  auto state = net.initial_state(in[0].size(1));
  std::size_t next = 1;
  for_each_tensor(state, [&](Tensor& s) {
    if (in.size() > 1) {
      s = in[next++];
    }
  });
  auto [y, last] = net({in[0], lengths}, state);
  std::vector<Tensor> parts{reshape(y, {y.elements()})};
  for_each_tensor(last, [&](const Tensor& s) { parts.push_back(reshape(s, {s.elements()})); });
  return concat(std::span<const Tensor>(parts), 0);
}

template <class Net>
std::size_t state_tensors(const Net& net) {
  auto state = net.initial_state(1);
  std::size_t n = 0;
  for_each_tensor(state, [&](const Tensor&) { ++n; });
  return n;
}

int checks = 0;

template <class Net>
void check_gradients(typename Net::Options (*change)(typename Net::Options)) {
  int number = 0;
  for (const Configuration& c : grid()) {
    BOOST_TEST_CONTEXT("T " << c.steps << " B " << c.batch << " layers " << c.layers
                            << " bidirectional " << c.bidirectional << " state " << c.given_state
                            << " lengths " << static_cast<int>(c.lengths)) {
      Rng rng(static_cast<std::uint64_t>(100 + number));
      Net net(change(small_options<Net>(input, hidden)), network_options(c), rng);
      shake(net, rng);
      const auto in = inputs_of(c, state_tensors(net), rng);
      const Tensor lengths = lengths_of(c);
      const auto f = [&](const std::vector<Tensor>& x) { return run(net, x, lengths); };
      const auto result = gradcheck(f, in, parameters(net));
      BOOST_TEST(result.passed, result.message);
      ++checks;
      if (number++ % 13 == 7 && c.layers < 3) {
        const auto second = gradgradcheck(f, in, parameters(net));
        BOOST_TEST(second.passed, second.message);
      }
    }
  }
}

template <class Options>
Options same(Options options) {
  return options;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(gradients)

BOOST_AUTO_TEST_CASE(rnn_tanh) { check_gradients<RNN>(same<RnnOptions>); }
BOOST_AUTO_TEST_CASE(rnn_relu) {
  check_gradients<RNN>([](RnnOptions o) {
    o.activation = Activation::relu;
    return o;
  });
}
BOOST_AUTO_TEST_CASE(lstm) { check_gradients<LSTM>(same<LstmOptions>); }
BOOST_AUTO_TEST_CASE(gru_reset_after) { check_gradients<GRU>(same<GruOptions>); }
BOOST_AUTO_TEST_CASE(gru_reset_before) {
  check_gradients<GRU>([](GruOptions o) {
    o.reset = Reset::before;
    return o;
  });
}
BOOST_AUTO_TEST_CASE(without_bias) {
  const Configuration c{3, 2, 2, true, true};
  const auto check_one = [&]<class Net>(std::type_identity<Net>) {
    auto options = small_options<Net>(input, hidden);
    options.bias = false;
    Rng rng(5);
    Net net(options, network_options(c), rng);
    for (const NamedParameter& entry : parameters(net)) {
      BOOST_TEST(entry.path.find("bias") == std::string::npos);
    }
    const auto result = gradcheck([&](const std::vector<Tensor>& x) { return run(net, x); },
                                  inputs_of(c, state_tensors(net), rng), parameters(net));
    BOOST_TEST(result.passed, result.message);
    ++checks;
  };
  check_one(std::type_identity<RNN>{});
  check_one(std::type_identity<LSTM>{});
  check_one(std::type_identity<GRU>{});
}
BOOST_AUTO_TEST_CASE(enough_of_them) {
  BOOST_TEST_MESSAGE("gradient checks of recurrent layers: " << checks);
  BOOST_TEST(checks >= 1440);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(values)

namespace {

/// The same weights in both types: compares outputs, states and gradients of float32 with float64.
template <class Net>
void compare_types() {
  for (const Configuration& c : {Configuration{7, 5, 1, false, true}, {4, 3, 2, true, false}}) {
    Rng rng(3);
    auto options = small_options<Net>(input, hidden);
    options.hidden = 17;
    Net reference(options, network_options(c), rng);
    shake(reference, rng);
    options.dtype = DType::float32;
    Net net(options, network_options(c), rng);
    const auto from = parameters(reference);
    const auto to = parameters(net);
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i].parameter->assign(from[i].parameter->value().to(DType::float32));
      from[i].parameter->assign(to[i].parameter->value().to(DType::float64));
    }
    const Tensor x = rng.normal({c.steps, c.batch, input}, 0, 1);
    const auto evaluate = [&](const auto& model, const Tensor& in) {
      Tape tape;
      const Tensor y = run(model, {in});
      tape.backward(mean(y * y));
      return y.to(DType::float64).template to_vector<double>();
    };
    const auto y32 = evaluate(net, x);
    const auto y64 = evaluate(reference, x.to(DType::float64));
    for (std::size_t i = 0; i < y64.size(); ++i) {
      BOOST_TEST(std::abs(y32[i] - y64[i]) <= 1e-5 * (1 + std::abs(y64[i])));
    }
    for (std::size_t p = 0; p < to.size(); ++p) {
      const auto g32 = to[p].parameter->grad().to(DType::float64).template to_vector<double>();
      const auto g64 = from[p].parameter->grad().template to_vector<double>();
      for (std::size_t i = 0; i < g64.size(); ++i) {
        BOOST_TEST(std::abs(g32[i] - g64[i]) <= 1e-5 * (1 + std::abs(g64[i])));
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(float32_agrees_with_float64) {
  compare_types<RNN>();
  compare_types<LSTM>();
  compare_types<GRU>();
}

BOOST_AUTO_TEST_CASE(one_step_by_hand) {
  Rng rng(11);
  const Tensor x = rng.normal({1, input}, 0, 1, DType::float64);
  const auto dot = [](const Tensor& row, const Tensor& matrix, std::int64_t column) {
    const auto a = row.to_vector<double>();
    const auto b = matrix.to_vector<double>();
    double total = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      total += a[i] *
               b[i * static_cast<std::size_t>(matrix.columns()) + static_cast<std::size_t>(column)];
    }
    return total;
  };
  LstmCell lstm(small_options<LSTM>(input, hidden), rng);
  const LstmCell::State s{rng.normal({1, hidden}, 0, 1, DType::float64),
                          rng.normal({1, hidden}, 0, 1, DType::float64)};
  const auto [h, next] = lstm(x, s);
  const auto bias = lstm.bias.value().to_vector<double>();
  BOOST_TEST(bias[hidden] == 1.0);  // the forget gate starts open
  for (std::int64_t k = 0; k < hidden; ++k) {
    const auto z = [&](std::int64_t gate) {
      const std::int64_t column = gate * hidden + k;
      return dot(x, lstm.w_x, column) + dot(s.h, lstm.w_h, column) +
             bias[static_cast<std::size_t>(column)];
    };
    const double cell = logistic(z(1)) * s.c.to_vector<double>()[static_cast<std::size_t>(k)] +
                        logistic(z(0)) * std::tanh(z(2));
    BOOST_TEST(next.c.to_vector<double>()[static_cast<std::size_t>(k)] == cell,
               boost::test_tools::tolerance(1e-12));
    BOOST_TEST(
        h.to_vector<double>()[static_cast<std::size_t>(k)] == logistic(z(3)) * std::tanh(cell),
        boost::test_tools::tolerance(1e-12));
  }
  for (const Reset reset : {Reset::after, Reset::before}) {
    auto options = small_options<GRU>(input, hidden);
    options.reset = reset;
    GruCell gru(options, rng);
    if (reset == Reset::after) {
      gru.bias_h.assign(rng.normal({hidden}, 0, 1, DType::float64));
    }
    const auto [g, g_next] = gru(x, {s.h});
    const auto h0 = s.h.to_vector<double>();
    std::vector<double> r(hidden);
    for (std::int64_t k = 0; k < hidden; ++k) {
      r[static_cast<std::size_t>(k)] = logistic(dot(x, gru.w_x, k) + dot(s.h, gru.w_h, k));
    }
    for (std::int64_t k = 0; k < hidden; ++k) {
      const auto i = static_cast<std::size_t>(k);
      const double z = logistic(dot(x, gru.w_x, hidden + k) + dot(s.h, gru.w_h, hidden + k));
      double recurrent = 0;
      if (reset == Reset::after) {
        recurrent =
            r[i] * (dot(s.h, gru.w_h, 2 * hidden + k) + gru.bias_h.value().to_vector<double>()[i]);
      } else {
        std::vector<double> kept(hidden);
        for (std::size_t j = 0; j < kept.size(); ++j) kept[j] = r[j] * h0[j];
        recurrent = dot(Tensor::from<double>({1, hidden}, kept), gru.w_h, 2 * hidden + k);
      }
      const double n = std::tanh(dot(x, gru.w_x, 2 * hidden + k) + recurrent);
      BOOST_TEST(g.to_vector<double>()[i] == (1 - z) * n + z * h0[i],
                 boost::test_tools::tolerance(1e-12));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_gru_without_one_of_its_biases_has_zeros_there) {
  Rng rng(8);
  for (const bool without_bias_h : {true, false}) {
    GruCell zeroed(small_options<GRU>(input, hidden), rng);
    zeroed.bias.assign(rng.normal({3 * hidden}, 0, 1, DType::float64));
    zeroed.bias_h.assign(rng.normal({hidden}, 0, 1, DType::float64));
    Parameter& bias = without_bias_h ? zeroed.bias_h : zeroed.bias;
    bias.assign(zeros_like(bias.value()));
    GruCell lacking = zeroed;
    (without_bias_h ? lacking.bias_h : lacking.bias) = Parameter();
    const Tensor x = rng.normal({2, input}, 0, 1, DType::float64);
    const HiddenState state{rng.normal({2, hidden}, 0, 1, DType::float64)};
    BOOST_TEST(lacking(x, state).first.to_vector<double>() ==
               zeroed(x, state).first.to_vector<double>());
  }
}

BOOST_AUTO_TEST_CASE(a_hand_written_loop_gives_the_same_bits) {
  Rng rng(7);
  const LstmCell cell(small_options<LSTM>(input, hidden), rng);
  const Tensor x = rng.normal({6, 4, input}, 0, 1, DType::float64);
  const auto [y, last] = Recurrent<LstmCell>{cell}(x);
  auto state = cell.initial_state(4);
  for (std::int64_t t = 0; t < 6; ++t) {
    Tensor out;
    std::tie(out, state) = cell(select(x, 0, t), state);
    BOOST_TEST(out.to_vector<double>() == select(y, 0, t).to_vector<double>(),
               boost::test_tools::per_element());
  }
  BOOST_TEST(state.c.to_vector<double>() == last.c.to_vector<double>(),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(backward_direction_is_forward_over_the_flipped_sequence) {
  Rng rng(7);
  const GruCell cell(small_options<GRU>(input, hidden), rng);
  const Tensor x = rng.normal({5, 2, input}, 0, 1, DType::float64);
  const auto [y, last] = Recurrent<GruCell>{cell, Direction::backward}(x);
  const auto [z, same_last] = Recurrent<GruCell>{cell}(flip(x, {0}));
  // Not bit for bit: the product over all steps may sum a row in another order at another position.
  const auto close = [](const Tensor& a, const Tensor& b) {
    return sum(abs(a - b)).item() < 1e-12;
  };
  BOOST_TEST(close(y, flip(z, {0})));
  BOOST_TEST(close(last.h, same_last.h));
}

/// The outputs of a loop over the cell, in the order of the steps, and the last state.
template <class C>
std::pair<Tensor, typename C::State> looped(const Recurrent<C>& layer, const Tensor& x) {
  const std::int64_t steps = x.size(0);
  auto state = layer.cell.initial_state(x.size(1));
  TensorList outputs(static_cast<std::size_t>(steps));
  for (std::int64_t i = 0; i < steps; ++i) {
    const std::int64_t t = layer.direction == Direction::forward ? i : steps - 1 - i;
    std::tie(outputs[static_cast<std::size_t>(t)], state) = layer.cell(select(x, 0, t), state);
  }
  return {stack(std::span<const Tensor>(outputs), 0), state};
}

// Enough rows for several chunks of projected steps, and for several gathered products.
BOOST_AUTO_TEST_CASE(many_rows_give_what_a_hand_written_loop_gives) {
  Rng rng(7);
  const auto close = [](const Tensor& a, const Tensor& b) {
    return max(abs(a - b)).item() < 1e-11 * max(abs(b)).item();
  };
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    Recurrent<GruCell> layer{GruCell(small_options<GRU>(input, hidden), rng), direction};
    for (const auto& [steps, batch] : {std::pair{35, 20}, {7, 200}, {2, 600}, {100, 12}}) {
      const Tensor data = rng.normal({steps, batch, input}, 0, 1, DType::float64);
      const Tensor dy = rng.normal({steps, batch, hidden}, 0, 1, DType::float64);
      const Tensor dh = rng.normal({batch, hidden}, 0, 1, DType::float64);
      const auto gradients = [&](bool by_hand) {
        for (const NamedParameter& entry : parameters(layer)) {
          entry.parameter->zero_grad();
        }
        Parameter x(data);
        Tape tape;
        const auto [y, last] = by_hand ? looped(layer, x) : layer(x);
        tape.backward(sum(y * dy) + sum(last.h * dh));
        std::vector<Tensor> all{y, last.h, x.grad()};
        for (const NamedParameter& entry : parameters(layer)) {
          all.push_back(entry.parameter->grad().clone());
        }
        return all;
      };
      const auto ours = gradients(false);
      const auto expected = gradients(true);
      for (std::size_t i = 0; i < ours.size(); ++i) {
        BOOST_TEST(close(ours[i], expected[i]),
                   "tensor " << i << " of " << steps << " steps of " << batch << " rows differs");
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(structure)

BOOST_AUTO_TEST_CASE(operations_of_a_step) {
  Rng rng(1);
  const auto count_of = [&](const auto& net, std::int64_t steps) {
    Tape tape;
    const auto [y, last] = net(rng.normal({steps, 2, input}, 0, 1, DType::float64));
    return tape.operations();
  };
  const LSTM lstm(small_options<LSTM>(input, hidden), rng);
  const GRU gru(small_options<GRU>(input, hidden), rng);
  const RNN rnn(small_options<RNN>(input, hidden), rng);
  // One product and one fused pass per step; the input's product and the stacking of the outputs
  // happen once.
  BOOST_TEST(count_of(lstm, 3) - count_of(lstm, 2) == 2);
  BOOST_TEST(count_of(gru, 3) - count_of(gru, 2) == 2);
  BOOST_TEST(count_of(rnn, 3) - count_of(rnn, 2) == 2);
  BOOST_TEST(count_of(lstm, 2) == 6);
}

BOOST_AUTO_TEST_CASE(outputs_are_the_same_whether_recorded_or_not) {
  // Weights of 256 units are read from packed copies, which a tape or the run keeps (Note [Packed
  // weights]). A weight that changes between two runs is packed again.
  Rng rng(31);
  LSTM lstm({.input = 3, .hidden = 256}, rng);
  const Tensor x = rng.normal({5, 16, 3}, 0, 1);
  for (int run = 0; run < 2; ++run) {
    const Tensor y = lstm(x).first;
    Tape tape;
    const Tensor recorded = lstm(tape.watch(x)).first;
    BOOST_TEST(max(abs(y - recorded)).item() == 0);
    BOOST_TEST(max(abs(y)).item() > 0);
    Parameter& weight = *parameters(lstm)[1].parameter;
    weight.assign(weight.value() * 0.5);
  }
}

BOOST_AUTO_TEST_CASE(the_last_state_lies_apart_from_the_outputs) {
  Rng rng(1);
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    const Recurrent<LstmCell> layer{LstmCell({.input = 2, .hidden = 3}, rng), direction};
    auto [y, last] = layer(rng.normal({4, 2, 2}, 0, 1));
    const auto before = y.to_vector<float>();
    last.h.mutable_data<float>()[0] = 42;
    BOOST_TEST(y.to_vector<float>() == before, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(parameters_and_paths) {
  Rng rng(1);
  LSTM lstm({.input = 5, .hidden = 7}, {.layers = 2, .bidirectional = true}, rng);
  const auto list = parameters(lstm);
  BOOST_TEST(list.size() == 12U);
  BOOST_TEST(list[0].path == "layers/0/forward/cell/w_x");
  BOOST_TEST((list[6].parameter->shape() == Shape{14, 28}));
  BOOST_TEST(count(lstm) == 2 * (5 * 28 + 7 * 28 + 28) + 2 * (14 * 28 + 7 * 28 + 28));
  LSTM copy = lstm;
  parameters(copy)[0].parameter->mutable_data<float>()[0] = 42;
  BOOST_TEST(list[0].parameter->value().to_vector<float>()[0] != 42.0F);
}

BOOST_AUTO_TEST_CASE(dropout_between_layers_only_in_training) {
  Rng rng(1);
  const LSTM lstm({.input = 2, .hidden = 16}, {.layers = 2, .dropout = 0.5}, rng);
  const Tensor x = rng.normal({4, 3, 2}, 0, 1);
  const auto plain = lstm(x).first.to_vector<float>();
  BOOST_TEST(lstm(x).first.to_vector<float>() == plain, boost::test_tools::per_element());
  Rng a(9);
  Rng b(9);
  const auto dropped = lstm(x, a).first.to_vector<float>();
  BOOST_TEST(dropped != plain);
  BOOST_TEST(lstm(x, b).first.to_vector<float>() == dropped, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(edges)

BOOST_AUTO_TEST_CASE(no_steps_returns_the_initial_state) {
  Rng rng(1);
  const LSTM lstm({.input = 2, .hidden = 3}, {.layers = 2, .bidirectional = true}, rng);
  auto state = lstm.initial_state(4);
  for_each_tensor(state, [&](Tensor& s) { s = rng.normal({4, 3}, 0, 1); });
  const auto [y, last] = lstm(zeros({0, 4, 2}), state);
  BOOST_TEST((y.shape() == Shape{0, 4, 6}));
  for (std::size_t i = 0; i < state.size(); ++i) {
    BOOST_TEST(last[i].h.to_vector<float>() == state[i].h.to_vector<float>(),
               boost::test_tools::per_element());
    BOOST_TEST(last[i].c.to_vector<float>() == state[i].c.to_vector<float>(),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(an_empty_batch) {
  Rng rng(1);
  GRU gru({.input = 2, .hidden = 3}, rng);
  Tape tape;
  const auto [y, last] = gru(zeros({5, 0, 2}));
  BOOST_TEST((y.shape() == Shape{5, 0, 3}));
  tape.backward(sum(y));
  for (const NamedParameter& entry : parameters(gru)) {
    for (const float g : entry.parameter->grad().to_vector<float>()) {
      BOOST_TEST(g == 0.0F);
    }
  }
}

BOOST_AUTO_TEST_CASE(wrong_calls_are_told) {
  Rng rng(1);
  const LSTM lstm({.input = 2, .hidden = 3}, rng);
  try {
    static_cast<void>(lstm(zeros({20, 32, 7})));
    BOOST_ERROR("expected a ShapeError");
  } catch (const ShapeError& error) {
    BOOST_TEST(std::string(error.what())
                   .starts_with("lstm: input has 7 features, expected 2 (x is [20, 32, 7])"));
  }
  BOOST_CHECK_THROW(lstm(zeros({20, 2})), ShapeError);
  // A moved-from network would otherwise return its input.
  GRU moved({.input = 3, .hidden = 3}, rng);
  const GRU taken = std::move(moved);
  BOOST_CHECK_THROW(moved(zeros({5, 4, 3})), UsageError);  // NOLINT(bugprone-use-after-move)
  BOOST_CHECK_THROW(GRU().output_size(), UsageError);
  BOOST_CHECK_THROW(lstm(zeros({5, 4, 2}), lstm.initial_state(3)), ShapeError);
  BOOST_CHECK_THROW(lstm(zeros({5, 4, 2}), {}), UsageError);
  BOOST_CHECK_THROW(lstm(zeros({5, 4, 2}, DType::float64)), UsageError);
  BOOST_CHECK_THROW(LSTM({.input = 0, .hidden = 3}, rng), UsageError);
  BOOST_CHECK_THROW(LSTM({.input = 1, .hidden = 3}, {.dropout = 1.5}, rng), UsageError);
}

/// A cell that resets part of the batch at the second step.
struct ForgetfulCell {
  using State = HiddenState;
  std::int64_t output_size() const { return 1; }
  State initial_state(std::int64_t batch) const { return {zeros({batch, 1})}; }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    const Tensor y = x.to_vector<float>()[0] > 0 ? slice(x, 0, 0, 1) : x + s.h;
    return {y, {y}};
  }
  template <class Visit>
  void parameters(Visit&&) {}
};

BOOST_AUTO_TEST_CASE(an_output_of_the_wrong_size_is_told) {
  const Recurrent<ForgetfulCell> layer;
  try {
    static_cast<void>(layer(Tensor::from<float>({2, 2, 1}, {0, 0, 1, 1})));
    BOOST_ERROR("expected a ShapeError");
  } catch (const ShapeError& error) {
    BOOST_TEST(std::string(error.what()) == "concat: tensor 1 has shape [1, 1], expected [2, 1]");
  }
}

BOOST_AUTO_TEST_CASE(not_a_number_stays_one) {
  Rng rng(1);
  const RNN rnn({.input = 1, .hidden = 2, .activation = Activation::relu}, rng);
  Tensor x = zeros({2, 2, 1});
  x.mutable_data<float>()[0] = std::nanf("");
  const auto y = rnn(x).first.to_vector<float>();
  BOOST_TEST(std::isnan(y[0]));
  BOOST_TEST(std::isnan(y[4]));
  BOOST_TEST(!std::isnan(y[2]));
}

BOOST_AUTO_TEST_SUITE_END()
