#pragma once

#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tensor/rng.hpp>

namespace rw {

struct EmbeddingOptions {
  std::int64_t vocabulary = 0;
  std::int64_t features = 0;
  DType dtype = DType::float32;
};

/// Rows of a table: y[...] = table[indices[...]], indices int64 of any shape, table [vocabulary,
/// features], y [..., features].
///
/// The table is initialised with a standard normal distribution. Throws ShapeError for an index
/// outside [0, vocabulary).
struct Embedding {
  Parameter table;

  Embedding() = default;
  Embedding(const EmbeddingOptions& options, Rng& rng);

  Tensor operator()(const Tensor& indices) const;

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "embedding");
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("table", table);
  }
};

}  // namespace rw
