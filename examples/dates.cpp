/// dates: reads "thursday, march 5 1998", writes 1998-03-05, and shows where it looks
/// short: --epochs 1 --batches 10
//
// An encoder reads a date as people write it, character by character and from both sides. A decoder
// writes it in the international form. Nothing but attention connects the two: for each character
// the decoder asks which of those read are of use now. What it learns to look at, first the year,
// then the month, can be drawn. (Bahdanau, Cho and Bengio, "Neural machine translation by jointly
// learning to align and translate", 2015; Luong, Pham and Manning, "Effective approaches to
// attention-based neural machine translation", 2015.)

#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/attention_map.hpp"
#include "common/characters.hpp"
#include "common/colour.hpp"
#include "common/date_task.hpp"
#include "common/interrupt.hpp"
#include "common/load_or_train.hpp"
#include "common/options.hpp"
#include "common/plot.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t test_dates = 5000;

struct Settings {
  std::int64_t hidden = 64;
  std::int64_t features = 32;
  std::int64_t batch = 64;
  std::int64_t batches = 100;
  std::int64_t epochs = 15;
  double learning_rate = 5e-3;
};

constexpr const char* usage_examples =
    "  dates                                less than a minute\n"
    "  dates --plot plots                   attention as plots/attention.png, and the curves\n"
    "  dates --epochs 3                     what it knows after seconds\n"
    "  dates --save dates.h5                keep the model,\n"
    "  dates --load dates.h5                and test it again\n"
    "The last line of the output is for programs: accuracy is the share of dates without a "
    "mistake\n"
    "among 5,000 whose days were never seen in training, in any format.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("hidden", s.hidden, "Units of the decoder, and of the encoder in each direction")
      .between(1, 4096);
  line.setting("features", s.features, "Numbers that stand for a character").between(1, 4096);
  line.setting("batch", s.batch, "Dates side by side").between(1, 65'536);
  line.setting("batches", s.batches, "Of an epoch; all are new").between(1, 1e6);
  line.setting("epochs", s.epochs, "To train for").between(0, 100'000);
  line.setting("learning-rate", s.learning_rate, "Of Adam, falling evenly to 0").between(1e-8, 10);
}

const Characters read_characters{std::string(dates::symbols)};
const Characters written_characters("0123456789-");

struct Dates {
  std::vector<dates::Example> lines;
  PaddedSequences read, written;
};

Dates draw_dates(std::int64_t count, bool testing, Rng& rng) {
  Dates result{dates::draw(count, testing, rng), {}, {}};
  std::vector<std::string> read;
  std::vector<std::string> written;
  for (const dates::Example& each : result.lines) {
    read.push_back(each.text);
    written.push_back(each.iso);
  }
  result.read = read_characters.encode(read);
  result.written = written_characters.encode_with_end(written);
  return result;
}

struct Translator {
  Embedding embedding;
  GRU encoder;
  Decoder<GRU, LuongAttention> decoder;

  Translator(const Settings& s, Rng& rng)
      : embedding({.vocabulary = read_characters.size(), .features = s.features}, rng),
        encoder({.input = s.features, .hidden = s.hidden}, {.bidirectional = true}, rng),
        decoder({.vocabulary = written_characters.size(),
                 .features = s.features,
                 .memory = 2 * s.hidden},
                GRU({.input = s.features + s.hidden, .hidden = s.hidden}, rng),
                LuongAttention({.query = s.hidden, .memory = 2 * s.hidden}, rng), rng) {}

  /// What the decoder starts from: nothing, but with all steps of the encoder to look at.
  Decoder<GRU, LuongAttention>::State read(const PaddedSequences& text) const {
    const Tensor steps = encoder({embedding(text.steps), text.lengths}).first;
    const std::int64_t count = text.lengths.size(0);
    return decoder.begin(decoder.network.initial_state(count), {steps, text.lengths});
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("embedding", embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
  }
};

Curve train(Translator& model, const Settings& s, Rng& rng) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  Monitor monitor("translator", s.epochs, s.batches);
  const auto steps = static_cast<double>(s.epochs * s.batches);
  double step = 0;
  while (!monitor.done() && !interrupted()) {
    for (std::int64_t i = 0; i < s.batches && !interrupted(); ++i) {
      optimizer.set_learning_rate(s.learning_rate * (1 - step++ / steps));
      const Dates batch = draw_dates(s.batch, false, rng);
      const auto& [targets, lengths] = batch.written;
      Tape tape;
      // Teacher forcing: each character is asked for with the right ones before it.
      const Tensor inputs = shifted_targets(written_characters.borders(s.batch), targets);
      const Tensor logits = model.decoder.teach(inputs, model.read(batch.read)).logits;
      const Tensor loss = sequence_cross_entropy(logits, targets, lengths);
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      const Tally tally = count_correct(logits, targets, {.lengths = lengths});
      Score score;
      score.add(loss.item(), static_cast<double>(tally.hits), tally.total);
      monitor.step(score);
    }
    monitor.end_epoch();
  }
  monitor.finish();
  return monitor.curve();
}

/// The most probable translation of each date, by a search with a few beams.
std::vector<std::string> translate(const Translator& model, const PaddedSequences& text) {
  std::vector<std::string> lines;
  const Tensor first = written_characters.borders(text.lengths.size(0));
  for (const auto& found :
       beam_search(model.decoder, model.read(text), first,
                   {.end = written_characters.border(), .max_steps = 12, .beams = 3})) {
    lines.push_back(written_characters.decode(found[0].tokens));
  }
  return lines;
}

Tally test(const Translator& model, Rng& rng) {
  const Dates dates = draw_dates(test_dates, true, rng);
  const std::vector<std::string> got = translate(model, dates.read);
  Tally right{0, test_dates};
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto& [text, iso] = dates.lines[i];
    right.hits += got[i] == iso ? 1 : 0;
    if (i < 10) {
      fmt::print("{:>30}  {}\n", text, paint(got[i], got[i] == iso ? Colour::green : Colour::red));
    }
  }
  return right;
}

/// Where the model looks while it writes.
void show_attention(const Translator& model, const std::string& folder) {
  const std::string line = dates::written({1998, 3, 5}, "{w}, {n} {d} {y}");
  const PaddedSequences text = read_characters.encode({&line, 1});
  const std::string written = translate(model, text)[0];
  const Tensor targets = written_characters.encode({&written, 1}).steps;
  const Tensor inputs = shifted_targets(written_characters.borders(1), targets);
  const Tensor weights = model.decoder.teach(inputs, model.read(text)).weights;  // [T, 1, S]
  plot_attention(folder, line, written, squeeze(weights, 1));
}

int dates_experiment(int argc, char** argv) {
  Settings s;
  CommandLine line("dates", "Trains an encoder and a decoder with attention to translate dates.",
                   usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);
  Rng rng(line.seed);
  Translator model(s, rng);
  Rng train_rng = rng.split();
  Rng test_rng = rng.split();
  fmt::print(
      "dates in {} formats: GRU of 2 x {} units, attention, GRU of {} units, {} weights, "
      "{} epochs, Adam {}, seed {}\n",
      dates::formats.size(), s.hidden, s.hidden, count(model), s.epochs, s.learning_rate,
      line.seed);
  const Stopwatch watch;
  load_or_train(line, model, [&] { return train(model, s, train_rng); });
  const Tally right = test(model, test_rng);
  const double seconds = watch.seconds();
  show_attention(model, line.plot);
  fmt::print("{} of {} unseen dates are right\n", right.hits, right.total);
  fmt::print("result accuracy={:.6f} seconds={:.2f} seed={} hidden={} epochs={}\n", right.rate(),
             seconds, line.seed, s.hidden, s.epochs);
  return interrupted() ? interrupted_code : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return dates_experiment(argc, argv); });
}
