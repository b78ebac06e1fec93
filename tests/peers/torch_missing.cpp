// Used instead of torch_peer.cpp if LibTorch is not installed.
#include <stdexcept>

#include "torch_peer.hpp"

namespace rw::testing {

TorchResult run_torch(const TorchProblem&) { throw std::logic_error("LibTorch is missing"); }
TorchCtcResult run_torch_ctc(const TorchCtcProblem&) {
  throw std::logic_error("LibTorch is missing");
}
std::string torch_version() { return {}; }

}  // namespace rw::testing
