#pragma once
// Cells written as plain loops over the features of one sequence, in float64, using nothing of the
// library but the values of the parameters: the reference for the library's cells.

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <rewind/layers/elman.hpp>
#include <rewind/layers/gated_lstm.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/layer_norm_lstm.hpp>
#include <rewind/layers/light_gru.hpp>
#include <rewind/layers/mgu.hpp>
#include <rewind/layers/network_cell.hpp>
#include <rewind/layers/peephole_lstm.hpp>
#include <rewind/layers/projected_lstm.hpp>
#include <rewind/layers/rnn.hpp>

namespace rw::testing {

using Row = std::vector<double>;

inline double logistic(double x) { return 1 / (1 + std::exp(-x)); }

inline double naive(Activation activation, double x) {
  switch (activation) {
    case Activation::tanh:
      return std::tanh(x);
    case Activation::relu:
      return std::max(x, 0.0);
    case Activation::sigmoid:
      return logistic(x);
    case Activation::identity:
      return x;
    case Activation::hard_sigmoid:
      return std::min(std::max(x / 6 + 0.5, 0.0), 1.0);
    case Activation::hard_sigmoid_keras2:
      break;
  }
  return std::min(std::max(0.2 * x + 0.5, 0.0), 1.0);
}

inline Row values(const Parameter& p) {
  return p.defined() ? p.value().to_vector<double>() : Row{};
}

/// x W + b, without b if it is empty.
inline Row affine_row(const Row& x, const Parameter& w, const Parameter& b = {}) {
  const Row matrix = values(w);
  Row y(static_cast<std::size_t>(w.shape()[1]));
  const Row bias = values(b);
  for (std::size_t k = 0; k < y.size(); ++k) {
    y[k] = bias.empty() ? 0 : bias[k];
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[k] += x[i] * matrix[i * y.size() + k];
    }
  }
  return y;
}

inline Row plus(Row a, const Row& b) {
  for (std::size_t k = 0; k < a.size(); ++k) {
    a[k] += b[k];
  }
  return a;
}

inline Row normalised(const Row& x, double epsilon) {
  double mean = 0;
  double variance = 0;
  const auto n = static_cast<double>(x.size());
  for (const double v : x) mean += v / n;
  for (const double v : x) variance += (v - mean) * (v - mean) / n;
  Row y;
  for (const double v : x) y.push_back((v - mean) / std::sqrt(variance + epsilon));
  return y;
}

/// One step of one sequence: changes the state's rows and returns the output. `state` holds h, and
/// c if there is one.
using NaiveStep = std::function<Row(const Row& x, std::vector<Row>& state)>;

/// Makes a step from `formula(k, z, c)` -> {output gate, c'}, where z are the preactivations of
/// unit k.
inline NaiveStep naive_gated(
    const Parameter& w_x, const Parameter& w_h, const Parameter& bias,
    const std::function<std::pair<double, double>(std::size_t, const Row&, double)>& formula,
    Activation activation = Activation::tanh) {
  return [&w_x, &w_h, &bias, formula, activation](const Row& x, std::vector<Row>& state) {
    const Row z = plus(affine_row(x, w_x, bias), affine_row(state[0], w_h));
    const std::size_t hidden = state[1].size();
    Row h(hidden);
    for (std::size_t k = 0; k < hidden; ++k) {
      Row gates;
      for (std::size_t j = k; j < z.size(); j += hidden) gates.push_back(z[j]);
      const auto [open, c] = formula(k, gates, state[1][k]);
      state[1][k] = c;
      h[k] = open * naive(activation, c);
    }
    return state[0] = h;
  };
}

inline NaiveStep naive_step(const LstmCell& cell) {
  return naive_gated(
      cell.w_x, cell.w_h, cell.bias,
      [gate = cell.gate_activation, act = cell.activation](std::size_t, const Row& z, double c) {
        const double next = naive(gate, z[1]) * c + naive(gate, z[0]) * naive(act, z[2]);
        return std::pair{naive(gate, z[3]), next};
      },
      cell.activation);
}

inline NaiveStep naive_step(const NoForgetLstmCell& cell) {
  return naive_gated(cell.w_x, cell.w_h, cell.bias, [](std::size_t, const Row& z, double c) {
    return std::pair{logistic(z[2]), c + logistic(z[0]) * std::tanh(z[1])};
  });
}

inline NaiveStep naive_step(const CoupledLstmCell& cell) {
  return naive_gated(cell.w_x, cell.w_h, cell.bias, [](std::size_t, const Row& z, double c) {
    const double i = logistic(z[0]);
    return std::pair{logistic(z[2]), (1 - i) * c + i * std::tanh(z[1])};
  });
}

inline NaiveStep naive_step(const PeepholeLstmCell& cell) {
  const Row p = values(cell.peephole);
  return naive_gated(cell.w_x, cell.w_h, cell.bias, [p](std::size_t k, const Row& z, double c) {
    const std::size_t hidden = p.size() / 3;
    const double i = logistic(z[0] + p[k] * c);
    const double f = logistic(z[1] + p[hidden + k] * c);
    const double next = f * c + i * std::tanh(z[2]);
    return std::pair{logistic(z[3] + p[2 * hidden + k] * next), next};
  });
}

inline NaiveStep naive_step(const ProjectedLstmCell& cell) {
  const NaiveStep wide =
      naive_gated(cell.w_x, cell.w_h, cell.bias, [](std::size_t, const Row& z, double c) {
        return std::pair{logistic(z[3]), logistic(z[1]) * c + logistic(z[0]) * std::tanh(z[2])};
      });
  return [wide, &cell](const Row& x, std::vector<Row>& state) {
    return state[0] = affine_row(wide(x, state), cell.w_r);
  };
}

inline NaiveStep naive_step(const LayerNormLstmCell& cell) {
  return [&cell](const Row& x, std::vector<Row>& state) {
    const Row from_x = normalised(affine_row(x, cell.w_x), cell.epsilon);
    const Row from_h = normalised(affine_row(state[0], cell.w_h), cell.epsilon);
    const Row gain_x = values(cell.gain_x), gain_h = values(cell.gain_h), b = values(cell.bias);
    const std::size_t hidden = state[1].size();
    const auto z = [&](std::size_t gate, std::size_t k) {
      const std::size_t j = gate * hidden + k;
      return gain_x[j] * from_x[j] + gain_h[j] * from_h[j] + b[j];
    };
    Row& c = state[1];
    for (std::size_t k = 0; k < hidden; ++k) {
      c[k] = logistic(z(1, k)) * c[k] + logistic(z(0, k)) * std::tanh(z(2, k));
    }
    const Row flat = normalised(c, cell.epsilon);
    const Row gain_c = values(cell.gain_c), bias_c = values(cell.bias_c);
    for (std::size_t k = 0; k < hidden; ++k) {
      state[0][k] = logistic(z(3, k)) * std::tanh(gain_c[k] * flat[k] + bias_c[k]);
    }
    return state[0];
  };
}

inline NaiveStep naive_step(const RnnCell& cell) {
  return [&cell](const Row& x, std::vector<Row>& state) {
    Row h = plus(affine_row(x, cell.w_x, cell.bias), affine_row(state[0], cell.w_h));
    for (double& v : h) v = naive(cell.activation, v);
    return state[0] = h;
  };
}

inline NaiveStep naive_step(const ElmanCell& cell) {
  return [&cell](const Row& x, std::vector<Row>& state) {
    const Row both = affine_row(x, cell.w_x, cell.bias);
    const auto hidden = static_cast<std::ptrdiff_t>(state[0].size());
    Row h = plus(Row(both.begin(), both.begin() + hidden), affine_row(state[0], cell.w_h));
    for (double& v : h) v = naive(cell.activation, v);
    Row o = plus(Row(both.begin() + hidden, both.end()), affine_row(h, cell.w_o));
    for (double& v : o) v = naive(cell.output_activation, v);
    state[0] = h;
    return o;
  };
}

inline NaiveStep naive_step(const GruCell& cell) {
  return [&cell](const Row& x, std::vector<Row>& state) {
    const Row from_x = affine_row(x, cell.w_x, cell.bias);
    const Row old = state[0];
    const std::size_t hidden = old.size();
    const Row from_h = affine_row(old, cell.w_h);
    Row reset(hidden), kept(hidden), h(hidden);
    for (std::size_t k = 0; k < hidden; ++k) {
      reset[k] = naive(cell.gate_activation, from_x[k] + from_h[k]);
      kept[k] = reset[k] * old[k];
    }
    const Row from_kept = affine_row(kept, cell.w_h);
    const Row bias_h = values(cell.bias_h);
    for (std::size_t k = 0; k < hidden; ++k) {
      const double z = naive(cell.gate_activation, from_x[hidden + k] + from_h[hidden + k]);
      const std::size_t j = 2 * hidden + k;
      const double n =
          from_x[j] + (cell.reset == Reset::before
                           ? from_kept[j]
                           : reset[k] * (from_h[j] + (bias_h.empty() ? 0 : bias_h[k])));
      h[k] = (1 - z) * naive(cell.activation, n) + z * old[k];
    }
    return state[0] = h;
  };
}

inline NaiveStep naive_step(const LightGruCell& cell) {
  return [&cell](const Row& x, std::vector<Row>& state) {
    const Row sums = plus(affine_row(x, cell.w_x, cell.bias), affine_row(state[0], cell.w_h));
    Row& h = state[0];
    for (std::size_t k = 0; k < h.size(); ++k) {
      const double z = logistic(sums[k]);
      h[k] = (1 - z) * std::max(sums[h.size() + k], 0.0) + z * h[k];
    }
    return h;
  };
}

inline NaiveStep naive_step(const MguCell& cell) {
  return [&cell](const Row& x, std::vector<Row>& state) {
    const Row from_x = affine_row(x, cell.w_x, cell.bias);
    const Row from_h = affine_row(state[0], cell.u_f);
    const std::size_t hidden = from_h.size();
    Row f(hidden), kept(hidden), h(hidden);
    for (std::size_t k = 0; k < hidden; ++k) {
      f[k] = logistic(from_x[k] + from_h[k]);
      kept[k] = f[k] * state[0][k];
    }
    const Row from_kept = affine_row(kept, cell.u_n);
    for (std::size_t k = 0; k < hidden; ++k) {
      h[k] = (1 - f[k]) * state[0][k] + f[k] * std::tanh(from_x[hidden + k] + from_kept[k]);
    }
    return state[0] = h;
  };
}

inline Row through(const FullyConnected& network, Row x) {
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    for (double& v : x) v = i == 0 ? v : naive(network.activation, v);
    x = affine_row(x, network.layers[i].weight, network.layers[i].bias);
  }
  return x;
}

inline NaiveStep naive_step(const NetworkCell<ElmanGates<>>& cell) {
  return [&cell](const Row& x, std::vector<Row>& state) {
    Row h = plus(through(cell.input_network, x), through(cell.state_network, state[0]));
    for (double& v : h) v = std::tanh(v);
    return state[0] = h;
  };
}

inline NaiveStep naive_step(const NetworkCell<LstmGates>& cell) {
  return [&cell](const Row& x, std::vector<Row>& state) {
    const Row z = plus(through(cell.input_network, x), through(cell.state_network, state[0]));
    const std::size_t n = state[0].size();
    for (std::size_t k = 0; k < n; ++k) {
      double& c = state[1][k];
      c = logistic(z[n + k]) * c + logistic(z[k]) * std::tanh(z[2 * n + k]);
      state[0][k] = logistic(z[3 * n + k]) * std::tanh(c);
    }
    return state[0];
  };
}

}  // namespace rw::testing
