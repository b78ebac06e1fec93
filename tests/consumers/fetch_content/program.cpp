#include <rewind/autograd/fuse/math.hpp>
#include <rewind/version.hpp>

rw::Tensor squared(const rw::Tensor& x) { return square(x); }
