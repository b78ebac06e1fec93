#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/plain_nan.hpp>

namespace rw {
namespace {

/// Irregular weights without symmetry, different for each `salt`.
Tensor irregular(const Shape& shape, double salt) {
  Tensor weights = zeros(shape, DType::float64);
  double* const data = weights.mutable_data<double>();
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    const auto x = static_cast<double>(i);
    data[i] = 0.7 * std::sin(1.3 * x + salt) + 0.05 * std::fmod(x * x + salt, 7.0) + 0.3;
  }
  return weights;
}

/// The variables of differentiation: inputs and parameters.
class Variables {
 public:
  Variables(const char* who, const std::vector<Tensor>& inputs, const ParameterList& parameters)
      : parameters_(parameters) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      check<UsageError>(inputs[i].dtype() == DType::float64, "{}: input {} is {}, expected float64",
                        who, i, name_of(inputs[i].dtype()));
      inputs_.push_back(detail::copy_of(inputs[i]));
    }
    for (const NamedParameter& entry : parameters) {
      check<UsageError>(entry.parameter->dtype() == DType::float64,
                        "{}: parameter '{}' is {}, expected float64", who, entry.path,
                        name_of(entry.parameter->dtype()));
    }
  }

  std::size_t size() const { return inputs_.size() + parameters_.size(); }
  const std::vector<Tensor>& inputs() const { return inputs_; }
  std::string name(std::size_t i) const {
    return i < inputs_.size() ? fmt::format("input {}", i)
                              : fmt::format("parameter '{}'", parameters_[i - inputs_.size()].path);
  }
  std::int64_t elements(std::size_t i) const { return value(i).elements(); }
  double* data(std::size_t i) {
    return i < inputs_.size() ? inputs_[i].mutable_data<double>()
                              : parameters_[i - inputs_.size()].parameter->mutable_data<double>();
  }
  /// The tensors whose gradients are requested, given the inputs as watched on a tape.
  std::vector<TensorRef> targets(const std::vector<Tensor>& watched) const {
    std::vector<TensorRef> refs(watched.begin(), watched.end());
    for (const NamedParameter& entry : parameters_) {
      refs.emplace_back(*entry.parameter);
    }
    return refs;
  }

 private:
  const Tensor& value(std::size_t i) const {
    return i < inputs_.size() ? inputs_[i] : parameters_[i - inputs_.size()].parameter->value();
  }

  std::vector<Tensor> inputs_;
  const ParameterList& parameters_;
};

std::vector<Tensor> watch_all(Tape& tape, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> watched;
  for (const Tensor& x : inputs) {
    watched.push_back(tape.watch(x));
  }
  return watched;
}

Tensor weighted_sum(const Tensor& y, double salt) { return sum(y * irregular(y.shape(), salt)); }

/// The gradients; zeros if `loss` depends on nothing recorded: then the differences must be zero
/// too.
std::vector<Tensor> gradient_or_zeros(Tape& tape, const Tensor& loss,
                                      const std::vector<TensorRef>& targets,
                                      const GradientOptions& options = {}) {
  if (loss.requires_grad()) {
    return tape.gradient(loss, std::span<const TensorRef>(targets), options);
  }
  std::vector<Tensor> zero;
  for (const TensorRef& target : targets) {
    zero.push_back(zeros_like(target.get()));
  }
  return zero;
}

/// The weighted sum of all first derivatives, recorded on `tape` or not.
Tensor first_derivatives(Tape& tape, const Tensor& loss, const std::vector<TensorRef>& targets,
                         bool recorded) {
  const std::vector<Tensor> gradients =
      gradient_or_zeros(tape, loss, targets, {.create_graph = recorded});
  Tensor total = scalar(0.0, DType::float64);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    total = total + weighted_sum(gradients[i], 2.0 + static_cast<double>(i));
  }
  return total;
}

using Scalar = std::function<double()>;

GradcheckResult compare(Variables& variables, const std::vector<Tensor>& analytic,
                        const Scalar& loss, const GradcheckOptions& options, const char* what) {
  GradcheckResult result;
  double worst = 0;
  for (std::size_t v = 0; v < variables.size(); ++v) {
    const std::vector<double> gradient = analytic[v].to_vector<double>();
    for (std::int64_t i = 0; i < variables.elements(v); ++i) {
      const double original = variables.data(v)[i];
      variables.data(v)[i] = original + options.step;
      const double above = loss();
      variables.data(v)[i] = original - options.step;
      const double below = loss();
      variables.data(v)[i] = original;
      const double numeric = (above - below) / (2 * options.step);
      const double error = std::abs(gradient[static_cast<std::size_t>(i)] - numeric);
      const double excess = error / (options.absolute + options.relative * std::abs(numeric));
      ++result.derivatives;
      if (!(excess <= 1.0) && !(excess <= worst)) {
        worst = excess;
        result.passed = false;
        result.message = fmt::format(
            "{}: {}, element {}: analytic {:.12g}, numeric {:.12g}, difference {:.3g}", what,
            variables.name(v), i, detail::plain_nan(gradient[static_cast<std::size_t>(i)]),
            detail::plain_nan(numeric), detail::plain_nan(error));
      }
    }
  }
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>();
  const std::vector<double> y = b.to_vector<double>();
  return x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
}

/// The loss of `function` on the variables, recorded on its own tape.
struct RecordedLoss {
  Tape tape;
  std::vector<Tensor> watched;
  std::vector<TensorRef> targets;
  Tensor loss;

  RecordedLoss(const TensorFunction& function, Variables& variables)
      : watched(watch_all(tape, variables.inputs())),
        targets(variables.targets(watched)),
        loss(weighted_sum(function(watched), 1.0)) {}
};

}  // namespace

GradcheckResult gradcheck(const TensorFunction& function, const std::vector<Tensor>& inputs,
                          const ParameterList& parameters, const GradcheckOptions& options) {
  Variables variables("gradcheck", inputs, parameters);
  std::vector<Tensor> analytic;
  {
    RecordedLoss run(function, variables);
    analytic = gradient_or_zeros(run.tape, run.loss, run.targets, {.retain = true});
    const auto again = gradient_or_zeros(run.tape, run.loss, run.targets);
    for (std::size_t i = 0; i < analytic.size(); ++i) {
      if (!same_bits(analytic[i], again[i])) {
        return {false,
                fmt::format("gradcheck: a second backward pass gave another gradient for {}",
                            variables.name(i)),
                0};
      }
    }
  }
  const StopRecording stop;
  return compare(
      variables, analytic, [&] { return weighted_sum(function(variables.inputs()), 1.0).item(); },
      options, "gradcheck");
}

GradcheckResult gradgradcheck(const TensorFunction& function, const std::vector<Tensor>& inputs,
                              const ParameterList& parameters, const GradcheckOptions& options) {
  Variables variables("gradgradcheck", inputs, parameters);
  std::vector<Tensor> analytic;
  {
    RecordedLoss run(function, variables);
    const Tensor total = first_derivatives(run.tape, run.loss, run.targets, true);
    analytic = gradient_or_zeros(run.tape, total, run.targets);
  }
  return compare(
      variables, analytic,
      [&] {
        RecordedLoss run(function, variables);
        // Not recorded: if the two ways to run a rule disagree, so do the derivatives.
        return first_derivatives(run.tape, run.loss, run.targets, false).item();
      },
      options, "gradgradcheck");
}

}  // namespace rw
