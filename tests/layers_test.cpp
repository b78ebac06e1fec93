// Layers without time: values, gradients, initialisers, names, and generic combinators applied to a
// user's cell.
#include <cmath>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/gradcheck.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/layers/bidirectional.hpp>
#include <rewind/layers/dropout.hpp>
#include <rewind/layers/embedding.hpp>
#include <rewind/layers/initializers.hpp>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/recurrent_network.hpp>
#include <rewind/layers/stacked.hpp>
#include <rewind/layers/summary.hpp>

using namespace rw;

namespace {

/// A cell as a user writes it, without `project`, with two tensors of state of different widths.
struct LeakyCell {
  struct State {
    Tensor h, trace;
    std::array<Tensor*, 2> tensors() { return {&h, &trace}; }
  };

  Linear in, recurrent;

  LeakyCell(std::int64_t input, std::int64_t hidden, Rng& rng)
      : in({.input = input, .output = hidden, .dtype = DType::float64}, rng),
        recurrent({.input = hidden, .output = hidden, .bias = false, .dtype = DType::float64},
                  rng) {}

  std::int64_t output_size() const { return recurrent.weight.shape()[0]; }
  State initial_state(std::int64_t batch) const {
    return {zeros({batch, output_size()}, DType::float64), zeros({batch, 1}, DType::float64)};
  }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    const Tensor h = fuse([](auto a, auto b, auto trace) { return tanh(a + b) + 0.1 * trace; },
                          in(x), recurrent(s.h), s.trace);
    return {h, {h, 0.9 * s.trace + mean(h, {-1}, true)}};
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("in", in);
    visit("recurrent", recurrent);
  }
};
static_assert(Cell<LeakyCell> && !ProjectingCell<LeakyCell>);

/// The same cell, made from options.
struct LeakyNetworkCell : LeakyCell {
  struct Options {
    std::int64_t input = 0;
    std::int64_t hidden = 0;
  };
  LeakyNetworkCell(const Options& options, Rng& rng)
      : LeakyCell(options.input, options.hidden, rng) {}
};

}  // namespace

BOOST_AUTO_TEST_CASE(linear) {
  Rng rng(1);
  Linear layer({.input = 3, .output = 2, .dtype = DType::float64}, rng);
  layer.bias.assign(rng.normal({2}, 0, 1, DType::float64));
  for (const Shape& shape : {Shape{4, 3}, Shape{2, 4, 3}, Shape{0, 3}, Shape{1, 2, 2, 3}}) {
    const Tensor x = rng.normal(shape, 0, 1, DType::float64);
    BOOST_TEST((layer(x).shape() == shape.with(-1, 2)));
    const auto f = [&](const std::vector<Tensor>& in) { return layer(in[0]); };
    const auto first = gradcheck(f, {x}, parameters(layer));
    BOOST_TEST(first.passed, first.message);
    const auto second = gradgradcheck(f, {x}, parameters(layer));
    BOOST_TEST(second.passed, second.message);
  }
  BOOST_CHECK_THROW(layer(zeros({4, 2}, DType::float64)), ShapeError);
  BOOST_CHECK_THROW(layer(zeros({3}, DType::float64)), ShapeError);
  BOOST_CHECK_THROW(layer(zeros({4, 3})), UsageError);
}

BOOST_AUTO_TEST_CASE(embedding_layer) {
  Rng rng(1);
  Embedding layer({.vocabulary = 5, .features = 3, .dtype = DType::float64}, rng);
  const Tensor indices = Tensor::from<std::int64_t>({2, 2}, {0, 4, 4, 1});
  const Tensor y = layer(indices);
  BOOST_TEST((y.shape() == Shape{2, 2, 3}));
  BOOST_TEST(y.to_vector<double>()[3] == layer.table.value().to_vector<double>()[12]);
  const auto f = [&](const std::vector<Tensor>&) { return sin(layer(indices)); };
  const auto first = gradcheck(f, {}, parameters(layer));
  BOOST_TEST(first.passed, first.message);
  const auto second = gradgradcheck(f, {}, parameters(layer));
  BOOST_TEST(second.passed, second.message);
  BOOST_CHECK_THROW(layer(Tensor::from<std::int64_t>({1}, {5})), ShapeError);
}

BOOST_AUTO_TEST_CASE(float32_agrees_with_float64) {
  Rng rng(4);
  Linear reference({.input = 33, .output = 17, .dtype = DType::float64}, rng);
  Linear layer({.input = 33, .output = 17}, rng);
  layer.weight.assign(reference.weight.value().to(DType::float32));
  const Tensor x = rng.normal({9, 33}, 0, 1);
  const auto a = layer(x).to(DType::float64).to_vector<double>();
  const auto b = reference(x.to(DType::float64)).to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    BOOST_TEST(std::abs(a[i] - b[i]) < 1e-5);
  }
  Embedding table({.vocabulary = 4, .features = 5}, rng);
  const Tensor rows = table(Tensor::from<std::int64_t>({2}, {3, 0}));
  BOOST_TEST(rows.to_vector<float>()[2] == table.table.value().to_vector<float>()[17]);
}

BOOST_AUTO_TEST_CASE(dropout_layer) {
  Rng rng(1);
  const Dropout layer{0.25};
  const Tensor x = ones({100, 100});
  BOOST_TEST(layer(x).same_as(x));
  const Tensor y = layer(x, rng);
  BOOST_TEST(mean(y).item() == 1.0, boost::test_tools::tolerance(0.03));
  BOOST_TEST(mean(equal(y, 0.0)).item() == 0.25, boost::test_tools::tolerance(0.1));
}

BOOST_AUTO_TEST_CASE(initial_values) {
  Rng rng(1);
  for (const Shape& shape : {Shape{8, 8}, Shape{5, 9}, Shape{9, 5}}) {
    const Tensor q = orthogonal(shape, rng, 2.0, DType::float64);
    const Tensor product =
        shape[0] <= shape[1] ? matmul(q, transposed(q)) : matmul(transposed(q), q);
    const std::int64_t n = product.size(0);
    for (std::int64_t i = 0; i < n * n; ++i) {
      BOOST_TEST(std::abs(product.data<double>()[i] - (i / n == i % n ? 4.0 : 0.0)) < 1e-12);
    }
  }
  const Tensor gates = orthogonal_gates(6, 4, rng, DType::float64);
  const Tensor third = contiguous(slice(gates, 1, 12, 18));
  BOOST_TEST(sum(square(matmul(transposed(third), third))).item() == 6.0,
             boost::test_tools::tolerance(1e-12));
  const Tensor x = xavier_uniform({200, 100}, rng, DType::float64);
  BOOST_TEST(max(abs(x)).item() <= std::sqrt(6.0 / 300));
  BOOST_TEST(var(x).item() == 2.0 / 300, boost::test_tools::tolerance(0.05));
  BOOST_TEST(var(xavier_normal({200, 100}, rng, DType::float64)).item() == 2.0 / 300,
             boost::test_tools::tolerance(0.05));
  BOOST_TEST(var(kaiming_normal({200, 100}, rng, DType::float64)).item() == 2.0 / 200,
             boost::test_tools::tolerance(0.05));
  BOOST_TEST(var(kaiming_uniform({200, 100}, rng, DType::float64)).item() == 2.0 / 200,
             boost::test_tools::tolerance(0.05));
  BOOST_CHECK_THROW(orthogonal({3}, rng), ShapeError);
}

BOOST_AUTO_TEST_CASE(a_users_cell_gets_everything) {
  Rng rng(2);
  Stacked net(Recurrent<LeakyCell>{{2, 3, rng}},
              Bidirectional<Recurrent<LeakyCell>>({{3, 2, rng}}, {{3, 2, rng}}));
  const auto list = parameters(net);
  BOOST_TEST(list.size() == 9U);
  BOOST_TEST(list[3].path == "1/forward/cell/in/weight");
  const Tensor x = rng.normal({4, 2, 2}, 0, 1, DType::float64);
  const auto f = [&](const std::vector<Tensor>& in) {
    auto [y, state] = net(in[0]);
    Tensor total = sum(sin(y));
    for_each_tensor(state, [&](const Tensor& s) { total = total + sum(s * s); });
    return total;
  };
  const auto first = gradcheck(f, {x}, list);
  BOOST_TEST(first.passed, first.message);
  const auto second = gradgradcheck(f, {x}, list);
  BOOST_TEST(second.passed, second.message);

  // Carried over two chunks without its history, the state gives the same outputs as a single run.
  const Recurrent<LeakyCell> one{{2, 3, rng}};
  const auto [whole, end] = one(x);
  const auto [head, state] = one(slice(x, 0, 0, 2));
  const auto [tail, last] = one(slice(x, 0, 2, 4), detach(state));
  BOOST_TEST(sum(abs(slice(whole, 0, 2, 4) - tail)).item() == 0.0);
  BOOST_TEST(sum(abs(end.trace - last.trace)).item() == 0.0);
}

namespace {

/// Cells that pass their projected input to addmm in every way: nothing else reads it, or it was
/// read before, or it is read afterwards, through the handle or a view. Or they pass its columns
/// separately, of which one was read before, or use addmm for the last columns only.
struct KeepingCell {
  using State = HiddenState;
  int kind;
  Parameter w_x, w_h;

  std::int64_t output_size() const { return w_h.shape()[0]; }
  State initial_state(std::int64_t batch) const {
    return {zeros({batch, output_size()}, DType::float64)};
  }
  Tensor project(const Tensor& x) const { return matmul(x, w_x); }
  std::pair<Tensor, State> step(Tensor projected, const State& s) const {
    Tensor extra = zeros({1}, DType::float64);
    if (kind == 1) {
      extra = square(projected);
    }
    Tensor kept;
    if (kind == 2) {
      kept = projected;
    } else if (kind == 3) {
      kept = slice(projected, 1, 1, 2);
    }
    if (kind >= 4) {
      return columns_apart(std::move(projected), s.h);
    }
    Tensor h = tanh(addmm(std::move(projected), s.h, w_h)) + extra;
    if (kept.defined()) {
      h = h + 0.3 * sin(kept);
    }
    return {h, {h}};
  }
  std::pair<Tensor, State> columns_apart(Tensor projected, const Tensor& h) const {
    const auto [w_a, w_b] = split(w_h, {2, 1});
    if (kind == 6) {
      const Tensor y = tanh(addmm_columns(std::move(projected), h, w_b, 2)) + 0.1 * h;
      return {y, {y}};
    }
    auto [a, b] = split(std::move(projected), {2, 1});
    const Tensor kept = kind == 5 ? slice(a, 1, 0, 1) : Tensor();
    const Tensor first = tanh(addmm(std::move(a), h, w_a));
    const Tensor second = addmm(std::move(b), h * sum(first, {1}, true), w_b);
    Tensor y = concat({first, sin(second)}, 1);
    if (kept.defined()) {
      y = y + 0.3 * sin(kept);
    }
    return {y, {y}};
  }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    return step(project(x), s);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(products_in_place_disturb_nobody) {
  for (const int kind : {0, 1, 2, 3, 4, 5, 6}) {
    BOOST_TEST_CONTEXT("kind " << kind) {
      Rng rng(5);
      Recurrent<KeepingCell> layer{{kind, Parameter(xavier_uniform({2, 3}, rng, DType::float64)),
                                    Parameter(orthogonal({3, 3}, rng, 1.0, DType::float64))}};
      const Tensor x = rng.normal({4, 2, 2}, 0, 1, DType::float64);
      const auto loop = [&](const Tensor& in) {
        auto state = layer.initial_state(2);
        TensorList outputs;
        for (std::int64_t t = 0; t < 4; ++t) {
          Tensor y;
          std::tie(y, state) = layer.cell(select(in, 0, t), state);
          outputs.push_back(y);
        }
        return stack(std::span<const Tensor>(outputs), 0);
      };
      BOOST_TEST(sum(abs(layer(x).first - loop(x))).item() < 1e-13);
      const auto list = parameters(layer);
      const auto f = [&](const std::vector<Tensor>& in) { return layer(in[0]).first; };
      const auto first = gradcheck(f, {x}, list);
      BOOST_TEST(first.passed, first.message);
      const auto second = gradgradcheck(f, {x}, list);
      BOOST_TEST(second.passed, second.message);
    }
  }
}

BOOST_AUTO_TEST_CASE(gathered_products_equal_single_ones) {
  // Enough rows for several gathered products, of steps that are in order, out of order, and not
  // adjacent.
  Rng rng(6);
  const Parameter w(rng.normal({5, 4}, 0, 1, DType::float64));
  const Tensor x = rng.normal({900, 3, 5}, 0, 1, DType::float64);
  const Tensor dy = rng.normal({900, 3, 4}, 0, 1, DType::float64);
  for (const std::int64_t stride : {1, 7}) {
    Tape tape;
    Tensor loss = scalar(0, DType::float64);
    for (std::int64_t i = 0; i < 900; ++i) {
      const std::int64_t t = i * stride % 900;
      loss = loss + sum(matmul(select(x, 0, t), w) * select(dy, 0, t));
    }
    const Tensor gradient = tape.gradient(loss, {w})[0];
    const Tensor expected = matmul(transposed(reshape(x, {2700, 5})), reshape(dy, {2700, 4}));
    BOOST_TEST(max(abs(gradient - expected)).item() < 1e-11);
  }
}

BOOST_AUTO_TEST_CASE(summary_lists_every_parameter) {
  Rng rng(1);
  Linear layer({.input = 3, .output = 2}, rng);
  layer.bias.set_trainable(false);
  const std::string table = summary(layer);
  BOOST_TEST(table.find("weight") != std::string::npos);
  BOOST_TEST(table.find("[3, 2]") != std::string::npos);
  BOOST_TEST(table.find("not trained") != std::string::npos);
  BOOST_TEST(count(layer) == 6);
}

BOOST_AUTO_TEST_CASE(a_cell_of_the_users_own_becomes_a_network) {
  Rng rng(3);
  using Network = RecurrentNetwork<LeakyNetworkCell>;
  const Network network({.input = 3, .hidden = 4}, {.layers = 2, .bidirectional = true}, rng);
  BOOST_TEST(network.output_size() == 8);
  const Tensor x = rng.normal({5, 2, 3}, 0, 1, DType::float64);
  const Tensor lengths = Tensor::from<std::int64_t>({2}, std::vector<std::int64_t>{5, 2});
  const auto [y, state] = network({x, lengths});
  BOOST_TEST((y.shape() == Shape{5, 2, 8}));
  BOOST_TEST(state.size() == 4);
  // The same layers by hand.
  Rng again(3);
  const auto layer = [&](std::int64_t input) {
    Recurrent<LeakyCell> forward{{input, 4, again}};
    Recurrent<LeakyCell> backward{{input, 4, again}};
    return Bidirectional<Recurrent<LeakyCell>>(std::move(forward), std::move(backward));
  };
  const auto first = layer(3);
  const auto second = layer(8);
  const Tensor expected = second({first({x, lengths}).first, lengths}).first;
  BOOST_TEST(y.to_vector<double>() == expected.to_vector<double>(),
             boost::test_tools::per_element());
}
