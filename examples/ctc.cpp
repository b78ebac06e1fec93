/// ctc: letters out of noisy frames, learnt without being told when each letter was said
/// short: --epochs 6
//
// A toy model of speech recognition. Every letter lasts for some frames, with or without silence
// between letters, and with noise over all. What was said is known, but not when. Connectionist
// temporal classification sums the probabilities of all alignments that spell the labels, so the
// network finds the alignment by itself. (Graves et al., "Connectionist temporal classification",
// 2006.)

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include <rewind/rewind.hpp>

#include "common/alignment_task.hpp"
#include "common/colour.hpp"
#include "common/column.hpp"
#include "common/experiment.hpp"
#include "common/model.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  ctc                         from frames to letters, in seconds\n"
    "  ctc --noise 1               so noisy that some letters get lost\n"
    "  ctc --plot plots            curves as plots/loss.png, plots/accuracy.png\n"
    "  ctc --save ctc.h5           keep the model,\n"
    "  ctc --load ctc.h5           and test it again\n"
    "The last line of the output is for programs: label_error is the share of letters that were\n"
    "missed, mistaken or too many on the best path, beam_label_error that of a beam search;\n"
    "accuracy is the share of utterances without any error.";

using Labels = std::vector<std::vector<std::int64_t>>;

/// A batch, and the network's output at each frame.
struct Reading {
  alignment::Batch batch;
  Tensor logits;  // [T, B, 7]

  Labels best_paths() const {
    return column(ctc_greedy_decode(logits, batch.frame_lengths), &CtcDecoded::labels);
  }

  Labels beam_search() const {
    Labels labels;
    for (const std::vector<CtcDecoded>& found : ctc_beam_search(logits, batch.frame_lengths)) {
      labels.push_back(found.front().labels);
    }
    return labels;
  }

  /// An utterance is right if all of its labels are.
  Graded grade() const {
    const Labels best = best_paths();
    Tally right{0, std::ssize(best)};
    for (std::size_t i = 0; i < best.size(); ++i) {
      right.hits += best[i] == batch.utterances[i].labels ? 1 : 0;
    }
    return {ctc_loss(logits, batch.labels, batch.frame_lengths, batch.label_lengths), right};
  }
};

struct Ctc : Experiment {
  Ctc() : Experiment("ctc", "Trains a recurrent network to spell what noisy frames say.", usage) {}

  const std::int64_t& hidden = add_hidden(32, "Units in each direction");
  const std::int64_t& batch = add_batch(16, "Utterances in a batch");
  const std::int64_t& epochs = add_epochs(50, "Epochs of 25 batches, none of which is seen twice");
  const double& learning_rate =
      add_learning_rate(1e-2, "Initial rate of Adam, which falls to 0 along half a cosine");
  const double& noise =
      number("noise", 0.35, "Standard deviation of the noise; letters differ by 4", 0, 10);

  /// The network reads the frames in both directions, so that it knows what follows when it
  /// decides. Padding is neither read nor costs anything.
  Reading read(const Model<GRU>& model, std::int64_t utterances, Rng& rng) const {
    const alignment::Batch drawn = alignment::draw_batch(utterances, noise, rng);
    return {drawn, model.at_each_step(Sequence{drawn.x, drawn.frame_lengths})};
  }

  /// Prints two utterances frame by frame: the letter that each frame belongs to, and the network's
  /// label for it. Mostly the network gives a letter once, as soon as it is sure, and blanks
  /// otherwise.
  void show(const Model<GRU>& model, Rng& rng) const {
    const Reading reading = read(model, 2, rng);
    const std::vector<std::int64_t> best = argmax(reading.logits).to_vector<std::int64_t>();
    for (std::size_t b = 0; b < 2; ++b) {
      const std::string& truth = reading.batch.utterances[b].truth;
      std::string said;
      for (std::size_t t = 0; t < truth.size(); ++t) {
        const auto label = static_cast<std::size_t>(best[t * 2 + b]);
        said += label == 0 ? '.' : alignment::letters[label - 1];
      }
      fmt::print("frames  {}\nnetwork {}\n", paint(truth, Colour::grey),
                 paint(said, Colour::green));
    }
  }

  int run() {
    Rng rng(seed);
    const Rng train_rng = rng.split();
    Rng test_rng = rng.split();
    GRU network({.input = alignment::features, .hidden = hidden}, {.bidirectional = true}, rng);
    Model<GRU> model{std::move(network),
                     {{.input = 2 * hidden, .output = alignment::classes}, rng}};
    fmt::print("letters from frames: 2 x {} units, {} weights, Adam {}, noise {}, seed {}\n",
               hidden, count(model), learning_rate, noise, seed);
    const TrainingOptions options{.label = "gru", .epochs = epochs, .batches = 25};
    Adam optimizer(parameters(model), {.learning_rate = learning_rate});
    optimizer.set_schedule(cosine_decay(options.steps()));
    load_or_train(model, optimizer, options, train_rng,
                  [&](Rng& r) { return read(model, batch, r).grade(); });
    Labels truth, greedy, beam;
    const Score score = test(64, test_rng, [&](Rng& r) {
      const Reading reading = read(model, batch, r);
      std::ranges::move(column(reading.batch.utterances, &alignment::Utterance::labels),
                        std::back_inserter(truth));
      std::ranges::move(reading.best_paths(), std::back_inserter(greedy));
      std::ranges::move(reading.beam_search(), std::back_inserter(beam));
      return reading.grade();
    });
    stop_clock();
    show(model, test_rng);
    const double error = label_error_rate(greedy, truth);
    const double beam_error = label_error_rate(beam, truth);
    fmt::print(
        "test: label error {:.4f} on the best path, {:.4f} by beam search; {} of {} utterances "
        "without error\n",
        error, beam_error, score.count() - score.wrong(), score.count());
    return result(
        fmt::format("label_error={:.6g} beam_label_error={:.6g} accuracy={:.6f} loss={:.6g}", error,
                    beam_error, score.accuracy(), score.loss()),
        {"hidden"});
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<Ctc>(argc, argv); }
