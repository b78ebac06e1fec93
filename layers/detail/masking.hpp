#pragma once

#include <rewind/layers/sequence.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// [B, T] of the steps' type: 1 where a sequence has a step, 0 in the padding; undefined without
/// lengths. `who` is named in errors about lengths that do not fit.
Tensor step_mask(const char* who, const Sequence& sequence);

/// x where the mask is not 0, `other` elsewhere, even where x is NaN; the mask broadcasts.
Tensor masked(const Tensor& x, const Tensor& mask, double other);

/// Steps [T, B, features] with zeros where the mask [B, T] of step_mask is 0; unchanged if the mask
/// is undefined.
Tensor without_padding(const Tensor& steps, const Tensor& mask);

/// softmax over the last axis of the scores whose mask is not 0; the others get 0, as does a row
/// without any. The mask broadcasts; undefined: plain softmax.
Tensor masked_softmax(const Tensor& scores, const Tensor& mask);

}  // namespace rw::detail

#pragma GCC visibility pop
