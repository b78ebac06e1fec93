// Every cell: its values against plain loops, its gradients of first and second order, what it
// records, its edge cases, and the choice of activations.
#include <cmath>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "cell_table.hpp"
#include "support/closeness.hpp"
#include "support/messages.hpp"
#include "support/naive_cells.hpp"
#include "support/paths_of.hpp"
#include "support/random_layers.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr std::int64_t input = 2;
constexpr std::int64_t hidden = 3;

/// A formula as a user writes it, with two gates: c' = sigmoid(f) c + (1 - sigmoid(f)) g, h' = c'.
struct LeakyGates {
  using State = LstmCell::State;
  static constexpr const char* name = "leaky_lstm";
  static constexpr std::array<double, 2> bias = {2, 0};

  static std::pair<Tensor, State> step(const Tensor& z, const State& state) {
    const auto [f, g] = split<2>(z);
    const Tensor c =
        fuse([](auto f_, auto g_, auto c_) { return g_ + sigmoid(f_) * (c_ - g_); }, f, g, state.c);
    return {c, {c, c}};
  }
};

/// All outputs and the last state as one row of numbers, computed from x and the state's tensors.
template <class Net>
Tensor run(const Net& net, const std::vector<Tensor>& in) {
  auto state = net.initial_state(in[0].size(1));
  std::size_t next = 1;
  for_each_tensor(state, [&](Tensor& s) { s = in[next++]; });
  auto [y, last] = net(in[0], state);
  std::vector<Tensor> parts{reshape(y, {y.elements()})};
  for_each_tensor(last, [&](const Tensor& s) { parts.push_back(reshape(s, {s.elements()})); });
  return concat(std::span<const Tensor>(parts), 0);
}

template <class Net>
std::vector<Tensor> inputs_of(const Net& net, std::int64_t steps, std::int64_t batch, Rng& rng,
                              DType dtype = DType::float64) {
  std::vector<Tensor> inputs{rng.normal({steps, batch, input}, 0, 1, dtype)};
  auto state = random_state(net, batch, rng);
  for_each_tensor(state, [&](const Tensor& s) { inputs.push_back(s); });
  return inputs;
}

template <class Net>
void check_first_order(Net& net, std::int64_t steps, std::int64_t batch, Rng& rng) {
  const auto f = [&](const std::vector<Tensor>& x) { return run(net, x); };
  const auto result = gradcheck(f, inputs_of(net, steps, batch, rng), parameters(net));
  BOOST_TEST(result.passed, result.message);
}

template <class Net>
void check_second_order(Net& net, std::int64_t steps, std::int64_t batch, Rng& rng) {
  const auto f = [&](const std::vector<Tensor>& x) { return run(net, x); };
  const auto result = gradgradcheck(f, inputs_of(net, steps, batch, rng), parameters(net));
  BOOST_TEST(result.passed, result.message);
}

/// Compares a run of a cell over three steps with plain loops, sequence by sequence.
template <class C>
void check_values(const typename C::Options& options, Rng& rng) {
  C cell(options, rng);
  shake(cell, rng);
  const NaiveStep step = naive_step(cell);
  const Tensor x = rng.normal({3, 2, input}, 0, 1, DType::float64);
  auto state = random_state(cell, 2, rng);
  auto [y, last] = Recurrent<C>{cell}(x, state);
  for (std::int64_t b = 0; b < 2; ++b) {
    std::vector<Row> rows;
    for_each_tensor(state, [&](const Tensor& s) {
      rows.push_back(select(s, 0, b).template to_vector<double>());
    });
    for (std::int64_t t = 0; t < 3; ++t) {
      const Row now = select(select(x, 0, t), 0, b).to_vector<double>();
      check_near(select(select(y, 0, t), 0, b), step(now, rows), 1e-12);
    }
    std::size_t part = 0;
    for_each_tensor(last,
                    [&](const Tensor& s) { check_near(select(s, 0, b), rows[part++], 1e-12); });
  }
}

/// The same weights in both types, at sizes that fill vector registers with a remainder.
template <class C>
void compare_types(typename C::Options options, Rng& rng) {
  options.hidden = 33;
  RecurrentNetwork<C> reference(options, rng);
  shake(reference, rng);
  options.dtype = DType::float32;
  RecurrentNetwork<C> net(options, rng);
  const auto from = parameters(reference);
  const auto to = parameters(net);
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i].parameter->assign(from[i].parameter->value().to(DType::float32));
    from[i].parameter->assign(to[i].parameter->value().to(DType::float64));
  }
  const Tensor x = rng.normal({9, 5, input}, 0, 1);
  const auto evaluate = [](const auto& model, const Tensor& in) {
    Tape tape;
    const Tensor y = model(in).first;
    tape.backward(mean(y * y));
    return y;
  };
  const auto compare = [](const Tensor& rough, const Tensor& fine) {
    const Row a = rough.to(DType::float64).to_vector<double>();
    const Row b = fine.to_vector<double>();
    double worst = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
      worst = std::max(worst, std::abs(a[i] - b[i]) / (1 + std::abs(b[i])));
    }
    BOOST_TEST(worst < 1e-5);
  };
  compare(evaluate(net, x), evaluate(reference, x.to(DType::float64)));
  for (std::size_t i = 0; i < to.size(); ++i) {
    compare(to[i].parameter->grad(), from[i].parameter->grad());
  }
}

/// Values, gradients, types and edge cases of a cell by itself, stacked and bidirectional.
template <class C>
void check_cell(const typename C::Options& options) {
  BOOST_TEST_CONTEXT(C::name) {
    Rng rng(21);
    check_values<C>(options, rng);
    const C single(options, rng);
    BOOST_TEST(single.output_size() ==
               single(zeros({1, input}, DType::float64), single.initial_state(1)).first.columns());

    using Net = RecurrentNetwork<C>;
    Net net(options, rng);
    shake(net, rng);
    check_first_order(net, 3, 2, rng);
    check_second_order(net, 2, 1, rng);
    Net deep(options, {.layers = 2, .bidirectional = true}, rng);
    shake(deep, rng);
    check_first_order(deep, 3, 2, rng);
    BOOST_TEST(deep.output_size() == 2 * net.output_size());

    // No steps: an empty output, and the state that was passed in.
    const auto state = random_state(deep, 2, rng);
    auto [y, last] = deep(zeros({0, 2, input}, DType::float64), state);
    BOOST_TEST((y.shape() == Shape{0, 2, deep.output_size()}));
    for (std::size_t i = 0; i < state.size(); ++i) {
      BOOST_TEST(last[i].h.template to_vector<double>() == state[i].h.template to_vector<double>(),
                 boost::test_tools::per_element());
    }
    // A batch of one gives the same as the first of a batch of two.
    const Tensor x = rng.normal({3, 2, input}, 0, 1, DType::float64);
    check_near(select(net(slice(x, 1, 0, 1)).first, 1, 0),
               select(net(x).first, 1, 0).template to_vector<double>(), 1e-12);
    BOOST_TEST((net(zeros({3, 0, input}, DType::float64)).first.shape() ==
                Shape{3, 0, net.output_size()}));

    BOOST_CHECK_THROW(net(zeros({3, 2, input + 5}, DType::float64)), ShapeError);
    BOOST_CHECK_THROW(net(zeros({3, 2}, DType::float64)), ShapeError);
    BOOST_CHECK_THROW(net(zeros({3, 2, input})), UsageError);
    auto narrow = net.initial_state(2);
    narrow[0].h = zeros({2, 1}, DType::float64);
    // A cell made of networks has no parameter of its own to name in the message.
    const char* const where = requires(C cell) { cell.input_network; }
    ? "" : " (layers/0/cell)";
    check_throws<ShapeError>([&] { static_cast<void>(net(x, narrow)); },
                             C::name + std::string(where) + ": h of the state is [2, 1]");
    auto empty = options;
    empty.hidden = 0;
    check_throws<UsageError>([&] { static_cast<void>(Net(empty, rng)); },
                             std::string(C::name) + ": got input 2, hidden 0");
    compare_types<C>(options, rng);
  }
}

/// Operations that one more step records.
template <class C>
std::int64_t operations_of_a_step(const typename C::Options& options) {
  Rng rng(1);
  const RecurrentNetwork<C> net(options, rng);
  const auto count = [&](std::int64_t steps) {
    const Tape tape;
    static_cast<void>(net(rng.normal({steps, 2, input}, 0, 1, DType::float64)));
    return tape.operations();
  };
  return count(3) - count(2);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(every_cell)

BOOST_AUTO_TEST_CASE(has_the_right_values_gradients_and_edges) {
  for_each_cell([](const auto& row) {
    BOOST_TEST_CONTEXT(row.name) {
      check_cell<typename std::decay_t<decltype(row)>::Cell>(row.options(input, hidden));
    }
  });
}

BOOST_AUTO_TEST_CASE(trains_without_bias) {
  for_each_cell([](const auto& row) {
    using C = typename std::decay_t<decltype(row)>::Cell;
    BOOST_TEST_CONTEXT(row.name) {
      auto options = row.options(input, hidden);
      if constexpr (requires { options.bias; }) {
        options.bias = false;
        Rng rng(3);
        RecurrentNetwork<C> net(options, rng);
        for (const std::string& path : paths_of(parameters(net))) {
          BOOST_TEST(path.find("bias") == std::string::npos);
        }
        check_first_order(net, 2, 2, rng);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(records_few_operations_a_step) {
  for_each_cell([](const auto& row) {
    using C = typename std::decay_t<decltype(row)>::Cell;
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(operations_of_a_step<C>(row.options(input, hidden)) == row.operations);
    }
  });
  auto chosen = small_options<LstmCell>(input, hidden);
  chosen.gate_activation = Activation::hard_sigmoid;
  BOOST_TEST(operations_of_a_step<LstmCell>(chosen) == 7);
}

BOOST_AUTO_TEST_CASE(names_its_parameters) {
  for_each_cell([](const auto& row) {
    using C = typename std::decay_t<decltype(row)>::Cell;
    Rng rng(1);
    BOOST_TEST_CONTEXT(row.name) {
      C cell(row.options(input, hidden), rng);
      BOOST_TEST(paths_of(parameters(cell)) == row.parameters, boost::test_tools::per_element());
    }
  });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(one_by_one)

BOOST_AUTO_TEST_CASE(first_values) {
  Rng rng(1);
  const Row open{-1, -1, -1, 0, 0, 0, 0, 0, 0};
  check_near(CoupledLstmCell(small_options<CoupledLstmCell>(input, hidden), rng).bias, open, 1e-12);
  check_near(NoForgetLstmCell(small_options<NoForgetLstmCell>(input, hidden), rng).bias,
             Row(9, 0.0), 1e-12);
  const Row forget{0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0};
  check_near(LstmCell(small_options<LstmCell>(input, hidden), rng).bias, forget, 1e-12);
  check_near(PeepholeLstmCell(small_options<PeepholeLstmCell>(input, hidden), rng).bias, forget,
             1e-12);
  check_near(PeepholeLstmCell(small_options<PeepholeLstmCell>(input, hidden), rng).peephole,
             Row(9, 0.0), 1e-12);
  const ProjectedLstmCell projected(small_options<ProjectedLstmCell>(input, hidden), rng);
  check_near(projected.bias, forget, 1e-12);
  BOOST_TEST((projected.w_h.shape() == Shape{2, 12}));
  const Tensor first_gate = slice(projected.w_h, 1, 0, 3);
  check_near(matmul(first_gate, transposed(first_gate)), {1, 0, 0, 1}, 1e-12);
}

BOOST_AUTO_TEST_CASE(an_irnn_keeps_its_state_at_first) {
  Rng rng(1);
  const RnnCell cell(irnn({.input = input, .hidden = hidden, .dtype = DType::float64}), rng);
  check_near(cell.w_h, {1, 0, 0, 0, 1, 0, 0, 0, 1}, 1e-12);
  check_near(cell.bias, Row(3, 0.0), 1e-12);
  BOOST_TEST(max(abs(cell.w_x)).item() < 0.01);
  BOOST_TEST(max(abs(cell.w_x)).item() > 0.0);
  const Tensor start = rng.uniform({2, hidden}, 0.1, 2, DType::float64);
  const auto last = Recurrent<RnnCell>{cell}(zeros({50, 2, input}, DType::float64), {start}).second;
  check_near(last.h, start.to_vector<double>(), 1e-12);
}

BOOST_AUTO_TEST_CASE(a_network_cell_of_linear_layers_is_the_plain_cell) {
  using LinearLstmCell = NetworkCell<LstmGates, Linear>;
  Rng rng(5);
  LstmCell plain(small_options<LstmCell>(input, hidden), rng);
  Linear of_input({.input = input, .output = 4 * hidden, .dtype = DType::float64}, rng);
  Linear of_state({.input = hidden, .output = 4 * hidden, .bias = false, .dtype = DType::float64},
                  rng);
  plain.w_x.assign(of_input.weight);
  plain.w_h.assign(of_state.weight);
  of_input.bias.assign(plain.bias);
  const LinearLstmCell cell(of_input, of_state, hidden, DType::float64);
  const Tensor x = rng.normal({4, 2, input}, 0, 1, DType::float64);
  check_near(Recurrent<LinearLstmCell>{cell}(x).first,
             Recurrent<LstmCell>{plain}(x).first.to_vector<double>(), 1e-12);

  const LinearLstmCell wrong(of_input, of_state, hidden + 1, DType::float64);
  check_throws<ShapeError>([&] { static_cast<void>(Recurrent<LinearLstmCell>{wrong}(x)); },
                           "network_cell: input_network gives 12 features, expected 16");
  NetworkLSTM<Linear> ready({.input = input, .hidden = hidden, .dtype = DType::float64}, rng);
  BOOST_TEST((parameters(ready)[2].parameter->shape() == Shape{hidden, 4 * hidden}));
}

BOOST_AUTO_TEST_CASE(gates_of_your_own) {
  Rng rng(2);
  using LeakyCell = GatedLstmCell<LeakyGates>;
  RecurrentNetwork<LeakyCell> net(small_options<LeakyCell>(input, hidden), rng);
  BOOST_TEST((parameters(net)[0].parameter->shape() == Shape{input, 2 * hidden}));
  check_near(*parameters(net)[2].parameter, {2, 2, 2, 0, 0, 0}, 1e-12);
  check_first_order(net, 3, 2, rng);
  RecurrentNetwork<NetworkCell<LeakyGates>> with_networks(
      small_options<NetworkCell<LeakyGates>>(input, hidden), rng);
  check_first_order(with_networks, 3, 2, rng);
}

BOOST_AUTO_TEST_CASE(options_that_make_no_sense) {
  Rng rng(1);
  check_throws<UsageError>([&] { ProjectedLSTM({.input = 2, .hidden = 3}, rng); },
                           "projected_lstm: got projection 0");
  check_throws<UsageError>([&] { ElmanRNN({.input = 2, .hidden = 3}, rng); },
                           "elman: got output 0");
  check_throws<UsageError>([&] { LayerNormLSTM({.input = 2, .hidden = 3, .epsilon = 0}, rng); },
                           "layer_norm_lstm: epsilon is 0");
  check_throws<UsageError>([&] { NetworkRNN<>({.input = 2, .hidden = 3}, rng); },
                           "fully_connected: got input 2, output 3, hidden 0, depth 2");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(activations)

namespace {

constexpr Activation all[] = {Activation::tanh,         Activation::relu,
                              Activation::sigmoid,      Activation::identity,
                              Activation::hard_sigmoid, Activation::hard_sigmoid_keras2};

template <class C>
void check_activations(const typename C::Options& start) {
  for (const Activation activation : all) {
    for (const Activation gate : all) {
      BOOST_TEST_CONTEXT("activation " << int(activation) << " gate " << int(gate)) {
        Rng rng(17);
        auto options = start;
        options.activation = activation;
        options.gate_activation = gate;
        check_values<C>(options, rng);
        RecurrentNetwork<C> net(options, rng);
        if (gate == Activation::sigmoid || activation == Activation::tanh) {
          shake(net, rng);
          check_first_order(net, 3, 2, rng);
        }
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_the_lstm) {
  check_activations<LstmCell>(small_options<LstmCell>(input, hidden));
}
BOOST_AUTO_TEST_CASE(of_the_gru) {
  auto options = small_options<GruCell>(input, hidden);
  check_activations<GruCell>(options);
  options.reset = Reset::before;
  check_activations<GruCell>(options);
}
BOOST_AUTO_TEST_CASE(of_the_rnn_and_of_its_outputs) {
  for (const Activation activation : all) {
    Rng rng(17);
    auto options = small_options<RnnCell>(input, hidden);
    options.activation = activation;
    check_values<RnnCell>(options, rng);
    RNN net(options, rng);
    check_first_order(net, 3, 2, rng);
    auto with_output = small_options<ElmanCell>(input, hidden);
    with_output.activation = Activation::sigmoid;
    with_output.output_activation = activation;
    check_values<ElmanCell>(with_output, rng);
  }
}
BOOST_AUTO_TEST_CASE(second_order) {
  Rng rng(9);
  auto lstm_options = small_options<LstmCell>(input, hidden);
  lstm_options.activation = Activation::sigmoid;
  lstm_options.gate_activation = Activation::tanh;
  LSTM lstm(lstm_options, rng);
  check_second_order(lstm, 2, 2, rng);
  for (const Reset reset : {Reset::after, Reset::before}) {
    auto options = small_options<GruCell>(input, hidden);
    options.reset = reset;
    options.activation = Activation::sigmoid;
    options.gate_activation = Activation::hard_sigmoid_keras2;
    GRU gru(options, rng);
    check_second_order(gru, 2, 2, rng);
  }
}

BOOST_AUTO_TEST_CASE(hard_sigmoids) {
  const Tensor x = Tensor::from<double>({7}, {-4, -3, -2.4, 0, 1, 2.75, std::nan("")});
  const Row third = hard_sigmoid(x).to_vector<double>();
  const Row fifth = hard_sigmoid(x, 0.2).to_vector<double>();
  const Row expected_third{0, 0, 0.1, 0.5, 2.0 / 3, 2.75 / 6 + 0.5};
  const Row expected_fifth{0, 0, 0.02, 0.5, 0.7, 1};
  for (std::size_t i = 0; i < expected_third.size(); ++i) {
    BOOST_TEST(std::abs(third[i] - expected_third[i]) < 1e-15);
    BOOST_TEST(std::abs(fifth[i] - expected_fifth[i]) < 1e-15);
  }
  BOOST_TEST(std::isnan(third[6]));
  BOOST_TEST(std::isnan(fifth[6]));
  const auto result = gradcheck([](const auto& in) { return hard_sigmoid(in[0]) * in[0]; },
                                {Tensor::from<double>({4}, {-3.5, -1, 2, 3.5})});
  BOOST_TEST(result.passed, result.message);
  // Inside a user's own formula.
  const Tensor formula = fuse([](auto v) { return hard_sigmoid(v); }, x);
  BOOST_TEST(slice(formula, 0, 0, 6).to_vector<double>() ==
                 slice(hard_sigmoid(x), 0, 0, 6).to_vector<double>(),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
