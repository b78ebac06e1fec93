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
  // What took its place in its model, for the lists that know this one (ParameterHandle).
  ParameterBody* successor = nullptr;

  // From the pool: Note [Stand-ins].
  static void* operator new(std::size_t bytes) {
    return PoolAllocator<std::byte>().allocate(bytes);
  }
  static void operator delete(void* body) noexcept {
    PoolAllocator<std::byte>().deallocate(static_cast<std::byte*>(body), 0);
  }
};
struct ParameterNode;  // what each is part of
void release_parameter(ParameterBody* body) noexcept;

// Note [Stand-ins]
// A layer is sometimes to be run with other values in the place of its parameters, as with dropout
// on weights. For that it is copied while this guard lives, which makes each parameter of the copy
// read the original's own value, shared and not copied; then some are replaced by results of
// operations (Parameter::stand_for). Gradients flow through both kinds to the original, because
// they follow tensors and not parameters. See with_values in substitution.hpp.
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
/// backward passes add up.
///
/// Copying copies the value and the gradient, so that a copied layer is independent of the
/// original. Assigning a copy writes into the parameter that is there, as assign() does, where
/// shapes and types agree. Otherwise, and when another is moved to it, that one takes its place,
/// for lists of parameters too: optimisers go on with `model = best` and `layer.bias =
/// Parameter(b)`. Reads as a Tensor in every operation. Several threads may read the value at once
/// while none writes it.
class Parameter {
 public:
  Parameter() = default;
  explicit Parameter(const Tensor& value, bool trainable = true);
  Parameter(const Parameter& other);
  /// Of what a ParameterHandle points to, another that shares it.
  Parameter(Parameter&& other) noexcept;
  Parameter& operator=(const Parameter& other);
  /// Throws only where a ParameterHandle points: ShapeError or UsageError when the value does not
  /// fit what is there.
  Parameter& operator=(Parameter&& other);  // NOLINT(performance-noexcept-move-constructor)
  ~Parameter() { detail::release_parameter(body_); }

  /// Makes a stand-in read as `value`, shared, wherever it came from: for one run of a layer, with
  /// gradients that flow on into what the value was computed from (Note [Stand-ins]). Throws
  /// UsageError when the parameter is none.
  void stand_for(const Tensor& value);

  bool defined() const { return body_ != nullptr; }
  const Tensor& value() const { return body().value; }
  explicit(false) operator const Tensor&() const { return body().value; }
  /// Part `index` of the value's first axis, as that of a tensor.
  Tensor operator[](std::int64_t index) const { return value()[index]; }
  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }

  /// Writes `values` (same shape and type) into the parameter. Throws ShapeError or UsageError.
  void assign(const Tensor& values);
  /// The value's memory, to write (Note [Version counters]).
  template <Element T>
  T* mutable_data() {
    return body().value.template mutable_data<T>();
  }

  bool has_grad() const { return body().grad.defined(); }
  /// Sum of the gradients since zero_grad(), of the value's shape. Throws UsageError when there is
  /// none yet.
  const Tensor& grad() const;
  Tensor& mutable_grad();
  /// Forgets the gradient; the next backward pass writes instead of adding.
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
  /// Whether it owns its value, as every parameter does that is not a stand-in.
  bool owns_value() const;
  /// Whether this is what handles to its body point to.
  bool is_shared_one() const;
  /// Copies everything of `other`, whose value fits, into what is there.
  void write(const Parameter& other);
  /// Holds `body` in the place of what it held, which gets it as its successor.
  void become(detail::ParameterBody*& body) noexcept;

  detail::ParameterBody* body_ = nullptr;
};

/// A parameter that is shared: value, gradient and flags are those of the parameter it was made
/// from, and live as long as either. So it stays whole when that one is moved, as when a vector of
/// models grows, or ends; and it becomes whatever takes that one's place by assignment. Used like a
/// pointer; to assign to `*handle` writes into the shared parameter.
class ParameterHandle {
 public:
  ParameterHandle() = default;
  /// Throws UsageError when there is no parameter, or an empty one.
  explicit(false) ParameterHandle(Parameter* parameter);
  ParameterHandle(const ParameterHandle& other) noexcept : body_(other.body_) { retain(); }
  ParameterHandle(ParameterHandle&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  ParameterHandle& operator=(ParameterHandle other) noexcept {
    std::swap(body_, other.body_);
    return *this;
  }
  ~ParameterHandle() { detail::release_parameter(body_); }

  /// Lives as long as the parameter. Throws UsageError when the handle is empty.
  Parameter& operator*() const;
  Parameter* operator->() const { return &**this; }
  /// Whether both are one parameter, and not only of one value.
  bool operator==(const ParameterHandle& other) const { return latest() == other.latest(); }

 private:
  void retain() const noexcept {
    if (body_ != nullptr) {
      body_->retain();
    }
  }
  /// The body, after those that took its place.
  detail::ParameterBody* latest() const noexcept;

  mutable detail::ParameterBody* body_ = nullptr;
};

}  // namespace rw

template <>
struct fmt::formatter<rw::Parameter> : fmt::formatter<rw::Tensor> {};
