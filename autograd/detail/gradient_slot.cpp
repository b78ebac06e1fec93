#include <algorithm>
#include <cstring>

#include <rewind/autograd/detail/gradient_slot.hpp>
#include <rewind/autograd/detail/strided.hpp>
#include <rewind/autograd/views.hpp>

// Note [Gradients of views]
// Slices along leading axes, column slices and reshapes are views: they share their base's storage
// and are no operations. Their gradients land in the same part of the base's gradient. That buffer
// starts uninitialised; `filled_begin` and `filled_end` bound the part that holds values. A
// contribution next to that part is written and extends it (time steps arrive one after another, so
// nothing is ever cleared); one inside is added; what neither covers is cleared before the gradient
// is used. Column slices that together cover whole rows (the gates of a cell) count as one
// contribution.

namespace rw::detail {
namespace {

bool is_unique(const Tensor& t) {
  const TensorBody& body = t.body();
  return body.references == 1 && body.block->references == 1 && !body.shared && t.is_contiguous();
}

}  // namespace

Extent Extent::of(const Slot& slot, const Region* region) {
  if (region == nullptr) {
    return {0, slot.shape.elements(), true};
  }
  const std::int64_t rows = region->shape.rows();
  const std::int64_t columns = region->shape.columns();
  if (region->shape.elements() == 0) {
    return {region->offset, region->offset, true};
  }
  return {region->offset, region->offset + (rows - 1) * region->row_stride + columns,
          rows == 1 || region->row_stride == columns};
}

void make_unique(Tensor& gradient) {
  if (!is_unique(gradient)) {
    gradient = gradient.clone();
  }
}

void clear(Slot& slot, std::int64_t begin, std::int64_t end) {
  if (begin < end) {
    const auto size = static_cast<std::int64_t>(size_of(slot.dtype));
    std::memset(slot.gradient.body().data + begin * size, 0,
                static_cast<std::size_t>((end - begin) * size));
  }
}

void put(void* to, std::int64_t to_stride, bool accumulate, const Tensor& from) {
  dispatch_floating(from.dtype(), [&](auto type) {
    using T = decltype(type);
    const std::int64_t rows = from.elements() == 0 ? 0 : from.rows();
    (accumulate ? kernels::add_rows<T> : kernels::copy_rows<T>)(static_cast<T*>(to), to_stride,
                                                                from.data<T>(), from.row_stride(),
                                                                rows, from.columns());
  });
}

void* region_data(const Slot& slot, const Region* region) {
  const std::int64_t offset = region == nullptr ? 0 : region->offset;
  return slot.gradient.body().data + offset * static_cast<std::int64_t>(size_of(slot.dtype));
}

bool prepare(Slot& slot, const Extent& extent) {
  if (!slot.gradient.defined()) {
    slot.gradient = make_tensor(slot.shape, slot.dtype);
    slot.filled_begin = slot.filled_end = extent.begin;
  } else {
    make_unique(slot.gradient);
  }
  const bool adjacent = extent.end == slot.filled_begin || extent.begin == slot.filled_end;
  const bool fresh = slot.filled_begin == slot.filled_end;
  if (fresh) {
    slot.filled_begin = slot.filled_end = extent.begin;
  }
  const std::int64_t begin = std::min(slot.filled_begin, extent.begin);
  const std::int64_t end = std::max(slot.filled_end, extent.end);
  const bool write = extent.dense && (adjacent || fresh) && extent.begin < extent.end;
  if (!write) {
    clear(slot, begin, slot.filled_begin);
    clear(slot, slot.filled_end, end);
  }
  slot.filled_begin = begin;
  slot.filled_end = end;
  return !write;
}

void contribute(Slot& slot, const Region* region, const Tensor& contribution) {
  const Extent extent = Extent::of(slot, region);
  const bool covers = extent.dense && extent.begin == 0 && extent.end == slot.shape.elements();
  if (covers && !slot.gradient.defined()) {
    // The first use writes: nothing is even copied.
    if (region == nullptr) {
      slot.gradient = contribution;
      slot.filled_begin = 0;
      slot.filled_end = extent.end;
      return;
    }
    if (contribution.is_contiguous()) {
      slot.gradient = part(contribution.detach(), {0, slot.shape.columns(), slot.shape});
      slot.filled_begin = 0;
      slot.filled_end = extent.end;
      return;
    }
  }
  const bool accumulate = prepare(slot, extent);
  put(region_data(slot, region), region == nullptr ? slot.shape.columns() : region->row_stride,
      accumulate, contribution);
}

void complete(Slot& slot) {
  const std::int64_t elements = slot.shape.elements();
  if (slot.filled_begin > 0 || slot.filled_end < elements) {
    make_unique(slot.gradient);
    clear(slot, 0, slot.filled_begin);
    clear(slot, slot.filled_end, elements);
    slot.filled_begin = 0;
    slot.filled_end = elements;
  }
}

}  // namespace rw::detail
