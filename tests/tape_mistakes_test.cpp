// Every wrong use of a tape is refused by name, and what only looks wrong is not.
#include <cmath>
#include <limits>
#include <thread>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/fuse/pointwise.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/movement.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/anomaly.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/messages.hpp"
#include "support/numbers.hpp"

using namespace rw;
using namespace rw::testing;

BOOST_AUTO_TEST_SUITE(mistakes)

BOOST_AUTO_TEST_CASE(a_saved_tensor_that_was_changed) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Parameter other(matrix({1, 2, 3, 4}, 2, 2));
  w.set_name("cell/w_h");
  Tape tape;
  const Tensor loss = sum(matmul(w, w)) + sum(other * 2.0);
  w.mutable_data<double>()[0] = 5.0;
  const auto text = message_of<UsageError>([&] { tape.backward(loss); });
  BOOST_TEST(contains(text, "'matmul'"));
  BOOST_TEST(contains(text, "'cell/w_h'"));
  BOOST_TEST(contains(text, "[2, 2]"));
  BOOST_TEST(contains(text, "version"));
  BOOST_TEST(!w.has_grad());
  BOOST_TEST(!other.has_grad());
}

// The advice in the message above works.
BOOST_AUTO_TEST_CASE(a_clone_may_be_saved_and_its_original_changed) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor copy = w.value().clone();
  const Tensor loss = sum(square(copy));
  w.mutable_data<double>()[0] = 5.0;
  tape.backward(loss);
  BOOST_TEST(w.grad().to_vector<double>() == (std::vector<double>{2, 4, 6, 8}),
             boost::test_tools::per_element());
  Tensor x = tape.watch(matrix({1, 2, 3, 4}, 2, 2));
  const Tensor squares = square(x.clone());
  x.mutable_data<double>()[0] = 5.0;
  const Tensor g = tape.gradient(sum(squares), {x})[0];
  BOOST_TEST(g.to_vector<double>()[0] == 2.0);
}

BOOST_AUTO_TEST_CASE(a_detached_tensor_of_an_outer_tape_is_a_constant) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  const Tape outer;
  const Tensor y = w * 2.0;
  Tape inner;
  const auto text = message_of<UsageError>([&] { static_cast<void>(y * w); });
  BOOST_TEST(contains(text, "detach()"));
  inner.backward(sum(y.detach() * w));
  BOOST_TEST(w.grad().to_vector<double>()[3] == 8.0);
}

BOOST_AUTO_TEST_CASE(copies_that_the_library_makes_are_not_recorded) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  w.set_grad(w);
  Tape tape;
  const Tensor y = w * 2.0;
  const Parameter copy = w;
  const Parameter of_result(y);
  const Parameter of_columns(slice(y, 1, 0, 1));
  static_cast<void>(argmax(y));
  static_cast<void>(slice(y, 1, 0, 1).to_vector<double>());
  BOOST_TEST(tape.operations() == 1);
}

BOOST_AUTO_TEST_CASE(a_changed_tensor_that_no_rule_reads_is_fine) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor loss = sum(w + 1.0);
  w.mutable_data<double>()[0] = 5.0;
  tape.backward(loss);
  BOOST_TEST(w.grad().to_vector<double>()[0] == 1.0);
}

BOOST_AUTO_TEST_CASE(a_second_backward_needs_retain) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor loss = sum(w * w);
  tape.backward(loss, {.retain = true});
  tape.backward(loss);
  BOOST_TEST(w.grad().to_vector<double>()[1] == 8.0);
  const auto text = message_of<UsageError>([&] { tape.backward(loss); });
  BOOST_TEST(contains(text, "retain"));
  BOOST_TEST(w.grad().to_vector<double>()[1] == 8.0);
}

BOOST_AUTO_TEST_CASE(a_root_that_depends_on_nothing) {
  Tape tape;
  BOOST_CHECK_THROW(tape.backward(scalar(1.0)), UsageError);
  BOOST_CHECK_THROW(static_cast<void>(tape.gradient(scalar(1.0), {scalar(2.0)})), UsageError);
  BOOST_CHECK_THROW(tape.watch(arange(3)), UsageError);
  BOOST_CHECK_THROW(static_cast<void>(Tensor().shape()), UsageError);
}

BOOST_AUTO_TEST_CASE(a_tape_belongs_to_its_thread) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor loss = sum(w * w);
  std::string from_backward;
  std::string from_use;
  std::thread([&] {
    from_backward = message_of<UsageError>([&] { tape.backward(loss); });
    Tape own;
    from_use = message_of<UsageError>([&] { static_cast<void>(loss * w); });
  }).join();
  BOOST_TEST(contains(from_backward, "another thread"));
  BOOST_TEST(contains(from_use, "another tape"));
  BOOST_TEST(!w.has_grad());
  tape.backward(loss);
  BOOST_TEST(w.has_grad());
}

BOOST_AUTO_TEST_CASE(a_rule_that_throws_changes_no_gradient) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Parameter v(matrix({1, 2, 3, 4}, 2, 2));
  {
    Tape tape;
    tape.backward(sum(w * w));
  }
  const std::vector<double> before = w.grad().to_vector<double>();
  Tape tape;
  const Tensor bad = record("bad", {w}, w.value() * 1.0, saved(), [](const Tensor&, Gradients& d) {
    d.add(0, []() -> Tensor { throw std::bad_alloc(); });
  });
  BOOST_CHECK_THROW(tape.backward(sum(bad) + sum(v * v) + sum(w * 2.0)), std::bad_alloc);
  BOOST_TEST(w.grad().to_vector<double>() == before, boost::test_tools::per_element());
  BOOST_TEST(!v.has_grad());
  // The tape and the parameters remain usable.
  tape.backward(sum(v * v));
  BOOST_TEST(v.grad().to_vector<double>()[0] == 2.0);
}

BOOST_AUTO_TEST_CASE(a_rule_with_a_wrong_shape_is_named) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor y = record(
      "careless", {w}, w.value() * 1.0, saved(),
      [](const Tensor&, Gradients& d) { d.add(0, [] { return zeros({3}, DType::float64); }); });
  const auto text = message_of<ShapeError>([&] { tape.backward(sum(y)); });
  BOOST_TEST(contains(text, "careless"));
  BOOST_TEST(contains(text, "[3]"));
}

BOOST_AUTO_TEST_CASE(mixed_types_and_shapes_that_do_not_fit) {
  const Tensor a = zeros({2, 3});
  const Tensor b = zeros({2, 3}, DType::float64);
  BOOST_CHECK_THROW(a + b, UsageError);
  BOOST_CHECK_THROW(matmul(a, transposed(b)), UsageError);
  BOOST_CHECK_THROW(a + arange(3), UsageError);
  BOOST_TEST(contains(message_of<ShapeError>([&] {
                        static_cast<void>(a + zeros({2, 4}));
                      }),
                      "[2, 4]"));
  BOOST_TEST(contains(message_of<ShapeError>([&] { static_cast<void>(matmul(a, a)); }), "inner"));
  BOOST_CHECK_THROW((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), ShapeError);
  BOOST_CHECK_THROW((Shape{-1}), ShapeError);
}

BOOST_AUTO_TEST_CASE(anomaly_mode_names_the_first_bad_operation) {
  Parameter w(matrix({1, 0, 3, 4}, 2, 2));
  const AnomalyMode anomaly;
  Tape tape;
  const auto forward = message_of<NonFiniteError>([&] { static_cast<void>(sum(log(w) * 2.0)); });
  BOOST_TEST(contains(forward, "'log'"));
  const Tensor root = sqrt(w);  // finite, with an infinite gradient at 0
  const auto backward = message_of<NonFiniteError>([&] { tape.backward(sum(root)); });
  BOOST_TEST(contains(backward, "'sqrt'"));
  BOOST_TEST(contains(backward, "gradient"));
  BOOST_TEST(contains(forward, "this operation made them"));
  BOOST_TEST(contains(backward, "this operation made them"));
  BOOST_TEST(!w.has_grad());
}

BOOST_AUTO_TEST_CASE(anomaly_mode_names_the_input_that_brought_a_nan) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Parameter w(matrix({1, std::nan(""), 3, infinity}, 2, 2));
  w.set_name("lstm/cell/w_h");
  const Tensor x = matrix({1, 2, 3, 4}, 2, 2);
  const Tensor bad = matrix({1, -infinity, 3, 4}, 2, 2);
  const AnomalyMode anomaly;
  const std::vector<std::string> messages{
      message_of<NonFiniteError>([&] { static_cast<void>(matmul(x, w)); }),
      message_of<NonFiniteError>([&] { static_cast<void>(x * w); }),
      message_of<NonFiniteError>([&] {
        static_cast<void>(fuse(
            "three", [](auto a, auto b, auto c) { return a * b + c; }, x, 2.0, w));
      })};
  for (const std::string& message : messages) {
    BOOST_TEST(
        contains(message, "parameter 'lstm/cell/w_h' [2, 2], already holds 1 NaN and 1 infinite"),
        message);
    BOOST_TEST(!contains(message, "finite, so"), message);
  }
  BOOST_TEST(contains(messages[1], "'mul'"));
  BOOST_TEST(contains(messages[1], "input 1"));
  BOOST_TEST(contains(messages[2], "input 2"));
  const auto of_input = message_of<NonFiniteError>([&] { static_cast<void>(concat({x, bad}, 0)); });
  BOOST_TEST(contains(of_input, "its input 1, [2, 2], already holds 0 NaN and 1 infinite"),
             of_input);
  const auto of_number = message_of<NonFiniteError>([&] { static_cast<void>(x + infinity); });
  BOOST_TEST(contains(of_number, "its input 1, a number, is inf"), of_number);
  // Recorded before the mode began, found in the backward pass.
  Parameter v(matrix({1, 2, 3, 4}, 2, 2));
  v.set_name("v");
  Tape tape;
  const Tensor finite = where(x > 0.0, v, v * 2.0);
  const auto of_seed = message_of<NonFiniteError>([&] { tape.backward(finite, {.seed = bad}); });
  BOOST_TEST(contains(of_seed, "the seed"), of_seed);
  BOOST_TEST(!v.has_grad());
}

BOOST_AUTO_TEST_CASE(anomaly_mode_names_a_saved_tensor_that_was_not_finite) {
  Parameter w(matrix({1, std::nan(""), 3, 4}, 2, 2));
  w.set_name("lstm/cell/w_h");
  const Tensor x = matrix({1, 2, 3, 4}, 2, 2);
  Tape tape;
  const Tensor watched = tape.watch(x);
  const Tensor loss = sum(watched * w);
  const AnomalyMode anomaly;
  const auto message =
      message_of<NonFiniteError>([&] { static_cast<void>(tape.gradient(loss, {watched})); });
  BOOST_TEST(contains(message, "the gradient that backward computed in 'mul'"), message);
  BOOST_TEST(contains(message, "it was computed from parameter 'lstm/cell/w_h' [2, 2], which"),
             message);
}

BOOST_AUTO_TEST_SUITE_END()
