// Streams against steps written by hand for sizes fixed at compile time, and against calls of the
// layer.

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>

#include <rewind/autograd/kernels/denormals.hpp>
#include <rewind/autograd/kernels/simd.hpp>
#include <rewind/layers/stream.hpp>
#include <rewind/rewind.hpp>

#include "minimal_gated_unit.hpp"
#include "singles.hpp"

namespace bench {
namespace {

using rw::Tensor;
using V = rw::simd::Batch<float>;
constexpr std::size_t lanes = V::size;
constexpr std::size_t padded(std::size_t n) { return (n + lanes - 1) / lanes * lanes; }

/// One step of a network with one input and one output, whose sizes the compiler knows: gates one
/// after the other, each in whole registers, weights by rows of the input and of the state.
template <std::size_t hidden, std::size_t gates>
class ByHand {
 public:
  void set_weights(const rw::ParameterList& network, const rw::Linear& head) {
    const Tensor& w_x = network[0].parameter->value();
    const Tensor& w_h = network[1].parameter->value();
    const Tensor& bias = network[2].parameter->value();
    for (std::size_t gate = 0; gate < gates; ++gate) {
      for (std::size_t j = 0; j < hidden; ++j) {
        const std::size_t from = gate * hidden + j;
        const std::size_t to = gate * width + j;
        w_x_[to] = w_x.data<float>()[from];
        bias_[to] = bias.data<float>()[from];
        for (std::size_t i = 0; i < hidden; ++i) {
          w_h_[i * columns + to] = w_h.row<float>(static_cast<std::int64_t>(i))[from];
        }
      }
    }
    for (std::size_t j = 0; j < hidden; ++j) {
      head_[j] = head.weight.value().data<float>()[j];
    }
    head_bias_ = *head.bias.value().data<float>();
  }

 protected:
  static constexpr std::size_t width = padded(hidden);
  static constexpr std::size_t columns = gates * width;

  /// sums = bias + x w_x + h w_h, the last only in the gates from `first` on.
  void multiply(float x, float* sums) const {
    for (std::size_t j = 0; j < columns; ++j) {
      sums[j] = bias_[j] + x * w_x_[j];
    }
    for (std::size_t i = 0; i < hidden; ++i) {
      const float factor = h_[i];
      for (std::size_t j = 0; j < columns; ++j) {
        sums[j] += factor * w_h_[i * columns + j];
      }
    }
  }
  float output() const {
    float y = head_bias_;
    for (std::size_t j = 0; j < hidden; ++j) {
      y += head_[j] * h_[j];
    }
    return y;
  }

  alignas(64) std::array<float, columns> w_x_{};
  alignas(64) std::array<float, columns * hidden> w_h_{};
  alignas(64) std::array<float, columns> bias_{};
  alignas(64) std::array<float, width> head_{};
  float head_bias_ = 0;
  alignas(64) std::array<float, width> h_{};
};

template <std::size_t hidden>
class LstmByHand : public ByHand<hidden, 4> {
 public:
  float step(float x) {
    constexpr std::size_t width = ByHand<hidden, 4>::width;
    alignas(64) std::array<float, 4 * width> z;
    this->multiply(x, z.data());
    for (std::size_t j = 0; j < width; j += lanes) {
      const auto gate = [&](std::size_t g) { return V::load_aligned(z.data() + g * width + j); };
      const V c = rw::simd::sigmoid(gate(1)) * V::load_aligned(c_.data() + j) +
                  rw::simd::sigmoid(gate(0)) * rw::simd::tanh(gate(2));
      c.store_aligned(c_.data() + j);
      (rw::simd::sigmoid(gate(3)) * rw::simd::tanh(c)).store_aligned(this->h_.data() + j);
    }
    return this->output();
  }

 private:
  alignas(64) std::array<float, ByHand<hidden, 4>::width> c_{};
};

/// With the reset gate after the product: sums of candidate, reset gate and update gate, and the
/// candidate's product with the state apart.
template <std::size_t hidden>
class GruByHand : public ByHand<hidden, 3> {
 public:
  void set_state_bias(const Tensor& bias) {
    std::copy_n(bias.data<float>(), hidden, bias_h_.begin());
  }
  float step(float x) {
    constexpr std::size_t width = ByHand<hidden, 3>::width;
    constexpr std::size_t columns = 3 * width;
    alignas(64) std::array<float, columns> of_x;
    alignas(64) std::array<float, columns> of_h{};
    for (std::size_t j = 0; j < columns; ++j) {
      of_x[j] = this->bias_[j] + x * this->w_x_[j];
    }
    for (std::size_t i = 0; i < hidden; ++i) {
      const float factor = this->h_[i];
      for (std::size_t j = 0; j < columns; ++j) {
        of_h[j] += factor * this->w_h_[i * columns + j];
      }
    }
    for (std::size_t j = 0; j < width; j += lanes) {
      const auto sum = [&](std::size_t g) {
        return V::load_aligned(of_x.data() + g * width + j) +
               V::load_aligned(of_h.data() + g * width + j);
      };
      const V r = rw::simd::sigmoid(sum(0));
      const V z = rw::simd::sigmoid(sum(1));
      const V n = rw::simd::tanh(
          V::load_aligned(of_x.data() + 2 * width + j) +
          r * (V::load_aligned(of_h.data() + 2 * width + j) + V::load_aligned(bias_h_.data() + j)));
      const V h = V::load_aligned(this->h_.data() + j);
      (n + z * (h - n)).store_aligned(this->h_.data() + j);
    }
    return this->output();
  }

 private:
  alignas(64) std::array<float, ByHand<hidden, 3>::width> bias_h_{};
};

constexpr std::size_t block = 64;  // samples

/// A network of one input, a linear head, and its stream.
template <class Network>
struct Streamed {
  explicit Streamed(std::int64_t hidden, std::int64_t layers = 1)
      : rng(1),
        network({.input = 1, .hidden = hidden}, {.layers = layers}, rng),
        head({.input = hidden, .output = 1}, rng),
        stream(network, head, {.inputs = 1}),
        x(rng.normal({block, 1, 1}).to_vector<float>()),
        y(block) {}

  rw::Rng rng;
  Network network;
  rw::Linear head;
  rw::Stream stream;
  std::vector<float> x;
  std::vector<float> y;

  Entry entry(const char* name = "stream") {
    return {name, 1, [this] {
              for (std::size_t i = 0; i < block; ++i) {
                stream.step(std::span<const float>(&x[i], 1), std::span<float>(&y[i], 1));
              }
            }};
  }
  /// A call of the layer for each step.
  Entry layer_call() {
    auto state = std::make_shared<typename Network::State>(network.initial_state(1));
    const Tensor in = rw::zeros({1, 1, 1});
    return {"layer", 1, [this, state, in] {
              for (std::size_t i = 0; i < block; ++i) {
                *Tensor(in).mutable_data<float>() = x[i];
                auto [out, next] = network(in, *state);
                y[i] = *head(out).template data<float>();
                *state = std::move(next);
              }
            }};
  }
};

double nanoseconds(const Timing& timing) {
  return 1e9 * timing.median() / static_cast<double>(block);
}

template <class Network, class Rival>
void expect_same(Streamed<Network>& ours, Rival& rival) {
  ours.stream.reset();
  ours.stream.process(ours.x, std::span(ours.y));
  for (std::size_t i = 0; i < block; ++i) {
    if (!(std::abs(rival.step(ours.x[i]) - ours.y[i]) <= 1e-5F)) {
      throw std::runtime_error("bench: a step written by hand computes something else");
    }
  }
}

template <class Network, class Rival>
void compare_step(const SingleRun& run, const char* kind, std::int64_t hidden,
                  Streamed<Network>& ours, Rival& rival) {
  expect_same(ours, rival);
  const Entry by_hand{"by hand", 1, [&] {
                        for (std::size_t i = 0; i < block; ++i) {
                          ours.y[i] = rival.step(ours.x[i]);
                        }
                      }};
  // As in the thread of an audio host, so that none pays for changing the mode.
  const rw::DenormalsOff off;
  const auto timings = measure({ours.entry(), by_hand, ours.layer_call()}, run.effort);
  run.report({fmt::format("stream step, {} {}", kind, hidden),
              times_as_fast(timings[1], timings[0]),
              fmt::format("x by hand ({:.0f} ns; {:.0f} ns)", nanoseconds(timings[0]),
                          nanoseconds(timings[1]))});
  run.report({fmt::format("stream step against a layer call, {} {}", kind, hidden),
              times_as_fast(timings[0], timings[2]),
              fmt::format("times as fast ({:.0f} ns)", nanoseconds(timings[2]))});
}

template <std::size_t hidden>
void measure_size(const SingleRun& run) {
  if (run.wanted(fmt::format("stream step, lstm {}", hidden))) {
    Streamed<rw::LSTM> ours(hidden);
    auto rival = std::make_unique<LstmByHand<hidden>>();
    rival->set_weights(rw::parameters(ours.network), ours.head);
    compare_step(run, "lstm", hidden, ours, *rival);
  }
  if (run.wanted(fmt::format("stream step, gru {}", hidden))) {
    Streamed<rw::GRU> ours(hidden);
    auto rival = std::make_unique<GruByHand<hidden>>();
    const auto weights = rw::parameters(ours.network);
    rival->set_weights(weights, ours.head);
    rival->set_state_bias(weights[3].parameter->value());
    compare_step(run, "gru", hidden, ours, *rival);
  }
}

/// Multiply-adds of a step with one input.
double work_of_lstm(std::int64_t hidden) {
  return 4.0 * static_cast<double>(hidden * (hidden + 1));
}
double work_of_custom(std::int64_t hidden) {
  return 2.0 * static_cast<double>(hidden * (hidden + 1));
}

void measure_custom(const SingleRun& run) {
  using Custom = rw::RecurrentNetwork<MinimalGatedUnit>;
  for (const std::int64_t hidden : {8, 16, 32, 64}) {
    const std::string name =
        fmt::format("stream step of the custom cell per multiply-add, lstm {}", hidden);
    if (run.wanted(name)) {
      Streamed<Custom> custom(hidden);
      Streamed<rw::LSTM> lstm(hidden);
      const auto timings = measure({custom.entry(), lstm.entry()}, run.effort);
      run.report(
          {name,
           times_as_fast(timings[0], timings[1]) * work_of_custom(hidden) / work_of_lstm(hidden),
           fmt::format("x lstm ({:.0f} ns)", nanoseconds(timings[0]))});
    }
  }
}

/// A stack against its parts: each layer alone, and the head.
void measure_stack(const SingleRun& run) {
  constexpr std::int64_t hidden = 32;
  const std::string name = "stream step of two layers of lstm 32 and a head, against their sum";
  if (!run.wanted(name)) {
    return;
  }
  rw::Rng rng(1);
  const rw::LSTM first({.input = 1, .hidden = hidden}, rng);
  const rw::LSTM second({.input = hidden, .hidden = hidden}, rng);
  const rw::Stacked<rw::LSTM, rw::LSTM> both(first, second);
  const rw::Linear head({.input = hidden, .output = 1}, rng);
  rw::Stream whole(both, head, {.inputs = 1});
  rw::Stream one(first, {.inputs = 1});
  rw::Stream two(second, head, {.inputs = hidden});
  const std::vector<float> x(block, 0.5F);
  const std::vector<float> h(block * hidden, 0.1F);
  std::vector<float> y(block * hidden);
  const auto stepped = [&](const char* entry, rw::Stream& stream, const std::vector<float>& in) {
    return Entry{entry, 1, [&] {
                   stream.process(
                       in, std::span(y).first(block * static_cast<std::size_t>(stream.outputs())));
                 }};
  };
  const auto timings =
      measure({stepped("whole", whole, x), stepped("first", one, x), stepped("second", two, h)},
              run.effort);
  run.report({name, timings[0].median() / (timings[1].median() + timings[2].median()),
              fmt::format("x their sum ({:.0f} ns)", nanoseconds(timings[0]))});
}

}  // namespace

void measure_streams(const SingleRun& run) {
  measure_size<8>(run);
  measure_size<16>(run);
  measure_size<20>(run);
  measure_size<32>(run);
  measure_size<40>(run);
  measure_size<64>(run);
  measure_size<128>(run);
  measure_size<256>(run);
  measure_custom(run);
  measure_stack(run);
}

}  // namespace bench
