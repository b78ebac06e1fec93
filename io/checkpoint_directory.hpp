#pragma once
// A folder of checkpoints of one run, the newest of which is found again.
//
//     io::CheckpointDirectory directory("runs/7", {.keep_last = 3, .keep_best = 1});
//     // If there is anything:
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
  std::int64_t keep_last = 3;  ///< the newest so many are kept
  std::int64_t keep_best = 0;  ///< and so many of those with the best scores
  bool maximize = false;       ///< greater scores are better
  Attributes attributes = {};  ///< texts that each checkpoint holds beside its score
};

/// One checkpoint of a directory.
struct Generation {
  std::int64_t number = 0;
  std::string path;
  std::optional<double> score = {};
};

/// A checkpoint that was passed over, and why.
struct SkippedGeneration {
  Generation generation;
  std::string reason;
};

/// Numbered checkpoints, checkpoint-000001.h5 and so on, in one folder. Each is written as io::save
/// writes, so that a process may die at any time; older ones are removed only when the new one is
/// on the disk. Other files in the folder are left alone. For one writer at a time.
class CheckpointDirectory {
 public:
  /// Makes the folder where it is missing. Throws CheckpointWriteError when that fails, UsageError
  /// for options out of range or an empty path.
  explicit CheckpointDirectory(std::string path, CheckpointDirectoryOptions options = {});

  const std::string& path() const { return path_; }
  bool empty() const { return listed().empty(); }

  /// What is there, oldest first; nothing of it has been verified.
  std::vector<Generation> generations() const;
  /// The one with the best score; nothing when none has a score.
  std::optional<Generation> best() const;

  /// Saves pairs of name and object as the next generation. Throws as io::save does.
  template <Saveable Object, class... Rest>
  Generation save(std::string_view name, Object&& object, Rest&&... rest) {
    return save_next(std::nullopt, [&](const std::string& path, const Attributes& attributes) {
      io::save(path, attributes, name, object, rest...);
    });
  }
  /// The same with a score, such as the loss of other data, by which `keep_best` chooses.
  template <Saveable Object, class... Rest>
  Generation save(double score, std::string_view name, Object&& object, Rest&&... rest) {
    return save_next(score, [&](const std::string& path, const Attributes& attributes) {
      io::save(path, attributes, name, object, rest...);
    });
  }

  /// Loads the newest generation that is not damaged; nothing when there is none at all. skipped()
  /// tells which were passed over. Throws CheckpointCorrupt when all are damaged, and what io::load
  /// throws otherwise: a run with other layers is an error, not damage.
  template <Saveable Object, class... Rest>
  std::optional<Generation> resume(std::string_view name, Object&& object, Rest&&... rest) {
    return resume_newest(
        [&](const std::string& path) { report_ = io::load(path, name, object, rest...); });
  }
  /// The newest generation that is not damaged, every byte of which has been read and verified;
  /// otherwise as resume().
  std::optional<Generation> latest();
  /// What the last resume() or latest() passed over, newest first.
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
      } catch (const CheckpointCorrupt& error) {
        skipped_.push_back({rest.back(), error.what()});
      } catch (const CheckpointReadError& error) {
        skipped_.push_back({rest.back(), error.what()});
      }
    }
    check_not_all_damaged();
    return std::nullopt;
  }

  /// The generations without their scores: no file is opened.
  std::vector<Generation> listed() const;
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
