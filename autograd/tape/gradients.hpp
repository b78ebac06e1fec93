#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include <rewind/autograd/tape/node.hpp>
#include <rewind/autograd/tape/operand.hpp>

namespace rw {

namespace detail {
class BackwardPass;
}  // namespace detail

/// A matrix as the factor of a product, as it is or transposed: `matmul(a, transposed(b))`. Refers
/// to a tensor or parameter that has a name, which must outlive it; a temporary is held.
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
// A gradient rule has one text and two ways to run. In an ordinary backward pass no tape is active:
// the operations in the rule compute at once, and add() puts their result into the input's
// gradient: the first use writes, later ones add in place. Under `create_graph` the tape stays
// active: the same operations are recorded, their inputs (the saved tensors and the gradients that
// arrive) being linked to the tape, and contributions are collected and summed by one recorded
// operation when the input's turn comes. Hence gradients of gradients, to any order, without a
// second rule.

/// Memory for the gradient of one input, which a kernel fills: rows of `columns` elements,
/// `row_stride` apart, to be written or, where `accumulate`, added to.
template <class T>
struct GradientRows {
  T* data;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t row_stride;
  bool accumulate;

  T* row(std::int64_t r) const { return data + r * row_stride; }
  /// Calls body(accumulate) with a constant, std::bool_constant, so that the loops in it need not
  /// ask.
  template <class Body>
  void specialize(Body&& body) const {
    accumulate ? body(std::true_type{}) : body(std::false_type{});
  }
  /// Calls body(accumulate, r, row) for every row, with a constant as above.
  template <class Body>
  void each_row(Body&& body) const {
    specialize([&](auto constant) {
      for (std::int64_t r = 0; r < rows; ++r) {
        body(constant, r, row(r));
      }
    });
  }
  /// Makes sure that there is something to add to: zeros where no gradient has arrived yet.
  void clear_if_new() {
    for (std::int64_t r = 0; !accumulate && r < rows; ++r) {
      std::fill_n(row(r), columns, T(0));
    }
    accumulate = true;
  }
};

/// What a gradient rule writes to: the gradients of its operation's inputs.
class Gradients {
 public:
  /// Whether the running pass needs the gradient of `input`.
  bool wants(int input) const {
    const detail::Node* const source = node_.inputs[input].node;
    // A merged gradient is its first input's already (Note [Products in place]).
    const bool merged = input == 0 && !recording_ && node_.slots[0].merged != nullptr;
    return source != nullptr && source->wanted && !merged;
  }

  /// Gradient of output `index`; undefined when that output does not reach the loss.
  const Tensor& cotangent(int index) const { return node_.slots[index].gradient; }

  /// True under `create_graph`: only recordable operations may be used (Note [Two ways a rule
  /// runs]).
  bool recording() const { return recording_; }

  /// Adds the tensor that `compute()` returns, of the input's shape, to the gradient of `input`;
  /// does not call it when the pass does not need it.
  template <class Compute>
  void add(int input, Compute&& compute) {
    if (wants(input)) {
      add_tensor(input, compute());
    }
  }

  /// Adds to the gradient of `input`: under `create_graph` the tensor that `recorded()` returns,
  /// made of recordable operations; otherwise `now(rows)` computes the same straight into its
  /// place, rows being a GradientRows<float> or <double>. Calls neither when the pass does not need
  /// it.
  template <class Recorded, class Now>
  void add_rows(int input, Recorded&& recorded, Now&& now) {
    if (!wants(input)) {
      return;
    }
    if (recording_) {
      add_tensor(input, recorded());
      return;
    }
    Target target{input, nullptr, 0, false};
    locate({&target, 1});
    const detail::Input& to = node_.inputs[input];
    const Shape& shape = to.shape();
    dispatch_floating(to.slot().dtype, [&](auto type) {
      using T = decltype(type);
      now(GradientRows<T>{static_cast<T*>(target.data), shape.elements() == 0 ? 0 : shape.rows(),
                          shape.columns(), target.row_stride, target.accumulate});
    });
  }

  /// Adds the product a b of two matrices to the gradient of `input`, in place, at once or gathered
  /// with others. False where it has to be computed as a tensor and added by add().
  [[nodiscard]] bool add_product(int input, const MatrixOperand& a, const MatrixOperand& b);

  /// Memory that a kernel fills: the gradient of one input (rows `row_stride` apart), to be written
  /// or added to.
  struct Target {
    int input;
    void* data;  // null: not wanted
    std::int64_t row_stride;
    bool accumulate;
  };
  /// Finds memory for the gradients of `targets[i].input`, all of which the kernel must then fill.
  /// Not while recording.
  void locate(std::span<Target> targets);

  /// Finds memory for all of the gradient of `input`, which is a whole output (no region) with a
  /// gradient of its own, of the shape of output 0. It may be that of output 0's gradient, if
  /// nobody else needs it: the kernel must read an element before it writes it. Not while
  /// recording.
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
  static bool prepare_whole(detail::Slot& slot);

  const detail::Node& node_;
  bool recording_;
  detail::BackwardPass& pass_;
};

}  // namespace rw
