#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/layers/embedding.hpp>

namespace rw {

Embedding::Embedding(const EmbeddingOptions& options, Rng& rng)
    : table(rng.normal({options.vocabulary, options.features}, 0.0, 1.0, options.dtype)) {}

Tensor Embedding::operator()(const Tensor& indices) const { return embedding(table, indices); }

}  // namespace rw
