#pragma once

#include "problem.hpp"

namespace bench {

/// oneDNN's own recurrent primitives (vanilla_rnn, lstm, lbr_gru, gru). Training: forward and
/// backward, with the reorders of the weights to the layouts that the primitives ask for and of
/// their gradients back, because an optimiser changes the weights between two steps. Inference: the
/// weights are packed beforehand. Made for the number of threads that is set when it is made.
std::unique_ptr<Contestant> make_onednn(const Problem& problem, Mode mode);

std::string onednn_version();

}  // namespace bench
