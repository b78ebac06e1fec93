#pragma once
// The content of the files tests/data/*.h5: a small model, its optimiser and a generator, with
// every type, an empty tensor and a single number. These values never change, because the files
// must always load.

#include <cstdint>
#include <limits>

#include <rewind/io/checkpoint.hpp>

namespace rw::testing::golden {

/// 1/3, 2/3, ... of a floating-point type; for int64, numbers beyond 2^53.
inline rw::Tensor numbers(const rw::Shape& shape, rw::DType dtype = rw::DType::float32) {
  rw::Tensor x = rw::zeros(shape, dtype);
  rw::dispatch(dtype, [&](auto type) {
    using T = decltype(type);
    T* to = x.mutable_data<T>();
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      if constexpr (std::is_same_v<T, std::int64_t>) {
        to[i] = std::numeric_limits<std::int64_t>::max() / 3 * (i % 2 == 0 ? 1 : -1) + i;
      } else {
        to[i] = static_cast<T>(i + 1) / 3;
      }
    }
  });
  return x;
}

inline rw::StateList state() {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  return {{"model/cell/w_x", numbers({3, 4})},
          {"model/cell/b", rw::Tensor::from<float>({4}, {0.0f, -0.0f, infinity, 1e-42f})},
          {"model/größe", numbers({2, 1, 2}, rw::DType::float64)},
          {"model/nothing", rw::zeros({0, 5})},
          {"optimizer/step", rw::scalar(7, rw::DType::int64)},
          {"optimizer/moment/w_x", numbers({3, 4}, rw::DType::float64)},
          {"rng", numbers({6}, rw::DType::int64)}};
}

inline rw::io::Attributes attributes() {
  return {
      {"cell", "lstm"}, {"empty", ""}, {"größe", "µ = 3 \n\t"}, {"seed", "18446744073709551615"}};
}

}  // namespace rw::testing::golden
