// The function that libFuzzer calls. It makes checkpoints with matching sizes and digests, so that
// the code behind these checks is reached. The first two bytes of the input are the number of bytes
// behind the user block; the rest is the index.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_index.hpp>
#include <rewind/io/detail/digest.hpp>
#include <rewind/io/error.hpp>

namespace {

using namespace rw;
using namespace rw::io::detail;

// Where the fields of the header begin: docs/checkpoints.md.
constexpr std::size_t user_block_bytes_at = 12;
constexpr std::size_t index_bytes_at = 16;
constexpr std::size_t file_bytes_at = 24;
constexpr std::size_t digest_at = 32;
constexpr std::size_t rest_at = 48;

template <class T>
void put(std::vector<std::byte>& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

std::vector<std::byte> file_around(std::span<const std::uint8_t> index, std::size_t bytes_behind) {
  const std::size_t user_block =
      std::max<std::size_t>(512, std::bit_ceil(header_bytes + index.size()));
  // Files that Rewind writes begin like this one.
  static const std::vector<std::byte> start = [] {
    Index empty;
    empty.user_block_bytes = empty.file_bytes = user_block_bytes_of(empty);
    return encode(empty);
  }();
  std::vector<std::byte> file(user_block + bytes_behind);
  std::memcpy(file.data(), start.data(), user_block_bytes_at);
  std::memcpy(file.data() + header_bytes, index.data(), index.size());
  put(file, user_block_bytes_at, static_cast<std::uint32_t>(user_block));
  put(file, index_bytes_at, static_cast<std::uint64_t>(index.size()));
  put(file, file_bytes_at, static_cast<std::uint64_t>(file.size()));
  // The digest of the rest: correct if no tensor lies in it.
  put(file, rest_at, digest_of(std::span(file).subspan(user_block)));
  put(file, digest_at, digest_of(std::span(file).first(user_block)));
  return file;
}

/// A file in memory.
class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("checkpoint", MFD_CLOEXEC)) {}
  void write(std::span<const std::byte> bytes) const {
    if (::ftruncate(file_, 0) != 0 ||
        ::pwrite(file_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
      std::abort();
    }
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const MemoryFile memory;
  if (size < 2) {
    return -1;
  }
  memory.write(file_around({data + 2, size - 2}, data[0] + std::size_t{256} * data[1]));
  try {
    StateList state;
    for (const io::EntryInfo& entry : io::list(memory.path())) {
      if (entry.shape.elements() > 1 << 16) {
        std::abort();  // larger than the file
      }
      state.push_back({entry.path, zeros(entry.shape, entry.dtype)});
    }
    io::read_attributes(memory.path());
    io::load(memory.path(), state, {.allow_missing = true});
  } catch (const CheckpointError&) {
    // refused, as expected
  }
  return 0;
}
