#pragma once

#include <concepts>
#include <utility>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// On which side of a sequence the steps stand that fill it up to the length of its batch.
enum class Padding { after, before };

/// How many steps of each sequence of a padded batch [T, B, ...] are its own, and on which side the
/// padding stands. `lengths` is int64 [B], each from 0 to T; undefined (Tensor()) means T for all.
///
/// A tensor of lengths turns into one by itself, with the padding behind; so does whatever has both
/// members, such as a Sequence:
///
///     Tensor loss = sequence_mse(y, target, lengths);
///     Tensor loss = sequence_mse(y, target, {lengths, Padding::before});
///     Tensor loss = sequence_mse(lstm(sequence).first, target, sequence);
struct Lengths {
  Tensor lengths;
  Padding padding = Padding::after;

  Lengths() = default;
  template <class T>
  requires std::convertible_to<const T&, Tensor>
  explicit(false) Lengths(const T& each) : lengths(each) {}
  Lengths(Tensor each, Padding side) : lengths(std::move(each)), padding(side) {}
  template <class T>
  requires requires(const T& sequence) {
    { sequence.lengths } -> std::convertible_to<Tensor>;
    { sequence.padding } -> std::convertible_to<Padding>;
  }
  explicit(false) Lengths(const T& sequence)
      : lengths(sequence.lengths), padding(sequence.padding) {}
};

}  // namespace rw
