#include <cmath>

#include <fmt/format.h>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/optim/autosave.hpp>

namespace rw {

Autosave::Autosave(AutosaveOptions options, std::FILE* output)
    : options_(std::move(options)), output_(output) {
  check<UsageError>(options_.every_steps >= 0, "autosave: every_steps is {}, expected at least 0",
                    options_.every_steps);
  check<UsageError>(options_.every_minutes >= 0 && std::isfinite(options_.every_minutes),
                    "autosave: every_minutes is {}, expected a finite number of at least 0",
                    options_.every_minutes);
  check<UsageError>(options_.save || (options_.every_steps == 0 && options_.every_minutes == 0),
                    "autosave: there is an interval, but no function `save`");
}

void Autosave::after_step() {
  ++steps_;
  changed_ = true;
  if (is_due()) {
    save();
  }
}

bool Autosave::is_due() const {
  if (options_.every_steps > 0 && steps_ >= options_.every_steps) {
    return true;
  }
  // The clock is asked only where the time counts.
  const std::chrono::duration<double, std::ratio<60>> interval(options_.every_minutes);
  return options_.every_minutes > 0 && std::chrono::steady_clock::now() - last_ >= interval;
}

void Autosave::after_epoch() {
  changed_ = true;
  if (options_.every_steps == 0 && options_.every_minutes == 0) {
    save();
  }
}

void Autosave::finish() {
  if (changed_) {
    save();
  }
}

void Autosave::save() {
  steps_ = 0;
  last_ = std::chrono::steady_clock::now();
  if (!options_.save) {
    return;
  }
  try {
    options_.save();
    changed_ = false;
  } catch (const CheckpointError& error) {
    if (output_ != nullptr) {
      fmt::print(output_, "\nwarning: the run was not saved: {}\n", error.what());
      std::fflush(output_);
    }
  }
}

}  // namespace rw
