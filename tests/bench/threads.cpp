#include "threads.hpp"

// From libgomp, on which oneDNN and LibTorch run.
extern "C" void omp_set_num_threads(int threads);

namespace bench {

void set_threads(int threads) { omp_set_num_threads(threads); }

}  // namespace bench
