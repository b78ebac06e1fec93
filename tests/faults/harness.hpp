#pragma once
// What the cases share: files whose values all name their generation, children, counts.

#include <cstdint>
#include <functional>
#include <string>

#include <rewind/io/checkpoint.hpp>

#include "../support/temporary_folder.hpp"

namespace faults {

/// A folder for one checkpoint.
struct Folder : rw::testing::TemporaryFolder {
  std::string file() const { return *this / "model.h5"; }
  /// Number of files other than the checkpoint.
  std::int64_t temporaries() const;
};

/// A state whose values all name one generation.
class Model {
 public:
  explicit Model(std::int64_t elements = 300);
  void set(std::int64_t generation);
  /// The generation of all values; -1 if they belong to several.
  std::int64_t generation() const;
  rw::StateList state() const { return state_; }

 private:
  rw::StateList state_;
};

void save(const std::string& path, std::int64_t generation, std::int64_t elements = 300);
/// The same for a call that may fail with the error `Allowed`: whether it reports success.
template <class Allowed>
bool try_save(const std::string& path, std::int64_t generation, std::int64_t elements = 300) {
  try {
    save(path, generation, elements);
    return true;
  } catch (const Allowed&) {
    return false;
  }
}
/// The generation in a file; -1 if it is torn or cannot be read.
std::int64_t load(const std::string& path, std::int64_t elements = 300);

/// How a child ended.
struct Ending {
  int code = 0;    // of exit()
  int signal = 0;  // the signal that killed it
  bool hung = false;

  bool good() const { return code == 0 && signal == 0 && !hung; }
};

/// Runs `work` in a child of this process for at most `seconds`; its result is the exit code. An
/// exception gives code 99.
Ending in_child(const std::function<int()>& work, int seconds = 20);

/// The counts of one case.
struct Count {
  std::int64_t tries = 0;
  std::int64_t lost = 0;     // no complete generation, a torn one, or another than promised
  std::int64_t crashes = 0;  // signals
  std::int64_t hangs = 0;
  std::int64_t stuck = 0;  // the next save or load does not work, or a state was changed
  std::int64_t left = 0;   // temporary files after the next save

  /// Adds a child that ended with one of the codes below.
  void add(const Ending& ending);
  bool clean() const { return lost + crashes + hangs + stuck + left == 0; }
};
inline constexpr int lost = 1;
inline constexpr int stuck = 2;
inline constexpr int left = 3;
inline constexpr int not_reached = 100;  // not a try: there was no such call

}  // namespace faults
