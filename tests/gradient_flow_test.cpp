// Gradient flow through time: closed forms, finite differences, and that looking changes nothing.
#include <cmath>
#include <optional>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/elman.hpp>
#include <rewind/layers/gradient_flow.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/rnn.hpp>

#include "plain_array.hpp"

using namespace rw;
using rw::test::check_throws;

namespace {

constexpr std::int64_t input = 3;
constexpr std::int64_t hidden = 4;
constexpr std::int64_t steps = 6;
constexpr std::int64_t batch = 3;

std::vector<double> values(const Tensor& t) { return t.to(DType::float64).to_vector<double>(); }

double difference(const Tensor& a, const Tensor& b) {
  BOOST_TEST_REQUIRE(a.shape() == b.shape());
  const auto x = values(a), y = values(b);
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = std::abs(x[i] - y[i]) <= largest ? largest : std::abs(x[i] - y[i]);
  }
  return largest;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && values(a) == values(b);
}

Tensor draw(const Shape& shape, std::uint64_t seed, DType dtype = DType::float64) {
  return Rng(seed).normal(shape, 0, 1, dtype);
}

/// A number that feels every output, and every part of the last state, differently.
template <class State>
Tensor loss_of(const Tensor& y, const State& last) {
  Tensor loss = sum(sin(y * 1.3) * draw(y.shape(), 91, y.dtype()));
  State copy = last;
  for_each_tensor(
      copy, [&](const Tensor& s) { loss = loss + sum(sin(s) * draw(s.shape(), 92, s.dtype())); });
  return loss;
}

/// A user's cell: no name, no projection, a state of two tensors of different sizes, one of which
/// only goes through while the step reads it, and an output that is not its state.
struct LeakyCell {
  struct State {
    Tensor slow, fixed;
    auto tensors() { return std::array{&slow, &fixed}; }
  };
  Parameter w_in, w_slow, w_out;

  explicit LeakyCell(Rng& rng)
      : w_in(rng.normal({input, hidden}, 0, 0.5, DType::float64)),
        w_slow(rng.normal({hidden, hidden}, 0, 0.5, DType::float64)),
        w_out(rng.normal({hidden, 2}, 0, 0.5, DType::float64)) {}
  State initial_state(std::int64_t n) const {
    return {zeros({n, hidden}, DType::float64), full({n, 1}, 0.7, DType::float64)};
  }
  std::int64_t output_size() const { return 2; }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    const Tensor slow = s.fixed * s.slow + 0.3 * tanh(matmul(x, w_in) + matmul(s.slow, w_slow));
    return {matmul(slow, w_out), {slow, s.fixed}};
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_in", w_in);
    visit("w_slow", w_slow);
    visit("w_out", w_out);
  }
};

struct Cells {
  Rng rng{1};
  RnnCell rnn{{.input = input, .hidden = hidden, .dtype = DType::float64}, rng};
  LstmCell lstm{{.input = input, .hidden = hidden, .dtype = DType::float64}, rng};
  GruCell gru{{.input = input, .hidden = hidden, .dtype = DType::float64}, rng};
  ElmanCell elman{{.input = input, .hidden = hidden, .output = 2, .dtype = DType::float64}, rng};
  LeakyCell leaky{rng};

  template <class Body>
  void each(Body&& body) {
    body(rnn);
    body(lstm);
    body(gru);
    body(elman);
    body(leaky);
  }
};

Tensor lengths_of(std::initializer_list<std::int64_t> lengths) {
  return Tensor::from<std::int64_t>({static_cast<std::int64_t>(lengths.size())}, lengths);
}

/// The parts of all steps sum to what a backward pass gives.
template <class Layer>
void check_contributions(Layer& layer, const Sequence& x, Rng* rng = nullptr) {
  Tape tape;
  const StateRecorder recorder;
  const auto [y, last] = rng == nullptr ? layer(x) : layer(x, *rng);
  const Tensor loss = loss_of(y, last);
  const GradientFlow flow = gradient_flow(tape, loss, recorder).at(0);
  zero_grad(layer.cell);
  tape.backward(loss);
  for (const NamedParameter& entry : parameters(layer.cell)) {
    Tensor total = zeros_like(entry.parameter->value());
    const auto norms = values(flow.weight_norms(entry.path));
    for (std::int64_t t = 0; t < flow.steps(); ++t) {
      const Tensor part = flow.weight_contribution(entry.path, t);
      total = total + part;
      BOOST_TEST(std::abs(norms[static_cast<std::size_t>(t)] - std::sqrt(sum(part * part).item())) <
                 1e-12);
    }
    BOOST_TEST_CONTEXT(flow.name() << " " << entry.path) {
      BOOST_TEST(difference(total.detach(), entry.parameter->grad()) < 1e-12);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_linear_network_has_the_closed_form) {
  Rng rng(3);
  RnnCell cell({.input = input,
                .hidden = hidden,
                .activation = Activation::identity,
                .dtype = DType::float64},
               rng);
  // A rotation by which vectors grow by 0.9, and more that is smaller.
  const double c = 0.9 * std::cos(0.7), s = 0.9 * std::sin(0.7);
  cell.w_h.assign(Tensor::from<double>(
      {hidden, hidden}, {c, -s, 0.6, 0.2, s, c, -0.4, 0.1, 0, 0, 0.5, 0.7, 0, 0, 0, -0.3}));
  const Recurrent<RnnCell> layer{cell};
  const Tensor x = draw({steps, batch, input}, 6);
  const Tensor seed = draw({batch, hidden}, 7);
  Tape tape;
  const StateRecorder recorder;
  const auto last = layer(x).second;
  const auto flows = gradient_flow(tape, sum(last.h * seed), recorder);
  BOOST_TEST_REQUIRE(flows.size() == 1U);
  const GradientFlow& flow = flows[0];
  BOOST_TEST(flow.name() == "rnn");
  BOOST_TEST(flow.steps() == steps);
  BOOST_TEST(flow.batch() == batch);
  BOOST_TEST(flow.state_tensors() == 1);
  BOOST_TEST((flow.weights() == std::vector<std::string>{"w_x", "w_h", "bias"}));
  BOOST_TEST((flow.state_names() == std::vector<std::string>{"h"}));

  // dL/dh_t = seed (W^T)^(T - 1 - t), rows being sequences.
  Tensor expected = seed;
  const Tensor w = cell.w_h.value().detach();
  for (std::int64_t t = steps - 1; t >= 0; --t) {
    BOOST_TEST(difference(select(flow.state_gradients(), 0, t), expected) < 1e-14);
    const double norm = std::sqrt(sum(expected * expected).item());
    BOOST_TEST(std::abs(values(flow.state_norms())[static_cast<std::size_t>(t)] - norm) < 1e-14);
    expected = matmul(expected, transposed(w));
  }
  // The power method: the square of the largest singular value.
  Tensor direction = ones({1, hidden}, DType::float64);
  double stretch = 0;
  for (int i = 0; i < 2000; ++i) {
    const Tensor image = matmul(matmul(direction, w), transposed(w));
    const double length = std::sqrt(sum(image * image).item());
    stretch = std::sqrt(length);
    direction = image / length;
  }
  for (std::int64_t t = 0; t < steps; ++t) {
    BOOST_TEST(std::abs(flow.spectral_radius(t, t % batch) - 0.9) < 1e-12);
    BOOST_TEST(std::abs(flow.largest_singular_value(t, t % batch) - stretch) < 1e-12);
    BOOST_TEST(difference(flow.jacobian(t), transpose(w, 0, 1)) == 0);
  }
}

BOOST_AUTO_TEST_CASE(gradients_of_states_agree_with_finite_differences) {
  Cells cells;
  cells.each([&](auto& cell) {
    using C = std::remove_reference_t<decltype(cell)>;
    const Recurrent<C> layer{cell};
    const Tensor x = draw({steps, batch, input}, 8);
    Tape tape;
    const StateRecorder recorder;
    const auto [y, last] = layer(x);
    const GradientFlow flow = gradient_flow(tape, loss_of(y, last), recorder).at(0);

    // The run by hand, with one number of the state after step t moved.
    const auto moved_loss = [&](std::int64_t t, int tensor, std::int64_t element, double by) {
      const StopRecording constant;
      auto state = cell.initial_state(batch);
      TensorList outputs;
      for (std::int64_t k = 0; k < steps; ++k) {
        auto [out, next] = cell(select(x, 0, k), state);
        if (k == t) {
          int i = 0;
          for_each_tensor(next, [&](Tensor& s) {
            if (i++ == tensor) {
              s = s.clone();
              s.template mutable_data<double>()[element] += by;
            }
          });
          // The output of this very step follows where it is computed from the new state.
          if constexpr (std::same_as<C, LeakyCell>) {
            out = matmul(next.slow, cell.w_out);
          } else if constexpr (std::same_as<C, ElmanCell>) {
            const Tensor v = slice(cell.project(select(x, 0, k)), -1, hidden, hidden + 2);
            out = v + matmul(next.h, cell.w_o);
          } else {
            out = next.h;
          }
        }
        outputs.push_back(out);
        state = next;
      }
      return loss_of(stack(std::span<const Tensor>(outputs), 0), state).item();
    };
    for (int tensor = 0; tensor < flow.state_tensors(); ++tensor) {
      const Tensor all = flow.state_gradients(tensor);
      for (const std::int64_t t : {std::int64_t{0}, std::int64_t{2}, steps - 1}) {
        const auto got = values(select(all, 0, t));
        for (std::size_t i = 0; i < got.size(); ++i) {
          const double h = 1e-5;
          const auto element = static_cast<std::int64_t>(i);
          const double slope =
              (moved_loss(t, tensor, element, h) - moved_loss(t, tensor, element, -h)) / (2 * h);
          BOOST_TEST(std::abs(slope - got[i]) < 1e-8);
        }
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(each_step_adds_its_part_to_a_weights_gradient) {
  Cells cells;
  cells.each([&](auto& cell) {
    Recurrent<std::remove_reference_t<decltype(cell)>> layer{cell};
    check_contributions(layer, draw({steps, batch, input}, 9));
    layer.direction = Direction::backward;
    check_contributions(layer, draw({steps, batch, input}, 9));
  });
}

BOOST_AUTO_TEST_CASE(a_contribution_is_the_slope_of_the_weight_of_one_step) {
  Cells cells;
  cells.each([&](auto& cell) {
    using C = std::remove_reference_t<decltype(cell)>;
    const Recurrent<C> layer{cell};
    const Tensor x = draw({steps, batch, input}, 10);
    Tape tape;
    const StateRecorder recorder;
    const auto [y, last] = layer(x);
    const GradientFlow flow = gradient_flow(tape, loss_of(y, last), recorder).at(0);
    const StopRecording constant;
    std::size_t number = 0;
    for (const std::string& weight : flow.weights()) {
      for (const std::int64_t t : {std::int64_t{0}, std::int64_t{3}}) {
        const auto got = values(flow.weight_contribution(weight, t));
        const auto moved_loss = [&](std::size_t element, double by) {
          C other = cell;
          parameters(other)[number].parameter->template mutable_data<double>()[element] += by;
          auto state = cell.initial_state(batch);
          TensorList outputs;
          for (std::int64_t k = 0; k < steps; ++k) {
            auto [out, next] = (k == t ? other : cell)(select(x, 0, k), state);
            outputs.push_back(out);
            state = next;
          }
          return loss_of(stack(std::span<const Tensor>(outputs), 0), state).item();
        };
        for (std::size_t i = 0; i < got.size(); ++i) {
          const double h = 1e-5;
          const double slope = (moved_loss(i, h) - moved_loss(i, -h)) / (2 * h);
          BOOST_TEST(std::abs(slope - got[i]) < 1e-8);
        }
      }
      ++number;
    }
  });
}

BOOST_AUTO_TEST_CASE(jacobians_agree_with_finite_differences) {
  Cells cells;
  cells.each([&](auto& cell) {
    using C = std::remove_reference_t<decltype(cell)>;
    const Recurrent<C> layer{cell};
    const Tensor x = draw({steps, batch, input}, 11);
    Tape tape;
    const StateRecorder recorder;
    const auto traced = layer.trace(x);
    const GradientFlow flow = gradient_flow(tape, sum(traced.y), recorder).at(0);
    constexpr std::int64_t t = 3;
    constexpr std::int64_t sequence = 1;
    const Tensor jacobian = flow.jacobian(t, sequence);
    const auto after = [&](std::size_t element, double by) {
      auto state = traced.states;
      std::size_t seen = 0;
      for_each_tensor(state, [&](Tensor& s) {
        s = slice(select(s.detach(), 0, t - 1), 0, sequence, sequence + 1).clone();
        for (std::int64_t i = 0; i < s.elements(); ++i) {
          s.template mutable_data<double>()[i] += seen++ == element ? by : 0.0;
        }
      });
      auto next = cell(slice(select(x, 0, t), 0, sequence, sequence + 1), state).second;
      std::vector<double> all;
      for_each_tensor(next, [&](const Tensor& s) {
        const auto part = values(s);
        all.insert(all.end(), part.begin(), part.end());
      });
      return all;
    };
    const auto size = static_cast<std::size_t>(jacobian.size(0));
    BOOST_TEST(jacobian.size(1) == jacobian.size(0));
    const auto got = values(jacobian);
    for (std::size_t column = 0; column < size; ++column) {
      const double h = 1e-5;
      const auto up = after(column, h), down = after(column, -h);
      for (std::size_t row = 0; row < size; ++row) {
        BOOST_TEST(std::abs((up[row] - down[row]) / (2 * h) - got[row * size + column]) < 1e-9);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(steps_are_those_of_x_whatever_the_lengths) {
  // Each sequence of a batch flows as it does alone.
  Cells cells;
  const std::vector<std::int64_t> lengths{2, 6, 4};
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    for (const Padding side : {Padding::after, Padding::before}) {
      Recurrent<LstmCell> layer{.cell = cells.lstm, .direction = direction};
      const Tensor x = draw({steps, batch, input}, 12);
      const auto flow_of = [&](const Sequence& s) {
        Tape tape;
        const StateRecorder recorder;
        const auto [y, last] = layer(s);
        return gradient_flow(tape, sum(sin(y)) + sum(sin(last.c)), recorder).at(0);
      };
      const Sequence padded(x, lengths_of({2, 6, 4}), side);
      const GradientFlow flow = flow_of(padded);
      check_contributions(layer, padded);
      std::vector<Tensor> parts(static_cast<std::size_t>(steps),
                                zeros_like(cells.lstm.w_h.value()));
      for (std::int64_t b = 0; b < batch; ++b) {
        const std::int64_t length = lengths[static_cast<std::size_t>(b)];
        const std::int64_t first = side == Padding::after ? 0 : steps - length;
        const GradientFlow alone =
            flow_of(slice(slice(x, 0, first, first + length), 1, b, b + 1).clone());
        for (const int tensor : {0, 1}) {
          const Tensor mine = slice(flow.state_gradients(tensor), 1, b, b + 1);
          BOOST_TEST(difference(slice(mine, 0, first, first + length),
                                alone.state_gradients(tensor)) < 1e-15);
          BOOST_TEST(sum(abs(slice(mine, 0, 0, first))).item() == 0);
          BOOST_TEST(sum(abs(slice(mine, 0, first + length, steps))).item() == 0);
        }
        for (std::int64_t t = 0; t < steps; ++t) {
          if (t < first || t >= first + length) {
            check_throws<UsageError>([&] { flow.spectral_radius(t, b); }, "which is padding there");
            continue;
          }
          BOOST_TEST(difference(flow.jacobian(t, b), alone.jacobian(t - first)) < 1e-15);
          Tensor& part = parts[static_cast<std::size_t>(t)];
          part = part + alone.weight_contribution("w_h", t - first);
        }
      }
      for (std::int64_t t = 0; t < steps; ++t) {
        BOOST_TEST(difference(flow.weight_contribution("w_h", t),
                              parts[static_cast<std::size_t>(t)]) < 1e-14);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(dropout_is_drawn_again_as_it_was) {
  Cells cells;
  Rng rng(13);
  const Tensor x = draw({steps, batch, input}, 14);
  Recurrent<LstmCell> layer{.cell = cells.lstm,
                            .dropout = {.states = 0.3, .zoneout = 0.4, .zoneout_cell = 0.2}};
  check_contributions(layer, x, &rng);
  check_contributions(layer, {x, lengths_of({3, 6, 1})}, &rng);
  check_contributions(layer, x);  // evaluation
  layer.direction = Direction::backward;
  check_contributions(layer, {x, lengths_of({3, 6, 1})}, &rng);
}

BOOST_AUTO_TEST_CASE(every_layer_of_a_model_is_a_run) {
  Rng rng(15);
  const Tensor x = draw({steps, batch, input}, 16);
  LSTM lstm({.input = input, .hidden = hidden, .dtype = DType::float64},
            {.layers = 2, .bidirectional = true}, rng);
  Tape tape;
  const StateRecorder recorder;
  const Tensor y = lstm(x).first;
  const auto flows = gradient_flow(tape, sum(sin(y)), recorder);
  BOOST_TEST_REQUIRE(flows.size() == 4U);
  BOOST_TEST(recorder.runs() == 4U);
  tape.backward(sum(sin(y)));
  const ParameterList list = parameters(lstm);
  std::size_t p = 0;
  for (const std::size_t layer : {0U, 2U}) {
    for (const Direction direction : {Direction::forward, Direction::backward}) {
      const GradientFlow& one = flows[layer];
      const GradientFlow& flow = one.direction() == direction ? one : flows[layer + 1];
      BOOST_TEST((flow.direction() == direction));
      for (const std::string& weight : flow.weights()) {
        Tensor total = flow.weight_contribution(weight, 0);
        for (std::int64_t t = 1; t < steps; ++t) {
          total = total + flow.weight_contribution(weight, t);
        }
        BOOST_TEST(difference(total.detach(), list[p++].parameter->grad()) < 1e-12);
      }
    }
  }
  BOOST_TEST(p == list.size());
}

BOOST_AUTO_TEST_CASE(states_that_are_used_by_themselves_count) {
  // trace() gives the states of all steps to the caller.
  Cells cells;
  const Recurrent<RnnCell> layer{cells.rnn};
  const Tensor x = draw({steps, batch, input}, 17);
  Tape tape;
  const StateRecorder recorder;
  const auto traced = layer.trace(x);
  const Tensor seed = draw({batch, hidden}, 18);
  const auto flow = gradient_flow(tape, sum(select(traced.states.h, 0, 2) * seed), recorder).at(0);
  BOOST_TEST(difference(select(flow.state_gradients(), 0, 2), seed) == 0);
  BOOST_TEST(values(flow.state_norms())[3] == 0);
  BOOST_TEST(values(flow.state_norms())[1] > 0);
}

BOOST_AUTO_TEST_CASE(looking_changes_neither_values_nor_gradients) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Rng rng(19);
    GRU gru({.input = input, .hidden = 17, .dtype = dtype},
            {.layers = 2,
             .bidirectional = true,
             .residual = true,
             .recurrent_dropout = {.states = 0.2, .zoneout = 0.1}},
            rng);
    const Sequence x(draw({steps, batch, input}, 20, dtype), lengths_of({3, 6, 5}));
    const auto run = [&](bool recording) {
      std::optional<StateRecorder> recorder;
      if (recording) {
        recorder.emplace();
      }
      Rng draws(21);
      Tape tape;
      const auto [y, last] = gru(x, draws);
      const Tensor loss = loss_of(y, last);
      if (recording) {
        const auto flows = gradient_flow(tape, loss, *recorder);
        flows[0].weight_norms("w_h");
        flows[1].jacobian(0);
      }
      zero_grad(gru);
      tape.backward(loss);
      std::vector<Tensor> all{y.detach(), loss.detach(), scalar(static_cast<double>(draws.next()))};
      for (const NamedParameter& entry : parameters(gru)) {
        all.push_back(entry.parameter->grad().clone());
      }
      return all;
    };
    const auto plain = run(false), seen = run(true);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      BOOST_TEST(same(plain[i], seen[i]));
    }
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_recorded_without_a_recorder) {
  Cells cells;
  const Recurrent<LstmCell> layer{cells.lstm};
  const Tensor x = draw({steps, batch, input}, 22);
  const auto operations = [&] {
    const Tape tape;
    layer(x);
    return tape.operations();
  };
  const std::int64_t before = operations();
  {
    const StateRecorder recorder;
    BOOST_TEST(operations() == before + 2 * steps);  // h and c are handed on at each step
    StateRecorder inner;
    operations();
    BOOST_TEST(inner.runs() == 1U);
    BOOST_TEST(recorder.runs() == 1U);
    inner.clear();
    BOOST_TEST(inner.runs() == 0U);
  }
  BOOST_TEST(operations() == before);
}

BOOST_AUTO_TEST_CASE(a_flow_outlives_everything_it_came_from) {
  const Tensor x = draw({steps, batch, input}, 23);
  const auto [flow, expected] = [&] {
    Cells cells;
    const Recurrent<GruCell> layer{cells.gru};
    Tape tape;
    const StateRecorder recorder;
    const Tensor loss = sum(sin(layer(x).first));
    const GradientFlow result = gradient_flow(tape, loss, recorder).at(0);
    const Tensor part = result.weight_contribution("w_h", 2);
    parameters(cells.gru)[1].parameter->mutable_data<double>()[0] = 77;
    return std::pair{result, part};
  }();
  BOOST_TEST(same(flow.weight_contribution("w_h", 2), expected));
}

BOOST_AUTO_TEST_CASE(float32_is_close_and_tiny_gradients_have_a_norm) {
  Rng rng(24);
  LstmCell wide({.input = input, .hidden = hidden, .dtype = DType::float64}, rng);
  LstmCell narrow({.input = input, .hidden = hidden}, rng);
  const ParameterList from = parameters(wide), to = parameters(narrow);
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i].parameter->assign(from[i].parameter->value().to(DType::float32));
  }
  const Tensor x = draw({steps, batch, input}, 25);
  const auto flow_of = [](const LstmCell& cell, const Tensor& in, double scale) {
    const Recurrent<LstmCell> layer{cell};
    Tape tape;
    const StateRecorder recorder;
    return gradient_flow(tape, sum(sin(layer(in).first)) * scale, recorder).at(0);
  };
  const GradientFlow exact = flow_of(wide, x, 1.0);
  const GradientFlow single = flow_of(narrow, x.to(DType::float32), 1.0);
  BOOST_TEST((single.state_gradients(1).dtype() == DType::float32));
  BOOST_TEST((single.state_norms(1).dtype() == DType::float64));
  BOOST_TEST(difference(single.state_norms(1), exact.state_norms(1)) < 1e-5);
  BOOST_TEST(difference(single.weight_norms("w_h"), exact.weight_norms("w_h")) < 1e-5);
  BOOST_TEST(std::abs(single.spectral_radius(2, 1) - exact.spectral_radius(2, 1)) < 1e-5);
  // Their squares vanish in the type itself.
  const GradientFlow tiny = flow_of(wide, x, 1e-200);
  BOOST_TEST(difference(tiny.state_norms() * 1e200, exact.state_norms()) < 1e-12);
  const GradientFlow none = flow_of(wide, x, 0.0);
  BOOST_TEST(sum(none.state_norms()).item() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_shows) {
  Cells cells;
  cells.rnn.w_h.mutable_data<double>()[0] = std::nan("");
  const Recurrent<RnnCell> layer{cells.rnn};
  Tape tape;
  const StateRecorder recorder;
  const auto y = layer(draw({steps, batch, input}, 26)).first;
  const GradientFlow flow = gradient_flow(tape, sum(y), recorder).at(0);
  BOOST_TEST(std::isnan(flow.spectral_radius(1)));
  BOOST_TEST(std::isnan(flow.largest_singular_value(1)));
  BOOST_TEST(std::isnan(values(flow.state_norms())[0]));
  BOOST_TEST(to_string(flow).find('!') != std::string::npos);
  BOOST_TEST(to_string(flow).find("-nan") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(text_shows_every_state_and_weight) {
  Cells cells;
  const Recurrent<LstmCell> layer{.cell = cells.lstm, .direction = Direction::backward};
  Tape tape;
  const StateRecorder recorder;
  const auto y = layer(draw({steps, batch, input}, 27)).first;
  const std::string text = to_string(gradient_flow(tape, sum(y), recorder).at(0));
  for (const char* part :
       {"lstm, backward: 6 steps of 3 sequences", "\nh ", "\nc ", "w_x", "w_h", "bias", "█", "▁"}) {
    BOOST_TEST((text.find(part) != std::string::npos), "no " << part << " in\n" << text);
  }
}

BOOST_AUTO_TEST_CASE(mistakes_are_explained) {
  Cells cells;
  const Recurrent<RnnCell> layer{cells.rnn};
  const Tensor x = draw({steps, batch, input}, 28);
  Tape tape;
  StateRecorder recorder;
  Tensor loss = sum(layer(x).first);
  const auto ask = [&](Tape& on) { return gradient_flow(on, loss, recorder); };
  const GradientFlow flow = ask(tape).at(0);
  check_throws<UsageError>([&] { flow.state_gradients(1); }, "the state of 'rnn' has 1");
  check_throws<UsageError>([&] { flow.weight_norms("w"); }, "it has: w_x, w_h, bias");
  check_throws<UsageError>([&] { flow.weight_contribution("w_h", steps); }, "got step 6");
  check_throws<UsageError>([&] { flow.weight_contribution("w_h", -1); }, "expected 0 to 5");
  check_throws<UsageError>([&] { flow.jacobian(steps); }, "got step 6");
  check_throws<UsageError>([&] { flow.jacobian(0, batch); }, "got sequence 3");
  {
    Tape other;
    check_throws<UsageError>([&] { ask(other); }, "none of the 1 runs was recorded on this tape");
  }
  tape.backward(loss);
  check_throws<UsageError>([&] { ask(tape); }, "retain");
  recorder.clear();
  check_throws<UsageError>([&] { ask(tape); }, "no recurrent layer has run");
  layer(zeros({0, batch, input}, DType::float64));  // no steps: nothing to see
  BOOST_CHECK_THROW(layer(zeros({steps, batch, 2}, DType::float64)), ShapeError);
  BOOST_TEST(recorder.runs() == 0U);
}

BOOST_AUTO_TEST_CASE(a_layer_that_the_loss_does_not_reach_has_no_gradient) {
  Cells cells;
  const Recurrent<RnnCell> used{cells.rnn};
  const Recurrent<GruCell> unused{cells.gru};
  const Tensor x = draw({steps, batch, input}, 29);
  Tape tape;
  const StateRecorder recorder;
  unused(x);
  const auto flows = gradient_flow(tape, sum(used(x).first), recorder);
  BOOST_TEST_REQUIRE(flows.size() == 2U);
  BOOST_TEST(sum(flows[0].state_norms()).item() == 0);
  BOOST_TEST(sum(flows[0].weight_norms("w_h")).item() == 0);
  BOOST_TEST(sum(flows[1].state_norms()).item() > 0);
}
