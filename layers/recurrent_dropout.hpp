#pragma once

#include <rewind/autograd/operations/dropout.hpp>
#include <rewind/autograd/tape/substitution.hpp>
#include <rewind/layers/cell.hpp>
#include <rewind/layers/optional_rng.hpp>

namespace rw {

/// Dropout options of a recurrent layer, used in training. All are probabilities from 0 to 1.
///
/// `states` and `weights` modify the matrices through which a cell reads its state, once per run:
/// they cost nothing per step, and work for any cell that marks these matrices where it lists them:
/// visit("u", u, ParameterRole::recurrent). A parameter called "w_h" needs no mark. In a network
/// inside a cell (NetworkCell) every matrix counts. A cell without any throws UsageError.
struct RecurrentDropout {
  /// Variational dropout of the state (Gal & Ghahramani 2016): the same units of h are dropped at
  /// all steps where the cell reads them. The mask acts on the rows of a recurrent matrix, so the
  /// sequences of a batch share it; each matrix draws its own.
  double states = 0.0;
  /// Dropout of single recurrent weights (Wan et al. 2013; Merity et al. 2018).
  double weights = 0.0;
  /// Zoneout (Krueger et al. 2017): each unit of h keeps its previous value with this probability,
  /// drawn separately at each step; without an Rng (evaluation) h is the expectation, p h' + (1 -
  /// p) h. An output that is the state itself is changed with it.
  double zoneout = 0.0;
  /// Zoneout of the state's other tensors, such as the cell state of an LSTM.
  double zoneout_cell = 0.0;
};

namespace detail {

/// Throws UsageError unless every probability is from 0 to 1.
void check_probabilities(const RecurrentDropout& dropout);
/// The recurrent matrix `w` [units, ...] with its dropout.
Tensor dropped_matrix(const Tensor& w, const RecurrentDropout& dropout, Rng& rng);
/// Throws UsageError, naming the cell `who`, unless a recurrent matrix was found.
void check_matrices_found(const char* who, bool found);
/// `next` where a unit is updated, `previous` where it is kept; the expectation without an Rng.
Tensor zoneout(const Tensor& previous, const Tensor& next, double p, OptionalRng rng);

/// `cell` with the dropout of one run. Throws UsageError when it lists no recurrent matrix.
template <Cell C>
C with_dropped_matrices(const C& cell, const RecurrentDropout& dropout, Rng& rng) {
  bool found = false;
  const auto drop = [&](std::string_view name, const Tensor& value, ParameterRole role) {
    const bool recurrent = role == ParameterRole::recurrent || name == "w_h";
    found = found || recurrent;
    return recurrent ? dropped_matrix(value, dropout, rng) : value;
  };
  C changed = with_values(cell, drop);
  check_matrices_found(name_of_cell<C>(), found);
  return changed;
}

/// Applies zoneout to the result of a step.
template <class State>
void apply_zoneout(const State& before, Tensor& y, State& next, const RecurrentDropout& dropout,
                   OptionalRng rng) {
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
