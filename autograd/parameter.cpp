#include <cstring>

#include <fmt/format.h>

#include <rewind/autograd/parameter.hpp>

namespace rw {
namespace detail {

void release_parameter(ParameterBody* body) noexcept {
  if (body == nullptr || !body->release() || !settle(*body)) {
    return;
  }
  ParameterBody*& owner = body->value.body().parameter;
  if (owner == body) {  // a stand-in is not
    owner = nullptr;    // handles to the value may live on, as constants
  }
  delete body;
}

namespace {
ParameterBody* make_parameter(const Tensor& value) {
  check<UsageError>(is_floating(value.dtype()),
                    "parameter: got an int64 tensor, expected float32 or float64");
  auto* body = new ParameterBody;
  try {
    body->value = value.clone();
  } catch (...) {
    delete body;
    throw;
  }
  // Note [Reference counts]
  body->share();
  body->value.body().share();
  body->value.body().block->share();
  body->value.body().parameter = body;
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
    Parameter copy = standing_for(other.value());
    std::swap(body_, copy.body_);
    return;
  }
  Parameter copy(other.value(), other.trainable());
  copy.body().name = other.name();
  if (other.has_grad()) {
    copy.body().grad = other.grad().clone();
  }
  std::swap(body_, copy.body_);
}

Parameter Parameter::standing_for(const Tensor& value) {
  Parameter result;
  result.body_ = new detail::ParameterBody;
  result.body_->value = value;
  return result;
}

Parameter& Parameter::operator=(const Parameter& other) {
  Parameter copy(other);
  std::swap(body_, copy.body_);
  return *this;
}

Parameter& Parameter::operator=(Parameter&& other) noexcept {
  Parameter moved(std::move(other));
  std::swap(body_, moved.body_);
  return *this;
}

detail::ParameterBody& Parameter::body() const {
  check<UsageError>(body_ != nullptr,
                    "parameter: it is empty; it was default-constructed or moved from");
  return *body_;
}

void Parameter::assign(const Tensor& values) {
  detail::check_like("the new value", values, value(), name());
  const Tensor dense = values.is_contiguous() ? values : values.clone();
  dispatch_floating(dtype(), [&](auto type) {
    using T = decltype(type);
    // memmove: `values` may be a view of this very parameter.
    std::memmove(mutable_data<T>(), dense.data<T>(),
                 static_cast<std::size_t>(value().elements()) * sizeof(T));
  });
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
  body().grad = grad.clone();
}

}  // namespace rw
