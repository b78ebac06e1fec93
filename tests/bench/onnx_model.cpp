#include "onnx_model.hpp"

#include <stdexcept>
#include <type_traits>

#include "protobuf.hpp"

namespace bench {

namespace {

using Dims = std::vector<std::int64_t>;
using Names = std::vector<std::string>;

// The field numbers below are from onnx.proto.

constexpr int float_type = 1, int64_type = 7;

template <class Number>
Message tensor(const std::string& name, const Dims& dims, const std::vector<Number>& values) {
  Message m;
  for (const std::int64_t size : dims) {
    m.number(1, size);
  }
  m.number(2, std::is_same_v<Number, float> ? float_type : int64_type).bytes(8, name);
  return m.bytes(9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Number)});
}

/// An input or output of the model: a name and a float32 shape.
Message place(const std::string& name, const Dims& dims) {
  Message shape;
  for (const std::int64_t size : dims) {
    shape.message(1, Message().number(1, size));
  }
  const Message type = Message().number(1, float_type).message(2, shape);
  return Message().bytes(1, name).message(2, Message().message(1, type));
}

Message integer(const std::string& name, std::int64_t value) {
  return Message().bytes(1, name).number(3, value).number(20, 2);
}

Message integers(const std::string& name, const Dims& values) {
  Message m;
  m.bytes(1, name);
  for (const std::int64_t value : values) {
    m.number(8, value);
  }
  return m.number(20, 7);
}

Message text(const std::string& name, const std::string& value) {
  return Message().bytes(1, name).bytes(4, value).number(20, 3);
}

Message node(const std::string& operation, const Names& inputs, const std::string& output,
             const std::vector<Message>& attributes) {
  Message m;
  for (const std::string& input : inputs) {
    m.bytes(1, input);
  }
  m.bytes(2, output).bytes(4, operation);
  for (const Message& attribute : attributes) {
    m.message(5, attribute);
  }
  return m;
}

/// ONNX's gates in its own order, each as Rewind's index of it. LSTM: input, forget, candidate,
/// output in Rewind; input, output, forget, candidate in ONNX. GRU: reset, update, candidate in
/// Rewind; update, reset, candidate in ONNX.
std::vector<std::int64_t> order_of(Kind kind) {
  switch (kind) {
    case Kind::rnn:
      return {0};
    case Kind::lstm:
      return {0, 3, 1, 2};
    case Kind::gru:
    case Kind::gru_reset_before:
      return {1, 0, 2};
    case Kind::custom:
      break;
  }
  throw std::logic_error("bench: ONNX has no such cell");
}

/// Appends [rows, gates hidden] transposed, with the gates in ONNX's order.
void append_transposed(std::vector<float>& to, const std::vector<float>& from, std::int64_t rows,
                       std::int64_t hidden, const std::vector<std::int64_t>& order) {
  const auto width = static_cast<std::int64_t>(order.size()) * hidden;
  for (const std::int64_t gate : order) {
    for (std::int64_t unit = 0; unit < hidden; ++unit) {
      for (std::int64_t row = 0; row < rows; ++row) {
        to.push_back(from[static_cast<std::size_t>(row * width + gate * hidden + unit)]);
      }
    }
  }
}

struct LayerWeights {
  std::vector<float> w, r, b;
};

/// ONNX's weights of one layer, direction after direction.
LayerWeights convert(const Problem& problem, std::int64_t layer) {
  const Sizes& s = problem.sizes;
  const auto order = order_of(problem.kind);
  LayerWeights all;
  for (std::int64_t direction = 0; direction < s.directions(); ++direction) {
    const Weights& w =
        problem.weights[static_cast<std::size_t>(layer * s.directions() + direction)];
    append_transposed(all.w, w.w_x, s.input_of(layer), s.hidden, order);
    append_transposed(all.r, w.w_h, s.hidden, s.hidden, order);
    append_transposed(all.b, w.bias, 1, s.hidden, order);
    // The second bias, of the product with the state: zero but for a GRU's candidate.
    all.b.resize(all.b.size() + w.bias.size() - w.bias_h.size());
    all.b.insert(all.b.end(), w.bias_h.begin(), w.bias_h.end());
  }
  return all;
}

}  // namespace

std::vector<std::int64_t> onnx_output_shape(const Sizes& s) {
  return s.bidirectional ? Dims{s.steps, s.batch, 2, s.hidden}
                         : Dims{s.steps, 1, s.batch, s.hidden};
}

std::string onnx_model(const Problem& problem) {
  const Sizes& s = problem.sizes;
  const std::int64_t directions = s.directions(), width = gates_of(problem.kind) * s.hidden;
  std::vector<Message> attributes{integer("hidden_size", s.hidden),
                                  text("direction", s.bidirectional ? "bidirectional" : "forward")};
  if (problem.kind == Kind::gru || problem.kind == Kind::gru_reset_before) {
    attributes.push_back(integer("linear_before_reset", problem.kind == Kind::gru ? 1 : 0));
  }
  const char* const operation = problem.kind == Kind::rnn    ? "RNN"
                                : problem.kind == Kind::lstm ? "LSTM"
                                                             : "GRU";
  Message graph;
  graph.bytes(2, "network").message(11, place("x", {s.steps, s.batch, s.input}));
  graph.message(12, place("y", onnx_output_shape(s)));
  graph.message(5, tensor<std::int64_t>("rows", {3}, {s.steps, s.batch, s.output()}));
  std::string x = "x";
  for (std::int64_t layer = 0; layer < s.layers; ++layer) {
    const auto named = [&](const char* what) { return what + std::to_string(layer); };
    const LayerWeights weights = convert(problem, layer);
    graph.message(5, tensor(named("w"), {directions, width, s.input_of(layer)}, weights.w));
    graph.message(5, tensor(named("r"), {directions, width, s.hidden}, weights.r));
    graph.message(5, tensor(named("b"), {directions, 2 * width}, weights.b));
    const bool last = layer + 1 == s.layers;
    std::string y = last && !s.bidirectional ? "y" : named("y");  // [T, directions, B, hidden]
    graph.message(1, node(operation, {x, named("w"), named("r"), named("b")}, y, attributes));
    if (s.bidirectional) {
      const std::string together = last ? "y" : named("together");
      graph.message(1, node("Transpose", {y}, together, {integers("perm", {0, 2, 1, 3})}));
      y = together;
    }
    if (!last) {
      x = named("x");
      graph.message(1, node("Reshape", {y, "rows"}, x, {}));
    }
  }
  const Message operators = Message().bytes(1, "").number(2, 14);  // ONNX's own, version 14
  return Message().number(1, 8).message(8, operators).message(7, graph).bytes();
}

}  // namespace bench
