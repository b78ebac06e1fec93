#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/affine.hpp>
#include <rewind/layers/attention.hpp>
#include <rewind/layers/detail/masking.hpp>
#include <rewind/layers/initializers.hpp>

namespace rw {

AttentionMemory attention_memory(const char* who, const Sequence& sequence) {
  const Tensor& steps = sequence.steps;
  check<UsageError>(is_floating(steps.dtype()),
                    "{}: the memory is int64, expected float32 or float64", who);
  check_shape(steps.rank() == 3,
              "{}: the memory is {}, expected [T, B, features], time first: the outputs of all "
              "steps of an encoder",
              who, steps.shape());
  const Tensor mask = detail::step_mask(who, sequence);
  const Tensor values = permute(detail::without_padding(steps, mask), {1, 0, 2});
  return {values, values, mask.defined() ? unsqueeze(mask, 1) : Tensor()};
}

Tensor grouped_queries(const LayerName& who, const Tensor& query, std::int64_t features,
                       const Tensor& keys) {
  const std::int64_t batch = keys.size(0);
  check_shape(query.rank() == 2 && query.columns() == features,
              "{}: the query is {}, expected [N, {}], one row per query", who, query.shape(),
              features);
  check<UsageError>(query.dtype() == keys.dtype(),
                    "{}: the query is {}, the memory {}; convert one of them with to()", who,
                    name_of(query.dtype()), name_of(keys.dtype()));
  const std::int64_t rows = query.size(0);
  const std::int64_t each = batch == 0 ? 1 : rows / batch;
  check_shape(each * batch == rows,
              "{}: the query {} has {} rows, expected a multiple of {}, the sequences of the "
              "memory, so that each sequence has the same number",
              who, query.shape(), rows, batch);
  return reshape(query, {batch, each, features});
}

Attended attend(const Tensor& scores, const AttentionMemory& memory) {
  const std::int64_t batch = memory.batch();
  const std::int64_t steps = memory.values.size(1);
  check_shape(scores.rank() == 3 && scores.size(0) == batch && scores.size(2) == steps,
              "attend: scores are {}, expected [{}, N, {}] for a memory of {}", scores.shape(),
              batch, steps, memory.values.shape());
  const Tensor weights = detail::masked_softmax(scores, memory.mask);
  const std::int64_t rows = batch * scores.size(1);
  return {reshape(matmul(weights, memory.values), {rows, memory.values.size(2)}),
          reshape(weights, {rows, steps})};
}

BahdanauAttention::BahdanauAttention(const Options& options, Rng& rng)
    : w_query(xavier_uniform({options.query, options.hidden}, rng, options.dtype)),
      w_memory(xavier_uniform({options.memory, options.hidden}, rng, options.dtype)),
      bias(zeros({options.hidden}, options.dtype)),
      v(xavier_uniform({options.hidden, 1}, rng, options.dtype)) {}

AttentionMemory BahdanauAttention::memory(const Sequence& sequence) const {
  Memory result = attention_memory("bahdanau_attention", sequence);
  result.keys = affine("bahdanau_attention memory", result.values, w_memory, bias);
  return result;
}

Attended BahdanauAttention::operator()(const Tensor& query, const Memory& memory) const {
  const Tensor grouped =
      grouped_queries({"bahdanau_attention", w_query}, query, w_query.shape()[0], memory.keys);
  const std::int64_t batch = grouped.size(0);
  const std::int64_t each = grouped.size(1);
  const std::int64_t steps = memory.keys.size(1);
  const std::int64_t hidden = w_query.shape()[1];
  const Tensor asked = reshape(matmul(query, w_query), {batch, each, 1, hidden});
  const Tensor keys = reshape(memory.keys, {batch, 1, steps, hidden});
  const Tensor fit = fuse(
      "additive_fit", [](auto q, auto k) { return tanh(q + k); }, asked, keys);
  return attend(reshape(matmul(fit, v), {batch, each, steps}), memory);
}

LuongAttention::LuongAttention(const Options& options, Rng& rng) {
  if (options.score == LuongScore::general) {
    weight = Parameter(xavier_uniform({options.memory, options.query}, rng, options.dtype));
  } else {
    check<UsageError>(options.query == options.memory,
                      "luong_attention: query is {} and memory {}, but the dot product needs them "
                      "equal; LuongScore::general maps one to the other",
                      options.query, options.memory);
  }
}

AttentionMemory LuongAttention::memory(const Sequence& sequence) const {
  Memory result = attention_memory("luong_attention", sequence);
  if (weight.defined()) {
    result.keys = affine("luong_attention memory", result.values, weight, {});
  }
  return result;
}

Attended LuongAttention::operator()(const Tensor& query, const Memory& memory) const {
  const Tensor grouped =
      grouped_queries({"luong_attention", weight}, query, memory.keys.size(2), memory.keys);
  return attend(matmul(grouped, transposed(memory.keys)), memory);
}

}  // namespace rw
