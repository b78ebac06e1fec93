// What the experiments share: the tasks, as they are defined, the command line, training and
// testing.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <rewind/rewind.hpp>

#include "common/echo_task.hpp"
#include "common/experiment.hpp"
#include "common/heat_map.hpp"
#include "common/model.hpp"
#include "common/monitor.hpp"
#include "common/options.hpp"
#include "common/plot.hpp"
#include "common/temporal_order.hpp"
#include "support/messages.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace rw::testing;
namespace fs = std::filesystem;
namespace order = examples::temporal_order;
using examples::CommandLine;
using examples::Stop;

/// A small experiment's command line.
struct Fixture {
  CommandLine line{"echo", "summary", "  echo --delay 3"};
  const std::int64_t& delay = line.integer("delay", 3, "steps", 0, 10);
  const std::int64_t& hidden = line.integer(
      "hidden", [this] { return 2 * delay; }, "units", 1, 64);
  const double& rate = line.number("learning-rate", 0.5, "rate", 1e-8, 10);
  const std::string& cell = line.choice("cell", "gru", {"lstm", "gru"}, "kind");
  const bool& shows = line.flag("show", true, "whether to");

  void parse(std::vector<std::string> arguments) {
    std::vector<const char*> pointers{"echo"};
    for (const std::string& argument : arguments) {
      pointers.push_back(argument.c_str());
    }
    line.parse(static_cast<int>(pointers.size()), pointers.data());
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(echo_task)

BOOST_DATA_TEST_CASE(the_target_is_the_stream_some_steps_earlier,
                     boost::unit_test::data::make({0, 1, 3, 10, 49, 50, 80}), delay) {
  constexpr std::size_t steps = 50;
  constexpr std::size_t streams = 4;
  rw::Rng rng(7);
  const examples::EchoStreams task = examples::echo_streams(steps, streams, delay, rng);
  BOOST_TEST((task.x.shape() == rw::Shape{steps, streams, 1}));
  BOOST_TEST((task.y.shape() == task.x.shape()));
  const std::vector<float> bits = task.x.to_vector<float>();
  const std::vector<float> echo = task.y.to_vector<float>();
  const auto offset = static_cast<std::size_t>(delay);
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t b = 0; b < streams; ++b) {
      const float expected = t < offset ? 0.0F : bits[(t - offset) * streams + b];
      BOOST_TEST(echo[t * streams + b] == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(bits_are_fair_and_streams_differ) {
  rw::Rng rng(1);
  const auto streams = examples::echo_streams(20'000, 5, 3, rng);
  std::map<float, int> counts;
  for (const float bit : streams.x.to_vector<float>()) {
    ++counts[bit];
  }
  BOOST_TEST(counts.size() == 2U);
  // Within five standard deviations of 50,000.
  BOOST_TEST(std::abs(counts[0.0F] - 50'000) < 800);
  BOOST_TEST(counts[0.0F] + counts[1.0F] == 100'000);
  const auto again = examples::echo_streams(20'000, 5, 3, rng);
  BOOST_TEST(streams.x.to_vector<float>() != again.x.to_vector<float>());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(temporal_order_task)

BOOST_AUTO_TEST_CASE(levels_are_those_of_the_literature) {
  struct Expected {
    const char* name;
    std::int64_t numbers[6];
  };
  const Expected table[] = {{"easy", {7, 8, 1, 2, 4, 5}},
                            {"normal", {30, 40, 2, 5, 20, 27}},
                            {"moderate", {60, 80, 10, 20, 45, 54}},
                            {"hard", {100, 110, 10, 20, 50, 60}},
                            {"nightmare", {300, 500, 10, 80, 250, 290}}};
  BOOST_TEST(order::levels.size() == std::size(table));
  for (const Expected& expected : table) {
    const order::Level& level = order::level(expected.name);
    const std::vector<std::int64_t> got{level.length.low, level.length.high, level.first.low,
                                        level.first.high, level.second.low,  level.second.high};
    BOOST_TEST(
        got == std::vector<std::int64_t>(std::begin(expected.numbers), std::end(expected.numbers)),
        boost::test_tools::per_element());
  }
  BOOST_CHECK_THROW(order::level("impossible"), rw::UsageError);
}

BOOST_DATA_TEST_CASE(sequences_follow_the_definition,
                     boost::unit_test::data::make({"easy", "normal", "moderate", "hard",
                                                   "nightmare"}),
                     name) {
  const order::Level& level = order::level(name);
  const std::map<std::string, char> class_of{{"XX", 'Q'}, {"XY", 'R'}, {"YX", 'S'}, {"YY", 'U'}};
  rw::Rng rng(3);
  std::set<std::int64_t> lengths;
  std::set<std::int64_t> firsts;
  std::set<std::int64_t> seconds;
  std::map<char, int> classes;
  std::set<char> distractors;
  constexpr int count = 4000;
  for (int i = 0; i < count; ++i) {
    const auto [text, label] = order::draw(level, rng);
    BOOST_REQUIRE(text.size() >= 2);
    BOOST_REQUIRE_EQUAL(text.front(), 'B');
    BOOST_REQUIRE_EQUAL(text.back(), 'E');
    std::string relevant;
    std::vector<std::int64_t> places;
    for (std::size_t t = 1; t + 1 < text.size(); ++t) {
      if (text[t] == 'X' || text[t] == 'Y') {
        relevant += text[t];
        places.push_back(static_cast<std::int64_t>(t));
      } else {
        distractors.insert(text[t]);
      }
    }
    BOOST_REQUIRE_EQUAL(places.size(), 2U);
    lengths.insert(static_cast<std::int64_t>(text.size()));
    firsts.insert(places[0]);
    seconds.insert(places[1]);
    BOOST_REQUIRE_EQUAL(order::classes[static_cast<std::size_t>(label)], class_of.at(relevant));
    ++classes[order::classes[static_cast<std::size_t>(label)]];
  }
  BOOST_TEST((distractors == std::set<char>{'a', 'b', 'c', 'd'}));
  // Every number of each range occurs, and none outside.
  const auto fills = [](const std::set<std::int64_t>& seen, const order::Range& range) {
    return *seen.begin() == range.low && *seen.rbegin() == range.high &&
           static_cast<std::int64_t>(seen.size()) == range.high - range.low + 1;
  };
  BOOST_TEST(fills(lengths, level.length));
  BOOST_TEST(fills(firsts, level.first));
  BOOST_TEST(fills(seconds, level.second));
  for (const char name_of_class : order::classes) {
    BOOST_TEST(std::abs(classes[name_of_class] - count / 4) < 140);  // five standard deviations
  }
}

BOOST_AUTO_TEST_CASE(shorter_sequences_are_padded_in_front_with_zeros) {
  const std::vector<order::Sequence> sequences{{"BXYE", 1}, {"BabXcYdE", 1}, {"BYE", 2}};
  const auto [x, labels] = order::encode(sequences);
  BOOST_TEST((x.shape() == rw::Shape{8, 3, 8}));
  BOOST_TEST((labels.to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 1, 2}));
  const auto values = x.to_vector<float>();
  for (std::size_t b = 0; b < 3; ++b) {
    const std::string padded = std::string(8 - sequences[b].text.size(), ' ') + sequences[b].text;
    for (std::size_t t = 0; t < 8; ++t) {
      for (std::size_t symbol = 0; symbol < 8; ++symbol) {
        const float expected = padded[t] == std::string("XYabcdBE")[symbol] ? 1.0F : 0.0F;
        BOOST_TEST(values[(t * 3 + b) * 8 + symbol] == expected);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_batch) {
  rw::Rng one(5);
  rw::Rng two(5);
  const auto a = order::draw_batch(order::level("normal"), 32, one);
  const auto b = order::draw_batch(order::level("normal"), 32, two);
  const auto c = order::draw_batch(order::level("normal"), 32, two);
  BOOST_TEST(a.x.size(1) == 32);
  BOOST_TEST((a.x.to_vector<float>() == b.x.to_vector<float>()));
  BOOST_TEST((a.labels.to_vector<std::int64_t>() == b.labels.to_vector<std::int64_t>()));
  BOOST_TEST((a.labels.to_vector<std::int64_t>() != c.labels.to_vector<std::int64_t>()));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_AUTO_TEST_CASE(reads_settings) {
  Fixture f;
  f.parse({"--delay", "7", "--hidden=9", "--seed", "42"});
  BOOST_TEST(f.delay == 7);
  BOOST_TEST(f.hidden == 9);
  BOOST_TEST(f.rate == 0.5);
  BOOST_TEST(f.shows);
  BOOST_TEST(f.line.seed == 42U);
  const rw::io::Attributes expected{{"experiment", "echo"},   {"cell", "gru"},
                                    {"delay", "7"},           {"hidden", "9"},
                                    {"learning-rate", "0.5"}, {"seed", "42"}};
  BOOST_TEST((f.line.attributes() == expected));
}

BOOST_AUTO_TEST_CASE(a_default_follows_from_other_settings) {
  Fixture f;
  f.parse({"--delay", "7", "--cell", "lstm", "--no-show"});
  BOOST_TEST(f.hidden == 14);
  BOOST_TEST(f.cell == "lstm");
  BOOST_TEST(!f.shows);
  BOOST_TEST(f.line.attributes().at("hidden") == "14");
}

BOOST_AUTO_TEST_CASE(an_experiment_without_options_has_help_and_refuses_the_rest) {
  const auto take = [](std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "/somewhere/first_lstm");
    examples::take_no_options(static_cast<int>(arguments.size()), arguments.data(), "Learns.");
  };
  BOOST_CHECK_NO_THROW(take({}));
  BOOST_CHECK_EXCEPTION(take({"--help"}), Stop, [](const Stop& stop) {
    return stop.code == 0 && contains(stop.text, "Learns.") &&
           contains(stop.text, "Usage: first_lstm ");
  });
  BOOST_CHECK_EXCEPTION(take({"--seed", "2"}), Stop, [](const Stop& stop) {
    return stop.code == 2 && contains(stop.text, "--seed") && contains(stop.text, "--help");
  });
}

BOOST_AUTO_TEST_CASE(help_ends_with_code_0_and_shows_examples) {
  Fixture f;
  BOOST_CHECK_EXCEPTION(f.parse({"--help"}), Stop, [](const Stop& stop) {
    return stop.code == 0 && contains(stop.text, "--delay") &&
           contains(stop.text, "echo --delay 3");
  });
}

struct Wrong {
  std::vector<std::string> arguments;
  std::string message;
};
std::ostream& operator<<(std::ostream& out, const Wrong& wrong) {
  for (const std::string& argument : wrong.arguments) {
    out << argument << ' ';
  }
  return out;
}
const std::vector<Wrong> wrong_options{
    {{"--nonsense"}, "--nonsense"},
    {{"stray"}, "stray"},
    {{"--delay"}, "--delay"},
    {{"--delay", "11"}, "expected a number from 0 to 10"},
    {{"--delay", "-1"}, "expected a number from 0 to 10"},
    {{"--delay", "3.5"}, "--delay"},
    {{"--delay", "three"}, "--delay"},
    {{"--delay", "99999999999999999999"}, "--delay"},
    {{"--learning-rate", "nan"}, "--learning-rate"},
    {{"--cell", "rnn"}, "--cell"},
    {{"--learning-rate", "inf"}, "--learning-rate"},
    {{"--seed", "-1"}, "--seed"},
    {{"--seed", "99999999999999999999"}, "--seed"},
    {{"--load", "a.h5", "--delay", "3"}, "--delay"},
    {{"--load", "a.h5", "--seed", "3"}, "--seed"},
    {{"--load", "a.h5", "--save", "b.h5"}, "--save"},
    {{"--save", "/nowhere/at/all/model.h5"}, "--save: cannot write"},
    {{"--save", ""}, "--save: the name is empty"},
    {{"--save", "/tmp"}, "--save: cannot write /tmp"},
    {{"--save", "/dev/null"}, "which is no file"},
    {{"--save", "/tmp/" + std::string(300, 'x')}, "File name too long"},
    {{"--resume"}, "--resume: name the folder"},
    {{"--checkpoint", "/tmp", "--load", "a.h5"}, "--checkpoint and --load exclude each other"},
    {{"--checkpoint", "", "--resume"}, "--checkpoint: the name is empty"},
    {{"--checkpoint", "runs", "--resume", "--delay", "3"}, "--resume takes this from the file"},
    {{"--plot", "/dev/null/plots"}, "--plot: cannot make the folder"},
};
BOOST_DATA_TEST_CASE(wrong_options_end_with_code_2, wrong_options, wrong) {
  Fixture f;
  BOOST_CHECK_EXCEPTION(f.parse(wrong.arguments), Stop, [&](const Stop& stop) {
    BOOST_TEST_CONTEXT(stop.text) { BOOST_TEST(contains(stop.text, wrong.message)); }
    return stop.code == 2 && contains(stop.text, "echo: ");
  });
}

BOOST_AUTO_TEST_CASE(a_checkpoint_brings_its_settings) {
  const TemporaryFolder folder;
  Fixture saved;
  saved.parse({"--delay", "7", "--hidden", "9", "--learning-rate", "0.001", "--seed", "42"});
  rw::io::save(folder / "a.h5", saved.line.attributes(), "x", rw::ones({9, 9}));

  Fixture loaded;
  loaded.parse({"--load", folder / "a.h5"});
  BOOST_TEST(loaded.delay == 7);
  BOOST_TEST(loaded.hidden == 9);
  BOOST_TEST(loaded.rate == 0.001);
  BOOST_TEST(loaded.line.seed == 42U);
  BOOST_TEST((loaded.line.attributes() == saved.line.attributes()));
}

BOOST_AUTO_TEST_CASE(a_run_goes_on_with_its_settings) {
  const TemporaryFolder folder;
  const std::string run = folder / "runs/1";
  Fixture first;
  first.parse({"--delay", "7", "--checkpoint", run});
  BOOST_CHECK_EXCEPTION(Fixture().parse({"--checkpoint", run, "--resume"}), Stop,
                        [](const Stop& stop) { return contains(stop.text, "leave out --resume"); });
  rw::io::CheckpointDirectory directory(run, {.attributes = first.line.attributes()});
  directory.save("x", rw::ones({14, 14}));
  directory.save("x", rw::ones({14, 14}));
  Fixture resumed;
  resumed.parse({"--checkpoint", run, "--resume"});
  BOOST_TEST(resumed.delay == 7);
  BOOST_TEST(resumed.hidden == 14);
  // A new run does not get into the same folder by mistake.
  BOOST_CHECK_EXCEPTION(Fixture().parse({"--checkpoint", run}), Stop, [](const Stop& stop) {
    return stop.code == 2 && contains(stop.text, "add --resume");
  });
  fs::resize_file(directory.generations()[1].path, 10);
  Fixture fallback;
  fallback.parse({"--checkpoint", run, "--resume"});
  BOOST_TEST(fallback.delay == 7);
  fs::resize_file(directory.generations()[0].path, 10);
  BOOST_CHECK_EXCEPTION(Fixture().parse({"--checkpoint", run, "--resume"}), rw::CheckpointError,
                        [](const rw::CheckpointError& error) {
                          return contains(error.what(), "none of the 2 checkpoints");
                        });
  Fixture strange;
  strange.parse({"--checkpoint", folder / "my run's"});
  BOOST_TEST(contains(strange.line.resume_command(), "my run'\\''s' --resume"));
  BOOST_TEST(!strange.line.has_checkpoints());
}

BOOST_AUTO_TEST_CASE(a_wrong_checkpoint_is_refused) {
  const TemporaryFolder folder;
  const auto refused = [&](const rw::io::Attributes& attributes, const std::string& message) {
    rw::io::save(folder / "a.h5", attributes, "x", rw::ones({2}));
    Fixture f;
    BOOST_CHECK_EXCEPTION(
        f.parse({"--load", folder / "a.h5"}), rw::CheckpointError,
        [&](const rw::CheckpointError& e) { return contains(e.what(), message); });
  };
  Fixture f;
  f.parse({"--hidden", "9"});
  const rw::io::Attributes good = f.line.attributes();
  const auto with = [&](const std::string& name, const std::string& value) {
    rw::io::Attributes changed = good;
    changed[name] = value;
    return changed;
  };
  refused(with("experiment", "sequence_classification"), "sequence_classification");
  refused({}, "experiment");
  refused({{"experiment", "echo"}}, "lacks the setting");
  refused(with("delay", "11"), "expected a number from 0 to 10");
  refused(with("hidden", "many"), "hidden");
  refused(good, "at least 81 numbers, 1 x 9 units, but it holds 2 numbers");
  BOOST_CHECK_THROW(Fixture().parse({"--load", folder / "missing.h5"}), rw::CheckpointError);
  std::ofstream(folder / "text.h5") << "this is not HDF5";
  BOOST_CHECK_THROW(Fixture().parse({"--load", folder / "text.h5"}), rw::CheckpointError);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_cannot_name_files_to_write) {
  const TemporaryFolder folder;
  Fixture saved;
  saved.parse({"--hidden", "9"});
  rw::io::Attributes attributes = saved.line.attributes();
  attributes["plot"] = folder / "plots";
  attributes["save"] = folder / "b.h5";
  rw::io::save(folder / "a.h5", attributes, "x", rw::ones({9, 9}));
  Fixture f;
  f.parse({"--load", folder / "a.h5"});
  BOOST_TEST(f.line.plot.empty());
  BOOST_TEST(f.line.save.empty());
}

BOOST_AUTO_TEST_CASE(exceptions_become_exit_codes) {
  BOOST_TEST(examples::guarded([] { return 130; }) == 130);
  BOOST_TEST(examples::guarded([]() -> int { throw Stop{2, "wrong\n"}; }) == 2);
  BOOST_TEST(examples::guarded([]() -> int { throw Stop{0, ""}; }) == 0);
  BOOST_TEST(examples::guarded([]() -> int { throw rw::CheckpointError("broken file"); }) == 1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(training)

BOOST_AUTO_TEST_CASE(scores_are_weighted_means) {
  examples::Score score;
  BOOST_TEST(score.accuracy() == 0.0);
  score.add(1.0, 3, 4);
  examples::Score other;
  other.add(4.0, 2, 2);
  score.add(other);
  BOOST_TEST(score.loss() == 2.0);
  BOOST_TEST(score.accuracy() == 5.0 / 6.0);
  BOOST_TEST(score.wrong() == 1.0);
}

BOOST_AUTO_TEST_CASE(only_perfection_is_100_percent) {
  BOOST_TEST(examples::percent(1.0) == "100.00 %");
  BOOST_TEST(examples::percent(99'999.0 / 100'000.0) == "99.99 %");
  BOOST_TEST(examples::percent(0.5) == "50.00 %");
  BOOST_TEST(examples::percent(0.0) == "0.00 %");
}

BOOST_AUTO_TEST_CASE(every_cell_makes_a_model_of_the_size_asked_for) {
  rw::Rng rng(1);
  const std::map<std::string, std::int64_t> gates{
      {"rnn", 1}, {"rnn-tanh", 1}, {"lstm", 4}, {"gru", 3}};
  BOOST_TEST(examples::cell_names.size() == gates.size());
  for (const std::string& cell : examples::cell_names) {
    const std::int64_t weights = examples::with_model(cell, {8, 5, 2, 4}, rng, [](auto& model) {
      const auto [y, state] = model.network(rw::ones({3, 2, 8}));
      BOOST_TEST((model.readout(y).shape() == rw::Shape{3, 2, 4}));
      BOOST_TEST(state.size() == 2U);
      return rw::count(model);
    });
    const std::int64_t extra = cell == "gru" ? 2 * 5 : 0;  // a second bias in each layer
    const std::int64_t layers = gates.at(cell) * 5 * (8 + 5 + 1 + 5 + 5 + 1);
    BOOST_TEST(weights == layers + extra + 5 * 4 + 4);
  }
}

BOOST_AUTO_TEST_CASE(what_a_model_says_at_each_step_ends_with_what_it_says_at_the_last) {
  rw::Rng rng(1);
  examples::with_model("gru", {3, 5, 1, 2}, rng, [](auto& model) {
    const rw::Tensor x = rw::ones({4, 2, 3});
    BOOST_TEST((select(model.at_each_step(x), 0, -1).template to_vector<float>() ==
                model.at_last_step(x).template to_vector<float>()));
  });
}

/// One weight w with loss w^2, and so gradient 2 w; wrong until w is below 1/2.
struct Descent {
  examples::Experiment experiment{"descent", "summary", "  descent"};
  rw::Parameter w{rw::full({1}, 1.0)};
  rw::Sgd optimizer{{{"w", &w}}, {.learning_rate = 0.1}};
  std::vector<double> rates;  // at each step
  std::vector<std::uint64_t> drawn;

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w", w);
  }

  examples::Curve train(examples::TrainingOptions options) {
    options.label = "descent";
    options.silent = true;
    return experiment.train(
        *this, optimizer, options, rw::Rng(7), [&](rw::Rng& rng) -> examples::Graded {
          drawn.push_back(rng.next());
          rates.push_back(optimizer.learning_rate());
          return {sum(w.value() * w.value()), {w.value().item() < 0.5 ? 1 : 0, 1}};
        });
  }
};

BOOST_AUTO_TEST_CASE(training_goes_on_to_the_last_epoch) {
  Descent descent;
  const examples::Curve curve = descent.train({.epochs = 3, .batches = 5, .clip_norm = {}});
  BOOST_TEST(curve.epochs == 3);
  BOOST_TEST(curve.points.size() == 15U);
  BOOST_TEST(descent.drawn.size() == 15U);
  rw::Rng rng(7);
  for (const std::uint64_t number : descent.drawn) {
    BOOST_TEST(number == rng.next());
  }
  BOOST_TEST(std::abs(descent.w.value().item() - std::pow(0.8, 15)) < 1e-6);
  BOOST_TEST(curve.points[0].loss == 1.0);
  BOOST_TEST(curve.points[14].accuracy == 1.0);
}

BOOST_AUTO_TEST_CASE(training_clips_the_gradient) {
  Descent descent;
  descent.train({.epochs = 1, .batches = 1});
  BOOST_TEST(std::abs(descent.w.value().item() - 0.9) < 1e-6);
}

BOOST_AUTO_TEST_CASE(training_ends_when_the_goal_is_reached) {
  Descent descent;
  // The losses are 1, 0.64, 0.41, 0.26, 0.17.
  const examples::Curve curve =
      descent.train({.epochs = 9, .batches = 1, .clip_norm = {}, .goal = 0.3});
  BOOST_TEST(curve.epochs == 4);
}

BOOST_AUTO_TEST_CASE(training_ends_after_three_epochs_without_error) {
  Descent descent;
  // The weights are 1, 0.8, 0.64, 0.512, 0.41: the fifth epoch is the first without error.
  const examples::Curve curve =
      descent.train({.epochs = 9, .batches = 1, .clip_norm = {}, .until_flawless = true});
  BOOST_TEST(curve.epochs == 7);
  BOOST_TEST(descent.rates == (std::vector<double>{0.1, 0.1, 0.1, 0.1, 0.1, 0.1 * 0.1, 0.1 * 0.1}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_test_adds_up_its_batches) {
  const examples::Experiment experiment("name", "summary", "examples");
  rw::Rng rng(1);
  double loss = 0;
  const examples::Score score = experiment.test(3, rng, [&](rw::Rng&) -> examples::Graded {
    loss += 1;
    return {rw::full({1}, loss), {2, 4}};
  });
  BOOST_TEST(score.loss() == 2.0);
  BOOST_TEST(score.accuracy() == 0.5);
  BOOST_TEST(score.wrong() == 6.0);
}

BOOST_AUTO_TEST_CASE(a_schedule_has_at_least_one_step) {
  BOOST_TEST((examples::TrainingOptions{.epochs = 3, .batches = 5}.steps() == 15));
  BOOST_TEST((examples::TrainingOptions{.epochs = 0, .batches = 5}.steps() == 1));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(plot)

BOOST_AUTO_TEST_CASE(no_path_reaches_a_shell_or_gnuplot) {
  const TemporaryFolder folder;
  const std::string awkward = folder / "it's \"$(touch x)\" `touch y`; !touch z.png";
  if (examples::gnuplot("set terminal pngcairo\nplot sin(x)\n", awkward)) {
    std::string start(8, ' ');
    std::ifstream(awkward, std::ios::binary).read(start.data(), 8);
    BOOST_TEST(start == "\x89PNG\r\n\x1a\n");
    BOOST_TEST(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_heat_map_takes_any_name_and_any_number) {
  const TemporaryFolder folder;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& values :
       {std::vector<float>{0, -1, 2, 3, nan, infinity}, std::vector<float>(6, nan)}) {
    examples::plot_heat_map(folder.path.string(), "a.png",
                            {.title = "''%s`",
                             .x = "'\"\\",
                             .row = "\\",
                             .columns = "%'\\",
                             .rows = {"50 %", "%g'"},
                             .values = rw::Tensor::from<float>({2, 3}, values)});
    if (std::system("command -v gnuplot >/dev/null 2>&1") == 0) {
      BOOST_TEST(fs::exists(folder / "a.png"));
      fs::remove(folder / "a.png");
    }
  }
}

BOOST_AUTO_TEST_CASE(without_gnuplot_nothing_is_left_behind) {
  const TemporaryFolder folder;
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", folder.path.c_str(), 1);
  const bool drawn = examples::gnuplot("plot sin(x)\n", folder / "a.png");
  ::setenv("PATH", path.c_str(), 1);
  BOOST_TEST(!drawn);
  BOOST_TEST(fs::is_empty(folder.path));
}

BOOST_AUTO_TEST_CASE(a_failing_script_leaves_nothing_behind) {
  const TemporaryFolder folder;
  BOOST_TEST(!examples::gnuplot("this is no command\n", folder / "a.png"));
  BOOST_TEST(fs::is_empty(folder.path));
  BOOST_TEST(!examples::gnuplot("plot sin(x)\n", folder / "no/such/folder/a.png"));
}

BOOST_AUTO_TEST_SUITE_END()
