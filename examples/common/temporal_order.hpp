#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rewind/autograd/tensor/rng.hpp>

namespace examples::temporal_order {

/// The order of the one-hot encoding.
inline constexpr std::string_view symbols = "XYabcdBE";
/// The classes of two symbols: XX is Q, XY is R, YX is S, YY is U. With three symbols likewise: XXX
/// is Q and YYY is C.
inline constexpr std::string_view classes = "QRSU";
inline constexpr std::string_view classes_of_three = "QRSUVABC";

struct Range {
  std::int64_t low, high;  // inclusive
};

/// The length of the sequences, and the positions, counted from 0, of the two or three symbols that
/// matter.
struct Level {
  std::string_view name;
  Range length, first, second;
  Range third = {0, 0};  // there is none

  constexpr bool has_third() const { return third.high > 0; }
};

inline constexpr std::array levels{
    Level{"easy", {7, 8}, {1, 2}, {4, 5}},
    Level{"normal", {30, 40}, {2, 5}, {20, 27}},
    Level{"moderate", {60, 80}, {10, 20}, {45, 54}},
    Level{"hard", {100, 110}, {10, 20}, {50, 60}},
    Level{"nightmare", {300, 500}, {10, 80}, {250, 290}},
};

/// The paper's experiment 6b: three symbols, eight classes.
inline constexpr Level three{"three", {100, 110}, {10, 20}, {33, 43}, {66, 76}};

/// The level of that name, which must be one of them.
const Level& level(std::string_view name);
std::vector<std::string> level_names();

/// B, distractors a to d with an X or Y at two or three positions among them, E; and the class of
/// their order.
struct Sequence {
  std::string text;
  std::int64_t label;
};

/// A random sequence; every choice is uniform (Hochreiter and Schmidhuber 1997, experiments 6a and
/// 6b).
Sequence draw(const Level& level, rw::Rng& rng);

struct Batch {
  rw::Tensor x;  // [T, B, 8] one-hot; shorter sequences begin with zeros, so that all end at T - 1
  rw::Tensor labels;  // int64 [B]
};

Batch encode(std::span<const Sequence> sequences);

/// `count` random sequences, encoded.
Batch draw_batch(const Level& level, std::int64_t count, rw::Rng& rng);

}  // namespace examples::temporal_order
