// L-BFGS: against dense BFGS matrices, the Wolfe conditions, and known minima.

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/optim/lbfgs.hpp>

#include "support/bytes_of.hpp"
#include "support/messages.hpp"
#include "support/small_model.hpp"

namespace {

using namespace rw::testing;
using namespace rw;
using rw::Lbfgs;
using rw::LbfgsReport;
using Vector = std::vector<double>;

/// Rosenbrock's function in any even number of dimensions; its minimum is 0 at (1, 1, ...).
Tensor rosenbrock(const Tensor& x) {
  const std::int64_t half = x.elements() / 2;
  const Tensor a = rw::slice(x, 0, 0, half);
  const Tensor b = rw::slice(x, 0, half, 2 * half);
  const Tensor bend = b - a * a;
  return rw::sum(100 * bend * bend + (1 - a) * (1 - a));
}

Parameter rosenbrock_start(std::int64_t n, DType dtype) {
  Vector values(static_cast<std::size_t>(n), 1);
  for (std::int64_t i = 0; i < n / 2; ++i) {
    values[static_cast<std::size_t>(i)] = -1.2 + 0.1 * static_cast<double>(i);
  }
  return Parameter(Tensor::from<double>({n}, values).to(dtype));
}

Vector values_of(const Parameter& p) { return p.value().to(DType::float64).to_vector<double>(); }

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

struct Evaluation {
  double loss;
  Vector gradient;
};
Evaluation evaluate(Parameter& p) {
  rw::Tape tape;
  const Tensor loss = rosenbrock(p);
  p.zero_grad();
  tape.backward(loss);
  return {loss.item(), p.grad().to(DType::float64).to_vector<double>()};
}

/// The matrix H of BFGS, starting with gamma I, by the textbook formula H = (I - rho s y^T) H (I -
/// rho y s^T) + rho s s^T.
class DenseInverseHessian {
 public:
  DenseInverseHessian(std::size_t n, const std::vector<std::pair<Vector, Vector>>& pairs)
      : n_(n), h_(n * n, 0) {
    double gamma = 1;
    if (!pairs.empty()) {
      const auto& [s, y] = pairs.back();
      gamma = dot(s, y) / dot(y, y);
    }
    for (std::size_t i = 0; i < n; ++i) {
      h_[i * n + i] = gamma;
    }
    for (const auto& [s, y] : pairs) {
      update(s, y);
    }
  }
  Vector times(const Vector& v) const {
    Vector result(n_, 0);
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        result[i] += h_[i * n_ + j] * v[j];
      }
    }
    return result;
  }

 private:
  void update(const Vector& s, const Vector& y) {
    const double rho = 1 / dot(s, y);
    const Vector hy = times(y);
    const double yhy = dot(y, hy);
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        h_[i * n_ + j] += rho * ((1 + rho * yhy) * s[i] * s[j] - hy[i] * s[j] - s[i] * hy[j]);
      }
    }
  }
  std::size_t n_;
  Vector h_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(moves_along_the_direction_of_bfgs_and_meets_the_wolfe_conditions) {
  constexpr std::size_t n = 6;
  for (const std::size_t history : {3UL, 100UL}) {
    Parameter p = rosenbrock_start(n, DType::float64);
    Lbfgs optimizer({{"p", &p}},
                    {.max_iterations = 1, .history = static_cast<std::int64_t>(history)});
    std::vector<std::pair<Vector, Vector>> pairs;
    for (int t = 0; t < 25; ++t) {
      const Vector x = values_of(p);
      const Evaluation before = evaluate(p);
      const LbfgsReport report = optimizer.step([&] { return rosenbrock(p); });
      const Evaluation after = evaluate(p);
      BOOST_CHECK_EQUAL(report.first_loss, before.loss);
      BOOST_CHECK_EQUAL(report.last_loss, after.loss);
      BOOST_CHECK_EQUAL(report.iterations, 1);

      const Vector direction = DenseInverseHessian(n, pairs).times(before.gradient);
      Vector s = values_of(p);
      Vector y = after.gradient;
      for (std::size_t i = 0; i < n; ++i) {
        s[i] -= x[i];
        y[i] -= before.gradient[i];
      }
      const double length = -dot(s, direction) / dot(direction, direction);
      BOOST_CHECK_GT(length, 0);
      for (std::size_t i = 0; i < n; ++i) {
        BOOST_CHECK_SMALL(s[i] + length * direction[i], 1e-6 * std::sqrt(dot(s, s)) + 1e-12);
      }
      const double slope = dot(before.gradient, s);
      BOOST_CHECK_LE(after.loss, before.loss + 1e-4 * slope);
      BOOST_CHECK_LE(std::abs(dot(after.gradient, s)), -0.9 * slope);
      pairs.emplace_back(s, y);
      if (pairs.size() > history) {
        pairs.erase(pairs.begin());
      }
    }
    BOOST_CHECK_EQUAL(optimizer.steps(), 25);
  }
}

BOOST_AUTO_TEST_CASE(the_line_search_finds_good_steps_from_any_first_guess) {
  // The first two are the test functions 5.1 and 5.2 of More and Thuente, "Line search algorithms
  // with guaranteed sufficient decrease", 1994. The others have many minima, or one between cliffs.
  const std::vector<std::function<Tensor(const Tensor&)>> functions{
      [](const Tensor& t) { return -t / (t * t + 2); },
      [](const Tensor& t) { return rw::pow(t + 0.004, 5) - 2 * rw::pow(t + 0.004, 4); },
      [](const Tensor& t) { return 0.02 * t * t - rw::sin(7 * t) - t; },
      [](const Tensor& t) { return rw::exp(3 * t) - 10 * t + 0.1 * rw::cos(40 * t); },
  };
  for (std::size_t f = 0; f < functions.size(); ++f) {
    for (double guess = 1e-3; guess < 2e3; guess *= 1.7) {
      Parameter t(rw::zeros({}, DType::float64));
      const auto slope = [&] {
        rw::Tape tape;
        t.zero_grad();
        tape.backward(functions[f](t));
        return t.grad().item();
      };
      const double slope_before = slope();
      Lbfgs optimizer({{"t", &t}},
                      {.learning_rate = guess, .max_iterations = 1, .max_evaluations = 100});
      const LbfgsReport report = optimizer.step([&] { return functions[f](t); });
      const double moved = value_of(t);
      BOOST_TEST_INFO("function " << f << ", first guess " << guess << ", moved " << moved);
      BOOST_CHECK_LE(report.evaluations, 30);
      BOOST_CHECK_LE(report.last_loss, report.first_loss + 1e-4 * moved * slope_before);
      BOOST_CHECK_LE(std::abs(slope()), -0.9 * slope_before);
      BOOST_CHECK_GT(moved, 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(finds_the_minimum_of_rosenbrocks_valley) {
  for (const std::int64_t n : {2, 10, 50}) {
    Parameter p = rosenbrock_start(n, DType::float64);
    Lbfgs optimizer({{"p", &p}}, {.change_tolerance = 0});
    std::int64_t evaluations = 0;
    LbfgsReport report;
    for (int t = 0; t < 20 && !report.converged; ++t) {
      report = optimizer.step([&] { return rosenbrock(p); });
      evaluations += report.evaluations;
    }
    BOOST_TEST_INFO(n << " in " << evaluations << " evaluations");
    BOOST_CHECK(report.converged);
    BOOST_CHECK_LE(evaluations, n == 2 ? 60 : 250);
    BOOST_CHECK_SMALL(report.last_loss, 1e-12);
    for (const double x : values_of(p)) {
      BOOST_CHECK_SMALL(x - 1, 1e-6);
    }
    BOOST_CHECK(!p.has_grad());
  }
}

BOOST_AUTO_TEST_CASE(in_float32_it_stops_where_the_digits_end) {
  Parameter p = rosenbrock_start(10, DType::float32);
  Lbfgs optimizer({{"p", &p}}, {.gradient_tolerance = 0, .change_tolerance = 0});
  double last = infinity;
  for (int t = 0; t < 20; ++t) {
    const LbfgsReport report = optimizer.step([&] { return rosenbrock(p); });
    BOOST_CHECK_LE(report.last_loss, report.first_loss);
    BOOST_CHECK_LE(report.evaluations, 25);
    last = report.last_loss;
  }
  BOOST_CHECK_SMALL(last, 1e-9);
  for (const double x : values_of(p)) {
    BOOST_CHECK_CLOSE(x, 1, 0.1);
  }
}

BOOST_AUTO_TEST_CASE(at_a_minimum_it_stays) {
  Parameter p(rw::ones({4}, DType::float64));
  Lbfgs optimizer({{"p", &p}});
  const LbfgsReport report = optimizer.step([&] { return rosenbrock(p); });
  BOOST_CHECK(report.converged);
  BOOST_CHECK_EQUAL(report.evaluations, 1);
  BOOST_CHECK_EQUAL(report.iterations, 0);
  BOOST_CHECK(values_of(p) == Vector(4, 1));
}

BOOST_AUTO_TEST_CASE(goes_back_from_where_the_loss_is_not_finite) {
  // x - log(x) has its minimum 1 at 1, and is NaN below 0, where the first trial step leads.
  Parameter p(rw::full({3}, 30, DType::float64));
  Lbfgs optimizer({{"p", &p}}, {.learning_rate = 1000});
  int non_finite = 0;
  LbfgsReport report;
  for (int t = 0; t < 5 && !report.converged; ++t) {
    report = optimizer.step([&] {
      const Tensor loss = rw::sum(p - rw::log(p));
      non_finite += std::isfinite(loss.item()) ? 0 : 1;
      return loss;
    });
  }
  BOOST_CHECK_GT(non_finite, 0);
  for (const double x : values_of(p)) {
    BOOST_CHECK_CLOSE(x, 1, 1e-3);
  }
}

BOOST_AUTO_TEST_CASE(without_end_it_goes_down_as_far_as_it_may) {
  Parameter p(rw::zeros({2}, DType::float64));
  Lbfgs optimizer({{"p", &p}}, {.max_iterations = 3, .max_evaluations = 9});
  const LbfgsReport report = optimizer.step([&] { return -rw::sum(p); });
  BOOST_CHECK_EQUAL(report.evaluations, 9);
  BOOST_CHECK_LT(report.last_loss, -1e3);
  BOOST_CHECK_EQUAL(-2 * value_of(p), report.last_loss);
  BOOST_CHECK(!report.converged);
}

BOOST_AUTO_TEST_CASE(several_parameters_and_types_and_frozen_ones) {
  Parameter a(rw::full({3}, 4, DType::float32));
  Parameter b(rw::full({}, -3, DType::float64));
  Parameter frozen(rw::full({2}, 5));
  Parameter unused(rw::full({2}, 6));
  const ParameterList list = {{"a", &a}, {"b", &b}, {"frozen", &frozen}, {"unused", &unused}};
  Lbfgs optimizer(list);
  double target = 1;
  const auto loss = [&] {
    rw::Tape tape;
    const Tensor of_a = rw::sum((a - target) * (a - target) * (a - target) * (a - target)) +
                        rw::sum(frozen * frozen);
    tape.backward(of_a);
    const Tensor of_b = (b - target) * (b - target);
    tape.backward(of_b);
    return of_a.item() + of_b.item();
  };
  optimizer.step(loss);
  BOOST_CHECK_NE(value_of(frozen), 5);
  frozen.set_trainable(false);  // still in the optimiser's history
  const double before = value_of(frozen);
  target = 2;
  for (int t = 0; t < 5; ++t) {
    optimizer.step(loss);
  }
  BOOST_CHECK_SMALL(value_of(a, 2) - 2, 0.02);  // the minimum is flat there
  BOOST_CHECK_SMALL(value_of(b) - 2, 1e-4);
  BOOST_CHECK_EQUAL(value_of(frozen), before);
  BOOST_CHECK_EQUAL(value_of(unused), 6);
}

BOOST_AUTO_TEST_CASE(a_closure_that_runs_backward_itself_is_the_same) {
  Parameter a = rosenbrock_start(6, DType::float32);
  Parameter b = a;
  Lbfgs of_a({{"p", &a}});
  Lbfgs of_b({{"p", &b}});
  of_a.step([&] { return rosenbrock(a); });
  of_b.step([&] {
    rw::Tape tape;
    const Tensor loss = rosenbrock(b);
    tape.backward(loss);
    return loss.item();
  });
  BOOST_CHECK(values_of(a) == values_of(b));
  BOOST_CHECK(bytes_of(of_a.state()) == bytes_of(of_b.state()));
}

BOOST_AUTO_TEST_CASE(a_step_that_fails_changes_nothing) {
  Parameter p = rosenbrock_start(6, DType::float32);
  Lbfgs optimizer({{"p", &p}}, {.max_iterations = 4});
  optimizer.step([&] { return rosenbrock(p); });
  const Vector values = values_of(p);
  const std::string state = bytes_of(optimizer.state());
  const auto check_unchanged = [&] {
    BOOST_CHECK(values_of(p) == values);
    BOOST_CHECK(bytes_of(optimizer.state()) == state);
    BOOST_CHECK(!p.has_grad());
  };
  int calls = 0;
  BOOST_CHECK_THROW(optimizer.step([&] {
    if (++calls == 4) {
      throw std::runtime_error("stop");
    }
    return rosenbrock(p);
  }),
                    std::runtime_error);
  BOOST_CHECK_EQUAL(calls, 4);
  check_unchanged();
  check_contains(message_of<rw::NonFiniteError>(
                     [&] { optimizer.step([&] { return rosenbrock(p) * not_a_number; }); }),
                 {"lbfgs: the loss is nan at step 2", "nothing was changed"});
  check_unchanged();
  check_contains(message_of<rw::NonFiniteError>([&] {
                   optimizer.step([&] {
                     p.set_grad(rw::full({6}, infinity));
                     return 1.0;
                   });
                 }),
                 {"lbfgs: the gradient of 'p'", "6 infinite of 6"});
  check_unchanged();
  BOOST_CHECK_THROW(optimizer.step([&] { return p * 1; }), rw::ShapeError);
  check_unchanged();
  p = Parameter(rw::zeros({4}));
  check_contains(message_of<rw::UsageError>([&] { optimizer.step([&] { return rosenbrock(p); }); }),
                 {"lbfgs: parameter 'p' is now float32 [4], expected float32 [6]"});
}

BOOST_AUTO_TEST_CASE(bad_options) {
  Parameter p(rw::zeros({4}));
  const auto message = [&](const rw::LbfgsOptions& options) {
    return message_of<rw::UsageError>([&] { Lbfgs({{"p", &p}}, options); });
  };
  for (const double bad : {0.0, -1.0, not_a_number, infinity}) {
    check_contains(message({.learning_rate = bad}), {"lbfgs: learning_rate is"});
  }
  check_contains(message({.max_iterations = 0}), {"max_iterations is 0"});
  check_contains(message({.max_evaluations = 1}), {"max_evaluations 1"});
  check_contains(message({.history = 0}), {"history 0"});
  check_contains(message({.gradient_tolerance = -1}), {"gradient_tolerance is -1"});
  check_contains(message({.change_tolerance = not_a_number}), {"change_tolerance nan"});
  BOOST_CHECK_THROW(Lbfgs({}), rw::UsageError);
  BOOST_CHECK_THROW(Lbfgs({{"a", &p}, {"b", &p}}), rw::UsageError);
}
