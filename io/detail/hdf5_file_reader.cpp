#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <rewind/io/detail/hdf5.hpp>
#include <rewind/io/detail/hdf5_file_reader.hpp>

namespace rw::io::detail {

struct Hdf5FileReader::Implementation {
  Implementation(const std::string& file_name, std::span<const std::byte> file_bytes)
      : name(file_name), bytes(file_bytes), file(open(), H5Fclose) {
    check_version();
  }

  template <class Result>
  Result check(Result result, const std::string& what) const {
    if (result < 0) [[unlikely]] {
      throw CheckpointCorrupt(fmt::format(
          "checkpoint '{}' is damaged or cut off: cannot read {}: {}; use an older checkpoint",
          name, what, hdf5_cause()));
    }
    return result;
  }

  [[noreturn]] void refuse(const std::string& what, const char* why) const {
    throw CheckpointRefused(fmt::format(
        "checkpoint '{}' is refused: {} {}; expected a file written by Rewind", name, what, why));
  }

  void require(bool condition, const std::string& what, const char* why) const {
    if (!condition) [[unlikely]] {
      refuse(what, why);
    }
  }

  /// Callbacks that hand the file in memory to HDF5, which would otherwise copy it.
  H5FD_file_image_callbacks_t callbacks() {
    H5FD_file_image_callbacks_t result = {};
    result.image_malloc = [](std::size_t, H5FD_file_image_op_t, void* self) -> void* {
      return const_cast<std::byte*>(static_cast<Implementation*>(self)->bytes.data());
    };
    result.image_memcpy = [](void* to, const void*, std::size_t, H5FD_file_image_op_t, void*) {
      return to;
    };
    result.image_realloc = [](void*, std::size_t, H5FD_file_image_op_t, void*) -> void* {
      return nullptr;  // nothing is written
    };
    result.image_free = [](void*, H5FD_file_image_op_t, void*) -> herr_t { return 0; };
    result.udata_copy = [](void* self) { return self; };
    result.udata_free = [](void*) -> herr_t { return 0; };
    result.udata = this;
    return result;
  }

  hid_t open() {
    const Hdf5Id access(check(H5Pcreate(H5P_FILE_ACCESS), "options"), H5Pclose);
    check(H5Pset_fapl_core(access, 1 << 16, false), "options");
    check(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "options");
    H5FD_file_image_callbacks_t with = callbacks();
    check(H5Pset_file_image_callbacks(access, &with), "options");
    check(H5Pset_file_image(access, const_cast<std::byte*>(bytes.data()), bytes.size()),
          "the file");
    return check(H5Fopen(session.unique_name().c_str(), H5F_ACC_RDONLY, access), "the file");
  }

  void check_version() const {
    require(check(H5Aexists(file, hdf5_version_attribute), "the format version") > 0, "the file",
            "has no format version");
    const Hdf5Id attribute(
        check(H5Aopen(file, hdf5_version_attribute, H5P_DEFAULT), "the format version"), H5Aclose);
    const Hdf5Id type(check(H5Aget_type(attribute), "the format version"), H5Tclose);
    const Hdf5Id space(check(H5Aget_space(attribute), "the format version"), H5Sclose);
    require(H5Tequal(type, H5T_STD_I64LE) > 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR,
            "the format version", "is not one integer");
    std::int64_t version = 0;
    check(H5Aread(attribute, H5T_NATIVE_INT64, &version), "the format version");
    require(version == hdf5_format_version, "the file",
            "is of another format version; read it with the version of Rewind that wrote it");
  }

  struct Link {
    std::string name;
    bool hard;
  };

  std::vector<Link> links(hid_t group, const std::string& path) const {
    std::vector<Link> list;
    const auto collect = [](hid_t, const char* link, const H5L_info_t* info, void* out) -> herr_t {
      auto& known = *static_cast<std::vector<Link>*>(out);
      if (known.size() > max_objects) {
        return 1;  // the caller refuses
      }
      // No exception may pass through HDF5.
      try {
        known.push_back({link, info->type == H5L_TYPE_HARD});
      } catch (const std::bad_alloc&) {
        return -1;
      }
      return 0;
    };
    check(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &list), path);
    return list;
  }

  void walk(hid_t group, const std::string& path, int depth) {
    const std::string here = path.empty() ? "the root" : path;
    require(depth < max_depth, here, "lies too deep");
    for (const Link& link : links(group, here)) {
      const std::string below = rw::detail::joined(path, link.name);
      require(++objects <= max_objects, "the file", "holds too many objects");
      require(is_valid_name(link.name), here, "holds an object with an invalid name");
      require(link.hard, below, "is a link to another place or file");
      const Hdf5Id object(check(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), below), H5Oclose);
      switch (H5Iget_type(object)) {
        case H5I_GROUP:
          walk(object, below, depth + 1);
          break;
        case H5I_DATASET:
          found.push_back(describe(object, below));
          break;
        default:
          refuse(below, "is neither a group nor a dataset");
      }
    }
  }

  TensorRecord describe(hid_t dataset, const std::string& path) const {
    // Checked first: asking a virtual dataset for its shape would already open other files.
    const Hdf5Id creation(check(H5Dget_create_plist(dataset), path), H5Pclose);
    const H5D_layout_t layout = check(H5Pget_layout(creation), path);
    require(layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED, path,
            "takes its values from other datasets");
    require(check(H5Pget_external_count(creation), path) == 0, path,
            "takes its values from another file");
    check_filters(creation, path);

    TensorRecord tensor{path, shape(dataset, path), dtype(dataset, path)};
    if (tensor.bytes() > 0) {
      const hsize_t stored = H5Dget_storage_size(dataset);
      require(tensor.bytes() <= stored && stored <= bytes.size(), path,
              "declares more values than it stores");
      if (layout == H5D_CHUNKED) {
        check_chunks(dataset, creation, tensor);
      } else if (layout == H5D_CONTIGUOUS) {
        require(lies_inside(H5Dget_offset(dataset), tensor.bytes()), path, "lies outside the file");
      }
    }
    return tensor;
  }

  bool lies_inside(haddr_t offset, hsize_t size) const {
    return offset != HADDR_UNDEF && offset <= bytes.size() && size <= bytes.size() - offset;
  }

  /// Checks that every chunk of a dataset with values exists, lies inside the file, and has its
  /// declared size, because HDF5 copies as much as is declared.
  void check_chunks(hid_t dataset, hid_t creation, const TensorRecord& tensor) const {
    const std::string& path = tensor.path;
    std::array<hsize_t, Shape::max_rank> sizes{};
    const int rank = check(H5Pget_chunk(creation, Shape::max_rank, sizes.data()), path);
    require(rank == tensor.shape.rank(), path, "has chunks with another number of axes");
    const Shape chunk = to_shape(std::span(sizes).first(static_cast<std::size_t>(rank)), path);
    hsize_t chunks = 1;
    for (int axis = 0; axis < rank; ++axis) {
      require(chunk[axis] > 0 && chunk[axis] <= tensor.shape[axis], path,
              "declares chunks larger than its shape");
      chunks *= static_cast<hsize_t>((tensor.shape[axis] + chunk[axis] - 1) / chunk[axis]);
    }
    constexpr hsize_t checksum_bytes = 4;
    const hsize_t chunk_bytes = static_cast<hsize_t>(chunk.elements()) * size_of(tensor.dtype) +
                                (check(H5Pget_nfilters(creation), path) > 0 ? checksum_bytes : 0);

    const Hdf5Id space(check(H5Dget_space(dataset), path), H5Sclose);
    hsize_t stored = 0;
    check(H5Dget_num_chunks(dataset, space, &stored), path);
    require(stored == chunks, path, "declares more values than it stores");
    for (hsize_t i = 0; i < stored; ++i) {
      std::array<hsize_t, Shape::max_rank> where{};
      unsigned skipped_filters = 0;
      haddr_t offset = HADDR_UNDEF;
      hsize_t size = 0;
      check(H5Dget_chunk_info(dataset, space, i, where.data(), &skipped_filters, &offset, &size),
            path);
      require(skipped_filters == 0 && size == chunk_bytes && lies_inside(offset, size), path,
              "has a chunk of another size than it declares");
    }
  }

  void check_filters(hid_t creation, const std::string& path) const {
    const int count = check(H5Pget_nfilters(creation), path);
    require(count <= 1, path, "is compressed or filtered");
    for (int i = 0; i < count; ++i) {
      unsigned flags = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags,
                                                 &values, nullptr, 0, nullptr, nullptr);
      require(check(filter, path) == H5Z_FILTER_FLETCHER32, path, "is compressed or filtered");
    }
  }

  Shape shape(hid_t dataset, const std::string& path) const {
    const Hdf5Id space(check(H5Dget_space(dataset), path), H5Sclose);
    const H5S_class_t kind = H5Sget_simple_extent_type(space);
    require(kind == H5S_SCALAR || kind == H5S_SIMPLE, path, "has no shape");
    const int rank = check(H5Sget_simple_extent_ndims(space), path);
    require(rank <= Shape::max_rank, path, "has more than five axes");
    std::array<hsize_t, Shape::max_rank> sizes{};
    check(H5Sget_simple_extent_dims(space, sizes.data(), nullptr), path);
    return to_shape(std::span(sizes).first(static_cast<std::size_t>(rank)), path);
  }

  Shape to_shape(std::span<const hsize_t> sizes, const std::string& path) const {
    std::array<std::int64_t, Shape::max_rank> axes{};
    std::ranges::transform(sizes, axes.begin(),
                           [](hsize_t size) { return static_cast<std::int64_t>(size); });
    try {
      return Shape(std::span<const std::int64_t>(axes).first(sizes.size()));
    } catch (const ShapeError&) {
      refuse(path, "declares more values than fit into memory");
    }
  }

  DType dtype(hid_t dataset, const std::string& path) const {
    const Hdf5Id type(check(H5Dget_type(dataset), path), H5Tclose);
    for (const DType candidate : {DType::float32, DType::float64, DType::int64}) {
      if (check(H5Tequal(type, hdf5_type(candidate)), path) > 0) {
        return candidate;
      }
    }
    refuse(path, "is not of type float32, float64 or int64, little-endian");
  }

  /// The text of a root attribute; nothing unless it is a string of fixed length.
  std::optional<std::string> text(const std::string& key) const {
    const Hdf5Id attribute(check(H5Aopen(file, key.c_str(), H5P_DEFAULT), key), H5Aclose);
    const Hdf5Id type(check(H5Aget_type(attribute), key), H5Tclose);
    const Hdf5Id space(check(H5Aget_space(attribute), key), H5Sclose);
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 ||
        H5Sget_simple_extent_type(space) != H5S_SCALAR) {
      return std::nullopt;
    }
    const std::size_t bytes = H5Tget_size(type);
    require(bytes <= max_attribute_bytes, key, "is too long for an attribute");
    std::string value(bytes, '\0');
    check(H5Aread(attribute, type, value.data()), key);
    value.resize(std::min(value.find('\0'), value.size()));
    return value;
  }

  std::vector<std::string> attribute_names() const {
    std::vector<std::string> names;
    const auto collect = [](hid_t, const char* key, const H5A_info_t*, void* out) -> herr_t {
      try {
        static_cast<std::vector<std::string>*>(out)->emplace_back(key);
      } catch (const std::bad_alloc&) {
        return -1;
      }
      return 0;
    };
    check(H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names),
          "the attributes");
    return names;
  }

  Hdf5Session session;
  const std::string& name;
  std::span<const std::byte> bytes;
  Hdf5Id file;
  std::size_t objects = 0;
  std::vector<TensorRecord> found;
};

Hdf5FileReader::Hdf5FileReader(const std::string& name, std::span<const std::byte> bytes)
    : implementation_(std::make_unique<Implementation>(name, bytes)) {}

Hdf5FileReader::~Hdf5FileReader() = default;

std::vector<TensorRecord> Hdf5FileReader::tensors() {
  Implementation& from = *implementation_;
  from.objects = 0;
  from.found.clear();
  from.walk(from.file, "", 0);
  std::ranges::sort(from.found, {}, &TensorRecord::path);
  std::uint64_t left = from.bytes.size();
  for (const TensorRecord& tensor : from.found) {
    from.require(tensor.bytes() <= left, tensor.path,
                 "stores its values in the same place as others");
    left -= tensor.bytes();
  }
  return std::move(from.found);
}

Attributes Hdf5FileReader::attributes() {
  const Implementation& from = *implementation_;
  Attributes attributes;
  for (const std::string& key : from.attribute_names()) {
    if (key.starts_with(own_prefix)) {
      continue;
    }
    if (std::optional<std::string> value = from.text(key)) {
      attributes.emplace(key, *std::move(value));
    }
  }
  return attributes;
}

void Hdf5FileReader::read(const TensorRecord& tensor, std::span<std::byte> values) {
  const Implementation& from = *implementation_;
  const Hdf5Id dataset(
      from.check(H5Dopen2(from.file, tensor.path.c_str(), H5P_DEFAULT), tensor.path), H5Dclose);
  from.check(
      H5Dread(dataset, hdf5_type(tensor.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
      tensor.path);
}

}  // namespace rw::io::detail
