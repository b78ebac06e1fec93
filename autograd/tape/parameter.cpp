#include <cstring>

#include <fmt/format.h>

#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tensor/launch.hpp>

namespace rw {
namespace detail {

/// Contains every body. Handles point to `shared_one`, which lives as long as the body and so holds
/// no reference to it.
struct ParameterNode : ParameterBody {
  Parameter shared_one;

  // Shared from the start: models and lists of several threads may hold it. A constructor of
  // ParameterBody does not do this, because clang emits the debug information of a type with
  // constructors only in files that call one, and users' programs do not.
  ParameterNode() {
    share();
    shared_one.body_ = this;
  }
  ParameterNode(const ParameterNode&) = delete;
  ParameterNode& operator=(const ParameterNode&) = delete;
  ~ParameterNode() { shared_one.body_ = nullptr; }
};

namespace {
ParameterNode& node_of(ParameterBody& body) { return static_cast<ParameterNode&>(body); }
}  // namespace

void release_parameter(ParameterBody* body) noexcept {
  if (body == nullptr || !body->release() || !settle_shared(*body)) {
    return;
  }
  ParameterBody*& owner = body->value.body().parameter;
  if (owner == body) {  // false for a stand-in
    owner = nullptr;    // handles to the value may live on, as constants
  }
  release_parameter(body->successor);
  delete &node_of(*body);
}

namespace {
ParameterBody* make_parameter(const Tensor& value) {
  check<UsageError>(is_floating(value.dtype()),
                    "parameter: got an int64 tensor, expected float32 or float64");
  auto* body = new ParameterNode;
  try {
    body->value = copy_of(value);
  } catch (...) {
    delete body;
    throw;
  }
  // Note [Reference counts]
  body->value.body().share();
  body->value.body().block->share();
  body->value.body().parameter = body;
  end_loan(body->value);
  return body;
}

void check_like(const char* what, const Tensor& got, const Tensor& value, const std::string& name) {
  check_shape(got.shape() == value.shape(), "parameter '{}': {} has shape {}, expected {}", name,
              what, got.shape(), value.shape());
  check<UsageError>(got.dtype() == value.dtype(), "parameter '{}': {} is {}, expected {}", name,
                    what, name_of(got.dtype()), name_of(value.dtype()));
}
}  // namespace

namespace {
thread_local bool copies_share_values = false;
}

CopiesShareValues::CopiesShareValues() noexcept
    : previous_(std::exchange(copies_share_values, true)) {}
CopiesShareValues::~CopiesShareValues() { copies_share_values = previous_; }

}  // namespace detail

Parameter::Parameter(const Tensor& value, bool trainable) : body_(detail::make_parameter(value)) {
  body_->trainable = trainable;
}

Parameter::Parameter(const Parameter& other) {
  if (!other.defined()) {
    return;
  }
  if (detail::copies_share_values) {
    body_ = new detail::ParameterNode;
    body_->value = other.value();
    return;
  }
  Parameter copy(other.value(), other.trainable());
  copy.body().name = other.name();
  if (other.has_grad()) {
    copy.body().grad = detail::copy_of(other.grad());
  }
  std::swap(body_, copy.body_);
}

void Parameter::stand_for(const Tensor& value) {
  check<UsageError>(defined() && !owns_value(),
                    "parameter '{}': it owns its value, expected a stand-in, which with_values() "
                    "makes; write other values with assign()",
                    defined() ? name() : "");
  body_->value = value;
}

bool Parameter::owns_value() const { return defined() && body_->value.body().parameter == body_; }

Parameter::Parameter(Parameter&& other) noexcept : body_(other.body_) {
  if (other.is_shared_one()) {
    body_->retain();
  } else {
    other.body_ = nullptr;
  }
}

bool Parameter::is_shared_one() const {
  return defined() && this == &detail::node_of(*body_).shared_one;
}

Parameter& Parameter::operator=(const Parameter& other) {
  if (body_ == other.body_) {
    return *this;
  }
  if (is_shared_one()) {
    check<UsageError>(owns_value(),
                      "parameter '{}': it is a stand-in, expected a parameter that owns its value; "
                      "use stand_for()",
                      name());
    detail::check_like("the new value", other.value(), value(), name());
    write(other);
  } else if (!detail::copies_share_values && owns_value() && other.defined() &&
             shape() == other.shape() && dtype() == other.dtype()) {
    write(other);
  } else {
    Parameter copy(other);
    become(copy.body_);
  }
  return *this;
}

void Parameter::write(const Parameter& other) {
  Tensor grad = other.has_grad() ? other.grad().clone() : Tensor();
  std::string name = other.name().empty() ? body().name : other.name();
  assign(other.value());
  body_->grad = std::move(grad);
  body_->name = std::move(name);
  body_->trainable = other.trainable();
}

// NOLINTNEXTLINE(performance-noexcept-move-constructor)
Parameter& Parameter::operator=(Parameter&& other) {
  if (is_shared_one()) {
    return *this = static_cast<const Parameter&>(other);
  }
  Parameter moved(std::move(other));
  become(moved.body_);
  return *this;
}

void Parameter::become(detail::ParameterBody*& body) noexcept {
  // A replaced body is in no parameter any more, so it never becomes a successor, and chains end.
  if (body_ != nullptr && body != nullptr && body_->successor == nullptr) {
    body->retain();
    body_->successor = body;
  }
  std::swap(body_, body);
}

detail::ParameterBody& Parameter::body() const {
  check<UsageError>(body_ != nullptr,
                    "parameter: it is empty; it was default-constructed or moved from");
  return *body_;
}

void Parameter::assign(const Tensor& values) {
  detail::refuse_in_capture("assign() writes a parameter");
  detail::check_like("the new value", values, value(), name());
  const Tensor dense = values.is_contiguous() ? values : detail::copy_of(values);
  dispatch_floating(dtype(), [&](auto type) {
    using T = decltype(type);
    // memmove: `values` may be a view of this parameter.
    std::memmove(mutable_data<T>(), dense.data<T>(),
                 static_cast<std::size_t>(value().elements()) * sizeof(T));
  });
  detail::end_loan(value());
}

const Tensor& Parameter::grad() const {
  check<UsageError>(
      has_grad(), "parameter '{}': it has no gradient yet; run tape.backward(loss) first", name());
  return body().grad;
}

Tensor& Parameter::mutable_grad() {
  static_cast<void>(grad());
  return body().grad;
}

void Parameter::set_grad(const Tensor& grad) {
  detail::check_like("the gradient", grad, value(), name());
  body().grad = detail::copy_of(grad);
}

ParameterHandle::ParameterHandle(Parameter* parameter) {
  check<UsageError>(parameter != nullptr && parameter->defined(),
                    "parameter handle: got {}, expected a parameter with a value",
                    parameter == nullptr ? "a null pointer" : "an empty parameter");
  body_ = parameter->body_;
  retain();
}

Parameter& ParameterHandle::operator*() const {
  detail::ParameterBody* const body = latest();
  check<UsageError>(body != nullptr,
                    "parameter handle: it is empty; it was default-constructed or moved from");
  return detail::node_of(*body).shared_one;
}

detail::ParameterBody* ParameterHandle::latest() const noexcept {
  if (body_ != nullptr && body_->successor != nullptr) [[unlikely]] {
    detail::ParameterBody* const first = body_;
    while (body_->successor != nullptr) {
      body_ = body_->successor;
    }
    retain();
    detail::release_parameter(first);
  }
  return body_;
}

}  // namespace rw
