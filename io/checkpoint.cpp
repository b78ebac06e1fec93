#include <algorithm>
#include <new>

#include <fmt/format.h>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_checks.hpp>
#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/checkpoint_writer.hpp>
#include <rewind/io/detail/load_plan.hpp>
#include <rewind/io/detail/provenance.hpp>
#include <rewind/io/detail/staged_values.hpp>
#include <rewind/io/detail/with_memory.hpp>

namespace rw::io {
namespace {

std::string joined_faults(std::vector<std::string> faults) {
  constexpr std::size_t most = 10;
  const std::size_t count = faults.size();
  faults.resize(std::min(count, most));
  return fmt::format("{}{}", fmt::join(faults, "; "),
                     count > most ? fmt::format("; and {} more", count - most) : "");
}

}  // namespace

void detail::save(const std::string& path, const std::vector<ObjectToSave>& objects,
                  const Attributes& attributes) {
  const StateList state = whole_state(objects);
  check_state(state);
  check_attributes(attributes);
  try {
    write_checkpoint(path, state, attributes, to_records(objects), writer_name());
  } catch (const std::bad_alloc&) {
    throw CheckpointWriteError(fmt::format(
        "checkpoint '{}' was not saved: not enough memory; a file that was there before is as it "
        "was",
        path));
  }
}

void save(const std::string& path, const StateList& state, const Attributes& attributes) {
  detail::save(path, detail::objects_to_save("", state), attributes);
}

LoadReport detail::load(const std::string& path, const std::vector<ObjectToLoad>& objects,
                        const LoadOptions& options) {
  check_state(whole_state(objects));
  std::uint64_t needed = 0;
  return with_memory(path, needed, [&] {
    const CheckpointReader reader(path);
    const LoadPlan plan(objects, reader.index(), options);
    const std::string objections = plan.objections();
    if (!objections.empty()) {
      throw StateMismatch(fmt::format("checkpoint '{}' does not fit: {}", path, objections));
    }
    for (const LoadPlan::Source& source : plan.sources()) {
      needed += source.bytes;
    }
    reader.verify_rest();
    StagedValues staged(objects);
    for (const LoadPlan::Source& source : plan.sources()) {
      staged.put(source.object, source.entry, reader.read(source.path));
    }
    const std::vector<std::string> faults = staged.faults(options.require_finite);
    if (!faults.empty()) {
      fail_refused(path, fmt::format("{}; nothing was changed", joined_faults(faults)));
    }
    staged.remake(path);
    LoadReport report = plan.report();
    report.inexact = inexactness(reader.index().writer);
    staged.assign_all();
    return report;
  });
}

LoadReport load(const std::string& path, const StateList& state, const LoadOptions& options) {
  return detail::load(path, detail::objects_to_load("", state), options);
}

std::string to_string(const LoadReport& report) {
  const std::string rest = detail::listed({{"missing", report.missing},
                                           {"unexpected", report.unexpected},
                                           {"mismatched", report.mismatched}});
  return fmt::format("{} loaded{}{}", report.loaded.size(), rest.empty() ? "" : "; ", rest);
}

Attributes read_attributes(const std::string& path) {
  return detail::with_memory(path, 0,
                             [&] { return detail::CheckpointReader(path).index().metadata; });
}

std::vector<EntryInfo> list(const std::string& path) {
  return detail::with_memory(path, 0, [&] {
    std::vector<EntryInfo> entries;
    const detail::CheckpointReader reader(path);
    for (const detail::TensorRecord& tensor : reader.index().tensors) {
      entries.push_back({tensor.path, tensor.shape, tensor.dtype});
    }
    return entries;
  });
}

}  // namespace rw::io
