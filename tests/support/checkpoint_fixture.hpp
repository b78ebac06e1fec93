#pragma once
// What the tests of checkpoints share.

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/io/checkpoint.hpp>

namespace checkpoints {

namespace fs = std::filesystem;
namespace io = rw::io;
using rw::Shape;
using rw::StateList;
using rw::Tensor;

/// An empty directory of its own for each test.
struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "rewind-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path); }

  std::string operator/(const char* name) const { return path / name; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  fs::path path;
};

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

inline std::string bytes_of(const Tensor& x) {
  const Tensor dense = x.clone();
  std::string bytes(static_cast<std::size_t>(dense.elements()) * rw::size_of(dense.dtype()), '\0');
  rw::dispatch(dense.dtype(), [&](auto type) {
    if (!bytes.empty()) {
      std::memcpy(bytes.data(), dense.data<decltype(type)>(), bytes.size());
    }
  });
  return bytes;
}

inline std::string bytes_of(const StateList& state) {
  std::string bytes;
  for (const rw::StateEntry& entry : state) {
    bytes += entry.path + bytes_of(entry.tensor);
  }
  return bytes;
}

inline StateList zeros_like(const StateList& state) {
  StateList copy;
  for (const auto& [path, tensor, range] : state) {
    copy.push_back({path, rw::zeros(tensor.shape(), tensor.dtype())});
  }
  return copy;
}

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write(const std::string& path, std::string_view bytes) {
  fs::remove(path);  // some file systems flush to disk at once what replaces a truncated file
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// The message of the `Kind` that `f` throws.
template <class Kind, class F>
std::string message(F f) {
  try {
    f();
  } catch (const Kind& error) {
    return error.what();
  }
  BOOST_ERROR("no exception of the expected kind");
  return {};
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace checkpoints
