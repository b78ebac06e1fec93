#include <rewind/layers/truncated_bptt.hpp>

namespace rw::detail {
namespace {

/// Zeros for `steps` steps, shaped like those of `model`.
Tensor zero_steps(std::int64_t steps, const Tensor& model) {
  return zeros(model.shape().with(0, steps), model.dtype());
}

}  // namespace

OverlapInput::OverlapInput(const TruncationOptions& options, const Tensor& step_like)
    : every_(options.every),
      overlap_(options.back == 0 ? 0 : options.back - options.every),
      count_(zeros({1}, DType::int64)) {
  check<UsageError>(options.every >= 0 && options.back >= 0,
                    "truncated bptt: got every = {} and back = {}, expected at least 0",
                    options.every, options.back);
  check<UsageError>(options.every > 0 || options.back == 0,
                    "truncated bptt: got back = {} without every; set every too, the number of "
                    "steps between gradients",
                    options.back);
  check<UsageError>(overlap_ >= 0,
                    "truncated bptt: got back = {}, expected at least every = {}, the steps that "
                    "have a loss",
                    options.back, options.every);
  if (overlap_ > 0 && step_like.defined()) {
    steps_ = zero_steps(overlap_, unsqueeze(step_like.detach(), 0));
  }
}

Tensor OverlapInput::window(const Tensor& fresh) const {
  if (steps_.defined()) {
    const Shape expected = steps_.shape().with(0, fresh.size(0));
    check_shape(fresh.shape() == expected,
                "truncated bptt: the steps are {}, expected {} as before", fresh.shape(), expected);
  }
  return kept() == 0 ? fresh : concat({slice(steps_, 0, overlap_ - kept(), overlap_), fresh}, 0);
}

void OverlapInput::keep(const Tensor& window) {
  if (overlap_ == 0) {
    return;
  }
  const std::int64_t length = window.size(0);
  const std::int64_t count = std::min(overlap_, length);
  const Tensor last = slice(window.detach(), 0, length - count, length);
  steps_ = concat({zero_steps(overlap_ - count, window), last}, 0);
  count_ = Tensor::from<std::int64_t>({1}, {count});
}

void OverlapInput::append_state(StateList& list) const {
  if (overlap_ == 0) {
    return;
  }
  check<UsageError>(steps_.defined(),
                    "truncated bptt: the shape of the {} steps to keep is not known before the "
                    "first chunk; give the constructor a tensor like one step of x",
                    overlap_);
  list.push_back({"steps", steps_});
  list.push_back({"count", count_, {0, static_cast<double>(overlap_)}});
}

void OverlapInput::append_options(OptionList& list) const {
  add_option(list, "every", every_);
  add_option(list, "back", every_ + overlap_);
}

void check_window(std::int64_t window, const Tensor& x) {
  check<UsageError>(window > 0, "truncated_backward: got a window of {} steps, expected at least 1",
                    window);
  check<UsageError>(x.size(0) > 0, "truncated_backward: x is {}, expected at least one step",
                    x.shape());
}

}  // namespace rw::detail
