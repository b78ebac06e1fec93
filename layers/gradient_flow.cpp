#include <algorithm>
#include <iterator>

#include <Eigen/Core>
#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/detail/spectrum.hpp>
#include <rewind/layers/gradient_flow.hpp>

namespace rw {
namespace {

using detail::RecordedRun;
using detail::RecordedStep;

bool is_on(const Tape& tape, const Tensor& x) {
  if (!x.defined()) {
    return false;
  }
  const detail::Link& link = x.body().link;
  return link.node != nullptr && link.tape == tape.serial();
}

bool is_on(const Tape& tape, const RecordedRun& run) {
  return std::any_of(run.steps.begin(), run.steps.end(), [&](const RecordedStep& step) {
    return std::any_of(step.handed_on.begin(), step.handed_on.end(),
                       [&](const Tensor& tensor) { return is_on(tape, tensor); });
  });
}

/// While alive, layers that run are not recorded: a cell that runs again may contain some.
struct PauseRecorder {
  detail::ThreadScope<StateRecorder> scope{detail::state_recorder, detail::state_recorders,
                                           nullptr};
};

/// Elements of one row, all axes but the first.
std::int64_t width_of(const Tensor& rows) { return rows.shape().product(1, rows.rank()); }

double norm_of(const Tensor& x) {
  return dispatch_floating(x.dtype(), [&](auto type) {
    using Vector = Eigen::Matrix<decltype(type), Eigen::Dynamic, 1>;
    const Tensor dense = contiguous(x);
    const Eigen::Map<const Vector> values(dense.data<decltype(type)>(), dense.elements());
    // In float64 and scaled by the largest element, so that vanishing gradients do not underflow.
    const double largest = values.template cast<double>().template lpNorm<Eigen::Infinity>();
    if (!values.allFinite() || largest == 0) {
      return values.allFinite() ? 0.0 : static_cast<double>(values.cwiseAbs().sum());
    }
    return largest * (values.template cast<double>() / largest).norm();
  });
}

/// A copy of `rows` with zeros in those for which `keep` is false.
template <class Keep>
Tensor masked(const Tensor& rows, const Keep& keep) {
  Tensor copy = detail::copy_of(rows);
  dispatch_floating(copy.dtype(), [&](auto type) {
    const std::int64_t width = width_of(copy);
    auto* const data = copy.mutable_data<decltype(type)>();
    for (std::int64_t row = 0; row < copy.size(0); ++row) {
      if (!keep(row)) {
        std::fill_n(data + row * width, width, 0);
      }
    }
  });
  return copy;
}

/// Copies the rows of one step to their places in `all` [T, B, ...].
void put_rows(Tensor& all, const Tensor& rows, const std::int64_t* places) {
  const Tensor dense = contiguous(rows);
  dispatch_floating(all.dtype(), [&](auto type) {
    const std::int64_t width = width_of(dense);
    const auto* const from = dense.data<decltype(type)>();
    auto* const to = all.mutable_data<decltype(type)>();
    for (std::int64_t row = 0; row < dense.size(0); ++row) {
      std::copy_n(from + row * width, width, to + places[row] * width);
    }
  });
}

std::vector<double> doubles(const Tensor& x) {
  return x.detach().to(DType::float64).to_vector<double>();
}

}  // namespace

std::vector<GradientFlow> gradient_flow(Tape& tape, const Tensor& loss,
                                        const StateRecorder& recorder) {
  check<UsageError>(recorder.runs() > 0,
                    "gradient_flow: no recurrent layer has run on this thread since the recorder "
                    "was made; run the model while it is alive");
  std::vector<GradientFlow> flows;
  std::vector<TensorRef> asked;
  for (const auto& run : recorder.runs_) {
    if (!is_on(tape, *run)) {
      continue;
    }
    GradientFlow flow;
    flow.run_ = run;
    flows.push_back(std::move(flow));
    for (const RecordedStep& step : run->steps) {
      for (const TensorList* list : {&step.computed, &step.handed_on}) {
        std::copy_if(list->begin(), list->end(), std::back_inserter(asked),
                     [&](const Tensor& tensor) { return is_on(tape, tensor); });
      }
    }
  }
  check<UsageError>(!flows.empty(),
                    "gradient_flow: none of the {} runs was recorded on this tape; make the tape "
                    "before the model runs, and ask before it ends",
                    recorder.runs());
  const std::vector<Tensor> gradients =
      tape.gradient(loss, std::span<const TensorRef>(asked), {.retain = true});
  auto next = gradients.begin();
  const auto gradients_of = [&](const TensorList& list) {
    TensorList each;
    for (const Tensor& tensor : list) {
      each.push_back(is_on(tape, tensor) ? (next++)->detach()
                     : tensor.defined()  ? zeros_like(tensor.detach())
                                         : Tensor());
    }
    return each;
  };
  for (GradientFlow& flow : flows) {
    for (const RecordedStep& step : flow.run_->steps) {
      TensorList total = gradients_of(step.computed);
      flow.gradients_.push_back({std::move(total), gradients_of(step.handed_on)});
    }
  }
  return flows;
}

int GradientFlow::state_tensors() const {
  return static_cast<int>(run_->steps.front().computed.size());
}

void GradientFlow::check_step(std::int64_t step) const {
  check<UsageError>(step >= 0 && step < steps(), "gradient flow: got step {}, expected 0 to {}",
                    step, steps() - 1);
}

std::size_t GradientFlow::weight_number(const std::string& weight) const {
  const auto found = std::find(weights().begin(), weights().end(), weight);
  check<UsageError>(found != weights().end(),
                    "gradient flow: the cell '{}' has no parameter '{}'; it has: {}", name(),
                    weight, fmt::format("{}", fmt::join(weights(), ", ")));
  return static_cast<std::size_t>(found - weights().begin());
}

Tensor GradientFlow::state_gradients(int tensor) const {
  check<UsageError>(tensor >= 0 && tensor < state_tensors(),
                    "gradient flow: got state tensor {}; the state of '{}' has {}, counted from 0",
                    tensor, name(), state_tensors());
  const auto number = static_cast<std::size_t>(tensor);
  const Tensor& model = gradients_.front().total[number];
  std::vector<std::int64_t> sizes{steps(), batch()};
  for (int axis = 1; axis < model.rank(); ++axis) {
    sizes.push_back(model.size(axis));
  }
  Tensor all = zeros(Shape(std::span<const std::int64_t>(sizes)), model.dtype());
  for (std::size_t k = 0; k < gradients_.size(); ++k) {
    put_rows(all, gradients_[k].total[number], run_->places.data() + run_->begin[k]);
  }
  return all;
}

Tensor GradientFlow::state_norms(int tensor) const {
  const Tensor all = state_gradients(tensor);
  std::vector<double> norms;
  for (std::int64_t step = 0; step < steps(); ++step) {
    norms.push_back(norm_of(slice(all, 0, step, step + 1)));
  }
  return Tensor::from<double>({steps()}, norms);
}

/// A packed step may contain rows of several steps of x, and the rows of one step of x may be in
/// several packed steps; each is run backwards with the gradients of only the rows that belong to
/// the requested step.
TensorList GradientFlow::contributions(std::int64_t step,
                                       std::span<const std::size_t> wanted) const {
  TensorList sums;
  for (const std::size_t number : wanted) {
    sums.push_back(zeros_like(run_->weights[number]));
  }
  const PauseRecorder pause;
  for (std::size_t k = 0; k < run_->steps.size(); ++k) {
    const std::int64_t* const place = run_->places.data() + run_->begin[k];
    const std::int64_t rows = run_->begin[k + 1] - run_->begin[k];
    const auto belongs = [&](std::int64_t row) { return place[row] / batch() == step; };
    std::int64_t count = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      count += belongs(row) ? 1 : 0;
    }
    if (count == 0) {
      continue;
    }
    Tape tape;
    TensorList weights = run_->weights;
    std::vector<TensorRef> targets;
    for (const std::size_t number : wanted) {
      weights[number] = tape.watch(weights[number]);
      targets.emplace_back(weights[number]);
    }
    const TensorList results = run_->replay(weights, run_->steps[k], run_->steps[k].before);
    Tensor product;
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Tensor& outside = gradients_[k].outside[i];
      if (!outside.defined() || !is_on(tape, results[i])) {
        continue;
      }
      const Tensor part = sum(results[i] * (count == rows ? outside : masked(outside, belongs)));
      product = product.defined() ? product + part : part;
    }
    if (!product.defined()) {
      continue;
    }
    const std::vector<Tensor> parts = tape.gradient(product, std::span<const TensorRef>(targets));
    for (std::size_t i = 0; i < parts.size(); ++i) {
      sums[i] = sums[i] + parts[i].detach();
    }
  }
  return sums;
}

Tensor GradientFlow::weight_contribution(const std::string& weight, std::int64_t step) const {
  check_step(step);
  const std::size_t number = weight_number(weight);
  return contributions(step, {&number, 1})[0];
}

Tensor GradientFlow::weight_norms(const std::string& weight) const {
  const std::size_t number = weight_number(weight);
  std::vector<double> norms;
  for (std::int64_t step = 0; step < steps(); ++step) {
    norms.push_back(norm_of(contributions(step, {&number, 1})[0]));
  }
  return Tensor::from<double>({steps()}, norms);
}

Tensor GradientFlow::jacobian(std::int64_t step, std::int64_t sequence) const {
  check_step(step);
  check<UsageError>(sequence >= 0 && sequence < batch(),
                    "gradient flow: got sequence {}, expected 0 to {}", sequence, batch() - 1);
  const auto found = std::find(run_->places.begin(), run_->places.end(), step * batch() + sequence);
  check<UsageError>(found != run_->places.end(),
                    "gradient flow: sequence {} has no step {}, which is padding there", sequence,
                    step);
  const std::int64_t packed_row = found - run_->places.begin();
  const auto after = std::upper_bound(run_->begin.begin(), run_->begin.end(), packed_row);
  const auto k = static_cast<std::size_t>(after - run_->begin.begin()) - 1;
  const std::int64_t row = packed_row - run_->begin[k];

  const PauseRecorder pause;
  Tape tape;
  TensorList before;
  for (const Tensor& tensor : run_->steps[k].before) {
    before.push_back(tape.watch(tensor));
  }
  const std::vector<TensorRef> targets(before.begin(), before.end());
  const TensorList results = run_->replay(run_->weights, run_->steps[k], before);
  std::vector<double> entries;
  for (std::size_t i = 1; i < results.size(); ++i) {
    for (std::int64_t unit = 0; unit < width_of(results[i]); ++unit) {
      std::vector<Tensor> slopes(before.begin(), before.end());
      if (is_on(tape, results[i])) {
        Tensor seed = zeros(results[i].shape(), results[i].dtype());
        dispatch_floating(seed.dtype(), [&](auto type) {
          seed.mutable_data<decltype(type)>()[row * width_of(seed) + unit] = 1;
        });
        slopes = tape.gradient(results[i], std::span<const TensorRef>(targets),
                               {.seed = seed, .retain = true});
      } else {
        std::transform(before.begin(), before.end(), slopes.begin(),
                       [](const Tensor& tensor) { return zeros_like(tensor.detach()); });
      }
      for (const Tensor& slope : slopes) {
        const std::vector<double> values = doubles(slice(slope, 0, row, row + 1));
        entries.insert(entries.end(), values.begin(), values.end());
      }
    }
  }
  std::int64_t size = 0;
  for (const Tensor& tensor : before) {
    size += width_of(tensor);
  }
  return Tensor::from<double>({size, size}, entries);
}

double GradientFlow::spectral_radius(std::int64_t step, std::int64_t sequence) const {
  return detail::spectral_radius(jacobian(step, sequence));
}

double GradientFlow::largest_singular_value(std::int64_t step, std::int64_t sequence) const {
  return detail::largest_singular_value(jacobian(step, sequence));
}

}  // namespace rw
