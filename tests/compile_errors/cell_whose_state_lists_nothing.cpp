// says: cell: it needs a type `State` that can be copied and has `template <class Visit> void
// tensors
#include <rewind/layers/recurrent.hpp>

namespace {

struct MyCell {
  struct State {
    rw::Tensor h;
  };

  State initial_state(std::int64_t batch) const;
  std::int64_t output_size() const;
  std::pair<rw::Tensor, State> operator()(const rw::Tensor& x, const State& s) const;
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w", w);
  }

  rw::Parameter w;
};

}  // namespace

rw::Tensor outputs(const MyCell& cell, const rw::Tensor& x) {
  const rw::Recurrent<MyCell> layer{cell};
  return layer(x).first;
}
