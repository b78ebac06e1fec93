#include <rewind/autograd/tape/detail/gathered_products.hpp>
#include <rewind/autograd/tape/gradients.hpp>
#include <rewind/autograd/tape/matrix_view.hpp>
#include <rewind/autograd/tape/view.hpp>

namespace rw::detail {
namespace {

/// Whether the rows of `second` continue those of `first` in memory.
bool rows_follow(const Tensor& first, const Tensor& second) {
  const auto size = static_cast<std::int64_t>(size_of(first.dtype()));
  return first.row_stride() == second.row_stride() &&
         first.body().data + first.rows() * first.row_stride() * size == second.body().data;
}

/// Whether the waiting products' factors `which` are adjacent in memory, from the last product to
/// the first or from the first to the last.
bool lie_together(const PendingProducts& products, Tensor PendingProduct::*which, bool last_first) {
  for (const PendingProduct* p = products.last; p->next != nullptr; p = p->next) {
    const Tensor& later = p->*which;
    const Tensor& earlier = p->next->*which;
    if (!(last_first ? rows_follow(later, earlier) : rows_follow(earlier, later))) {
      return false;
    }
  }
  return true;
}

/// The factors `which` as one matrix.
Tensor gathered(const PendingProducts& products, Tensor PendingProduct::*which, bool last_first) {
  const PendingProduct* top = products.last;
  while (!last_first && top->next != nullptr) {
    top = top->next;
  }
  const Tensor& first = top->*which;
  const Shape shape{products.rows, first.columns()};
  if (lie_together(products, which, last_first)) {
    return make_view(first, {}, shape, 0, first.row_stride(), 0, first.row_stride());
  }
  Tensor together = make_tensor(shape, first.dtype());
  std::int64_t row = last_first ? 0 : products.rows;
  for (const PendingProduct* p = products.last; p != nullptr; p = p->next) {
    const Tensor& factor = p->*which;
    row -= last_first ? 0 : factor.rows();
    put(together.body().data +
            row * shape.columns() * static_cast<std::int64_t>(size_of(first.dtype())),
        shape.columns(), false, factor);
    row += last_first ? factor.rows() : 0;
  }
  return together;
}

void compute(Slot& slot, PendingProducts& products) {
  // The backward pass of a layer that runs from the last step to the first starts at the first.
  const bool last_first = lie_together(products, &PendingProduct::dy, true) ||
                          !lie_together(products, &PendingProduct::dy, false);
  const Tensor x = gathered(products, &PendingProduct::x, last_first);
  const Tensor dy = gathered(products, &PendingProduct::dy, last_first);
  products.clear();
  const Place place{&slot, products.first_column, slot.shape.columns(), slot.shape.rows(),
                    products.columns};
  const bool accumulate = prepare(slot, place.begin(), place.end(), place.is_dense());
  dispatch_floating(slot.dtype, [&](auto type) {
    using T = decltype(type);
    kernels::multiply<T>(kernels::matrix_view<T>(transposed(x)), kernels::matrix_view<T>(dy),
                         reinterpret_cast<T*>(place.data()), place.row_stride, accumulate);
  });
}

/// The products that wait for the columns of `place`; created if there are none.
PendingProducts& products_of(const Place& place, Arena& arena) {
  Slot& slot = *place.slot;
  for (PendingProducts* p = slot.products; p != nullptr; p = p->next) {
    if (p->first_column == place.offset && p->columns == place.columns) {
      return *p;
    }
  }
  slot.products = new (arena.allocate(sizeof(PendingProducts)))
      PendingProducts{place.offset, place.columns, nullptr, 0, slot.products};
  return *slot.products;
}

/// Whether a factor is part of the gradient of `source`.
bool reads(const PendingProduct& product, const Slot& source) {
  const Block* const block = source.gradient.body().block;
  return product.x.body().block == block || product.dy.body().block == block;
}

}  // namespace

void defer_product(const Place& place, const Tensor& x, const Tensor& dy, Slot* source,
                   Arena& arena) {
  constexpr std::int64_t enough_rows = 1024;
  constexpr std::int64_t fair_rows = 256;  // enough if more would have to be copied
  PendingProducts& products = products_of(place, arena);
  if (products.rows >= fair_rows && !rows_follow(dy, products.last->dy) &&
      !rows_follow(products.last->dy, dy)) {
    compute(*place.slot, products);
  }
  products.last = new (arena.allocate(sizeof(PendingProduct))) PendingProduct{x, dy, products.last};
  products.rows += x.rows();
  if (products.rows >= enough_rows) {
    compute(*place.slot, products);
  } else if (source != nullptr && reads(*products.last, *source)) {
    source->readers =
        new (arena.allocate(sizeof(WaitingReader))) WaitingReader{products.last, source->readers};
  }
}

void complete(Slot& slot) {
  for (PendingProducts* p = slot.products; p != nullptr; p = p->next) {
    if (p->last != nullptr) {
      compute(slot, *p);
    }
  }
  if (!slot.is_full()) {
    cover(slot, 0, slot.shape.elements());
  }
}

}  // namespace rw::detail
