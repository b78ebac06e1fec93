// says: cell: it needs `State initial_state(std::int64_t batch) const`
#include <rewind/layers/recurrent.hpp>

namespace {

struct MyCell {
  struct State {
    rw::Tensor h;

    template <class Visit>
    void tensors(Visit&& visit) {
      visit("h", h);
    }
  };

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
