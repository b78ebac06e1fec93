#include <algorithm>
#include <numeric>

#include <rewind/autograd/losses/own_steps.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/detail/packing.hpp>

namespace rw::detail {
namespace {

Tensor indices(std::int64_t n) { return make_tensor(Shape{n}, DType::int64); }

}  // namespace

Packing::Packing(const char* who, const Sequence& sequence, Direction direction)
    : direction_(direction) {
  const Shape& shape = sequence.steps.shape();
  check_shape(shape.rank() == 3,
              "{}: x is {}, expected three axes [T, B, features], time first; unsqueeze a single "
              "sequence to a batch of one",
              who, shape);
  length_ = steps_ = shape[0];
  batch_ = shape[1];
  if (!sequence.lengths.defined()) {
    return;
  }
  const Tensor lengths = checked_lengths(who, "lengths", sequence.lengths, batch_, length_);
  const auto* const length = lengths.data<std::int64_t>();
  if (std::all_of(length, length + batch_, [&](std::int64_t n) { return n == length_; })) {
    return;
  }
  order_ = indices(batch_);
  auto* const order = order_.mutable_data<std::int64_t>();
  std::iota(order, order + batch_, std::int64_t{0});
  // Breaks ties by index instead of using stable_sort, which allocates.
  std::sort(order, order + batch_, [&](std::int64_t a, std::int64_t b) {
    return length[a] != length[b] ? length[a] > length[b] : a < b;
  });
  steps_ = length[order[0]];
  starts_ = indices(steps_ + 1);
  places_ = indices(std::accumulate(length, length + batch_, std::int64_t{0}));
  auto* const start = starts_.mutable_data<std::int64_t>();
  auto* place = places_.mutable_data<std::int64_t>();
  std::int64_t active = batch_;
  start[0] = 0;
  for (std::int64_t t = 0; t < steps_; ++t) {
    while (length[order[active - 1]] <= t) {
      --active;
    }
    for (std::int64_t i = 0; i < active; ++i) {
      const std::int64_t b = order[i];
      const std::int64_t first = sequence.padding == Padding::after ? 0 : length_ - length[b];
      const std::int64_t step = direction == Direction::forward ? t : length[b] - 1 - t;
      *place++ = (first + step) * batch_ + b;
    }
    start[t + 1] = start[t] + active;
  }
  if (std::is_sorted(order, order + batch_)) {
    order_.reset();
    return;
  }
  position_ = indices(batch_);
  auto* const position = position_.mutable_data<std::int64_t>();
  for (std::int64_t i = 0; i < batch_; ++i) {
    position[order[i]] = i;
  }
}

// Projecting the inputs of several steps is one efficient product, but those of a long sequence
// would be evicted from the caches before their steps use them, forward and backward. Hence chunks
// of about equal size, with enough rows for the product and not many more.
std::pair<std::int64_t, std::int64_t> Packing::next_chunk(std::int64_t done) const {
  constexpr std::int64_t enough_rows = 512;
  // Rows of the next n steps.
  const auto rows = [&](std::int64_t n) {
    return falling() ? begin(steps_ - done) - begin(steps_ - done - n)
                     : begin(done + n) - begin(done);
  };
  const std::int64_t left = rows(steps_ - done);
  const std::int64_t chunks = (left + enough_rows - 1) / enough_rows;
  std::int64_t n = 1;
  while (done + n < steps_ && rows(n + 1) * chunks <= left) {
    ++n;
  }
  return falling() ? std::pair{steps_ - done - n, steps_ - done} : std::pair{done, done + n};
}

Tensor Packing::packed(const Tensor& steps) const {
  const Tensor rows = reshape(steps, Shape{length_ * batch_, steps.columns()});
  return places_.defined() ? index_select(rows, places_) : rows;
}

Tensor Packing::steps_of(const Tensor& rows) const {
  const std::int64_t steps = places_.defined() || batch_ == 0 ? 1 : rows.size(0) / batch_;
  return reshape(rows, Shape{steps, rows.size(0) / steps, rows.columns()});
}

Tensor Packing::padded(const Tensor& rows) const {
  const Shape shape{length_, batch_, rows.columns()};
  return reshape(places_.defined() ? index_add(rows, places_, length_ * batch_) : rows, shape);
}

Tensor Packing::by_length(const Tensor& rows) const {
  return order_.defined() ? index_select(rows, order_) : rows;
}

Tensor Packing::in_order(const Tensor& rows) const {
  return position_.defined() ? index_select(rows, position_) : rows;
}

}  // namespace rw::detail
