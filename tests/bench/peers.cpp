#include "peers.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace bench {

bool Peer::is_at_least(int major, int minor) const {
  int its_major = 0, its_minor = 0;
  return std::sscanf(version.c_str(), "%d.%d", &its_major, &its_minor) == 2 &&
         std::pair(its_major, its_minor) >= std::pair(major, minor);
}

const std::vector<Peer>& peers() {
  static const std::vector<Peer> all{
      onednn_peer(),
#ifdef REWIND_BENCH_LIBTORCH
      libtorch_peer(),
#else
      {"libtorch", "LibTorch", ""},
#endif
#ifdef REWIND_BENCH_ONNXRUNTIME
      onnxruntime_peer(),
#else
      {"onnxruntime", "onnxruntime", ""},
#endif
  };
  return all;
}

const Peer& peer(const std::string& name) {
  const auto found = std::find_if(peers().begin(), peers().end(),
                                  [&](const Peer& candidate) { return candidate.name == name; });
  if (found == peers().end()) {
    throw std::logic_error("bench: there is no peer " + name);
  }
  return *found;
}

}  // namespace bench
