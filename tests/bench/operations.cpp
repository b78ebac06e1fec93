#include <cmath>
#include <stdexcept>

#include <fmt/format.h>

#include <rewind/rewind.hpp>

#include "hand_written.hpp"
#include "singles.hpp"

namespace bench {

namespace {

using rw::Parameter;
using rw::Tensor;

double seconds(const std::function<void()>& body, const Effort& effort) {
  return measure({{"rewind", 1, body}}, effort).front().median();
}

void measure_tape(const SingleRun& run) {
  constexpr int length = 1000;
  const auto chain = [&](const char* name, const auto& factor) {
    if (!run.wanted(name)) {
      return;
    }
    Parameter x(rw::ones({8}));
    const Tensor seed = rw::ones({8});
    const double total = seconds(
        [&] {
          rw::Tape tape;
          Tensor y = x;
          for (int i = 0; i < length; ++i) {
            y = y * factor;
          }
          x.zero_grad();
          tape.backward(y, {.seed = seed});
        },
        run.effort);
    run.report({name, 1e9 * total / length, "ns an operation"});
  };
  chain("tape: 1,000 multiplications of 8 floats by a constant", rw::ones({8}));
  Parameter factor(rw::ones({8}));
  chain("tape: 1,000 multiplications of 8 floats by a parameter", factor);
}

/// Rewind's time relative to the hand-written loop's.
void compare(const SingleRun& run, const std::string& name, const std::function<void()>& ours,
             const std::function<void()>& by_hand) {
  if (run.wanted(name)) {
    const auto timings = measure({{"rewind", 1, ours}, {"by hand", 1, by_hand}}, run.effort);
    run.report({name, times_as_fast(timings[1], timings[0]),
                fmt::format("x by hand ({:.2f} us)", 1e6 * timings[1].median())});
  }
}

void expect_same(const Tensor& ours, const Tensor& by_hand) {
  if (!(rw::max(rw::abs(ours - by_hand)).item() <= 1e-5)) {
    throw std::runtime_error("bench: a hand-written loop computes something else");
  }
}

/// Times the forward pass; then forward and backward with everything that a tape does around one
/// operation.
template <class Forward>
std::function<void()> on_tape(Forward forward, std::vector<Parameter*> leaves, const Tensor& seed) {
  return [=] {
    rw::Tape tape;
    const Tensor y = forward();
    for (Parameter* leaf : leaves) {
      leaf->zero_grad();
    }
    tape.backward(y, {.seed = seed});
  };
}

constexpr std::int64_t rows = 32, hidden = 128;

void measure_fused_lstm(const SingleRun& run) {
  rw::Rng rng(3);
  Parameter z(rng.normal({rows, 4 * hidden}, 0, 1)), c(rng.normal({rows, hidden}, 0, 1));
  const Tensor dh = rng.normal({rows, hidden}, 0, 1);
  Tensor h = rw::zeros({rows, hidden}), next = rw::zeros({rows, hidden});
  Tensor dz = rw::zeros({rows, 4 * hidden}), dc = rw::zeros({rows, hidden});
  Tensor ours;
  const auto forward = [&] {
    const auto [i, f, g, o] = rw::split<4>(z);
    const auto outputs = rw::fuse(
        "lstm_gates",
        [](auto i_, auto f_, auto g_, auto o_, auto c_) {
          const auto c_next = sigmoid(f_) * c_ + sigmoid(i_) * tanh(g_);
          return std::tuple{sigmoid(o_) * tanh(c_next), c_next};
        },
        i, f, g, o, c);
    return outputs[0];
  };
  const auto by_hand = [&] {
    lstm_forward_by_hand(z.value().data<float>(), c.value().data<float>(), rows, hidden,
                         h.mutable_data<float>(), next.mutable_data<float>());
  };
  const auto back_by_hand = [&] {
    by_hand();
    lstm_backward_by_hand(z.value().data<float>(), c.value().data<float>(), dh.data<float>(), rows,
                          hidden, dz.mutable_data<float>(), dc.mutable_data<float>());
  };
  const auto train = on_tape(forward, {&z, &c}, dh);
  train();
  back_by_hand();
  expect_same(forward(), h);
  expect_same(z.grad(), dz);
  expect_same(c.grad(), dc);
  compare(
      run, "fused lstm gates 32 x 128, forward", [&] { ours = forward(); }, by_hand);
  compare(run, "fused lstm gates 32 x 128, forward and backward", train, back_by_hand);
}

/// The sums of GruCell::project: candidate, reset gate, update gate, and the candidate's product
/// with the state.
void measure_fused_gru(const SingleRun& run) {
  rw::Rng rng(3);
  Parameter z(rng.normal({rows, 4 * hidden}, 0, 1)), h(rng.normal({rows, hidden}, 0, 1));
  const Tensor d = rng.normal({rows, hidden}, 0, 1);
  Tensor next = rw::zeros({rows, hidden}), dh = rw::zeros({rows, hidden});
  Tensor dz = rw::zeros({rows, 4 * hidden});
  Tensor ours;
  const auto forward = [&] {
    const auto [xn, r, u, hn] = rw::split<4>(z);
    return rw::fuse(
        "gru_gates",
        [](auto xn_, auto r_, auto u_, auto hn_, auto h_) {
          const auto n = tanh(xn_ + sigmoid(r_) * hn_);
          return n + sigmoid(u_) * (h_ - n);
        },
        xn, r, u, hn, h);
  };
  const auto by_hand = [&] {
    gru_forward_by_hand(z.value().data<float>(), h.value().data<float>(), rows, hidden,
                        next.mutable_data<float>());
  };
  const auto back_by_hand = [&] {
    by_hand();
    gru_backward_by_hand(z.value().data<float>(), h.value().data<float>(), d.data<float>(), rows,
                         hidden, dz.mutable_data<float>(), dh.mutable_data<float>());
  };
  const auto train = on_tape(forward, {&z, &h}, d);
  train();
  back_by_hand();
  expect_same(forward(), next);
  expect_same(z.grad(), dz);
  expect_same(h.grad(), dh);
  compare(
      run, "fused gru gates 32 x 128, forward", [&] { ours = forward(); }, by_hand);
  compare(run, "fused gru gates 32 x 128, forward and backward", train, back_by_hand);
}

void measure_fused_reset(const SingleRun& run) {
  rw::Rng rng(3);
  Parameter r(rng.normal({rows, hidden}, 0, 1)), h(rng.normal({rows, hidden}, 0, 1));
  const Tensor d = rng.normal({rows, hidden}, 0, 1);
  Tensor kept = rw::zeros({rows, hidden}), dr = kept.clone(), dh = kept.clone();
  Tensor ours;
  const auto forward = [&] {
    return rw::fuse(
        "reset", [](auto r_, auto h_) { return sigmoid(r_) * h_; }, r, h);
  };
  const auto by_hand = [&] {
    reset_forward_by_hand(r.value().data<float>(), h.value().data<float>(), rows * hidden,
                          kept.mutable_data<float>());
  };
  const auto back_by_hand = [&] {
    by_hand();
    reset_backward_by_hand(r.value().data<float>(), h.value().data<float>(), d.data<float>(),
                           rows * hidden, dr.mutable_data<float>(), dh.mutable_data<float>());
  };
  const auto train = on_tape(forward, {&r, &h}, d);
  train();
  back_by_hand();
  expect_same(forward(), kept);
  expect_same(r.grad(), dr);
  expect_same(h.grad(), dh);
  compare(
      run, "fused gated state 32 x 128, forward", [&] { ours = forward(); }, by_hand);
  compare(run, "fused gated state 32 x 128, forward and backward", train, back_by_hand);
}

void measure_fused_update(const SingleRun& run) {
  rw::Rng rng(3);
  Parameter z(rng.normal({rows, hidden}, 0, 1)), n(rng.normal({rows, hidden}, 0, 1));
  Parameter h(rng.normal({rows, hidden}, 0, 1));
  const Tensor d = rng.normal({rows, hidden}, 0, 1);
  Tensor next = rw::zeros({rows, hidden});
  Tensor dz = next.clone(), dn = next.clone(), dh = next.clone();
  Tensor ours;
  const auto forward = [&] {
    return rw::fuse(
        "update", [](auto z_, auto n_, auto h_) { return h_ + sigmoid(z_) * (tanh(n_) - h_); }, z,
        n, h);
  };
  const auto by_hand = [&] {
    update_forward_by_hand(z.value().data<float>(), n.value().data<float>(),
                           h.value().data<float>(), rows * hidden, next.mutable_data<float>());
  };
  const auto back_by_hand = [&] {
    by_hand();
    update_backward_by_hand(z.value().data<float>(), n.value().data<float>(),
                            h.value().data<float>(), d.data<float>(), rows * hidden,
                            dz.mutable_data<float>(), dn.mutable_data<float>(),
                            dh.mutable_data<float>());
  };
  const auto train = on_tape(forward, {&z, &n, &h}, d);
  train();
  back_by_hand();
  expect_same(forward(), next);
  expect_same(z.grad(), dz);
  expect_same(n.grad(), dn);
  expect_same(h.grad(), dh);
  compare(
      run, "fused mgu update 32 x 128, forward", [&] { ours = forward(); }, by_hand);
  compare(run, "fused mgu update 32 x 128, forward and backward", train, back_by_hand);
}

void measure_fused_tanh(const SingleRun& run) {
  rw::Rng rng(3);
  Parameter x(rng.normal({rows, hidden}, 0, 1));
  const Tensor dy = rng.normal({rows, hidden}, 0, 1);
  Tensor y = rw::zeros({rows, hidden}), dx = rw::zeros({rows, hidden});
  Tensor ours;
  const auto forward = [&] { return rw::tanh(x); };
  const auto by_hand = [&] {
    tanh_forward_by_hand(x.value().data<float>(), rows * hidden, y.mutable_data<float>());
  };
  const auto back_by_hand = [&] {
    by_hand();
    tanh_backward_by_hand(x.value().data<float>(), dy.data<float>(), rows * hidden,
                          dx.mutable_data<float>());
  };
  const auto train = on_tape(forward, {&x}, dy);
  train();
  back_by_hand();
  expect_same(forward(), y);
  expect_same(x.grad(), dx);
  compare(
      run, "tanh 32 x 128, forward", [&] { ours = forward(); }, by_hand);
  compare(run, "tanh 32 x 128, forward and backward", train, back_by_hand);
}

void measure_cross_entropy(const SingleRun& run) {
  const std::string name = "softmax and cross-entropy 32 x 10,000, forward and backward";
  if (!run.wanted(name)) {
    return;
  }
  rw::Rng rng(4);
  Parameter logits(rng.normal({32, 10'000}, 0, 1));
  std::vector<std::int64_t> classes;
  for (int i = 0; i < 32; ++i) {
    classes.push_back(rng.integer(10'000));
  }
  const Tensor targets = Tensor::from<std::int64_t>({32}, classes);
  run.report({name,
              1e6 * seconds(
                        [&] {
                          rw::Tape tape;
                          const Tensor loss = rw::cross_entropy(logits, targets);
                          logits.zero_grad();
                          tape.backward(loss);
                        },
                        run.effort),
              "us"});
}

void measure_embedding(const SingleRun& run) {
  const std::string name = "embedding 10,000 x 256, 32 x 35 indices, forward and backward";
  if (!run.wanted(name)) {
    return;
  }
  rw::Rng rng(5);
  Parameter table(rng.normal({10'000, 256}, 0, 1));
  std::vector<std::int64_t> rows_read;
  for (int i = 0; i < 32 * 35; ++i) {
    rows_read.push_back(rng.integer(10'000));
  }
  const Tensor indices = Tensor::from<std::int64_t>({35, 32}, rows_read);
  const Tensor dy = rng.normal({35, 32, 256}, 0, 1);
  run.report({name,
              1e6 * seconds(
                        [&] {
                          rw::Tape tape;
                          const Tensor y = rw::embedding(table, indices);
                          table.zero_grad();
                          tape.backward(y, {.seed = dy});
                        },
                        run.effort),
              "us"});
}

void measure_adam(const SingleRun& run) {
  for (const std::int64_t million : {1, 10}) {
    const std::string name = fmt::format("adam step over {}M parameters", million);
    if (!run.wanted(name)) {
      continue;
    }
    Parameter weights(rw::ones({million * 1'000'000}));
    weights.set_grad(rw::full({million * 1'000'000}, 1e-3));
    rw::Adam optimizer({{"weights", &weights}});
    run.report({name, 1e3 * seconds([&] { optimizer.step(); }, run.effort), "ms"});
  }
}

}  // namespace

void measure_operations(const SingleRun& run) {
  measure_tape(run);
  measure_fused_lstm(run);
  measure_fused_gru(run);
  measure_fused_reset(run);
  measure_fused_update(run);
  measure_fused_tanh(run);
  measure_cross_entropy(run);
  measure_embedding(run);
  measure_adam(run);
}

}  // namespace bench
