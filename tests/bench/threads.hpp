#pragma once

namespace bench {

/// Number of OpenMP threads that work of the calling thread may use.
void set_threads(int threads);

}  // namespace bench
