#pragma once

#include <concepts>
#include <utility>

#include <rewind/autograd/tensor/tensor.hpp>

namespace rw {

/// The side of a sequence on which it is padded to the length of its batch.
enum class Padding { after, before };

/// The length of each sequence of a padded batch [T, B, ...], and the side of the padding.
/// `lengths` is int64 [B], each from 0 to T; undefined (Tensor()) means T for all.
///
/// A tensor of lengths converts to one implicitly, with padding at the end; so does any type with
/// both members, such as a Sequence:
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
