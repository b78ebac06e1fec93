#pragma once

#include <algorithm>

#include <rewind/autograd/matmul.hpp>
#include <rewind/autograd/movement.hpp>
#include <rewind/autograd/views.hpp>
#include <rewind/layers/cell.hpp>

namespace rw {

enum class Direction { forward, backward };

/// Runs a cell over time: x [T, B, input] -> y [T, B, output], y_t, s_t = cell(x_t, s_{t-1}).
///
/// Direction::backward starts at the last step; outputs stay in the order of the inputs. T = 0
/// gives an empty output and returns the initial state. Throws ShapeError when x does not have
/// three axes or a state does not fit the batch.
template <Cell C>
struct Recurrent {
  using State = typename C::State;

  C cell;
  Direction direction = Direction::forward;

  State initial_state(std::int64_t batch) const { return cell.initial_state(batch); }
  std::int64_t output_size() const { return cell.output_size(); }

  /// Starts from the cell's initial state.
  std::pair<Tensor, State> operator()(const Tensor& x) const {
    check_sequence(x);
    return (*this)(x, initial_state(x.size(1)));
  }

  /// Starts from `state`; returns the outputs of all steps and the state after the last.
  std::pair<Tensor, State> operator()(const Tensor& x, State state) const {
    check_sequence(x);
    const std::int64_t steps = x.size(0);
    for_each_tensor(state, [&](const Tensor& s) {
      check_shape(
          s.rank() >= 1 && s.size(0) == x.size(1),
          "recurrent: the initial state is {}, expected a first axis of {}, the batch of x {}",
          s.shape(), x.size(1), x.shape());
    });
    if (steps == 0) {
      return {zeros({0, x.size(1), output_size()}, x.dtype()), std::move(state)};
    }
    TensorList outputs(static_cast<std::size_t>(steps));
    for (std::int64_t done = 0, chunk = 0; done < steps; done += chunk) {
      chunk = std::min(steps_at_once(x), steps - done);
      const std::int64_t begin = direction == Direction::forward ? done : steps - done - chunk;
      Tensor input = slice(x, 0, begin, begin + chunk);
      bool exclusive = false;
      if constexpr (ProjectingCell<C>) {
        input = projected(input, x);
        exclusive = detail::is_sole_owner(input);  // Note [Products in place]
      }
      for (std::int64_t i = 0; i < chunk; ++i) {
        const std::int64_t t = direction == Direction::forward ? i : chunk - 1 - i;
        Tensor now = select(input, 0, t);
        if (exclusive) {
          detail::mark_exclusive(now);
        }
        Tensor& y = outputs[static_cast<std::size_t>(begin + t)];
        if constexpr (ProjectingCell<C>) {
          std::tie(y, state) = cell.step(std::move(now), state);
        } else {
          std::tie(y, state) = cell(now, state);
        }
      }
    }
    return {stack(std::span<const Tensor>(outputs), 0), std::move(state)};
  }

  template <class Visit>
  void parameters(Visit&& visit) {
    visit("cell", cell);
  }

 private:
  // The projected inputs of several steps make one efficient product; those of a long sequence
  // would fall out of the processor's caches before their steps come, in both directions. Hence
  // chunks: enough rows for the product, and not much more.
  static std::int64_t steps_at_once(const Tensor& x) {
    constexpr std::int64_t enough_rows = 512;
    return std::max<std::int64_t>(1, enough_rows / std::max<std::int64_t>(1, x.size(1)));
  }

  Tensor projected(const Tensor& chunk, const Tensor& x) const {
    try {
      return cell.project(chunk);
    } catch (const ShapeError&) {
      cell.project(x);  // throws the same, about the x that the caller knows
      throw;
    }
  }

  static void check_sequence(const Tensor& x) {
    check_shape(x.rank() == 3,
                "recurrent: x is {}, expected three axes [T, B, features], time first; unsqueeze a "
                "single sequence to a batch of one",
                x.shape());
  }
};

}  // namespace rw
