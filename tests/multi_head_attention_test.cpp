// Multi-head attention against plain loops in float64: values, masks, gradients, messages.

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/decoder.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/multi_head_attention.hpp>

#include "support/closeness.hpp"
#include "support/messages.hpp"
#include "support/naive_cells.hpp"
#include "support/padded.hpp"
#include "support/plain_array.hpp"

namespace {

using namespace rw;
using namespace rw::testing;

static_assert(Attention<MultiHeadAttention>);

constexpr Size batch = 3;
constexpr Size steps = 4;
constexpr Size source_steps = 5;
const std::vector<Size> length_values = {4, 0, 2};
constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
const std::vector<Size> source_lengths = {3, 5, 0};

MultiHeadAttention layer(Rng& rng, Size memory = 0, bool bias = true) {
  MultiHeadAttention result({.query = 4,
                             .memory = memory,
                             .heads = 2,
                             .hidden = 6,
                             .bias = bias,
                             .dtype = DType::float64},
                            rng);
  for (const NamedParameter& entry : parameters(result)) {
    Parameter& p = *entry.parameter;
    p.assign(rng.normal(p.shape(), 0, 0.7, DType::float64));
  }
  return result;
}

Row row(const Tensor& x, Size t, Size b) { return numbers(select(select(x, 0, t), 0, b)); }

/// y and the weights of query step t of sequence b, which may attend to the steps for which `sees`
/// is true.
template <class Sees>
std::pair<Row, std::vector<Row>> naive(const MultiHeadAttention& a, const Tensor& x,
                                       const Tensor& memory, Size t, Size b, Sees sees) {
  const Row q = affine_row(row(x, t, b), a.query.weight, a.query.bias);
  const std::size_t size = q.size() / static_cast<std::size_t>(a.heads);
  Row mixed(q.size(), 0.0);
  std::vector<Row> weights;
  for (std::size_t begin = 0; begin < q.size(); begin += size) {
    Row weight(static_cast<std::size_t>(memory.size(0)), 0.0);
    double total = 0;
    for (Size s = 0; s < memory.size(0); ++s) {
      if (sees(s)) {
        const Row k = affine_row(row(memory, s, b), a.key.weight, a.key.bias);
        double score = 0;
        for (std::size_t i = begin; i < begin + size; ++i) score += q[i] * k[i];
        total += weight[static_cast<std::size_t>(s)] =
            std::exp(score / std::sqrt(static_cast<double>(size)));
      }
    }
    for (Size s = 0; s < memory.size(0); ++s) {
      double& w = weight[static_cast<std::size_t>(s)];
      if (sees(s)) {
        w /= total;
        const Row v = affine_row(row(memory, s, b), a.value.weight, a.value.bias);
        for (std::size_t i = begin; i < begin + size; ++i) mixed[i] += w * v[i];
      }
    }
    weights.push_back(weight);
  }
  return {affine_row(mixed, a.output.weight, a.output.bias), weights};
}

}  // namespace

BOOST_AUTO_TEST_CASE(self_attention_against_plain_loops) {
  Rng rng(1);
  for (const bool bias : {true, false}) {
    const MultiHeadAttention attention = layer(rng, 0, bias);
    const Tensor x = rng.normal({steps, batch, 4}, 0, 1, DType::float64);
    for (const AttentionMask mask : {AttentionMask::none, AttentionMask::causal}) {
      for (const bool given : {false, true}) {
        const auto [y, weights] = attention(
            given ? Sequence(spoiled(x, length_values, nan_value), integers(length_values))
                  : Sequence(x),
            mask);
        BOOST_REQUIRE((y.shape() == x.shape()));
        BOOST_REQUIRE((weights.shape() == Shape{batch, 2, steps, steps}));
        PlainArray<double> got_weights(weights);
        for (Size b = 0; b < batch; ++b) {
          const Size length = given ? length_values[static_cast<std::size_t>(b)] : steps;
          for (Size t = 0; t < steps; ++t) {
            if (t >= length) {
              check_close(row(y, t, b), Row(4, 0.0), 1e-13);
              continue;
            }
            const auto [expected, expected_weights] = naive(attention, x, x, t, b, [&](Size s) {
              return s < length && (mask == AttentionMask::none || s <= t);
            });
            check_close(row(y, t, b), expected, 1e-13);
            for (Size h = 0; h < 2; ++h) {
              for (Size s = 0; s < steps; ++s) {
                BOOST_TEST(std::abs(got_weights[{b, h, t, s}] -
                                    expected_weights[static_cast<std::size_t>(h)]
                                                    [static_cast<std::size_t>(s)]) < 1e-14);
              }
            }
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(cross_attention_and_single_queries_against_plain_loops) {
  Rng rng(2);
  const MultiHeadAttention attention = layer(rng, 3);
  const Tensor x = rng.normal({steps, batch, 4}, 0, 1, DType::float64);
  const Tensor m = rng.normal({source_steps, batch, 3}, 0, 1, DType::float64);
  const auto memory =
      attention.memory({spoiled(m, source_lengths, nan_value), integers(source_lengths)});
  const auto [y, weights] = attention.attend_to(memory, x);
  // The same queries, with those of one sequence in adjacent rows.
  const Tensor rows = reshape(transpose(x, 0, 1), {batch * steps, 4});
  const Attended attended = attention(rows, memory);
  for (Size b = 0; b < batch; ++b) {
    const Size length = source_lengths[static_cast<std::size_t>(b)];
    for (Size t = 0; t < steps; ++t) {
      const auto [expected, expected_weights] =
          naive(attention, x, m, t, b, [&](Size s) { return s < length; });
      check_close(row(y, t, b), expected, 1e-13);
      check_close(numbers(select(attended.context, 0, b * steps + t)), expected, 1e-13);
      Row both = expected_weights[0];
      for (std::size_t s = 0; s < both.size(); ++s) {
        both[s] = (both[s] + expected_weights[1][s]) / 2;
      }
      check_close(numbers(select(attended.weights, 0, b * steps + t)), both, 1e-13);
    }
  }
}

BOOST_AUTO_TEST_CASE(gradients) {
  Rng rng(3);
  MultiHeadAttention self = layer(rng);
  const Tensor x = rng.normal({3, batch, 4}, 0, 1, DType::float64);
  const std::vector<Size> lengths = {3, 0, 2};
  const auto check = [](const TensorFunction& f, const std::vector<Tensor>& in,
                        const ParameterList& list) {
    const auto first = gradcheck(f, in, list);
    BOOST_TEST(first.passed, first.message);
    const auto second = gradgradcheck(f, in, list);
    BOOST_TEST(second.passed, second.message);
  };
  const auto flat = [](const MultiHeadAttention::Result& result) {
    return concat({reshape(result.y, {result.y.elements()}),
                   reshape(result.weights, {result.weights.elements()})},
                  0);
  };
  for (const AttentionMask mask : {AttentionMask::none, AttentionMask::causal}) {
    check(
        [&](const std::vector<Tensor>& in) {
          return flat(self({in[0], integers(lengths)}, mask));
        },
        {x}, parameters(self));
  }
  MultiHeadAttention cross = layer(rng, 3);
  const Tensor m = rng.normal({2, batch, 3}, 0, 1, DType::float64);
  check(
      [&](const std::vector<Tensor>& in) {
        return flat(cross.attend_to(cross.memory(in[1]), in[0]));
      },
      {x, m}, parameters(cross));
}

BOOST_AUTO_TEST_CASE(padding_gets_no_gradient) {
  Rng rng(4);
  MultiHeadAttention attention = layer(rng);
  const Tensor x = rng.normal({steps, batch, 4}, 0, 1, DType::float64);
  const auto run = [&](const Tensor& values) {
    Tape tape;
    zero_grad(attention);
    const Tensor in = tape.watch(values);
    const auto [y, weights] = attention({in, integers(length_values)}, AttentionMask::causal);
    const Tensor loss = sum(square(y)) + sum(square(weights));
    std::vector<Numbers> all{numbers(tape.gradient(loss, {in}, {.retain = true})[0])};
    tape.backward(loss);
    for (const NamedParameter& entry : parameters(attention)) {
      all.push_back(numbers(entry.parameter->grad()));
    }
    return all;
  };
  const auto clean = run(x);
  BOOST_TEST((run(spoiled(x, length_values, nan_value)) == clean));
  PlainArray<double> gradient(x.shape());
  gradient.values = clean[0];
  BOOST_TEST((gradient[{3, 2, 0}] == 0 && gradient[{0, 1, 1}] == 0));
  BOOST_TEST((gradient[{1, 2, 0}] != 0));
}

BOOST_AUTO_TEST_CASE(float32_agrees_with_float64) {
  Rng rng(5);
  const MultiHeadAttention fine({.query = 32, .heads = 4, .dtype = DType::float64}, rng);
  MultiHeadAttention rough({.query = 32, .heads = 4}, rng);
  MultiHeadAttention copy = fine;
  const ParameterList from = parameters(copy);
  const ParameterList to = parameters(rough);
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i].parameter->assign(from[i].parameter->value().to(DType::float32));
  }
  const Tensor x = rng.normal({17, 5, 32}, 0, 1, DType::float64);
  check_close(numbers(rough(x.to(DType::float32), AttentionMask::causal).y),
              numbers(fine(x, AttentionMask::causal).y), 1e-5);
}

BOOST_AUTO_TEST_CASE(serves_a_decoder) {
  Rng rng(6);
  const Decoder<GruCell, MultiHeadAttention> decoder(
      {.vocabulary = 5, .features = 3, .memory = 4}, GruCell({.input = 3 + 4, .hidden = 4}, rng),
      MultiHeadAttention({.query = 4, .memory = 6, .heads = 2}, rng), rng);
  const auto run = decoder.teach(
      zeros({7, batch}, DType::int64),
      decoder.begin(decoder.network.initial_state(batch),
                    {rng.normal({source_steps, batch, 6}, 0, 1), integers(source_lengths)}));
  BOOST_TEST((run.logits.shape() == Shape{7, batch, 5}));
  BOOST_TEST((run.weights.shape() == Shape{7, batch, source_steps}));
  PlainArray<float> weights(run.weights);
  float total = 0;
  for (Size s = 0; s < source_steps; ++s) total += weights[{6, 0, s}];
  BOOST_TEST(std::abs(total - 1) < 1e-6F);
  BOOST_TEST((weights[{6, 0, 3}]) == 0.0F);  // beyond the sequence's length of 3
}

BOOST_AUTO_TEST_CASE(edges) {
  Rng rng(7);
  const MultiHeadAttention attention({.query = 4, .heads = 2}, rng);
  for (const Shape& shape : {Shape{0, 3, 4}, Shape{5, 0, 4}}) {
    BOOST_TEST((attention(zeros(shape), AttentionMask::causal).y.shape() == shape));
  }
  // With nothing to attend to, only the output's bias is left.
  const auto nothing = attention.memory(zeros({0, 2, 4}));
  BOOST_TEST((attention.attend_to(nothing, ones({3, 2, 4})).y.to_vector<float>() ==
              std::vector<float>(24, 0.0F)));
}

BOOST_AUTO_TEST_CASE(wrong_calls_are_told) {
  Rng rng(8);
  check_throws<UsageError>([&] { MultiHeadAttention({.query = 6, .heads = 4}, rng); },
                           "multi_head_attention: 4 heads do not divide hidden, which is 6");
  const MultiHeadAttention attention({.query = 4, .heads = 2}, rng);
  check_throws<ShapeError>(
      [&] {
        attention(zeros({3, 4}));
      },
      "multi_head_attention: x is [3, 4], expected [T, B, 4], time first");
  check_throws<ShapeError>(
      [&] {
        attention({zeros({3, 2, 4}), integers({4, 1})});
      },
      "multi_head_attention: lengths[0] = 4 is outside [0, 3]");
  const auto memory = attention.memory(zeros({3, 2, 4}));
  check_throws<ShapeError>(
      [&] {
        attention.attend_to(memory, zeros({3, 5, 4}));
      },
      "multi_head_attention: x [3, 5, 4] has 5 sequences, the memory 2");
  check_throws<ShapeError>(
      [&] {
        attention(zeros({3, 4}), memory);
      },
      "the query [3, 4] has 3 rows, expected a multiple of 2");
}
