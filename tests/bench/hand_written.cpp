#include "hand_written.hpp"

#include <algorithm>

#include <rewind/autograd/kernels/simd.hpp>

namespace bench {

namespace {

using V = rw::simd::Batch<float>;
constexpr std::int64_t width = V::size;

V load(const float* from) { return V::load_unaligned(from); }
void store(V value, float* to) { value.store_unaligned(to); }
V sigmoid(V x) { return rw::simd::sigmoid(x); }
V tanh(V x) { return rw::simd::tanh(x); }
/// Derivatives of sigmoid and tanh as functions of their value y.
V sigmoid_slope(V y) { return y * (V(1) - y); }
V tanh_slope(V y) { return V(1) - y * y; }

}  // namespace

void lstm_forward_by_hand(const float* z, const float* c, std::int64_t rows, std::int64_t n,
                          float* h, float* c_next) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const zr = z + row * 4 * n;
    for (std::int64_t j = 0; j < n; j += width) {
      const std::int64_t at = row * n + j;
      const V next = sigmoid(load(zr + n + j)) * load(c + at) +
                     sigmoid(load(zr + j)) * tanh(load(zr + 2 * n + j));
      store(next, c_next + at);
      store(sigmoid(load(zr + 3 * n + j)) * tanh(next), h + at);
    }
  }
}

void lstm_backward_by_hand(const float* z, const float* c, const float* dh, std::int64_t rows,
                           std::int64_t n, float* dz, float* dc) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const zr = z + row * 4 * n;
    float* const dzr = dz + row * 4 * n;
    for (std::int64_t j = 0; j < n; j += width) {
      const std::int64_t at = row * n + j;
      const V i = sigmoid(load(zr + j)), f = sigmoid(load(zr + n + j));
      const V g = tanh(load(zr + 2 * n + j)), o = sigmoid(load(zr + 3 * n + j));
      const V before = load(c + at), d = load(dh + at);
      const V t = tanh(f * before + i * g);
      const V d_next = d * o * tanh_slope(t);
      store(d_next * g * sigmoid_slope(i), dzr + j);
      store(d_next * before * sigmoid_slope(f), dzr + n + j);
      store(d_next * i * tanh_slope(g), dzr + 2 * n + j);
      store(d * t * sigmoid_slope(o), dzr + 3 * n + j);
      store(d_next * f, dc + at);
    }
  }
}

void gru_forward_by_hand(const float* z, const float* h, std::int64_t rows, std::int64_t n,
                         float* h_next) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const zr = z + row * 4 * n;
    for (std::int64_t j = 0; j < n; j += width) {
      const V reset = sigmoid(load(zr + n + j)), update = sigmoid(load(zr + 2 * n + j));
      const V candidate = tanh(load(zr + j) + reset * load(zr + 3 * n + j));
      store(candidate + update * (load(h + row * n + j) - candidate), h_next + row * n + j);
    }
  }
}

void gru_backward_by_hand(const float* z, const float* h, const float* d, std::int64_t rows,
                          std::int64_t n, float* dz, float* dh) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* const zr = z + row * 4 * n;
    float* const dzr = dz + row * 4 * n;
    for (std::int64_t j = 0; j < n; j += width) {
      const std::int64_t at = row * n + j;
      const V reset = sigmoid(load(zr + n + j)), update = sigmoid(load(zr + 2 * n + j));
      const V inside = load(zr + 3 * n + j);
      const V candidate = tanh(load(zr + j) + reset * inside);
      const V dn = load(d + at) * (V(1) - update) * tanh_slope(candidate);
      store(dn, dzr + j);
      store(dn * inside * sigmoid_slope(reset), dzr + n + j);
      store(load(d + at) * (load(h + at) - candidate) * sigmoid_slope(update), dzr + 2 * n + j);
      store(dn * reset, dzr + 3 * n + j);
      store(load(d + at) * update, dh + at);
    }
  }
}

void reset_forward_by_hand(const float* r, const float* h, std::int64_t count, float* kept) {
  for (std::int64_t i = 0; i < count; i += width) {
    store(sigmoid(load(r + i)) * load(h + i), kept + i);
  }
}

void reset_backward_by_hand(const float* r, const float* h, const float* d, std::int64_t count,
                            float* dr, float* dh) {
  for (std::int64_t i = 0; i < count; i += width) {
    const V gate = sigmoid(load(r + i));
    store(load(d + i) * load(h + i) * sigmoid_slope(gate), dr + i);
    store(load(d + i) * gate, dh + i);
  }
}

void update_forward_by_hand(const float* z, const float* n, const float* h, std::int64_t count,
                            float* h_next) {
  for (std::int64_t i = 0; i < count; i += width) {
    const V old = load(h + i);
    store(old + sigmoid(load(z + i)) * (tanh(load(n + i)) - old), h_next + i);
  }
}

void update_backward_by_hand(const float* z, const float* n, const float* h, const float* d,
                             std::int64_t count, float* dz, float* dn, float* dh) {
  for (std::int64_t i = 0; i < count; i += width) {
    const V gate = sigmoid(load(z + i)), candidate = tanh(load(n + i));
    store(load(d + i) * (candidate - load(h + i)) * sigmoid_slope(gate), dz + i);
    store(load(d + i) * gate * tanh_slope(candidate), dn + i);
    store(load(d + i) * (V(1) - gate), dh + i);
  }
}

void tanh_forward_by_hand(const float* x, std::int64_t count, float* y) {
  for (std::int64_t i = 0; i < count; i += width) {
    store(tanh(load(x + i)), y + i);
  }
}

void tanh_backward_by_hand(const float* x, const float* dy, std::int64_t count, float* dx) {
  for (std::int64_t i = 0; i < count; i += width) {
    store(load(dy + i) * tanh_slope(tanh(load(x + i))), dx + i);
  }
}

}  // namespace bench
