#pragma once

#include <optional>
#include <string>
#include <vector>

#include <rewind/io/checkpoint_info.hpp>
#include <rewind/io/inspect/description.hpp>

#pragma GCC visibility push(hidden)

namespace rw::inspect {

struct Verification {
  std::string file;
  std::vector<std::string> faults;
  std::optional<io::CheckpointInfo> info;  // nothing if there are faults
};

/// Throws as io::verify() does.
Verification verify(const std::string& file);

/// docs/inspect.md lists the members.
Json to_json(const Verification& verification);
std::string to_text(const Verification& verification);

}  // namespace rw::inspect

#pragma GCC visibility pop
