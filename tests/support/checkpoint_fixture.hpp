#pragma once
// What the tests of checkpoints share.

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <rewind/io/checkpoint.hpp>

#include "bytes_of.hpp"
#include "messages.hpp"
#include "temporary_folder.hpp"

namespace rw::testing::checkpoints {

namespace fs = std::filesystem;
namespace io = rw::io;
using Folder = TemporaryFolder;
using rw::Shape;
using rw::StateList;
using rw::Tensor;
using testing::bytes_of;
using testing::contains;
using testing::content_of;
using testing::message_of;

/// 1/3, 2/3, ... times `scale`, of any type.
inline Tensor numbers(const Shape& shape, rw::DType dtype = rw::DType::float32, double scale = 1) {
  Tensor x = rw::zeros(shape, dtype);
  rw::dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    T* to = x.mutable_data<T>();
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      to[i] = static_cast<T>(scale * static_cast<double>(i + 1) *
                             (rw::is_floating(dtype) ? 1.0 / 3 : 3e12));
    }
  });
  return x;
}

inline StateList zeros_like(const StateList& state) {
  StateList copy;
  for (const auto& [path, tensor, range] : state) {
    copy.push_back({path, rw::zeros(tensor.shape(), tensor.dtype())});
  }
  return copy;
}

inline void write(const std::string& path, std::string_view bytes) {
  fs::remove(path);  // some file systems flush to disk at once if a truncated file is rewritten
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace rw::testing::checkpoints
