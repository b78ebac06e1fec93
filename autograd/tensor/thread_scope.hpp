#pragma once

namespace rw::detail {

// Note [One variable for a process]
// What a thread has in force is read in headers but defined in a .cpp, not inline. A user's plug-in
// that is compiled with -fvisibility=hidden would have an inline variable to itself, and Rewind's
// shared library would not see the tape that is active there.

/// Something that is in force on a thread as long as an object lives, such as the tape that
/// records. The innermost one counts. Scopes may end in any order, after their thread, and, while
/// their thread does not compute, on another thread: each takes itself out of the thread's list,
/// and nothing is put back.
template <class T>
class ThreadScope {
 public:
  /// Puts `value` in force on the calling thread, whose own variables the others are: the value
  /// that is in force (null where none is), and the innermost scope. Not inline, so that g++ does
  /// not warn of an address that is kept: the destructor takes it out again.
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

  /// Whether it began on the thread that has `innermost`.
  bool is_on(ThreadScope* const& innermost) const { return innermost_ == &innermost; }

 private:
  /// Scopes that outlive their thread are in force nowhere.
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
