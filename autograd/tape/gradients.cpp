#include <algorithm>

#include <rewind/autograd/tape/detail/backward.hpp>
#include <rewind/autograd/tape/detail/gradient_slot.hpp>
#include <rewind/autograd/tape/matrix_view.hpp>
#include <rewind/autograd/tape/packed_weights.hpp>
#include <rewind/autograd/tape/tape.hpp>

// What users and gradient rules call; the work is done by detail::BackwardPass.

namespace rw {

void Gradients::add_tensor(int input, const Tensor& contribution) {
  pass_.add_tensor(node_, node_.inputs[input], contribution);
}

void Gradients::locate(std::span<Target> targets) { pass_.locate(node_, targets); }

bool Gradients::prepare_whole(detail::Slot& slot) {
  return detail::prepare(slot, 0, slot.shape.elements(), true);
}

bool Gradients::add_product(int input, const MatrixOperand& a, const MatrixOperand& b) {
  if (!wants(input)) {
    return true;
  }
  if (recording_ || a.tensor.rank() != 2 || b.tensor.rank() != 2 ||
      detail::context.anomaly != nullptr) {
    return false;
  }
  if (pass_.defer(node_, node_.inputs[input], a, b)) {
    return true;
  }
  const MatrixOperand right = detail::packed(b, a.tensor.rows());
  write_rows(input, [&]<class T>(const GradientRows<T>& to) {
    kernels::multiply<T>(kernels::matrix_view<T>(a), kernels::matrix_view<T>(right), to.data,
                         to.row_stride, to.accumulate);
  });
  return true;
}

namespace {
bool shares_memory(const Tensor& x, std::span<const Tensor> others) {
  return std::any_of(others.begin(), others.end(), [&](const Tensor& other) {
    return other.defined() && other.body().block == x.body().block;
  });
}
}  // namespace

void Tape::backward(const Tensor& root, const BackwardOptions& options) {
  check_owner("backward");
  detail::BackwardPass pass(*this, false);
  pass.begin(root, options.seed, {}, false);
  pass.run(options.retain);
  pass.commit();
}

std::vector<Tensor> Tape::gradient(const Tensor& y, std::initializer_list<TensorRef> xs,
                                   const GradientOptions& options) {
  return gradient(y, std::span<const TensorRef>(xs.begin(), xs.size()), options);
}

std::vector<Tensor> Tape::gradient(const Tensor& y, std::span<const TensorRef> xs,
                                   const GradientOptions& options) {
  check_owner("gradient");
  const auto link_of = [this](const Tensor& x) {
    const detail::ThreadScope<Tape> recording(detail::context.tape, detail::tape_scopes, this);
    return detail::link_of(x);
  };
  std::vector<detail::Link> targets;
  targets.reserve(xs.size());
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const detail::Link link = link_of(xs[i].get());
    check<UsageError>(link.node != nullptr,
                      "gradient: x number {} (shape {}) is not on this tape; use the tensor that "
                      "watch() returned, a trainable parameter, or a result computed from these",
                      i, xs[i].get().shape());
    targets.push_back(link);
  }
  detail::BackwardPass pass(*this, options.create_graph);
  pass.begin(y, options.seed, targets, true);
  pass.run(options.retain || options.create_graph);
  std::vector<Tensor> gradients;
  gradients.reserve(xs.size());
  for (std::size_t i = 0; i < xs.size(); ++i) {
    Tensor gradient = pass.take(targets[i], xs[i].get().shape());
    // A recorded gradient may be the same tensor as another one, or as the seed.
    if (options.create_graph &&
        (shares_memory(gradient, {&options.seed, 1}) || shares_memory(gradient, gradients))) {
      gradient = gradient.clone();
    }
    gradients.push_back(std::move(gradient));
  }
  return gradients;
}

}  // namespace rw
