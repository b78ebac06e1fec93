// ctc_loss against LibTorch's on hundreds of random batches, in float64. If LibTorch is missing,
// prints that the test is skipped.
#include <algorithm>
#include <cmath>

#include <boost/test/unit_test.hpp>
#include <fmt/core.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/losses/ctc.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/autograd/tensor/rng.hpp>

#include "peers/torch_peer.hpp"
#include "support/closeness.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr int problems = 400;

/// Labels may repeat, be empty, or be too many for the steps.
TorchCtcProblem draw_problem(Rng& rng) {
  TorchCtcProblem p;
  p.steps = 1 + rng.integer(24);
  p.batch = 1 + rng.integer(5);
  p.classes = 2 + rng.integer(9);
  p.blank = rng.integer(p.classes);
  p.zero_infinity = true;  // without it, LibTorch's gradient of an infinite loss is partly NaN
  for (std::int64_t i = 0; i < p.steps * p.batch * p.classes; ++i) {
    p.logits.push_back(3 * rng.normal());
  }
  for (std::int64_t b = 0; b < p.batch; ++b) {
    p.input_lengths.push_back(1 + rng.integer(p.steps));
    p.target_lengths.push_back(rng.integer(p.input_lengths.back() + 1));
    p.dloss.push_back(rng.normal());
    for (std::int64_t i = 0; i < p.target_lengths.back(); ++i) {
      p.targets.push_back((p.blank + 1 + rng.integer(p.classes - 1)) % p.classes);
    }
  }
  return p;
}

/// The labels as int64 [S, B].
Tensor columns_of(const TorchCtcProblem& p) {
  const std::int64_t longest = *std::max_element(p.target_lengths.begin(), p.target_lengths.end());
  std::vector<std::int64_t> columns(static_cast<std::size_t>(longest * p.batch), -1);
  auto next = p.targets.begin();
  for (std::int64_t b = 0; b < p.batch; ++b) {
    for (std::int64_t s = 0; s < p.target_lengths[static_cast<std::size_t>(b)]; ++s) {
      columns[static_cast<std::size_t>(s * p.batch + b)] = *next++;
    }
  }
  return Tensor::from<std::int64_t>({longest, p.batch}, columns);
}

}  // namespace

BOOST_AUTO_TEST_CASE(ctc_loss_agrees_with_libtorch) {
  if (torch_version().empty()) {
    fmt::print("skipped: LibTorch is missing (libtorch-dev)\n");
    return;
  }
  Rng rng(8);
  double worst = 0;
  for (int i = 0; i < problems; ++i) {
    BOOST_TEST_CONTEXT("problem " << i) {
      const TorchCtcProblem p = draw_problem(rng);
      const TorchCtcResult theirs = run_torch_ctc(p);
      Tape tape;
      const Tensor logits =
          tape.watch(Tensor::from<double>({p.steps, p.batch, p.classes}, p.logits));
      const Tensor loss =
          ctc_loss(logits, columns_of(p), Tensor::from<std::int64_t>({p.batch}, p.input_lengths),
                   Tensor::from<std::int64_t>({p.batch}, p.target_lengths),
                   {.blank = p.blank, .reduction = Reduction::none, .zero_infinity = true});
      const auto gradient =
          tape.gradient(loss, {logits}, {.seed = Tensor::from<double>({p.batch}, p.dloss)});
      const double far =
          std::max(relative_difference(loss.to_vector<double>(), theirs.loss),
                   relative_difference(gradient[0].to_vector<double>(), theirs.dlogits));
      BOOST_TEST(far <= 1e-12);
      worst = std::max(worst, far);
    }
  }
  fmt::print("LibTorch {}: {} batches of ctc_loss agree, to {:.1e}\n", torch_version(), problems,
             worst);
}
