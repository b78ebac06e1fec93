#pragma once

#include <rewind/autograd/dropout.hpp>
#include <rewind/autograd/substitution.hpp>
#include <rewind/layers/cell.hpp>

namespace rw {

/// What a recurrent layer drops at random in training. All are probabilities from 0 to 1.
///
/// `states` and `weights` change the matrices through which a cell reads its state, the parameters
/// called "w_h", once for a whole run: they cost nothing per step, and serve any cell that keeps to
/// that name.
struct RecurrentDropout {
  /// Variational dropout of the state (Gal & Ghahramani 2016): the same units of h are dropped at
  /// all steps where the cell reads them. The mask is one on the rows of w_h, so the sequences of a
  /// batch share it.
  double states = 0.0;
  /// Dropout of single weights of w_h (Wan et al. 2013; Merity et al. 2018).
  double weights = 0.0;
  /// Zoneout (Krueger et al. 2017): each unit of h keeps its previous value, drawn at each step
  /// anew; without an Rng (evaluation) h is the expectation, p h' + (1 - p) h. An output that is
  /// the state itself follows it.
  double zoneout = 0.0;
  /// Zoneout of the state's other tensors, such as the cell state of an LSTM.
  double zoneout_cell = 0.0;
};

namespace detail {

/// Throws UsageError unless every probability is from 0 to 1.
void check_probabilities(const RecurrentDropout& dropout);
/// The recurrent matrix `w` [hidden, ...] with its dropout.
Tensor dropped_matrix(const Tensor& w, const RecurrentDropout& dropout, Rng& rng);
/// Throws UsageError for a cell that has no parameter called "w_h".
void check_matrices_found(bool found);
/// next where a unit moves on, previous where it stays; the expectation without an Rng.
Tensor zoneout(const Tensor& previous, const Tensor& next, double p, Rng* rng);

/// `cell` as it is for one run. Throws UsageError when it has no parameter called "w_h".
template <Cell C>
C with_dropped_matrices(const C& cell, const RecurrentDropout& dropout, Rng& rng) {
  bool found = false;
  C changed = with_values(cell, [&](std::string_view name, const Tensor& value) {
    found = found || name == "w_h";
    return name == "w_h" ? dropped_matrix(value, dropout, rng) : value;
  });
  check_matrices_found(found);
  return changed;
}

/// Replaces what a step gave by what zoneout leaves of it.
template <class State>
void zone_out(const State& before, Tensor& y, State& next, const RecurrentDropout& dropout,
              Rng* rng) {
  const Tensor output = y;
  State previous = before;
  TensorList old;
  for_each_tensor(previous, [&](const Tensor& tensor) { old.push_back(tensor); });
  std::size_t i = 0;
  for_each_tensor(next, [&](Tensor& tensor) {
    const double p = i == 0 ? dropout.zoneout : dropout.zoneout_cell;
    const Tensor kept = zoneout(old[i++], tensor, p, rng);
    if (output.same_as(tensor)) {
      y = kept;
    }
    tensor = kept;
  });
}

}  // namespace detail
}  // namespace rw
