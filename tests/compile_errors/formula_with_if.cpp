// says: fuse: a formula has no `if`, `?:`, `&&`, `||` or `!`
#include <rewind/autograd/fuse/pointwise.hpp>

rw::Tensor absolute(const rw::Tensor& x) {
  return rw::fuse(
      "absolute",
      [](auto v) {
        if (v > 0) {
          return v;
        }
        return -v;
      },
      x);
}
