#pragma once

#include <string>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

namespace detail {
struct ParameterBody : Counted {
  Tensor value;
  Tensor grad;  // undefined: zero
  std::string name;
  bool trainable = true;
  // The body that replaced it in its model, for lists that contain this one (ParameterHandle).
  ParameterBody* successor = nullptr;

  // From the pool: Note [Stand-ins].
  static void* operator new(std::size_t bytes) {
    return PoolAllocator<std::byte>().allocate(bytes);
  }
  static void operator delete(void* body) noexcept {
    PoolAllocator<std::byte>().deallocate(static_cast<std::byte*>(body), 0);
  }
};
struct ParameterNode;  // contains the body
void release_parameter(ParameterBody* body) noexcept;

// Note [Stand-ins]
// Some runs of a layer need other values instead of its parameters, for example dropout on weights.
// The layer is then copied while this guard lives, so that each parameter of the copy shares the
// original's value; after that, some are replaced by results of operations (Parameter::stand_for).
// Gradients flow through both kinds to the original, because they follow tensors and not
// parameters. See with_values in substitution.hpp.
class CopiesShareValues {
 public:
  CopiesShareValues() noexcept;
  ~CopiesShareValues();
  CopiesShareValues(const CopiesShareValues&) = delete;
  CopiesShareValues& operator=(const CopiesShareValues&) = delete;

 private:
  bool previous_;
};
}  // namespace detail

/// A named leaf outside any tape: owns a value that training changes, and the gradient that
/// backward passes accumulate.
///
/// Copying copies the value and the gradient, so that a copied layer is independent of the
/// original. Copy assignment writes into the existing parameter, as assign() does, if shapes and
/// types agree. Otherwise, and in move assignment, the other parameter replaces it, in lists of
/// parameters too: optimisers follow `model = best` and `layer.bias = Parameter(b)`. Every
/// operation reads it as a Tensor. Several threads may read the value at once while none writes it.
class Parameter {
 public:
  Parameter() = default;
  explicit Parameter(const Tensor& value, bool trainable = true);
  Parameter(const Parameter& other);
  /// From a ParameterHandle's target, makes another parameter that shares it.
  Parameter(Parameter&& other) noexcept;
  Parameter& operator=(const Parameter& other);
  /// Throws only for a ParameterHandle's target: ShapeError or UsageError if the value does not fit
  /// it.
  Parameter& operator=(Parameter&& other);  // NOLINT(performance-noexcept-move-constructor)
  ~Parameter() { detail::release_parameter(body_); }

  /// Makes a stand-in share `value`, for one run of a layer; gradients flow on into the tensors
  /// that `value` was computed from (Note [Stand-ins]). Throws UsageError if the parameter is not a
  /// stand-in.
  void stand_for(const Tensor& value);

  bool defined() const { return body_ != nullptr; }
  const Tensor& value() const { return body().value; }
  explicit(false) operator const Tensor&() const { return body().value; }
  /// Part `index` of the value's first axis, as for a tensor.
  Tensor operator[](std::int64_t index) const { return value()[index]; }
  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }

  /// Writes `values` (same shape and type) into the parameter. Throws ShapeError or UsageError.
  void assign(const Tensor& values);
  /// The value's memory, for writing (Note [Version counters]).
  template <Element T>
  T* mutable_data() {
    return body().value.template mutable_data<T>();
  }

  bool has_grad() const { return body().grad.defined(); }
  /// Sum of the gradients since zero_grad(), of the value's shape. Throws UsageError when there is
  /// none yet.
  const Tensor& grad() const;
  Tensor& mutable_grad();
  /// Clears the gradient; the next backward pass writes instead of accumulating.
  void zero_grad() { body().grad.reset(); }
  /// Replaces the gradient. Throws ShapeError or UsageError when it does not fit the value.
  void set_grad(const Tensor& grad);

  bool trainable() const { return body().trainable; }
  /// A parameter that is not trainable is a constant to every tape.
  void set_trainable(bool trainable) { body().trainable = trainable; }
  const std::string& name() const { return body().name; }
  void set_name(std::string name) { body().name = std::move(name); }

 private:
  friend class ParameterHandle;
  friend struct detail::ParameterNode;

  detail::ParameterBody& body() const;
  /// Whether it owns its value, as every parameter except a stand-in does.
  bool owns_value() const;
  /// Whether this is what handles to its body point to.
  bool is_shared_one() const;
  /// Copies everything of `other`, whose value fits, into the existing body.
  void write(const Parameter& other);
  /// Replaces its body by `body`, which becomes the successor of the old one.
  void become(detail::ParameterBody*& body) noexcept;

  detail::ParameterBody* body_ = nullptr;
};

/// A shared parameter: value, gradient and flags are those of the parameter it was made from, and
/// live as long as either. So it stays valid when that parameter is moved, as when a vector of
/// models grows, or destroyed; and it follows a parameter that replaces that one by assignment.
/// Used like a pointer; assigning to `*handle` writes into the shared parameter.
class ParameterHandle {
 public:
  ParameterHandle() = default;
  /// Throws UsageError for a null pointer or an empty parameter.
  explicit(false) ParameterHandle(Parameter* parameter);
  ParameterHandle(const ParameterHandle& other) noexcept : body_(other.body_) { retain(); }
  ParameterHandle(ParameterHandle&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  ParameterHandle& operator=(ParameterHandle other) noexcept {
    std::swap(body_, other.body_);
    return *this;
  }
  ~ParameterHandle() { detail::release_parameter(body_); }

  /// Valid as long as the parameter lives. Throws UsageError if the handle is empty.
  Parameter& operator*() const;
  Parameter* operator->() const { return &**this; }
  /// Whether both are the same parameter, not only equal in value.
  bool operator==(const ParameterHandle& other) const { return latest() == other.latest(); }

 private:
  void retain() const noexcept {
    if (body_ != nullptr) {
      body_->retain();
    }
  }
  /// The body, or the last one that replaced it.
  detail::ParameterBody* latest() const noexcept;

  mutable detail::ParameterBody* body_ = nullptr;
};

}  // namespace rw

template <>
struct fmt::formatter<rw::Parameter> : fmt::formatter<rw::Tensor> {};
