// says: network: the cell needs a struct `Options` with `std::int64_t input` and `hidden`
// errors: 3
#include <rewind/layers/recurrent_network.hpp>

namespace {

struct MyCell {
  using State = rw::HiddenState;

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

rw::Tensor outputs(const rw::RecurrentNetwork<MyCell>& network, const rw::Tensor& x) {
  return network(x).first;
}
