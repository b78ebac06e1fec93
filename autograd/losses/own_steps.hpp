#pragma once

#include <rewind/autograd/losses/lengths.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

namespace rw::detail {

/// The lengths [batch] of a batch's sequences as a dense int64 tensor; undefined `lengths` mean
/// `longest` for all. `who` and `name` name function and argument in messages. Throws UsageError
/// for another type, ShapeError for another shape or a length outside [0, longest].
Tensor checked_lengths(const char* who, const char* name, const Tensor& lengths, std::int64_t batch,
                       std::int64_t longest);

/// The steps [begin(b), end(b)) of a padded batch that belong to sequence b.
class OwnSteps {
 public:
  /// Checks as checked_lengths does.
  OwnSteps(const char* who, const char* name, const Lengths& lengths, std::int64_t batch,
           std::int64_t longest)
      : lengths_(checked_lengths(who, name, lengths.lengths, batch, longest)),
        length_(lengths_.data<std::int64_t>()),
        longest_(longest),
        padding_(lengths.padding) {}

  std::int64_t length(std::int64_t b) const { return length_[b]; }
  std::int64_t begin(std::int64_t b) const {
    return padding_ == Padding::after ? 0 : longest_ - length_[b];
  }
  std::int64_t end(std::int64_t b) const { return begin(b) + length_[b]; }
  bool holds(std::int64_t t, std::int64_t b) const { return begin(b) <= t && t < end(b); }

 private:
  Tensor lengths_;
  const std::int64_t* length_;
  std::int64_t longest_;
  Padding padding_;
};

}  // namespace rw::detail
