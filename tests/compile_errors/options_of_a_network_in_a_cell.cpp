// says: no matching
#include <rewind/layers/lstm.hpp>

rw::LstmCell cell(rw::Rng& rng) {
  return rw::LstmCell({.input = 3, .hidden = 4, .layers = 2}, rng);
}
