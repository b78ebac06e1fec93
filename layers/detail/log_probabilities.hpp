#pragma once

#include <vector>

#include <rewind/autograd/tensor/tensor.hpp>

#pragma GCC visibility push(hidden)

namespace rw::detail {

/// log softmax of row `row` of `logits`, in float64; false if the row contains a NaN or has no
/// finite largest logit, so that there are no probabilities.
bool read_log_probabilities(const Tensor& logits, std::int64_t row,
                            std::vector<double>& log_probabilities);

}  // namespace rw::detail

#pragma GCC visibility pop
