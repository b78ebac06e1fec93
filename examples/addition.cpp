/// addition: an encoder reads "123+45", a decoder writes the sum
/// short: --epochs 1 --batches 30
//
// One network reads the characters of a sum, the last one first, and leaves what it has understood
// in its state. Another takes that state over and writes the digits of the answer, the most
// important one first, each knowing those before it. Nobody tells them about digits or carries.
// (Sutskever, Vinyals and Le, "Sequence to sequence learning with neural networks", 2014; the task
// is that of Zaremba and Sutskever, "Learning to execute", 2014, in its simplest form.)

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/characters.hpp"
#include "common/colour.hpp"
#include "common/interrupt.hpp"
#include "common/load_or_train.hpp"
#include "common/options.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t test_sums = 5000;

struct Settings {
  std::int64_t digits = 3;
  std::int64_t hidden = 128;
  std::int64_t features = 32;
  std::int64_t batch = 128;
  std::int64_t batches = 390;  // an epoch: about 50,000 sums
  std::int64_t epochs = 20;
  double learning_rate = 3e-3;
};

constexpr const char* usage_examples =
    "  addition                                 3 digits\n"
    "  addition --digits 2 --epochs 5           an easier task in less time\n"
    "  addition --save addition.h5 --plot plots keep the model and the curves,\n"
    "  addition --load addition.h5              and test it again\n"
    "An LSTM of 128 units is known to reach 99 % with 3 digits after 100 epochs of 50,000 sums.\n"
    "The last line of the output is for programs: accuracy is the share of sums without a mistake\n"
    "among 5,000 that were never seen in training.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("digits", s.digits, "Of the larger numbers").between(1, 6);
  line.setting("hidden", s.hidden, "Units of encoder and decoder").between(1, 4096);
  line.setting("features", s.features, "Numbers that stand for a character").between(1, 4096);
  line.setting("batch", s.batch, "Sums side by side").between(1, 65'536);
  line.setting("batches", s.batches, "Of an epoch; no two are the same").between(1, 1e6);
  line.setting("epochs", s.epochs, "To train for").between(0, 100'000);
  line.setting("learning-rate", s.learning_rate, "Of Adam, falling evenly to 0").between(1e-8, 10);
}

const Characters question_characters("0123456789+ ");
const Characters answer_characters("0123456789");

struct Sums {
  Tensor questions;  // int64 [T, B], the last character first
  PaddedSequences answers;
  std::vector<std::string> texts;
  std::vector<std::string> results;
};

/// A tenth of all pairs is never trained on. In either order, or it would be seen the other way
/// round.
bool is_for_testing(std::int64_t a, std::int64_t b) {
  const auto pair = static_cast<std::uint64_t>(std::max(a, b) * 1'000'000 + std::min(a, b));
  return Rng(pair).integer(10) == 0;
}

/// For testing every number is as probable as any other; for training short ones are not rare.
std::int64_t draw_number(std::int64_t digits, bool testing, Rng& rng) {
  std::int64_t limit = 1;
  for (std::int64_t i = testing ? digits : 1 + rng.integer(digits); i > 0; --i) {
    limit *= 10;
  }
  return rng.integer(limit);
}

Sums draw_sums(const Settings& s, std::int64_t count, bool testing, Rng& rng) {
  Sums sums;
  std::vector<std::string> reversed;
  while (static_cast<std::int64_t>(sums.texts.size()) < count) {
    const std::int64_t a = draw_number(s.digits, testing, rng);
    const std::int64_t b = draw_number(s.digits, testing, rng);
    if (is_for_testing(a, b) == testing) {
      sums.texts.push_back(fmt::format("{}+{}", a, b));
      sums.results.push_back(fmt::format("{}", a + b));
      std::string padded = fmt::format("{:<{}}", sums.texts.back(), 2 * s.digits + 1);
      std::reverse(padded.begin(), padded.end());
      reversed.push_back(std::move(padded));
    }
  }
  sums.questions = question_characters.encode(reversed).steps;
  sums.answers = answer_characters.encode_with_end(sums.results);
  return sums;
}

struct Adder {
  Embedding embedding;
  LSTM encoder;
  Decoder<LSTM> decoder;

  Adder(const Settings& s, Rng& rng)
      : embedding({.vocabulary = question_characters.size(), .features = s.features}, rng),
        encoder({.input = s.features, .hidden = s.hidden}, rng),
        decoder({.vocabulary = answer_characters.size(), .features = s.features},
                LSTM({.input = s.features, .hidden = s.hidden}, rng), rng) {}

  /// What the decoder starts from: all that the encoder has understood.
  Decoder<LSTM>::State read(const Tensor& questions) const {
    return decoder.begin(encoder(embedding(questions)).second);
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("embedding", embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
  }
};

Curve train(Adder& model, const Settings& s, Rng& rng) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  Monitor monitor("adder", s.epochs, s.batches);
  const auto steps = static_cast<double>(s.epochs * s.batches);
  double step = 0;
  while (!monitor.done() && !interrupted()) {
    for (std::int64_t i = 0; i < s.batches && !interrupted(); ++i) {
      optimizer.set_learning_rate(s.learning_rate * (1 - step++ / steps));
      const Sums sums = draw_sums(s, s.batch, false, rng);
      const Tensor& answers = sums.answers.steps;
      Tape tape;
      // Teacher forcing: each digit is asked for with the right ones before it.
      const Tensor inputs = shifted_targets(answer_characters.borders(s.batch), answers);
      const Tensor logits = model.decoder.teach(inputs, model.read(sums.questions)).logits;
      const Tensor loss = sequence_cross_entropy(logits, answers, sums.answers.lengths);
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      const Tally tally = count_correct(logits, answers, {.lengths = sums.answers.lengths});
      Score score;
      score.add(loss.item(), static_cast<double>(tally.hits), tally.total);
      monitor.step(score);
    }
    monitor.end_epoch();
  }
  monitor.finish();
  return monitor.curve();
}

/// What the model answers by itself: now it reads its own digits.
std::vector<std::string> answers(const Adder& model, const Sums& sums) {
  std::vector<std::string> lines;
  const Tensor first = answer_characters.borders(sums.questions.size(1));
  for (const Decoded& each : greedy_decode(model.decoder, model.read(sums.questions), first,
                                           {.end = answer_characters.border(), .max_steps = 10})) {
    lines.push_back(answer_characters.decode(each.tokens));
  }
  return lines;
}

Tally test(const Adder& model, const Settings& s, Rng& rng) {
  const Sums sums = draw_sums(s, test_sums, true, rng);
  const std::vector<std::string> got = answers(model, sums);
  Tally right{0, test_sums};
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool same = got[i] == sums.results[i];
    right.hits += same ? 1 : 0;
    if (i < 10) {
      fmt::print("{:>{}} = {}\n", sums.texts[i], 2 * s.digits + 1,
                 paint(got[i], same ? Colour::green : Colour::red));
    }
  }
  return right;
}

int addition(int argc, char** argv) {
  Settings s;
  CommandLine line("addition", "Trains an encoder and a decoder to add numbers.", usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);
  Rng rng(line.seed);
  Adder model(s, rng);
  Rng train_rng = rng.split();
  Rng test_rng = rng.split();
  fmt::print(
      "addition of {} digits: two LSTMs of {} units, {} weights, {} epochs, Adam {}, seed {}\n",
      s.digits, s.hidden, count(model), s.epochs, s.learning_rate, line.seed);
  const Stopwatch watch;
  load_or_train(line, model, [&] { return train(model, s, train_rng); });
  const Tally right = test(model, s, test_rng);
  fmt::print("{} of {} unseen sums are right\n", right.hits, right.total);
  fmt::print("result accuracy={:.6f} seconds={:.2f} seed={} digits={} hidden={} epochs={}\n",
             right.rate(), watch.seconds(), line.seed, s.digits, s.hidden, s.epochs);
  return interrupted() ? interrupted_code : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return addition(argc, argv); });
}
