#pragma once
// Hand-written code for the pointwise work of cells: loops over xsimd registers, forward and
// backward, with the same vectorised functions as Rewind. So a comparison shows the cost of
// deriving the loops from a formula. `n` (hidden) must be a multiple of the register's width.

#include <cstdint>

namespace bench {

/// z [rows, 4 n] = [i f g o], c [rows, n] -> h and c' [rows, n].
void lstm_forward_by_hand(const float* z, const float* c, std::int64_t rows, std::int64_t n,
                          float* h, float* c_next);
/// Gradients of z and c, if only h has a gradient; the gates are recomputed.
void lstm_backward_by_hand(const float* z, const float* c, const float* dh, std::int64_t rows,
                           std::int64_t n, float* dz, float* dc);

/// z [rows, 4 n]: candidate, reset gate, update gate, and the candidate's product with the state;
/// h [rows, n] -> h' [rows, n].
void gru_forward_by_hand(const float* z, const float* h, std::int64_t rows, std::int64_t n,
                         float* h_next);
/// Gradients of z and h.
void gru_backward_by_hand(const float* z, const float* h, const float* d, std::int64_t rows,
                          std::int64_t n, float* dz, float* dh);

/// sigmoid(r) h, the gated state of the GRU with reset before and of the minimal gated unit, and
/// its gradients.
void reset_forward_by_hand(const float* r, const float* h, std::int64_t count, float* kept);
void reset_backward_by_hand(const float* r, const float* h, const float* d, std::int64_t count,
                            float* dr, float* dh);

/// h + sigmoid(z) (tanh(n) - h), the new state of the minimal gated unit, and its gradients.
void update_forward_by_hand(const float* z, const float* n, const float* h, std::int64_t count,
                            float* h_next);
void update_backward_by_hand(const float* z, const float* n, const float* h, const float* d,
                             std::int64_t count, float* dz, float* dn, float* dh);

/// y = tanh(x), and dx = dy (1 - tanh(x)^2).
void tanh_forward_by_hand(const float* x, std::int64_t count, float* y);
void tanh_backward_by_hand(const float* x, const float* dy, std::int64_t count, float* dx);

}  // namespace bench
