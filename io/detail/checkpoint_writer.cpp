#include <algorithm>

#include <rewind/io/detail/checkpoint_writer.hpp>
#include <rewind/io/detail/hdf5_writer.hpp>
#include <rewind/io/detail/replace_file.hpp>
#include <rewind/version.hpp>

namespace rw::io::detail {
namespace {

std::span<const std::byte> bytes_of(const Tensor& dense) {
  const std::byte* data = nullptr;
  dispatch(dense.dtype(), [&](auto type) {
    data = reinterpret_cast<const std::byte*>(dense.data<decltype(type)>());
  });
  return {data, static_cast<std::size_t>(dense.elements()) * size_of(dense.dtype())};
}

/// Writes `bytes` at `offset` and adds them to `hasher`.
void write_hashed(OutputFile& file, std::uint64_t offset, std::span<const std::byte> bytes,
                  Hasher& hasher) {
  while (!bytes.empty()) {
    const std::span<const std::byte> piece = bytes.first(std::min(bytes.size(), piece_bytes));
    hasher.update(piece);
    file.write(offset, piece);
    offset += piece.size();
    bytes = bytes.subspan(piece.size());
  }
}

/// Writes everything but the user block, and stores the digests in `index`. `state` is in its
/// order.
void write_behind_user_block(OutputFile& file, Index& index, const StateList& state,
                             const Hdf5Skeleton& skeleton) {
  Hasher rest;
  for (const Gap& gap : gaps(index)) {
    const std::span<const std::byte> part = skeleton.part(gap.begin, gap.end);
    write_hashed(file, gap.begin, part, rest);
    const std::vector<std::byte> zeros(gap.end - gap.begin - part.size());
    write_hashed(file, gap.begin + part.size(), zeros, rest);
  }
  index.rest = rest.digest();
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Tensor& tensor = state[i].tensor;
    const Tensor dense = tensor.is_contiguous() ? tensor : rw::detail::copy_of(tensor);
    Hasher values;
    write_hashed(file, index.tensors[i].offset, bytes_of(dense), values);
    index.tensors[i].digest = values.digest();
  }
}

}  // namespace

void write_checkpoint(const std::string& path, StateList state, const Attributes& attributes,
                      std::vector<ObjectRecord> objects, const std::string& writer) {
  std::ranges::sort(state, {}, &StateEntry::path);
  std::ranges::sort(objects, {}, &ObjectRecord::path);
  Index index;
  index.writer = writer;
  index.metadata = attributes;
  index.objects = std::move(objects);
  for (const auto& [tensor_path, tensor, range] : state) {
    index.tensors.push_back({tensor_path, tensor.shape(), tensor.dtype()});
  }
  index.user_block_bytes = user_block_bytes_of(index);
  const Hdf5Skeleton skeleton = build_hdf5_skeleton(path, index);
  replace_file({FileKind::checkpoint, path}, [&](OutputFile& file) {
    write_behind_user_block(file, index, state, skeleton);
    file.write(0, encode(index));
  });
}

}  // namespace rw::io::detail
