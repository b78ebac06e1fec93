// The number of threads that work may use, and what happens to it in a child of fork().

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/kernels/parallel.hpp>
#include <rewind/autograd/kernels/threads.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/error.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/optim/adam.hpp>

#include "support/counted_allocations.hpp"
#include "support/messages.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

/// The number of parts of a task that is shared among all threads.
int parts() {
  std::atomic<int> count{0};
  rw::detail::run_in_parts(1000, 1, threads(), [&](std::int64_t, std::int64_t) { ++count; });
  return count;
}

/// Whether `work` returns true in a child of this process, within 20 seconds.
bool child_succeeds(const std::function<bool()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // ends a child that would wait forever
    _exit(work() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  BOOST_TEST_MESSAGE("the child ended with status " << status);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

Tensor large_product() {
  const Tensor x = full({512, 512}, 0.5);
  return matmul(x, x);
}

double loss_after_training() {
  Rng rng(1);
  LSTM lstm({.input = 64, .hidden = 128}, rng);
  Adam optimizer(parameters(lstm), {});
  const Tensor x = rng.normal({10, 32, 64}, 0, 1);
  double last = 0;
  for (int step = 0; step < 3; ++step) {
    Tape tape;
    const Tensor loss = mean(square(lstm(x).first));
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    last = loss.item();
  }
  return last;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_number_is_set_for_the_calling_thread) {
  const int before = threads();
  set_threads(3);
  BOOST_TEST(threads() == 3);
  BOOST_TEST(parts() == 3);
  int elsewhere = 0;
  std::thread([&] {
    set_threads(5);
    elsewhere = threads();
  }).join();
  BOOST_TEST(elsewhere == 5);
  BOOST_TEST(threads() == 3);
  set_threads(before);
}

BOOST_AUTO_TEST_CASE(a_limit_holds_for_its_scope) {
  const int before = threads();
  {
    const ThreadLimit two(2);
    BOOST_TEST(threads() == 2);
    {
      const ThreadLimit one(1);
      BOOST_TEST(threads() == 1);
      BOOST_TEST(parts() == 1);
    }
    BOOST_TEST(threads() == 2);
  }
  BOOST_TEST(threads() == before);
}

BOOST_AUTO_TEST_CASE(inside_a_shared_task_there_is_one_thread) {
  std::atomic<int> most{0};
  rw::detail::run_in_parts(
      2, 1, 2, [&](std::int64_t, std::int64_t) { most = std::max(most.load(), threads()); });
  BOOST_TEST(most == 1);
}

BOOST_AUTO_TEST_CASE(less_than_one_thread_is_refused) {
  const int before = threads();
  for (const int n : {0, -1}) {
    BOOST_CHECK_EXCEPTION(set_threads(n), UsageError, [&](const UsageError& error) {
      return contains(error.what(),
                      fmt::format("set_threads: got {} threads, expected at least 1", n));
    });
    BOOST_CHECK_EXCEPTION(ThreadLimit{n}, UsageError, [&](const UsageError& error) {
      return contains(error.what(),
                      fmt::format("ThreadLimit: got {} threads, expected at least 1", n));
    });
  }
  BOOST_TEST(threads() == before);
}

BOOST_AUTO_TEST_CASE(a_child_computes_what_its_parent_does) {
  const ThreadLimit two(2);
  const float expected = large_product().to_vector<float>()[7];  // wakes a second thread
  const double loss = loss_after_training();
  BOOST_TEST(child_succeeds([&] { return large_product().to_vector<float>()[7] == expected; }));
  BOOST_TEST(child_succeeds(
      [&] { return threads() == 1 && std::abs(loss_after_training() - loss) < 1e-5 * loss; }));
  // The parent continues with its threads.
  BOOST_TEST(threads() == 2);
  BOOST_TEST(large_product().to_vector<float>()[7] == expected);
}

BOOST_AUTO_TEST_CASE(a_child_may_ask_for_threads_start_its_own_and_fork_again) {
  const ThreadLimit two(2);
  const float expected = large_product().to_vector<float>()[7];
  const auto computes = [&] { return large_product().to_vector<float>()[7] == expected; };
  BOOST_TEST(child_succeeds([&] {
    set_threads(2);
    const ThreadLimit more(4);
    bool elsewhere = false;
    std::thread([&] { elsewhere = computes(); }).join();
    return threads() == 1 && computes() && elsewhere && child_succeeds(computes);
  }));
}

BOOST_AUTO_TEST_CASE(a_batch_of_one_takes_nothing_from_the_heap_with_two_threads) {
  for (const std::int64_t hidden : {64, 256, 512}) {
    const ThreadLimit two(2);
    Rng rng(1);
    const LSTM lstm({.input = 64, .hidden = hidden}, rng);
    const Tensor x = rng.normal({1, 1, 64}, 0, 1);
    auto state = lstm.initial_state(1);
    std::int64_t taken = -1;
    for (int step = 0; step < 20; ++step) {
      const std::int64_t before = heap_allocations;
      state = lstm(x, std::move(state)).second;
      taken = heap_allocations - before;
    }
    BOOST_TEST(taken == 0);
  }
}

BOOST_AUTO_TEST_CASE(every_broadcast_gives_the_same_bits_on_several_threads) {
  Rng rng(7);
  // Rows and columns, with broadcast axes between them.
  for (const Shape& other : {Shape{64, 6, 256}, Shape{256}, Shape{64, 1, 256}, Shape{6, 1},
                             Shape{64, 1, 1}, Shape{1, 6, 256}}) {
    const Tensor x = rng.normal({64, 6, 256}, 0, 1);
    const Tensor y = rng.normal(other, 0, 1);
    const auto values = [&](int threads) {
      const ThreadLimit limit(threads);
      Tape tape;
      const Tensor a = tape.watch(x);
      const Tensor b = tape.watch(y);
      const Tensor z = tanh(a * exp(b)) / (1 + square(b));
      std::vector<Tensor> results = tape.gradient(sum(z * x), {a, b});
      results.push_back(z);
      std::vector<std::vector<float>> numbers;
      for (const Tensor& result : results) {
        numbers.push_back(result.to_vector<float>());
      }
      return numbers;
    };
    const auto alone = values(1);
    for (const int threads : {2, 3, 4}) {
      BOOST_TEST((values(threads) == alone), "with shape " << to_string(other));
    }
  }
}
