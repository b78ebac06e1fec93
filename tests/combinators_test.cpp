// Layers made of layers: dropout reaches through every nesting, and errors name the layer
// concerned.
#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/layers/bidirectional.hpp>
#include <rewind/layers/dropout.hpp>
#include <rewind/layers/gru.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/lstm.hpp>
#include <rewind/layers/residual.hpp>
#include <rewind/layers/stacked.hpp>

#include "support/messages.hpp"
#include "support/numbers.hpp"

using namespace rw;
using namespace rw::testing;

namespace {

constexpr std::int64_t features = 4;

GruCell cell(Rng& rng, std::int64_t input = features) {
  return GruCell({.input = input, .hidden = features, .dtype = DType::float64}, rng);
}

/// A layer as a user writes it: it takes a Tensor, ignores lengths, has its own dropout, and a
/// state that does nothing.
struct NoisyLayer {
  using State = HiddenState;

  State initial_state(std::int64_t batch) const {
    return {zeros({batch, features}, DType::float64)};
  }
  std::int64_t output_size() const { return features; }
  std::pair<Tensor, State> operator()(const Tensor& x, State s) const { return {x, std::move(s)}; }
  std::pair<Tensor, State> operator()(const Tensor& x, State s, Rng& rng) const {
    return {dropout(x, 0.5, rng), std::move(s)};
  }
  template <class Visit>
  void parameters(Visit&&) {}
};

/// Calls `body(name, layer)` for layers with dropout, each from [T, B, 4] to [T, B, 4].
template <class Body>
void for_each_leaf(Rng& rng, Body&& body) {
  const Recurrent<GruCell> dropped{.cell = cell(rng), .dropout = {.states = 0.5}};
  const Recurrent<GruCell> zoned{.cell = cell(rng), .dropout = {.zoneout = 0.5}};
  body("recurrent with dropped states", dropped);
  body("recurrent with zoneout", zoned);
  body("bidirectional", Bidirectional(dropped, dropped, Merge::sum));
  body("network", GRU({.input = features, .hidden = features, .dtype = DType::float64},
                      {.layers = 2, .dropout = 0.5}, rng));
  body("network with dropped input",
       GRU({.input = features, .hidden = features, .dtype = DType::float64}, {.input_dropout = 0.5},
           rng));
  const Recurrent<GruCell> plain{cell(rng)};
  body("vector with dropout between",
       Stacked<std::vector<Recurrent<GruCell>>>{{plain, plain}, 0.5});
  body("a user's", NoisyLayer{});
}

/// Calls `body(name, layer)` for every combinator applied to `layer`.
template <class L, class Body>
void for_each_combinator(const std::string& name, const L& layer, Rng& rng, Body&& body) {
  const Recurrent<GruCell> quiet{cell(rng)};
  body("stacked of " + name, Stacked(layer));
  body("stacked of " + name + " and another", Stacked(quiet, layer, quiet));
  body("vector of " + name, Stacked<std::vector<L>>{{layer, layer}});
  body("residual of " + name, Residual<L>{layer});
  if constexpr (requires { layer.direction; }) {
    body("bidirectional of " + name, Bidirectional(layer, quiet, Merge::mean));
    body("bidirectional after " + name, Bidirectional(quiet, layer, Merge::mean));
  }
}

template <class L>
void check_dropout_acts(const std::string& name, const L& layer) {
  BOOST_TEST_CONTEXT(name) {
    const Tensor x = Rng(3).normal({5, 3, features}, 0, 1, DType::float64);
    const auto plain = numbers(layer(x, layer.initial_state(3)).first);
    BOOST_TEST((numbers(layer(x, layer.initial_state(3)).first) == plain));
    Rng a(9);
    const auto dropped = numbers(layer(x, layer.initial_state(3), a).first);
    BOOST_TEST((dropped != plain));
    Rng b(9);
    BOOST_TEST((numbers(layer(x, layer.initial_state(3), b).first) == dropped));
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(dropout_acts_through_every_nesting_of_two) {
  Rng rng(1);
  int nestings = 0;
  for_each_leaf(rng, [&](const std::string& leaf_name, const auto& leaf) {
    check_dropout_acts(leaf_name, leaf);
    for_each_combinator(leaf_name, leaf, rng,
                        [&](const std::string& inner_name, const auto& inner) {
                          check_dropout_acts(inner_name, inner);
                          for_each_combinator(inner_name, inner, rng,
                                              [&](const std::string& name, const auto& outer) {
                                                check_dropout_acts(name, outer);
                                                ++nestings;
                                              });
                        });
  });
  BOOST_TEST(nestings == 128);
}

BOOST_AUTO_TEST_CASE(every_combinator_takes_the_same_calls) {
  Rng rng(2);
  const Recurrent<GruCell> layer{.cell = cell(rng), .dropout = {.states = 0.5}};
  const Tensor x = rng.normal({5, 3, features}, 0, 1, DType::float64);
  for_each_combinator("layer", layer, rng, [&](const std::string& name, const auto& net) {
    BOOST_TEST_CONTEXT(name) {
      Rng a(4);
      Rng b(4);
      BOOST_TEST((numbers(net(x).first) == numbers(net(x, net.initial_state(3)).first)));
      BOOST_TEST((numbers(net(x, a).first) == numbers(net(x, net.initial_state(3), b).first)));
    }
  });
}

BOOST_AUTO_TEST_CASE(what_is_a_layer_of_sequences_is_told_from_a_cell) {
  static_assert(SequenceLayer<LSTM> && SequenceLayer<Recurrent<GruCell>> &&
                SequenceLayer<Residual<LSTM>> && SequenceLayer<NoisyLayer> &&
                SequenceLayer<Stacked<LSTM, Recurrent<GruCell>>> &&
                SequenceLayer<Stacked<std::vector<LSTM>>> &&
                SequenceLayer<Bidirectional<Recurrent<LstmCell>>>);
  static_assert(!SequenceLayer<LstmCell> && !SequenceLayer<Linear> && !Cell<LSTM>);
  // Options of a network are not options of a cell.
  const auto has_layers = [](auto options) {
    return requires { options.layers; };
  };
  static_assert(!has_layers(LstmOptions{}) && !has_layers(GruOptions{}) &&
                has_layers(NetworkOptions{}));
  BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(dropout_between_layers_needs_two) {
  Rng rng(3);
  const auto refuse = [&](auto&& make) {
    check_throws<UsageError>(make, "dropout 0.2 is between layers, and there is only one");
  };
  refuse([&] { GRU({.input = 3, .hidden = 4}, {.dropout = 0.2}, rng); });
  refuse([&] { LSTM({.input = 3, .hidden = 4}, {.bidirectional = true, .dropout = 0.2}, rng); });
  const Stacked<std::vector<Recurrent<GruCell>>> one{{{cell(rng)}}, 0.2};
  refuse([&] { static_cast<void>(one(zeros({2, 1, features}, DType::float64), rng)); });
  BOOST_CHECK_NO_THROW(GRU({.input = 3, .hidden = 4}, {.layers = 2, .dropout = 0.2}, rng));
}

BOOST_AUTO_TEST_CASE(errors_name_the_combinator) {
  Rng rng(4);
  const Residual<NoisyLayer> residual;
  const Stacked<NoisyLayer> stack;
  const Sequence padded{zeros({2, 1, features}, DType::float64),
                        Tensor::from<std::int64_t>({1}, {1})};
  check_throws<UsageError>([&] { static_cast<void>(residual(padded)); }, "residual: a layer that");
  check_throws<UsageError>([&] { static_cast<void>(stack(padded)); }, "stacked: a layer that");
  const Bidirectional<Recurrent<GruCell>> both({cell(rng)}, {cell(rng)});
  check_throws<ShapeError>(
      [&] {
        static_cast<void>(both(zeros({2, features})));
      },
      "bidirectional: x is [2, 4]");
}

BOOST_AUTO_TEST_CASE(errors_say_which_layer) {
  Rng rng(5);
  // The second layer does not fit the first.
  Stacked net(Recurrent<GruCell>{cell(rng)}, Recurrent<GruCell>{cell(rng, 7)});
  const Tensor x = rng.normal({2, 3, features}, 0, 1, DType::float64);
  check_throws<ShapeError>([&] { static_cast<void>(net(x)); },
                           "gru: input has 4 features, expected 7 (x is [2, 3, 4])");
  static_cast<void>(parameters(net));  // assigns the names
  check_throws<ShapeError>([&] { static_cast<void>(net(x)); },
                           "gru (1/cell): input has 4 features, expected 7 (x is [2, 3, 4])");

  LSTM lstm({.input = features, .hidden = features, .dtype = DType::float64},
            {.layers = 2, .bidirectional = true}, rng);
  static_cast<void>(parameters(lstm));
  auto state = lstm.initial_state(3);
  state[3].c = zeros({3, 2}, DType::float64);
  check_throws<ShapeError>(
      [&] { static_cast<void>(lstm(x, state)); },
      "lstm (layers/1/backward/cell): c of the state is [3, 2], expected [3, 4]");
  check_throws<ShapeError>([&] { static_cast<void>(lstm(x, lstm.initial_state(2))); },
                           "lstm: the initial state is [2, 4], expected a first axis of 3");
  Linear head({.input = 3, .output = 1, .dtype = DType::float64}, rng);
  head.weight.set_name("decoder/readout/weight");
  check_throws<ShapeError>([&] { static_cast<void>(head(x)); },
                           "linear (decoder/readout): input has 4 features");
}
