#pragma once
// All paths of a small problem of connectionist temporal classification, enumerated.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/tensor/tensor.hpp>

#include "numbers.hpp"

namespace rw::testing {

using Labels = std::vector<Size>;

/// The label sequences of a batch as [S, B], padded with `padding`.
inline Tensor columns(const std::vector<Labels>& batch, Size padding = 0) {
  std::size_t longest = 0;
  for (const Labels& labels : batch) {
    longest = std::max(longest, labels.size());
  }
  Labels all(longest * batch.size(), padding);
  for (std::size_t b = 0; b < batch.size(); ++b) {
    for (std::size_t s = 0; s < batch[b].size(); ++s) {
      all[s * batch.size() + b] = batch[b][s];
    }
  }
  return Tensor::from<Size>({static_cast<Size>(longest), static_cast<Size>(batch.size())}, all);
}

/// A path with repeated classes merged and then blanks removed.
inline Labels collapsed(const Labels& path, Size blank) {
  Labels labels;
  for (std::size_t t = 0; t < path.size(); ++t) {
    if (path[t] != blank && (t == 0 || path[t] != path[t - 1])) {
      labels.push_back(path[t]);
    }
  }
  return labels;
}

/// Every path through T steps of C classes, with its probability under one sequence's logits.
inline void for_each_path(const Tensor& logits,
                          const std::function<void(const Labels& path, double p)>& body) {
  const Size steps = logits.size(0);
  const Size classes = logits.size(2);
  const Numbers p = numbers(softmax(logits.to(DType::float64)));
  Size count = 1;
  for (Size t = 0; t < steps; ++t) {
    count *= classes;
  }
  for (Size i = 0; i < count; ++i) {
    Labels path;
    double product = 1;
    for (Size t = 0, rest = i; t < steps; ++t, rest /= classes) {
      path.push_back(rest % classes);
      product *= p[static_cast<std::size_t>(t * classes + path.back())];
    }
    body(path, product);
  }
}

/// All label sequences of up to `longest` labels.
inline std::vector<Labels> all_labels(Size classes, Size blank, std::size_t longest) {
  std::vector<Labels> all = {{}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (Size c = 0; all[i].size() < longest && c < classes; ++c) {
      if (c != blank) {
        Labels longer = all[i];
        longer.push_back(c);
        all.push_back(longer);
      }
    }
  }
  return all;
}

}  // namespace rw::testing
