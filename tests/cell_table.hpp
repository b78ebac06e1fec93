#pragma once
// Every cell of the library, one row each. Tests that take cells iterate over the rows, and a lint
// (tests/lint/tables.sh) reports a cell that has none. A row also needs the cell's naive_step in
// support/naive_cells.hpp.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <rewind/layers/elman.hpp>
#include <rewind/layers/gated_lstm.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/layer_norm_lstm.hpp>
#include <rewind/layers/light_gru.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/mgu.hpp>
#include <rewind/layers/network_cell.hpp>
#include <rewind/layers/peephole_lstm.hpp>
#include <rewind/layers/projected_lstm.hpp>
#include <rewind/layers/rnn.hpp>

#include "support/cell_options.hpp"

namespace rw::testing {

template <class C>
struct CellRow {
  using Cell = C;
  using Options = typename C::Options;

  std::string name;
  std::int64_t operations;                                 // recorded by each further step
  std::vector<std::string> parameters;                     // their paths
  std::vector<std::string> recurrent;                      // those that multiply the state
  std::function<void(Options&)> choose = [](Options&) {};  // a variant

  Options options(std::int64_t input, std::int64_t hidden, DType dtype = DType::float64) const {
    Options chosen = small_options<C>(input, hidden, dtype);
    choose(chosen);
    return chosen;
  }
};

/// Calls `body(row)` for each row.
template <class Body>
void for_each_cell(Body&& body) {
  using Paths = std::vector<std::string>;
  const Paths usual{"w_x", "w_h", "bias"};
  const Paths networks{"input_network/layers/0/weight", "input_network/layers/0/bias",
                       "input_network/layers/1/weight", "input_network/layers/1/bias",
                       "state_network/layers/0/weight", "state_network/layers/0/bias",
                       "state_network/layers/1/weight", "state_network/layers/1/bias"};
  const Paths of_state{"state_network/layers/0/weight", "state_network/layers/1/weight"};

  // A product and a fused pass; each further product or norm adds one.
  body(CellRow<RnnCell>{"rnn", 2, usual, {"w_h"}});
  body(CellRow<RnnCell>{
      "rnn with relu", 2, usual, {"w_h"}, [](auto& o) { o.activation = Activation::relu; }});
  body(CellRow<ElmanCell>{"elman", 3, {"w_x", "w_h", "w_o", "bias"}, {"w_h"}});
  body(CellRow<LstmCell>{"lstm", 2, usual, {"w_h"}});
  body(CellRow<NoForgetLstmCell>{"no_forget_lstm", 2, usual, {"w_h"}});
  body(CellRow<CoupledLstmCell>{"coupled_lstm", 2, usual, {"w_h"}});
  body(CellRow<PeepholeLstmCell>{"peephole_lstm", 2, {"w_x", "w_h", "peephole", "bias"}, {"w_h"}});
  body(CellRow<ProjectedLstmCell>{"projected_lstm", 3, {"w_x", "w_h", "w_r", "bias"}, {"w_h"}});
  body(CellRow<LayerNormLstmCell>{"layer_norm_lstm",
                                  5,
                                  {"w_x", "w_h", "gain_x", "gain_h", "gain_c", "bias", "bias_c"},
                                  {"w_h"}});
  body(CellRow<GruCell>{"gru", 2, {"w_x", "w_h", "bias", "bias_h"}, {"w_h"}});
  body(CellRow<GruCell>{"gru, reset before the product", 4, usual, {"w_h"}, [](auto& o) {
                          o.reset = Reset::before;
                        }});
  body(CellRow<LightGruCell>{"light_gru", 2, usual, {"w_h"}});
  body(CellRow<MguCell>{"mgu", 4, {"w_x", "u_f", "u_n", "bias"}, {"u_f", "u_n"}});
  body(CellRow<NetworkCell<ElmanGates<>>>{"rnn of networks", 5, networks, of_state});
  body(CellRow<NetworkCell<LstmGates>>{"lstm of networks", 5, networks, of_state});
}

}  // namespace rw::testing
