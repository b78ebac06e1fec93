#pragma once

namespace bench {

/// Number of OpenMP threads that the calling thread's work may use.
void set_threads(int threads);

}  // namespace bench
