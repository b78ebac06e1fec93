#pragma once

#include <rewind/layers/layer_name.hpp>

namespace rw {

/// Throws ShapeError, naming the cell `who`, unless `part` of its state, called `what`, is [batch,
/// width]: a narrower one would be broadcast silently. With {name, w_h} for `who` the message says
/// where in the model the cell is.
inline void check_state(const LayerName& who, const char* what, const Tensor& part,
                        std::int64_t batch, std::int64_t width) {
  check_shape(part.rank() == 2 && part.size(0) == batch && part.size(1) == width,
              "{}: {} of the state is {}, expected [{}, {}]; initial_state({}) gives one", who,
              what, part.shape(), batch, width, batch);
}

}  // namespace rw
