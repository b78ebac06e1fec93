#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <unordered_set>

#include <fmt/format.h>

#include <rewind/io/detail/checkpoint_index.hpp>

namespace rw::io::detail {
namespace {

static_assert(std::endian::native == std::endian::little);

// The first byte is not ASCII and the last is a line end, so that a transfer as text is detected.
constexpr std::array<unsigned char, 8> magic = {0x89, 'R', 'E', 'W', 'I', 'N', 'D', '\n'};
constexpr std::uint64_t min_user_block_bytes = 512;

// Where the fields of the header begin.
constexpr std::size_t version_at = 8;
constexpr std::size_t user_block_bytes_at = 12;
constexpr std::size_t index_bytes_at = 16;
constexpr std::size_t file_bytes_at = 24;
constexpr std::size_t digest_at = 32;
constexpr std::size_t rest_at = 48;

// The types, in the order of their numbers in the file.
constexpr std::array<DType, 3> types = {DType::float32, DType::float64, DType::int64};

/// Appends numbers and texts to bytes.
class Encoder {
 public:
  template <class Number>
  void number(Number value) {
    std::array<std::byte, sizeof(Number)> bytes;
    std::memcpy(bytes.data(), &value, sizeof(Number));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void count(std::size_t value) { number(static_cast<std::uint32_t>(value)); }
  void text(std::string_view value) {
    count(value.size());
    const auto* begin = reinterpret_cast<const std::byte*>(value.data());
    bytes_.insert(bytes_.end(), begin, begin + value.size());
  }
  void texts(const std::map<std::string, std::string>& pairs) {
    count(pairs.size());
    for (const auto& [name, value] : pairs) {
      text(name);
      text(value);
    }
  }
  void digest(const Digest& value) { bytes_.insert(bytes_.end(), value.begin(), value.end()); }

  std::vector<std::byte> bytes() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

std::vector<std::byte> encode_body(const Index& index) {
  Encoder to;
  to.text(index.writer);
  to.texts(index.metadata);
  to.count(index.objects.size());
  for (const ObjectRecord& object : index.objects) {
    to.text(object.path);
    to.text(object.kind);
    to.texts(object.options);
  }
  to.count(index.tensors.size());
  for (const TensorRecord& tensor : index.tensors) {
    to.text(tensor.path);
    to.number(static_cast<std::uint8_t>(std::ranges::find(types, tensor.dtype) - types.begin()));
    to.number(static_cast<std::uint8_t>(tensor.shape.rank()));
    for (const std::int64_t size : tensor.shape) {
      to.number(static_cast<std::uint64_t>(size));
    }
    to.number(tensor.offset);
    to.number(tensor.bytes());
    to.digest(tensor.digest);
  }
  return std::move(to).bytes();
}

std::uint64_t user_block_bytes_for(std::size_t body_bytes) {
  const std::uint64_t bytes =
      std::bit_ceil(std::max<std::uint64_t>(header_bytes + body_bytes, min_user_block_bytes));
  check<UsageError>(bytes <= max_user_block_bytes,
                    "checkpoint: the names, attributes and paths take {} MiB, expected less than "
                    "{} MiB",
                    body_bytes >> 20, max_user_block_bytes >> 20);
  return bytes;
}

template <class Number>
void put(std::span<std::byte> bytes, std::size_t at, Number value) {
  std::memcpy(bytes.subspan(at, sizeof(Number)).data(), &value, sizeof(Number));
}

template <class Number>
Number get(std::span<const std::byte> bytes, std::size_t at) {
  Number value;
  std::memcpy(&value, bytes.subspan(at, sizeof(Number)).data(), sizeof(Number));
  return value;
}

Digest get_digest(std::span<const std::byte> bytes, std::size_t at) {
  Digest digest;
  std::ranges::copy(bytes.subspan(at, digest.size()), digest.begin());
  return digest;
}

/// Reads numbers and texts from untrusted bytes.
class Decoder {
 public:
  Decoder(const std::string& name, std::span<const std::byte> bytes) : name_(name), left_(bytes) {}

  template <class Number>
  Number number() {
    return get<Number>(take(sizeof(Number)), 0);
  }
  /// A count of items, each of which takes at least `least` bytes.
  std::size_t count(std::size_t least) {
    const auto value = number<std::uint32_t>();
    require(value <= left_.size() / least, "counts more than it holds");
    return value;
  }
  std::string text(std::size_t most = std::numeric_limits<std::size_t>::max()) {
    const std::span<const std::byte> bytes = take(count(1));
    require(bytes.size() <= most, "has a name that is too long");
    const auto* begin = reinterpret_cast<const char*>(bytes.data());
    return {begin, begin + bytes.size()};
  }
  std::map<std::string, std::string> texts() {
    std::map<std::string, std::string> pairs;
    const std::size_t size = count(2 * sizeof(std::uint32_t));
    require(size <= texts_left_, "has too many texts");
    texts_left_ -= size;
    for (std::size_t left = size; left > 0; --left) {
      std::string key = text(max_attribute_bytes);
      require(!key.empty() && key.find('\0') == std::string::npos, "has a text without a name");
      require(pairs.empty() || pairs.rbegin()->first < key, "has texts out of order");
      std::string value = text();
      require(value.find('\0') == std::string::npos, "has a text with a NUL");
      pairs.emplace_hint(pairs.end(), std::move(key), std::move(value));
    }
    return pairs;
  }
  Digest digest() { return get_digest(take(sizeof(Digest)), 0); }

  bool at_end() const { return left_.empty(); }
  void require(bool condition, const char* why) const {
    if (!condition) [[unlikely]] {
      fail_refused(name_, fmt::format("its index {}", why));
    }
  }

 private:
  std::span<const std::byte> take(std::size_t bytes) {
    require(bytes <= left_.size(), "ends too early");
    const std::span<const std::byte> taken = left_.first(bytes);
    left_ = left_.subspan(bytes);
    return taken;
  }

  const std::string& name_;
  std::span<const std::byte> left_;
  std::size_t texts_left_ = max_objects;  // bounds memory: a short text takes more than its bytes
};

ObjectRecord decode_object(Decoder& from) {
  ObjectRecord object;
  object.path = from.text();
  from.require(is_valid_path(object.path), "has an invalid path");
  object.kind = from.text();
  object.options = from.texts();
  for (const auto& [path, value] : object.options) {
    from.require(is_valid_path(path), "has an invalid option");
  }
  return object;
}

TensorRecord decode_tensor(Decoder& from, std::uint64_t user_block_bytes,
                           std::uint64_t file_bytes) {
  TensorRecord tensor;
  tensor.path = from.text();
  from.require(is_valid_path(tensor.path), "has an invalid path");
  const auto type = from.number<std::uint8_t>();
  from.require(type < types.size(), "has a tensor of an unknown type");
  tensor.dtype = types[type];
  const auto rank = from.number<std::uint8_t>();
  from.require(rank <= Shape::max_rank, "has a tensor of more than five axes");
  std::array<std::int64_t, Shape::max_rank> sizes{};
  for (std::size_t axis = 0; axis < rank; ++axis) {
    sizes[axis] = from.number<std::int64_t>();
  }
  try {
    tensor.shape = Shape(std::span<const std::int64_t>(sizes).first(rank));
  } catch (const ShapeError&) {
    from.require(false, "has a tensor of more values than fit into memory");
  }
  tensor.offset = from.number<std::uint64_t>();
  const auto bytes = from.number<std::uint64_t>();
  from.require(bytes == tensor.bytes(), "has a tensor whose bytes do not fit its shape");
  from.require(bytes == 0 ? tensor.offset == 0
                          : tensor.offset >= user_block_bytes && tensor.offset <= file_bytes &&
                                bytes <= file_bytes - tensor.offset,
               "has a tensor outside the file");
  tensor.digest = from.digest();
  return tensor;
}

/// Checks that a checkpoint may hold these tensors and the groups above them.
void check_tensors(const Decoder& from, const Index& index) {
  std::unordered_set<std::string_view> groups;
  for (const TensorRecord& tensor : index.tensors) {
    const std::string_view path = tensor.path;
    for (std::size_t end = path.rfind('/'); end != std::string_view::npos;
         end = path.rfind('/', end - 1)) {
      if (!groups.insert(path.substr(0, end)).second) {
        break;  // the groups above it are in the set too
      }
    }
  }
  from.require(index.tensors.size() + groups.size() <= max_objects, "has too many tensors");
  from.require(std::ranges::none_of(index.tensors,
                                    [&](const TensorRecord& tensor) {
                                      return groups.contains(std::string_view(tensor.path));
                                    }),
               "has a tensor that is also a group");

  std::uint64_t end = index.user_block_bytes;
  std::uint64_t values = 0;
  for (const TensorRecord* tensor : by_offset(index)) {
    from.require(tensor->offset >= end, "has tensors that overlap");
    end = tensor->offset + tensor->bytes();
    values += tensor->bytes();
  }
  from.require(index.file_bytes - index.user_block_bytes - values <= max_rest_bytes,
               "leaves too much of the file unused");
}

}  // namespace

bool is_valid_name(std::string_view name) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return !name.empty() && name.size() <= max_name_bytes && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && std::ranges::none_of(name, is_control);
}

bool is_valid_path(std::string_view path) {
  int depth = 0;
  std::size_t begin = 0;
  while (depth < max_depth) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (!is_valid_name(path.substr(begin, end - begin))) {
      return false;
    }
    if (end == path.size()) {
      return true;
    }
    begin = end + 1;
    ++depth;
  }
  return false;
}

std::vector<const TensorRecord*> by_offset(const Index& index) {
  std::vector<const TensorRecord*> tensors;
  for (const TensorRecord& tensor : index.tensors) {
    if (tensor.bytes() > 0) {
      tensors.push_back(&tensor);
    }
  }
  std::ranges::sort(tensors, {}, &TensorRecord::offset);
  return tensors;
}

std::vector<Gap> gaps(const Index& index) {
  std::vector<Gap> found;
  std::uint64_t begin = index.user_block_bytes;
  for (const TensorRecord* tensor : by_offset(index)) {
    if (tensor->offset > begin) {
      found.push_back({begin, tensor->offset});
    }
    begin = tensor->offset + tensor->bytes();
  }
  if (index.file_bytes > begin) {
    found.push_back({begin, index.file_bytes});
  }
  return found;
}

bool has_index(std::span<const std::byte> start) {
  return start.size() >= magic.size() && std::memcmp(start.data(), magic.data(), magic.size()) == 0;
}

std::uint64_t user_block_bytes_of(const Index& index) {
  return user_block_bytes_for(encode_body(index).size());
}

std::vector<std::byte> encode(const Index& index) {
  const std::vector<std::byte> body = encode_body(index);
  const std::uint64_t size = user_block_bytes_for(body.size());
  std::vector<std::byte> block(size);
  std::memcpy(block.data(), magic.data(), magic.size());
  put(block, version_at, format_version);
  put(block, user_block_bytes_at, static_cast<std::uint32_t>(size));
  put(block, index_bytes_at, static_cast<std::uint64_t>(body.size()));
  put(block, file_bytes_at, index.file_bytes);
  put(block, rest_at, index.rest);
  std::ranges::copy(body, block.begin() + header_bytes);
  put(block, digest_at, digest_of(block));
  return block;
}

Header decode_header(const std::string& name, std::span<const std::byte, header_bytes> start,
                     std::uint64_t file_bytes) {
  const auto version = get<std::uint32_t>(start, version_at);
  if (version != format_version) {
    fail_refused(name, fmt::format("it has format version {}, expected {}; read it with the "
                                   "version of Rewind that wrote it",
                                   version, format_version));
  }
  const Header header = {get<std::uint32_t>(start, user_block_bytes_at),
                         get<std::uint64_t>(start, index_bytes_at)};
  const auto expected = get<std::uint64_t>(start, file_bytes_at);
  if (file_bytes != expected) {
    fail_corrupt(name, fmt::format("it has {} bytes, expected {}", file_bytes, expected));
  }
  if (!std::has_single_bit(header.user_block_bytes) ||
      header.user_block_bytes < min_user_block_bytes ||
      header.user_block_bytes > std::min(max_user_block_bytes, file_bytes) ||
      header.index_bytes > header.user_block_bytes - header_bytes) {
    fail_corrupt(name, "its header gives impossible sizes");
  }
  return header;
}

Index decode(const std::string& name, const Header& header, std::span<const std::byte> user_block,
             std::uint64_t file_bytes) {
  const std::array<std::byte, sizeof(Digest)> nothing{};
  Hasher hasher;
  hasher.update(user_block.first(digest_at));
  hasher.update(nothing);
  hasher.update(user_block.subspan(digest_at + nothing.size()));
  if (hasher.digest() != get_digest(user_block, digest_at)) {
    fail_corrupt(name, "its index does not match its digest");
  }

  Decoder from(name, user_block.subspan(header_bytes, header.index_bytes));
  Index index;
  index.user_block_bytes = header.user_block_bytes;
  index.file_bytes = file_bytes;
  index.rest = get_digest(user_block, rest_at);
  index.writer = from.text();
  index.metadata = from.texts();
  constexpr std::size_t least_object = 3 * sizeof(std::uint32_t);
  for (std::size_t left = from.count(least_object); left > 0; --left) {
    ObjectRecord object = decode_object(from);
    from.require(index.objects.size() < max_objects, "has too many objects");
    from.require(index.objects.empty() || index.objects.back().path < object.path,
                 "has objects out of order");
    index.objects.push_back(std::move(object));
  }
  constexpr std::size_t least_tensor =
      sizeof(std::uint32_t) + 2 + 2 * sizeof(std::uint64_t) + sizeof(Digest);
  for (std::size_t left = from.count(least_tensor); left > 0; --left) {
    TensorRecord tensor = decode_tensor(from, header.user_block_bytes, file_bytes);
    from.require(index.tensors.size() < max_objects, "has too many tensors");
    from.require(index.tensors.empty() || index.tensors.back().path < tensor.path,
                 "has tensors out of order");
    index.tensors.push_back(std::move(tensor));
  }
  from.require(from.at_end(), "has bytes left over at its end");
  from.require(std::ranges::all_of(user_block.subspan(header_bytes + header.index_bytes),
                                   [](std::byte byte) { return byte == std::byte{}; }),
               "is followed by bytes that are not zero");
  check_tensors(from, index);
  return index;
}

void fail_corrupt(const std::string& name, const std::string& why) {
  throw CheckpointCorrupt(
      fmt::format("checkpoint '{}' is damaged or cut off: {}; use an older checkpoint", name, why));
}

void fail_refused(const std::string& name, const std::string& why) {
  throw CheckpointRefused(fmt::format("checkpoint '{}' is refused: {}", name, why));
}

}  // namespace rw::io::detail
