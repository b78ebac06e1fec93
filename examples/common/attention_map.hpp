#pragma once

#include <string>

#include <rewind/autograd/tensor/tensor.hpp>

namespace examples {

/// Draws where a decoder looked while it wrote: weights [characters of `written`, characters of
/// `read`, or more], each from 0 to 1. DIR/attention.png, or in the terminal where there is no
/// folder or no gnuplot.
void plot_attention(const std::string& folder, const std::string& read, const std::string& written,
                    const rw::Tensor& weights);

}  // namespace examples
