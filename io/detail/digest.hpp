#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// 128 bits of XXH3, in the order in which xxHash prints them. They detect damage, not forgery:
/// anybody can compute them.
using Digest = std::array<std::byte, 16>;

/// The digest of bytes that arrive in pieces.
class Hasher {
 public:
  Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  ~Hasher();

  void update(std::span<const std::byte> bytes);
  /// The digest of all bytes so far.
  Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest digest_of(std::span<const std::byte> bytes);

}  // namespace rw::io::detail

#pragma GCC visibility pop
