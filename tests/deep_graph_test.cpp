// Graphs of a million operations: built, played back and destroyed on a thread with a small stack.
// Also threads that share parameters.
#include <functional>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <pthread.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/sanitized.hpp>

using namespace rw;

namespace {

// Sanitizers need many times the memory.
constexpr int operations = rw::detail::is_sanitized ? 50'000 : 1'000'000;

void run_on_small_stack(std::function<void()> body) {
  pthread_attr_t attributes;
  BOOST_REQUIRE(pthread_attr_init(&attributes) == 0);
  BOOST_REQUIRE(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
  pthread_t thread{};
  const auto entry = [](void* argument) -> void* {
    (*static_cast<std::function<void()>*>(argument))();
    return nullptr;
  };
  BOOST_REQUIRE(pthread_create(&thread, &attributes, entry, &body) == 0);
  BOOST_REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
}

/// Gradient of the last value with respect to the first, after `operations` steps, each from the
/// two values before it.
double gradient_of_last(const std::function<Tensor(const Tensor&, const Tensor&)>& next) {
  double result = 0;
  run_on_small_stack([&] {
    Tape tape;
    const Tensor x = tape.watch(scalar(1.0, DType::float64));
    Tensor before = x;
    Tensor now = x;
    for (int i = 0; i < operations; ++i) {
      before = std::exchange(now, next(now, before));
    }
    BOOST_REQUIRE(tape.operations() == operations);
    result = tape.gradient(now, {x})[0].item();
  });
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(chain) {
  BOOST_TEST(gradient_of_last([](const Tensor& x, const Tensor&) { return x + 1e-6; }) == 1.0);
}

BOOST_AUTO_TEST_CASE(doubling) {
  // The mean of x and x has gradient 1, over 2^n paths.
  BOOST_TEST(gradient_of_last([](const Tensor& x, const Tensor&) {
               return fuse(
                   "mean", [](auto a, auto b) { return 0.5 * (a + b); }, x, x);
             }) == 1.0);
}

BOOST_AUTO_TEST_CASE(skips) {
  BOOST_TEST(gradient_of_last([](const Tensor& x, const Tensor& skipped) {
               return fuse(
                   "mean", [](auto a, auto b) { return 0.5 * (a + b); }, x, skipped);
             }) == 1.0,
             boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(a_deep_tape_dies_without_backward_and_by_an_exception) {
  run_on_small_stack([] {
    try {
      Tape tape;
      Tensor x = tape.watch(scalar(1.0));
      for (int i = 0; i < operations; ++i) {
        x = x * 1.0;
      }
      throw UsageError("left on purpose");
    } catch (const UsageError&) {
    }
  });
}

BOOST_AUTO_TEST_CASE(threads_share_parameters) {
  const Parameter w(full({8, 8}, 0.1));
  const auto train = [&](std::vector<float>& last) {
    Tensor x = full({4, 8}, 0.5);
    for (int step = 0; step < 1000; ++step) {
      Tape tape;
      const Tensor y = tanh(matmul(x, w));
      const Tensor g = tape.gradient(sum(y * y), {w})[0];
      x = y.detach() + sum(g) * 1e-3;
    }
    last = x.to_vector<float>();
  };
  std::vector<float> serial;
  train(serial);
  std::vector<std::vector<float>> results(8);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back(train, std::ref(result));
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const auto& result : results) {
    BOOST_TEST(result == serial, boost::test_tools::per_element());
  }
}
