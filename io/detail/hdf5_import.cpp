#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>

#include <fmt/format.h>
#include <sys/mman.h>

#include <rewind/autograd/tensor/printable.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/child_process.hpp>
#include <rewind/io/detail/hdf5.hpp>
#include <rewind/io/detail/hdf5_file_reader.hpp>
#include <rewind/io/detail/hdf5_import.hpp>
#include <rewind/io/detail/replace_file.hpp>

namespace rw::io::detail {
namespace {

constexpr std::array<unsigned char, 8> signature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
constexpr std::size_t superblock_bytes = 52;  // the part that is checked

/// The first byte of an answer that is not a checkpoint; a message follows.
enum class Refusal : char { corrupt = 'C', refused = 'R', memory = 'M' };
constexpr std::size_t max_message_bytes = 10000;

/// What libhdf5 may need on top of the file, one tensor and one chunk.
constexpr std::uint64_t spare_bytes = 64 << 20;

/// The size of the file that a superblock records, or nothing for a superblock that no checkpoint
/// has: HDF5 1.10 writes versions 2 and 3, h5py by default version 0.
std::optional<std::uint64_t> recorded_bytes(
    std::span<const unsigned char, superblock_bytes> superblock) {
  const unsigned version = superblock[8];
  const bool old = version <= 1;
  const std::size_t end_at = version == 0 ? 40 : version == 1 ? 44 : 28;
  if (version > 3 || superblock[old ? 13 : 9] != 8) {
    return std::nullopt;
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 8; i-- > 0;) {
    bytes = bytes << 8 | superblock[end_at + i];
  }
  return bytes;
}

/// Checks what needs no libhdf5: that the file is HDF5, and has the size that it records.
void check_superblock(const InputFile& file, std::uint64_t at) {
  std::array<unsigned char, superblock_bytes> superblock{};
  const std::size_t there = std::min<std::uint64_t>(file.bytes() - at, superblock.size());
  file.read(at, std::as_writable_bytes(std::span(superblock).first(there)));
  if (there < superblock.size() ||
      !std::ranges::equal(signature, std::span(superblock).first(signature.size()))) {
    throw CheckpointCorrupt(
        fmt::format("checkpoint '{}' is not a checkpoint, or its start is damaged ({} bytes)",
                    file.path(), file.bytes()));
  }
  const std::optional<std::uint64_t> expected = recorded_bytes(superblock);
  if (!expected) {
    fail_refused(file.path(),
                 "its superblock is of an unknown kind; expected a file written by Rewind");
  }
  if (*expected != file.bytes()) {
    fail_corrupt(file.path(), fmt::format("it has {} bytes, expected {}", file.bytes(), *expected));
  }
}

/// A file mapped into memory.
class MappedFile {
 public:
  explicit MappedFile(const InputFile& file)
      : bytes_(file.bytes()),
        data_(::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0)) {
    if (data_ == MAP_FAILED) {
      throw std::bad_alloc();
    }
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { ::munmap(data_, bytes_); }

  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(data_), bytes_};
  }

 private:
  std::size_t bytes_;
  void* data_;
};

/// In the child: writes the tensors one after another, and the index in front of them.
void convert(const InputFile& from, OutputFile& to) {
  const MappedFile file(from);
  const std::scoped_lock lock(hdf5_mutex());
  Hdf5FileReader reader(from.path(), file.bytes());
  Index index;
  index.writer = "read by hdf5";
  index.metadata = reader.attributes();
  index.tensors = reader.tensors();
  index.user_block_bytes = user_block_bytes_of(index);
  index.file_bytes = index.user_block_bytes;
  index.rest = digest_of({});
  for (TensorRecord& tensor : index.tensors) {
    std::vector<std::byte> values(tensor.bytes());
    if (!values.empty()) {
      reader.read(tensor, values);
      tensor.offset = index.file_bytes;
      to.write(tensor.offset, values);
      index.file_bytes += values.size();
    }
    tensor.digest = digest_of(values);
  }
  to.write(0, encode(index));
}

void refuse(OutputFile& to, Refusal kind, const std::string& message) {
  const std::string text = static_cast<char>(kind) + message.substr(0, max_message_bytes);
  if (::ftruncate(to.descriptor().number(), 0) == 0) {
    to.write(0, std::as_bytes(std::span(text)));
  }
}

/// In the child: writes the whole answer, a file with an index or a refusal.
void answer(const InputFile& from, OutputFile& to) {
  try {
    convert(from, to);
  } catch (const CheckpointCorrupt& error) {
    refuse(to, Refusal::corrupt, error.what());
  } catch (const std::bad_alloc&) {
    refuse(to, Refusal::memory, "");
  } catch (const std::exception& error) {
    refuse(to, Refusal::refused, error.what());
  }
}

/// Throws the error that the child reported. Its message is not trusted: a hostile file may have
/// taken over the child.
void check_answer(const InputFile& answer) {
  std::string text(std::min<std::uint64_t>(answer.bytes(), max_message_bytes), '\0');
  answer.read(0, std::as_writable_bytes(std::span(text)));
  if (text.empty()) {
    fail_refused(answer.path(), "reading it in a child process gave no answer");
  }
  const auto kind = static_cast<Refusal>(text.front());
  text = rw::detail::printable(text.substr(1), max_message_bytes);
  switch (kind) {
    case Refusal::corrupt:
      throw CheckpointCorrupt(text);
    case Refusal::refused:
      throw CheckpointRefused(text);
    case Refusal::memory:
      throw CheckpointReadError(
          fmt::format("checkpoint '{}' cannot be read: not enough memory: libhdf5 "
                      "needs more than {} MiB beside the file",
                      answer.path(), spare_bytes >> 20));
  }
}

}  // namespace

InputFile import_hdf5(const InputFile& file, std::uint64_t superblock_at) {
  check_superblock(file, superblock_at);
  Descriptor memory(::memfd_create("rewind", MFD_CLOEXEC));
  if (!memory.valid()) {
    throw CheckpointReadError(fmt::format(
        "checkpoint '{}' cannot be read: no memory to read a foreign HDF5 file into: {}",
        file.path(), std::strerror(errno)));
  }
  OutputFile output({FileKind::checkpoint, file.path()}, std::move(memory));
  const ChildLimits limits = {spare_bytes + 3 * file.bytes(), spare_bytes + file.bytes(),
                              std::chrono::seconds(1 + file.bytes() / (20 << 20))};
  const std::string failure =
      ChildProcess(file.path(), limits, [&] { answer(file, output); }).wait();
  if (!failure.empty()) {
    fail_refused(file.path(), fmt::format("the process in which libhdf5 read it {}; expected a "
                                          "file written by Rewind",
                                          failure));
  }
  InputFile result(file.path(), std::move(output.descriptor()));
  check_answer(result);
  return result;
}

}  // namespace rw::io::detail
