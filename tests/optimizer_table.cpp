#include "optimizer_table.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <rewind/optim/ada_belief.hpp>
#include <rewind/optim/adadelta.hpp>
#include <rewind/optim/adagrad.hpp>
#include <rewind/optim/adam.hpp>
#include <rewind/optim/adam_w.hpp>
#include <rewind/optim/adamax.hpp>
#include <rewind/optim/asgd.hpp>
#include <rewind/optim/lamb.hpp>
#include <rewind/optim/nadam.hpp>
#include <rewind/optim/radam.hpp>
#include <rewind/optim/rms_prop.hpp>
#include <rewind/optim/sgd.hpp>

namespace rw::testing {
namespace {

/// The update rule of one element: returns the new value.
using ElementRule = std::function<double(double w, double g, int t)>;

std::function<Reference()> elementwise(const ElementRule& rule) {
  return [=]() -> Reference {
    return [rule, rules = std::vector<ElementRule>()](std::vector<double>& w,
                                                      const std::vector<double>& g, int t) mutable {
      rules.resize(w.size(), rule);
      for (std::size_t i = 0; i < w.size(); ++i) {
        w[i] = rules[i](w[i], g[i], t);
      }
    };
  };
}

ElementRule reference_of(const SgdOptions& o) {
  return [=, buffer = 0.0](double w, double g, int t) mutable {
    g += o.weight_decay * w;
    if (o.momentum != 0) {
      buffer = t == 1 ? g : o.momentum * buffer + g;
      g = o.nesterov ? g + o.momentum * buffer : buffer;
    }
    return w - o.learning_rate * g;
  };
}

ElementRule reference_of(const RmsPropOptions& o) {
  return [=, square = 0.0, mean = 0.0, buffer = 0.0](double w, double g, int) mutable {
    g += o.weight_decay * w;
    square = o.alpha * square + (1 - o.alpha) * g * g;
    double variance = square;
    if (o.centered) {
      mean = o.alpha * mean + (1 - o.alpha) * g;
      variance -= mean * mean;
    }
    const double scaled = g / (std::sqrt(variance) + o.epsilon);
    buffer = o.momentum * buffer + scaled;
    return w - o.learning_rate * (o.momentum > 0 ? buffer : scaled);
  };
}

ElementRule reference_of(const AdagradOptions& o) {
  return [=, sum = o.initial_sum](double w, double g, int t) mutable {
    g += o.weight_decay * w;
    sum += g * g;
    return w - o.learning_rate / (1 + (t - 1) * o.learning_rate_decay) * g /
                   (std::sqrt(sum) + o.epsilon);
  };
}

ElementRule reference_of(const AdadeltaOptions& o) {
  return [=, square = 0.0, delta_square = 0.0](double w, double g, int) mutable {
    g += o.weight_decay * w;
    square = o.rho * square + (1 - o.rho) * g * g;
    const double delta = std::sqrt(delta_square + o.epsilon) / std::sqrt(square + o.epsilon) * g;
    delta_square = o.rho * delta_square + (1 - o.rho) * delta * delta;
    return w - o.learning_rate * delta;
  };
}

/// Adam's moments, as in the papers.
struct Moments {
  double first = 0;
  double second = 0;
  template <class Options>
  void add(double g, const Options& o) {
    first = o.beta1 * first + (1 - o.beta1) * g;
    second = o.beta2 * second + (1 - o.beta2) * g * g;
  }
};

template <class Options>
ElementRule adam_reference(const Options& o, bool decoupled) {
  return [=, m = Moments(), largest = 0.0](double w, double g, int t) mutable {
    if (decoupled) {
      w *= 1 - o.learning_rate * o.weight_decay;
    } else {
      g += o.weight_decay * w;
    }
    m.add(g, o);
    largest = std::max(largest, m.second);
    const double m_hat = m.first / (1 - std::pow(o.beta1, t));
    const double v_hat = (o.amsgrad ? largest : m.second) / (1 - std::pow(o.beta2, t));
    return w - o.learning_rate * m_hat / (std::sqrt(v_hat) + o.epsilon);
  };
}
ElementRule reference_of(const AdamOptions& o) { return adam_reference(o, false); }
ElementRule reference_of(const AdamWOptions& o) { return adam_reference(o, true); }

ElementRule reference_of(const AdamaxOptions& o) {
  return [=, m = 0.0, u = 0.0](double w, double g, int t) mutable {
    g += o.weight_decay * w;
    m = o.beta1 * m + (1 - o.beta1) * g;
    u = std::max(o.beta2 * u, std::abs(g) + o.epsilon);
    return w - o.learning_rate / (1 - std::pow(o.beta1, t)) * m / u;
  };
}

ElementRule reference_of(const NAdamOptions& o) {
  return [=, m = Moments()](double w, double g, int t) mutable {
    if (o.decoupled_weight_decay) {
      w *= 1 - o.learning_rate * o.weight_decay;
    } else {
      g += o.weight_decay * w;
    }
    m.add(g, o);
    const auto mu = [&](int s) {
      return o.beta1 * (1 - 0.5 * std::pow(0.96, s * o.momentum_decay));
    };
    double product = 1;
    for (int s = 1; s <= t; ++s) {
      product *= mu(s);
    }
    const double m_hat =
        mu(t + 1) * m.first / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product);
    const double v_hat = m.second / (1 - std::pow(o.beta2, t));
    return w - o.learning_rate * m_hat / (std::sqrt(v_hat) + o.epsilon);
  };
}

ElementRule reference_of(const RAdamOptions& o) {
  return [=, m = Moments()](double w, double g, int t) mutable {
    if (o.decoupled_weight_decay) {
      w *= 1 - o.learning_rate * o.weight_decay;
    } else {
      g += o.weight_decay * w;
    }
    m.add(g, o);
    const double m_hat = m.first / (1 - std::pow(o.beta1, t));
    const double power = std::pow(o.beta2, t);
    const double rho_inf = 2 / (1 - o.beta2) - 1;
    const double rho = rho_inf - 2 * t * power / (1 - power);
    if (rho <= 5) {
      return w - o.learning_rate * m_hat;
    }
    const double l = std::sqrt(1 - power) / (std::sqrt(m.second) + o.epsilon);
    const double r =
        std::sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho));
    return w - o.learning_rate * m_hat * r * l;
  };
}

ElementRule reference_of(const AdaBeliefOptions& o) {
  return [=, mean = 0.0, deviation = 0.0](double w, double g, int t) mutable {
    if (o.decoupled_weight_decay) {
      w *= 1 - o.learning_rate * o.weight_decay;
    } else {
      g += o.weight_decay * w;
    }
    mean = o.beta1 * mean + (1 - o.beta1) * g;
    deviation = o.beta2 * deviation + (1 - o.beta2) * (g - mean) * (g - mean) + o.epsilon;
    const double mean_hat = mean / (1 - std::pow(o.beta1, t));
    const double deviation_hat = deviation / (1 - std::pow(o.beta2, t));
    return w - o.learning_rate * mean_hat / (std::sqrt(deviation_hat) + o.epsilon);
  };
}

double norm(const std::vector<double>& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

Reference lamb_reference(const LambOptions& o) {
  return [=, moments = std::vector<Moments>()](std::vector<double>& w, const std::vector<double>& g,
                                               int t) mutable {
    moments.resize(w.size());
    std::vector<double> u(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      moments[i].add(g[i], o);
      const double m_hat = moments[i].first / (1 - std::pow(o.beta1, t));
      const double v_hat = moments[i].second / (1 - std::pow(o.beta2, t));
      u[i] = m_hat / (std::sqrt(v_hat) + o.epsilon) + o.weight_decay * w[i];
    }
    const double ratio = norm(w) > 0 && norm(u) > 0 ? norm(w) / norm(u) : 1;
    for (std::size_t i = 0; i < w.size(); ++i) {
      w[i] -= o.learning_rate * ratio * u[i];
    }
  };
}

/// The weights only; the averages have their own test.
ElementRule reference_of(const AsgdOptions& o) {
  return [=, eta = o.learning_rate](double w, double g, int t) mutable {
    g += o.weight_decay * w;
    w = w * (1 - o.lambda * eta) - eta * g;
    eta = o.learning_rate / std::pow(1 + o.lambda * o.learning_rate * t, o.alpha);
    return w;
  };
}

template <class Optimizer, class Options>
OptimizerRow row(const char* name, const Options& options, std::vector<std::string> state,
                 std::function<Reference()> reference) {
  return {name,
          [=](const ParameterList& list, const Changes& changes) {
            Options changed = options;
            changed.learning_rate *= changes.learning_rate_factor;
            changed.weight_decay = changes.weight_decay.value_or(options.weight_decay);
            return std::make_unique<Optimizer>(list, changed);
          },
          std::move(reference), std::move(state)};
}

template <class Optimizer, class Options>
OptimizerRow row(const char* name, const Options& options, std::vector<std::string> state) {
  return row<Optimizer>(name, options, std::move(state), elementwise(reference_of(options)));
}

OptimizerRow without_squares(OptimizerRow row) {
  row.squares = false;
  return row;
}

std::vector<OptimizerRow> make_table() {
  const std::vector<std::string> adam{"first_moment", "second_moment", "updates"};
  const std::vector<std::string> amsgrad{"first_moment", "second_moment", "largest_second_moment",
                                         "updates"};
  const std::vector<std::string> nadam{"first_moment", "second_moment", "momentum_product",
                                       "updates"};
  const std::vector<std::string> adabelief{"first_moment", "deviation", "updates"};
  const std::vector<std::string> adadelta{"mean_square", "mean_square_step"};
  const std::vector<std::string> adamax{"first_moment", "largest", "updates"};
  const std::vector<std::string> asgd{"average", "updates"};
  const auto lamb = [&](const LambOptions& o) {
    return row<Lamb>("lamb", o, adam, [=] { return lamb_reference(o); });
  };
  std::vector<OptimizerRow> rows;
  const auto add = [&](OptimizerRow row) { rows.push_back(std::move(row)); };

  for (const SgdOptions& o :
       {SgdOptions{}, SgdOptions{.learning_rate = 0.3, .weight_decay = 0.1}}) {
    add(without_squares(row<Sgd>("sgd", o, {})));
  }
  for (const SgdOptions& o :
       {SgdOptions{.learning_rate = 0.05, .momentum = 0.9},
        SgdOptions{
            .learning_rate = 0.05, .momentum = 0.8, .nesterov = true, .weight_decay = 0.1}}) {
    add(without_squares(row<Sgd>("sgd", o, {"velocity"})));
  }

  add(row<RmsProp>("rmsprop", RmsPropOptions{}, {"mean_square"}));
  add(row<RmsProp>("rmsprop", RmsPropOptions{.momentum = 0.5}, {"mean_square", "velocity"}));
  add(row<RmsProp>("rmsprop", RmsPropOptions{.alpha = 0.9, .epsilon = 1e-3, .centered = true},
                   {"mean_square", "mean_gradient"}));
  RmsPropOptions full{.alpha = 0.9, .epsilon = 0.1, .momentum = 0.5, .centered = true};
  full.weight_decay = 0.1;
  add(row<RmsProp>("rmsprop", full, {"mean_square", "mean_gradient", "velocity"}));

  for (AdagradOptions o :
       {AdagradOptions{}, AdagradOptions{.learning_rate = 0.5, .initial_sum = 0.1},
        AdagradOptions{.learning_rate = 0.1, .learning_rate_decay = 0.2}}) {
    o.weight_decay = o.learning_rate_decay / 2;
    add(row<Adagrad>("adagrad", o, {"sum_of_squares", "updates"}));
  }
  for (const double decay : {0.0, 0.1}) {
    add(row<Adadelta>("adadelta", AdadeltaOptions{.weight_decay = decay}, adadelta));
    add(row<AdaBelief>("adabelief", AdaBeliefOptions{.weight_decay = decay}, adabelief));
    add(row<Adam>("adam", AdamOptions{.weight_decay = decay}, adam));
    add(row<AdamW>("adamw", AdamWOptions{.weight_decay = decay}, adam));
    add(without_squares(row<Adamax>("adamax", AdamaxOptions{.weight_decay = decay}, adamax)));
    add(row<NAdam>("nadam", NAdamOptions{.weight_decay = decay}, nadam));
    add(row<RAdam>("radam", RAdamOptions{.weight_decay = decay}, adam));
    add(lamb({.weight_decay = decay}));
    add(without_squares(row<Asgd>("asgd", AsgdOptions{.weight_decay = decay}, asgd)));
  }
  // Fast, and with every option far from its default.
  const auto set = [](auto o) {
    o.learning_rate = 0.05;
    o.beta1 = 0.8;
    o.beta2 = 0.95;
    o.epsilon = 1e-3;
    o.weight_decay = 0.3;
    return o;
  };
  add(row<Adadelta>("adadelta", AdadeltaOptions{.learning_rate = 0.5, .rho = 0.7, .epsilon = 1e-2},
                    adadelta));
  add(row<Adam>("adam", set(AdamOptions{}), adam));
  add(row<Adam>("adam", AdamOptions{.learning_rate = 0.05, .beta1 = 0, .beta2 = 0.5}, adam));
  add(row<AdamW>("adamw", set(AdamWOptions{}), adam));
  add(row<Adam>("adam", AdamOptions{.amsgrad = true}, amsgrad));
  add(row<Adam>("adam", AdamOptions{.learning_rate = 0.05, .beta2 = 0.5, .amsgrad = true},
                amsgrad));
  add(row<AdamW>("adamw", AdamWOptions{.beta2 = 0.7, .amsgrad = true}, amsgrad));
  add(without_squares(row<Adamax>("adamax", set(AdamaxOptions{}), adamax)));
  add(row<NAdam>("nadam", set(NAdamOptions{.momentum_decay = 0.1}), nadam));
  add(row<NAdam>("nadam", set(NAdamOptions{.decoupled_weight_decay = true}), nadam));
  add(row<RAdam>("radam", set(RAdamOptions{}), adam));
  add(row<AdaBelief>("adabelief", set(AdaBeliefOptions{}), adabelief));
  add(row<AdaBelief>("adabelief", set(AdaBeliefOptions{.decoupled_weight_decay = true}),
                     adabelief));
  add(row<RAdam>("radam", set(RAdamOptions{.decoupled_weight_decay = true}), adam));
  add(lamb(set(LambOptions{})));
  add(without_squares(row<Asgd>("asgd",
                                AsgdOptions{.learning_rate = 0.1,
                                            .lambda = 0.2,
                                            .alpha = 0.6,
                                            .averaging_start = 7,
                                            .weight_decay = 0.1},
                                asgd)));
  return rows;
}

}  // namespace

const std::vector<OptimizerRow>& optimizer_table() {
  static const std::vector<OptimizerRow> table = make_table();
  return table;
}

}  // namespace rw::testing
