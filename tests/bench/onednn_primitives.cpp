#include "onednn_primitives.hpp"

#include <tuple>

namespace bench::onednn {

namespace {

/// `beginning`: the activation and the direction, if the cell has these arguments. `forms`: of
/// inputs, weights and outputs, in the order of the cell's arguments.
template <class Forward, class Backward, class Beginning, class AllForms>
Primitives choose_cell(Mode mode, const Beginning& beginning, const AllForms& forms,
                       const dnnl::engine& engine) {
  const auto ahead = [&](dnnl::prop_kind use) {
    return std::apply([&](const auto&... told) { return choose<Forward>(engine, use, told...); },
                      std::tuple_cat(beginning, forms));
  };
  Primitives p;
  const auto forward = ahead(mode == Mode::training ? dnnl::prop_kind::forward_training
                                                    : dnnl::prop_kind::forward_inference);
  p.forward = Forward(forward);
  p.w_x = forward.weights_layer_desc();
  p.w_h = forward.weights_iter_desc();
  if (mode == Mode::training) {
    // A gradient has the form of its tensor.
    const auto backward = std::apply(
        [&](const auto&... told) {
          return choose_backward<Backward>(engine, forward, dnnl::prop_kind::backward, told...);
        },
        std::tuple_cat(beginning, forms, forms));
    p.backward = Backward(backward);
    p.workspace = forward.workspace_desc();
    p.back_w_x = backward.weights_layer_desc();
    p.back_w_h = backward.weights_iter_desc();
    p.back_dw_x = backward.diff_weights_layer_desc();
    p.back_dw_h = backward.diff_weights_iter_desc();
  }
  return p;
}

}  // namespace

Primitives choose_primitives(Kind kind, Mode mode, const Forms& f, const dnnl::engine& engine) {
  const memory::desc none;  // no final states are requested
  const auto beginning = std::tuple(f.direction);
  const auto forms = std::tuple(f.x, f.state, f.w_x, f.w_h, f.bias, f.y, none);
  switch (kind) {
    case Kind::rnn:
      return choose_cell<dnnl::vanilla_rnn_forward, dnnl::vanilla_rnn_backward>(
          mode, std::tuple(dnnl::algorithm::eltwise_tanh, f.direction), forms, engine);
    case Kind::lstm:
      return choose_cell<dnnl::lstm_forward, dnnl::lstm_backward>(
          mode, beginning,
          std::tuple(f.x, f.state, f.cell_state, f.w_x, f.w_h, f.bias, f.y, none, none), engine);
    case Kind::gru:
      return choose_cell<dnnl::lbr_gru_forward, dnnl::lbr_gru_backward>(mode, beginning, forms,
                                                                        engine);
    case Kind::gru_reset_before:
      return choose_cell<dnnl::gru_forward, dnnl::gru_backward>(mode, beginning, forms, engine);
    case Kind::custom:
      break;
  }
  throw std::logic_error("bench: oneDNN has no such cell");
}

}  // namespace bench::onednn
