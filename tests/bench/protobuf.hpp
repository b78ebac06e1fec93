#pragma once

#include <cstdint>
#include <string>

namespace bench {

/// A message of protocol buffers, the format of ONNX models. Fields are numbers or bytes, each
/// after a key of its number and kind. A repeated field is a list.
class Message {
 public:
  Message& number(int field, std::int64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& bytes(int field, const std::string& value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  /// Seven bits per byte, lowest first; the eighth bit says that more follow.
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) {
      bytes_ += static_cast<char>(value | 128);
    }
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace bench
