#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// What of a file goes where, and all differences between the file and the state.
class LoadPlan {
 public:
  /// Throws UsageError for renamings that cannot be.
  LoadPlan(const StateList& state, const std::vector<TensorRecord>& tensors,
           const LoadOptions& options);

  struct Source {
    std::string path;  // in the file
    Tensor target;
  };
  const std::vector<Source>& sources() const { return sources_; }
  const LoadReport& report() const { return report_; }

  /// What is not allowed; empty when nothing is.
  std::string objections() const;

 private:
  bool fits(const TensorRecord& tensor, const std::string& path, const Tensor& target);

  const LoadOptions& options_;
  LoadReport report_;
  std::vector<Source> sources_;
  std::vector<std::string> misshapen_;
  std::vector<std::string> mistyped_;
};

/// "missing: a, b; unexpected: c", without kinds that have no entries.
std::string listed(const std::vector<std::pair<std::string_view, std::vector<std::string>>>& kinds);

}  // namespace rw::io::detail

#pragma GCC visibility pop
