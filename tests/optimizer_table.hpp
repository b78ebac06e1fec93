#pragma once
// Every optimiser with its options, the names of its state, and its rule, written a second time
// from the papers. The tests of optimisers iterate over the rows. A new optimiser adds rows.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <rewind/optim/optimizer.hpp>

namespace rw::testing {

/// Changes to a row's options.
struct Changes {
  double learning_rate_factor = 1;
  std::optional<double> weight_decay = {};
};

/// The update rule of one parameter in float64: it keeps its own state and changes w at the t-th
/// step.
using Reference =
    std::function<void(std::vector<double>& w, const std::vector<double>& gradient, int t)>;

struct OptimizerRow {
  std::string name;  // as in the optimiser's messages
  std::function<std::unique_ptr<Optimizer>(const ParameterList&, const Changes&)> make_with;
  std::function<Reference()> reference;
  std::vector<std::string> state;  // names before "/path"
  bool squares = true;             // whether the rule squares the gradient

  std::unique_ptr<Optimizer> make(const ParameterList& list) const { return make_with(list, {}); }
};

const std::vector<OptimizerRow>& optimizer_table();

}  // namespace rw::testing
