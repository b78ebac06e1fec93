#pragma once

#include <optional>

#include <rewind/autograd/tensor/rng.hpp>

namespace rw {

/// The generator that dropout draws from: an Rng in training, none in evaluation, where nothing is
/// dropped.
///
///     auto [y, state] = lstm(x, rng);     // training
///     auto [y, state] = lstm(x);          // evaluation
class OptionalRng {
 public:
  explicit(false) OptionalRng(std::nullopt_t) {}
  explicit(false) OptionalRng(Rng& rng) : rng_(&rng) {}

  explicit operator bool() const { return rng_ != nullptr; }
  Rng& operator*() const { return *rng_; }

 private:
  Rng* rng_ = nullptr;
};

}  // namespace rw
