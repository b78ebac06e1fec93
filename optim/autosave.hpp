#pragma once
// Training runs that save themselves.
//
//     Autosave autosave({.save = [&] { directory.save("model", model, "optimizer", optimizer); },
//                        .every_minutes = 5});
//     for (...) {
//       ...
//       optimizer.step();
//       autosave.after_step();
//     }
//     autosave.finish();

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>

namespace rw {

struct AutosaveOptions {
  /// Saves all that the run needs to go on. Empty: nothing is saved.
  std::function<void()> save = {};
  std::int64_t every_steps = 0;  ///< 0: not by the number of steps
  double every_minutes = 0;      ///< 0: not by time
};

/// Calls `save` from time to time. With neither a number of steps nor a time, at the end of every
/// epoch.
///
/// A save that throws CheckpointError, as on a full disk, is reported and training goes on: the
/// checkpoint before is still there, and the next one may succeed.
class Autosave {
 public:
  /// `output` gets a line about each save that fails; null for nothing. Throws UsageError for
  /// negative numbers, and for intervals without `save`.
  explicit Autosave(AutosaveOptions options, std::FILE* output = stderr);

  /// To be called when a step is complete, so that what is saved can go on with the next.
  void after_step();
  /// To be called at the end of an epoch.
  void after_epoch();
  /// To be called when training ends or is interrupted: saves what has happened since the last
  /// save.
  void finish();

 private:
  bool is_due() const;
  void save();

  AutosaveOptions options_;
  std::FILE* output_;
  std::int64_t steps_ = 0;  // since the last save
  bool changed_ = false;    // since the last save that succeeded
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace rw
