#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include <rewind/autograd/capture/detail/steps.hpp>
#include <rewind/autograd/capture/plan.hpp>
#include <rewind/autograd/kernels/threads.hpp>
#include <rewind/autograd/tape/capture_log.hpp>
#include <rewind/autograd/tape/tape.hpp>

namespace rw {

using detail::Block;
using detail::Launch;

struct Plan::Body {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  detail::CaptureLog log;
  detail::CaptureMemory memory;
  detail::Steps steps;

  static void run(const Body* body) {
    for (const Launch& launch : body->steps.launches) {
      launch.run();
    }
  }
  /// For work that might be worth several threads.
  static void run_on_one_thread(const Body* body) {
    const ThreadLimit one(1);
    run(body);
  }
  [[noreturn]] static void fail_moved(const Body*) {
    throw UsageError("Plan: it is empty, because it was moved from");
  }
  bool may_use_threads() const {
    constexpr std::size_t few_bytes = 4096;
    const auto is_large = [](const Block* block) {
      return detail::capacity_of(*block) > few_bytes;
    };
    return std::ranges::any_of(memory.blocks(), is_large) ||
           std::ranges::any_of(inputs,
                               [&](const Tensor& input) { return is_large(input.body().block); });
  }
  void refresh() const {
    for (const auto& each : steps.refreshes) {
      each();
    }
  }
  void check_replay();
};

namespace {

[[noreturn]] void fail_replay(const char* name) {
  throw UsageError(fmt::format(
      "capture: the result of '{}' does not come back in a replay: something in it was computed on "
      "the host, not by kernels; compute it outside the function, or write the operation with "
      "launch()",
      name));
}

/// The contents of memory, restored at the end of the scope.
class SavedMemory {
 public:
  explicit SavedMemory(const std::vector<Block*>& blocks) : blocks_(blocks) {
    for (Block* const block : blocks) {
      contents_.emplace_back(block->data(), block->data() + detail::capacity_of(*block));
    }
  }
  SavedMemory(const SavedMemory&) = delete;
  SavedMemory& operator=(const SavedMemory&) = delete;
  ~SavedMemory() {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      std::ranges::copy(contents_[i], blocks_[i]->data());
    }
  }

 private:
  const std::vector<Block*>& blocks_;
  std::vector<std::vector<std::byte>> contents_;
};

}  // namespace

/// Replays everything on memory that holds nothing: NaN as floating numbers and -1 as indices, then
/// 1e37 and indices far out of range, since a result may happen to be the former. Throws UsageError
/// for the first operation whose result does not come back.
void Plan::Body::check_replay() {
  const SavedMemory saved(memory.blocks());
  for (const int nothing : {0xff, 0x7e}) {
    for (Block* const block : memory.blocks()) {
      std::memset(block->data(), nothing, detail::capacity_of(*block));
    }
    const auto check_results = [&](std::size_t launches) {
      if (const char* const name = log.changed(launches)) {
        fail_replay(name);
      }
    };
    check_results(0);
    for (std::size_t i = 0; i < log.launches.size(); ++i) {
      try {
        log.launches[i].run();
      } catch (const Error&) {  // of a value that was computed on the host
        fail_replay("an operation that checks values");
      }
      check_results(i + 1);
    }
  }
}

Plan::Plan(std::unique_ptr<Body> body)
    : body_(std::move(body)),
      run_(body_->may_use_threads() ? &Body::run_on_one_thread : &Body::run) {}
Plan::Plan(Plan&& other) noexcept
    : body_(std::move(other.body_)), run_(std::exchange(other.run_, &Body::fail_moved)) {}
Plan& Plan::operator=(Plan&& other) noexcept {
  body_ = std::move(other.body_);
  run_ = std::exchange(other.run_, &Body::fail_moved);
  return *this;
}
Plan::~Plan() = default;

void Plan::refresh() {
  if (body_ == nullptr) {
    Body::fail_moved(nullptr);
  }
  body_->refresh();
}

std::size_t Plan::input_count() const { return body_ == nullptr ? 0 : body_->inputs.size(); }
std::size_t Plan::output_count() const { return body_ == nullptr ? 0 : body_->outputs.size(); }

namespace {
void check_number(const char* who, std::size_t i, std::size_t count) {
  check<UsageError>(i < count, "{}: got number {}, expected less than {}", who, i, count);
}
}  // namespace

const Tensor& Plan::input(std::size_t i) const {
  check_number("input", i, input_count());
  return body_->inputs[i];
}

const Tensor& Plan::output(std::size_t i) const {
  check_number("output", i, output_count());
  return body_->outputs[i];
}

std::size_t Plan::kernel_count() const { return body_->steps.launches.size(); }

std::size_t Plan::bytes() const {
  std::size_t bytes = 0;
  for (const Block* const block : body_->memory.blocks()) {
    bytes += detail::capacity_of(*block);
  }
  return bytes;
}

/// What is active on the thread while a capture is under way.
struct Capture::Scope {
  explicit Scope(std::vector<Tensor> inputs) {
    body->inputs = std::move(inputs);
    detail::context.capture = &body->log;
    detail::captured_launches = &body->log.launches;
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() { end(); }
  void end() {
    if (std::exchange(has_ended, true)) {
      return;
    }
    detail::captured_launches = nullptr;
    detail::context.capture = nullptr;
    body->memory.end();
  }

  std::unique_ptr<Plan::Body> body = std::make_unique<Plan::Body>();  // begins the memory
  StopRecording constants;
  bool has_ended = false;
};

Capture::Capture(const std::vector<Tensor>& inputs) {
  check<UsageError>(detail::context.capture == nullptr,
                    "capture: another capture is under way on this thread; finish it first");
  std::vector<Tensor> copies;
  for (const Tensor& input : inputs) {
    copies.push_back(detail::copy_of(input));
  }
  scope_ = std::make_unique<Scope>(std::move(copies));
}

Capture::~Capture() = default;

const Tensor& Capture::input(std::size_t i) const { return scope_->body->inputs[i]; }

Plan Capture::finish(std::vector<Tensor> outputs) {
  check<UsageError>(!scope_->has_ended, "capture: this capture has ended already");
  Plan::Body& body = *scope_->body;
  for (const Tensor& output : outputs) {
    body.log.note_result("the function", output);
  }
  scope_->end();
  body.outputs = std::move(outputs);
  body.check_replay();
  body.steps = detail::faster_steps({body.log, body.memory, body.inputs});
  body.log.forget_results();
  body.refresh();
  return Plan(std::move(scope_->body));
}

}  // namespace rw
