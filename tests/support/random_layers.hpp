#pragma once
// Random parameters and states for layers, so that tests do not use special values such as zero.

#include <cstdint>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tensor/rng.hpp>
#include <rewind/layers/cell.hpp>

namespace rw::testing {

/// Changes every parameter by random numbers.
template <class Layer>
void shake(Layer& layer, Rng& rng) {
  for (const NamedParameter& entry : parameters(layer)) {
    const Tensor& value = entry.parameter->value();
    entry.parameter->assign(value + rng.normal(value.shape(), 0, 0.3, value.dtype()));
  }
}

/// The same for biases, gains and peepholes only: matrices are already random.
template <class Layer>
void shake_vectors(Layer& layer, Rng& rng) {
  for (const NamedParameter& entry : parameters(layer)) {
    const Tensor& value = entry.parameter->value();
    if (value.rank() == 1) {
      entry.parameter->assign(value + rng.normal(value.shape(), 0, 0.3, value.dtype()));
    }
  }
}

/// A random state of a network or cell.
template <class Net>
auto random_state(const Net& net, std::int64_t batch, Rng& rng) {
  auto state = net.initial_state(batch);
  for_each_tensor(state, [&](Tensor& s) { s = rng.normal(s.shape(), 0, 0.5, s.dtype()); });
  return state;
}

/// Copies the values of `from` into `to`, which may have another type.
template <class From, class To>
void copy_parameters(From& from, To& to) {
  const ParameterList source = parameters(from);
  const ParameterList target = parameters(to);
  for (std::size_t i = 0; i < source.size(); ++i) {
    target[i].parameter->assign(source[i].parameter->value().to(target[i].parameter->dtype()));
  }
}

}  // namespace rw::testing
