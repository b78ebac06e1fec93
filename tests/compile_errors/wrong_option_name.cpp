// says: no matching
#include <rewind/layers/lstm.hpp>

rw::LSTM network(rw::Rng& rng) { return rw::LSTM({.inputs = 3, .hidden = 4}, rng); }
