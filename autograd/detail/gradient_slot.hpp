#pragma once

#include <rewind/autograd/detail/arena.hpp>
#include <rewind/autograd/detail/node.hpp>

namespace rw::detail {

/// The elements of a slot that a contribution touches, from the first to the last, and whether it
/// touches all between them.
struct Extent {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool dense = true;

  static Extent of(const Slot& slot, const Region* region);
  bool overlaps(const Extent& other) const { return begin < other.end && other.begin < end; }
};

/// Makes sure that writing into the gradient changes no tensor that anyone else can see.
void make_unique(Tensor& gradient);

/// Sets elements [begin, end) of a slot's gradient to zero.
void clear(Slot& slot, std::int64_t begin, std::int64_t end);

/// Copies or adds `from` to memory whose rows lie `to_stride` apart.
void put(void* to, std::int64_t to_stride, bool accumulate, const Tensor& from);

/// Where a region (null: the whole) of a slot's gradient begins.
void* region_data(const Slot& slot, const Region* region);

/// Gives every element of [begin, end) a value: zero where there is none yet.
void cover(Slot& slot, std::int64_t begin, std::int64_t end);

/// Makes room for a contribution to `extent`; returns whether it must be added (true) or written.
bool prepare(Slot& slot, const Extent& extent);

/// Adds a contribution to its place; the first one, if it covers everything, is kept as it is.
void contribute(Slot& slot, const Region* region, const Tensor& contribution);

/// Keeps the product x^T dy for later; computes what has gathered when it is enough.
void defer_product(Slot& slot, const Tensor& x, const Tensor& dy, Arena& arena);

/// Gives every element a value: computes waiting products; what no contribution has touched becomes
/// zero.
void complete(Slot& slot);

}  // namespace rw::detail
