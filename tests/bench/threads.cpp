#include "threads.hpp"

// Of libgomp, which oneDNN and LibTorch run on.
extern "C" void omp_set_num_threads(int threads);

namespace bench {

void set_threads(int threads) { omp_set_num_threads(threads); }

}  // namespace bench
