#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include <cxxabi.h>
#include <fmt/format.h>
#include <hdf5.h>

#include <rewind/io/detail/hdf5_file.hpp>

namespace rw::io::detail {
namespace {

constexpr std::int64_t format_version = 1;
constexpr const char* version_attribute = "rewind:format_version";
constexpr const char* kind_attribute = "rewind:kind";
constexpr const char* tensors_attribute = "rewind:tensors";
constexpr const char* values_attribute = "rewind:values";
constexpr hsize_t max_chunk_bytes = 1 << 20;
constexpr std::array<unsigned char, 8> signature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};

}  // namespace

/// Whoever calls HDF5 holds one of these: one thread at a time, with HDF5's own printing of errors
/// and its loading of filters from shared libraries switched off meanwhile.
class Session {
 public:
  Session() : lock_(mutex()) {
    // HDF5's clean-up at exit can crash after a failed operation; everything here closes itself.
    [[maybe_unused]] static const herr_t once = H5dont_atexit();
    H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    H5PLget_loading_state(&plugins_);
    H5PLset_loading_state(0);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    H5PLset_loading_state(plugins_);
    H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
  }

  /// A name for a file in memory: unique, because HDF5 takes two files of the same name for one,
  /// and too long for a file on disk, because HDF5 refuses the name of a file that exists.
  std::string unique_name() const {
    static std::uint64_t counter = 0;
    return fmt::format("{:0>300}", counter++);
  }

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }

  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned plugins_ = 0;
};

namespace {
/// What the innermost function of HDF5 said when the last call failed.
std::string cause() {
  std::array<char, 200> text = {};
  const auto copy = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->desc != nullptr) {
      std::strncpy(static_cast<char*>(out), error->desc, std::tuple_size_v<decltype(text)> - 1);
    }
    return 1;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, copy, text.data());
  return text[0] == '\0' ? "no reason given" : text.data();
}

}  // namespace

/// An object of HDF5, closed at the end of its scope.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  ~Id() {
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

namespace {

hid_t file_type(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return H5T_IEEE_F32LE;
    case DType::float64:
      return H5T_IEEE_F64LE;
    case DType::int64:
      break;
  }
  return H5T_STD_I64LE;
}

hid_t memory_type(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return H5T_NATIVE_FLOAT;
    case DType::float64:
      return H5T_NATIVE_DOUBLE;
    case DType::int64:
      break;
  }
  return H5T_NATIVE_INT64;
}

using Sizes = std::vector<hsize_t>;

/// The sizes of a chunk of at most max_chunk_bytes: whole rows where possible, and little waste in
/// the last chunk.
Sizes chunk_sizes(const Shape& shape, DType dtype) {
  Sizes chunk(shape.begin(), shape.end());
  hsize_t bytes = static_cast<hsize_t>(shape.elements()) * size_of(dtype);
  for (std::size_t axis = 0; axis < chunk.size() && bytes > max_chunk_bytes; ++axis) {
    const hsize_t size = chunk[axis];
    const hsize_t row_bytes = bytes / size;
    const hsize_t fitting = std::max<hsize_t>(max_chunk_bytes / row_bytes, 1);
    const hsize_t chunks = (size + fitting - 1) / fitting;
    chunk[axis] = (size + chunks - 1) / chunks;
    bytes = row_bytes * chunk[axis];
  }
  return chunk;
}

/// Memory in which HDF5 builds a file, and which it leaves here when it closes the file.
/// (H5Fget_file_image, the other way to get at the bytes, clears a flag in the superblock without
/// mending the checksum over it.)
class FileMemory {
 public:
  FileMemory() = default;
  FileMemory(const FileMemory&) = delete;
  FileMemory& operator=(const FileMemory&) = delete;
  ~FileMemory() { std::free(data_); }

  H5FD_file_image_callbacks_t callbacks() {
    H5FD_file_image_callbacks_t result = {};
    result.image_realloc = [](void* data, std::size_t size, H5FD_file_image_op_t, void*) {
      return std::realloc(data, size);
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

  /// The closed file. Its superblock (version 3) tells its size, which is less than that of the
  /// memory.
  Image release() {
    constexpr std::size_t end_of_file = 28;
    const auto* bytes = static_cast<const unsigned char*>(data_);
    std::size_t size = 0;
    for (std::size_t i = 8; i-- > 0;) {
      size = size << 8 | bytes[end_of_file + i];
    }
    return {{static_cast<std::byte*>(std::exchange(data_, nullptr)), std::free}, size};
  }

 private:
  void* data_ = nullptr;
};

/// Builds a checkpoint in memory.
class Writer {
 public:
  /// `bytes`: about how large the file will be.
  Writer(const std::string& name, std::size_t bytes)
      : name_(name), names_(property_list(H5P_LINK_CREATE)), file_(create(bytes), H5Fclose) {
    check(H5Pset_char_encoding(names_, H5T_CSET_UTF8), "the options");
  }

  void write_attribute(const std::string& name, const std::string& value) {
    write_attribute(file_, name, value);
  }

  void write_attribute(const std::string& name, std::int64_t value) {
    write_attribute(file_, name, value);
  }

  /// What the group of an object says about it.
  void describe(const std::string& group, const std::string& kind, std::int64_t tensors,
                std::int64_t values) {
    const Id object(check(H5Gopen2(file_, group.c_str(), H5P_DEFAULT), group), H5Gclose);
    if (!kind.empty()) {
      write_attribute(object, kind_attribute, kind);
    }
    write_attribute(object, tensors_attribute, tensors);
    write_attribute(object, values_attribute, values);
  }

  void write(const std::string& path, const Tensor& tensor) {
    create_groups_above(path);
    const Tensor values = tensor.is_contiguous() ? tensor : rw::detail::copy_of(tensor);
    const Shape& shape = values.shape();
    const Sizes sizes(shape.begin(), shape.end());
    const Id space(check(shape.rank() == 0 ? H5Screate(H5S_SCALAR)
                                           : H5Screate_simple(shape.rank(), sizes.data(), nullptr),
                         path),
                   H5Sclose);
    const Id creation(property_list(H5P_DATASET_CREATE));
    check(H5Pset_obj_track_times(creation, false), "the options");
    if (shape.rank() == 0 || shape.elements() == 0) {
      check(H5Pset_layout(creation, H5D_COMPACT), "the options");
    } else {
      const Sizes chunk = chunk_sizes(shape, values.dtype());
      check(H5Pset_chunk(creation, shape.rank(), chunk.data()), "the options");
      check(H5Pset_fletcher32(creation), "the options");
    }
    const Id dataset(check(H5Dcreate2(file_, path.c_str(), file_type(values.dtype()), space, names_,
                                      creation, H5P_DEFAULT),
                           path),
                     H5Dclose);
    if (shape.elements() > 0) {
      dispatch(values.dtype(), [&](auto type) {
        check(H5Dwrite(dataset, memory_type(values.dtype()), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                       values.data<decltype(type)>()),
              path);
      });
    }
  }

  Image finish() {
    check(file_.close(), "the file");
    return memory_.release();
  }

 private:
  template <class Result>
  Result check(Result result, const std::string& what) const {
    if (result < 0) [[unlikely]] {
      throw CheckpointWriteError(fmt::format(
          "checkpoint '{}' was not saved: HDF5 cannot build {}: {}", name_, what, cause()));
    }
    return result;
  }

  Id property_list(hid_t kind) const { return {check(H5Pcreate(kind), "the options"), H5Pclose}; }

  hid_t create(std::size_t bytes) {
    const Id creation(property_list(H5P_FILE_CREATE));
    check(H5Pset_obj_track_times(creation, false), "the options");
    // Keeps all attributes in the root's header, where checksums cover them.
    check(H5Pset_attr_phase_change(creation, 65535, 65535), "the options");
    const Id access(property_list(H5P_FILE_ACCESS));
    check(H5Pset_fapl_core(access, bytes / 16 + (1 << 16), false), "the options");
    H5FD_file_image_callbacks_t callbacks = memory_.callbacks();
    check(H5Pset_file_image_callbacks(access, &callbacks), "the options");
    check(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "the options");
    check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), "the options");
    return check(H5Fcreate(session_.unique_name().c_str(), H5F_ACC_TRUNC, creation, access),
                 "the file");
  }

  void create_groups_above(const std::string& path) {
    const Id creation(property_list(H5P_GROUP_CREATE));
    check(H5Pset_obj_track_times(creation, false), "the options");
    for (std::size_t end = path.find('/'); end != std::string::npos;
         end = path.find('/', end + 1)) {
      const std::string group = path.substr(0, end);
      if (groups_.insert(group).second) {
        const Id created(
            check(H5Gcreate2(file_, group.c_str(), names_, creation, H5P_DEFAULT), group),
            H5Gclose);
      }
    }
  }

  void write_attribute(hid_t owner, const std::string& name, const std::string& value) {
    const Id type(check(H5Tcopy(H5T_C_S1), "a type"), H5Tclose);
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
    const Id space(check(H5Screate(H5S_SCALAR), name), H5Sclose);
    const Id creation(property_list(H5P_ATTRIBUTE_CREATE));
    check(H5Pset_char_encoding(creation, H5T_CSET_UTF8), "the options");
    const Id attribute(
        check(H5Acreate2(owner, name.c_str(), type, space, creation, H5P_DEFAULT), name), H5Aclose);
    check(H5Awrite(attribute, in_memory, value), name);
  }

  Session session_;
  const std::string& name_;
  FileMemory memory_;
  Id names_;  // options of links: their names are UTF-8
  Id file_;
  std::set<std::string> groups_;
};

/// The name of the object's type in C++, such as "rw::Adam"; empty where it is not known.
std::string kind_of(const SavedObject& object) {
  if (object.type == nullptr) {
    return {};
  }
  constexpr std::size_t most = 1000;  // templates of templates have endless names
  int failed = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(object.type->name(), nullptr, nullptr, &failed), std::free);
  return std::string(failed == 0 ? name.get() : object.type->name()).substr(0, most);
}

}  // namespace

bool is_valid_name(std::string_view name) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return !name.empty() && name.size() <= max_name_bytes && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && std::ranges::none_of(name, is_control);
}

Image encode(const std::string& name, const StateList& state, const Attributes& attributes,
             const std::vector<SavedObject>& objects) {
  std::size_t bytes = 0;
  for (const StateEntry& entry : state) {
    bytes += static_cast<std::size_t>(entry.tensor.elements()) * size_of(entry.tensor.dtype());
  }
  Writer writer(name, bytes);
  writer.write_attribute(version_attribute, format_version);
  for (const auto& [key, value] : attributes) {
    writer.write_attribute(key, value);
  }
  for (const StateEntry& entry : state) {
    writer.write(entry.path, entry.tensor);
  }
  for (const SavedObject& object : objects) {
    std::int64_t tensors = 0;
    std::int64_t values = 0;
    for (const StateEntry& entry : state) {
      if (entry.path.starts_with(object.path + "/")) {
        ++tensors;
        values += entry.tensor.elements();
      }
    }
    if (tensors > 0) {  // else it has no group
      writer.describe(object.path, kind_of(object), tensors, values);
    }
  }
  return writer.finish();
}

struct Reader::Implementation {
  Implementation(std::string file_name, std::vector<std::byte> bytes)
      : name(std::move(file_name)),
        file_bytes(bytes.size()),
        file(open(std::move(bytes)), H5Fclose) {
    check_version();
  }

  template <class Result>
  Result check(Result result, const std::string& what) const {
    if (result < 0) [[unlikely]] {
      throw CheckpointCorrupt(fmt::format(
          "checkpoint '{}' is damaged or cut off: cannot read {}: {}; use an older checkpoint",
          name, what, cause()));
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

  hid_t open(std::vector<std::byte> bytes) const {
    if (bytes.size() < signature.size() ||
        !std::ranges::equal(signature, std::span(bytes).first(signature.size()), {}, {},
                            [](std::byte b) { return std::to_integer<unsigned char>(b); })) {
      throw CheckpointCorrupt(
          fmt::format("checkpoint '{}' is not an HDF5 file, or its start is damaged ({} bytes)",
                      name, bytes.size()));
    }
    const Id access(check(H5Pcreate(H5P_FILE_ACCESS), "options"), H5Pclose);
    check(H5Pset_fapl_core(access, 1 << 16, false), "options");
    check(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), "options");
    check(H5Pset_file_image(access, bytes.data(), bytes.size()), "the file");
    bytes = {};  // HDF5 has its own copy now
    return check(H5Fopen(session.unique_name().c_str(), H5F_ACC_RDONLY, access), "the file");
  }

  void check_version() const {
    require(check(H5Aexists(file, version_attribute), "the format version") > 0, "the file",
            "has no format version");
    const Id attribute(check(H5Aopen(file, version_attribute, H5P_DEFAULT), "the format version"),
                       H5Aclose);
    const Id type(check(H5Aget_type(attribute), "the format version"), H5Tclose);
    const Id space(check(H5Aget_space(attribute), "the format version"), H5Sclose);
    require(H5Tequal(type, H5T_STD_I64LE) > 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR,
            "the format version", "is not one integer");
    std::int64_t version = 0;
    check(H5Aread(attribute, H5T_NATIVE_INT64, &version), "the format version");
    if (version != format_version) {
      throw CheckpointRefused(
          fmt::format("checkpoint '{}' is refused: it has format version {}, expected {}; read it "
                      "with the version of Rewind that wrote it",
                      name, version, format_version));
    }
  }

  struct Link {
    std::string name;
    bool hard;
  };

  std::vector<Link> links(hid_t group, const std::string& path) const {
    std::vector<Link> found;
    const auto collect = [](hid_t, const char* link, const H5L_info_t* info, void* out) -> herr_t {
      auto& list = *static_cast<std::vector<Link>*>(out);
      if (list.size() > max_objects) {
        return 1;  // the caller refuses
      }
      // No exception may pass through HDF5.
      try {
        list.push_back({link, info->type == H5L_TYPE_HARD});
      } catch (const std::bad_alloc&) {
        return -1;
      }
      return 0;
    };
    check(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &found), path);
    return found;
  }

  void walk(hid_t group, const std::string& path, int depth) {
    const std::string here = path.empty() ? "the root" : path;
    require(depth < max_depth, here, "lies too deep");
    for (const Link& link : links(group, here)) {
      const std::string below = rw::detail::joined(path, link.name);
      require(++objects <= max_objects, "the file", "holds too many objects");
      require(is_valid_name(link.name), here, "holds an object with an unfit name");
      require(link.hard, below, "is a link to another place or file");
      const Id object(check(H5Oopen(group, link.name.c_str(), H5P_DEFAULT), below), H5Oclose);
      switch (H5Iget_type(object)) {
        case H5I_GROUP:
          walk(object, below, depth + 1);
          break;
        case H5I_DATASET:
          entries.push_back(describe(object, below));
          break;
        default:
          refuse(below, "is neither a group nor a dataset");
      }
    }
  }

  EntryInfo describe(hid_t dataset, const std::string& path) const {
    // First: asking a virtual dataset for its shape would already open other files.
    const Id creation(check(H5Dget_create_plist(dataset), path), H5Pclose);
    const H5D_layout_t layout = check(H5Pget_layout(creation), path);
    require(layout == H5D_COMPACT || layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED, path,
            "takes its values from other datasets");
    require(check(H5Pget_external_count(creation), path) == 0, path,
            "takes its values from another file");
    check_filters(creation, path);

    EntryInfo entry{path, shape(dataset, path), dtype(dataset, path)};
    const hsize_t bytes = static_cast<hsize_t>(entry.shape.elements()) * size_of(entry.dtype);
    const hsize_t stored = H5Dget_storage_size(dataset);
    require(bytes <= stored && stored <= file_bytes, path, "declares more values than it stores");
    if (layout == H5D_CHUNKED) {
      std::array<hsize_t, Shape::max_rank> sizes{};
      const int rank = check(H5Pget_chunk(creation, Shape::max_rank, sizes.data()), path);
      const Shape chunk = to_shape(std::span(sizes).first(static_cast<std::size_t>(rank)), path);
      require(static_cast<hsize_t>(chunk.elements()) <= file_bytes, path,
              "declares chunks larger than the file");
    }
    return entry;
  }

  void check_filters(hid_t creation, const std::string& path) const {
    const int count = check(H5Pget_nfilters(creation), path);
    for (int i = 0; i < count; ++i) {
      unsigned flags = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags,
                                                 &values, nullptr, 0, nullptr, nullptr);
      require(check(filter, path) == H5Z_FILTER_FLETCHER32, path, "is compressed or filtered");
    }
  }

  Shape shape(hid_t dataset, const std::string& path) const {
    const Id space(check(H5Dget_space(dataset), path), H5Sclose);
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
    const Id type(check(H5Dget_type(dataset), path), H5Tclose);
    for (const DType candidate : {DType::float32, DType::float64, DType::int64}) {
      if (check(H5Tequal(type, file_type(candidate)), path) > 0) {
        return candidate;
      }
    }
    refuse(path, "is not of type float32, float64 or int64, little-endian");
  }

  /// The text of a root attribute; nothing when it is not a fixed-length string.
  std::optional<std::string> text(const std::string& key) const {
    const Id attribute(check(H5Aopen(file, key.c_str(), H5P_DEFAULT), key), H5Aclose);
    const Id type(check(H5Aget_type(attribute), key), H5Tclose);
    const Id space(check(H5Aget_space(attribute), key), H5Sclose);
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

  Session session;
  std::string name;
  std::size_t file_bytes;
  Id file;
  std::size_t objects = 0;
  std::vector<EntryInfo> entries;
};

Reader::Reader(std::string name, std::vector<std::byte> bytes)
    : implementation_(std::make_unique<Implementation>(std::move(name), std::move(bytes))) {}

Reader::~Reader() = default;

std::vector<EntryInfo> Reader::entries() {
  implementation_->objects = 0;
  implementation_->entries.clear();
  implementation_->walk(implementation_->file, "", 0);
  std::ranges::sort(implementation_->entries, {}, &EntryInfo::path);
  return implementation_->entries;
}

Attributes Reader::attributes() {
  Attributes attributes;
  for (const std::string& key : implementation_->attribute_names()) {
    if (key.starts_with(own_prefix)) {
      continue;
    }
    if (std::optional<std::string> value = implementation_->text(key)) {
      attributes.emplace(key, *std::move(value));
    }
  }
  return attributes;
}

Tensor Reader::read(const EntryInfo& entry) {
  const Implementation& from = *implementation_;
  Tensor values = rw::detail::make_tensor(entry.shape, entry.dtype);
  if (entry.shape.elements() > 0) {
    const Id dataset(from.check(H5Dopen2(from.file, entry.path.c_str(), H5P_DEFAULT), entry.path),
                     H5Dclose);
    dispatch(entry.dtype, [&](auto type) {
      from.check(H5Dread(dataset, memory_type(entry.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                         values.mutable_data<decltype(type)>()),
                 entry.path);
    });
  }
  return values;
}

}  // namespace rw::io::detail
