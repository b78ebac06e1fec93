// A library that interrupts any program that preloads it:
// LD_PRELOAD=<build>/tests/libsignal_storm.so program.
#include "signal_storm.hpp"

namespace {
// Never destroyed, so that the program's last functions are interrupted too.
[[maybe_unused]] const rw::testing::SignalStorm* const storm = new rw::testing::SignalStorm();
}  // namespace
