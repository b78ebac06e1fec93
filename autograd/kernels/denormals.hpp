#pragma once

#include <cstdint>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace rw {

/// While it lives, this thread's arithmetic treats denormal numbers (below 1e-38 in float32) as 0.
/// Processors compute with them up to a hundred times as slowly, and the state of a recurrent
/// network passes through them when its input falls silent.
class DenormalsOff {
 public:
  DenormalsOff() : before_(mode()) { change(); }
  ~DenormalsOff() { change(); }
  DenormalsOff(const DenormalsOff&) = delete;
  DenormalsOff& operator=(const DenormalsOff&) = delete;

 private:
#if defined(__SSE__)
  using Mode = std::uint32_t;
  static constexpr Mode bits = 0x8040;  // flush to zero, denormals are zero
  static Mode mode() { return _mm_getcsr(); }
  static void set_mode(Mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
  using Mode = std::uint64_t;
  static constexpr Mode bits = std::uint64_t{1} << 24;  // flush to zero
  static Mode mode() {
    Mode mode = 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set_mode(Mode mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
  using Mode = int;
  static constexpr Mode bits = 0;
  static Mode mode() { return 0; }
  static void set_mode(Mode) {}
#endif

  /// Writing the mode takes as long as twenty additions, so it is left out where it changes
  /// nothing.
  void change() {
    if ((before_ & bits) != bits) {
      set_mode(is_off_ ? before_ : before_ | bits);
      is_off_ = !is_off_;
    }
  }

  Mode before_;
  bool is_off_ = false;
};

}  // namespace rw
