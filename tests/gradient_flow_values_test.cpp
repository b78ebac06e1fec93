// The gradients, contributions and Jacobians of gradient flow through time, compared with closed
// forms and finite differences.
#include <cmath>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/elman.hpp>
#include <rewind/layers/gradient_flow.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/rnn.hpp>

#include "support/closeness.hpp"
#include "support/gradient_flow_cells.hpp"
#include "support/messages.hpp"

using namespace rw;
using namespace rw::testing;

BOOST_AUTO_TEST_CASE(a_linear_network_has_the_closed_form) {
  Rng rng(3);
  RnnCell cell({.input = input,
                .hidden = hidden,
                .activation = Activation::identity,
                .dtype = DType::float64},
               rng);
  // A rotation that scales vectors by 0.9, plus smaller terms.
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
    BOOST_TEST(largest_difference(select(flow.state_gradients(), 0, t), expected) < 1e-14);
    const double norm = std::sqrt(sum(expected * expected).item());
    BOOST_TEST(std::abs(numbers(flow.state_norms())[static_cast<std::size_t>(t)] - norm) < 1e-14);
    expected = matmul(expected, transposed(w));
  }
  // The power method gives the square of the largest singular value.
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
    BOOST_TEST(largest_difference(flow.jacobian(t), transpose(w, 0, 1)) == 0);
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

    // The run by hand, with one number of the state after step t changed.
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
          // If the output of this step is computed from the new state, it changes too.
          if constexpr (std::same_as<C, SlowCell>) {
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
        const auto got = numbers(select(all, 0, t));
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
        const auto got = numbers(flow.weight_contribution(weight, t));
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
        const auto part = numbers(s);
        all.insert(all.end(), part.begin(), part.end());
      });
      return all;
    };
    const auto size = static_cast<std::size_t>(jacobian.size(0));
    BOOST_TEST(jacobian.size(1) == jacobian.size(0));
    const auto got = numbers(jacobian);
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
  // Each sequence of a batch flows as it would alone.
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
      const Sequence padded(x, integers({2, 6, 4}), side);
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
          BOOST_TEST(largest_difference(slice(mine, 0, first, first + length),
                                        alone.state_gradients(tensor)) < 1e-15);
          BOOST_TEST(sum(abs(slice(mine, 0, 0, first))).item() == 0);
          BOOST_TEST(sum(abs(slice(mine, 0, first + length, steps))).item() == 0);
        }
        for (std::int64_t t = 0; t < steps; ++t) {
          if (t < first || t >= first + length) {
            check_throws<UsageError>([&] { flow.spectral_radius(t, b); }, "which is padding there");
            continue;
          }
          BOOST_TEST(largest_difference(flow.jacobian(t, b), alone.jacobian(t - first)) < 1e-15);
          Tensor& part = parts[static_cast<std::size_t>(t)];
          part = part + alone.weight_contribution("w_h", t - first);
        }
      }
      for (std::int64_t t = 0; t < steps; ++t) {
        BOOST_TEST(largest_difference(flow.weight_contribution("w_h", t),
                                      parts[static_cast<std::size_t>(t)]) < 1e-14);
      }
    }
  }
}
