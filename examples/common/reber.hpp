#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rewind/autograd/tensor/rng.hpp>

/// The embedded Reber grammar (Fahlman 1991; Hochreiter and Schmidhuber 1997, experiment 1).
///
/// A string is B, then T or P, then a string of the Reber grammar, then the same T or P again, then
/// E. So the second symbol determines the last but one, any number of steps later.
namespace examples::reber {

/// The order of the one-hot encoding.
inline constexpr std::string_view symbols = "BTSXPVE";

/// The symbols that may follow `prefix`; none after a complete string, or after something that
/// begins no string.
std::string legal_after(std::string_view prefix);

/// A random string: where there is a choice, both symbols are equally likely.
std::string draw(rw::Rng& rng);

/// True for every fifth string of at least 12 symbols, chosen by a hash: these are kept out of
/// training. Short strings are so few that each is the only example of its kind, so none is held
/// out.
bool held_out(std::string_view text);

/// The next random string that is held out, or the next that is not.
std::string draw(bool from_held_out, rw::Rng& rng);
std::vector<std::string> draw(bool from_held_out, std::int64_t count, rw::Rng& rng);

/// Strings of different lengths as one batch: the input is all but the last symbol, the target all
/// but the first.
struct Batch {
  rw::Tensor x;        // [T, B, 7] one-hot, zeros in the padding
  rw::Tensor target;   // int64 [T, B], 0 in the padding
  rw::Tensor lengths;  // int64 [B]
};

Batch encode(std::span<const std::string> strings);

/// For each string and each symbol but the last: whether in `logits` [T, B, 7] the lowest of the
/// legal next symbols is above the highest of all others.
std::vector<std::vector<bool>> right_steps(std::span<const std::string> strings,
                                           const rw::Tensor& logits);

}  // namespace examples::reber
