// Decoders of any cell, with and without attention: one step against plain loops, teacher forcing
// against single steps, scheduled sampling, gradients, and searches with them.

#include <cmath>
#include <limits>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/layers/beam_search.hpp>
#include <rewind/layers/decoder.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/lstm.hpp>

#include "support/closeness.hpp"
#include "support/messages.hpp"
#include "support/naive_cells.hpp"
#include "support/random_layers.hpp"

namespace {

using namespace rw;
using namespace rw::testing;
using Tokens = std::vector<Size>;

constexpr Size vocabulary = 5;
constexpr Size features = 3;
constexpr Size hidden = 4;
constexpr Size memory_size = 2;
constexpr Size batch = 3;
constexpr Size source_steps = 4;
const std::vector<Size> source_lengths = {4, 1, 3};

constexpr DecoderOptions plain_options{
    .vocabulary = vocabulary, .features = features, .dtype = DType::float64};
constexpr DecoderOptions attending_options{
    .vocabulary = vocabulary, .features = features, .memory = memory_size, .dtype = DType::float64};

template <class N>
N network(Rng& rng, bool attends, DType dtype = DType::float64) {
  typename N::Options options{};
  options.input = features + (attends ? hidden : 0);
  options.hidden = hidden;
  options.dtype = dtype;
  if constexpr (Cell<N>) {
    return {options, rng};
  } else {
    return {options, {.layers = 2}, rng};
  }
}

template <class N>
Decoder<N> plain(Rng& rng) {
  return {plain_options, network<N>(rng, false), rng};
}

template <class N, class A = LuongAttention>
Decoder<N, A> attending(Rng& rng) {
  typename A::Options options{};
  options.query = hidden;
  options.memory = memory_size;
  options.dtype = DType::float64;
  if constexpr (std::same_as<A, BahdanauAttention>) {
    options.hidden = 3;
  }
  return {attending_options, network<N>(rng, true), A(options, rng), rng};
}

Sequence source(Rng& rng) {
  return {rng.normal({source_steps, batch, memory_size}, 0, 1, DType::float64),
          Tensor::from<Size>({batch}, source_lengths)};
}

Tensor tokens(Size steps, Rng& rng) {
  Tokens values;
  for (Size i = 0; i < steps * batch; ++i) values.push_back(rng.integer(vocabulary));
  return Tensor::from<Size>({steps, batch}, values);
}

/// Calls `body(decoder, state before the first token)` for decoders of several kinds.
template <class Body>
void for_each_decoder(Body&& body) {
  Rng rng(1);
  const auto without = [&]<class N>(Decoder<N> decoder) {
    body(decoder, decoder.begin(random_state(decoder.network, batch, rng)));
  };
  const auto with = [&]<class N, class A>(Decoder<N, A> decoder) {
    body(decoder, decoder.begin(random_state(decoder.network, batch, rng), source(rng)));
  };
  without(plain<GruCell>(rng));
  without(plain<LstmCell>(rng));
  without(plain<LSTM>(rng));
  without(Decoder<Recurrent<GruCell>>(plain_options, {network<GruCell>(rng, false)}, rng));
  with(attending<GruCell>(rng));
  with(attending<LSTM>(rng));
  with(attending<LstmCell, BahdanauAttention>(rng));
}

Row row(const Tensor& x, Size i) { return numbers(select(x, 0, i)); }

Row joined(Row a, const Row& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// y_t, the logits, of a GRU with attention: the formulas of the documentation, row by row.
Row naive_logits(const Decoder<GruCell, LuongAttention>& d, Size token, const Tensor& memory,
                 Size b, std::vector<Row>& h, Row& attended) {
  const Row y = rw::testing::naive_step(d.network)(
      joined(row(d.embedding.table.value(), token), attended), h);
  Row scores;
  double total = 0;
  const Size length = source_lengths[static_cast<std::size_t>(b)];
  for (Size t = 0; t < length; ++t) {
    const Row key = affine_row(row(select(memory, 0, t), b), d.attention.weight);
    double score = 0;
    for (std::size_t i = 0; i < key.size(); ++i) score += key[i] * y[i];
    scores.push_back(std::exp(score));
    total += scores.back();
  }
  Row context(static_cast<std::size_t>(memory_size), 0.0);
  for (Size t = 0; t < length; ++t) {
    const Row value = row(select(memory, 0, t), b);
    for (std::size_t i = 0; i < context.size(); ++i) {
      context[i] += scores[static_cast<std::size_t>(t)] / total * value[i];
    }
  }
  attended = affine_row(joined(y, context), d.combine.weight);
  for (double& a : attended) a = std::tanh(a);
  return affine_row(attended, d.readout.weight, d.readout.bias);
}

}  // namespace

BOOST_AUTO_TEST_CASE(steps_against_plain_loops) {
  Rng rng(2);
  const auto decoder = attending<GruCell>(rng);
  const Sequence remembered = source(rng);
  const GruCell::State from = random_state(decoder.network, batch, rng);
  const Tensor inputs = tokens(6, rng);
  const Tensor logits = decoder.teach(inputs, decoder.begin(from, remembered)).logits;
  for (Size b = 0; b < batch; ++b) {
    std::vector<Row> h{row(from.h, b)};
    Row attended(static_cast<std::size_t>(hidden), 0.0);
    for (Size t = 0; t < 6; ++t) {
      const auto token = static_cast<Size>(select(select(inputs, 0, t), 0, b).item());
      const Row expected = naive_logits(decoder, token, remembered.steps, b, h, attended);
      const Row got = row(select(logits, 0, t), b);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        BOOST_TEST(std::abs(got[i] - expected[i]) < 1e-13);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_whole_target_is_its_steps) {
  for_each_decoder([](const auto& decoder, auto state) {
    Rng rng(3);
    const Tensor inputs = tokens(5, rng);
    auto run = decoder.teach(inputs, state);
    BOOST_REQUIRE((run.logits.shape() == Shape{5, batch, vocabulary}));
    constexpr bool attends = std::remove_cvref_t<decltype(decoder)>::attends;
    BOOST_TEST(run.weights.defined() == attends);
    for (Size t = 0; t < 5; ++t) {
      Tensor logits;
      std::tie(logits, state) = decoder(select(inputs, 0, t), state);
      check_close(select(run.logits, 0, t), logits, 1e-13);
      if constexpr (attends) {
        check_close(select(run.weights, 0, t), state.weights, 1e-13);
      }
    }
    TensorList last;
    for_each_tensor(state, [&](const Tensor& tensor) { last.push_back(tensor); });
    std::size_t i = 0;
    for_each_tensor(run.state,
                    [&](const Tensor& tensor) { check_close(tensor, last[i++], 1e-13); });
    BOOST_TEST(i == last.size());

    const auto nothing = decoder.teach(zeros({0, batch}, DType::int64), state);
    BOOST_TEST((nothing.logits.shape() == Shape{0, batch, vocabulary}));
  });
}

BOOST_AUTO_TEST_CASE(gradients) {
  const auto check = [](auto& decoder, const TensorFunction& f, const std::vector<Tensor>& in) {
    const auto first = gradcheck(f, in, parameters(decoder));
    BOOST_TEST(first.passed, first.message);
    const auto second = gradgradcheck(f, in, parameters(decoder));
    BOOST_TEST(second.passed, second.message);
  };
  Rng rng(4);
  const Tensor inputs = tokens(3, rng);
  const Tensor h = rng.normal({batch, hidden}, 0, 1, DType::float64);
  auto plain_decoder = plain<GruCell>(rng);
  check(plain_decoder,
        [&](const std::vector<Tensor>& in) {
          return plain_decoder.teach(inputs, plain_decoder.begin({in[0]})).logits;
        },
        {h});
  const Sequence remembered = source(rng);
  const auto with_attention = [&](auto decoder) {
    check(decoder,
          [&](const std::vector<Tensor>& in) {
            return decoder.teach(inputs, decoder.begin({in[0]}, remembered.with(in[1]))).logits;
          },
          {h, remembered.steps});
  };
  with_attention(attending<GruCell>(rng));
  with_attention(attending<GruCell, BahdanauAttention>(rng));
}

BOOST_AUTO_TEST_CASE(what_stands_in_the_padding_of_the_memory_does_not_matter) {
  Rng rng(5);
  auto decoder = attending<LSTM, BahdanauAttention>(rng);
  const Sequence remembered = source(rng);
  Tensor spoiled = remembered.steps.clone();
  for (Size t = 0; t < source_steps; ++t) {
    for (Size b = 0; b < batch; ++b) {
      if (t >= source_lengths[static_cast<std::size_t>(b)]) {
        std::fill_n(spoiled.mutable_data<double>() + (t * batch + b) * memory_size, memory_size,
                    std::numeric_limits<double>::quiet_NaN());
      }
    }
  }
  const Tensor inputs = tokens(4, rng);
  const auto run = [&](const Tensor& steps) {
    Tape tape;
    zero_grad(decoder);
    const Tensor logits = decoder
                              .teach(inputs, decoder.begin(decoder.network.initial_state(batch),
                                                           remembered.with(steps)))
                              .logits;
    tape.backward(cross_entropy(logits, inputs));
    std::vector<Numbers> all{numbers(logits)};
    for (const NamedParameter& entry : parameters(decoder)) {
      all.push_back(numbers(entry.parameter->grad()));
    }
    return all;
  };
  BOOST_TEST((run(remembered.steps) == run(spoiled)));
}

BOOST_AUTO_TEST_CASE(float32_agrees_with_float64) {
  Rng rng(6);
  auto fine = attending<GruCell>(rng);
  Decoder<GruCell, LuongAttention> rough(
      {.vocabulary = vocabulary, .features = features, .memory = memory_size},
      network<GruCell>(rng, true, DType::float32),
      LuongAttention({.query = hidden, .memory = memory_size}, rng), rng);
  const ParameterList from = parameters(fine);
  const ParameterList to = parameters(rough);
  BOOST_REQUIRE_EQUAL(from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i].parameter->assign(from[i].parameter->value().to(DType::float32));
  }
  const Sequence remembered = source(rng);
  const Tensor inputs = tokens(8, rng);
  const auto run = [&](auto& decoder, DType dtype) {
    Tape tape;
    const Tensor logits =
        decoder
            .teach(inputs, decoder.begin(decoder.network.initial_state(batch),
                                         remembered.with(remembered.steps.to(dtype))))
            .logits;
    tape.backward(cross_entropy(logits, inputs));
    return logits;
  };
  check_close(run(rough, DType::float32), run(fine, DType::float64), 1e-5);
  for (std::size_t i = 0; i < from.size(); ++i) {
    check_close(to[i].parameter->grad(), from[i].parameter->grad(), 1e-5);
  }
}

BOOST_AUTO_TEST_CASE(scheduled_sampling_mixes_right_and_own_tokens) {
  for_each_decoder([](const auto& decoder, const auto& state) {
    Rng rng(7);
    const Tensor inputs = tokens(6, rng);
    check_close(decoder.teach(inputs, state, 0.0, rng).logits, decoder.teach(inputs, state).logits,
                1e-13);
    // The decoder reads only its own tokens: greedy decoding.
    const Tensor own = decoder.teach(inputs, state, 1.0, rng).logits;
    const Tensor said = argmax(own);
    const auto greedy = greedy_decode(decoder, state, select(inputs, 0, 0), {.max_steps = 6});
    for (Size b = 0; b < batch; ++b) {
      for (Size t = 0; t < 6; ++t) {
        BOOST_TEST(select(select(said, 0, t), 0, b).item() ==
                   static_cast<double>(
                       greedy[static_cast<std::size_t>(b)].tokens[static_cast<std::size_t>(t)]));
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(searches_take_states_and_memories_along) {
  for_each_decoder([](const auto& decoder, const auto& state) {
    Rng rng(8);
    const Tensor first = select(tokens(1, rng), 0, 0);
    const auto found =
        beam_search(decoder, state, first, {.end = 0, .max_steps = 5, .beams = 4, .results = 4});
    for (Size b = 0; b < batch; ++b) {
      for (const BeamDecoded& each : found[static_cast<std::size_t>(b)]) {
        // One run over the tokens found, which every row of the batch reads.
        Tokens read{first.to_vector<Size>()[static_cast<std::size_t>(b)]};
        read.insert(read.end(), each.tokens.begin(), each.tokens.end());
        Tokens written = each.tokens;
        if (each.ended) {
          written.push_back(0);
        } else {
          read.pop_back();
        }
        Tokens inputs;
        for (const Size token : read) inputs.insert(inputs.end(), batch, token);
        const auto steps = static_cast<Size>(read.size());
        const Tensor p =
            log_softmax(decoder.teach(Tensor::from<Size>({steps, batch}, inputs), state).logits);
        double total = 0;
        for (Size t = 0; t < steps; ++t) {
          total += row(select(p, 0, t),
                       b)[static_cast<std::size_t>(written[static_cast<std::size_t>(t)])];
        }
        BOOST_TEST(std::abs(total - each.log_probability) < 1e-12);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(targets_are_shifted) {
  const Tensor targets = Tensor::from<Size>({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor first = Tensor::from<Size>({2}, {8, 9});
  BOOST_TEST(shifted_targets(first, targets).to_vector<Size>() == (Tokens{8, 9, 1, 2, 3, 4}),
             boost::test_tools::per_element());
  BOOST_TEST((shifted_targets(first, zeros({0, 2}, DType::int64)).shape() == Shape{0, 2}));
  check_throws<ShapeError>(
      [&] {
        shifted_targets(first, zeros({3, 4}, DType::int64));
      },
      "shifted_targets: first is [2] and targets [3, 4]");
  check_throws<UsageError>(
      [&] {
        shifted_targets(first, zeros({3, 2}));
      },
      "targets float32, expected int64");
}

BOOST_AUTO_TEST_CASE(parameters_are_listed) {
  Rng rng(9);
  auto decoder = attending<GruCell>(rng);
  std::vector<std::string> paths;
  for (const NamedParameter& entry : parameters(decoder)) paths.push_back(entry.path);
  const std::vector<std::string> expected{"embedding/table", "network/w_x",    "network/w_h",
                                          "network/bias",    "network/bias_h", "attention/weight",
                                          "combine/weight",  "readout/weight", "readout/bias"};
  BOOST_TEST(paths == expected, boost::test_tools::per_element());
  auto without = plain<GruCell>(rng);
  BOOST_TEST(parameters(without).size() == 7U);
}

BOOST_AUTO_TEST_CASE(wrong_calls_are_told) {
  Rng rng(10);
  const auto decoder = plain<GruCell>(rng);
  const auto state = decoder.begin(decoder.network.initial_state(batch));
  check_throws<UsageError>([&] { decoder(zeros({batch}), state); },
                           "decoder: tokens are float32, expected int64");
  check_throws<ShapeError>(
      [&] {
        decoder(zeros({1, batch}, DType::int64), state);
      },
      "decoder: tokens are [1, 3], expected [B]");
  check_throws<ShapeError>([&] { decoder.teach(zeros({batch}, DType::int64), state); },
                           "decoder: tokens are [3], expected [T, B], time first");
  check_throws<UsageError>(
      [&] {
        decoder.teach(zeros({2, batch}, DType::int64), state, 1.5, rng);
      },
      "scheduled sampling: own is 1.5, expected a probability from 0 to 1");
  check_throws<UsageError>(
      [&] { Decoder<GruCell>(attending_options, network<GruCell>(rng, false), rng); },
      "decoder: memory is 2, expected 0 without attention");
  const auto attends = attending<GruCell>(rng);
  check_throws<ShapeError>(
      [&] {
        attends.begin(attends.network.initial_state(batch), zeros({4, 3, 7}, DType::float64));
      },
      "luong_attention memory: input has 7 features, expected 2");
}
