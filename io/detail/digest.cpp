// The only source that includes xxhash.h. It compiles xxHash's functions itself: for the build's
// instruction set, and without a library to link.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <rewind/io/detail/digest.hpp>

namespace rw::io::detail {
namespace {

Digest canonical(const XXH128_hash_t& hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  Digest digest;
  static_assert(sizeof(bytes.digest) == sizeof(digest));
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = std::byte{bytes.digest[i]};
  }
  return digest;
}

}  // namespace

struct Hasher::State {
  XXH3_state_t state;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->state); }
Hasher::~Hasher() = default;

void Hasher::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(&state_->state, bytes.data(), bytes.size());
}

Digest Hasher::digest() const { return canonical(XXH3_128bits_digest(&state_->state)); }

Digest digest_of(std::span<const std::byte> bytes) {
  return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

}  // namespace rw::io::detail
