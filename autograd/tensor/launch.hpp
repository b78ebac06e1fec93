#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace rw {
namespace detail {

// Note [Launches]
// Operations compute by launching kernels: functions of plain memory, with their arguments by value
// (pointers, sizes, numbers). Without a capture, launch() just calls the kernel. During a capture
// it also keeps it, so that the same work can be done again on the same memory, without tensors,
// checks and tape. So a kernel must depend on nothing but its arguments and the memory that it
// reads, and whatever an operation computes must be computed by kernels. A kernel may launch
// others; only the outermost is kept.
//
// What an operation does not launch is missing in a replay, and what it decides on the host is
// fixed. capture() finds the former by a replay on overwritten memory. The latter are host reads
// and random draws, which call refuse_in_capture().

/// Which memory around tensors a plan may touch, so that kernels can work in whole registers.
class Room {
 public:
  /// Whether `bytes` from `data` on may be read, although the tensor there may end earlier.
  [[nodiscard]] virtual bool may_read(const void* data, std::size_t bytes) const = 0;
  /// Whether anything may be written behind the `bytes` from `data` on, up to the end of a
  /// register.
  [[nodiscard]] virtual bool may_write_behind(const void* data, std::size_t bytes) const = 0;

 protected:
  ~Room() = default;
};

/// A kernel with its arguments.
class Launch {
 public:
  template <class Kernel>
  explicit Launch(const Kernel& kernel)
      : kernel_(std::make_unique<Holder<Kernel>>(kernel)), run_(&run_kernel<Kernel>) {}

  void run() const { run_(*kernel_); }
  /// Lets a kernel that has a `widen(room)` work in whole registers, where there is room: loads
  /// that follow a store of a part of a register have to wait for it.
  void widen(const Room& room) { kernel_->widen(room); }
  /// The kernel, if it is a `Kernel`; otherwise null.
  template <class Kernel>
  const Kernel* as() const {
    return run_ == &run_kernel<Kernel> ? &static_cast<const Holder<Kernel>&>(*kernel_).kernel
                                       : nullptr;
  }

 private:
  struct AnyHolder {
    AnyHolder() = default;
    AnyHolder(const AnyHolder&) = delete;
    AnyHolder& operator=(const AnyHolder&) = delete;
    virtual ~AnyHolder() = default;
    virtual void widen(const Room&) {}
  };
  template <class Kernel>
  struct [[gnu::visibility("hidden")]] Holder : AnyHolder {
    explicit Holder(const Kernel& k) : kernel(k) {}
    void widen(const Room& room) override {
      if constexpr (requires { kernel.widen(room); }) {
        kernel.widen(room);
      }
    }
    Kernel kernel;
  };
  template <class Kernel>
  static void run_kernel(const AnyHolder& holder) {
    static_cast<const Holder<Kernel>&>(holder).kernel();
  }

  std::unique_ptr<AnyHolder> kernel_;
  void (*run_)(const AnyHolder&);
};

using Launches = std::vector<Launch>;

/// Where the calling thread's launches are kept; null without a capture. Note [One variable per
/// process]
extern constinit thread_local Launches* captured_launches;

template <class Kernel>
[[gnu::noinline, gnu::cold]] void launch_captured(const Kernel& kernel) {
  struct Pause {
    Launches* const launches = std::exchange(captured_launches, nullptr);
    ~Pause() { captured_launches = launches; }
  };
  const Pause pause;
  kernel();
  pause.launches->emplace_back(kernel);
}

[[noreturn]] void fail_in_capture(const char* what);
/// Throws UsageError during a capture: `what`, such as "item() reads a value", cannot be replayed.
inline void refuse_in_capture(const char* what) {
  if (captured_launches != nullptr) [[unlikely]] {
    fail_in_capture(what);
  }
}

}  // namespace detail

/// Calls `kernel()`, and keeps it if a capture is under way, so that a Plan can call it again. It
/// captures pointers, sizes and numbers by value, and nothing else (Note [Launches]).
///
///     launch([from = x.data<float>(), to = y.mutable_data<float>(), n] {
///       std::reverse_copy(from, from + n, to);
///     });
template <std::invocable Kernel>
inline void launch(const Kernel& kernel) {
  if (detail::captured_launches == nullptr) [[likely]] {
    kernel();
  } else {
    detail::launch_captured(kernel);
  }
}

}  // namespace rw
