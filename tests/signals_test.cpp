// Signals may arrive at any moment: results stay the same to the last bit, and the heap stays
// intact.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/kernels/products.hpp>
#include <rewind/autograd/kernels/threads.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/optim/adam.hpp>

#include "common/interrupt.hpp"
#include "support/irregular_numbers.hpp"
#include "support/signal_storm.hpp"

namespace {

using namespace rw::testing;
using rw::kernels::MatrixBatch;
using rw::kernels::MatrixView;
using Size = std::int64_t;

/// op(a) of [m, k] times op(b) of [k, n], with `gap` numbers between the rows of every matrix;
/// `batch` of these.
struct Product {
  Size m, n, k;
  bool a_transposed, b_transposed;
  Size gap = 0;
  Size batch = 1;
  bool accumulate = false;

  std::vector<float> result() const {
    static const std::vector<float> numbers = irregular_numbers(Size{1} << 20);
    const auto view = [&](Size rows, Size columns, bool transposed, Size offset) {
      if (transposed) std::swap(rows, columns);
      const Size stride = columns + gap;
      return MatrixBatch<float>{{numbers.data() + offset, rows, columns, stride, transposed},
                                rows * stride};
    };
    const Size c_stride = n + gap;
    std::vector<float> c(static_cast<std::size_t>(batch * m * c_stride), 1.0f);
    rw::kernels::multiply_batched<float>(view(m, k, a_transposed, 0), view(k, n, b_transposed, 16),
                                         batch, c.data(), c_stride, m * c_stride, accumulate);
    return c;
  }
};

/// Sums below and above the lengths at which oneDNN's kernels use the heap; one and several rows or
/// columns; products of every order of magnitude.
const std::vector<Product>& products() {
  static const std::vector<Product> all = [] {
    std::vector<Product> list;
    const std::vector<std::array<Size, 3>> sizes = {
        {16, 16, 84},   {16, 16, 85},    {16, 16, 100},   {1, 512, 128},   {512, 1, 128},
        {3, 40, 100},   {15, 33, 260},   {32, 128, 512},  {20, 200, 300},  {5, 16, 1000},
        {64, 500, 256}, {130, 130, 500}, {17, 10, 2000},  {100, 28, 384},  {33, 65, 1024},
        {8, 256, 253},  {256, 512, 300}, {300, 128, 900}, {128, 300, 1100}};
    for (const auto& [m, n, k] : sizes) {
      for (int flags = 0; flags < 4; ++flags) {
        for (const Size gap : {0, 16}) {
          list.push_back({m, n, k, (flags & 1) != 0, (flags & 2) != 0, gap, 1, flags == 1});
        }
      }
    }
    for (int flags = 0; flags < 4; ++flags) {
      for (const Size gap : {0, 16}) {
        list.push_back({16, 16, 100, (flags & 1) != 0, (flags & 2) != 0, gap, 12});
        list.push_back({10, 24, 260, (flags & 1) != 0, (flags & 2) != 0, gap, 6, true});
      }
    }
    return list;
  }();
  return all;
}

template <class T>
using Results = std::vector<std::vector<T>>;

Results<float> all_products() {
  Results<float> results;
  for (const Product& product : products()) results.push_back(product.result());
  return results;
}

/// Calls `compute` until it has been interrupted often, and returns whether the result was always
/// `expected`.
template <class Compute, class Result>
bool always_gives(const Result& expected, const Compute& compute) {
  using Clock = std::chrono::steady_clock;
  bool same = true;
  const auto end = Clock::now() + std::chrono::milliseconds(300);
  do {
    same &= compute() == expected;
  } while (Clock::now() < end);
  return same;
}

/// The weights after some steps of training on random sequences.
template <class Network>
Results<float> trained_weights() {
  rw::Rng rng(1);
  Network network({.input = 20, .hidden = 100}, {.layers = 2}, rng);
  rw::Linear head({.input = 100, .output = 3}, rng);
  rw::ParameterList list = rw::parameters(network);
  for (const auto& parameter : rw::parameters(head)) list.push_back(parameter);
  rw::Adam optimizer(list, {});
  const rw::Tensor x = rng.normal({6, 16, 20}, 0, 1);
  const rw::Tensor y = rng.normal({6, 16, 3}, 0, 1);
  for (int step = 0; step < 2; ++step) {
    rw::Tape tape;
    const rw::Tensor loss = rw::mse(head(network(x).first), y);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
  }
  Results<float> weights;
  for (const auto& parameter : list) {
    weights.push_back(parameter.parameter->value().template to_vector<float>());
  }
  return weights;
}

template <class Compute>
void check_under_signals(const Compute& compute) {
  for (const int threads : {1, 2}) {
    const rw::ThreadLimit limit(threads);
    const auto expected = compute();
    for (const bool sheltered : {false, true}) {
      if (sheltered && threads == 1) continue;
      const std::int64_t before = handled_signals;
      std::optional<ShelteredThread> shelter;
      if (sheltered) shelter.emplace();  // so that the other thread is interrupted
      {
        const SignalStorm storm;
        BOOST_TEST(always_gives(expected, compute));
      }
      BOOST_TEST(handled_signals - before > 100);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(products_of_every_kind) { check_under_signals(all_products); }

BOOST_AUTO_TEST_CASE(training_of_an_lstm) { check_under_signals(trained_weights<rw::LSTM>); }

BOOST_AUTO_TEST_CASE(training_of_a_gru) { check_under_signals(trained_weights<rw::GRU>); }

BOOST_AUTO_TEST_CASE(the_handler_of_the_experiments_has_a_stack_of_its_own) {
  struct sigaction before = {};
  sigaction(SIGINT, nullptr, &before);
  examples::stop_training_on_interrupt();
  struct sigaction now = {};
  sigaction(SIGINT, nullptr, &now);
  BOOST_TEST((now.sa_flags & SA_ONSTACK) != 0);
  stack_t stack = {};
  BOOST_TEST(sigaltstack(nullptr, &stack) == 0);
  BOOST_TEST((stack.ss_flags & SS_DISABLE) == 0);
  BOOST_TEST(!examples::interrupted());
  std::raise(SIGINT);
  BOOST_TEST(examples::interrupted());
  sigaction(SIGINT, &before, nullptr);
}
