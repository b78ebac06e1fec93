#include <algorithm>
#include <cstring>

#include <rewind/autograd/detail/gradient_slot.hpp>
#include <rewind/autograd/detail/matrix_view.hpp>
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

// Note [Gathered products]
// The gradient of a weight that is used at every step is a sum of products x_t^T dy_t over few rows
// each. They are kept until enough rows have come together, and then computed as one product over
// all of them: factors that follow each other in memory are used where they are, others are copied
// together first.

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

namespace {

/// Makes the slot's gradient memory of its own, which may be written.
void own(Slot& slot, std::int64_t begin) {
  if (!slot.gradient.defined()) {
    slot.gradient = make_tensor(slot.shape, slot.dtype);
    slot.filled_begin = slot.filled_end = begin;
  } else if (!slot.owned) {
    make_unique(slot.gradient);
  }
  slot.owned = true;
}

}  // namespace

void cover(Slot& slot, std::int64_t begin, std::int64_t end) {
  own(slot, begin);
  if (slot.filled_begin == slot.filled_end) {
    slot.filled_begin = slot.filled_end = begin;
  }
  clear(slot, begin, slot.filled_begin);
  clear(slot, slot.filled_end, end);
  slot.filled_begin = std::min(slot.filled_begin, begin);
  slot.filled_end = std::max(slot.filled_end, end);
}

bool prepare(Slot& slot, const Extent& extent) {
  own(slot, extent.begin);
  const bool adjacent = extent.end == slot.filled_begin || extent.begin == slot.filled_end;
  const bool fresh = slot.filled_begin == slot.filled_end;
  if (fresh) {
    slot.filled_begin = slot.filled_end = extent.begin;
  }
  const bool write = extent.dense && (adjacent || fresh) && extent.begin < extent.end;
  if (!write) {
    cover(slot, extent.begin, extent.end);
    return true;
  }
  slot.filled_begin = std::min(slot.filled_begin, extent.begin);
  slot.filled_end = std::max(slot.filled_end, extent.end);
  return false;
}

void contribute(Slot& slot, const Region* region, const Tensor& contribution) {
  const Extent extent = Extent::of(slot, region);
  const bool covers = extent.dense && extent.begin == 0 && extent.end == slot.shape.elements();
  if (covers && !slot.gradient.defined()) {
    // The first use writes: nothing is even copied.
    if (region == nullptr) {
      slot.gradient = contribution;
      slot.owned = false;
      slot.filled_begin = 0;
      slot.filled_end = extent.end;
      return;
    }
    if (contribution.is_contiguous()) {
      slot.gradient = part(contribution.detach(), {0, slot.shape.columns(), slot.shape});
      slot.owned = false;
      slot.filled_begin = 0;
      slot.filled_end = extent.end;
      return;
    }
  }
  const bool accumulate = prepare(slot, extent);
  put(region_data(slot, region), region == nullptr ? slot.shape.columns() : region->row_stride,
      accumulate, contribution);
}

namespace {

/// The factors `which` of the waiting products as one matrix, rows in the order of the list.
Tensor gathered(const Slot& slot, Tensor PendingProduct::*which) {
  const Tensor& first = slot.products->*which;
  const auto size = static_cast<std::int64_t>(size_of(first.dtype()));
  bool follows = true;
  const std::byte* expected = first.body().data;
  for (const PendingProduct* p = slot.products; p != nullptr; p = p->next) {
    const Tensor& t = p->*which;
    follows = follows && t.body().data == expected && t.row_stride() == first.row_stride();
    expected = t.body().data + t.rows() * t.row_stride() * size;
  }
  const Shape shape{slot.pending_rows, first.columns()};
  if (follows) {
    return make_view(first, shape, 0, first.row_stride(), 0, first.row_stride());
  }
  Tensor together = make_tensor(shape, first.dtype());
  std::byte* to = together.body().data;
  for (const PendingProduct* p = slot.products; p != nullptr; p = p->next) {
    put(to, shape.columns(), false, p->*which);
    to += (p->*which).elements() * size;
  }
  return together;
}

void compute_products(Slot& slot) {
  const Tensor x = gathered(slot, &PendingProduct::x);
  const Tensor dy = gathered(slot, &PendingProduct::dy);
  for (; slot.products != nullptr; slot.products = slot.products->next) {
    slot.products->x.reset();
    slot.products->dy.reset();
  }
  slot.pending_rows = 0;
  const bool accumulate = prepare(slot, {0, slot.shape.elements(), true});
  dispatch_floating(slot.dtype, [&](auto type) {
    using T = decltype(type);
    kernels::multiply<T>(kernels::matrix_view<T>(transposed(x)), kernels::matrix_view<T>(dy),
                         reinterpret_cast<T*>(slot.gradient.body().data), slot.shape.columns(),
                         accumulate);
  });
}

}  // namespace

void defer_product(Slot& slot, const Tensor& x, const Tensor& dy, Arena& arena) {
  constexpr std::int64_t enough_rows = 1024;
  slot.products = new (arena.allocate(sizeof(PendingProduct))) PendingProduct{x, dy, slot.products};
  slot.pending_rows += x.rows();
  if (slot.pending_rows >= enough_rows) {
    compute_products(slot);
  }
}

void complete(Slot& slot) {
  if (slot.products != nullptr) {
    compute_products(slot);
  }
  if (slot.filled_begin > 0 || slot.filled_end < slot.shape.elements()) {
    cover(slot, 0, slot.shape.elements());
  }
}

}  // namespace rw::detail
