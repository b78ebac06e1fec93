// Values that no object can have are found before any is assigned, and named; values that objects
// do have are accepted. One row for every object with state, whose header tests/lint/tables.sh asks
// for.

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/state_check.hpp>
#include <rewind/io/bptt_batches.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/io/minibatches.hpp>
#include <rewind/io/vocabulary.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/stream.hpp>
#include <rewind/layers/truncated_bptt.hpp>
#include <rewind/optim/average.hpp>
#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/history.hpp>
#include <rewind/optim/lbfgs.hpp>
#include <rewind/optim/reduce_on_plateau.hpp>
#include <rewind/optim/saved_gradients.hpp>
#include <rewind/optim/trainer.hpp>

#include "optimizer_table.hpp"
#include "support/bytes_of.hpp"
#include "support/messages.hpp"
#include "support/small_model.hpp"
#include "support/temporary_folder.hpp"

using namespace rw;
using rw::testing::bytes_of;
using rw::testing::check_contains;
using rw::testing::infinity;
using rw::testing::message_of;
using rw::testing::not_a_number;

BOOST_AUTO_TEST_SUITE(restored_values)

namespace {

/// An object, with its state as a checkpoint would hold it.
struct Object {
  std::string name;
  StateList state;
  std::function<std::vector<std::string>(const StateList&)> faults;
  std::function<void(const std::string& path)> load;
};

template <class T>
Object object_of(const std::string& name, std::shared_ptr<T> object) {
  return {name, state_of(*object),
          [=](const StateList& values) { return state_faults(name, *object, values); },
          [=](const std::string& path) { io::load(path, name, *object); }};
}

/// The state with one number of one entry replaced, in new memory.
StateList with_value(const StateList& state, std::size_t entry, double value) {
  StateList values = state;
  values[entry].tensor = values[entry].tensor.clone();
  dispatch(values[entry].tensor.dtype(), [&](auto type) {
    using T = decltype(type);
    const auto at = values[entry].tensor.elements() / 2;
    if constexpr (std::same_as<T, std::int64_t>) {
      values[entry].tensor.template mutable_data<T>()[at] =
          value >= 0x1p63 ? std::numeric_limits<T>::max() : static_cast<T>(value);
    } else {
      values[entry].tensor.template mutable_data<T>()[at] = static_cast<T>(value);
    }
  });
  return values;
}

/// All objects with state, in the middle of a training.
class Everything {
 public:
  Everything() : model_(DType::float32) {
    const ParameterList list = parameters(model_);
    for (const auto& row : rw::testing::optimizer_table()) {
      std::shared_ptr<Optimizer> rule = row.make(list);
      rule->add_group({.name = "biases",
                       .contains = [](const auto& p) { return p.path.ends_with("/b"); },
                       .learning_rate_factor = 0.5});
      for (int t = 1; t <= 3; ++t) {
        rw::testing::set_gradients(list, t);
        rule->step();
      }
      objects.push_back(object_of(row.name, rule));
    }
    objects.push_back(object_of("gradients", std::make_shared<SavedGradients>(list)));
    const auto average = std::make_shared<ParameterAverage>(list);
    const auto lookahead = std::make_shared<Lookahead>(list);
    average->update();
    lookahead->update();
    objects.push_back(object_of("average", average));
    objects.push_back(object_of("lookahead", lookahead));
    const auto lbfgs = std::make_shared<Lbfgs>(list, LbfgsOptions{.max_iterations = 3});
    lbfgs->step([&] { return sum(model_.w * model_.w * model_.w * model_.w); });
    objects.push_back(object_of("lbfgs", lbfgs));
    const auto stopping = std::make_shared<EarlyStopping>();
    adam_ = rw::testing::optimizer_table().back().make(list);
    const auto plateau = std::make_shared<ReduceOnPlateau>(*adam_);
    const auto best = std::make_shared<BestValue>();
    for (const double value : {3.0, 2.0, 2.5}) {
      stopping->observe(value);
      plateau->observe(value);
      best->observe(value);
    }
    objects.push_back(object_of("stopping", stopping));
    objects.push_back(object_of("plateau", plateau));
    objects.push_back(object_of("best", best));
    const auto trainer = std::make_shared<Trainer>(
        *adam_, TrainerOptions{.plateau = ReduceOnPlateauOptions{},
                               .stop = [n = 0]() mutable { return ++n == 4; },
                               .output = nullptr});
    const auto batches = std::make_shared<Minibatches>(10, MinibatchOptions{.batch = 3}, 1);
    trainer->fit(*batches, [&](const Tensor&) { return sum(model_.w * model_.w); });
    BOOST_TEST(trainer->interrupted());
    objects.push_back(object_of("trainer", trainer));
    objects.push_back(object_of("batches", batches));
    objects.push_back(
        object_of("stream", std::make_shared<Stream>(network_, StreamOptions{.inputs = 1})));
    const auto chunks = std::make_shared<BpttBatches>(zeros({20}), BpttOptions{.steps = 3});
    chunks->next();
    objects.push_back(object_of("chunks", chunks));
    objects.push_back(object_of("rng", std::make_shared<Rng>(7)));
    objects.push_back(object_of("vocabulary", std::make_shared<Vocabulary>("some words")));
    objects.push_back(object_of(
        "bptt", std::make_shared<TruncatedBptt<Tensor>>(
                    zeros({2, 3}), TruncationOptions{.every = 1, .back = 3}, zeros({2, 3}))));
  }

  std::vector<Object> objects;

 private:
  rw::testing::Model model_;
  Rng rng_{1};
  GRU network_{{.input = 1, .hidden = 3}, rng_};
  std::unique_ptr<Optimizer> adam_;
};

/// The first name of an entry's path, without the parts of a trainer.
std::string what(const std::string& path) {
  for (const char* part : {"stopping/", "plateau/"}) {
    if (path.starts_with(part)) {
      return path.substr(std::string(part).size());
    }
  }
  return path.substr(0, path.find('/'));
}

/// Weights, their averages, what a network carries ("0" of a stream), seeds: any number is
/// possible.
const std::set<std::string> anything{"0",     "average",  "slow",  "seed",    "xoshiro256++",
                                     "state", "settings", "steps", "gradient"};
const std::set<std::string> maybe_negative{"velocity", "first_moment", "mean_gradient",
                                           "moves",    "loss",         "gradient_changes",
                                           "best",     "tokens"};
const std::set<std::string> maybe_infinite{"best"};

}  // namespace

BOOST_AUTO_TEST_CASE(values_that_objects_have_are_let_through) {
  const Everything everything;
  for (const Object& object : everything.objects) {
    BOOST_TEST_CONTEXT(object.name) { BOOST_TEST(object.faults(object.state).empty()); }
  }
}

BOOST_AUTO_TEST_CASE(objects_load_what_they_saved) {
  const rw::testing::TemporaryFolder folder;
  const std::string path = folder / "x.h5";
  for (const Object& object : Everything().objects) {
    BOOST_TEST_CONTEXT(object.name) {
      io::save(path, object.name, object.state);
      object.load(path);
    }
  }
}

BOOST_AUTO_TEST_CASE(impossible_values_are_found_and_named) {
  const Everything everything;
  const std::array<double, 5> candidates{-1, not_a_number, infinity, -infinity, 0x1p63};
  std::set<std::string> seen;
  const rw::testing::TemporaryFolder folder;
  const std::string file = folder / "x.h5";
  int refused = 0;
  for (const Object& object : everything.objects) {
    for (std::size_t entry = 0; entry < object.state.size(); ++entry) {
      const auto& [path, tensor, range] = object.state[entry];
      const std::string kind = what(path);
      seen.insert(kind);
      if (anything.contains(kind)) {
        continue;
      }
      for (const double value : candidates) {
        const bool is_int = tensor.dtype() == DType::int64;
        if ((is_int && !std::isfinite(value)) || (value == -1 && maybe_negative.contains(kind)) ||
            (std::isinf(value) && maybe_infinite.contains(kind)) ||
            (value == 0x1p63 && !is_int && range.greatest > 0x1p60)) {
          continue;
        }
        BOOST_TEST_CONTEXT(object.name << ": " << path << " " << value) {
          const StateList values = with_value(object.state, entry, value);
          const auto faults = object.faults(values);
          BOOST_TEST_REQUIRE(faults.size() == 1U);
          check_contains(faults[0], {object.name + "/" + path});
          io::save(file, object.name, values);
          const std::string before = bytes_of(object.state);
          check_contains(message_of<io::CheckpointRefused>([&] { object.load(file); }),
                         {object.name, path, "nothing was changed"});
          BOOST_CHECK(bytes_of(object.state) == before);
          ++refused;
        }
      }
    }
  }
  BOOST_TEST_MESSAGE(refused << " impossible values refused");
  BOOST_TEST(refused > 591);
  // A name that no state has any more would let any value through.
  for (const auto& names : {anything, maybe_negative, maybe_infinite}) {
    for (const std::string& name : names) {
      BOOST_TEST(seen.contains(name), name << " is the name of no state");
    }
  }
}

namespace {

/// The faults of an object if its entry `path` had other values.
template <class T>
std::string faults_with(const T& object, StateList values, const std::string& path,
                        const Tensor& changed) {
  for (StateEntry& entry : values) {
    if (entry.path == path) {
      entry.tensor = changed;
    }
  }
  std::string all;
  for (const std::string& fault : state_faults("it", object, values)) {
    all += fault + "\n";
  }
  return all;
}

Tensor whole(std::int64_t value) { return Tensor::from<std::int64_t>({}, {value}); }

}  // namespace

BOOST_AUTO_TEST_CASE(a_generator_of_zeros_only_is_refused) {
  Rng rng(1);
  check_contains(faults_with(rng, rng.state(), "xoshiro256++", zeros({4}, DType::int64)),
                 {"it/xoshiro256++", "0"});
  BOOST_TEST(
      faults_with(rng, rng.state(), "xoshiro256++", Tensor::from<std::int64_t>({4}, {0, 0, 0, 1}))
          .empty());
}

BOOST_AUTO_TEST_CASE(a_message_says_value_and_range) {
  rw::testing::Model model(DType::float32);
  const auto rule = rw::testing::optimizer_table().back().make(parameters(model));
  const StateList state = rule->state();
  BOOST_TEST(faults_with(*rule, state, "learning_rate", scalar(-1, DType::float64)) ==
             "it/learning_rate is -1, expected at least 0 and finite\n");
  BOOST_TEST(faults_with(*rule, state, "step", whole(-3)) ==
             "it/step is -3, expected 0 to 9007199254740992\n");
  EarlyStopping stopping;
  BOOST_TEST(
      faults_with(stopping, stopping.state(), "best", scalar(not_a_number, DType::float64)) ==
      "it/best is nan, expected no NaN\n");
  StateList both = state;
  both[0].tensor = scalar(-1, DType::float64);
  both[1].tensor = whole(-1);
  BOOST_TEST(state_faults("it", *rule, both).size() == 2U);
}

BOOST_AUTO_TEST_CASE(places_outside_an_epoch_and_other_data_are_refused) {
  const Minibatches batches(10, {.batch = 3}, 1);
  const StateList state = batches.state();
  BOOST_TEST(faults_with(batches, state, "position", whole(3)).empty());
  check_contains(faults_with(batches, state, "position", whole(4)), {"position is 4", "0 to 3"});
  check_contains(faults_with(batches, state, "examples", whole(11)), {"is 11, expected 10"});
  check_contains(faults_with(batches, state, "epoch", whole(-1)), {"epoch is -1"});
  const Minibatches empty(0, {.batch = 3}, 1);
  BOOST_TEST(state_faults("it", empty, empty.state()).empty());
}

BOOST_AUTO_TEST_CASE(entries_that_contradict_each_other_are_refused) {
  EarlyStopping stopping;
  stopping.observe(1);
  check_contains(faults_with(stopping, stopping.state(), "waited", whole(2)),
                 {"it/improved is 1", "waited is 2"});
  rw::testing::Model model(DType::float32);
  const auto rule = rw::testing::optimizer_table().back().make(parameters(model));
  const Trainer trainer(*rule, {.output = nullptr});
  check_contains(faults_with(trainer, trainer.state(), "batches", whole(2)), {"it/weight is 0"});
  check_contains(faults_with(trainer, trainer.state(), "stopping/improved", whole(1)), {});
  Lbfgs lbfgs(parameters(model));
  check_contains(faults_with(lbfgs, lbfgs.state(), "pairs", whole(1)), {"it/moves", "pair 0"});
  check_contains(faults_with(lbfgs, lbfgs.state(), "pairs", whole(11)), {"pairs is 11", "0 to 10"});
}

BOOST_AUTO_TEST_CASE(broken_vocabularies_are_refused) {
  const Vocabulary vocabulary("ab", {.padding = "<pad>", .unknown = "<unk>"});
  const StateList state = vocabulary.state();
  const auto tokens = [&](const std::vector<std::int64_t>& bytes) {
    return faults_with(
        vocabulary, state, "tokens",
        Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(bytes.size())}, bytes));
  };
  check_contains(tokens({'a', 256, -1}), {"it/tokens", "256"});
  check_contains(tokens({'a', -2, -1}), {"it/tokens", "-2"});
  check_contains(tokens({'a', -1, 'b'}), {"it/tokens", "without an end"});
  check_contains(tokens({'a', -1, 'a', -1}), {"it/tokens", "twice"});
  check_contains(tokens({'a', -1, -1}), {"it/tokens", "empty"});
  check_contains(tokens({0xFF, -1}), {"it/tokens", "UTF-8"});
  const auto settings = [&](const std::vector<std::int64_t>& numbers) {
    return faults_with(vocabulary, state, "settings", Tensor::from<std::int64_t>({5}, numbers));
  };
  BOOST_TEST(settings({0, 0, 1, -1, -1}).empty());
  check_contains(settings({2, 0, 1, -1, -1}), {"it/settings", "unit 2"});
  check_contains(settings({0, 4, 1, -1, -1}), {"it/settings", "4 for padding"});
  check_contains(settings({0, 0, -2, -1, -1}), {"it/settings", "-2 for unknown"});
  check_contains(settings({0, 0, 0, -1, -1}), {"it/settings", "0 for unknown"});
}

BOOST_AUTO_TEST_CASE(large_tensors_are_looked_through_element_by_element) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Tensor values = ones({100, 7}, dtype);
    BOOST_TEST(fault_of(values, finite_from_zero).empty());
    dispatch_floating(dtype, [&](auto type) {
      using T = decltype(type);
      Tensor changed = values.clone();
      for (const T bad : {static_cast<T>(-1e-30), std::numeric_limits<T>::infinity(),
                          std::numeric_limits<T>::quiet_NaN()}) {
        changed.mutable_data<T>()[432] = bad;
        check_contains(fault_of(changed, finite_from_zero), {"at element 432"});
        BOOST_TEST(fault_of(changed, any_values).empty());
      }
      changed.mutable_data<T>()[432] = std::numeric_limits<T>::max();
      BOOST_TEST(fault_of(changed, finite_from_zero).empty());
      changed.mutable_data<T>()[432] = std::numeric_limits<T>::lowest();
      BOOST_TEST(fault_of(changed, finite_values).empty());
    });
  }
}

BOOST_AUTO_TEST_CASE(what_grows_is_made_anew_from_its_state) {
  static_assert(MadeFromState<History> && MadeFromState<Vocabulary> && !MadeFromState<Rng>);
  History history;
  BOOST_TEST((History::from_state(history.to_state()) == history));
  history.add("loss", 1, 0.5);
  history.add("loss", 3, 0.25);
  history.add("läuft/\xFF", -4, infinity);
  BOOST_TEST((History::from_state(history.to_state()) == history));
  const StateList state = history.to_state();
  const auto refused = [&](std::size_t entry, const Tensor& changed) {
    StateList values = state;
    values[entry].tensor = changed;
    return message_of<CheckpointError>([&] { History::from_state(values); });
  };
  const auto list = [](const std::vector<std::int64_t>& numbers) {
    return Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(numbers.size())}, numbers);
  };
  check_contains(refused(0, list({'a', 256, -1, 'b', -1})), {"256"});
  check_contains(refused(0, list({'a', -1, 'a', -1})), {"name of another"});
  check_contains(refused(0, list({'a', -1, 'b'})), {"history"});
  check_contains(refused(1, list({2, 2})), {"series 1 has 2 of the 1 points"});
  check_contains(refused(1, list({3, 0})), {"history"});
  check_contains(refused(1, list({-1, 4})), {"-1"});
  check_contains(refused(1, list({1, 1})), {"history"});
  check_contains(refused(2, list({3, 3, 1})), {"step 3 after step 3"});
  check_contains(refused(2, list({1, 3})), {"2 steps for 3 values"});
  check_contains(refused(3, zeros({3})), {"float32", "float64"});
  const Vocabulary vocabulary("some words", {.unit = TokenUnit::word, .unknown = "<unk>"});
  const Vocabulary same = Vocabulary::from_state(vocabulary.to_state());
  BOOST_TEST(same.size() == vocabulary.size());
  BOOST_TEST(same.decode(same.encode("words some")) == "words some");
  StateList broken = vocabulary.to_state();
  broken[0].tensor = zeros({3});
  BOOST_CHECK_THROW(Vocabulary::from_state(broken), io::CheckpointRefused);
}

BOOST_AUTO_TEST_CASE(gradients_come_back_as_they_were) {
  const rw::testing::TemporaryFolder folder;
  rw::testing::Model model(DType::float32);
  rw::testing::set_gradients(parameters(model), 1);
  model.b.zero_grad();
  const auto bytes = [](const rw::testing::Model& m) {
    return bytes_of(m.w.grad()) + bytes_of(m.s.grad());
  };
  const SavedGradients saved(parameters(model));
  io::save(folder / "x.h5", "gradients", saved);
  rw::testing::Model same(DType::float32);
  rw::testing::set_gradients(parameters(same), 2);
  BOOST_TEST(bytes(same) != bytes(model));
  SavedGradients restored(parameters(same));
  io::load(folder / "x.h5", "gradients", restored);
  restored.put_back();
  BOOST_TEST(!same.b.has_grad());
  BOOST_TEST(bytes(same) == bytes(model));
}

BOOST_AUTO_TEST_CASE(a_trainer_goes_on_with_a_history) {
  rw::testing::Model model(DType::float64);
  const auto rule = rw::testing::optimizer_table().back().make(parameters(model));
  Trainer trainer(*rule, {.output = nullptr});
  History before;
  before.add("loss", 0, 3);
  trainer.set_history(before);
  trainer.fit(Minibatches(2, {}, 1), [&](const Tensor&) { return sum(model.w * model.w); });
  BOOST_TEST(trainer.history()["loss"].size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
