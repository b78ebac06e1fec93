#include <fmt/format.h>

#include <rewind/io/inspect/terminal_text.hpp>
#include <rewind/io/inspect/verification.hpp>

namespace rw::inspect {

Verification verify(const std::string& file) {
  Verification result{file, io::verify(file), {}};
  if (result.faults.empty()) {
    result.info = io::inspect(file);
  }
  return result;
}

Json to_json(const Verification& verification) {
  const auto& info = verification.info;
  return {{"file", verification.file},
          {"sound", verification.faults.empty()},
          {"has_digests", info ? Json(!info->is_foreign()) : Json(nullptr)},
          {"faults", verification.faults}};
}

std::string to_text(const Verification& verification) {
  const std::string file = printable(verification.file);
  if (verification.info) {
    const io::CheckpointInfo& info = *verification.info;
    const std::string what = fmt::format("{} in {}", counted(info.tensors.size(), "tensor"),
                                         bytes_text(info.file_bytes));
    return info.is_foreign()
               ? fmt::format("{}: readable, {}: a foreign file, without digests to check\n", file,
                             what)
               : fmt::format("{}: sound, {}: all digests match, and libhdf5 reads the same\n", file,
                             what);
  }
  std::string text = fmt::format("{}: not sound\n", file);
  for (const std::string& fault : verification.faults) {
    text += fmt::format("  {}\n", printable(fault));
  }
  return text;
}

}  // namespace rw::inspect
