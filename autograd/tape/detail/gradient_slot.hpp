#pragma once

#include <rewind/autograd/tape/gradients.hpp>
#include <rewind/autograd/tape/node.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

// Note [Parts of a buffer]
// A part of a buffer is an offset and rows that are a stride apart. Three types describe one, each
// with the sizes that are known where it lives. A Link is stored in every tensor, whose own shape
// has the sizes: a second Shape would make each handle 48 bytes larger. A Region is stored by a
// recorded operation, when that tensor may be gone, and so it has a shape. A Place is what the
// backward pass computes with: rows and columns, derived once from a region. Gradients::Target is
// what a rule sees of a place: memory.

/// Part of the gradient in a slot (Note [Parts of a buffer]): `rows` rows of `columns` elements,
/// `row_stride` apart, from element `offset` on.
struct Place {
  Slot* slot;
  std::int64_t offset;
  std::int64_t row_stride;
  std::int64_t rows;
  std::int64_t columns;

  /// Where the gradient of an input is stored; follows merged gradients to the one that has memory.
  static Place of(const Input& input);
  /// Turns a place in a tensor into the same place in `region` of a larger one.
  void move_into(const Region& region);

  bool is_empty() const { return rows == 0 || columns == 0; }
  std::int64_t begin() const { return offset; }
  std::int64_t end() const {
    return is_empty() ? offset : offset + (rows - 1) * row_stride + columns;
  }
  /// Whether there are no gaps between its rows.
  bool is_dense() const { return rows <= 1 || row_stride == columns; }
  /// The memory, once it is allocated.
  std::byte* data() const {
    return slot->gradient.body().data + offset * static_cast<std::int64_t>(size_of(slot->dtype));
  }
};

/// Makes sure that writing into the gradient changes no tensor that others can read.
void make_unique(Tensor& gradient);

/// Sets elements [begin, end) of a slot's gradient to zero.
void clear(Slot& slot, std::int64_t begin, std::int64_t end);

/// Copies or accumulates `from` into memory whose rows are `to_stride` apart.
void put(void* to, std::int64_t to_stride, bool accumulate, const Tensor& from);

/// Gives waiting products copies of what they read in [begin, end), which is about to change (Note
/// [Gathered products]).
void keep_read_values(Slot& slot, std::int64_t begin, std::int64_t end);

/// Sets elements of [begin, end) that hold no value yet to zero.
void cover(Slot& slot, std::int64_t begin, std::int64_t end);

/// Prepares for a contribution to [begin, end), all of which it covers if `dense`; returns whether
/// it must be accumulated (true) or written.
bool prepare(Slot& slot, std::int64_t begin, std::int64_t end, bool dense);

/// Accumulates a contribution in its place; the first one becomes the gradient if it covers
/// everything.
void contribute(const Place& place, const Tensor& contribution);

/// Points `targets` to the memory that one kernel will write to or accumulate in. A target whose
/// place has no slot is not wanted.
void aim(std::span<Gradients::Target> targets, std::span<const Place> places);

}  // namespace rw::detail

#pragma GCC visibility pop
