#include <algorithm>
#include <vector>

#include <rewind/autograd/fuse/reduction.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/sort.hpp>
#include <rewind/autograd/tensor/axis.hpp>

namespace rw {
namespace {

template <class T>
struct Entry {
  T value;
  std::int64_t index;
};

/// Whether `a` comes before `b`: by value, NaNs last, ties by position.
template <class T>
bool precedes(const Entry<T>& a, const Entry<T>& b, bool descending) {
  const T& first = descending ? b.value : a.value;
  const T& second = descending ? a.value : b.value;
  if (first < second || second < first) {
    return first < second;
  }
  const bool a_is_nan = a.value != a.value;
  const bool b_is_nan = b.value != b.value;
  return a_is_nan == b_is_nan ? a.index < b.index : b_is_nan;
}

/// The original indices of the first `k` elements of `axis` in sorted order.
Tensor places_in_order(const Tensor& x, int axis, std::int64_t k, bool descending) {
  Tensor places = detail::make_tensor(x.shape().with(axis, k), DType::int64);
  if (places.elements() == 0) {
    return places;
  }
  dispatch(x.dtype(), [&](auto type) {
    using T = decltype(type);
    Tensor source = x.detach();
    const detail::ReducedRun<T> run = detail::run_of<T>(source, axis, axis + 1);
    std::vector<Entry<T>, detail::PoolAllocator<Entry<T>>> entries(static_cast<std::size_t>(run.n));
    const auto order = [descending](const Entry<T>& a, const Entry<T>& b) {
      return precedes(a, b, descending);
    };
    auto* const to = places.mutable_data<std::int64_t>();
    for (std::int64_t o = 0; o < run.outer; ++o) {
      for (std::int64_t c = 0; c < run.inner; ++c) {
        const T* from = run.data + o * run.outer_step + c;
        for (std::int64_t i = 0; i < run.n; ++i, from += run.step) {
          entries[static_cast<std::size_t>(i)] = {*from, i};
        }
        if (k < run.n) {
          std::partial_sort(entries.begin(), entries.begin() + k, entries.end(), order);
        } else {
          std::sort(entries.begin(), entries.end(), order);
        }
        for (std::int64_t i = 0; i < k; ++i) {
          to[(o * k + i) * run.inner + c] = entries[static_cast<std::size_t>(i)].index;
        }
      }
    }
  });
  return places;
}

}  // namespace

Sorted sort(const Tensor& x, int axis, bool descending) {
  const int front = detail::front_axis("sort", x.shape(), axis);
  Tensor places = places_in_order(x, front, x.size(front), descending);
  return {gather(x, places, front), places};
}

Sorted topk(const Tensor& x, std::int64_t k) {
  const int last = detail::front_axis("topk", x.shape(), -1);
  check_shape(k >= 0, "topk: got k = {}, expected at least 0", k);
  check_shape(k <= x.columns(), "topk: got k = {}, expected at most {} (x is {})", k, x.columns(),
              x.shape());
  Tensor places = places_in_order(x, last, k, true);
  return {gather(x, places, last), places};
}

}  // namespace rw
