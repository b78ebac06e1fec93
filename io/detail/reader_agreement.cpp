#include <algorithm>

#include <fmt/format.h>

#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/hdf5_import.hpp>
#include <rewind/io/detail/reader_agreement.hpp>

namespace rw::io::detail {
namespace {

/// Calls `both(a, b)` for items of the same name in two sorted ranges, and `alone(x, where)` for
/// items that only one of them has.
template <class Range, class Name, class Both, class Alone>
void merge(const Range& a, const Range& b, Name name, Both both, Alone alone) {
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() || right != b.end()) {
    if (right == b.end() || (left != a.end() && name(*left) < name(*right))) {
      alone(name(*left++), "the index");
    } else if (left == a.end() || name(*right) < name(*left)) {
      alone(name(*right++), "the HDF5 part");
    } else {
      both(*left++, *right++);
    }
  }
}

}  // namespace

std::vector<std::string> differences_between_readers(const std::string& path) {
  const CheckpointReader by_index{InputFile(path)};
  by_index.verify_rest();
  const CheckpointReader by_hdf5(import_hdf5(by_index.file(), by_index.index().user_block_bytes));

  std::vector<std::string> differences;
  merge(
      by_index.index().tensors, by_hdf5.index().tensors,
      [](const TensorRecord& tensor) { return tensor.path; },
      [&](const TensorRecord& a, const TensorRecord& b) {
        if (a.shape != b.shape || a.dtype != b.dtype) {
          differences.push_back(fmt::format("'{}' is {} {} in the index, {} {} in the HDF5 part",
                                            a.path, name_of(a.dtype), a.shape, name_of(b.dtype),
                                            b.shape));
        } else if (a.digest != b.digest) {
          differences.push_back(fmt::format("'{}' has other values in the HDF5 part", a.path));
        }
      },
      [&](const std::string& name, const char* where) {
        differences.push_back(fmt::format("'{}' is in {} only", name, where));
      });
  merge(
      by_index.index().metadata, by_hdf5.index().metadata,
      [](const auto& attribute) { return attribute.first; },
      [&](const auto& a, const auto& b) {
        if (a.second != b.second) {
          differences.push_back(
              fmt::format("the attribute '{}' is another text in the HDF5 part", a.first));
        }
      },
      [&](const std::string& name, const char* where) {
        differences.push_back(fmt::format("the attribute '{}' is in {} only", name, where));
      });
  return differences;
}

}  // namespace rw::io::detail
