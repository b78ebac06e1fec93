#include <algorithm>
#include <utility>

#include <rewind/io/checkpoint_info.hpp>
#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/hdf5_import.hpp>
#include <rewind/io/detail/reader_agreement.hpp>
#include <rewind/io/detail/with_memory.hpp>

namespace rw::io {

struct [[gnu::visibility("hidden")]] CheckpointFile::Source {
  explicit Source(detail::InputFile file) : reader(std::move(file)) {}
  detail::CheckpointReader reader;
};

CheckpointFile::CheckpointFile(const std::string& path) {
  detail::with_memory(path, 0, [&] {
    detail::InputFile file(path);
    info_.file_bytes = file.bytes();
    const bool is_foreign = !detail::begins_with_index(file);
    source_ =
        std::make_unique<const Source>(is_foreign ? detail::import_hdf5(file) : std::move(file));
    const detail::Index& index = source_->reader.index();
    if (!is_foreign) {
      info_.format_version = detail::format_version;
      info_.writer = index.writer;
    }
    info_.metadata = index.metadata;
    for (const detail::ObjectRecord& object : index.objects) {
      info_.objects.push_back({object.path, object.kind, object.options});
    }
    for (const detail::TensorRecord& tensor : index.tensors) {
      info_.tensors.push_back({tensor.path, tensor.shape, tensor.dtype});
    }
  });
}

CheckpointFile::CheckpointFile(CheckpointFile&&) noexcept = default;
CheckpointFile& CheckpointFile::operator=(CheckpointFile&&) noexcept = default;
CheckpointFile::~CheckpointFile() = default;

Tensor CheckpointFile::read(const std::string& path) const {
  const detail::CheckpointReader& reader = source_->reader;
  const auto tensor = std::ranges::lower_bound(info_.tensors, path, {}, &EntryInfo::path);
  check<UsageError>(tensor != info_.tensors.end() && tensor->path == path,
                    "CheckpointFile::read: '{}' has no tensor '{}'; info().tensors lists all",
                    reader.path(), path);
  const std::uint64_t bytes =
      static_cast<std::uint64_t>(tensor->shape.elements()) * size_of(tensor->dtype);
  return detail::with_memory(reader.path(), bytes, [&] { return reader.read(path); });
}

CheckpointInfo inspect(const std::string& path) { return CheckpointFile(path).info(); }

std::vector<std::string> verify(const std::string& path) {
  return detail::with_memory(path, 0, [&]() -> std::vector<std::string> {
    try {
      const detail::CheckpointReader reader(path);
      std::vector<std::string> faults = reader.damage();
      // Damage would only be reported again, as a difference between the readers. A foreign file
      // has only one reader, libhdf5.
      if (faults.empty() && detail::begins_with_index(detail::InputFile(path))) {
        faults = detail::differences_between_readers(path);
      }
      return faults;
    } catch (const CheckpointCorrupt& error) {
      return {error.what()};
    } catch (const CheckpointRefused& error) {
      return {error.what()};
    }
  });
}

}  // namespace rw::io
