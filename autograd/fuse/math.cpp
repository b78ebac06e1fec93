#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>

namespace rw {

namespace {
/// A single operation, as a formula.
template <class Operation>
struct Single {
  constexpr auto operator()(auto... x) const { return pointwise::apply<Operation>(x...); }
};
}  // namespace

namespace detail {

Tensor apply_pointwise(std::uint8_t operation, std::initializer_list<Operand> operands) {
  Tensor result;
  pointwise::visit_operation(operation, [&]<class Operation>() {
    constexpr std::size_t n = pointwise::arity<Operation>;
    pointwise::apply_fused(Operation::name, pointwise::fused_operation<Single<Operation>, n>,
                           {operands.begin(), operands.size()}, {&result, 1});
  });
  return result;
}

}  // namespace detail

Tensor square(const Operand& x) {
  return fuse(
      "square", [](auto v) { return square(v); }, x);
}

Tensor leaky_relu(const Operand& x, double slope) {
  return fuse(
      "leaky_relu", [](auto v, auto k) { return leaky_relu(v, k); }, x, slope);
}

Tensor elu(const Operand& x, double alpha) {
  return fuse(
      "elu", [](auto v, auto a) { return elu(v, a); }, x, alpha);
}

Tensor gelu(const Operand& x) {
  return fuse(
      "gelu", [](auto v) { return gelu(v); }, x);
}

Tensor silu(const Operand& x) {
  return fuse(
      "silu", [](auto v) { return silu(v); }, x);
}

Tensor clamp(const Operand& x, const Operand& low, const Operand& high) {
  return fuse(
      "clamp", [](auto v, auto l, auto h) { return clamp(v, l, h); }, x, low, high);
}

}  // namespace rw
