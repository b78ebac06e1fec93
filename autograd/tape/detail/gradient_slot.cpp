#include <algorithm>
#include <cstring>
#include <optional>

#include <rewind/autograd/kernels/strided.hpp>
#include <rewind/autograd/tape/detail/gradient_slot.hpp>
#include <rewind/autograd/tape/view.hpp>

// Note [Gradients of views]
// Slices along leading axes, column slices and reshapes are views: they share their base's storage
// and are not operations. Their gradients accumulate in the same part of the base's gradient. That
// buffer starts uninitialised; `filled_begin` and `filled_end` bound the part that holds values. A
// contribution adjacent to that part is written and extends it (time steps arrive in order, so
// nothing is ever cleared); one inside it is accumulated; elements without a contribution are
// cleared before the gradient is used. Disjoint column slices of the same rows (the gates of a
// cell) count as one contribution to whole rows, in which only the remaining columns are cleared.

namespace rw::detail {

Place Place::of(const Input& input) {
  Slot* slot = &input.slot();
  Place place;
  if (input.region == nullptr) {
    place = {slot, 0, slot->shape.columns(), slot->shape.rows(), slot->shape.columns()};
  } else {
    const Region& region = *input.region;
    place = {slot, region.offset, region.row_stride, region.shape.rows(), region.shape.columns()};
  }
  while (slot->merged != nullptr) {
    slot->touched = true;
    const Input& origin = *slot->merged;
    if (origin.region != nullptr) {
      place.move_into(*origin.region);
    }
    slot = &origin.slot();
    place.slot = slot;
  }
  return place;
}

void Place::move_into(const Region& region) {
  const std::int64_t width = region.shape.columns();
  if (region.row_stride != width && region.shape.rows() > 1 && !is_empty()) {
    // The region's rows have gaps between them: this place consists of parts of such rows, or lies
    // within one of them, in any shape.
    const bool is_in_one_row = offset % width + end() - begin() <= width;
    offset = offset / width * region.row_stride + offset % width;
    row_stride = is_in_one_row ? row_stride : row_stride / width * region.row_stride;
  }
  offset += region.offset;
}

void make_unique(Tensor& gradient) {
  if (!is_sole_owner(gradient) || !gradient.is_contiguous()) {
    gradient = copy_of(gradient);
  }
}

void clear(Slot& slot, std::int64_t begin, std::int64_t end) {
  if (begin < end) {
    const auto size = static_cast<std::int64_t>(size_of(slot.dtype));
    launch([to = slot.gradient.body().data + begin * size,
            bytes = static_cast<std::size_t>((end - begin) * size)] { std::memset(to, 0, bytes); });
  }
}

void put(void* to, std::int64_t to_stride, bool accumulate, const Tensor& from) {
  dispatch_floating(from.dtype(), [&](auto type) {
    using T = decltype(type);
    const std::int64_t rows = from.elements() == 0 ? 0 : from.rows();
    launch([put = accumulate ? kernels::add_rows<T> : kernels::copy_rows<T>,
            to = static_cast<T*>(to), to_stride, data = from.data<T>(), stride = from.row_stride(),
            rows, columns = from.columns()] { put(to, to_stride, data, stride, rows, columns); });
  });
}

namespace {

/// Gives the slot its own gradient memory, which may be written.
void own(Slot& slot, std::int64_t begin) {
  if (!slot.gradient.defined()) {
    slot.start(begin, begin);
  } else if (!slot.owned) {
    make_unique(slot.gradient);
    slot.owned = true;
  }
}

/// Whether the elements of `t` overlap the bytes [begin, end).
bool shows(const Tensor& t, const std::byte* begin, const std::byte* end) {
  if (t.elements() == 0) {
    return false;
  }
  const std::byte* const first = t.body().data;
  const std::int64_t elements = (t.rows() - 1) * t.row_stride() + t.columns();
  return first < end && begin < first + elements * static_cast<std::int64_t>(size_of(t.dtype()));
}

}  // namespace

void keep_read_values(Slot& slot, std::int64_t begin, std::int64_t end) {
  if (slot.readers == nullptr) [[likely]] {
    return;
  }
  const auto size = static_cast<std::int64_t>(size_of(slot.dtype));
  const std::byte* const first = slot.gradient.body().data + begin * size;
  const std::byte* const last = slot.gradient.body().data + end * size;
  for (WaitingReader** place = &slot.readers; *place != nullptr;) {
    PendingProduct& product = *(*place)->product;
    bool is_done = !product.dy.defined();
    for (Tensor* factor : {&product.x, &product.dy}) {
      if (factor->defined() && shows(*factor, first, last)) {
        *factor = factor->clone();
        is_done = true;
      }
    }
    if (is_done) {
      *place = (*place)->next;
    } else {
      place = &(*place)->next;
    }
  }
}

void cover(Slot& slot, std::int64_t begin, std::int64_t end) {
  own(slot, begin);
  if (begin == end) {
    return;
  }
  if (slot.filled_begin == slot.filled_end) {
    slot.filled_begin = slot.filled_end = begin;
  }
  clear(slot, begin, slot.filled_begin);
  clear(slot, slot.filled_end, end);
  slot.filled_begin = std::min(slot.filled_begin, begin);
  slot.filled_end = std::max(slot.filled_end, end);
}

bool prepare(Slot& slot, std::int64_t begin, std::int64_t end, bool dense) {
  own(slot, begin);
  if (begin == end) {
    return true;
  }
  const bool adjacent = end == slot.filled_begin || begin == slot.filled_end;
  const bool fresh = slot.filled_begin == slot.filled_end;
  if (fresh) {
    slot.filled_begin = slot.filled_end = begin;
  }
  if (!dense || !(adjacent || fresh)) {
    cover(slot, begin, end);
    keep_read_values(slot, begin, end);
    return true;
  }
  slot.filled_begin = std::min(slot.filled_begin, begin);
  slot.filled_end = std::max(slot.filled_end, end);
  return false;
}

namespace {
/// `x` reshaped in row-major order to `shape`, which has as many elements.
Tensor read_as(const Shape& shape, const Tensor& x) {
  const Tensor dense = x.is_contiguous() ? x.detach() : copy_of(x);
  return make_view(dense, {}, shape, 0, shape.columns(), 0, shape.columns());
}
}  // namespace

void contribute(const Place& place, const Tensor& contribution) {
  Slot& slot = *place.slot;
  const bool covers = place.is_dense() && place.offset == 0 && place.end() == slot.shape.elements();
  if (covers && !slot.gradient.defined()) {
    // The first contribution becomes the gradient, without a copy unless the shape requires one.
    slot.gradient =
        contribution.shape() == slot.shape ? contribution : read_as(slot.shape, contribution);
    slot.owned = false;
    slot.filled_begin = 0;
    slot.filled_end = slot.shape.elements();
    return;
  }
  const bool accumulate = prepare(slot, place.begin(), place.end(), place.is_dense());
  put(place.data(), place.row_stride, accumulate, contribution);
}

namespace {

/// If all places in the slot of `place` are disjoint column slices of the same rows, the first
/// element of these rows. Places without elements do not count.
std::optional<std::int64_t> common_rows(std::span<const Place> places, const Place& place) {
  const std::int64_t width = place.slot->shape.columns();
  if (width == 0) {
    return std::nullopt;
  }
  const std::int64_t first = place.offset / width * width;
  for (std::size_t j = 0; j < places.size(); ++j) {
    const Place& other = places[j];
    if (other.slot != place.slot || other.is_empty()) {
      continue;
    }
    if (other.row_stride != width || other.rows != place.rows || other.offset < first ||
        other.offset + other.columns > first + width) {
      return std::nullopt;
    }
    for (std::size_t k = 0; k < j; ++k) {
      if (places[k].slot == place.slot && !places[k].is_empty() &&
          places[k].offset < other.offset + other.columns &&
          other.offset < places[k].offset + places[k].columns) {
        return std::nullopt;
      }
    }
  }
  return first;
}

/// Sets to zero the columns that the column slices in the slot of `place` do not cover.
void clear_between(std::span<const Place> places, const Place& place, std::int64_t first) {
  const std::int64_t end = first + place.slot->shape.columns();
  for (std::int64_t begin = first; begin < end;) {
    std::int64_t next = end;   // where the next slice begins,
    std::int64_t after = end;  // and where it ends
    for (const Place& other : places) {
      if (other.slot == place.slot && other.columns > 0 && other.offset >= begin &&
          other.offset < next) {
        next = other.offset;
        after = next + other.columns;
      }
    }
    for (std::int64_t row = 0; begin < next && row < place.rows; ++row) {
      clear(*place.slot, begin + row * place.row_stride, next + row * place.row_stride);
    }
    begin = after;
  }
}

/// Whether a kernel may write to `place` although it accumulates in `other` in the same pass: true
/// if both are the same or disjoint, so that each element is written before it accumulates.
bool may_write_beside(const Place& place, const Place& other) {
  const bool apart = other.begin() >= place.end() || place.begin() >= other.end();
  const bool same = other.begin() == place.begin() && other.end() == place.end();
  return apart || (same && other.is_dense());
}

}  // namespace

void aim(std::span<Gradients::Target> targets, std::span<const Place> places) {
  const auto set = [&](std::size_t i, bool accumulate) {
    targets[i].data = places[i].data();
    targets[i].row_stride = places[i].row_stride;
    targets[i].accumulate = accumulate;
  };
  for (Gradients::Target& target : targets) {
    target.data = nullptr;
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const Place& place = places[i];
    if (place.slot == nullptr || targets[i].data != nullptr) {
      continue;
    }
    if (!place.is_dense() && !place.is_empty()) {
      if (const auto first = common_rows(places, place)) {
        const bool accumulate =
            prepare(*place.slot, *first, *first + place.rows * place.row_stride, true);
        if (!accumulate) {
          clear_between(places, place, *first);
        }
        for (std::size_t j = i; j < targets.size(); ++j) {
          if (places[j].slot == place.slot && !places[j].is_empty()) {
            set(j, accumulate);
          }
        }
        continue;
      }
    }
    set(i, prepare(*place.slot, place.begin(), place.end(), place.is_dense()));
    for (std::size_t j = i + 1; j < targets.size() && !targets[i].accumulate; ++j) {
      if (places[j].slot == place.slot && !places[j].is_empty() &&
          !may_write_beside(place, places[j])) {
        clear(*place.slot, place.begin(), place.end());
        targets[i].accumulate = true;
      }
    }
  }
}

}  // namespace rw::detail
