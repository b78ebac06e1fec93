#include <array>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/autograd/tensor/splitmix.hpp>
#include <rewind/io/split.hpp>

namespace rw {
namespace {

Part part_at(std::uint64_t hash, const SplitOptions& options) {
  check<UsageError>(options.valid >= 0 && options.test >= 0 && options.valid + options.test <= 1,
                    "split: the shares are {} for validation and {} for the test, expected at "
                    "least 0 and together at most 1",
                    options.valid, options.test);
  const double place = detail::unit_interval(hash);
  if (place < options.test) {
    return Part::test;
  }
  return place < options.test + options.valid ? Part::valid : Part::train;
}

}  // namespace

std::uint64_t stable_hash(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
  }
  return detail::mixed(hash + seed * detail::mix_increment);
}

std::uint64_t stable_hash(std::int64_t number, std::uint64_t seed) {
  std::array<char, 8> bytes{};
  auto rest = static_cast<std::uint64_t>(number);
  for (char& byte : bytes) {
    byte = static_cast<char>(rest & 0xFF);
    rest >>= 8;
  }
  return stable_hash(std::string_view(bytes.data(), bytes.size()), seed);
}

Part part_of(std::string_view key, const SplitOptions& options) {
  return part_at(stable_hash(key, options.seed), options);
}

Part part_of(std::int64_t key, const SplitOptions& options) {
  return part_at(stable_hash(key, options.seed), options);
}

}  // namespace rw
