// Attention against plain loops in float64: values, padding, gradients, shared memories, messages.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/anomaly.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/attention.hpp>

#include "support/closeness.hpp"
#include "support/messages.hpp"
#include "support/padded.hpp"
#include "support/plain_array.hpp"

namespace {

using namespace rw;
using namespace rw::testing;

constexpr Size steps = 5;
constexpr Size batch = 4;
constexpr Size memory_size = 3;
constexpr Size query_size = 2;
const std::vector<Size> length_values = {5, 2, 0, 3};

/// The attentions of this file behind one call.
template <class A>
struct Kind;

template <>
struct Kind<BahdanauAttention> {
  static constexpr const char* name = "bahdanau_attention";
  static BahdanauAttention make(Rng& rng, DType dtype = DType::float64) {
    BahdanauAttention a({.query = query_size, .memory = memory_size, .hidden = 6, .dtype = dtype},
                        rng);
    a.bias.assign(rng.normal({6}, 0, 1, dtype));
    return a;
  }
  static double score(const BahdanauAttention& a, const Numbers& q, const Numbers& m) {
    PlainArray<double> w_query(a.w_query.value());
    PlainArray<double> w_memory(a.w_memory.value());
    PlainArray<double> bias(a.bias.value());
    PlainArray<double> v(a.v.value());
    double score = 0;
    for (Size j = 0; j < 6; ++j) {
      double z = bias[{j}];
      for (Size i = 0; i < query_size; ++i) z += q[static_cast<std::size_t>(i)] * w_query[{i, j}];
      for (Size i = 0; i < memory_size; ++i) z += m[static_cast<std::size_t>(i)] * w_memory[{i, j}];
      score += v[{j, 0}] * std::tanh(z);
    }
    return score;
  }
};

template <>
struct Kind<LuongAttention> {
  static constexpr const char* name = "luong_attention";
  static LuongAttention make(Rng& rng, DType dtype = DType::float64) {
    return {{.query = query_size, .memory = memory_size, .dtype = dtype}, rng};
  }
  static double score(const LuongAttention& a, const Numbers& q, const Numbers& m) {
    PlainArray<double> weight(a.weight.value());
    double score = 0;
    for (Size i = 0; i < memory_size; ++i) {
      for (Size j = 0; j < query_size; ++j) {
        score += q[static_cast<std::size_t>(j)] * weight[{i, j}] * m[static_cast<std::size_t>(i)];
      }
    }
    return score;
  }
};

/// A user's own attention: the plain mean of a sequence.
struct MeanAttention {
  using Memory = AttentionMemory;
  Memory memory(const Sequence& sequence) const { return attention_memory("mean", sequence); }
  Attended operator()(const Tensor& query, const Memory& memory) const {
    const Tensor grouped = grouped_queries("mean", query, query_size, memory.keys);
    return attend(zeros({grouped.size(0), grouped.size(1), memory.values.size(1)}, query.dtype()),
                  memory);
  }
  template <class Visit>
  void parameters(Visit&&) {}
};
static_assert(Attention<BahdanauAttention> && Attention<LuongAttention> &&
              Attention<MeanAttention>);

Tensor lengths() { return Tensor::from<Size>({batch}, length_values); }

Numbers row_of(PlainArray<double>& x, std::initializer_list<Size> leading, Size width) {
  Numbers row;
  for (Size i = 0; i < width; ++i) {
    Index index{};
    std::size_t axis = 0;
    for (const Size at : leading) index[axis++] = at;
    index[axis] = i;
    row.push_back(x[index]);
  }
  return row;
}

template <class A>
void check_against_loops(Size each, Padding padding, bool with_lengths) {
  Rng rng(1);
  const A attention = Kind<A>::make(rng);
  const Tensor memory = rng.normal({steps, batch, memory_size}, 0, 1, DType::float64);
  const Tensor query = rng.normal({batch * each, query_size}, 0, 1, DType::float64);
  const auto [context, weights] = attention(
      query,
      attention.memory(with_lengths ? Sequence(memory, lengths(), padding) : Sequence(memory)));
  BOOST_REQUIRE((context.shape() == Shape{batch * each, memory_size}));
  BOOST_REQUIRE((weights.shape() == Shape{batch * each, steps}));
  PlainArray<double> m(memory);
  PlainArray<double> q(query);
  PlainArray<double> got_context(context);
  PlainArray<double> got_weights(weights);
  for (Size row = 0; row < batch * each; ++row) {
    const Size b = row / each;
    const Size length = with_lengths ? length_values[static_cast<std::size_t>(b)] : steps;
    const Size begin = padding == Padding::after ? 0 : steps - length;
    Numbers expected(static_cast<std::size_t>(steps), 0.0);
    double total = 0;
    for (Size t = begin; t < begin + length; ++t) {
      const double score =
          Kind<A>::score(attention, row_of(q, {row}, query_size), row_of(m, {t, b}, memory_size));
      total += expected[static_cast<std::size_t>(t)] = std::exp(score);
    }
    Numbers mean(static_cast<std::size_t>(memory_size), 0.0);
    for (Size t = 0; t < steps; ++t) {
      double& weight = expected[static_cast<std::size_t>(t)];
      weight = length == 0 ? 0 : weight / total;
      BOOST_TEST(std::abs(got_weights[{row, t}] - weight) < 1e-14);
      for (Size i = 0; i < memory_size; ++i) {
        mean[static_cast<std::size_t>(i)] += weight * m[{t, b, i}];
      }
    }
    for (Size i = 0; i < memory_size; ++i) {
      BOOST_TEST(std::abs(got_context[{row, i}] - mean[static_cast<std::size_t>(i)]) < 1e-14);
    }
  }
}

template <class A>
void check_padding_is_blind(Padding padding) {
  Rng rng(2);
  A attention = Kind<A>::make(rng);
  const Tensor memory = rng.normal({steps, batch, memory_size}, 0, 1, DType::float64);
  const Tensor query = rng.normal({batch, query_size}, 0, 1, DType::float64);
  const Tensor direction = rng.normal({batch, memory_size}, 0, 1, DType::float64);
  const auto run = [&](double value) {
    Tape tape;
    const Tensor m = tape.watch(spoiled(memory, length_values, value, padding));
    const Tensor q = tape.watch(query);
    const auto [context, weights] = attention(q, attention.memory({m, lengths(), padding}));
    zero_grad(attention);
    tape.backward(sum(context * direction) + sum(square(weights)), {.retain = true});
    std::vector<Numbers> all{numbers(context), numbers(weights)};
    for (const Tensor& g : tape.gradient(sum(context * direction), {m, q})) {
      all.push_back(numbers(g));
    }
    for (const NamedParameter& entry : parameters(attention)) {
      all.push_back(numbers(entry.parameter->grad()));
    }
    return all;
  };
  const auto clean = run(0);
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e300}) {
    const auto dirty = run(value);
    for (std::size_t i = 0; i < clean.size(); ++i) {
      BOOST_TEST(clean[i] == dirty[i], boost::test_tools::per_element());
    }
  }
  // The gradient in the padding is exactly 0, so writing there changes nothing.
  const Tensor gradient = Tensor::from<double>({steps, batch, memory_size}, clean[2]);
  BOOST_TEST(spoiled(gradient, length_values, 0, padding).to_vector<double>() == clean[2],
             boost::test_tools::per_element());
}

template <class A>
void check_gradients(A& attention, bool with_lengths, Size each) {
  Rng rng(3);
  const auto f = [&](const std::vector<Tensor>& in) {
    const auto [context, weights] = attention(
        in[1], attention.memory(with_lengths ? Sequence(in[0], lengths()) : Sequence(in[0])));
    return concat({context, weights}, -1);
  };
  const std::vector<Tensor> in{rng.normal({steps, batch, memory_size}, 0, 1, DType::float64),
                               rng.normal({batch * each, query_size}, 0, 1, DType::float64)};
  const auto first = gradcheck(f, in, parameters(attention));
  BOOST_TEST(first.passed, first.message);
  const auto second = gradgradcheck(f, in, parameters(attention));
  BOOST_TEST(second.passed, second.message);
}

template <class A>
void check_float32() {
  Rng rng(4);
  Rng same(4);
  A fine = Kind<A>::make(rng);
  A rough = Kind<A>::make(same, DType::float32);
  const ParameterList from = parameters(fine);
  const ParameterList to = parameters(rough);
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i].parameter->assign(from[i].parameter->value().to(DType::float32));
  }
  const Tensor memory = rng.normal({steps, batch, memory_size}, 0, 1, DType::float64);
  const Tensor query = rng.normal({batch, query_size}, 0, 1, DType::float64);
  const auto run = [&](A& attention, DType dtype) {
    Tape tape;
    const Tensor m = tape.watch(memory.to(dtype));
    const Tensor q = tape.watch(query.to(dtype));
    const auto [context, weights] = attention(q, attention.memory({m, lengths()}));
    const std::vector<Tensor> g =
        tape.gradient(sum(square(context)) + sum(square(weights)), {m, q});
    std::vector<Numbers> all;
    for (const Tensor& x : {context, weights, g[0], g[1]}) {
      all.push_back(numbers(x));
    }
    return all;
  };
  const auto expected = run(fine, DType::float64);
  const auto got = run(rough, DType::float32);
  for (std::size_t k = 0; k < got.size(); ++k) {
    check_close(got[k], expected[k], 1e-6);
  }
}

template <class A>
void check_messages() {
  Rng rng(5);
  const A attention = Kind<A>::make(rng, DType::float32);
  const std::string name = Kind<A>::name;
  const auto memory = attention.memory(zeros({steps, batch, memory_size}));
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(attention.memory(zeros({steps, memory_size})));
      },
      name + ": the memory is [5, 3], expected [T, B, features]");
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(attention.memory(zeros({steps, batch, 9})));
      },
      name + " memory: input has 9 features, expected 3");
  check_throws<UsageError>(
      [&] {
        static_cast<void>(attention.memory(zeros({steps, batch, memory_size}, DType::int64)));
      },
      name + ": the memory is int64");
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(attention.memory(
            {zeros({steps, batch, memory_size}), Tensor::from<Size>({batch}, {1, 2, 6, 0})}));
      },
      name + ": lengths[2] = 6 is outside [0, 5]");
  check_throws<ShapeError>(
      [&] {
        attention(zeros({batch, 7}), memory);
      },
      name + ": the query is [4, 7], expected [N, 2]");
  check_throws<ShapeError>(
      [&] {
        attention(zeros({batch + 1, query_size}), memory);
      },
      name + ": the query [5, 2] has 5 rows, expected a multiple of 4");
  check_throws<UsageError>(
      [&] {
        attention(zeros({batch, query_size}, DType::float64), memory);
      },
      name + ": the query is float64, the memory float32");
}

template <class A>
void check_all() {
  for (const Size each : {Size{1}, Size{3}}) {
    check_against_loops<A>(each, Padding::after, false);
    check_against_loops<A>(each, Padding::after, true);
    check_against_loops<A>(each, Padding::before, true);
  }
  check_padding_is_blind<A>(Padding::after);
  check_padding_is_blind<A>(Padding::before);
  Rng rng(6);
  A attention = Kind<A>::make(rng);
  check_gradients(attention, false, 1);
  check_gradients(attention, true, 1);
  check_gradients(attention, true, 2);
  check_float32<A>();
  check_messages<A>();
}

}  // namespace

BOOST_AUTO_TEST_CASE(bahdanau) { check_all<BahdanauAttention>(); }

BOOST_AUTO_TEST_CASE(luong) { check_all<LuongAttention>(); }

BOOST_AUTO_TEST_CASE(a_users_own) {
  Rng rng(7);
  MeanAttention mean;
  const Tensor memory = rng.normal({steps, batch, memory_size}, 0, 1, DType::float64);
  const auto [context, weights] =
      mean(zeros({batch, query_size}, DType::float64), mean.memory({memory, lengths()}));
  PlainArray<double> m(memory);
  PlainArray<double> got(context);
  for (Size i = 0; i < memory_size; ++i) {
    BOOST_TEST(std::abs(got[{1, i}] - (m[{0, 1, i}] + m[{1, 1, i}]) / 2) < 1e-15);
    BOOST_TEST((got[{2, i}]) == 0.0);
  }
  check_gradients(mean, true, 1);
}

BOOST_AUTO_TEST_CASE(dot_is_the_scalar_product) {
  Rng rng(8);
  const LuongAttention dot({.query = 3, .memory = 3, .score = LuongScore::dot}, rng);
  LuongAttention general({.query = 3, .memory = 3}, rng);
  general.weight.assign(Tensor::from<float>({3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 1}));
  const Tensor memory = rng.normal({4, 2, 3}, 0, 1);
  const Tensor query = rng.normal({2, 3}, 0, 1);
  const auto a = dot(query, dot.memory(memory));
  const auto b = general(query, general.memory(memory));
  BOOST_TEST(a.weights.to_vector<float>() == b.weights.to_vector<float>(),
             boost::test_tools::per_element());
  LuongAttention copy = dot;
  BOOST_TEST(parameters(copy).empty());
  check_throws<UsageError>(
      [&] { LuongAttention({.query = 3, .memory = 4, .score = LuongScore::dot}, rng); },
      "luong_attention: query is 3 and memory 4");
}

BOOST_AUTO_TEST_CASE(keys_are_projected_once) {
  Rng rng(9);
  const BahdanauAttention attention({.query = 2, .memory = 3, .hidden = 6}, rng);
  Tape tape;
  const auto memory = attention.memory(tape.watch(rng.normal({steps, batch, 3}, 0, 1)));
  const Size before = tape.operations();
  const Tensor query = rng.normal({batch, 2}, 0, 1);
  static_cast<void>(attention(query, memory));
  const Size each = tape.operations() - before;
  for (int i = 0; i < 9; ++i) static_cast<void>(attention(query, memory));
  BOOST_TEST(tape.operations() == before + 10 * each);
  BOOST_TEST(each == 5);  // query, fit, score, softmax, mean
}

BOOST_AUTO_TEST_CASE(nothing_to_attend_to) {
  Rng rng(10);
  const BahdanauAttention attention({.query = 2, .memory = 3, .hidden = 6}, rng);
  for (const Size sequences : {0, 2}) {
    for (const Size length : {0, 4}) {
      for (const bool given : {false, true}) {
        const Tensor all = full({sequences}, static_cast<double>(length), DType::int64);
        const auto [context, weights] =
            attention(ones({sequences, 2}),
                      attention.memory({zeros({length, sequences, 3}), given ? all : Tensor()}));
        BOOST_TEST((context.shape() == Shape{sequences, 3}));
        BOOST_TEST((weights.shape() == Shape{sequences, length}));
        for (const float c : context.to_vector<float>()) BOOST_TEST(c == 0.0F);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_nan_that_counts_shows) {
  Rng rng(11);
  const LuongAttention attention({.query = 2, .memory = 3}, rng);
  Tensor memory = rng.normal({steps, batch, 3}, 0, 1);
  memory.mutable_data<float>()[3 * 1] = std::numeric_limits<float>::quiet_NaN();  // t = 0, b = 1
  const auto [context, weights] =
      attention(rng.normal({batch, 2}, 0, 1), attention.memory({memory, lengths()}));
  PlainArray<float> c(context);
  BOOST_TEST(std::isnan(c[{1, 0}]));
  BOOST_TEST(std::isfinite(c[{0, 0}]));
  BOOST_TEST(std::isfinite(c[{3, 2}]));
}

BOOST_AUTO_TEST_CASE(masks_need_no_infinity) {
  const AnomalyMode anomaly;  // throws at the first NaN
  Rng rng(12);
  const BahdanauAttention attention({.query = 2, .memory = 3, .hidden = 6}, rng);
  Tape tape;
  const Tensor memory = tape.watch(rng.normal({steps, batch, 3}, 0, 1));
  const auto [context, weights] =
      attention(rng.normal({batch, 2}, 0, 1), attention.memory({memory, lengths()}));
  BOOST_REQUIRE_NO_THROW(tape.gradient(sum(context), {memory}));
}
