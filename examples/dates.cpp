/// dates: reads "thursday, march 5 1998", writes 1998-03-05, and shows where it looks
/// short: --epochs 1 --batches 10
//
// An encoder reads a date as people write it, character by character and in both directions. A
// decoder writes it in the international form. Only attention connects the two: for each character
// that it writes, the decoder asks which of the characters read are relevant. What it learns to
// attend to, first the year, then the month, can be drawn. (Bahdanau, Cho and Bengio, "Neural
// machine translation by jointly learning to align and translate", 2015; Luong, Pham and Manning,
// "Effective approaches to attention-based neural machine translation", 2015.)

#include <string>
#include <utility>
#include <vector>

#include <rewind/rewind.hpp>

#include "common/column.hpp"
#include "common/date_task.hpp"
#include "common/experiment.hpp"
#include "common/heat_map.hpp"
#include "common/translation.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  dates                                less than a minute\n"
    "  dates --plot plots                   attention as plots/attention.png, and the curves\n"
    "  dates --epochs 3                     what it knows after seconds\n"
    "  dates --save dates.h5                keep the model,\n"
    "  dates --load dates.h5                and test it again\n"
    "The last line of the output is for programs: accuracy is the share of dates without a "
    "mistake\n"
    "among 5,000 whose days were never seen in training, in any format.";

const Characters read_characters{std::string(dates::symbols)};
const Characters written_characters("0123456789-");

using dates::Example;
using Translator = EncoderDecoder<GRU, Decoder<GRU, LuongAttention>>;

struct DatesExperiment : Experiment {
  DatesExperiment()
      : Experiment("dates", "Trains an encoder and a decoder with attention to translate dates.",
                   usage) {}

  const std::int64_t& hidden =
      add_hidden(64, "Units of the decoder, and of the encoder in each direction");
  const std::int64_t& features =
      integer("features", 32, "Size of the embedding of a character", 1, 4096);
  const std::int64_t& batch = integer("batch", 64, "Dates in a batch", 1, 65'536);
  const std::int64_t& batches = integer("batches", 100, "Batches in an epoch; all are new", 1, 1e6);
  const std::int64_t& epochs = add_epochs(15, "Epochs to train for");
  const double& learning_rate =
      add_learning_rate(5e-3, "Initial rate of Adam, which falls linearly to 0");

  Translator make_model(Rng& rng) const {
    Embedding embedding({.vocabulary = read_characters.size(), .features = features}, rng);
    GRU encoder({.input = features, .hidden = hidden}, {.bidirectional = true}, rng);
    LuongAttention attention({.query = hidden, .memory = 2 * hidden}, rng);
    GRU writer({.input = features + hidden, .hidden = hidden}, rng);
    const DecoderOptions options{
        .vocabulary = written_characters.size(), .features = features, .memory = 2 * hidden};
    return {std::move(embedding),
            std::move(encoder),
            {options, std::move(writer), std::move(attention), rng}};
  }

  /// The decoder's initial state: empty, but with all steps of the encoder as its memory.
  static auto read(const Translator& model, const std::vector<std::string>& lines) {
    const auto [tokens, lengths] = read_characters.encode(lines);
    return model.decoder.begin(model.decoder.network.initial_state(std::ssize(lines)),
                               {model.encoder({model.embedding(tokens), lengths}).first, lengths});
  }

  /// The most probable translation of each line, by a beam search with few beams.
  static std::vector<std::string> translate(const Translator& model,
                                            const std::vector<std::string>& lines) {
    std::vector<std::string> result;
    const Tensor first = written_characters.borders(std::ssize(lines));
    for (const auto& found :
         beam_search(model.decoder, read(model, lines), first,
                     {.end = written_characters.border(), .max_steps = 12, .beams = 3})) {
      result.push_back(written_characters.decode(found[0].tokens));
    }
    return result;
  }

  /// Draws the attention of the model while it writes a date.
  void show_attention(const Translator& model) const {
    const std::string line = dates::written({1998, 3, 5}, "{w}, {n} {d} {y}");
    const std::string written = translate(model, {line})[0];
    const Tensor targets = written_characters.encode({&written, 1}).steps;
    const Tensor inputs = shifted_targets(written_characters.borders(1), targets);
    const Tensor weights = model.decoder.teach(inputs, read(model, {line})).weights;  // [T, 1, S]
    std::vector<std::string> rows;
    for (const char character : written) {
      rows.emplace_back(1, character);
    }
    plot_heat_map(plot, "attention.png",
                  {.title = "where the decoder looks",
                   .x = "read",
                   .row = "character",
                   .columns = line,
                   .rows = rows,
                   .values = squeeze(weights, 1),
                   .largest = 1,
                   .is_signed = false});
  }

  int run() {
    Rng rng(seed);
    Translator model = make_model(rng);
    const Rng train_rng = rng.split();
    Rng test_rng = rng.split();
    fmt::print(
        "dates in {} formats: GRU of 2 x {} units, attention, GRU of {} units, {} weights, "
        "{} epochs, Adam {}, seed {}\n",
        dates::formats.size(), hidden, hidden, count(model), epochs, learning_rate, seed);
    const TrainingOptions options{.label = "translator", .epochs = epochs, .batches = batches};
    Adam optimizer(parameters(model), {.learning_rate = learning_rate});
    optimizer.set_schedule(linear_decay(options.steps()));
    load_or_train(model, optimizer, options, train_rng, [&](Rng& r) {
      const std::vector<Example> drawn = dates::draw(batch, false, r);
      return teach(model.decoder, read(model, column(drawn, &Example::text)),
                   column(drawn, &Example::iso), written_characters);
    });
    const std::vector<Example> unseen = dates::draw(5000, true, test_rng);
    const std::vector<std::string> texts = column(unseen, &Example::text);
    const std::vector<std::string> got = translate(model, texts);
    stop_clock();
    const Tally right = compare_answers(texts, column(unseen, &Example::iso), got, 30, "  ");
    show_attention(model);
    fmt::print("{} of {} unseen dates are right\n", right.hits, right.total);
    return result(fmt::format("accuracy={:.6f}", right.rate()), {"hidden", "epochs"});
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<DatesExperiment>(argc, argv); }
