#include "product_bound.hpp"

#include <algorithm>
#include <chrono>

#include "product_ways.hpp"
#include "threads.hpp"

namespace bench {

namespace {

/// One form of product, `count` times over consecutive rows of a and of c.
class Task {
 public:
  Task(const ProductForm& form, std::int64_t count, int threads)
      : form_(form),
        count_(count),
        a_(static_cast<std::size_t>(form.m * form.k * count), 0.01F),
        b_(static_cast<std::size_t>(form.k * form.n), 0.01F),
        c_(static_cast<std::size_t>(form.m * form.n * count)) {
    choose(threads);
  }

  void run() {
    set_threads(threads_);
    for (std::int64_t i = 0; i < count_; ++i) {
      way_->run(a_.data() + i * form_.m * form_.k, b_.data(), c_.data() + i * form_.m * form_.n);
    }
  }

 private:
  double seconds() {
    const auto start = std::chrono::steady_clock::now();
    run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void choose(int threads) {
    std::unique_ptr<ProductWay> best;
    int best_threads = 1;
    double best_seconds = 1e9;
    for (const int candidate : {1, threads}) {
      for (const bool packed : {false, true}) {
        set_threads(candidate);
        way_ = packed ? make_packed_matmul(form_) : make_sgemm(form_);
        threads_ = candidate;
        run();
        const double seconds_now = std::min({seconds(), seconds(), seconds()});
        if (seconds_now < best_seconds) {
          best_seconds = seconds_now;
          best_threads = candidate;
          best = std::move(way_);
        }
      }
      if (threads == 1) {
        break;
      }
    }
    way_ = std::move(best);
    threads_ = best_threads;
  }

  ProductForm form_;
  std::int64_t count_;
  int threads_ = 1;
  std::vector<float> a_, b_, c_;
  std::unique_ptr<ProductWay> way_;
};

class ProductBound : public Contestant {
 public:
  ProductBound(const Problem& problem, Mode mode, int threads) : threads_(threads) {
    const Sizes& s = problem.sizes;
    const std::int64_t rows = s.steps * s.batch, hidden = s.hidden;
    const std::int64_t all = gates_of(problem.kind) * hidden;
    // Some cells compute the product of a gated state separately.
    std::vector<std::int64_t> widths{all};
    if (problem.kind == Kind::gru_reset_before || problem.kind == Kind::custom) {
      widths = {all - hidden, hidden};
    }
    const auto add = [&](const ProductForm& form, std::int64_t count) {
      tasks_.emplace_back(form, count, threads);
    };
    for (std::int64_t layer = 0; layer < s.layers; ++layer) {
      const std::int64_t input = s.input_of(layer);
      for (std::int64_t direction = 0; direction < s.directions(); ++direction) {
        add({rows, all, input}, 1);
        for (const std::int64_t width : widths) {
          add({s.batch, width, hidden}, s.steps);
        }
        if (mode == Mode::inference) {
          continue;
        }
        for (const std::int64_t width : widths) {
          add({s.batch, hidden, width, false, true}, s.steps);
          add({hidden, width, rows, true, false}, 1);
        }
        add({input, all, rows, true, false}, 1);
        add({rows, input, all, false, true}, 1);
      }
    }
  }

  void run() override {
    for (Task& task : tasks_) {
      task.run();
    }
    set_threads(threads_);
  }

 private:
  int threads_;
  std::vector<Task> tasks_;
};

}  // namespace

std::unique_ptr<Contestant> make_product_bound(const Problem& problem, Mode mode, int threads) {
  return std::make_unique<ProductBound>(problem, mode, threads);
}

}  // namespace bench
