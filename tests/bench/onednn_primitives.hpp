#pragma once

#include "onednn.hpp"
#include "problem.hpp"

namespace bench::onednn {

/// Forms of a recurrent primitive's inputs and outputs. Without initial states, theirs are empty.
struct Forms {
  dnnl::rnn_direction direction;
  memory::desc x, state, cell_state, w_x, w_h, bias, y;
};

/// What the benchmark needs from a primitive of any cell.
struct Primitives {
  dnnl::primitive forward, backward;
  memory::desc w_x, w_h, workspace;                       // of the forward primitive
  memory::desc back_w_x, back_w_h, back_dw_x, back_dw_h;  // of the backward primitive
};

/// The primitives for that kind of cell; in inference only the forward one.
Primitives choose_primitives(Kind kind, Mode mode, const Forms& forms, const dnnl::engine& engine);

}  // namespace bench::onednn
