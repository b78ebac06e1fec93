#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/hdf5_import.hpp>

namespace rw::io::detail {
namespace {

constexpr const char* damaged_rest =
    "the part that HDF5 tools read, or the bytes between tensors, are damaged";

std::string damaged_values(const std::string& path) {
  return fmt::format("the values of '{}' are damaged", path);
}

InputFile with_index(InputFile file) {
  return begins_with_index(file) ? std::move(file) : import_hdf5(file);
}

Index read_index(const InputFile& file) {
  std::array<std::byte, header_bytes> start{};
  if (file.bytes() < start.size()) {
    fail_corrupt(file.path(), fmt::format("it has {} bytes, too few for a header", file.bytes()));
  }
  file.read(0, start);
  if (!has_index(start)) {
    fail_corrupt(file.path(), "it does not begin with an index");
  }
  const Header header = decode_header(file.path(), start, file.bytes());
  std::vector<std::byte> block(header.user_block_bytes);
  file.read(0, block);
  return decode(file.path(), header, block, file.bytes());
}

/// Asks for pages of 2 MiB where the system has them: a load spends most of its time on the first
/// touch of each page, and there are 512 times as many pages of 4 KiB.
void prefer_large_pages(std::span<std::byte> bytes) {
  constexpr std::size_t worthwhile = 4 << 20;
  void* begin = bytes.data();
  std::size_t left = bytes.size();
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (left >= worthwhile && std::align(page, page, begin, left) != nullptr) {
    ::madvise(begin, left / page * page, MADV_HUGEPAGE);  // only advice: it may fail
  }
}

void read_hashed(const InputFile& file, std::uint64_t offset, std::span<std::byte> bytes,
                 Hasher& hasher) {
  while (!bytes.empty()) {
    const std::span<std::byte> piece = bytes.first(std::min(bytes.size(), piece_bytes));
    file.read(offset, piece);
    hasher.update(piece);
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
}

/// The same for bytes that are not kept.
void hash(const InputFile& file, std::uint64_t begin, std::uint64_t end, Hasher& hasher) {
  std::vector<std::byte> piece;
  for (std::uint64_t at = begin; at < end; at += piece.size()) {
    piece.resize(std::min<std::uint64_t>(end - at, piece_bytes));
    read_hashed(file, at, piece, hasher);
  }
}

}  // namespace

bool begins_with_index(const InputFile& file) {
  std::array<std::byte, header_bytes> start{};
  const std::size_t bytes = std::min<std::uint64_t>(file.bytes(), start.size());
  file.read(0, std::span(start).first(bytes));
  return has_index(std::span(start).first(bytes));
}

CheckpointReader::CheckpointReader(const std::string& path)
    : CheckpointReader(with_index(InputFile(path))) {}

CheckpointReader::CheckpointReader(InputFile file)
    : file_(std::move(file)), index_(read_index(file_)) {}

Tensor CheckpointReader::read(const std::string& path) const {
  const auto tensor = std::ranges::lower_bound(index_.tensors, path, {}, &TensorRecord::path);
  Tensor values = rw::detail::make_tensor(tensor->shape, tensor->dtype);
  std::byte* data = nullptr;
  dispatch(tensor->dtype, [&](auto type) {
    data = reinterpret_cast<std::byte*>(values.mutable_data<decltype(type)>());
  });
  prefer_large_pages({data, tensor->bytes()});
  Hasher hasher;
  read_hashed(file_, tensor->offset, {data, tensor->bytes()}, hasher);
  if (hasher.digest() != tensor->digest) {
    fail_corrupt(file_.path(), damaged_values(path));
  }
  return values;
}

void CheckpointReader::verify_rest() const {
  if (!is_rest_intact()) {
    fail_corrupt(file_.path(), damaged_rest);
  }
}

std::vector<std::string> CheckpointReader::damage() const {
  std::vector<std::string> found;
  for (const TensorRecord& tensor : index_.tensors) {
    Hasher hasher;
    hash(file_, tensor.offset, tensor.offset + tensor.bytes(), hasher);
    if (hasher.digest() != tensor.digest) {
      found.push_back(damaged_values(tensor.path));
    }
  }
  if (!is_rest_intact()) {
    found.emplace_back(damaged_rest);
  }
  return found;
}

bool CheckpointReader::is_rest_intact() const {
  Hasher hasher;
  for (const Gap& gap : gaps(index_)) {
    hash(file_, gap.begin, gap.end, hasher);
  }
  return hasher.digest() == index_.rest;
}

}  // namespace rw::io::detail
