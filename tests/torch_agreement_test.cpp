// RNN, LSTM and GRU against LibTorch in hundreds of random configurations: stacked, bidirectional,
// projected, with and without biases. From the same weights, inputs and initial states, both must
// give the same outputs, final states and gradients: in float32 to 1e-5 of the largest number of a
// kind (outputs, gradients of inputs, gradients of weights), in float64 to 1e-10. If LibTorch is
// missing, prints that the test is skipped.
#include <array>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/projected_lstm.hpp>
#include <rewind/layers/rnn.hpp>

#include "peers/torch_peer.hpp"
#include "support/numbers.hpp"
#include "support/recurrent_draw.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr int configurations = 240;

using Numbers = std::vector<double>;

Numbers turned(const Tensor& matrix) { return numbers(transpose(matrix, 0, 1)); }

/// Rewind's weights in LibTorch's layout. LibTorch's matrices are transposed. Its second bias is
/// zero except for the part of a GRU's that the reset gate multiplies. The parameters of a cell are
/// in the order w_x, w_h, (w_r,) (bias, (bias_h)).
std::vector<Numbers> in_torch_layout(const std::vector<NamedTensor>& ours) {
  std::vector<Numbers> theirs;
  for (std::size_t i = 0; i < ours.size();) {
    theirs.push_back(turned(ours[i++].value));
    const Tensor& w_h = ours[i++].value;
    theirs.push_back(turned(w_h));
    Numbers projection;
    if (i < ours.size() && ours[i].name.ends_with("w_r")) {
      projection = turned(ours[i++].value);
    }
    if (i < ours.size() && ours[i].name.ends_with("bias")) {
      theirs.push_back(numbers(ours[i++].value));
      Numbers second(theirs.back().size(), 0.0);
      if (i < ours.size() && ours[i].name.ends_with("bias_h")) {
        const Numbers values = numbers(ours[i++].value);
        std::copy(values.begin(), values.end(),
                  second.end() - static_cast<std::ptrdiff_t>(values.size()));
      }
      theirs.push_back(second);
    }
    if (!projection.empty()) {
      theirs.push_back(projection);
    }
  }
  return theirs;
}

/// Every `stride`th of `tensors`, joined: with stride 2 the h of all layers, or the c if `first` is
/// 1.
Numbers joined(const std::vector<Tensor>& tensors, std::size_t first, std::size_t stride) {
  Numbers all;
  for (std::size_t i = first; i < tensors.size(); i += stride) {
    const Numbers values = numbers(tensors[i]);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

std::vector<Tensor> values_of(const std::vector<NamedTensor>& group) {
  std::vector<Tensor> values;
  for (std::size_t i = 1; i < group.size(); ++i) {  // the first is y, or the gradient of x
    values.push_back(group[i].value);
  }
  return values;
}

double largest(const std::vector<Numbers>& group) {
  double result = 0;
  for (const Numbers& each : group) {
    for (const double value : each) {
      result = std::max(result, std::abs(value));
    }
  }
  return result;
}

/// Checks differences relative to the largest number of the group, and updates the worst so far.
void compare(const char* what, const std::vector<Numbers>& ours, const std::vector<Numbers>& theirs,
             double tolerance, double& worst) {
  const double scale = largest(theirs);
  BOOST_REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    BOOST_REQUIRE(ours[i].size() == theirs[i].size());
    for (std::size_t k = 0; k < ours[i].size(); ++k) {
      const double apart = std::abs(ours[i][k] - theirs[i][k]);
      const double error = apart == 0 ? 0 : apart / scale;
      BOOST_TEST(error <= tolerance, what << " " << i << "[" << k << "]: " << ours[i][k]
                                          << ", LibTorch " << theirs[i][k]);
      worst = std::max(worst, error);
    }
  }
}

/// A GRU's gradient of the second bias is compared only in the part that Rewind has.
void leave_out_what_we_lack(std::vector<Numbers>& theirs, const std::vector<Numbers>& ours,
                            const TorchProblem& problem) {
  if (!problem.bias) {
    return;
  }
  const std::size_t each = problem.projection > 0 ? 5 : 4;
  const auto hidden = static_cast<std::ptrdiff_t>(problem.hidden);
  for (std::size_t i = 3; i < theirs.size(); i += each) {
    const bool has_part = problem.kind == TorchKind::gru;
    std::fill(theirs[i].begin(), theirs[i].end() - (has_part ? hidden : 0), 0.0);
  }
  BOOST_REQUIRE(ours.size() == theirs.size());
}

template <class Net>
void check(TorchKind kind, const Configuration& c, typename Net::Options options, Rng& rng,
           std::array<double, 2>& worst) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    options.dtype = dtype;
    Net net(options, network_options(c), rng);
    shake_vectors(net, rng);
    RunData data = draw_data(net, c, rng, dtype);

    TorchProblem problem;
    problem.kind = kind;
    problem.steps = c.steps;
    problem.batch = c.batch;
    problem.input = c.input;
    problem.hidden = c.hidden;
    problem.layers = c.layers;
    problem.bidirectional = c.bidirectional;
    problem.bias = c.bias;
    problem.float64 = dtype == DType::float64;
    if constexpr (requires { options.projection; }) {
      problem.projection = options.projection;
    }
    std::vector<NamedTensor> weights;
    for (const NamedParameter& entry : parameters(net)) {
      weights.push_back({entry.path, entry.parameter->value()});
    }
    const std::size_t stride = kind == TorchKind::lstm ? 2 : 1;
    problem.weights = in_torch_layout(weights);
    problem.x = numbers(data.x.steps);
    problem.dy = numbers(data.dy);
    problem.h0 = joined(data.state, 0, stride);
    problem.dh = joined(data.dstate, 0, stride);
    if (stride == 2) {
      problem.c0 = joined(data.state, 1, 2);
      problem.dc = joined(data.dstate, 1, 2);
    }
    TorchResult theirs = run_torch(problem);
    const RunResult ours = run(net, data);

    const auto states = values_of(ours.outputs);
    const auto state_gradients = values_of(ours.input_gradients);
    const auto both = [&](const Tensor& first, const std::vector<Tensor>& rest) {
      std::vector<Numbers> group{numbers(first), joined(rest, 0, stride)};
      group.push_back(stride == 2 ? joined(rest, 1, 2) : Numbers());
      return group;
    };
    const double tolerance = problem.float64 ? 1e-10 : 1e-5;
    double& far = worst[problem.float64 ? 1 : 0];
    compare("output", both(ours.outputs[0].value, states), {theirs.y, theirs.h, theirs.c},
            tolerance, far);
    compare("gradient of input", both(ours.input_gradients[0].value, state_gradients),
            {theirs.dx, theirs.dh0, theirs.dc0}, tolerance, far);
    const std::vector<Numbers> gradients = in_torch_layout(ours.parameter_gradients);
    leave_out_what_we_lack(theirs.dweights, gradients, problem);
    compare("gradient of weight", gradients, theirs.dweights, tolerance, far);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(recurrent_networks_agree_with_libtorch) {
  if (torch_version().empty()) {
    fmt::print("skipped: LibTorch is missing (libtorch-dev)\n");
    return;
  }
  Rng rng(7);
  std::array<double, 2> worst{};
  for (int i = 0; i < configurations; ++i) {
    Configuration c = draw_configuration(rng);
    c.given_state = true;
    BOOST_TEST_CONTEXT("configuration " << i << ", kind " << i % 5 << ": " << c.text()) {
      switch (i % 5) {
        case 0:
          check<RNN>(TorchKind::rnn_tanh, c, options_of<RnnOptions>(c, DType::float32), rng, worst);
          break;
        case 1: {
          auto options = options_of<RnnOptions>(c, DType::float32);
          options.activation = Activation::relu;
          check<RNN>(TorchKind::rnn_relu, c, options, rng, worst);
          break;
        }
        case 2:
          check<LSTM>(TorchKind::lstm, c, options_of<LstmOptions>(c, DType::float32), rng, worst);
          break;
        case 3: {
          c.hidden = std::max<std::int64_t>(c.hidden, 2);  // LibTorch projects only to fewer units
          auto options = options_of<ProjectedLstmOptions>(c, DType::float32);
          options.projection = 1 + rng.integer(c.hidden - 1);
          check<ProjectedLSTM>(TorchKind::lstm, c, options, rng, worst);
          break;
        }
        default:
          check<GRU>(TorchKind::gru, c, options_of<GruOptions>(c, DType::float32), rng, worst);
      }
    }
  }
  fmt::print(
      "LibTorch {}: {} configurations agree, to {:.1e} of the largest number in float32, {:.1e} in "
      "float64\n",
      torch_version(), configurations, worst[0], worst[1]);
}
