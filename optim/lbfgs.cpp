#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>

#include <Eigen/Core>
#include <fmt/format.h>

#include <rewind/autograd/tape/tape.hpp>
#include <rewind/optim/detail/line_search.hpp>
#include <rewind/optim/detail/participants.hpp>
#include <rewind/optim/lbfgs.hpp>

namespace rw {
namespace detail {
/// A step and the change of the gradient along it.
struct LbfgsPair {
  Eigen::VectorXd move;
  Eigen::VectorXd gradient_change;
};
}  // namespace detail

namespace {

using detail::LbfgsPair;
using detail::LinePoint;
using Eigen::VectorXd;

using Pairs = std::deque<LbfgsPair>;

/// H gradient by the two-loop recursion (Nocedal and Wright, algorithm 7.4).
VectorXd product_with_inverse_hessian(const Pairs& history, VectorXd vector) {
  std::vector<double> weights;
  for (auto pair = history.rbegin(); pair != history.rend(); ++pair) {
    const double weight = pair->move.dot(vector) / pair->move.dot(pair->gradient_change);
    vector -= weight * pair->gradient_change;
    weights.push_back(weight);
  }
  if (!history.empty()) {
    const LbfgsPair& last = history.back();
    vector *= last.move.dot(last.gradient_change) / last.gradient_change.squaredNorm();
  }
  for (const LbfgsPair& pair : history) {
    const double correction =
        pair.gradient_change.dot(vector) / pair.move.dot(pair.gradient_change);
    vector += (weights.back() - correction) * pair.move;
    weights.pop_back();
  }
  return vector;
}

double largest(const VectorXd& vector) {
  return vector.size() == 0 ? 0 : vector.lpNorm<Eigen::Infinity>();
}

/// Calls body(parameter, first, n) for each parameter and its n entries in a vector of all values.
template <class Body>
void for_each_part(const ParameterList& list, Body&& body) {
  Eigen::Index first = 0;
  for (const NamedParameter& entry : list) {
    const Eigen::Index n = entry.parameter->value().elements();
    body(entry, first, n);
    first += n;
  }
}

VectorXd values_of(const ParameterList& list, Eigen::Index size) {
  VectorXd values(size);
  for_each_part(list, [&](const NamedParameter& entry, Eigen::Index first, Eigen::Index n) {
    dispatch_floating(entry.parameter->dtype(), [&](auto type) {
      std::copy_n(entry.parameter->value().data<decltype(type)>(), n, values.data() + first);
    });
  });
  return values;
}

/// Writes the trainable parameters. Frozen ones still have entries in the history.
void assign(const ParameterList& list, const VectorXd& values) {
  for_each_part(list, [&](const NamedParameter& entry, Eigen::Index first, Eigen::Index n) {
    if (entry.parameter->trainable()) {
      dispatch_floating(entry.parameter->dtype(), [&](auto type) {
        using T = decltype(type);
        std::transform(values.data() + first, values.data() + first + n,
                       entry.parameter->mutable_data<T>(),
                       [](double value) { return static_cast<T>(value); });
      });
      detail::end_loan(entry.parameter->value());
    }
  });
}

}  // namespace

/// One call of step(). Works on copies, so that a failure changes nothing.
class __attribute__((visibility("hidden"))) Lbfgs::Run {
 public:
  Run(Lbfgs& optimizer, const std::function<double()>& loss)
      : optimizer_(optimizer),
        options_(optimizer.options_),
        list_(optimizer.parameters_.list()),
        loss_(loss),
        start_(values_of(list_, optimizer.moves_.columns())) {
    const std::int64_t pairs =
        std::clamp<std::int64_t>(*optimizer.pairs_.data<std::int64_t>(), 0, options_.history);
    for (std::int64_t i = 0; i < pairs; ++i) {
      history_.push_back({row(optimizer.moves_, i), row(optimizer.gradient_changes_, i)});
    }
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    if (!done_) {
      assign(list_, start_);
    }
    zero_grad(list_);
  }

  LbfgsReport operator()() {
    LinePoint point = evaluate(start_);
    detail::check_any_gradient(optimizer_.parameters_.owner(), list_);
    check_start(point);
    report_.first_loss = point.f;
    while (!report_.converged && report_.iterations < options_.max_iterations &&
           report_.evaluations < options_.max_evaluations && iterate(point)) {
    }
    report_.last_loss = point.f;
    assign(list_, point.x);
    store();
    done_ = true;
    return report_;
  }

 private:
  static VectorXd row(const Tensor& tensor, std::int64_t i) {
    return Eigen::Map<const VectorXd>(tensor.data<double>() + i * tensor.columns(),
                                      tensor.columns());
  }

  LinePoint evaluate(const VectorXd& x) {
    ++report_.evaluations;
    assign(list_, x);
    zero_grad(list_);
    LinePoint point;
    point.f = loss_();
    point.x = values_of(list_, x.size());  // as rounded to the parameters' types
    point.gradient = VectorXd::Zero(x.size());
    for_each_part(list_, [&](const NamedParameter& entry, Eigen::Index first, Eigen::Index n) {
      if (detail::takes_part(*entry.parameter)) {
        detail::check_gradient(optimizer_.parameters_.owner(), entry);
        dispatch_floating(entry.parameter->dtype(), [&](auto type) {
          std::copy_n(entry.parameter->grad().data<decltype(type)>(), n,
                      point.gradient.data() + first);
        });
      }
    });
    return point;
  }

  void check_start(const LinePoint& point) const {
    check<NonFiniteError>(std::isfinite(point.f),
                          "lbfgs: the loss is {} at step {}, before the first iteration; nothing "
                          "was changed",
                          point.f, optimizer_.steps() + 1);
    for_each_part(list_, [&](const NamedParameter& entry, Eigen::Index first, Eigen::Index n) {
      if (!point.gradient.segment(first, n).allFinite()) {
        detail::fail_non_finite("lbfgs", entry, "");
      }
    });
  }

  /// Moves `point` to a lower one; false if none can be found.
  bool iterate(LinePoint& point) {
    if (largest(point.gradient) <= options_.gradient_tolerance) {
      report_.converged = true;
      return false;
    }
    VectorXd direction = -product_with_inverse_hessian(history_, point.gradient);
    point.slope = direction.dot(point.gradient);
    if (!(point.slope < 0)) {
      history_.clear();
      direction = -point.gradient;
      point.slope = -point.gradient.squaredNorm();
    }
    point.t = 0;
    const double guess = options_.learning_rate *
                         (history_.empty() ? std::min(1.0, 1 / point.gradient.lpNorm<1>()) : 1);
    LinePoint next = detail::strong_wolfe_search(
        [&](double t) {
          LinePoint at = evaluate(point.x + t * direction);
          at.t = t;
          at.slope = at.gradient.dot(direction);
          return at;
        },
        point, guess, {}, options_.max_evaluations - report_.evaluations);
    ++report_.iterations;
    if (next.t == 0) {
      // The history may be misleading; retry with the gradient alone.
      const bool had_history = !history_.empty();
      history_.clear();
      return had_history;
    }
    remember(next.x - point.x, next.gradient - point.gradient);
    report_.converged = largest(next.gradient) <= options_.gradient_tolerance ||
                        largest(next.x - point.x) <= options_.change_tolerance ||
                        std::abs(next.f - point.f) <= options_.change_tolerance;
    point = std::move(next);
    return true;
  }

  /// Keeps only pairs of positive curvature, so that H stays positive definite.
  void remember(VectorXd move, VectorXd gradient_change) {
    constexpr double rounding = std::numeric_limits<double>::epsilon();
    if (move.dot(gradient_change) > rounding * move.norm() * gradient_change.norm()) {
      history_.push_back({std::move(move), std::move(gradient_change)});
      if (static_cast<std::int64_t>(history_.size()) > options_.history) {
        history_.pop_front();
      }
    }
  }

  void store() {
    double* moves = optimizer_.moves_.mutable_data<double>();
    double* changes = optimizer_.gradient_changes_.mutable_data<double>();
    for (const LbfgsPair& pair : history_) {
      moves = std::copy(pair.move.begin(), pair.move.end(), moves);
      changes = std::copy(pair.gradient_change.begin(), pair.gradient_change.end(), changes);
    }
    *optimizer_.pairs_.mutable_data<std::int64_t>() = static_cast<std::int64_t>(history_.size());
    ++*optimizer_.steps_.mutable_data<std::int64_t>();
  }

  Lbfgs& optimizer_;
  const LbfgsOptions& options_;
  const ParameterList& list_;
  const std::function<double()>& loss_;
  VectorXd start_;
  Pairs history_;
  LbfgsReport report_;
  bool done_ = false;
};

Lbfgs::Lbfgs(ParameterList parameters, const LbfgsOptions& options)
    : parameters_("lbfgs", std::move(parameters)), options_(options) {
  check<UsageError>(options.learning_rate > 0 && std::isfinite(options.learning_rate),
                    "lbfgs: learning_rate is {}, expected more than 0 and finite",
                    options.learning_rate);
  check<UsageError>(
      options.max_iterations >= 1 && options.max_evaluations >= 2 && options.history >= 1,
      "lbfgs: max_iterations is {}, max_evaluations {}, history {}; expected at least 1, 2 "
      "and 1",
      options.max_iterations, options.max_evaluations, options.history);
  check<UsageError>(options.gradient_tolerance >= 0 && options.change_tolerance >= 0,
                    "lbfgs: gradient_tolerance is {} and change_tolerance {}, expected at least 0",
                    options.gradient_tolerance, options.change_tolerance);
  const std::int64_t values = std::accumulate(
      parameters_.list().begin(), parameters_.list().end(), std::int64_t{0},
      [](std::int64_t n, const NamedParameter& p) { return n + p.parameter->value().elements(); });
  steps_ = zeros({}, DType::int64);
  pairs_ = zeros({}, DType::int64);
  moves_ = zeros({options.history, values}, DType::float64);
  gradient_changes_ = zeros({options.history, values}, DType::float64);
  state_ = {{"step", steps_, counts},
            {"pairs", pairs_, {0, static_cast<double>(options.history)}},
            {"moves", moves_, finite_values},
            {"gradient_changes", gradient_changes_, finite_values}};
}

OptionList Lbfgs::options() const {
  OptionList list{{"kind", "lbfgs"}};
  add_option(list, "learning_rate", options_.learning_rate);
  add_option(list, "max_iterations", options_.max_iterations);
  add_option(list, "max_evaluations", options_.max_evaluations);
  add_option(list, "history", options_.history);
  add_option(list, "gradient_tolerance", options_.gradient_tolerance);
  add_option(list, "change_tolerance", options_.change_tolerance);
  return list;
}

std::string Lbfgs::fault_in(const StateList& values) const {
  const std::int64_t pairs = *values[1].tensor.data<std::int64_t>();
  const auto row = [](const Tensor& tensor, std::int64_t i) {
    return Eigen::Map<const VectorXd>(tensor.data<double>() + i * tensor.row_stride(),
                                      tensor.columns());
  };
  for (std::int64_t i = 0; i < pairs; ++i) {
    if (!(row(values[2].tensor, i).dot(row(values[3].tensor, i)) > 0)) {
      return fmt::format("moves and gradient_changes of pair {} have a product that is not above 0",
                         i);
    }
  }
  return {};
}

LbfgsReport Lbfgs::step(const std::function<double()>& loss) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_.check_form(i);
  }
  return Run(*this, loss)();
}

LbfgsReport Lbfgs::step(const std::function<Tensor()>& loss) {
  return step(std::function<double()>([&] {
    Tape tape;
    const Tensor value = loss();
    tape.backward(value);
    return value.item();
  }));
}

}  // namespace rw
