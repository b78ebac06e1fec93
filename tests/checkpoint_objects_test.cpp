// What a checkpoint knows about the objects in it: options that must agree, values that are
// possible, and the numbers, texts and histories beside them.

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/kernels/threads.hpp>
#include <rewind/io/vocabulary.hpp>
#include <rewind/layers/dropout.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/sequential.hpp>
#include <rewind/optim/adam.hpp>
#include <rewind/optim/history.hpp>

#include "support/checkpoint_fixture.hpp"
#include "support/golden_checkpoint.hpp"

namespace {

using namespace rw;
using namespace rw::testing::checkpoints;
using rw::testing::check_contains;

/// An encoder and its readout.
struct Tagger {
  GRU encoder;
  Linear head;

  explicit Tagger(Rng& rng, Reset reset = Reset::after, std::int64_t classes = 3)
      : encoder({.input = 2, .hidden = 4, .bias = false, .reset = reset}, {}, rng),
        head({.input = 4, .output = classes}, rng) {}

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("encoder", encoder);
    visit("head", head);
  }
};

struct Fixture {
  Folder folder;
  std::string path = folder / "x.h5";
  Rng rng{1};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(checkpoint_objects, Fixture)

BOOST_AUTO_TEST_CASE(all_differences_are_listed_at_once) {
  Tagger saved(rng);
  Adam adam(parameters(saved), {.beta1 = 0.8});
  io::save(path, "model", saved, "optimizer", adam);
  Tagger other(rng, Reset::before, 5);
  Adam later(parameters(other));
  const std::string before = bytes_of(io::collect("m", other, "o", later));
  const std::string why =
      message_of<io::StateMismatch>([&] { io::load(path, "model", other, "optimizer", later); });
  check_contains(why, {"x.h5", "wrong shape: model/head/weight", "reset after", "reset before",
                       "beta1 0.8", "beta1 0.9", "nothing was changed",
                       "{\"model/encoder/layers/0/cell/reset\", \"optimizer/beta1\"}"});
  BOOST_CHECK(bytes_of(io::collect("m", other, "o", later)) == before);
}

BOOST_AUTO_TEST_CASE(what_may_differ_is_named) {
  Tagger saved(rng);
  io::save(path, "model", saved);
  Tagger other(rng, Reset::before);
  const std::string why = message_of<io::StateMismatch>([&] { io::load(path, "model", other); });
  // The hint in the message works.
  const std::string hint = "model/encoder/layers/0/cell/reset";
  check_contains(why, {".allow_different = {\"" + hint + "\"}"});
  io::load(path, {.allow_different = {hint}}, "model", other);
  BOOST_CHECK(bytes_of(io::collect("m", other)) == bytes_of(io::collect("m", saved)));
  io::load(path, {.allow_different = {"*/reset"}}, "model", other);
  BOOST_CHECK_THROW(io::load(path, {.allow_different = {"*/rest"}}, "model", other), UsageError);
}

BOOST_AUTO_TEST_CASE(options_of_what_is_not_loaded_do_not_count) {
  Tagger saved(rng);
  Adam adam(parameters(saved), {.beta1 = 0.8});
  io::save(path, "model", saved, "optimizer", adam);
  Tagger other(rng);
  BOOST_TEST(io::load(path, {.allow_unexpected = true}, "model", other).complete());

  // Another head keeps its values, whatever they are.
  Linear frozen({.input = 4, .output = 5}, rng);
  frozen.weight.set_trainable(false);
  frozen.bias.set_trainable(false);
  Tagger wider(rng, Reset::after, 5);
  wider.head = std::move(frozen);
  const io::LoadReport report =
      io::load(path, {.allow_unexpected = true, .allow_mismatched = true}, "model", wider);
  BOOST_TEST(report.mismatched.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_part_of_a_file_goes_into_a_part_of_a_model) {
  Tagger saved(rng);
  io::save(path, "model", saved);
  GRU encoder({.input = 2, .hidden = 4, .bias = false}, {}, rng);
  GRU before({.input = 2, .hidden = 4, .bias = false, .reset = Reset::before}, {}, rng);
  const io::LoadOptions renamed{.allow_unexpected = true,
                                .rename = {{"model/encoder/*", "body/*"}}};
  BOOST_TEST(io::load(path, renamed, "body", encoder).complete());
  BOOST_CHECK(bytes_of(io::collect("m", encoder)) == bytes_of(io::collect("m", saved.encoder)));
  check_contains(message_of<io::StateMismatch>([&] { io::load(path, renamed, "body", before); }),
                 {"body/layers/0/cell", "reset after", "reset before"});
  // The same by its full path.
  BOOST_TEST(io::load(path, {.allow_unexpected = true}, "model/encoder", encoder).complete());
  BOOST_CHECK_THROW(io::load(path, {.allow_unexpected = true}, "model/encoder", before),
                    io::StateMismatch);
}

BOOST_AUTO_TEST_CASE(layers_without_values_count_too) {
  auto saved = Sequential(Linear({.input = 2, .output = 2}, rng), Dropout{0.5});
  io::save(path, "model", saved);
  auto other = Sequential(Linear({.input = 2, .output = 2}, rng), Dropout{0.25});
  check_contains(message_of<io::StateMismatch>([&] { io::load(path, "model", other); }),
                 {"p 0.5", "p 0.25"});
}

BOOST_AUTO_TEST_CASE(files_and_lists_without_options_load_as_before) {
  Tagger saved(rng);
  io::save(path, io::collect("model", saved));
  Tagger other(rng, Reset::before);
  io::load(path, {.allow_different = {"model/*"}}, "model", other);
  io::load(path, "model", other);
  io::save(path, "model", saved);
  io::load(path, io::collect("model", other));
}

BOOST_AUTO_TEST_CASE(numbers_flags_and_texts_are_saved) {
  const std::string json = R"({"cell": "lstm", "größe": [1, 2]})" + std::string(100'000, ' ');
  io::save(path, "epoch", 7, "seed", std::numeric_limits<std::uint64_t>::max(), "done", true,
           "loss", 0.1f, "nothing", std::numeric_limits<double>::quiet_NaN(), "config", json,
           "empty", std::string());
  int epoch = 0;
  std::uint64_t seed = 0;
  bool done = false;
  float loss = 0;
  double nothing = 0;
  std::string config;
  std::string empty = "x";
  io::load(path, "epoch", epoch, "seed", seed, "done", done, "loss", loss, "nothing", nothing,
           "config", config, "empty", empty);
  BOOST_TEST(epoch == 7);
  BOOST_TEST(seed == std::numeric_limits<std::uint64_t>::max());
  BOOST_TEST(done);
  BOOST_TEST(loss == 0.1f);
  BOOST_TEST(nothing != nothing);
  BOOST_TEST((config == json));
  BOOST_TEST(empty.empty());
}

BOOST_AUTO_TEST_CASE(numbers_that_do_not_fit_are_refused_and_change_nothing) {
  io::save(path, "a", 300, "b", 2, "text", std::string("ab"));
  std::uint8_t narrow = 1;
  int b = 0;
  std::string text;
  check_contains(
      message_of<io::CheckpointRefused>([&] { io::load(path, "a", narrow, "b", b, "text", text); }),
      {"x.h5", "a: ", "300", "0 to 255", "nothing was changed"});
  BOOST_TEST(narrow == 1);
  BOOST_TEST(b == 0);
  BOOST_TEST(text.empty());
  int a = 0;
  bool flag = false;
  BOOST_CHECK_THROW(io::load(path, {.allow_unexpected = true}, "b", flag), io::CheckpointRefused);
  double real = 0;
  BOOST_CHECK_THROW(io::load(path, {.allow_unexpected = true}, "a", real), io::StateMismatch);
  BOOST_CHECK_THROW(io::load(path, {.allow_unexpected = true}, "a", text), io::CheckpointRefused);
  BOOST_CHECK_THROW(io::load(path, {.allow_unexpected = true}, "text", a), io::CheckpointRefused);
  io::save(path, "text", Tensor::from<std::int64_t>({2}, {'a', 256}));
  check_contains(message_of<io::CheckpointRefused>([&] { io::load(path, "text", text); }),
                 {"text: ", "256"});
}

BOOST_AUTO_TEST_CASE(histories_and_vocabularies_take_the_place_of_others) {
  History history;
  history.add("loss", 1, 0.5);
  history.add("loss", 2, 0.25);
  const Vocabulary vocabulary("the quick brown fox", {.unit = TokenUnit::word});
  Tagger model(rng);
  io::save(path, "model", model, "history", history, "vocabulary", vocabulary);
  History restored;
  restored.add("other", 5, 1);
  Vocabulary words("abc");
  io::load(path, "model", model, "history", restored, "vocabulary", words);
  BOOST_TEST((restored == history));
  BOOST_TEST(words.size() == 4);
  BOOST_TEST(words.token(1) == vocabulary.token(1));

  // All or nothing.
  StateList part = io::collect("history", history);
  part.pop_back();
  io::save(path, io::collect("model", model, "", part));
  History old;
  old.add("old", 1, 1);
  const History before = old;
  const io::LoadReport report = io::load(path, {.allow_missing = true, .allow_unexpected = true},
                                         "model", model, "history", old);
  BOOST_TEST((old == before));
  BOOST_TEST(report.missing.size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_history_of_which_a_part_does_not_fit_is_not_mixed) {
  History history;
  history.add("loss", 7, 0.5);
  Tagger model(rng);
  StateList state = io::collect("model", model, "history", history);
  for (StateEntry& entry : state) {
    if (entry.path == "history/values") {
      entry.tensor = entry.tensor.to(DType::float32);
    }
  }
  io::save(path, state);
  History old;
  old.add("loss", 1, 0.25);
  const History before = old;
  check_contains(
      message_of<io::StateMismatch>([&] { io::load(path, "model", model, "history", old); }),
      {"wrong type: history/values is float32, expected float64"});
  const io::LoadReport report =
      io::load(path, {.allow_mismatched = true}, "model", model, "history", old);
  BOOST_TEST((old == before));
  BOOST_TEST(report.mismatched.size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_history_that_cannot_be_changes_nothing) {
  History history;
  history.add("loss", 1, 0.5);
  Tagger model(rng);
  StateList state = io::collect("model", model, "history", history);
  for (StateEntry& entry : state) {
    entry.tensor = entry.path == "history/lengths" ? Tensor::from<std::int64_t>({1}, {7})
                                                   : entry.tensor.clone();
  }
  io::save(path, state);
  Tagger other(rng);
  const std::string before = bytes_of(io::collect("m", other));
  check_contains(message_of<io::CheckpointRefused>(
                     [&] { io::load(path, "model", other, "history", history); }),
                 {"history: ", "7", "nothing was changed"});
  BOOST_CHECK(bytes_of(io::collect("m", other)) == before);
  BOOST_TEST(history.contains("loss"));
}

BOOST_AUTO_TEST_CASE(finite_weights_can_be_asked_for) {
  Tagger saved(rng);
  saved.head.bias.mutable_data<float>()[1] = std::numeric_limits<float>::infinity();
  io::save(path, "model", saved);
  Tagger other(rng);
  io::load(path, "model", other);
  Tagger fresh(rng);
  const std::string before = bytes_of(io::collect("m", fresh));
  check_contains(message_of<io::CheckpointRefused>(
                     [&] { io::load(path, {.require_finite = true}, "model", fresh); }),
                 {"model/head/bias", "inf at element 1"});
  BOOST_CHECK(bytes_of(io::collect("m", fresh)) == before);
}

BOOST_AUTO_TEST_CASE(why_a_run_may_not_go_on_exactly_is_told) {
  Tagger model(rng);
  int threads_before = threads();
  {
    const ThreadLimit one(1);
    io::save(path, "model", model);
    BOOST_TEST(io::load(path, "model", model).inexact.empty());
  }
  {
    const ThreadLimit two(2);
    check_contains(io::load(path, "model", model).inexact, {"1 thread", "2 threads"});
  }
  BOOST_TEST(threads() == threads_before);
  const StateList golden = zeros_like(rw::testing::golden::state());
  check_contains(io::load(REWIND_TEST_DATA "/checkpoint_version_1.h5", golden).inexact,
                 {"saved by rewind", "last bits"});
}

BOOST_AUTO_TEST_SUITE_END()
