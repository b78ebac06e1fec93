// Lists share the parameters: models are moved, grow in vectors, are assigned and destroyed, and
// what was made for them stays valid.

#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/substitution.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/memory.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/summary.hpp>
#include <rewind/optim/average.hpp>
#include <rewind/optim/clip.hpp>
#include <rewind/optim/lbfgs.hpp>
#include <rewind/optim/sgd.hpp>

#include "support/messages.hpp"
#include "support/small_model.hpp"

using namespace rw;
using rw::testing::message_of;
using rw::testing::value_of;

BOOST_AUTO_TEST_SUITE(parameter_lists)

namespace {

struct Model {
  Parameter w{full({3}, 1, DType::float64)};
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w", w);
  }
};

/// Plays back a loss whose gradient is 1 everywhere.
void play_back(const Model& model) {
  Tape tape;
  tape.backward(sum(model.w.value()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_vector_of_models_grows_under_their_optimizers) {
  std::vector<Model> models;
  std::vector<std::unique_ptr<Sgd>> optimizers;
  std::vector<std::unique_ptr<ParameterAverage>> averages;
  std::vector<std::unique_ptr<Lookahead>> lookaheads;
  for (int i = 0; i < 20; ++i) {
    models.emplace_back();
    const ParameterList list = parameters(models.back());
    optimizers.push_back(std::make_unique<Sgd>(list, SgdOptions{.learning_rate = 0.25 + i}));
    averages.push_back(std::make_unique<ParameterAverage>(list));
    lookaheads.push_back(std::make_unique<Lookahead>(list, LookaheadOptions{.period = 1}));
  }
  for (std::size_t i = 0; i < models.size(); ++i) {
    optimizers[i]->zero_grad();
    play_back(models[i]);
    optimizers[i]->step();
    const double stepped = 1 - (0.25 + static_cast<double>(i));
    BOOST_TEST(value_of(models[i].w) == stepped);
    averages[i]->update();
    lookaheads[i]->update();
    BOOST_TEST(value_of(models[i].w) == (1 + stepped) / 2);
    const AppliedValues averaged = averages[i]->apply();
    BOOST_TEST(value_of(models[i].w) == stepped);
  }
}

BOOST_AUTO_TEST_CASE(a_moved_model_is_clipped_and_trained_in_its_new_place) {
  std::optional<Model> first(std::in_place);
  const ParameterList list = parameters(*first);
  Lbfgs lbfgs(list);
  Model second = std::move(*first);
  first.reset();
  play_back(second);
  BOOST_TEST(clip_by_norm(list, 0.5) == std::sqrt(3.0));
  BOOST_TEST(second.w.grad().to_vector<double>()[0] == 0.5 / std::sqrt(3.0));
  lbfgs.step([&] { return sum(square(second.w.value() - 5.0)); });
  BOOST_TEST(std::abs(value_of(second.w) - 5) < 1e-6);
  // A vector's erase() moves too: the optimiser must follow its own model.
  std::vector<Model> models(2);
  Sgd optimizer(parameters(models[1]), {.learning_rate = 1});
  models.erase(models.begin());
  play_back(models[0]);
  optimizer.step();
  BOOST_TEST(value_of(models[0].w) == 0);
  const std::vector<Model> copies = models;
  BOOST_TEST(value_of(copies[0].w) == 0);
}

BOOST_AUTO_TEST_CASE(a_list_keeps_the_parameters_of_a_model_that_ended) {
  std::optional<Model> model(std::in_place);
  Sgd optimizer(parameters(*model), {.learning_rate = 1});
  play_back(*model);
  model.reset();
  optimizer.step();
  BOOST_TEST(value_of(*optimizer.parameters()[0].parameter) == 0);
}

BOOST_AUTO_TEST_CASE(assigning_a_model_of_the_same_form_writes_into_its_parameters) {
  Model model;
  Sgd optimizer(parameters(model), {.learning_rate = 1});
  Model best = model;
  play_back(model);
  optimizer.step();
  BOOST_TEST(value_of(best.w) == 1);
  model = best;
  BOOST_TEST(!model.w.has_grad());
  BOOST_TEST(value_of(model.w) == 1);
  play_back(model);
  BOOST_TEST(!best.w.has_grad());
  optimizer.step();
  BOOST_TEST(value_of(model.w) == 0);
  BOOST_TEST(value_of(best.w) == 1);
  BOOST_TEST(model.w.name() == "w");

  // The gradient and the flag are copied too, and all copies are independent.
  best.w.set_grad(full({3}, 7, DType::float64));
  best.w.set_trainable(false);
  model = best;
  BOOST_TEST(!model.w.trainable());
  model.w.mutable_grad().mutable_data<double>()[0] = 8;
  BOOST_TEST(best.w.grad().to_vector<double>()[0] == 7);
  Parameter& self = model.w;
  model.w = self;
  BOOST_TEST(model.w.grad().to_vector<double>()[0] == 8);
}

BOOST_AUTO_TEST_CASE(a_tape_sees_that_a_parameter_was_assigned) {
  Model model;
  const Model other;
  Tape tape;
  const Tensor loss = sum(square(model.w.value()));
  model = other;
  BOOST_CHECK_THROW(tape.backward(loss), UsageError);
}

BOOST_AUTO_TEST_CASE(what_takes_a_parameters_place_is_followed) {
  Model model;
  Sgd optimizer(parameters(model), {.learning_rate = 1});
  ParameterAverage average(parameters(model));
  const ParameterList list = optimizer.parameters();
  model.w = Parameter(full({3}, 5, DType::float64));
  model.w = Parameter(full({3}, 7, DType::float64));
  play_back(model);
  optimizer.step();
  BOOST_TEST(value_of(model.w) == 6);
  BOOST_TEST((list[0].parameter == parameters(model)[0].parameter));
  model = Model();
  play_back(model);
  optimizer.step();
  BOOST_TEST(value_of(model.w) == 0);
  average.update();
  BOOST_TEST(value_of(*parameters(model)[0].parameter) == 0);
  const AppliedValues averaged = average.apply();
  BOOST_TEST(value_of(model.w) == 0);
}

BOOST_AUTO_TEST_CASE(replaced_parameters_are_freed_when_nobody_knows_them_any_more) {
  Model model;
  const ParameterList list = parameters(model);
  const auto live = [&] {
    static_cast<void>(list[0].parameter->value());
    return memory_statistics().live_bytes;
  };
  const std::int64_t before = live();
  for (int i = 0; i < 100; ++i) {
    model.w = Parameter(full({3}, i, DType::float64));
  }
  BOOST_TEST(live() == before);
}

BOOST_AUTO_TEST_CASE(a_parameter_of_another_form_is_refused) {
  Model model;
  Sgd optimizer(parameters(model), {.learning_rate = 1});
  Model wide;
  wide.w = Parameter(full({4}, 2, DType::float64));
  model = wide;
  BOOST_TEST((model.w.shape() == Shape{4}));
  BOOST_TEST((optimizer.parameters()[0].parameter->shape() == Shape{4}));
  play_back(model);
  const std::string message = message_of<UsageError>([&] { optimizer.step(); });
  BOOST_TEST(message.find("'w' is now float64 [4], expected float64 [3]") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_step_that_nobody_has_a_gradient_for_says_why) {
  Model model;
  Sgd sgd(parameters(model), {.learning_rate = 1});
  Lbfgs lbfgs(parameters(model));
  const Model copy = model;
  play_back(copy);
  const auto refused = [&](auto&& step, const std::string& expected) {
    const std::string message = message_of<UsageError>(step);
    BOOST_TEST(message.find(expected) != std::string::npos, message);
    BOOST_TEST(sgd.steps() == 0);
    BOOST_TEST(lbfgs.steps() == 0);
    BOOST_TEST(value_of(model.w) == 1);
  };
  const auto loss_of_copy = [&] { return sum(square(copy.w.value())); };
  refused([&] { sgd.step(); }, "sgd: none of the 1 parameters has a gradient");
  refused([&] { lbfgs.step(loss_of_copy); }, "lbfgs: none of the 1 parameters has a gradient");
  play_back(model);
  sgd.zero_grad();
  refused([&] { sgd.step(); }, "zero_grad()");
  model.w.set_trainable(false);
  refused([&] { sgd.step(); }, "sgd: all 1 parameters are frozen");
  model.w.set_trainable(true);
  play_back(model);
  sgd.step();
  BOOST_TEST(value_of(model.w) == 0);
}

BOOST_AUTO_TEST_CASE(assigning_through_a_list_writes_into_the_model) {
  Model model;
  const ParameterList list = parameters(model);
  *list[0].parameter = Parameter(full({3}, 5, DType::float64));
  BOOST_TEST(value_of(model.w) == 5);
  const Model other;
  *list[0].parameter = other.w;
  BOOST_TEST(value_of(model.w) == 1);
  const std::string message =
      message_of<ShapeError>([&] { *list[0].parameter = Parameter(full({4}, 5, DType::float64)); });
  BOOST_TEST(message.find("[4], expected [3]") != std::string::npos);
  BOOST_TEST(value_of(model.w) == 1);
  // What a handle points to lives as long as the parameter, not as the list.
  Parameter& w = *parameters(model)[0].parameter;
  w = Parameter(full({3}, 4, DType::float64));
  BOOST_TEST(value_of(model.w) == 4);
  Model moved = std::move(model);
  w = other.w;
  BOOST_TEST(value_of(moved.w) == 1);
  // A copy is independent; a parameter moved from it shares with it.
  Parameter copy = w;
  copy.mutable_data<double>()[0] = 9;
  BOOST_TEST(value_of(moved.w) == 1);
  Parameter shared = std::move(w);
  shared.mutable_data<double>()[0] = 3;
  BOOST_TEST(value_of(moved.w) == 3);
}

BOOST_AUTO_TEST_CASE(a_stand_in_is_replaced_and_never_written_through) {
  Model model;
  const Model other{Parameter(full({3}, 6, DType::float64))};
  Model copy = with_values(model, [](std::string_view, const Tensor& value) { return value; });
  copy = other;
  BOOST_TEST(value_of(copy.w) == 6);
  BOOST_TEST(value_of(model.w) == 1);
  Model again = with_values(model, [](std::string_view, const Tensor& value) { return value; });
  BOOST_CHECK_THROW(*parameters(again)[0].parameter = other.w, UsageError);
  BOOST_CHECK_THROW(model.w.stand_for(other.w.value()), UsageError);
  BOOST_TEST(value_of(model.w) == 1);
}

BOOST_AUTO_TEST_CASE(an_empty_parameter_has_no_handle) {
  Parameter empty;
  ParameterList list;
  BOOST_CHECK_THROW(list.push_back({"head/bias", &empty}), UsageError);
  BOOST_CHECK_THROW(ParameterHandle(nullptr), UsageError);
  BOOST_CHECK_THROW(static_cast<void>(*ParameterHandle()), UsageError);
}

BOOST_AUTO_TEST_CASE(several_layers_are_listed_under_their_names) {
  Rng rng(1);
  Linear first({.input = 2, .output = 3}, rng), second({.input = 3, .output = 1}, rng);
  Parameter scale(ones({1}));
  const ParameterList list = parameters("first", first, "second", second, "scale", scale);
  std::vector<std::string> paths;
  for (const NamedParameter& entry : list) {
    paths.push_back(entry.path);
  }
  const std::vector<std::string> expected{"first/weight", "first/bias", "second/weight",
                                          "second/bias", "scale"};
  BOOST_TEST(paths == expected, boost::test_tools::per_element());
  BOOST_TEST(second.bias.name() == "second/bias");
  // A parameter that is reached twice is listed once.
  BOOST_TEST(parameters("a", first, "b", first).size() == 2U);
  // The same by hand.
  ParameterList by_hand;
  by_hand.push_back({"first/weight", &first.weight});
  BOOST_TEST((by_hand[0].parameter == list[0].parameter));
}

BOOST_AUTO_TEST_CASE(a_const_model_is_counted_summarised_and_saved) {
  Rng rng(1);
  Linear changing({.input = 2, .output = 3}, rng);
  const Linear& model = changing;
  BOOST_TEST(count(model) == 9);
  BOOST_TEST(summary(model) == summary(parameters(changing)));
  const StateList state = state_of(model);
  BOOST_TEST(state.size() == 2U);
  BOOST_TEST(state[0].tensor.same_as(changing.weight.value()));
  static_assert(HasParameters<Linear> && !HasParameters<int>);
}

BOOST_AUTO_TEST_SUITE_END()
