#include "rewind_contestant.hpp"

#include <stdexcept>

#include "minimal_gated_unit.hpp"

namespace bench {

namespace {

using rw::Tensor;

template <class Network>
Network make_network(Kind kind, const Sizes& sizes) {
  typename Network::Options options;
  options.input = sizes.input;
  options.hidden = sizes.hidden;
  if constexpr (std::same_as<Network, rw::GRU>) {
    options.reset = kind == Kind::gru_reset_before ? rw::Reset::before : rw::Reset::after;
  }
  rw::Rng rng(1);
  return Network(options, {.layers = sizes.layers, .bidirectional = sizes.bidirectional}, rng);
}

/// Calls `body` with the network of that kind.
template <class Body>
auto with_network(Kind kind, const Sizes& sizes, Body&& body) {
  switch (kind) {
    case Kind::rnn:
      return body(make_network<rw::RNN>(kind, sizes));
    case Kind::lstm:
      return body(make_network<rw::LSTM>(kind, sizes));
    case Kind::gru:
    case Kind::gru_reset_before:
      return body(make_network<rw::GRU>(kind, sizes));
    case Kind::custom:
      return body(make_network<rw::RecurrentNetwork<MinimalGatedUnit>>(kind, sizes));
  }
  throw std::logic_error("bench: no such kind of network");
}

/// Sorts tensors of parameters by the ends of their paths; a path "<layer>/w_x" begins a new layer
/// or direction.
template <class TensorOf>
std::vector<Weights> sorted(const rw::ParameterList& list, TensorOf&& tensor_of) {
  std::vector<Weights> weights;
  for (const rw::NamedParameter& entry : list) {
    const std::string& path = entry.path;
    const auto values = [&] { return tensor_of(*entry.parameter).template to_vector<float>(); };
    if (path.ends_with("/w_x")) {
      weights.push_back({values(), {}, {}, {}});
    } else if (path.ends_with("/w_h")) {
      weights.back().w_h = values();
    } else if (path.ends_with("/bias")) {
      weights.back().bias = values();
    } else if (path.ends_with("/bias_h")) {
      weights.back().bias_h = values();
    }
  }
  return weights;
}

template <class Network>
class RewindContestant : public Contestant {
 public:
  RewindContestant(Network network, const Problem& problem, Mode mode)
      : network_(std::move(network)),
        list_(rw::parameters(network_)),
        mode_(mode),
        // A parameter, because the gradient of x is part of the work.
        x_(Tensor::from<float>({problem.sizes.steps, problem.sizes.batch, problem.sizes.input},
                               problem.x)),
        dy_(Tensor::from<float>({problem.sizes.steps, problem.sizes.batch, problem.sizes.output()},
                                problem.dy)) {}

  void run() override {
    if (mode_ == Mode::inference) {
      y_ = network_(x_).first;
      return;
    }
    rw::Tape tape;
    y_ = network_(x_).first;
    for (const rw::NamedParameter& entry : list_) {
      entry.parameter->zero_grad();
    }
    x_.zero_grad();
    tape.backward(y_, {.seed = dy_});
  }

  std::vector<float> output() const override { return y_.to_vector<float>(); }
  std::vector<float> input_gradient() const override { return x_.grad().to_vector<float>(); }
  std::vector<Weights> weight_gradients() const override {
    return sorted(list_, [](const rw::Parameter& p) { return p.grad(); });
  }

 private:
  Network network_;
  rw::ParameterList list_;
  Mode mode_;
  rw::Parameter x_;
  Tensor dy_;
  Tensor y_;
};

}  // namespace

Problem make_problem(Kind kind, const Sizes& sizes) {
  Problem problem{kind, sizes, {}, {}, {}};
  rw::Rng rng(2);
  problem.x = rng.normal({sizes.steps * sizes.batch * sizes.input}, 0, 1).to_vector<float>();
  problem.dy = rng.normal({sizes.steps * sizes.batch * sizes.output()}, 0, 1).to_vector<float>();
  if (kind != Kind::custom) {
    problem.weights = with_network(kind, sizes, [](auto network) {
      return sorted(rw::parameters(network), [](const rw::Parameter& p) { return p.value(); });
    });
  }
  return problem;
}

std::unique_ptr<Contestant> make_rewind(const Problem& problem, Mode mode) {
  return with_network(problem.kind, problem.sizes,
                      [&](auto network) -> std::unique_ptr<Contestant> {
                        return std::make_unique<RewindContestant<decltype(network)>>(
                            std::move(network), problem, mode);
                      });
}

std::int64_t peak_bytes(Contestant& contestant) {
  contestant.run();
  rw::reset_peak_memory();
  contestant.run();
  return rw::memory_statistics().peak_bytes;
}

}  // namespace bench
