#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/checkpoint_object.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Which entries of a file go into which objects, and all differences between the two.
class LoadPlan {
 public:
  /// Throws UsageError for invalid renamings. `objects` and `options` must outlive the plan.
  LoadPlan(const std::vector<ObjectToLoad>& objects, const Index& index,
           const LoadOptions& options);

  struct Source {
    std::string path;    // in the file
    std::size_t object;  // index of the object
    std::size_t entry;   // index of the entry in its state
    std::uint64_t bytes;
  };
  const std::vector<Source>& sources() const { return sources_; }
  const LoadReport& report() const { return report_; }

  /// Every difference that is not allowed, and what to do about it; empty if there is none.
  std::string objections() const;

 private:
  void add_mismatch(const TensorRecord& tensor, const std::string& path, const ObjectToLoad& object,
                    const Tensor& target);

  const LoadOptions& options_;
  LoadReport report_;
  std::vector<Source> sources_;
  std::vector<std::string> misshapen_;
  std::vector<std::string> mistyped_;
  std::vector<OptionDifference> differences_;
};

/// "missing: a, b; unexpected: c", without kinds that have no entries.
std::string listed(const std::vector<std::pair<std::string_view, std::vector<std::string>>>& kinds);

}  // namespace rw::io::detail

#pragma GCC visibility pop
