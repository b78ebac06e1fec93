// The code of docs/guide.md, run on tiny data. tests/lint/guide.sh checks that each line of the
// page is here. What the page leaves out, such as data, is added around it.
#include <filesystem>

#include <boost/test/unit_test.hpp>
#include <fmt/core.h>
#include <unistd.h>

#include <rewind/rewind.hpp>

using namespace rw;

namespace {

Tensor numbers(const Shape& shape, std::int64_t below, Rng& rng) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values.push_back(rng.integer(below));
  }
  return Tensor::from<std::int64_t>(shape, values);
}

std::string new_folder() {
  std::string folder = (std::filesystem::temp_directory_path() / "rewind-XXXXXX").string();
  BOOST_REQUIRE(::mkdtemp(folder.data()) != nullptr);
  return folder;
}

/// A recurrent network and its readout.
struct Model {
  GRU network;
  Linear head;
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("network", network);
    visit("head", head);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(cells_and_runs) {
  Rng rng(1);
  const std::int64_t batch = 3;
  const Tensor x = rng.normal({5, batch, 8}, 0, 1);
  // clang-format off
LSTM lstm({.input = 8, .hidden = 32}, {.layers = 2, .bidirectional = true, .dropout = 0.2}, rng);
GRU keras({.input = 8, .hidden = 32, .reset = Reset::before, .gate_activation = Activation::hard_sigmoid_keras2}, rng);

auto [y, state] = lstm(x);                               // from zeros: outputs of all steps, last states
auto [more, next] = lstm(x, state);                      // from a state, with its history
auto [chunk, carried] = lstm(x, detach(state));          // from its values only
  // clang-format on
  BOOST_TEST(keras(x).first.shape() == Shape({5, 3, 32}));
  BOOST_TEST(chunk.shape() == more.shape());

  const std::vector<Tensor> sequences{rng.normal({4, 8}, 0, 1), rng.normal({2, 8}, 0, 1)};
  // clang-format off
auto [padded, lengths] = pad_sequences(sequences);       // [T, B, F], int64 [B]
auto [outputs, last] = lstm({padded, lengths});          // zeros in the padding; each one's own last state
Tensor summary = final_output(last);                     // [B, 64]: both directions at their ends
  // clang-format on
  BOOST_TEST(summary.shape() == Shape({2, 64}));

  const Tensor ended = Tensor::from<std::int64_t>({1}, {2});
  const Tensor order = Tensor::from<std::int64_t>({3}, {2, 0, 0});
  const std::string folder = new_folder();
  const std::string file = folder + "/state.h5";
  // clang-format off
Recurrent<LstmCell> layer{LstmCell({.input = 8, .hidden = 32}, rng)};
Tensor cell_states = layer.trace(x).states.c;            // [T, B, 32]
state = reset_rows(detach(state), ended, lstm.initial_state(batch));   // some sequences begin anew
state = select_rows(state, order);                       // branch or reorder, as beams do
io::save(file, "state", state);                          // any state of any network, as state/0/forward/h and so on
io::load(file, "state", state);
  // clang-format on
  std::filesystem::remove_all(folder);
  BOOST_TEST(cell_states.shape() == Shape({5, 3, 32}));
  BOOST_TEST(state[0].h.to_vector<float>()[0] == 0.0f);
}

BOOST_AUTO_TEST_CASE(networks_and_dropout) {
  Rng rng(2);
  const Tensor x = rng.normal({5, 3, 8}, 0, 1);
  // clang-format off
GRU deep({.input = 8, .hidden = 32},
         {.layers = 3, .bidirectional = true, .merge = Merge::sum, .residual = true,
          .learned_state = true}, rng);
Stacked mixed(Recurrent<GruCell>{GruCell({.input = 8, .hidden = 16}, rng)},
              Recurrent<LstmCell>{LstmCell({.input = 16, .hidden = 32}, rng), Direction::backward});

LSTM regular({.input = 8, .hidden = 32},
             {.layers = 2, .dropout = 0.3, .same_dropout_over_time = true, .input_dropout = 0.2,
              .recurrent_dropout = {.states = 0.2, .weights = 0.1, .zoneout = 0.05}}, rng);
auto [trained, after] = regular(x, rng);                 // training
auto [tested, unused] = regular(x);                      // evaluation
  // clang-format on
  BOOST_TEST(deep(x).first.shape() == Shape({5, 3, 32}));
  BOOST_TEST(mixed(x).first.shape() == Shape({5, 3, 32}));
  BOOST_TEST(trained.to_vector<float>() != tested.to_vector<float>());
}

BOOST_AUTO_TEST_CASE(words) {
  Rng rng(3);
  LSTM lstm_of_words({.input = 32, .hidden = 32}, rng);
  Linear head({.input = 32, .output = 50}, rng);
  const Tensor tokens = numbers({6, 4}, 50, rng);
  const Tensor labels = numbers({4}, 50, rng);
  const Tensor stream = numbers({200}, 50, rng);
  // clang-format off
Embedding table({.vocabulary = 50, .features = 32}, rng);
Tensor logits = matmul(lstm_of_words(table(tokens)).first, transposed(table.table));

Sequential read_out(Linear({.input = 32, .output = 64}, rng), Activation::relu, Dropout{0.1},
                    Linear({.input = 64, .output = 5}, rng));
Tensor classes = read_out(last_step(lstm_of_words(table(tokens)).first), rng);   // without rng: no dropout
freeze(lstm_of_words);                                   // constants from here on; unfreeze() takes it back
  // clang-format on
  BOOST_TEST(logits.shape() == Shape({6, 4, 50}));
  BOOST_TEST(classes.shape() == Shape({4, 5}));
  BOOST_TEST(count(lstm_of_words) == 0);
  unfreeze(lstm_of_words);

  ParameterList weights = parameters(lstm_of_words);
  weights.push_back({"head", &head.weight});
  Sgd optimizer(weights, {.learning_rate = 0.1});
  {
    // clang-format off
BpttBatches chunks = bptt_batches(stream, {.batch = 4, .steps = 10});       // columns stay contiguous
TruncatedBptt bptt(lstm_of_words.initial_state(4), {.every = 5, .back = 10});   // k1, k2
for (const BpttBatch& part : chunks) {
  bptt.run([&](const Tensor& t, auto s) { return lstm_of_words(table(t), std::move(s)); }, part.x,
           [&](const Tensor& h, const TimeSteps& steps) { return cross_entropy(head(h), steps.of(part.y)); },
           [&](const Tensor&) { optimizer.step(); optimizer.zero_grad(); });
}
    // clang-format on
    BOOST_TEST(chunks.epoch() == 1);
    BOOST_TEST(optimizer.steps() == 10);
  }
  {
    // clang-format off
LSTM tone({.input = 1, .hidden = 16}, rng);
Linear mix({.input = 16, .output = 1}, rng);
Stream effect(tone, mix, {.inputs = 1});                 // runs the step once and captures it
std::vector<float> samples(64, 0.1F), heard(64);
effect.process(samples, heard);                          // any number of steps; step() is one
effect.reset();                                          // back to the initial state
Plan plan = capture([&](const Tensor& x) { return mix(tanh(x)); }, zeros({1, 16}));
plan.run();                                              // reads plan.input(0), writes plan.output(0)
    // clang-format on
    BOOST_TEST(heard[63] != 0);
    BOOST_TEST(plan.output(0).shape() == Shape({1, 1}));
  }
  // clang-format off
Tape tape;
StateRecorder recorder;                                  // every recurrent layer that runs is noted
Tensor loss = cross_entropy(head(last_step(lstm_of_words(table(tokens)).first)), labels);
for (const GradientFlow& flow : gradient_flow(tape, loss, recorder)) {
  fmt::print("{}", to_string(flow));
  Tensor norms = flow.state_norms();                     // |dL/dh_t| of each step
  Tensor parts = flow.weight_norms("w_h");               // each step's own part of dL/dW
  double radius = flow.spectral_radius(3);               // of the recurrent Jacobian at step 3
    // clang-format on
    BOOST_TEST(norms.shape() == Shape({6}));
    BOOST_TEST(parts.shape() == Shape({6}));
    BOOST_TEST(radius > 0);
  }
}

BOOST_AUTO_TEST_CASE(sequence_to_sequence) {
  Rng rng(4);
  GRU encoder({.input = 8, .hidden = 64}, rng);
  const Tensor source = rng.normal({7, 2, 8}, 0, 1);
  const Tensor source_lengths = Tensor::from<std::int64_t>({2}, {7, 4});
  const Tensor first = Tensor::from<std::int64_t>({2}, {0, 0});
  const Tensor targets = numbers({5, 2}, 12, rng);
  // clang-format off
Decoder<GRU, LuongAttention> decoder({.vocabulary = 12, .features = 16, .memory = 64},
                                     GRU({.input = 16 + 64, .hidden = 64}, rng),
                                     LuongAttention({.query = 64, .memory = 64}, rng), rng);
auto [memory, summary_state] = encoder({source, source_lengths});
auto begin = decoder.begin(summary_state, {memory, source_lengths});
auto taught = decoder.teach(shifted_targets(first, targets), begin);       // teacher forcing: logits, attention weights
auto mixed_run = decoder.teach(shifted_targets(first, targets), begin, 0.25, rng);   // scheduled sampling
auto greedy = greedy_decode(decoder, begin, first, {.end = 1, .max_steps = 20});
auto drawn = sample_decode(decoder, begin, first, rng, {.end = 1, .max_steps = 20, .temperature = 0.8, .top_k = 5, .top_p = 0.9});
auto best = beam_search(decoder, begin, first, {.end = 1, .max_steps = 20, .beams = 5, .length_penalty = 0.6});
  // clang-format on
  BOOST_TEST(taught.logits.shape() == Shape({5, 2, 12}));
  BOOST_TEST(taught.weights.shape() == Shape({5, 2, 7}));
  BOOST_TEST(mixed_run.logits.shape() == Shape({5, 2, 12}));
  BOOST_TEST(greedy.size() == 2U);
  BOOST_TEST(drawn.size() == 2U);
  BOOST_TEST(best[0][0].log_probability >= greedy[0].log_probability);
}

BOOST_AUTO_TEST_CASE(losses) {
  Rng rng(5);
  const Tensor step_logits = rng.normal({6, 2, 5}, 0, 1);
  const Tensor step_targets = numbers({6, 2}, 5, rng);
  const Tensor lengths = Tensor::from<std::int64_t>({2}, {6, 3});
  const Tensor labels_of_ctc = Tensor::from<std::int64_t>({2, 2}, {1, 3, 2, 0});
  const Tensor label_lengths = Tensor::from<std::int64_t>({2}, {2, 1});
  // clang-format off
Tensor token_mean = sequence_cross_entropy(step_logits, step_targets, lengths);
Tensor sequence_mean = sequence_cross_entropy(step_logits, step_targets, lengths, {.reduction = SequenceReduction::sequence_mean});
Tensor ctc = ctc_loss(step_logits, labels_of_ctc, lengths, label_lengths);
auto transcript = ctc_beam_search(step_logits, lengths, {.beams = 16});
double ppl = perplexity(token_mean.item());
  // clang-format on
  BOOST_TEST(sequence_mean.item() != token_mean.item());
  BOOST_TEST(ctc.item() > 0);
  BOOST_TEST(transcript.size() == 2U);
  BOOST_TEST(ppl > 1);
}

BOOST_AUTO_TEST_CASE(training) {
  const std::string folder = new_folder();
  Rng rng(6);
  Model model{GRU({.input = 1, .hidden = 8}, rng), {}};
  model.head = Linear({.input = 8, .output = 1}, rng);
  const Tensor inputs = rng.normal({5, 64, 1}, 0, 1);
  const Tensor valid = rng.normal({5, 16, 1}, 0, 1);
  const auto loss_of = [&](const Tensor& x) {
    return mse(model.head(last_step(model.network(x).first)), select(x, 0, 0));
  };
  // clang-format off
Adam adam(parameters(model), {.learning_rate = 1e-2});
adam.set_schedule(warm_up(100) * cosine_decay(1000));
Minibatches batches(inputs.size(1), {.batch = 16}, rng);                   // resumable: save it with the model
Trainer trainer(adam, {.epochs = 3,
                       .clip_norm = 1.0,
                       .accumulate = 2,
                       .validate = [&] { return loss_of(valid).item(); },
                       .on_best = [&] { io::save(folder + "/best.h5", "model", model); },
                       .patience = 5});
trainer.fit(batches, [&](const Tensor& batch) { return loss_of(index_select(inputs, batch, 1)); });
io::write_csv(folder + "/history.csv", trainer.history());
  // clang-format on
  BOOST_TEST(trainer.epochs_done() == 3);
  BOOST_TEST(adam.steps() == 6);
  BOOST_TEST(std::filesystem::exists(folder + "/best.h5"));
  BOOST_TEST(std::filesystem::exists(folder + "/history.csv"));
  std::filesystem::remove_all(folder);
}

BOOST_AUTO_TEST_CASE(checkpoints) {
  const std::string folder = new_folder();
  const std::string file = folder + "/x.h5";
  Rng rng(1);
  Model model{GRU({.input = 8, .hidden = 4}, rng), Linear({.input = 4, .output = 2}, rng)};
  GRU encoder = model.network;
  Adam adam(parameters(model));
  int epoch = 3;
  std::string json = R"({"hidden": 8})";
  const double loss = 0.5;
  // clang-format off
io::save(file, "model", model, "optimizer", adam, "rng", rng, "epoch", epoch, "config", json);
io::load(file, "model", model, "optimizer", adam, "rng", rng, "epoch", epoch, "config", json);
io::load(file, {.allow_unexpected = true}, "model/network", encoder);              // a part of the file
io::load(file, {.allow_unexpected = true, .rename = {{"model/network/*", "body/*"}}}, "body", encoder);
io::CheckpointDirectory directory(folder + "/runs/7", {.keep_last = 3, .keep_best = 1});
directory.resume("model", model, "optimizer", adam, "rng", rng);                   // the newest that is whole
Autosave autosave({.save = [&] { directory.save(loss, "model", model, "optimizer", adam, "rng", rng); },
                   .every_minutes = 5});
autosave.after_step();                                                             // after each step
autosave.finish();
  // clang-format on
  BOOST_TEST(directory.best()->score.value() == loss);
  std::filesystem::remove_all(folder);
}
