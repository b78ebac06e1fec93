#include "random_program.hpp"

#include <array>
#include <cmath>
#include <optional>
#include <random>

#include <fmt/format.h>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/softmax.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/layers/recurrent.hpp>

namespace rw::testing {
namespace {

/// Choices that depend on a seed alone.
class Choices {
 public:
  explicit Choices(std::uint64_t seed) : engine_(seed) {}

  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  bool chance(double probability) { return uniform(0, 1) < probability; }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  template <std::size_t N>
  std::int64_t of(const std::array<std::int64_t, N>& values) {
    return values[static_cast<std::size_t>(below(N))];
  }
  std::uint64_t seed() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

/// A view `x`, or a copy of it if the program runs without views.
Tensor viewed(Way way, const Tensor& x) { return way == Way::plain ? x * 1.0 : x; }

/// addmm or addmm_columns; as written, the handle c is moved in.
Tensor add_product(Way way, Tensor& c, const Tensor& a, const Tensor& b,
                   std::optional<std::int64_t> first = {}) {
  if (way == Way::plain) {
    return first.has_value() ? addmm_columns(c, a, b, *first) : addmm(c, a, b);
  }
  return first.has_value() ? addmm_columns(std::move(c), a, b, *first) : addmm(std::move(c), a, b);
}

/// A user's cell: it reads its projected input in some ways, then moves it on.
struct DrawnCell {
  using State = HiddenState;

  Way way = Way::as_written;
  std::uint64_t seed = 0;
  bool gated = false;  // two column slices, and a product added to each
  Parameter w_x;       // [input, width], width = hidden or 2 hidden
  Parameter w_h;       // [hidden, hidden]
  Parameter v;         // [hidden, hidden]

  std::int64_t output_size() const { return w_h.shape()[0]; }
  State initial_state(std::int64_t batch) const {
    return {zeros({batch, output_size()}, w_h.dtype())};
  }
  Tensor project(const Tensor& x) const { return matmul(x, w_x); }

  std::pair<Tensor, State> step(Tensor projected, const State& state) const {
    Choices choices(seed);
    const std::int64_t hidden = output_size();
    Tensor skip = 0.1 * state.h;
    for (std::int64_t readers = choices.below(3); readers > 0; --readers) {
      skip = skip + 0.1 * slice(read(projected, choices), 1, 0, hidden);
    }
    Tensor z;
    if (gated) {
      std::array<Tensor, 2> parts;
      if (way == Way::plain) {
        parts = split<2>(projected);
        parts = {viewed(way, parts[0]), viewed(way, parts[1])};
      } else {
        parts = split<2>(std::move(projected));
      }
      auto& [a, b] = parts;
      if (choices.chance(0.5)) {
        skip = skip - 0.2 * read(b, choices);
      }
      const Tensor gate = sigmoid(add_product(way, a, state.h, w_h));
      const Tensor& other = choices.chance(0.5) ? gate : state.h;
      z = gate * add_product(way, b, other, v);
    } else if (choices.chance(0.5)) {
      z = add_product(way, projected, state.h, w_h);
    } else {
      z = add_product(way, projected, state.h, w_h, 0);
    }
    Tensor h = tanh(z) + skip;
    return {h, {h}};
  }
  std::pair<Tensor, State> operator()(const Tensor& x, const State& s) const {
    return step(project(x), s);
  }
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("w_x", w_x);
    visit("w_h", w_h);
    visit("v", v);
  }

 private:
  /// Something of the same shape that reads `x`, usually without saving it.
  static Tensor read(const Tensor& x, Choices& choices) {
    switch (choices.below(8)) {
      case 0:
        return x + 1.0;
      case 1:
        return -x;
      case 2:
        return cumsum(x, 1);
      case 3:
        return expand(sum(x, {1}, true), x.shape());
      case 4:
        return flip(x, {1});
      case 5:
        return slice(concat({x, x}, 1), 1, 0, x.columns());
      case 6:
        return tanh(x);
      default:
        return square(x);
    }
  }
};

}  // namespace

/// One run of a program.
class ProgramRun {
 public:
  ProgramRun(RandomProgram& program, Way way)
      : program_(program), way_(way), choices_(program.seed_) {
    constexpr std::array<std::int64_t, 8> few{1, 2, 3, 4, 5, 6, 8, 9};
    constexpr std::array<std::int64_t, 8> rows{15, 16, 17, 31, 33, 127, 128, 129};
    constexpr std::array<std::int64_t, 6> columns{15, 16, 17, 32, 64, 65};
    const bool is_float = program.dtype_ == DType::float32;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      sizes_[i] = choices_.of(few);
    }
    if (choices_.chance(0.15)) {
      sizes_[0] = choices_.of(rows);
    }
    if (choices_.chance(0.1)) {
      sizes_[1] = choices_.of(columns);
    }
    if (is_float && choices_.chance(0.02)) {
      sizes_[1] = 1024;  // Note [Rows of a multiple of 4 KiB]
    }
    if (choices_.chance(0.25)) {
      sizes_[static_cast<std::size_t>(choices_.below(3))] = 0;
    }
    program.text_.clear();
    program.kept_.clear();
  }

  Tensor loss() {
    add("parameter", parameter({size(), size()}), false);
    const std::int64_t operations = 5 + choices_.below(36);
    for (std::int64_t i = 0; i < operations; ++i) {
      instruct();
    }
    Tensor sum_of_all;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      Value& value = values_[i];
      const bool is_read = choices_.chance(0.4) || (i + 1 == values_.size() && !value.moved);
      const bool is_curved = choices_.chance(0.6);
      const double weight = choices_.uniform(0.5, 2.0);
      if (value.moved || !is_read) {
        continue;
      }
      note("loss", {i});
      const Tensor term = weight * (is_curved ? sum(sin(value.tensor)) : sum(value.tensor));
      sum_of_all = sum_of_all.defined() ? sum_of_all + term : term;
    }
    if (!sum_of_all.defined()) {
      sum_of_all = sum(parameter({2}));
    }
    for (const Value& value : values_) {
      if (!value.moved && !value.is_view && choices_.chance(0.15)) {
        program_.kept_.push_back(value.tensor);
      }
    }
    return sum_of_all;
  }

 private:
  struct Value {
    Tensor tensor;
    bool is_view = false;
    bool moved = false;
  };

  std::int64_t size() { return choices_.of(sizes_); }

  void note(const char* name, std::initializer_list<std::size_t> operands) {
    program_.text_ += fmt::format("  {}", name);
    for (const std::size_t i : operands) {
      program_.text_ += fmt::format(" v{} {}", i, to_string(values_[i].tensor.shape()));
    }
    program_.text_ += '\n';
  }
  void add(const char* name, Tensor tensor, bool is_view) {
    program_.text_ +=
        fmt::format("  v{} {} = {}\n", values_.size(), to_string(tensor.shape()), name);
    values_.push_back({std::move(tensor), is_view, false});
  }

  /// A parameter of `shape`: sometimes an existing one.
  Tensor parameter(const Shape& shape) {
    if (choices_.chance(0.3)) {
      for (std::size_t i = 0; i < next_parameter_; ++i) {
        if (program_.parameters_[i].shape() == shape) {
          return program_.parameters_[i].value();
        }
      }
    }
    return new_parameter(shape).value();
  }
  Parameter& new_parameter(const Shape& shape) {
    Choices drawn(choices_.seed());
    if (next_parameter_ == program_.parameters_.size()) {
      Tensor value = zeros(shape, DType::float64);
      for (std::int64_t i = 0; i < shape.elements(); ++i) {
        value.mutable_data<double>()[i] = drawn.uniform(-0.8, 0.8);
      }
      program_.parameters_.emplace_back(value.to(program_.dtype_));
    }
    return program_.parameters_[next_parameter_++];
  }

  /// A value that has not been moved and for which `fits` holds.
  template <class Fits>
  std::optional<std::size_t> find(const Fits& fits) {
    const auto n = static_cast<std::int64_t>(values_.size());
    for (std::int64_t tries = 0; tries < 8; ++tries) {
      const auto i = static_cast<std::size_t>(choices_.below(n));
      if (!values_[i].moved && fits(values_[i].tensor)) {
        return i;
      }
    }
    return std::nullopt;
  }
  std::optional<std::size_t> find_matrix() {
    return find([](const Tensor& x) { return x.rank() == 2; });
  }

  void instruct() {
    switch (choices_.below(16)) {
      case 0:
        return add("parameter", parameter({size(), size()}), false);
      case 1:
      case 2:
        return unary();
      case 3:
        return binary();
      case 4:
        return reduction();
      case 5:
      case 6:
        return view();
      case 7:
        return movement();
      case 8:
        return product();
      case 9:
      case 10:
      case 11:
      case 12:
        return product_in_place();
      case 13:
        return gates();
      case 14:
        return forget();
      default:
        return recurrence();
    }
  }

  void unary() {
    const auto i = find([](const Tensor&) { return true; });
    if (!i) return;
    const Tensor& x = values_[*i].tensor;
    switch (choices_.below(7)) {
      case 0:
        note("tanh", {*i});
        return add("tanh", tanh(x), false);
      case 1:
        note("sigmoid", {*i});
        return add("sigmoid", sigmoid(x), false);
      case 2:
        note("negate", {*i});
        return add("negate", -x, false);
      case 3:
        note("square", {*i});
        return add("square", sin(square(x)), false);
      case 4:
        note("sin", {*i});
        return add("sin", sin(x), false);
      case 5:
        if (x.rank() == 0 || x.columns() == 0) return;
        note("log_softmax", {*i});
        return add("log_softmax", 0.1 * log_softmax(x), false);
      default:
        note("scale", {*i});
        return add("scale", 0.7 * x, false);
    }
  }

  void binary() {
    const auto i = find_matrix();
    if (!i) return;
    const Shape shape = values_[*i].tensor.shape();
    const auto j = find([&](const Tensor& x) { return x.shape() == shape; });
    const Tensor x = values_[*i].tensor;
    const Tensor y = j && choices_.chance(0.7) ? values_[*j].tensor : parameter({shape[1]});
    note("binary", {*i});
    switch (choices_.below(3)) {
      case 0:
        return add("x + y", x + y, false);
      case 1:
        return add("y - x", y - x, false);
      default:
        return add("sin(x) * y", sin(x) * y, false);
    }
  }

  void reduction() {
    const auto i = find([](const Tensor& x) { return x.rank() >= 1 && x.elements() > 0; });
    if (!i) return;
    const Tensor& x = values_[*i].tensor;
    const int axis = static_cast<int>(choices_.below(x.rank()));
    note("reduce", {*i});
    if (choices_.chance(0.5)) {
      return add("mean", mean(x, {axis}, true), false);
    }
    add("sum", tanh(sum(x, {axis})), false);
  }

  void view() {
    const auto i = find([](const Tensor& x) { return x.rank() >= 1; });
    if (!i) return;
    const Tensor x = values_[*i].tensor;
    const int axis = static_cast<int>(choices_.below(x.rank()));
    const std::int64_t all = x.size(axis);
    const std::int64_t begin = choices_.below(all + 1);
    const std::int64_t end = begin + choices_.below(all - begin + 1);
    note("view", {*i});
    switch (choices_.below(4)) {
      case 0:
        if (all == 0) return;
        return add("select", viewed(way_, select(x, axis, begin % all)), true);
      case 1:
        return add("reshape", viewed(way_, reshape(x, Shape{x.elements()})), true);
      case 2: {
        const auto parts = split(x, {begin, end - begin, all - end}, axis);
        for (const Tensor& part : parts) {
          add("split", viewed(way_, part), true);
        }
        return;
      }
      default:
        return add("slice", viewed(way_, slice(x, axis, begin, end)), true);
    }
  }

  void movement() {
    const auto i = find_matrix();
    if (!i) return;
    const Tensor x = values_[*i].tensor;
    const int axis = static_cast<int>(choices_.below(2));
    note("move", {*i});
    switch (choices_.below(7)) {
      case 0:
        return add("permute", permute(x, {1, 0}), true);
      case 1:
        return add("flip", flip(x, {axis}), true);
      case 2:
        return add("cumsum", tanh(cumsum(x, axis)), false);
      case 3:
        return add("pad", pad(x, axis, 1, 2), false);
      case 4:
        return add("concat", concat({x, x, tanh(x)}, axis), false);
      case 5:
        return add("stack", stack({x, sin(x)}, axis), false);
      default: {
        if (x.size(axis) == 0) return;
        std::vector<std::int64_t> indices;
        for (std::int64_t n = choices_.below(5); n >= 0; --n) {
          indices.push_back(choices_.below(x.size(axis)));
        }
        const Shape shape{static_cast<std::int64_t>(indices.size())};
        const Tensor chosen = Tensor::from<std::int64_t>(shape, indices);
        return add("index_select", index_select(x, chosen, axis), false);
      }
    }
  }

  void product() {
    const auto i = find_matrix();
    if (!i) return;
    const Tensor x = values_[*i].tensor;
    note("matmul", {*i});
    if (choices_.chance(0.3)) {
      const Tensor w = parameter({size(), x.columns()});
      return add("matmul transposed", matmul(x, transposed(w)), false);
    }
    add("matmul", matmul(x, parameter({x.columns(), size()})), false);
  }

  /// c + a w; as written, c is moved in.
  void product_in_place() {
    const auto i = find_matrix();
    if (!i) return;
    Value& c = values_[*i];
    const Shape shape = c.tensor.shape();
    const auto j = find([&](const Tensor& x) { return x.rank() == 2 && x.rows() == shape[0]; });
    if (choices_.chance(0.3) && shape[1] >= 2) {  // split, then a product added to each part
      const std::int64_t first = choices_.below(shape[1] + 1);
      note("split in place", {*i});
      std::array<Tensor, 2> parts;
      c.moved = true;
      if (way_ == Way::plain) {
        parts = split(c.tensor, {first, shape[1] - first});
        parts = {viewed(way_, parts[0]), viewed(way_, parts[1])};
      } else {
        parts = split(std::move(c.tensor), {first, shape[1] - first});
      }
      c.tensor = {};
      if (choices_.chance(0.5)) {
        add("read", tanh(parts[0] + 1.0), false);
      }
      for (Tensor& part : parts) {
        const Tensor a = parameter({shape[0], size()});
        const Tensor w = parameter({a.columns(), part.columns()});
        add("addmm", add_product(way_, part, a, w), false);
      }
      return;
    }
    const Tensor a = j && *j != *i ? values_[*j].tensor : parameter({shape[0], size()});
    const bool moves = choices_.chance(0.8);
    c.moved = moves;
    const Way way = moves ? way_ : Way::plain;
    if (choices_.chance(0.3) && shape[1] > 0) {
      const std::int64_t columns = 1 + choices_.below(shape[1]);
      const std::int64_t first = choices_.below(shape[1] - columns + 1);
      const Tensor w = parameter({a.columns(), columns});
      note("addmm_columns", {*i});
      Tensor y = add_product(way, c.tensor, a, w, first);
      release(c);
      return add("addmm_columns", std::move(y), false);
    }
    const Tensor w = parameter({a.columns(), shape[1]});
    note("addmm", {*i});
    Tensor y = add_product(way, c.tensor, a, w);
    release(c);
    add("addmm", std::move(y), false);
  }
  static void release(Value& value) {
    if (value.moved) {
      value.tensor = {};
    }
  }

  void gates() {
    const auto i = find([](const Tensor& x) { return x.rank() == 2 && x.columns() >= 2; });
    if (!i) return;
    const Tensor x = values_[*i].tensor;
    const std::int64_t half = x.columns() / 2;
    note("gates", {*i});
    const Tensor a = viewed(way_, slice(x, 1, 0, half));
    const Tensor b = viewed(way_, slice(x, 1, half, 2 * half));
    const Tensor bias = parameter({half});
    add("gates",
        fuse([](auto u, auto v, auto w) { return sigmoid(u) * tanh(v + w) - u; }, a, b, bias),
        false);
  }

  /// Drops one handle, so that the operation that read it holds the memory exclusively.
  void forget() {
    const auto i = find([](const Tensor&) { return true; });
    if (!i || values_.size() < 2) return;
    note("forget", {*i});
    values_[*i].moved = true;
    values_[*i].tensor = {};
  }

  void recurrence() {
    DrawnCell cell;
    cell.way = way_;
    cell.gated = choices_.chance(0.5);
    cell.seed = choices_.seed();
    const std::int64_t steps = 1 + choices_.below(7);
    const std::int64_t batch = std::max<std::int64_t>(sizes_[0] % 40, 1);
    const std::int64_t input = 1 + choices_.below(3);
    const std::int64_t hidden = 1 + choices_.below(9);
    const Tensor x = parameter({steps, batch, input});
    const bool backwards = choices_.chance(0.3);
    // A layer has its own parameters; with this guard, they are copies that share the program's
    // values.
    const detail::CopiesShareValues guard;
    cell.w_x = new_parameter({input, cell.gated ? 2 * hidden : hidden});
    cell.w_h = new_parameter({hidden, hidden});
    cell.v = new_parameter({hidden, hidden});
    program_.text_ += fmt::format("  recurrence{}\n", cell.gated ? ", gated" : "");
    if (way_ == Way::as_written) {
      const Recurrent<DrawnCell> layer{
          cell, backwards ? Direction::backward : Direction::forward, {}, {}};
      auto [y, state] = layer(x);
      add("outputs", reshape(y, Shape{steps * batch, hidden}), true);
      return add("state", state.h, true);
    }
    std::vector<Tensor> outputs(static_cast<std::size_t>(steps));
    HiddenState state = cell.initial_state(batch);
    for (std::int64_t n = 0; n < steps; ++n) {
      const std::int64_t t = backwards ? steps - 1 - n : n;
      auto [y, next] = cell(viewed(way_, select(x, 0, t)), state);
      outputs[static_cast<std::size_t>(t)] = y;
      state = next;
    }
    add("outputs",
        viewed(way_,
               reshape(stack(std::span<const Tensor>(outputs), 0), Shape{steps * batch, hidden})),
        true);
    add("state", state.h, true);
  }

  RandomProgram& program_;
  Way way_;
  Choices choices_;
  std::array<std::int64_t, 4> sizes_{};
  std::vector<Value> values_;
  std::size_t next_parameter_ = 0;
};

RandomProgram::RandomProgram(std::uint64_t seed, DType dtype) : seed_(seed), dtype_(dtype) {}

Tensor RandomProgram::run(Way way) { return ProgramRun(*this, way).loss(); }

}  // namespace rw::testing
