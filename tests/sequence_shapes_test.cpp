// The four shapes of a sequence model, each complete: a task, a model, its loss, and no mistake on
// new examples after a second of training.

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/rewind.hpp>

namespace {

using namespace rw;
using Size = std::int64_t;

constexpr Size batch = 32;

/// The five lines of a training step, `steps` times.
template <class Model, class Loss>
void train(Model& model, int steps, Loss&& loss_of_a_batch) {
  const ParameterList weights = parameters(model);
  Adam optimizer(weights, {.learning_rate = 1e-2});
  for (int i = 0; i < steps; ++i) {
    Tape tape;
    const Tensor loss = loss_of_a_batch();
    optimizer.zero_grad();
    tape.backward(loss);
    clip_by_norm(weights, 1.0);
    optimizer.step();
  }
}

/// Random integers in [low, high).
Tensor integers(const Shape& shape, Size low, Size high, Rng& rng) {
  std::vector<Size> values(static_cast<std::size_t>(shape.elements()));
  std::generate(values.begin(), values.end(), [&] { return low + rng.integer(high - low); });
  return Tensor::from<Size>(shape, values);
}

Tensor filled(Size value, Size count) {
  return full({count}, static_cast<double>(value), DType::int64);
}

}  // namespace

// One number in, a sequence out: the answer to n is n ticks and an end.
namespace {
struct Ticker {
  Embedding number;
  Decoder<GruCell> decoder;
  Decoder<GruCell>::State begin(const Tensor& n) const { return decoder.begin({number(n)}); }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("number", number);
    visit("decoder", decoder);
  }
};
}  // namespace

BOOST_AUTO_TEST_CASE(one_to_many) {
  constexpr Size largest = 6;
  constexpr Size tick = 0;
  constexpr Size end = 1;
  Rng rng(1);
  Ticker model{{{.vocabulary = largest, .features = 16}, rng},
               {{.vocabulary = 2, .features = 4}, GruCell({.input = 4, .hidden = 16}, rng), rng}};
  train(model, 400, [&] {
    const Tensor n = integers({batch}, 0, largest, rng);
    Tensor targets = full({largest, batch}, end, DType::int64);
    for (Size b = 0; b < batch; ++b) {
      for (Size t = 0; t < n.data<Size>()[b]; ++t) {
        targets.mutable_data<Size>()[t * batch + b] = tick;
      }
    }
    const Tensor logits =
        model.decoder.teach(shifted_targets(filled(end, batch), targets), model.begin(n)).logits;
    return cross_entropy(logits, targets);
  });
  const auto written = greedy_decode(model.decoder, model.begin(arange(largest)),
                                     filled(end, largest), {.end = end});
  for (std::size_t n = 0; n < written.size(); ++n) {
    BOOST_TEST(written[n].tokens.size() == n);
    BOOST_TEST(written[n].ended);
  }
}

// A sequence in, one answer out: which symbol came first? Sequences of 1 to 8 symbols.
namespace {
struct Rememberer {
  Embedding embedding;
  LSTM lstm;
  Linear readout;
  Tensor operator()(const Tensor& x, const Tensor& lengths) const {
    const Tensor h = lstm({embedding(x), lengths}).first;
    return readout(last_step({h, lengths}));  // each sequence's own last
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("embedding", embedding);
    visit("lstm", lstm);
    visit("readout", readout);
  }
};
}  // namespace

BOOST_AUTO_TEST_CASE(many_to_one) {
  constexpr Size symbols = 4;
  Rng rng(2);
  Rememberer model{{{.vocabulary = symbols, .features = 8}, rng},
                   {{.input = 8, .hidden = 16}, rng},
                   {{.input = 16, .output = symbols}, rng}};
  const auto draw = [&] {
    const Tensor x = integers({8, batch}, 0, symbols, rng);
    return std::tuple{x, integers({batch}, 1, 9, rng), select(x, 0, 0)};
  };
  train(model, 300, [&] {
    const auto [x, lengths, first] = draw();
    return cross_entropy(model(x, lengths), first);
  });
  for (int i = 0; i < 10; ++i) {
    const auto [x, lengths, first] = draw();
    BOOST_TEST(accuracy(model(x, lengths), first) == 1.0);
  }
}

// A sequence in, an answer at each step: is the number of ones so far odd?
namespace {
struct Counter {
  GRU gru;
  Linear readout;
  Tensor operator()(const Tensor& x) const { return readout(gru(x).first); }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("gru", gru);
    visit("readout", readout);
  }
};
}  // namespace

BOOST_AUTO_TEST_CASE(many_to_many_synchronised) {
  Rng rng(3);
  Counter model{{{.input = 1, .hidden = 16}, rng}, {{.input = 16, .output = 1}, rng}};
  const auto draw = [&] {
    const Tensor x = integers({8, batch, 1}, 0, 2, rng).to(DType::float32);
    Tensor odd = cumsum(x, 0);
    for (Size i = 0; i < odd.elements(); ++i) {
      float& ones_so_far = odd.mutable_data<float>()[i];
      ones_so_far = std::fmod(ones_so_far, 2.0F);
    }
    return std::pair{x, odd};
  };
  train(model, 500, [&] {
    const auto [x, odd] = draw();
    return bce_with_logits(model(x), odd);
  });
  for (int i = 0; i < 10; ++i) {
    const auto [x, odd] = draw();
    BOOST_TEST(sum(equal(model(x) > 0, odd > 0.5)).item() == 8 * batch);
  }
}

// A sequence in, then another out: the same symbols in reverse order.
namespace {
struct Reverser {
  Embedding embedding;
  GRU encoder;
  Decoder<GRU, LuongAttention> decoder;
  auto read(const Tensor& x) const {
    const auto [steps, last] = encoder(embedding(x));
    return decoder.begin(last, steps);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("embedding", embedding);
    visit("encoder", encoder);
    visit("decoder", decoder);
  }
};
}  // namespace

BOOST_AUTO_TEST_CASE(many_to_many_delayed) {
  constexpr Size symbols = 5;
  constexpr Size border = symbols;
  Rng rng(4);
  Reverser model{{{.vocabulary = symbols, .features = 8}, rng},
                 {{.input = 8, .hidden = 24}, rng},
                 {{.vocabulary = symbols + 1, .features = 8, .memory = 24},
                  GRU({.input = 8 + 24, .hidden = 24}, rng),
                  LuongAttention({.query = 24, .memory = 24}, rng),
                  rng}};
  const auto draw = [&](Size count) {
    const Tensor x = integers({5, count}, 0, symbols, rng);
    return std::pair{x, concat({flip(x, {0}), full({1, count}, border, DType::int64)}, 0)};
  };
  train(model, 700, [&] {
    const auto [x, targets] = draw(batch);
    const Tensor inputs = shifted_targets(filled(border, batch), targets);
    return cross_entropy(model.decoder.teach(inputs, model.read(x)).logits, targets);
  });
  const auto [x, targets] = draw(200);
  const auto found = beam_search(model.decoder, model.read(x), filled(border, 200),
                                 {.end = border, .max_steps = 10, .beams = 3});
  for (Size b = 0; b < 200; ++b) {
    const std::vector<Size> right = select(slice(targets, 0, 0, 5), 1, b).to_vector<Size>();
    BOOST_TEST(found[static_cast<std::size_t>(b)][0].tokens == right,
               boost::test_tools::per_element());
  }
}
