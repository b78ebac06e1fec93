// Faults while a checkpoint is loaded.

#include <array>
#include <cerrno>
#include <exception>

#include "cases.hpp"
#include "intercepted_calls.hpp"

namespace faults {
namespace {

/// Loads generation 2 into a model that holds generation 1. Returns whether there was such a call.
bool try_load(Count& count, const std::string& path, Call call, std::int64_t number, Action action,
              int error, bool repeat) {
  const Ending ending = in_child([&] {
    Model model;
    model.set(1);
    arm(call, number, action, error, repeat);
    bool success = false;
    try {
      rw::io::load(path, model.state());
      success = true;
    } catch (const std::exception&) {
      success = false;
    }
    if (disarm() < number) {
      return not_reached;
    }
    if (model.generation() != (success ? 2 : 1)) {
      return lost;
    }
    rw::io::load(path, model.state());
    return model.generation() == 2 ? 0 : stuck;
  });
  count.add(ending);
  return ending.code != not_reached;
}

}  // namespace

Count failing_reads() {
  Count count;
  const Folder folder;
  save(folder.file(), 2);
  for (const Call call : {Call::open, Call::read, Call::stat, Call::close}) {
    for (const int error : {EIO, EACCES, EMFILE}) {
      for (std::int64_t number = 1;
           try_load(count, folder.file(), call, number, Action::fail, error, false); ++number) {
      }
    }
    for (std::int64_t number = 1;
         try_load(count, folder.file(), call, number, Action::interrupt, 0, false); ++number) {
    }
  }
  for (const Action action : {Action::part, Action::nothing}) {
    for (std::int64_t number = 1;
         try_load(count, folder.file(), Call::read, number, action, 0, false); ++number) {
    }
    try_load(count, folder.file(), Call::read, 1, action, 0, true);
  }
  return count;
}

Count failing_allocations_of_loads(bool from_then_on) {
  Count count;
  const Folder folder;
  save(folder.file(), 2);
  for (std::int64_t number = 1;
       try_load(count, folder.file(), Call::allocate, number, Action::fail, 0, from_then_on);
       ++number) {
  }
  return count;
}

}  // namespace faults
