/// addition: an encoder reads "123+45", a decoder writes the sum
/// short: --epochs 1 --batches 30
//
// One network reads the characters of a sum, last one first, and keeps what it needs in its state.
// Another starts from that state and writes the digits of the answer, most significant first, each
// given the digits before it. Nobody tells them about digits or carries. (Sutskever, Vinyals and
// Le, "Sequence to sequence learning with neural networks", 2014; the task is the simplest form of
// that of Zaremba and Sutskever, "Learning to execute", 2014.)

#include <string>
#include <vector>

#include <rewind/rewind.hpp>

#include "common/addition_task.hpp"
#include "common/column.hpp"
#include "common/experiment.hpp"
#include "common/translation.hpp"

namespace {

using namespace examples;
using namespace rw;

constexpr const char* usage =
    "  addition                                 3 digits\n"
    "  addition --digits 2 --epochs 5           an easier task in less time\n"
    "  addition --save addition.h5 --plot plots keep the model and the curves,\n"
    "  addition --load addition.h5              and test it again\n"
    "An LSTM of 128 units is known to reach 99 % with 3 digits after 100 epochs of 50,000 sums.\n"
    "The last line of the output is for programs: accuracy is the share of sums without a mistake\n"
    "among 5,000 that were never seen in training.";

const Characters question_characters("0123456789+ ");
const Characters answer_characters("0123456789");

using addition::Sum;
using Adder = EncoderDecoder<LSTM, Decoder<LSTM>>;

struct Addition : Experiment {
  Addition() : Experiment("addition", "Trains an encoder and a decoder to add numbers.", usage) {}

  const std::int64_t& digits = integer("digits", 3, "Digits of the larger numbers", 1, 6);
  const std::int64_t& hidden = add_hidden(128, "Units of encoder and decoder");
  const std::int64_t& features =
      integer("features", 32, "Size of the embedding of a character", 1, 4096);
  const std::int64_t& batch = integer("batch", 128, "Sums in a batch", 1, 65'536);
  // An epoch is about 50,000 sums.
  const std::int64_t& batches =
      integer("batches", 390, "Batches in an epoch; no two are the same", 1, 1e6);
  const std::int64_t& epochs = add_epochs(20, "Epochs to train for");
  const double& learning_rate =
      add_learning_rate(3e-3, "Initial rate of Adam, which falls linearly to 0");

  Adder make_model(Rng& rng) const {
    return {Embedding({.vocabulary = question_characters.size(), .features = features}, rng),
            LSTM({.input = features, .hidden = hidden}, rng),
            Decoder<LSTM>({.vocabulary = answer_characters.size(), .features = features},
                          LSTM({.input = features, .hidden = hidden}, rng), rng)};
  }

  /// The decoder's initial state: the encoder's state after reading the questions, last character
  /// first.
  Decoder<LSTM>::State read(const Adder& model, const std::vector<Sum>& sums) const {
    std::vector<std::string> reversed;
    for (const Sum& sum : sums) {
      const std::string padded = fmt::format("{:<{}}", sum.text, 2 * digits + 1);
      reversed.emplace_back(padded.rbegin(), padded.rend());
    }
    const Tensor tokens = question_characters.encode(reversed).steps;
    return model.decoder.begin(model.encoder(model.embedding(tokens)).second);
  }

  /// Here the decoder reads the digits that it has written itself.
  std::vector<std::string> answers(const Adder& model, const std::vector<Sum>& sums) const {
    std::vector<std::string> lines;
    const Tensor first = answer_characters.borders(std::ssize(sums));
    for (const Decoded& each :
         greedy_decode(model.decoder, read(model, sums), first,
                       {.end = answer_characters.border(), .max_steps = 10})) {
      lines.push_back(answer_characters.decode(each.tokens));
    }
    return lines;
  }

  int run() {
    Rng rng(seed);
    Adder model = make_model(rng);
    const Rng train_rng = rng.split();
    Rng test_rng = rng.split();
    fmt::print(
        "addition of {} digits: two LSTMs of {} units, {} weights, {} epochs, Adam {}, seed {}\n",
        digits, hidden, count(model), epochs, learning_rate, seed);
    const TrainingOptions options{.label = "adder", .epochs = epochs, .batches = batches};
    Adam optimizer(parameters(model), {.learning_rate = learning_rate});
    optimizer.set_schedule(linear_decay(options.steps()));
    load_or_train(model, optimizer, options, train_rng, [&](Rng& r) {
      const std::vector<Sum> sums = addition::draw(digits, batch, false, r);
      return teach(model.decoder, read(model, sums), column(sums, &Sum::result), answer_characters);
    });
    const std::vector<Sum> unseen = addition::draw(digits, 5000, true, test_rng);
    const Tally right = compare_answers(column(unseen, &Sum::text), column(unseen, &Sum::result),
                                        answers(model, unseen), 2 * digits + 1, " = ");
    fmt::print("{} of {} unseen sums are right\n", right.hits, right.total);
    return result(fmt::format("accuracy={:.6f}", right.rate()), {"digits", "hidden", "epochs"});
  }
};

}  // namespace

int main(int argc, char** argv) { return examples::run<Addition>(argc, argv); }
