#pragma once

#include <rewind/autograd/fuse/broadcast.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/layers/cell.hpp>
#include <rewind/layers/detail/packing.hpp>
#include <rewind/layers/detail/recorded_run.hpp>
#include <rewind/layers/detail/run_layer.hpp>
#include <rewind/layers/detail/running_rows.hpp>
#include <rewind/layers/detail/time_loop.hpp>
#include <rewind/layers/recurrent_dropout.hpp>

namespace rw {

/// Runs a cell over time: x [T, B, input] -> y [T, B, output], y_t, s_t = cell(x_t, s_{t-1}).
///
/// x is a tensor or a Sequence with lengths: each sequence then ends separately, and its last state
/// is the one after its own last step. Direction::backward starts at each sequence's last step;
/// outputs keep the order of the inputs. T = 0 gives an empty output and, like a length of 0, the
/// initial state. Throws ShapeError when x does not have three axes or lengths or a state do not
/// fit.
template <class C>
struct Recurrent {
  static_assert(sizeof(detail::CheckedCell<C>) > 0);
  using State = typename detail::StateOf<C>::State;

  C cell;
  Direction direction = Direction::forward;
  /// New masks are drawn in each run that is given an Rng.
  RecurrentDropout dropout = {};
  /// A learned initial state: see learn_initial_state().
  std::vector<Parameter> start = {};

  /// The cell's own initial state, usually zeros, or the learned one, the same for each sequence.
  State initial_state(std::int64_t batch) const;
  /// Makes the initial state a parameter, initialised to the cell's own.
  void learn_initial_state();
  std::int64_t output_size() const { return cell.output_size(); }

  /// The outputs of all steps and the state after the last, from the initial state. An Rng, given
  /// in training, draws `dropout`.
  std::pair<Tensor, State> operator()(const Sequence& x, OptionalRng rng = std::nullopt) const {
    return operator()(x, started(x), rng);
  }
  std::pair<Tensor, State> operator()(const Sequence& x, State state,
                                      OptionalRng rng = std::nullopt) const {
    if constexpr (Cell<C>) {
      return run(x, std::move(state), rng);
    }
  }

  /// The result of a run and the states after all steps: one state of tensors [T, B, ...], with
  /// zeros in the padding.
  struct Trace {
    Tensor y;
    State last;
    State states;
  };
  Trace trace(const Sequence& x) const { return trace(x, started(x)); }
  Trace trace(const Sequence& x, State state) const;

  template <class Visit>
  void options(Visit&& visit) const {
    visit("kind", "recurrent");
    visit("direction", direction);
    visit("dropout_states", dropout.states);
    visit("dropout_weights", dropout.weights);
    visit("zoneout", dropout.zoneout);
    visit("zoneout_cell", dropout.zoneout_cell);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("cell", cell);
    visit("start", start);
  }

 private:
  static constexpr const char* name = detail::name_of_cell<C>();

  State started(const Sequence& x) const {
    if constexpr (Cell<C>) {
      return initial_state(detail::batch_of(name, x));
    }
  }

  std::pair<Tensor, State> run(const Sequence& x, State state, OptionalRng rng,
                               StateVector<State>* each = nullptr) const;

  /// Runs `used`, which is the cell or its copy with dropout.
  Tensor outputs(const C& used, const detail::Packing& packing, const Sequence& x,
                 detail::RunningRows& running, State& state, OptionalRng rng,
                 StateVector<State>* each, detail::RecordedRun* recorded) const;
};

template <class C>
auto Recurrent<C>::initial_state(std::int64_t batch) const -> State {
  State state = cell.initial_state(batch);
  std::size_t i = 0;
  for_each_tensor(state, [&](Tensor& tensor) {
    if (i < start.size()) {
      tensor = expand(start[i++], tensor.shape());
    }
  });
  return state;
}

template <class C>
void Recurrent<C>::learn_initial_state() {
  start.clear();
  State state = cell.initial_state(1);
  for_each_tensor(state, [&](const Tensor& tensor) { start.emplace_back(tensor); });
}

template <class C>
auto Recurrent<C>::trace(const Sequence& x, State state) const -> Trace {
  StateVector<State> each;
  auto [y, last] = run(x, std::move(state), std::nullopt, &each);
  const detail::Packing packing(name, x, direction);
  State states = cell.initial_state(packing.batch());
  std::size_t k = 0;
  for_each_tensor(states, [&](Tensor& tensor) {
    TensorList rows;
    for (const State& after : each) {
      rows.push_back(detail::tensors_of(after)[k]);
    }
    ++k;
    tensor = rows.empty()
                 ? zeros({x.steps.size(0), packing.batch(), tensor.columns()}, x.steps.dtype())
                 : packing.padded(concat(std::span<const Tensor>(rows), 0));
  });
  return {std::move(y), std::move(last), std::move(states)};
}

template <class C>
auto Recurrent<C>::run(const Sequence& x, State state, OptionalRng rng,
                       StateVector<State>* each) const -> std::pair<Tensor, State> {
  const detail::Packing packing(name, x, direction);
  detail::RunningRows rows(packing);
  for_each_tensor(state, [&](const Tensor& s) { rows.check(name, s, x.steps); });
  detail::check_probabilities(dropout);
  if (packing.steps() == 0) {
    const Shape& shape = x.steps.shape();
    return {zeros({shape[0], shape[1], output_size()}, x.steps.dtype()), std::move(state)};
  }
  auto recorded = detail::begin_recording(cell, direction, dropout, packing, x, state, rng);
  for_each_tensor(state, [&](Tensor& s) { s = packing.by_length(s); });
  Tensor y;
  if (rng && (dropout.states > 0 || dropout.weights > 0)) {
    const C changed = detail::with_dropped_matrices(cell, dropout, *rng);
    y = outputs(changed, packing, x, rows, state, rng, each, recorded.get());
  } else {
    y = outputs(cell, packing, x, rows, state, rng, each, recorded.get());
  }
  detail::end_recording(std::move(recorded));
  for_each_tensor(state, [&](Tensor& s) { s = rows.finish(s); });
  return {std::move(y), std::move(state)};
}

template <class C>
Tensor Recurrent<C>::outputs(const C& used, const detail::Packing& packing, const Sequence& x,
                             detail::RunningRows& running, State& state, OptionalRng rng,
                             StateVector<State>* each, detail::RecordedRun* recorded) const {
  const bool zones = dropout.zoneout > 0 || dropout.zoneout_cell > 0;
  if (each != nullptr) {
    each->resize(static_cast<std::size_t>(packing.steps()));
  }
  detail::TimeLoop<C> loop(used, packing, x);
  while (loop.next()) {
    running.shorten(state, loop.step());
    auto [y, next] = loop.run(state);
    if (zones) {
      if (recorded != nullptr && rng) {
        recorded->steps[static_cast<std::size_t>(loop.step())].rng.emplace(*rng);
      }
      detail::apply_zoneout(state, y, next, dropout, rng);
    }
    if (recorded != nullptr) {
      detail::note_step(*recorded, loop.step(), loop.inputs(), state, y, next);
    }
    if (each != nullptr) {
      (*each)[static_cast<std::size_t>(loop.step())] = next;
    }
    if (each == nullptr && recorded == nullptr) {
      state = loop.place(y, std::move(next));
    } else {
      loop.put(y);  // a state that others see must not share memory with the outputs
      state = std::move(next);
    }
  }
  return loop.finish();
}

}  // namespace rw
