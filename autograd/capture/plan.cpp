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

  static void run(const Body& body) {
    for (const Launch& launch : body.steps.launches) {
      launch.run();
    }
  }
  /// For work that might be worth several threads.
  static void run_on_one_thread(const Body& body) {
    const ThreadLimit one(1);
    run(body);
  }
  bool may_use_threads() const {
    constexpr std::size_t few_bytes = 4096;
    return std::ranges::any_of(memory.blocks(), [](const Block* block) {
      return detail::capacity_of(*block) > few_bytes;
    });
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

/// Replays everything on memory that holds nothing: NaN as floating numbers, -1 as indices. Throws
/// UsageError for the first operation whose result does not come back.
void Plan::Body::check_replay() {
  const SavedMemory saved(memory.blocks());
  for (Block* const block : memory.blocks()) {
    std::memset(block->data(), 0xff, detail::capacity_of(*block));
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

Plan::Plan(std::unique_ptr<Body> body)
    : body_(std::move(body)),
      run_(body_->may_use_threads() ? &Body::run_on_one_thread : &Body::run) {}
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;
Plan::~Plan() = default;

void Plan::refresh() { body_->refresh(); }

std::size_t Plan::input_count() const { return body_->inputs.size(); }
std::size_t Plan::output_count() const { return body_->outputs.size(); }

namespace {
void check_number(const char* who, std::size_t i, std::size_t count) {
  check<UsageError>(i < count, "{}: got number {}, expected less than {}", who, i, count);
}
}  // namespace

Tensor& Plan::input(std::size_t i) {
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
    detail::captured_launches = nullptr;
    detail::context.capture = nullptr;
    if (body != nullptr) {
      body->memory.end();
    }
  }

  std::unique_ptr<Plan::Body> body = std::make_unique<Plan::Body>();  // begins the memory
  StopRecording constants;
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
