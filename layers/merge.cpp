#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/layers/merge.hpp>

namespace rw {

const char* name_of(Merge merge) {
  switch (merge) {
    case Merge::concat:
      return "concat";
    case Merge::sum:
      return "sum";
    case Merge::mean:
      return "mean";
    case Merge::product:
      return "product";
  }
  return "unknown";
}

Tensor merge_directions(Merge merge, const Tensor& forward, const Tensor& backward) {
  switch (merge) {
    case Merge::concat:
      return concat({forward, backward}, -1);
    case Merge::sum:
      return forward + backward;
    case Merge::mean:
      return 0.5 * (forward + backward);
    case Merge::product:
      return forward * backward;
  }
  throw UsageError("merge: got a value that is none of concat, sum, mean and product");
}

}  // namespace rw
