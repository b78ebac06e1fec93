#include <algorithm>

#include <rewind/autograd/tensor/to_int64.hpp>
#include <rewind/io/padding.hpp>

namespace rw {
namespace {

/// Fills [longest, B, step] with `value`, then calls row_of(b, t, to) to write each step of each
/// sequence.
template <class T, class RowOf>
void fill(T* to, const std::vector<std::int64_t>& lengths, std::int64_t longest, std::int64_t step,
          T value, Padding padding, RowOf&& row_of) {
  const auto batch = static_cast<std::int64_t>(lengths.size());
  std::fill_n(to, longest * batch * step, value);
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t length = lengths[static_cast<std::size_t>(b)];
    const std::int64_t first = padding == Padding::after ? 0 : longest - length;
    for (std::int64_t t = 0; t < length; ++t) {
      row_of(b, t, to + ((first + t) * batch + b) * step);
    }
  }
}

void check_some(std::size_t sequences) {
  check<UsageError>(sequences > 0, "pad_sequences: got no sequences, expected at least one");
}

Tensor as_tensor(const std::vector<std::int64_t>& lengths) {
  return Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(lengths.size())}, lengths);
}

}  // namespace

PaddedSequences pad_sequences(std::span<const std::vector<std::int64_t>> sequences,
                              std::int64_t value, Padding padding) {
  check_some(sequences.size());
  std::vector<std::int64_t> lengths;
  for (const auto& sequence : sequences) {
    lengths.push_back(static_cast<std::int64_t>(sequence.size()));
  }
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  Tensor steps = zeros({longest, static_cast<std::int64_t>(sequences.size())}, DType::int64);
  fill(steps.mutable_data<std::int64_t>(), lengths, longest, 1, value, padding,
       [&](std::int64_t b, std::int64_t t, std::int64_t* to) {
         *to = sequences[static_cast<std::size_t>(b)][static_cast<std::size_t>(t)];
       });
  return {steps, as_tensor(lengths)};
}

PaddedSequences pad_sequences(std::span<const Tensor> sequences, double value, Padding padding) {
  check_some(sequences.size());
  const Tensor& model = sequences[0];
  std::vector<std::int64_t> lengths;
  std::vector<Tensor> dense;
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    const Tensor& sequence = sequences[b];
    check<UsageError>(sequence.dtype() == model.dtype(),
                      "pad_sequences: sequence {} is {}, expected {} as the first", b,
                      name_of(sequence.dtype()), name_of(model.dtype()));
    check_shape(sequence.rank() >= 1 && sequence.rank() == model.rank() &&
                    sequence.shape().without(0) == model.shape().without(0),
                "pad_sequences: sequence {} is {}, expected [length, ..] like the first, {}", b,
                sequence.shape(), model.shape());
    lengths.push_back(sequence.size(0));
    dense.push_back(sequence.is_contiguous() ? sequence : detail::copy_of(sequence));
  }
  detail::check_element("pad_sequences", value, model.dtype());
  check_shape(model.rank() < Shape::max_rank,
              "pad_sequences: sequences are {}, expected at most {} axes", model.shape(),
              Shape::max_rank - 1);
  const std::int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  const Shape shape =
      model.shape().with(0, longest).inserted(1, static_cast<std::int64_t>(sequences.size()));
  const std::int64_t step = model.shape().without(0).elements();
  Tensor steps = zeros(shape, model.dtype());
  dispatch(model.dtype(), [&](auto type) {
    using T = decltype(type);
    fill(steps.mutable_data<T>(), lengths, longest, step, static_cast<T>(value), padding,
         [&](std::int64_t b, std::int64_t t, T* to) {
           std::copy_n(dense[static_cast<std::size_t>(b)].data<T>() + t * step, step, to);
         });
  });
  return {steps, as_tensor(lengths)};
}

}  // namespace rw
