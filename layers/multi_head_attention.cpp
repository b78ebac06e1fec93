#include <algorithm>
#include <cmath>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/detail/masking.hpp>
#include <rewind/layers/multi_head_attention.hpp>

namespace rw {
namespace {

constexpr const char* name = "multi_head_attention";

/// [T, T]: row t has ones up to column t.
Tensor causal_mask(std::int64_t steps, DType dtype) {
  Tensor mask = zeros({steps, steps}, dtype);
  dispatch_floating(dtype, [&](auto type) {
    using T = decltype(type);
    T* const data = mask.mutable_data<T>();
    for (std::int64_t t = 0; t < steps; ++t) {
      std::fill_n(data + t * steps, t + 1, T(1));
    }
  });
  return mask;
}

void check_sequence(const Sequence& x, std::int64_t features) {
  check_shape(x.steps.rank() == 3 && x.steps.size(2) == features,
              "{}: x is {}, expected [T, B, {}], time first", name, x.steps.shape(), features);
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(const Options& options, Rng& rng) : heads(options.heads) {
  const std::int64_t memory_size = options.memory == 0 ? options.query : options.memory;
  const std::int64_t hidden = options.hidden == 0 ? options.query : options.hidden;
  check<UsageError>(heads > 0 && hidden > 0 && hidden % heads == 0,
                    "{}: {} heads do not divide hidden, which is {}", name, heads, hidden);
  const auto linear = [&](std::int64_t input, std::int64_t size) {
    return Linear({.input = input, .output = size, .bias = options.bias, .dtype = options.dtype},
                  rng);
  };
  query = linear(options.query, hidden);
  key = linear(memory_size, hidden);
  value = linear(memory_size, hidden);
  output = linear(hidden, options.query);
}

/// [T, B, hidden] -> [B, heads, T, d].
Tensor MultiHeadAttention::split_heads(const Tensor& x) const {
  return permute(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), {1, 2, 0, 3});
}

MultiHeadAttention::Memory MultiHeadAttention::memory(const Sequence& sequence) const {
  check_sequence(sequence, key.weight.shape()[0]);
  const std::int64_t steps = sequence.steps.size(0);
  const std::int64_t batch = sequence.steps.size(1);
  const Tensor mask = detail::step_mask(name, sequence);
  const Tensor clean = detail::without_padding(sequence.steps, mask);
  return {split_heads(key(clean)), split_heads(value(clean)),
          mask.defined() ? reshape(mask, {batch, 1, 1, steps}) : Tensor()};
}

MultiHeadAttention::Result MultiHeadAttention::run(const Sequence& x, const Memory& remembered,
                                                   const Tensor& mask) const {
  const std::int64_t steps = x.steps.size(0);
  const std::int64_t batch = x.steps.size(1);
  check_shape(batch == remembered.keys.size(0), "{}: x {} has {} sequences, the memory {}", name,
              x.steps.shape(), batch, remembered.keys.size(0));
  const Tensor own = detail::step_mask(name, x);
  const Tensor q = query(detail::without_padding(x.steps, own));
  const double scale = 1 / std::sqrt(static_cast<double>(q.size(2) / heads));
  const Tensor scores = matmul(split_heads(q) * scale, transposed(remembered.keys));
  const Tensor weights = detail::masked_softmax(scores, mask);
  const Tensor mixed = permute(matmul(weights, remembered.values), {2, 0, 1, 3});
  const Tensor y = output(reshape(mixed, {steps, batch, q.size(2)}));
  return {detail::without_padding(y, own), weights};
}

MultiHeadAttention::Result MultiHeadAttention::operator()(const Sequence& x,
                                                          AttentionMask mask) const {
  check_sequence(x, query.weight.shape()[0]);
  const Memory remembered = memory(x);
  if (mask == AttentionMask::none) {
    return run(x, remembered, remembered.mask);
  }
  const Tensor back = causal_mask(x.steps.size(0), x.steps.dtype());
  return run(x, remembered, remembered.mask.defined() ? back * remembered.mask : back);
}

MultiHeadAttention::Result MultiHeadAttention::attend_to(const Memory& remembered,
                                                         const Sequence& x) const {
  check_sequence(x, query.weight.shape()[0]);
  return run(x, remembered, remembered.mask);
}

Attended MultiHeadAttention::operator()(const Tensor& queries, const Memory& remembered) const {
  const Tensor grouped = grouped_queries(name, queries, query.weight.shape()[0], remembered.keys);
  const auto [y, weights] =
      run(transpose(grouped, 0, 1), remembered, remembered.mask);  // y [N / B, B, query]
  return {reshape(transpose(y, 0, 1), queries.shape()),
          reshape(mean(weights, {1}), {queries.size(0), weights.size(3)})};
}

}  // namespace rw
