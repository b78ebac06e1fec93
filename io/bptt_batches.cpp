#include <algorithm>

#include <rewind/autograd/operations/views.hpp>
#include <rewind/io/bptt_batches.hpp>

namespace rw {
namespace {

/// [N, ..] -> [floor(N / batch), batch, ..].
Tensor columns_of(const Tensor& stream, const BpttOptions& options) {
  check<UsageError>(options.batch >= 1 && options.steps >= 1,
                    "bptt_batches: batch is {} and steps {}, expected at least 1", options.batch,
                    options.steps);
  check_shape(stream.rank() >= 1 && stream.rank() < Shape::max_rank,
              "bptt_batches: the stream is {}, expected [length, ..] with at most {} axes",
              stream.shape(), Shape::max_rank - 1);
  const std::int64_t length = stream.size(0) / options.batch;
  check_shape(length >= 2,
              "bptt_batches: the stream is {}, too short for a batch of {}: expected at least {} "
              "elements, two in each column",
              stream.shape(), options.batch, 2 * options.batch);
  const Tensor dense = stream.is_contiguous() ? stream : detail::copy_of(stream);
  const std::int64_t width = stream.shape().without(0).elements();
  Tensor columns = zeros(stream.shape().with(0, length).inserted(1, options.batch), stream.dtype());
  dispatch(stream.dtype(), [&](auto type) {
    using T = decltype(type);
    const T* from = dense.data<T>();
    T* const to = columns.mutable_data<T>();
    for (std::int64_t b = 0; b < options.batch; ++b) {
      for (std::int64_t t = 0; t < length; ++t, from += width) {
        std::copy_n(from, width, to + (t * options.batch + b) * width);
      }
    }
  });
  return columns;
}

std::int64_t steps_in_epoch(const Tensor& columns, const BpttOptions& options) {
  const std::int64_t steps = columns.size(0) - 1;
  return options.drop_last ? steps - steps % options.steps : steps;
}

}  // namespace

BpttBatches::BpttBatches(const Tensor& stream, const BpttOptions& options)
    : options_(options),
      columns_(columns_of(stream, options)),
      cursor_("bptt_batches", steps_in_epoch(columns_, options),
              {{"elements", stream.size(0)}, {"batch", options.batch}}) {}

BpttBatch BpttBatches::next() {
  cursor_.check();
  check<UsageError>(
      cursor_.end() > 0,
      "bptt_batches: columns of {} elements make no chunk of {} steps with drop_last; "
      "make chunks shorter or keep the last",
      columns_.size(0), options_.steps);
  const std::int64_t first = position();
  const std::int64_t last = std::min(first + options_.steps, cursor_.end());
  BpttBatch chunk{slice(columns_, 0, first, last), slice(columns_, 0, first + 1, last + 1),
                  first == 0};
  cursor_.advance(last - first);
  return chunk;
}

OptionList BpttBatches::options() const {
  OptionList list = cursor_.options();
  list.insert(list.begin(), {"kind", "bptt_batches"});
  add_option(list, "drop_last", options_.drop_last);
  return list;
}

BpttBatches bptt_batches(const Tensor& stream, const BpttOptions& options) {
  return {stream, options};
}

BpttBatches bptt_batches(const std::vector<std::int64_t>& tokens, const BpttOptions& options) {
  return {Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(tokens.size())}, tokens),
          options};
}

}  // namespace rw
