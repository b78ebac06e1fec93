/// ctc: letters out of noisy frames, learnt without being told when each letter was said
/// short: --epochs 6
//
// A toy of speech recognition. Every letter lasts for some frames, with silence between letters or
// not, and noise over all of it. What was said is known, but not when. Connectionist temporal
// classification adds up the probabilities of all alignments that spell the labels, and so the
// network finds the alignment by itself. (Graves et al., "Connectionist temporal classification",
// 2006.)

#include <string>
#include <vector>

#include <fmt/core.h>

#include <rewind/rewind.hpp>

#include "common/alignment_task.hpp"
#include "common/colour.hpp"
#include "common/interrupt.hpp"
#include "common/load_or_train.hpp"
#include "common/model.hpp"
#include "common/options.hpp"
#include "common/training.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr std::int64_t batches_per_epoch = 25;
constexpr std::int64_t test_batches = 64;

using Labels = std::vector<std::vector<std::int64_t>>;

/// Reads the frames from both ends, so that it knows what comes when it decides what is said.
using Network = Model<GRU>;

struct Settings {
  std::int64_t hidden = 32;
  std::int64_t batch = 16;
  std::int64_t epochs = 50;
  double learning_rate = 1e-2;
  double noise = 0.35;
};

constexpr const char* usage_examples =
    "  ctc                         from frames to letters, in seconds\n"
    "  ctc --noise 1               so noisy that some letters get lost\n"
    "  ctc --plot plots            curves as plots/loss.png, plots/accuracy.png\n"
    "  ctc --save ctc.h5           keep the model,\n"
    "  ctc --load ctc.h5           and test it again\n"
    "The last line of the output is for programs: label_error is the share of letters that were\n"
    "missed, mistaken or too many on the best path, beam_label_error that of a beam search;\n"
    "accuracy is the share of utterances without any error.";

void add_settings(CommandLine& line, Settings& s) {
  line.setting("hidden", s.hidden, "Units in each direction").between(1, 4096);
  line.setting("batch", s.batch, "Utterances in a batch").between(1, 4096);
  line.setting("epochs", s.epochs, "Epochs of 25 batches, none of which is seen twice")
      .between(0, 100'000);
  line.setting("learning-rate", s.learning_rate, "Of Adam, falling to 0 along half a cosine")
      .between(1e-8, 10);
  line.setting("noise", s.noise, "Standard deviation of the noise; letters differ by 4")
      .between(0, 10);
}

Labels truth_of(const alignment::Batch& batch) {
  Labels labels;
  for (const alignment::Utterance& utterance : batch.utterances) {
    labels.push_back(utterance.labels);
  }
  return labels;
}

Labels best_paths(const Tensor& logits, const Tensor& lengths) {
  Labels labels;
  for (const CtcDecoded& decoded : ctc_greedy_decode(logits, lengths)) {
    labels.push_back(decoded.labels);
  }
  return labels;
}

Labels beam_search(const Tensor& logits, const Tensor& lengths) {
  Labels labels;
  for (const std::vector<CtcDecoded>& results : ctc_beam_search(logits, lengths)) {
    labels.push_back(results.front().labels);
  }
  return labels;
}

/// Right is an utterance of which every label is.
Score score_of(const Labels& labels, const Labels& truth, const Tensor& loss) {
  double right = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    right += labels[i] == truth[i] ? 1 : 0;
  }
  Score score;
  score.add(loss.item(), right, static_cast<std::int64_t>(truth.size()));
  return score;
}

/// [T, B, 7], for each frame; the padding is neither read nor does it cost anything.
Tensor logits_of(const Network& model, const alignment::Batch& batch) {
  return model.readout(model.network({batch.x, batch.frame_lengths}).first);
}

Tensor loss_of(const Tensor& logits, const alignment::Batch& batch) {
  return ctc_loss(logits, batch.labels, batch.frame_lengths, batch.label_lengths);
}

Curve train(Network& model, const Settings& s, Rng rng) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = s.learning_rate});
  optimizer.set_schedule(cosine_decay(std::max<std::int64_t>(1, s.epochs * batches_per_epoch)));
  Monitor monitor("gru", s.epochs, batches_per_epoch);
  while (!monitor.done() && !interrupted()) {
    for (std::int64_t i = 0; i < batches_per_epoch && !interrupted(); ++i) {
      const alignment::Batch batch = alignment::draw_batch(s.batch, s.noise, rng);
      Tape tape;
      const Tensor logits = logits_of(model, batch);
      const Tensor loss = loss_of(logits, batch);
      optimizer.zero_grad();
      tape.backward(loss);
      clip_by_norm(weights, 1.0);
      optimizer.step();
      monitor.step(score_of(best_paths(logits, batch.frame_lengths), truth_of(batch), loss));
    }
    monitor.end_epoch();
  }
  monitor.finish();
  return monitor.curve();
}

struct TestResult {
  Score score;
  double label_error = 0;
  double beam_label_error = 0;
};

/// The same without a tape: nothing is recorded.
TestResult test(const Network& model, const Settings& s, Rng& rng) {
  TestResult result;
  Labels truth, greedy, beam;
  for (std::int64_t i = 0; i < test_batches; ++i) {
    const alignment::Batch batch = alignment::draw_batch(s.batch, s.noise, rng);
    const Tensor logits = logits_of(model, batch);
    const Labels expected = truth_of(batch);
    const Labels paths = best_paths(logits, batch.frame_lengths);
    const Labels searched = beam_search(logits, batch.frame_lengths);
    result.score.add(score_of(paths, expected, loss_of(logits, batch)));
    truth.insert(truth.end(), expected.begin(), expected.end());
    greedy.insert(greedy.end(), paths.begin(), paths.end());
    beam.insert(beam.end(), searched.begin(), searched.end());
  }
  result.label_error = label_error_rate(greedy, truth);
  result.beam_label_error = label_error_rate(beam, truth);
  return result;
}

/// Two utterances, frame by frame: to whom each frame belongs, and what the network says at it. It
/// mostly says a letter once, as soon as it is sure, and blanks else.
void show(const Network& model, const Settings& s, Rng& rng) {
  const alignment::Batch batch = alignment::draw_batch(2, s.noise, rng);
  const std::vector<std::int64_t> best = argmax(logits_of(model, batch)).to_vector<std::int64_t>();
  for (std::size_t b = 0; b < 2; ++b) {
    const std::string& truth = batch.utterances[b].truth;
    std::string said;
    for (std::size_t t = 0; t < truth.size(); ++t) {
      const std::int64_t label = best[t * 2 + b];
      said += label == 0 ? '.' : alignment::letters[static_cast<std::size_t>(label - 1)];
    }
    fmt::print("frames  {}\nnetwork {}\n", paint(truth, Colour::grey), paint(said, Colour::green));
  }
}

int ctc(int argc, char** argv) {
  Settings s;
  CommandLine line("ctc", "Trains a recurrent network to spell what noisy frames say.",
                   usage_examples);
  add_settings(line, s);
  line.parse(argc, argv);

  Rng rng(line.seed);
  const Rng train_rng = rng.split();
  Rng test_rng = rng.split();
  GRU network({.input = alignment::features, .hidden = s.hidden}, {.bidirectional = true}, rng);
  const std::int64_t width = network.output_size();
  Network model{std::move(network), {{.input = width, .output = alignment::classes}, rng}};
  fmt::print("letters from frames: 2 x {} units, {} weights, Adam {}, noise {}, seed {}\n",
             s.hidden, count(model), s.learning_rate, s.noise, line.seed);
  const Stopwatch watch;
  load_or_train(line, model, [&] { return train(model, s, train_rng); });
  const TestResult result = test(model, s, test_rng);
  const double seconds = watch.seconds();
  show(model, s, test_rng);
  fmt::print(
      "test: label error {:.4f} on the best path, {:.4f} by beam search; {} of {} utterances "
      "without error\n",
      result.label_error, result.beam_label_error, result.score.count() - result.score.wrong(),
      result.score.count());
  fmt::print(
      "result label_error={:.6g} beam_label_error={:.6g} accuracy={:.6f} loss={:.6g} "
      "seconds={:.2f} seed={} hidden={}\n",
      result.label_error, result.beam_label_error, result.score.accuracy(), result.score.loss(),
      seconds, line.seed, s.hidden);
  return interrupted() ? interrupted_code : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return guarded([&] { return ctc(argc, argv); });
}
