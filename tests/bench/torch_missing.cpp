// Takes the place of torch_peer.cpp where LibTorch is not asked for.
#include "torch_peer.hpp"

namespace bench {

std::unique_ptr<Contestant> make_torch(const Problem&, Mode) { return nullptr; }
std::string torch_version() { return {}; }

}  // namespace bench
