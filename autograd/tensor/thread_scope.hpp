#pragma once

namespace rw::detail {

// Note [One variable per process]
// The variables that hold a thread's active values are read in headers but defined in a .cpp file,
// not inline. A user's plug-in compiled with -fvisibility=hidden would get its own copy of an
// inline variable, and Rewind's shared library would not see the tape that is active there.

/// Keeps a value, such as the recording tape, active on a thread while this object lives. The
/// innermost scope counts. Scopes may end in any order, after their thread, and, while their thread
/// does not compute, on another thread: each removes itself from the thread's list, and no earlier
/// value is restored.
template <class T>
class ThreadScope {
 public:
  /// Activates `value` on the calling thread. The other arguments are that thread's variables: the
  /// active value (null if there is none) and the innermost scope. Not inline, because g++ would
  /// warn that the address of the scope is kept, although the destructor removes it.
  [[gnu::noinline]] ThreadScope(T*& current, ThreadScope*& innermost, T* value)
      : current_(&current), innermost_(&innermost), value_(value), outer_(innermost) {
    static thread_local const EndOfThread at_end_of_thread(current, innermost);
    innermost = this;
    current = value;
  }
  [[gnu::noinline]] ~ThreadScope() {
    if (innermost_ == nullptr) {
      return;
    }
    ThreadScope** place = innermost_;
    while (*place != this) {
      place = &(*place)->outer_;
    }
    *place = outer_;
    *current_ = *innermost_ == nullptr ? nullptr : (*innermost_)->value_;
  }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

  /// Whether it was made on the thread that `innermost` belongs to.
  bool is_on(ThreadScope* const& innermost) const { return innermost_ == &innermost; }

 private:
  /// Deactivates scopes that outlive their thread.
  struct EndOfThread {
    EndOfThread(T*& c, ThreadScope*& i) : current(c), innermost(i) {}
    ~EndOfThread() {
      for (ThreadScope* scope = innermost; scope != nullptr; scope = scope->outer_) {
        scope->innermost_ = nullptr;
      }
      current = nullptr;
      innermost = nullptr;
    }
    T*& current;
    ThreadScope*& innermost;
  };

  T** current_;
  ThreadScope** innermost_;  // null once the thread has ended
  T* value_;
  ThreadScope* outer_;
};

}  // namespace rw::detail
