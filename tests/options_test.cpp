// The options that objects report: every field that changes the meaning of their numbers, so that
// no two objects with the same names and shapes can be confused.

#include <array>
#include <cmath>
#include <concepts>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/tape/layer_options.hpp>
#include <rewind/io/bptt_batches.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/io/minibatches.hpp>
#include <rewind/layers/attention.hpp>
#include <rewind/layers/bidirectional.hpp>
#include <rewind/layers/decoder.hpp>
#include <rewind/layers/dropout.hpp>
#include <rewind/layers/embedding.hpp>
#include <rewind/layers/fully_connected.hpp>
#include <rewind/layers/layer_norm.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/multi_head_attention.hpp>
#include <rewind/layers/recurrent.hpp>
#include <rewind/layers/recurrent_network.hpp>
#include <rewind/layers/residual.hpp>
#include <rewind/layers/sequential.hpp>
#include <rewind/layers/stacked.hpp>
#include <rewind/layers/truncated_bptt.hpp>
#include <rewind/optim/ada_belief.hpp>
#include <rewind/optim/adadelta.hpp>
#include <rewind/optim/adagrad.hpp>
#include <rewind/optim/adam.hpp>
#include <rewind/optim/adam_w.hpp>
#include <rewind/optim/adamax.hpp>
#include <rewind/optim/asgd.hpp>
#include <rewind/optim/average.hpp>
#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/lamb.hpp>
#include <rewind/optim/lbfgs.hpp>
#include <rewind/optim/nadam.hpp>
#include <rewind/optim/radam.hpp>
#include <rewind/optim/reduce_on_plateau.hpp>
#include <rewind/optim/rms_prop.hpp>
#include <rewind/optim/sgd.hpp>
#include <rewind/optim/trainer.hpp>

#include "cell_table.hpp"
#include "optimizer_table.hpp"
#include "support/bytes_of.hpp"
#include "support/messages.hpp"
#include "support/small_model.hpp"
#include "support/temporary_folder.hpp"

using namespace rw;
using rw::testing::bytes_of;
using rw::testing::check_contains;
using rw::testing::message_of;

BOOST_AUTO_TEST_SUITE(options)

namespace {

/// Converts to a field of any type.
struct AnyField {
  template <class T>
  constexpr operator T() const;  // never called
};

/// The number of fields of an aggregate.
template <class T, class... Given>
constexpr std::size_t number_of_fields() {
  if constexpr (requires { T{Given{}..., AnyField{}}; }) {
    return number_of_fields<T, Given..., AnyField>();
  } else {
    return sizeof...(Given);
  }
}

std::string value_of(const OptionList& list, const std::string& path) {
  for (const OptionEntry& entry : list) {
    if (entry.path == path) {
      return entry.value;
    }
  }
  return "not there";
}

/// A field that changes the meaning of numbers: the end of its option's path, and another value for
/// it.
template <class Options>
struct Field {
  std::string option;
  std::function<void(Options&)> change;
};

/// Checks that each of `fields` shows in the options, and that there are no other fields besides
/// `others`. Those are known from shapes, or have no meaning after initialisation.
template <class Options, class Make>
void check_fields(const std::string& who, const Options& base,
                  const std::vector<Field<Options>>& fields, std::size_t others, Make&& make) {
  BOOST_TEST_CONTEXT(who) {
    BOOST_TEST(number_of_fields<Options>() == fields.size() + others);
    for (const Field<Options>& field : fields) {
      Options changed = base;
      field.change(changed);
      const auto differences = differing_options(make(base), make(changed));
      BOOST_TEST_CONTEXT(field.option) {
        BOOST_TEST_REQUIRE(!differences.empty());
        const std::string name = field.option.substr(field.option.rfind('/') + 1);
        check_contains(to_string(differences), {name + " "});
        for (const OptionDifference& difference : differences) {
          BOOST_TEST(difference.path.ends_with(field.option));
        }
      }
    }
  }
}

/// The fields of a cell's options, by name.
template <class Options>
std::vector<Field<Options>> fields_of_cell() {
  std::vector<Field<Options>> fields;
  if constexpr (requires(Options o) { o.activation; }) {
    fields.push_back({"activation", [](auto& o) { o.activation = Activation::sigmoid; }});
  }
  if constexpr (requires(Options o) { o.gate_activation; }) {
    fields.push_back(
        {"gate_activation", [](auto& o) { o.gate_activation = Activation::hard_sigmoid_keras2; }});
  }
  if constexpr (requires(Options o) { o.output_activation; }) {
    fields.push_back(
        {"output_activation", [](auto& o) { o.output_activation = Activation::relu; }});
  }
  if constexpr (requires(Options o) { o.reset; }) {
    fields.push_back({"reset", [](auto& o) {
                        o.reset = o.reset == Reset::after ? Reset::before : Reset::after;
                      }});
  }
  if constexpr (requires(Options o) { o.epsilon; }) {
    fields.push_back({"epsilon", [](auto& o) { o.epsilon = 0.25; }});
  }
  if constexpr (requires(Options o) { o.input_network; }) {
    fields.push_back({"input_network/activation",
                      [](auto& o) { o.input_network.activation = Activation::relu; }});
    fields.push_back({"state_network/activation",
                      [](auto& o) { o.state_network.activation = Activation::relu; }});
  }
  return fields;
}

/// The number of other fields of these options.
template <class Options>
std::size_t other_fields_of_cell() {
  std::size_t others = 3;  // input, hidden, dtype
  others += requires(Options o) { o.bias; }
  ? 1 : 0;
  others += requires(Options o) { o.output; }
  ? 1 : 0;
  others += requires(Options o) { o.projection; }
  ? 1 : 0;
  others += requires(Options o) { o.start; }
  ? 1 : 0;
  return others;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_field_of_a_cell_shows) {
  rw::testing::for_each_cell([](const auto& row) {
    using Cell = typename std::remove_cvref_t<decltype(row)>::Cell;
    using Options = typename Cell::Options;
    const auto make = [](const Options& options) {
      Rng rng(1);
      Cell cell(options, rng);
      return options_of(cell);
    };
    const Options options = row.options(3, 2);
    check_fields(row.name, options, fields_of_cell<Options>(), other_fields_of_cell<Options>(),
                 make);
    BOOST_TEST(value_of(make(options), "kind") == Cell::name);
  });
}

BOOST_AUTO_TEST_CASE(every_field_of_a_network_shows) {
  using Options = NetworkOptions;
  const std::vector<Field<Options>> fields{
      {"dropout_between", [](Options& o) { o.dropout = 0.5; }},
      {"merge", [](Options& o) { o.merge = Merge::mean; }},
      {"residual", [](Options& o) { o.residual = true; }},
      {"same_over_time", [](Options& o) { o.same_dropout_over_time = true; }},
      {"input_dropout", [](Options& o) { o.input_dropout = 0.5; }},
      {"dropout_states", [](Options& o) { o.recurrent_dropout.states = 0.5; }}};
  Options base{.layers = 2, .bidirectional = true, .merge = Merge::sum};
  const auto make = [](const Options& network) {
    Rng rng(1);
    const LSTM lstm({.input = 3, .hidden = 2}, network, rng);
    return options_of(lstm);
  };
  // layers, bidirectional and learned_state
  check_fields("network", base, fields, 3, make);
  using Dropout = RecurrentDropout;
  check_fields<Dropout>("recurrent dropout", {},
                        {{"dropout_states", [](Dropout& o) { o.states = 0.5; }},
                         {"dropout_weights", [](Dropout& o) { o.weights = 0.5; }},
                         {"zoneout", [](Dropout& o) { o.zoneout = 0.5; }},
                         {"zoneout_cell", [](Dropout& o) { o.zoneout_cell = 0.5; }}},
                        0, [&](const Dropout& dropout) {
                          Options one;
                          one.recurrent_dropout = dropout;
                          return make(one);
                        });
}

BOOST_AUTO_TEST_CASE(every_field_of_other_layers_shows) {
  const auto make = []<class Layer>(std::type_identity<Layer>) {
    return [](const typename Layer::Options& options) {
      Rng rng(1);
      if constexpr (std::constructible_from<Layer, typename Layer::Options, Rng&>) {
        return options_of(Layer(options, rng));
      } else {
        return options_of(Layer(options));
      }
    };
  };
  check_fields<LinearOptions>("linear", {.input = 2, .output = 2}, {}, 4,
                              make(std::type_identity<Linear>()));
  check_fields<LayerNormOptions>("layer norm", {.features = 2},
                                 {{"epsilon", [](auto& o) { o.epsilon = 1; }}}, 3,
                                 make(std::type_identity<LayerNorm>()));
  check_fields<FullyConnectedOptions>(
      "fully connected", {.input = 2, .output = 2, .hidden = 2},
      {{"activation", [](auto& o) { o.activation = Activation::relu; }}}, 6,
      make(std::type_identity<FullyConnected>()));
  check_fields<BahdanauAttentionOptions>("bahdanau", {2, 2, 2}, {}, 4,
                                         make(std::type_identity<BahdanauAttention>()));
  check_fields<LuongAttentionOptions>("luong", {2, 2},
                                      {{"score", [](auto& o) { o.score = LuongScore::dot; }}}, 3,
                                      make(std::type_identity<LuongAttention>()));
  check_fields<MultiHeadAttentionOptions>("multi-head", {.query = 4},
                                          {{"heads", [](auto& o) { o.heads = 2; }}}, 5,
                                          make(std::type_identity<MultiHeadAttention>()));
}

namespace {

template <class Options>
using Number = std::pair<const char*, double Options::*>;
template <class Options>
using Flag = std::pair<const char*, bool Options::*>;

/// Kinds of optimisers tested so far.
std::set<std::string> kinds;

template <class Rule, class Options>
void check_optimizer(const Options& base, const std::vector<Number<Options>>& numbers,
                     const std::vector<Flag<Options>>& flags = {}) {
  const rw::testing::Model model(DType::float32);
  auto copy = model;
  const ParameterList list = parameters(copy);
  const auto make = [&](const Options& options) { return options_of(Rule(list, options)); };
  const std::string kind = value_of(make(base), "kind");
  kinds.insert(kind);
  std::vector<Field<Options>> fields{{"weight_decay", [](Options& o) { o.weight_decay += 0.125; }}};
  for (const auto& [name, member] : numbers) {
    fields.push_back({name, [member = member](Options& o) { o.*member += 0.0625; }});
  }
  for (const auto& [name, member] : flags) {
    fields.push_back({name, [member = member](Options& o) { o.*member = !(o.*member); }});
  }
  check_fields(kind, base, fields, 1, make);  // the learning rate is state

  std::vector<Number<Options>> all = numbers;
  all.push_back({"learning_rate", &Options::learning_rate});
  all.push_back({"weight_decay", &Options::weight_decay});
  for (const auto& [name, member] : all) {
    for (const double bad : {-0.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
      Options options = base;
      options.*member = bad;
      check_contains(message_of<UsageError>([&] { Rule(list, options); }), {kind + ": ", name});
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_field_of_an_optimizer_shows) {
  check_optimizer<Sgd, SgdOptions>({.momentum = 0.5}, {{"momentum", &SgdOptions::momentum}},
                                   {{"nesterov", &SgdOptions::nesterov}});
  check_optimizer<RmsProp, RmsPropOptions>({.alpha = 0.5},
                                           {{"alpha", &RmsPropOptions::alpha},
                                            {"epsilon", &RmsPropOptions::epsilon},
                                            {"momentum", &RmsPropOptions::momentum}},
                                           {{"centered", &RmsPropOptions::centered}});
  check_optimizer<Adagrad, AdagradOptions>(
      {}, {{"learning_rate_decay", &AdagradOptions::learning_rate_decay},
           {"initial_sum", &AdagradOptions::initial_sum},
           {"epsilon", &AdagradOptions::epsilon}});
  check_optimizer<Adadelta, AdadeltaOptions>(
      {}, {{"rho", &AdadeltaOptions::rho}, {"epsilon", &AdadeltaOptions::epsilon}});
  check_optimizer<Adam, AdamOptions>({.beta2 = 0.5},
                                     {{"beta1", &AdamOptions::beta1},
                                      {"beta2", &AdamOptions::beta2},
                                      {"epsilon", &AdamOptions::epsilon}},
                                     {{"amsgrad", &AdamOptions::amsgrad}});
  check_optimizer<AdamW, AdamWOptions>({.beta2 = 0.5},
                                       {{"beta1", &AdamWOptions::beta1},
                                        {"beta2", &AdamWOptions::beta2},
                                        {"epsilon", &AdamWOptions::epsilon}},
                                       {{"amsgrad", &AdamWOptions::amsgrad}});
  check_optimizer<Adamax, AdamaxOptions>({.beta2 = 0.5}, {{"beta1", &AdamaxOptions::beta1},
                                                          {"beta2", &AdamaxOptions::beta2},
                                                          {"epsilon", &AdamaxOptions::epsilon}});
  check_optimizer<NAdam, NAdamOptions>(
      {.beta2 = 0.5},
      {{"beta1", &NAdamOptions::beta1},
       {"beta2", &NAdamOptions::beta2},
       {"epsilon", &NAdamOptions::epsilon},
       {"momentum_decay", &NAdamOptions::momentum_decay}},
      {{"decoupled_weight_decay", &NAdamOptions::decoupled_weight_decay}});
  check_optimizer<AdaBelief, AdaBeliefOptions>(
      {.beta2 = 0.5},
      {{"beta1", &AdaBeliefOptions::beta1},
       {"beta2", &AdaBeliefOptions::beta2},
       {"epsilon", &AdaBeliefOptions::epsilon}},
      {{"decoupled_weight_decay", &AdaBeliefOptions::decoupled_weight_decay}});
  check_optimizer<RAdam, RAdamOptions>(
      {.beta2 = 0.5},
      {{"beta1", &RAdamOptions::beta1},
       {"beta2", &RAdamOptions::beta2},
       {"epsilon", &RAdamOptions::epsilon}},
      {{"decoupled_weight_decay", &RAdamOptions::decoupled_weight_decay}});
  check_optimizer<Lamb, LambOptions>({.beta2 = 0.5}, {{"beta1", &LambOptions::beta1},
                                                      {"beta2", &LambOptions::beta2},
                                                      {"epsilon", &LambOptions::epsilon}});
  check_optimizer<Asgd, AsgdOptions>({}, {{"lambda", &AsgdOptions::lambda},
                                          {"alpha", &AsgdOptions::alpha},
                                          {"averaging_start", &AsgdOptions::averaging_start}});
  for (const rw::testing::OptimizerRow& row : rw::testing::optimizer_table()) {
    BOOST_TEST(kinds.contains(row.name), row.name << " is missing above");
  }
}

BOOST_AUTO_TEST_CASE(every_field_of_what_accompanies_an_optimizer_shows) {
  rw::testing::Model model(DType::float32);
  const ParameterList list = parameters(model);
  using A = ParameterAverageOptions;
  check_fields<A>("average", {},
                  {{"decay", [](A& o) { o.decay = 0.5; }},
                   {"bias_correction", [](A& o) { o.bias_correction = false; }}},
                  0, [&](const A& o) { return options_of(ParameterAverage(list, o)); });
  using L = LookaheadOptions;
  check_fields<L>("lookahead", {},
                  {{"period", [](L& o) { o.period = 2; }}, {"alpha", [](L& o) { o.alpha = 1; }}}, 0,
                  [&](const L& o) { return options_of(Lookahead(list, o)); });
  using E = EarlyStoppingOptions;
  check_fields<E>("early stopping", {},
                  {{"patience", [](E& o) { o.patience = 2; }},
                   {"min_delta", [](E& o) { o.min_delta = 2; }},
                   {"maximize", [](E& o) { o.maximize = true; }}},
                  0, [](const E& o) { return options_of(EarlyStopping(o)); });
  using B = BestValueOptions;
  check_fields<B>("best value", {},
                  {{"min_delta", [](B& o) { o.min_delta = 2; }},
                   {"relative", [](B& o) { o.relative = true; }},
                   {"maximize", [](B& o) { o.maximize = true; }}},
                  0, [](const B& o) { return options_of(BestValue(o)); });
  using R = ReduceOnPlateauOptions;
  Adam adam(list);
  check_fields<R>("plateau", {},
                  {{"factor", [](R& o) { o.factor = 0.5; }},
                   {"patience", [](R& o) { o.patience = 2; }},
                   {"min_delta", [](R& o) { o.min_delta = 2; }},
                   {"relative", [](R& o) { o.relative = false; }},
                   {"maximize", [](R& o) { o.maximize = true; }},
                   {"cooldown", [](R& o) { o.cooldown = 2; }},
                   {"min_learning_rate", [](R& o) { o.min_learning_rate = 2; }}},
                  0, [&](const R& o) { return options_of(ReduceOnPlateau(adam, o)); });
  using Q = LbfgsOptions;
  check_fields<Q>("lbfgs", {},
                  {{"learning_rate", [](Q& o) { o.learning_rate = 2; }},
                   {"max_iterations", [](Q& o) { o.max_iterations = 2; }},
                   {"max_evaluations", [](Q& o) { o.max_evaluations = 2; }},
                   {"history", [](Q& o) { o.history = 2; }},
                   {"gradient_tolerance", [](Q& o) { o.gradient_tolerance = 2; }},
                   {"change_tolerance", [](Q& o) { o.change_tolerance = 2; }}},
                  0, [&](const Q& o) { return options_of(Lbfgs(list, o)); });
}

BOOST_AUTO_TEST_CASE(a_trainer_says_what_has_a_part_in_its_steps) {
  rw::testing::Model model(DType::float32);
  Adam adam(parameters(model));
  const auto options = [&](const TrainerOptions& o) { return options_of(Trainer(adam, o)); };
  const OptionList plain = options({});
  BOOST_TEST((options({.epochs = 7, .output = nullptr, .every = 3, .label = "x"}) == plain));
  const std::vector<std::pair<std::string, TrainerOptions>> others{
      {"clip_norm", {.clip_norm = 1.5}},
      {"accumulate", {.accumulate = 2}},
      {"validate", {.validate = [] { return 0.0; }}},
      {"maximize", {.maximize = true}},
      {"min_delta", {.min_delta = 2}},
      {"patience", {.patience = 2}},
      {"plateau", {.plateau = ReduceOnPlateauOptions{}}}};
  for (const auto& [name, other] : others) {
    check_contains(to_string(differing_options(plain, options(other))), {name});
  }
  TrainerOptions slower{.plateau = ReduceOnPlateauOptions{.factor = 0.5}};
  BOOST_TEST(value_of(options(slower), "plateau/factor") == "0.5");
}

BOOST_AUTO_TEST_CASE(batches_say_what_an_epoch_depends_on) {
  using M = MinibatchOptions;
  const M base{.batch = 4};
  check_fields<M>("minibatches", base,
                  {{"batch", [](M& o) { o.batch = 2; }},
                   {"shuffle", [](M& o) { o.shuffle = false; }},
                   {"drop_last", [](M& o) { o.drop_last = true; }},
                   {"pool", [](M& o) { o.pool = 2; }}},
                  0, [](const M& o) {
                    return options_of(Minibatches::by_length({1, 2, 3, 4, 5}, o, 1));
                  });
  const auto digest = [&](const std::vector<std::int64_t>& numbers) {
    return value_of(options_of(Minibatches::over(numbers, base, 1)), "over");
  };
  BOOST_TEST(digest({1, 2, 3}) == digest({1, 2, 3}));
  BOOST_TEST(digest({1, 2, 3}) != digest({1, 3, 2}));
  BOOST_TEST(digest({1, 2, 3}) != digest({1, 2, 4}));
  const Tensor stream = zeros({40});
  const OptionList chunks = options_of(bptt_batches(stream, {.batch = 2, .steps = 5}));
  // Chunks may have another length after resuming.
  BOOST_TEST((options_of(bptt_batches(stream, {.batch = 2, .steps = 7})) == chunks));
  for (const auto& [name, other] :
       {std::pair{"batch", bptt_batches(stream, {.batch = 4, .steps = 5})},
        std::pair{"drop_last", bptt_batches(stream, {.batch = 2, .steps = 5, .drop_last = true})},
        std::pair{"elements", bptt_batches(zeros({42}), {.batch = 2, .steps = 5})}}) {
    check_contains(to_string(differing_options(chunks, options_of(other))), {name});
  }
  const TruncatedBptt<Tensor> bptt(zeros({2, 3}), {.every = 2, .back = 5});
  BOOST_TEST(value_of(options_of(bptt), "every") == "2");
  BOOST_TEST(value_of(options_of(bptt), "back") == "5");
}

namespace {

/// What a checkpoint would hold of an object, with functions to save and load it.
struct Held {
  StateList state;
  OptionList options;
  std::function<void(const std::string& path)> save;
  std::function<void(const std::string& path)> load;
};
template <class T>
Held held(const std::shared_ptr<T>& kept) {
  return {state_of(*kept), options_of(*kept),
          [kept](const std::string& path) { io::save(path, "it", *kept); },
          [kept](const std::string& path) { io::load(path, "it", *kept); }};
}
template <class T>
Held held(T object) {
  return held(std::make_shared<T>(std::move(object)));
}
/// For objects that cannot be moved.
template <std::invocable Make>
Held held(Make make) {
  return held(std::shared_ptr<decltype(make())>(new auto(make())));
}

struct LookAlikes {
  std::string name;  // part of the sentence that distinguishes them
  Held saved;
  Held now;
};

std::vector<LookAlikes> look_alikes() {
  Rng rng(1);
  std::vector<LookAlikes> pairs;
  const auto lstm = [&](const LstmOptions& cell, const NetworkOptions& network) {
    return held(LSTM(cell, network, rng));
  };
  const LstmOptions plain{.input = 2, .hidden = 2};
  LstmOptions relu = plain;
  relu.activation = Activation::relu;
  pairs.push_back({"activation relu", lstm(plain, {}), lstm(relu, {})});
  LstmOptions hard = plain;
  hard.gate_activation = Activation::hard_sigmoid;
  LstmOptions keras = plain;
  keras.gate_activation = Activation::hard_sigmoid_keras2;
  pairs.push_back({"hard_sigmoid_keras2", lstm(hard, {}), lstm(keras, {})});
  const NetworkOptions two{.layers = 2};
  pairs.push_back(
      {"residual true", lstm(plain, two), lstm(plain, {.layers = 2, .residual = true})});
  pairs.push_back({"merge mean", lstm(plain, {.bidirectional = true, .merge = Merge::sum}),
                   lstm(plain, {.bidirectional = true, .merge = Merge::mean})});
  pairs.push_back(
      {"dropout_between 0.5", lstm(plain, two), lstm(plain, {.layers = 2, .dropout = 0.5})});
  const GruOptions after{.input = 2, .hidden = 2, .bias = false};
  GruOptions before = after;
  before.reset = Reset::before;
  pairs.push_back({"reset before", held(GRU(after, rng)), held(GRU(before, rng))});
  const CellOptions three{.input = 2, .hidden = 2, .bias = false};
  pairs.push_back({"coupled_lstm", held(CoupledLSTM(three, rng)), held(NoForgetLSTM(three, rng))});
  pairs.push_back({"gru", held(GRU(after, rng)), held(CoupledLSTM(three, rng))});
  Linear frozen({.input = 2, .output = 2}, rng);
  const Held thawed = held(frozen);
  frozen.weight.set_trainable(false);
  pairs.push_back({"frozen true", thawed, held(frozen)});
  pairs.push_back({"p 0.25", held(Sequential(Linear(frozen), Dropout{0.5})),
                   held(Sequential(Linear(frozen), Dropout{0.25}))});
  pairs.push_back({"1 relu", held(Sequential(Linear(frozen), Activation::tanh)),
                   held(Sequential(Linear(frozen), Activation::relu))});

  rw::testing::Model model(DType::float32);
  const ParameterList list = parameters(model);
  const Held adam = held([&] { return Adam(list); });
  pairs.push_back({"saved by adam {weight_decay 0}, loaded into adamw {weight_decay 0.01}", adam,
                   held([&] { return AdamW(list); })});
  pairs.push_back({"radam", adam, held([&] { return RAdam(list); })});
  pairs.push_back({"lamb", adam, held([&] { return Lamb(list); })});
  pairs.push_back({"beta1 0.5", adam, held([&] { return Adam(list, {.beta1 = 0.5}); })});
  pairs.push_back({"epsilon 1e-06", adam, held([&] { return Adam(list, {.epsilon = 1e-6}); })});
  pairs.push_back(
      {"weight_decay 0.5", adam, held([&] { return Adam(list, {.weight_decay = 0.5}); })});
  const Held momentum = held([&] { return Sgd(list, {.momentum = 0.5}); });
  pairs.push_back({"momentum 0.75", momentum, held([&] { return Sgd(list, {.momentum = 0.75}); })});
  pairs.push_back({"nesterov true", momentum,
                   held([&] { return Sgd(list, {.momentum = 0.5, .nesterov = true}); })});
  const auto scheduled = std::make_shared<Adam>(list);
  scheduled->set_schedule(warm_up(500) * cosine_decay(20'000));
  pairs.push_back({"schedule warm_up(500, 0) * cosine_decay(20000, 0)", adam, held(scheduled)});
  const auto grouped = [&](const char* suffix, double decay) {
    const auto rule = std::make_shared<Adam>(list);
    rule->add_group({.name = "biases",
                     .contains = [=](const NamedParameter& p) { return p.path.ends_with(suffix); },
                     .weight_decay = decay});
    return held(rule);
  };
  pairs.push_back({"group/biases: saved with {weight_decay 0}, loaded with {weight_decay 0.5}",
                   grouped("b", 0), grouped("b", 0.5)});
  pairs.push_back({"parameters layer/w", grouped("b", 0), grouped("w", 0)});
  pairs.push_back({"group_order biases", adam, grouped("b", 0)});
  pairs.push_back({"decay 0.5", held([&] { return ParameterAverage(list); }),
                   held([&] { return ParameterAverage(list, {.decay = 0.5}); })});
  pairs.push_back({"bias_correction false", held([&] { return ParameterAverage(list); }),
                   held([&] { return ParameterAverage(list, {.bias_correction = false}); })});
  pairs.push_back({"period 7", held([&] { return Lookahead(list); }),
                   held([&] { return Lookahead(list, {.period = 7}); })});
  pairs.push_back({"maximize true", held([&] { return EarlyStopping(); }),
                   held([&] { return EarlyStopping({.maximize = true}); })});

  const auto batches = [](std::int64_t examples, const MinibatchOptions& o) {
    return held(Minibatches(examples, o, 1));
  };
  const Held ten = batches(10, {.batch = 4});
  pairs.push_back({"examples 11", ten, batches(11, {.batch = 4})});
  pairs.push_back({"shuffle false", ten, batches(10, {.batch = 4, .shuffle = false})});
  pairs.push_back({"drop_last true", ten, batches(10, {.batch = 4, .drop_last = true})});
  pairs.push_back(
      {"by_length true", ten,
       held(Minibatches::by_length(std::vector<std::int64_t>(10, 3), {.batch = 4}, 1))});
  return pairs;
}

}  // namespace

BOOST_AUTO_TEST_CASE(look_alikes_are_told_apart_by_name) {
  const std::vector<LookAlikes> pairs = look_alikes();
  BOOST_TEST(pairs.size() >= 26U);
  const rw::testing::TemporaryFolder folder;
  const std::string path = folder / "x.h5";
  for (const LookAlikes& pair : pairs) {
    BOOST_TEST_CONTEXT(pair.name) {
      BOOST_TEST_REQUIRE(pair.saved.state.size() == pair.now.state.size());
      for (std::size_t i = 0; i < pair.now.state.size(); ++i) {
        BOOST_TEST(pair.saved.state[i].path == pair.now.state[i].path);
        BOOST_TEST(pair.saved.state[i].tensor.shape() == pair.now.state[i].tensor.shape());
      }
      BOOST_TEST(differing_options(pair.saved.options, pair.saved.options).empty());
      check_contains(to_string(differing_options(pair.saved.options, pair.now.options)),
                     {pair.name});
      pair.saved.save(path);
      const std::string before = bytes_of(pair.now.state);
      check_contains(message_of<io::StateMismatch>([&] { pair.now.load(path); }),
                     {pair.name, "nothing was changed", "allow_different"});
      BOOST_CHECK(bytes_of(pair.now.state) == before);
      pair.saved.load(path);
    }
  }
}

namespace {

enum class Colour { red, blue };
[[maybe_unused]] const char* name_of(Colour colour) {
  return colour == Colour::red ? "red" : "blue";
}

/// A cell as a user writes one, with an option.
struct PaintedCell {
  struct State {
    Tensor h;
    template <class Visit>
    void tensors(Visit&& visit) {
      visit("h", h);
    }
  };
  Parameter w_h{zeros({2, 2})};
  Colour colour = Colour::blue;
  double third = 1.0 / 3;
  std::optional<std::int64_t> cut = {};

  State initial_state(std::int64_t batch) const { return {zeros({batch, 2})}; }
  std::int64_t output_size() const { return 2; }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& state) const {
    return {x, state};
  }
  template <class Visit>
  void options(Visit&& visit) const {
    visit("colour", colour);
    visit("third", third);
    visit("cut", cut);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_h", w_h);
  }
};

/// A model that reports no options of its own.
struct Nested {
  std::vector<Recurrent<PaintedCell>> layers;
  std::array<Linear, 2> heads;
  std::optional<LayerNorm> norm;
  std::string name = "of the model, not of its kind";
  Linear tied;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("layers", layers);
    visit("heads", heads);
    visit("norm", norm);
    visit("tied", heads[0].weight);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_list_of_members_leads_to_the_options_of_layers) {
  Rng rng(1);
  Nested model;
  model.layers.resize(2);
  model.heads[0] = Linear({.input = 2, .output = 2}, rng);
  BOOST_TEST(value_of(options_of(model), "norm/epsilon") == "not there");
  model.norm = LayerNorm({.features = 2, .epsilon = 1e-3});
  model.heads[0].weight.set_trainable(false);
  const OptionList list = options_of(model);
  BOOST_TEST(value_of(list, "kind") == "not there");
  BOOST_TEST(value_of(list, "layers/1/kind") == "recurrent");
  BOOST_TEST(value_of(list, "layers/1/cell/colour") == "blue");
  BOOST_TEST(value_of(list, "layers/1/cell/cut") == "none");
  BOOST_TEST(std::stod(value_of(list, "layers/0/cell/third")) == 1.0 / 3);
  BOOST_TEST(value_of(list, "heads/1/kind") == "linear");
  BOOST_TEST(value_of(list, "norm/epsilon") == "0.001");
  BOOST_TEST(value_of(list, "heads/0/weight/frozen") == "true");
  BOOST_TEST(value_of(list, "heads/0/bias/frozen") == "not there");
  BOOST_TEST(value_of(list, "tied/tied") == "heads/0/weight");
  BOOST_TEST((options_of(parameters(model)) == OptionList{{"heads/0/weight/frozen", "true"}}));
  BOOST_TEST(value_of(options_below("net", model), "net/heads/1/kind") == "linear");
  BOOST_TEST(options_below("rng", rng).empty());
}

BOOST_AUTO_TEST_CASE(a_ready_made_network_says_what_its_layers_are) {
  Rng rng(1);
  LSTM lstm({.input = 2, .hidden = 2}, {.layers = 2, .bidirectional = true}, rng);
  const OptionList list = options_below("lstm", lstm);
  BOOST_TEST(value_of(list, "lstm/layers/0/forward/cell/activation") == "tanh");
  BOOST_TEST(value_of(list, "lstm/layers/0/forward/cell/kind") == "lstm");
  BOOST_TEST(value_of(list, "lstm/layers/1/backward/direction") == "backward");
  BOOST_TEST(value_of(list, "lstm/layers/1/merge") == "concat");
  Decoder<GRU, MultiHeadAttention> decoder({.vocabulary = 4, .features = 2, .memory = 4},
                                           GRU({.input = 6, .hidden = 4}, rng),
                                           MultiHeadAttention({.query = 4, .heads = 2}, rng), rng);
  BOOST_TEST(value_of(options_of(decoder), "attention/heads") == "2");
  BOOST_TEST(value_of(options_of(decoder), "kind") == "decoder");
  Residual<Recurrent<RnnCell>> residual{{.cell = RnnCell({.input = 2, .hidden = 2}, rng)}};
  BOOST_TEST(value_of(options_of(residual), "kind") == "residual");
}

BOOST_AUTO_TEST_CASE(schedules_say_what_they_are) {
  const auto text = [](const Schedule& schedule) { return schedule.text(); };
  BOOST_TEST(text({}) == "constant");
  BOOST_TEST(text(step_decay(10)) == "step_decay(10, 0.1)");
  BOOST_TEST(text(multi_step_decay({1, 5}, 0.5)) == "multi_step_decay({1, 5}, 0.5)");
  BOOST_TEST(text(exponential_decay(0.9)) == "exponential_decay(0.9)");
  BOOST_TEST(text(linear_decay(7)) == "linear_decay(7, 0)");
  BOOST_TEST(text(cosine_restarts(7, 2)) == "cosine_restarts(7, 2, 0)");
  BOOST_TEST(text(one_cycle({.steps = 100})) == "one_cycle(100, 0.3, 0.04, 4e-06)");
  BOOST_TEST(text(warm_up(5).then(9, cosine_decay(7))) ==
             "warm_up(5, 0).then(9, cosine_decay(7, 0))");
  BOOST_TEST(text((warm_up(5) * linear_decay(9)).then(3, {})) ==
             "(warm_up(5, 0) * linear_decay(9, 0)).then(3, constant)");
  const Schedule own = [](std::int64_t) { return 0.5; };
  BOOST_TEST(text(own) == "a function");
  BOOST_TEST(text(warm_up(5) * own) == "warm_up(5, 0) * a function");
  const Schedule named("halves(7)", [](std::int64_t step) { return step < 7 ? 1 : 0.5; });
  BOOST_TEST(text(named) == "halves(7)");
  BOOST_TEST(named(7) == 0.5);
}

BOOST_AUTO_TEST_CASE(differences_are_told_all_at_once) {
  const OptionList saved{
      {"o/kind", "adam"}, {"o/beta1", "0.9"}, {"o/old", "1"}, {"m/c/reset", "a"}};
  const OptionList now{{"o/kind", "adamw"}, {"o/beta1", "0.8"}, {"m/c/reset", "b"}};
  BOOST_TEST(to_string(differing_options(saved, now)) ==
             "o: saved by adam {beta1 0.9, old 1}, loaded into adamw {beta1 0.8, old unset}; "
             "m/c: saved with {reset a}, loaded with {reset b}");
  BOOST_TEST(to_string(differing_options({{"kind", "lstm"}}, {{"kind", "rnn"}})) ==
             "saved by lstm, loaded into rnn");
  BOOST_TEST(to_string(differing_options(saved, saved)).empty());
  // Text from a file must not control the terminal.
  const std::string wild =
      to_string(differing_options({{"a", "\x1B[2J" + std::string(900, 'x')}}, {}));
  BOOST_TEST(wild.find('\x1B') == std::string::npos);
  BOOST_TEST(wild.size() < 400U);
}

BOOST_AUTO_TEST_CASE(what_may_differ_is_named_by_patterns) {
  const OptionList saved{{"m/a/reset", "1"}, {"m/b/reset", "1"}, {"o/beta1", "1"}};
  const OptionList now{{"m/a/reset", "2"}, {"m/b/reset", "2"}, {"o/beta1", "2"}};
  const auto left = [&](const std::vector<std::string>& allowed) {
    std::string paths;
    for (const OptionDifference& difference : differing_options(saved, now, allowed)) {
      paths += difference.path + " ";
    }
    return paths;
  };
  BOOST_TEST(left({"m/*"}) == "o/beta1 ");
  BOOST_TEST(left({"*reset"}) == "o/beta1 ");
  BOOST_TEST(left({"m/*/re*t"}) == "o/beta1 ");
  BOOST_TEST(left({"m/a/reset"}) == "m/b/reset o/beta1 ");
  BOOST_TEST(left({"*/reset", "o/beta1*"}).empty());
  BOOST_TEST(left({"*"}).empty());
  for (const char* typo : {"m/a", "reset", "*resett", "", "x*"}) {
    check_contains(message_of<UsageError>([&] { left({typo}); }), {std::string("'") + typo + "'"});
  }
}

BOOST_AUTO_TEST_SUITE_END()
