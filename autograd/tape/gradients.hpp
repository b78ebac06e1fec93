#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include <rewind/autograd/tape/node.hpp>
#include <rewind/autograd/tape/operand.hpp>
#include <rewind/autograd/tensor/launch.hpp>

namespace rw {

namespace detail {
class BackwardPass;
}  // namespace detail

/// A matrix as a factor of a product, possibly transposed: `matmul(a, transposed(b))`. Refers to a
/// named tensor or parameter, which must outlive it; holds a temporary.
class MatrixOperand {
 public:
  template <class T>
  requires TensorLike<std::remove_reference_t<T>>
  explicit(false) MatrixOperand(T&& matrix, bool is_transposed = false)
      : held_(std::is_lvalue_reference_v<T> ? Tensor() : Tensor(as_tensor(matrix))),
        tensor(std::is_lvalue_reference_v<T> ? as_tensor(matrix) : held_),
        transposed(is_transposed) {}
  MatrixOperand(const MatrixOperand& other)
      : held_(other.held_),
        tensor(&other.tensor == &other.held_ ? held_ : other.tensor),
        transposed(other.transposed) {}
  MatrixOperand& operator=(const MatrixOperand&) = delete;
  ~MatrixOperand() = default;

 private:
  static const Tensor& as_tensor(const Tensor& matrix) { return matrix; }

  Tensor held_;

 public:
  const Tensor& tensor;
  const bool transposed;
};

/// `matrix` with its last two axes swapped, as a factor of a product; nothing is copied.
template <class T>
requires TensorLike<std::remove_reference_t<T>> MatrixOperand transposed(T&& matrix) {
  return MatrixOperand(std::forward<T>(matrix), true);
}

// Note [Two ways a rule runs]
// A gradient rule is written once and runs in two ways. In an ordinary backward pass no tape is
// active: the operations in the rule only compute, and add() accumulates their result in the
// input's gradient; the first contribution is written. Under `create_graph` the tape stays active:
// the same operations are recorded, because their inputs (the saved tensors and the output
// gradients) are linked to the tape. Contributions are collected, and summed by one recorded
// operation when the backward pass reaches the input. So gradients of gradients, to any order, need
// no second rule.

/// Memory for the gradient of one input, which a kernel writes or, if `accumulate`, accumulates in:
/// rows of `columns` elements, `row_stride` apart.
template <class T>
struct GradientRows {
  T* data;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t row_stride;
  bool accumulate;

  T* row(std::int64_t r) const { return data + r * row_stride; }
  /// Calls body(accumulate) with a std::bool_constant, so that its loops need no branch.
  template <class Body>
  void specialize(Body&& body) const {
    accumulate ? body(std::true_type{}) : body(std::false_type{});
  }
  /// Launches a kernel that calls body(accumulate, r, row) for every row, with a constant as above
  /// (Note [Launches]).
  template <class Body>
  void each_row(const Body& body) const {
    launch([rows_ = *this, body] {
      rows_.specialize([&](auto constant) {
        for (std::int64_t r = 0; r < rows_.rows; ++r) {
          body(constant, r, rows_.row(r));
        }
      });
    });
  }
  /// Initialises the gradient with zeros if it holds no contribution yet.
  void clear_if_new() {
    if (!accumulate) {
      launch([rows_ = *this] {
        for (std::int64_t r = 0; r < rows_.rows; ++r) {
          std::fill_n(rows_.row(r), rows_.columns, T(0));
        }
      });
    }
    accumulate = true;
  }
};

/// The rows of a tensor, for a kernel (Note [Launches]).
template <class T>
struct ConstRows {
  const T* data;
  std::int64_t stride;

  const T* row(std::int64_t r) const { return data + r * stride; }
};
template <class T>
ConstRows<T> rows_of(const Tensor& x) {
  return {x.data<T>(), x.row_stride()};
}

/// What a gradient rule writes to: the gradients of its operation's inputs.
class Gradients {
 public:
  /// Whether the running pass needs the gradient of `input`.
  bool wants(int input) const {
    const detail::Node* const source = node_.inputs[input].node;
    // A merged gradient is already its first input's (Note [Products in place]).
    const bool merged = input == 0 && !recording_ && node_.slots[0].merged != nullptr;
    return source != nullptr && source->wanted && !merged;
  }

  /// Gradient of output `index`; undefined if the loss does not depend on that output.
  const Tensor& cotangent(int index) const { return node_.slots[index].gradient; }

  /// True under `create_graph`: only recordable operations may be used (Note [Two ways a rule
  /// runs]).
  bool recording() const { return recording_; }

  /// Accumulates the tensor that `compute()` returns, of the input's shape, in the gradient of
  /// `input`; does not call it if the pass does not need that gradient.
  template <class Compute>
  void add(int input, Compute&& compute) {
    if (wants(input)) {
      add_tensor(input, compute());
    }
  }

  /// Accumulates in the gradient of `input`: under `create_graph` the tensor that `recorded()`
  /// returns, computed by recordable operations; otherwise `now(rows)` computes the same directly
  /// into `rows`, a GradientRows<float> or <double>. Calls neither if the pass does not need that
  /// gradient.
  template <class Recorded, class Now>
  void add_rows(int input, Recorded&& recorded, Now&& now) {
    if (!wants(input)) {
      return;
    }
    if (recording_) {
      add_tensor(input, recorded());
      return;
    }
    write_rows(input, now);
  }

  /// Accumulates the product a b of two matrices in the gradient of `input`, in place, immediately
  /// or gathered with others. False if it must be computed as a tensor and passed to add().
  [[nodiscard]] bool add_product(int input, const MatrixOperand& a, const MatrixOperand& b);

  /// Memory that a kernel writes or accumulates in: the gradient of one input, its rows
  /// `row_stride` apart.
  struct Target {
    int input;
    void* data;  // null: not wanted
    std::int64_t row_stride;
    bool accumulate;
  };
  /// Points each target to the gradient of its input; the kernel must then fill all of them. Not
  /// while recording.
  void locate(std::span<Target> targets);
  /// The memory of a located target, whose input has `shape`.
  template <class T>
  static GradientRows<T> rows_of(const Target& target, const Shape& shape) {
    return {static_cast<T*>(target.data), shape.elements() == 0 ? 0 : shape.rows(), shape.columns(),
            target.row_stride, target.accumulate};
  }

  /// Memory for the whole gradient of `input`, which is a whole output (no region) with its own
  /// gradient, of the shape of output 0. It may be the memory of output 0's gradient, if nobody
  /// else needs that: the kernel must read each element before it writes it. Not while recording.
  void* locate_whole(int input, bool& accumulate) {
    detail::Slot& slot = node_.inputs[input].slot();
    if (!slot.gradient.defined()) {
      detail::Slot& output = node_.slots[0];
      if (output.is_expendable()) {
        slot.start_in(output);
      } else {
        slot.start(0, slot.shape.elements());
      }
      accumulate = false;
    } else {
      accumulate = (slot.owned && slot.is_full() && slot.readers == nullptr) || prepare_whole(slot);
    }
    return slot.gradient.body().data;
  }

 private:
  friend class detail::BackwardPass;
  Gradients(const detail::Node& node, bool recording, detail::BackwardPass& pass)
      : node_(node), recording_(recording), pass_(pass) {}

  void add_tensor(int input, const Tensor& contribution);
  /// Calls now(rows) with the memory of a wanted gradient. Not while recording.
  template <class Now>
  void write_rows(int input, Now&& now) {
    Target target{input, nullptr, 0, false};
    locate({&target, 1});
    const detail::Input& to = node_.inputs[input];
    dispatch_floating(to.slot().dtype,
                      [&](auto type) { now(rows_of<decltype(type)>(target, to.shape())); });
  }
  static bool prepare_whole(detail::Slot& slot);

  const detail::Node& node_;
  bool recording_;
  detail::BackwardPass& pass_;
};

}  // namespace rw
