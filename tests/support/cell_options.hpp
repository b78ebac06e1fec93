#pragma once

#include <cstdint>

#include <rewind/autograd/tensor/dtype.hpp>

namespace rw::testing {

/// The sizes in the options of cells. Each cell takes those that it has.
struct CellSizes {
  std::int64_t input = 0;
  std::int64_t hidden = 0;
  std::int64_t output = 4;
  std::int64_t projection = 2;
  std::int64_t input_network = 3;  // hidden units
  std::int64_t state_network = 2;
};

template <class Options>
Options options_of_sizes(const CellSizes& sizes, DType dtype) {
  Options options;
  options.input = sizes.input;
  options.hidden = sizes.hidden;
  options.dtype = dtype;
  if constexpr (requires { options.projection; }) {
    options.projection = sizes.projection;
  }
  if constexpr (requires { options.output; }) {
    options.output = sizes.output;
  }
  if constexpr (requires { options.input_network.depth; }) {
    options.input_network.hidden = sizes.input_network;
    options.state_network.hidden = sizes.state_network;
  }
  if constexpr (requires { options.epsilon; }) {
    options.epsilon = 0.1;  // rows of so few features may have little variance
  }
  return options;
}

/// Small options of any cell or network, with the sizes that only this cell has.
template <class C>
typename C::Options small_options(std::int64_t input, std::int64_t hidden,
                                  DType dtype = DType::float64) {
  return options_of_sizes<typename C::Options>({.input = input, .hidden = hidden}, dtype);
}

}  // namespace rw::testing
