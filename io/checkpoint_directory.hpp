#pragma once
// The checkpoints of one run in a folder; resuming finds the newest.
//
//     io::CheckpointDirectory directory("runs/7", {.keep_last = 3, .keep_best = 1});
//     // Does nothing if the folder is empty:
//     directory.resume("model", model, "optimizer", optimizer, "rng", rng);
//     ...
//     directory.save("model", model, "optimizer", optimizer, "rng", rng);

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rewind/io/checkpoint.hpp>

namespace rw::io {

struct CheckpointDirectoryOptions {
  std::int64_t keep_last = 3;  ///< how many of the newest are kept
  std::int64_t keep_best = 0;  ///< how many of those with the best scores are kept too
  bool maximize = false;       ///< whether greater scores are better
  Attributes attributes = {};  ///< texts that each checkpoint holds beside its score
};

/// One checkpoint of a directory.
struct Generation {
  std::int64_t number = 0;
  std::string path;
  std::optional<double> score = {};
};

/// A checkpoint that was skipped, and why.
struct SkippedGeneration {
  Generation generation;
  std::string reason;
};

/// Numbered checkpoints, checkpoint-000001.h5 and so on, in one folder. Each is written as by
/// io::save, so the process may die at any time. Older ones are removed only when the new one is on
/// disk. Other files in the folder are left alone. There may be only one writer at a time.
class CheckpointDirectory {
 public:
  /// Creates the folder if it does not exist. Throws CheckpointWriteError if that fails, UsageError
  /// for options out of range or an empty path.
  explicit CheckpointDirectory(std::string path, CheckpointDirectoryOptions options = {});

  const std::string& path() const { return path_; }
  bool empty() const { return listed().empty(); }

  /// All checkpoints in the folder, oldest first, unverified.
  std::vector<Generation> generations() const;
  /// The same without their scores, and so without opening a file.
  std::vector<Generation> listed() const;
  /// The one with the best score; nothing if none has a score.
  std::optional<Generation> best() const;

  /// Saves pairs of name and object as the next generation. Throws as io::save does.
  template <Saveable Object, class... Rest>
  Generation save(std::string_view name, Object&& object, Rest&&... rest) {
    return save_next(std::nullopt, [&](const std::string& path, const Attributes& attributes) {
      io::save(path, attributes, name, object, rest...);
    });
  }
  /// The same with a score, such as the validation loss, by which `keep_best` chooses.
  template <Saveable Object, class... Rest>
  Generation save(double score, std::string_view name, Object&& object, Rest&&... rest) {
    return save_next(score, [&](const std::string& path, const Attributes& attributes) {
      io::save(path, attributes, name, object, rest...);
    });
  }

  /// Loads the newest generation that is not damaged; returns nothing if there are none at all.
  /// skipped() lists those that are damaged, unreadable or refused. Throws CheckpointCorrupt if all
  /// are, and everything else that io::load throws: a run with other layers is an error, not
  /// damage.
  template <Saveable Object, class... Rest>
  std::optional<Generation> resume(std::string_view name, Object&& object, Rest&&... rest) {
    return resume_newest(
        [&](const std::string& path) { report_ = io::load(path, name, object, rest...); });
  }
  /// The newest generation that is not damaged, after reading and verifying every byte of it;
  /// otherwise like resume().
  std::optional<Generation> latest();
  /// What the last resume() or latest() skipped, newest first.
  const std::vector<SkippedGeneration>& skipped() const { return skipped_; }
  /// What the last resume() loaded.
  const LoadReport& report() const { return report_; }

 private:
  template <class Write>
  Generation save_next(std::optional<double> score, Write&& write) {
    Generation next = make_next(score);
    write(next.path, attributes_of(next));
    remove_old();
    return next;
  }
  template <class Read>
  std::optional<Generation> resume_newest(Read&& read) {
    skipped_.clear();
    std::vector<Generation> rest = generations();
    for (; !rest.empty(); rest.pop_back()) {
      try {
        read(rest.back().path);
        return rest.back();
      } catch (const StateMismatch&) {
        throw;
      } catch (const CheckpointError& error) {
        skipped_.push_back({rest.back(), error.what()});
      }
    }
    check_not_all_damaged();
    return std::nullopt;
  }

  void make_folder() const;
  Generation make_next(std::optional<double> score) const;
  Attributes attributes_of(const Generation& generation) const;
  void remove_old() const;
  void check_not_all_damaged() const;

  std::string path_;
  CheckpointDirectoryOptions options_;
  std::vector<SkippedGeneration> skipped_;
  LoadReport report_;
};

}  // namespace rw::io
