#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>
#include <vector>

#include <fmt/format.h>

#include <rewind/io/detail/hdf5.hpp>
#include <rewind/io/detail/hdf5_writer.hpp>

namespace rw::io::detail {
namespace {

constexpr const char* kind_attribute = "rewind:kind";
constexpr const char* tensors_attribute = "rewind:tensors";
constexpr const char* values_attribute = "rewind:values";
constexpr hsize_t alignment = 64;

/// Memory in which HDF5 builds a file, kept when HDF5 closes the file. (H5Fget_file_image, the
/// alternative, clears a flag in the superblock without updating the superblock's checksum.)
class FileMemory {
 public:
  FileMemory() = default;
  FileMemory(const FileMemory&) = delete;
  FileMemory& operator=(const FileMemory&) = delete;
  ~FileMemory() { std::free(data_); }

  H5FD_file_image_callbacks_t callbacks() {
    H5FD_file_image_callbacks_t result = {};
    result.image_realloc = [](void* data, std::size_t size, H5FD_file_image_op_t,
                              void* self) -> void* {
      void* const larger = std::realloc(data, size);
      if (larger != nullptr) {
        static_cast<FileMemory*>(self)->size_ = size;
      }
      return larger;
    };
    result.image_free = [](void* data, H5FD_file_image_op_t, void* self) -> herr_t {
      static_cast<FileMemory*>(self)->data_ = data;
      return 0;
    };
    result.udata_copy = [](void* self) { return self; };
    result.udata_free = [](void*) -> herr_t { return 0; };
    result.udata = this;
    return result;
  }

  /// The bytes of the closed file.
  Hdf5Skeleton release() {
    return {{static_cast<std::byte*>(std::exchange(data_, nullptr)), std::free}, size_};
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The size of a closed file, from its superblock (version 3).
std::uint64_t file_bytes_of(const Hdf5Skeleton& skeleton, std::uint64_t user_block_bytes) {
  constexpr std::size_t end_of_file = 28;
  std::uint64_t size = 0;
  for (std::size_t i = 8; i-- > 0;) {
    size = size << 8 |
           std::to_integer<std::uint64_t>(skeleton.data[user_block_bytes + end_of_file + i]);
  }
  return size;
}

/// Whether the datasets of a file have space in it, to which the values can be written.
enum class Places { none, all };

// Note [Values behind the metadata]
// The values never pass through HDF5, which would copy them into an image as large as the file.
// HDF5 only allocates space for each dataset, and the image ends with the last metadata that HDF5
// writes. All metadata must come before the values, so they are allocated as one block that has
// room for all. Its size is found by first building the same file without space for the values.

/// Builds the file in memory.
class Builder {
 public:
  Builder(const std::string& name, std::uint64_t user_block_bytes, Places places,
          std::uint64_t metadata_bytes)
      : name_(name),
        places_(places),
        names_(property_list(H5P_LINK_CREATE)),
        file_(create(user_block_bytes, metadata_bytes), H5Fclose) {
    check(H5Pset_char_encoding(names_, H5T_CSET_UTF8), "the options");
  }

  void write(Index& index) {
    write_attribute(file_, hdf5_version_attribute, hdf5_format_version);
    for (const auto& [key, value] : index.metadata) {
      write_attribute(file_, key, value);
    }
    for (TensorRecord& tensor : index.tensors) {
      write(tensor);
    }
    for (const ObjectRecord& object : index.objects) {
      describe(object, index);
    }
  }

  Hdf5Skeleton finish() {
    check(file_.close(), "the file");
    return memory_.release();
  }

 private:
  template <class Result>
  Result check(Result result, const std::string& what) const {
    if (result < 0) [[unlikely]] {
      throw CheckpointWriteError(fmt::format(
          "checkpoint '{}' was not saved: HDF5 cannot build {}: {}", name_, what, hdf5_cause()));
    }
    return result;
  }

  Hdf5Id property_list(hid_t kind) const {
    return {check(H5Pcreate(kind), "the options"), H5Pclose};
  }

  hid_t create(std::uint64_t user_block_bytes, std::uint64_t metadata_bytes) {
    const Hdf5Id creation(property_list(H5P_FILE_CREATE));
    check(H5Pset_obj_track_times(creation, false), "the options");
    check(H5Pset_userblock(creation, user_block_bytes), "the options");
    // Keeps all attributes in the root's header.
    check(H5Pset_attr_phase_change(creation, 65535, 65535), "the options");
    const Hdf5Id access(property_list(H5P_FILE_ACCESS));
    check(H5Pset_fapl_core(access, 1 << 16, false), "the options");
    H5FD_file_image_callbacks_t callbacks = memory_.callbacks();
    check(H5Pset_file_image_callbacks(access, &callbacks), "the options");
    check(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "the options");
    check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), "the options");
    check(H5Pset_alignment(access, 1, alignment), "the options");
    check(H5Pset_meta_block_size(access, metadata_bytes), "the options");
    check(H5Pset_small_data_block_size(access, 0), "the options");
    return check(H5Fcreate(session_.unique_name().c_str(), H5F_ACC_TRUNC, creation, access),
                 "the file");
  }

  void write(TensorRecord& tensor) {
    create_groups_above(tensor.path);
    const Shape& shape = tensor.shape;
    const std::vector<hsize_t> sizes(shape.begin(), shape.end());
    const Hdf5Id space(
        check(shape.rank() == 0 ? H5Screate(H5S_SCALAR)
                                : H5Screate_simple(shape.rank(), sizes.data(), nullptr),
              tensor.path),
        H5Sclose);
    const Hdf5Id creation(property_list(H5P_DATASET_CREATE));
    check(H5Pset_obj_track_times(creation, false), "the options");
    check(H5Pset_layout(creation, H5D_CONTIGUOUS), "the options");
    check(H5Pset_alloc_time(creation,
                            places_ == Places::all ? H5D_ALLOC_TIME_EARLY : H5D_ALLOC_TIME_LATE),
          "the options");
    check(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), "the options");
    const Hdf5Id dataset(check(H5Dcreate2(file_, tensor.path.c_str(), hdf5_type(tensor.dtype),
                                          space, names_, creation, H5P_DEFAULT),
                               tensor.path),
                         H5Dclose);
    tensor.offset = tensor.bytes() == 0 ? 0 : H5Dget_offset(dataset);
  }

  void create_groups_above(const std::string& path) {
    const Hdf5Id creation(property_list(H5P_GROUP_CREATE));
    check(H5Pset_obj_track_times(creation, false), "the options");
    for (std::size_t end = path.find('/'); end != std::string::npos;
         end = path.find('/', end + 1)) {
      const std::string group = path.substr(0, end);
      if (groups_.insert(group).second) {
        const Hdf5Id created(
            check(H5Gcreate2(file_, group.c_str(), names_, creation, H5P_DEFAULT), group),
            H5Gclose);
      }
    }
  }

  /// Describes an object in attributes of its group, if it has one.
  void describe(const ObjectRecord& object, const Index& index) {
    if (!groups_.contains(object.path)) {
      return;
    }
    std::int64_t tensors = 0;
    std::int64_t values = 0;
    for (const TensorRecord& tensor : index.tensors) {
      if (tensor.path.starts_with(object.path + "/")) {
        ++tensors;
        values += tensor.shape.elements();
      }
    }
    const Hdf5Id group(check(H5Gopen2(file_, object.path.c_str(), H5P_DEFAULT), object.path),
                       H5Gclose);
    if (!object.kind.empty()) {
      write_attribute(group, kind_attribute, object.kind);
    }
    write_attribute(group, tensors_attribute, tensors);
    write_attribute(group, values_attribute, values);
  }

  void write_attribute(hid_t owner, const std::string& name, const std::string& value) {
    const Hdf5Id type(check(H5Tcopy(H5T_C_S1), "a type"), H5Tclose);
    check(H5Tset_size(type, std::max<std::size_t>(value.size(), 1)), "a type");
    check(H5Tset_strpad(type, H5T_STR_NULLPAD), "the options");
    check(H5Tset_cset(type, H5T_CSET_UTF8), "the options");
    write_attribute(owner, name, type, type, value.data());
  }

  void write_attribute(hid_t owner, const std::string& name, std::int64_t value) {
    write_attribute(owner, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
  }

  void write_attribute(hid_t owner, const std::string& name, hid_t type, hid_t in_memory,
                       const void* value) {
    const Hdf5Id space(check(H5Screate(H5S_SCALAR), name), H5Sclose);
    const Hdf5Id creation(property_list(H5P_ATTRIBUTE_CREATE));
    check(H5Pset_char_encoding(creation, H5T_CSET_UTF8), "the options");
    const Hdf5Id attribute(
        check(H5Acreate2(owner, name.c_str(), type, space, creation, H5P_DEFAULT), name), H5Aclose);
    check(H5Awrite(attribute, in_memory, value), name);
  }

  Hdf5Session session_;
  const std::string& name_;
  Places places_;
  FileMemory memory_;
  Hdf5Id names_;  // options of links: their names are UTF-8
  Hdf5Id file_;
  std::set<std::string> groups_;
};

Hdf5Skeleton build(const std::string& name, Index& index, Places places,
                   std::uint64_t metadata_bytes) {
  Builder builder(name, index.user_block_bytes, places, metadata_bytes);
  builder.write(index);
  Hdf5Skeleton skeleton = builder.finish();
  index.file_bytes = file_bytes_of(skeleton, index.user_block_bytes);
  return skeleton;
}

}  // namespace

std::span<const std::byte> Hdf5Skeleton::part(std::uint64_t begin, std::uint64_t end) const {
  const std::span<const std::byte> all(data.get(), data_bytes);
  begin = std::min<std::uint64_t>(begin, data_bytes);
  return all.subspan(begin, std::min<std::uint64_t>(end, data_bytes) - begin);
}

Hdf5Skeleton build_hdf5_skeleton(const std::string& name, Index& index) {
  const std::scoped_lock lock(hdf5_mutex());
  // More than needed: HDF5 cuts off the unused rest of the last block.
  constexpr std::uint64_t much = 1 << 20;
  build(name, index, Places::none, much);
  return build(name, index, Places::all, index.file_bytes - index.user_block_bytes);
}

std::string hdf5_library_version() {
  const std::scoped_lock lock(hdf5_mutex());
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

}  // namespace rw::io::detail
