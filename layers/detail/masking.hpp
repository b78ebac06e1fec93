#pragma once

#include <rewind/layers/sequence.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// [B, T] of the steps' type: 1 where a sequence has a step, 0 in the padding; undefined without
/// lengths. `who` names the caller in the errors of lengths that do not fit.
Tensor step_mask(const char* who, const Sequence& sequence);

/// x where the mask is not 0, `other` elsewhere, whatever x is there; the mask broadcasts.
Tensor masked(const Tensor& x, const Tensor& mask, double other);

/// Steps [T, B, features] with zeros where the mask [B, T] of step_mask has them, whatever is
/// there; as they are where there is none.
Tensor without_padding(const Tensor& steps, const Tensor& mask);

/// softmax over the last axis among the scores whose mask is not 0; the others get 0, and so do all
/// where there are none. The mask broadcasts; undefined: softmax.
Tensor masked_softmax(const Tensor& scores, const Tensor& mask);

}  // namespace rw::detail

#pragma GCC visibility pop
