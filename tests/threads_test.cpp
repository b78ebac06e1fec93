// What users may do with threads: read one tensor on several, pass tensors between them, train a
// model on each, end tapes and guards in any order and on any thread. Also runs under the thread
// sanitizer.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/losses.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/anomaly.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/state_recorder.hpp>
#include <rewind/optim/adam.hpp>

#include "support/messages.hpp"

namespace rw {
namespace {

// These three are destroyed at the end of the program, after the thread's own variables.
std::vector<std::unique_ptr<Tape>> static_tapes;
Tensor static_tensor;
Tensor static_tensor_of_another_thread;

/// Some steps of training on slices of a data set that several threads share.
std::vector<float> trained(std::uint64_t seed, const Tensor& inputs, const Tensor& targets,
                           int steps) {
  Rng rng(seed);
  GRU gru({.input = 4, .hidden = 8}, rng);
  Linear head({.input = 8, .output = 3}, rng);
  Adam adam(parameters("gru", gru, "head", head));
  for (int i = 0; i < steps; ++i) {
    const std::int64_t first = i % 8;
    Tape tape;
    const Tensor y = head(gru(slice(inputs, 0, first, first + 4)).first);
    const Tensor loss = mse(y, slice(targets, 0, first, first + 4));
    adam.zero_grad();
    tape.backward(loss);
    adam.step();
  }
  return head.weight.value().to_vector<float>();
}

/// Calls `body(i)` on `count` threads at once.
template <class Body>
void on_threads(int count, const Body& body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&body, i] { body(i); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

/// A queue of tensors between threads.
class Channel {
 public:
  void put(Tensor tensor) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return items_.size() < 4; });
    items_.push_back(std::move(tensor));
    changed_.notify_all();
  }
  Tensor take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !items_.empty(); });
    Tensor first = std::move(items_.front());
    items_.pop_front();
    changed_.notify_all();
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Tensor> items_;
};

BOOST_AUTO_TEST_CASE(threads_train_on_one_data_set_as_if_alone) {
  Rng rng(1);
  const Tensor inputs = rng.uniform({16, 6, 4}, -1, 1);
  const Tensor targets = rng.uniform({16, 6, 3}, -1, 1);
  std::vector<std::vector<float>> alone;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    alone.push_back(trained(seed, inputs, targets, 60));
  }
  std::vector<std::vector<float>> together(8);
  on_threads(8, [&](int i) {
    together[static_cast<std::size_t>(i)] =
        trained(static_cast<std::uint64_t>(i), inputs, targets, 60);
  });
  BOOST_TEST((together == alone));
  BOOST_TEST(sum(inputs).item() == sum(inputs.clone()).item());
}

BOOST_AUTO_TEST_CASE(threads_infer_with_one_model) {
  Rng rng(2);
  const GRU gru({.input = 4, .hidden = 8}, {.layers = 2}, rng);
  const Tensor x = rng.uniform({10, 3, 4}, -1, 1);
  const std::vector<float> expected = gru(x).first.to_vector<float>();
  on_threads(8, [&](int) {
    for (int i = 0; i < 20; ++i) {
      if (gru(x).first.to_vector<float>() != expected) {
        throw std::runtime_error("another result");  // ends the program
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(handles_are_copied_and_dropped_on_any_thread) {
  for (int round = 0; round < 50; ++round) {
    Tensor shared = full({4, 4}, 3.0);
    std::vector<Tensor> given(8, shared);
    on_threads(8, [&](int i) {
      static_cast<void>(Tensor(std::move(given[static_cast<std::size_t>(i)])));
    });
    on_threads(8, [&](int) {
      Tensor mine = shared;
      for (int k = 0; k < 50; ++k) {
        const Tensor again = mine;
        const Tensor view = slice(again, 0, 1, 3);
        mine = view.data<float>()[0] == 3.0F ? again : Tensor();
      }
    });
    BOOST_TEST(sum(shared).item() == 48.0);
  }
}

BOOST_AUTO_TEST_CASE(products_are_in_place_again_once_other_threads_have_read) {
  Tensor shared = full({4, 4}, 3.0);
  on_threads(4, [&](int) {
    const Tensor mine = shared;
    const Tensor view = slice(mine, 0, 1, 3);
    static_cast<void>(sum(view));
  });
  const float* const memory = shared.data<float>();
  const Tensor y = addmm(std::move(shared), ones({4, 2}), ones({2, 4}));
  BOOST_TEST(y.data<float>() == memory);
  BOOST_TEST(sum(y).item() == 80.0);
}

BOOST_AUTO_TEST_CASE(what_the_owner_drops_first_lives_on_elsewhere) {
  Channel channel;
  std::thread maker([&] {
    for (int i = 0; i < 200; ++i) {
      Tensor made = full({3}, i);
      channel.put(made);                  // passes one handle on, keeps one
      channel.put(slice(made, 0, 1, 2));  // a view
    }
  });
  for (int i = 0; i < 200; ++i) {
    const Tensor whole = channel.take();
    const Tensor part = channel.take();
    BOOST_REQUIRE_EQUAL(whole.data<float>()[2], static_cast<float>(i));
    BOOST_REQUIRE_EQUAL(part.item(), i);
  }
  maker.join();
}

BOOST_AUTO_TEST_CASE(batches_of_short_lived_threads_take_bounded_memory) {
  const auto before = memory_statistics();
  for (int i = 0; i < 500; ++i) {
    const Tensor batch = std::async(std::launch::async, [] { return zeros({64, 256}); }).get();
    BOOST_REQUIRE_EQUAL(batch.elements(), 64 * 256);
  }
  const auto after = memory_statistics();
  BOOST_TEST(after.pooled_bytes <= before.pooled_bytes + (1 << 18));
  BOOST_TEST(after.live_bytes >= 0);
  std::async(std::launch::async,
             [] {  // this thread gets the pool of the earlier ones
               const auto theirs = memory_statistics();
               if (theirs.live_bytes + theirs.pooled_bytes > 1 << 20) {
                 throw std::runtime_error("memory was not given back");
               }
             })
      .get();
}

BOOST_AUTO_TEST_CASE(a_view_outlives_the_threads_that_made_it_and_what_it_shows) {
  // The last handle is released while two other threads settle what they left behind, one for the
  // other.
  for (int i = 0; i < 20; ++i) {
    Tensor whole;
    Tensor part;
    std::atomic<int> done = 0;
    std::promise<void> made;
    std::promise<void> end;
    const std::shared_future<void> may_end = end.get_future().share();
    std::thread maker([&] {
      whole = full({3}, i);
      made.set_value();
      may_end.wait();
    });
    made.get_future().wait();
    std::thread viewer([&] {
      part = slice(whole, 0, 1, 2);
      ++done;
      may_end.wait();
    });
    while (done == 0) {
      std::this_thread::yield();
    }
    end.set_value();
    maker.join();
    viewer.join();
    whole.reset();
    BOOST_REQUIRE_EQUAL(part.item(), i);
    part.reset();
  }
}

BOOST_AUTO_TEST_CASE(batches_of_a_loader_thread_take_bounded_memory) {
  Channel channel;
  MemoryStatistics loader;
  std::thread thread([&] {
    for (int i = 0; i < 500; ++i) {
      channel.put(full({64, 256}, i));
    }
    loader = memory_statistics();
  });
  for (int i = 0; i < 500; ++i) {
    const Tensor batch = channel.take();
    BOOST_REQUIRE_EQUAL(batch.data<float>()[7], static_cast<float>(i));
  }
  thread.join();
  BOOST_TEST(loader.live_bytes >= 0);
  BOOST_TEST(loader.peak_bytes < 1 << 21);  // about sixteen batches of 64 KiB each
}

BOOST_AUTO_TEST_CASE(a_tape_may_end_on_another_thread) {
  const Parameter w(ones({4, 4}));
  auto tape = std::make_unique<Tape>();
  const Tensor y = sum(square(w));
  std::thread([&] { tape.reset(); }).join();
  BOOST_TEST(Tape::active() == nullptr);
  BOOST_TEST(!(w.value() * 2.0).requires_grad());
  BOOST_TEST(y.item() == 16.0);
}

BOOST_AUTO_TEST_CASE(a_tape_may_outlive_its_thread) {
  const Parameter w(ones({2}));
  std::unique_ptr<Tape> tape;
  Tensor y;
  std::thread([&] {
    tape = std::make_unique<Tape>();
    y = sum(square(w));
  }).join();
  BOOST_TEST(Tape::active() == nullptr);
  BOOST_CHECK_EXCEPTION(tape->backward(y), UsageError, testing::says("another thread"));
  tape.reset();
  BOOST_TEST(y.item() == 2.0);
}

BOOST_AUTO_TEST_CASE(tapes_that_other_threads_end_take_bounded_memory) {
  for (int i = 0; i < 100; ++i) {
    std::unique_ptr<Tape> tape;
    std::thread([&] { tape = std::make_unique<Tape>(); }).join();
  }
}

BOOST_AUTO_TEST_CASE(guards_end_in_any_order) {
  const Parameter w(ones({4}));
  {
    auto tape = std::make_unique<Tape>();
    const StopRecording stop;
    tape.reset();
  }
  BOOST_TEST(Tape::active() == nullptr);

  auto outer = std::make_unique<Tape>();
  auto stop = std::make_unique<StopRecording>();
  const Tape inner;
  BOOST_TEST(Tape::active() == &inner);
  stop.reset();
  BOOST_TEST(Tape::active() == &inner);
  outer.reset();
  BOOST_TEST(Tape::active() == &inner);

  const Tensor bad = full({1}, -1.0);
  auto first = std::make_unique<AnomalyMode>();
  auto second = std::make_unique<AnomalyMode>();
  first.reset();
  BOOST_CHECK_THROW(log(bad * w), NonFiniteError);
  second.reset();
  BOOST_CHECK_NO_THROW(log(bad * w));

  Rng rng(3);
  const GRU gru({.input = 2, .hidden = 3}, rng);
  auto one = std::make_unique<StateRecorder>();
  auto other = std::make_unique<StateRecorder>();
  one.reset();
  static_cast<void>(gru(ones({2, 1, 2})));
  BOOST_TEST(other->runs() == 1U);
  other.reset();
  static_cast<void>(gru(ones({2, 1, 2})));
}

BOOST_AUTO_TEST_CASE(static_tensors_and_tapes_end_with_the_program) {
  for (int i = 0; i < 3; ++i) {
    static_tapes.push_back(std::make_unique<Tape>());
  }
  { const Tape inner; }
  static_tensor = slice(ones({8, 8}), 0, 2, 4);
  std::thread([] { static_tensor_of_another_thread = slice(ones({8, 8}), 0, 2, 4); }).join();
  BOOST_TEST(Tape::active() == static_tapes.back().get());
}

}  // namespace
}  // namespace rw
