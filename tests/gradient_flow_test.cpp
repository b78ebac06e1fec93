// Gradient flow through time: observing it changes nothing, for any layer, type and numbers, and
// mistakes are explained.
#include <cmath>
#include <optional>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/gradient_flow.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/rnn.hpp>

#include "support/closeness.hpp"
#include "support/gradient_flow_cells.hpp"
#include "support/messages.hpp"

using namespace rw;
using namespace rw::testing;

BOOST_AUTO_TEST_CASE(dropout_is_drawn_again_as_it_was) {
  Cells cells;
  Rng rng(13);
  const Tensor x = draw({steps, batch, input}, 14);
  Recurrent<LstmCell> layer{.cell = cells.lstm,
                            .dropout = {.states = 0.3, .zoneout = 0.4, .zoneout_cell = 0.2}};
  check_contributions(layer, x, &rng);
  check_contributions(layer, {x, integers({3, 6, 1})}, &rng);
  check_contributions(layer, x);  // evaluation
  layer.direction = Direction::backward;
  check_contributions(layer, {x, integers({3, 6, 1})}, &rng);
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
        BOOST_TEST(largest_difference(total.detach(), list[p++].parameter->grad()) < 1e-12);
      }
    }
  }
  BOOST_TEST(p == list.size());
}

BOOST_AUTO_TEST_CASE(states_that_are_used_by_themselves_count) {
  // trace() returns the states of all steps, so the loss can use them directly.
  Cells cells;
  const Recurrent<RnnCell> layer{cells.rnn};
  const Tensor x = draw({steps, batch, input}, 17);
  Tape tape;
  const StateRecorder recorder;
  const auto traced = layer.trace(x);
  const Tensor seed = draw({batch, hidden}, 18);
  const auto flow = gradient_flow(tape, sum(select(traced.states.h, 0, 2) * seed), recorder).at(0);
  BOOST_TEST(largest_difference(select(flow.state_gradients(), 0, 2), seed) == 0);
  BOOST_TEST(numbers(flow.state_norms())[3] == 0);
  BOOST_TEST(numbers(flow.state_norms())[1] > 0);
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
    const Sequence x(draw({steps, batch, input}, 20, dtype), integers({3, 6, 5}));
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
    BOOST_TEST(operations() == before + 2 * steps);  // h and c are passed on at each step
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
  BOOST_TEST(largest_difference(single.state_norms(1), exact.state_norms(1)) < 1e-5);
  BOOST_TEST(largest_difference(single.weight_norms("w_h"), exact.weight_norms("w_h")) < 1e-5);
  BOOST_TEST(std::abs(single.spectral_radius(2, 1) - exact.spectral_radius(2, 1)) < 1e-5);
  // Their squares underflow in the type itself.
  const GradientFlow tiny = flow_of(wide, x, 1e-200);
  BOOST_TEST(largest_difference(tiny.state_norms() * 1e200, exact.state_norms()) < 1e-12);
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
  BOOST_TEST(std::isnan(numbers(flow.state_norms())[0]));
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
