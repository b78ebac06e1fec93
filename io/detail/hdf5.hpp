#pragma once
// What the HDF5 reader and writer share. The only file that includes hdf5.h.

#include <mutex>
#include <string>
#include <utility>

#include <hdf5.h>

#include <rewind/autograd/tensor/dtype.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Only its holder may call HDF5. The process forks only while nobody holds it, so that the child
/// finds HDF5 idle.
std::mutex& hdf5_mutex();

/// Everything that calls HDF5 holds the mutex and one of these, which switches off HDF5's own
/// printing of errors and its loading of filters from shared libraries.
class Hdf5Session {
 public:
  Hdf5Session();
  Hdf5Session(const Hdf5Session&) = delete;
  Hdf5Session& operator=(const Hdf5Session&) = delete;
  ~Hdf5Session();

  /// A name for a file in memory. It is unique, because HDF5 takes two files of the same name for
  /// one; and too long for a file on disk, because HDF5 rejects the name of an existing file.
  std::string unique_name() const;

 private:
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned plugins_ = 0;
};

/// A handle of an HDF5 object, closed at the end of its scope.
class Hdf5Id {
 public:
  Hdf5Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hdf5Id(const Hdf5Id&) = delete;
  Hdf5Id& operator=(const Hdf5Id&) = delete;
  ~Hdf5Id() {
    if (id_ >= 0) {
      close_(id_);
    }
  }
  explicit(false) operator hid_t() const { return id_; }
  herr_t close() { return close_(std::exchange(id_, H5I_INVALID_HID)); }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// What HDF5's innermost function reported when the last call failed.
std::string hdf5_cause();

/// The HDF5 type of a dataset of `dtype`.
hid_t hdf5_type(DType dtype);

inline constexpr const char* hdf5_version_attribute = "rewind:format_version";
/// The version of the part of a file that HDF5 reads.
inline constexpr std::int64_t hdf5_format_version = 1;

}  // namespace rw::io::detail

#pragma GCC visibility pop
