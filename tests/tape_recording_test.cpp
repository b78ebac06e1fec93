// What a tape records, what it releases, how it is drawn, and how several tapes end.
#include <memory>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/messages.hpp"
#include "support/numbers.hpp"

using namespace rw;
using namespace rw::testing;

BOOST_AUTO_TEST_SUITE(recording)

BOOST_AUTO_TEST_CASE(nothing_is_recorded_without_a_tape) {
  const Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  const Tensor y = tanh(matmul(w, w));
  BOOST_TEST(!y.requires_grad());
  Tape tape;
  BOOST_TEST(!y.requires_grad());
  BOOST_TEST(tape.operations() == 0);
}

BOOST_AUTO_TEST_CASE(everything_is_released_with_the_tape) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  const std::int64_t live = memory_statistics().live_bytes;
  for (const bool off_the_path : {false, true}) {
    for (const bool backward : {false, true}) {
      {
        Tape tape;
        if (off_the_path) {
          tanh(matmul(w, w)) * w;  // recorded, but the loss does not depend on it
        }
        const Tensor loss = sum(tanh(w * w));
        if (backward) {
          tape.backward(loss);
        }
        tanh(w);
      }
      w.zero_grad();
      BOOST_TEST(memory_statistics().live_bytes == live);
    }
  }
  for (const bool after : {false, true}) {
    {
      Tape tape;
      tanh(matmul(w, w)) * w;
      tape.backward(sum(w * w));
      if (after) {
        tanh(w);
      }
    }
    w.zero_grad();
    BOOST_TEST(memory_statistics().live_bytes == live);
  }
}

BOOST_AUTO_TEST_CASE(only_what_needs_a_gradient_is_recorded) {
  const Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Parameter frozen(matrix({1, 2, 3, 4}, 2, 2), false);
  const Tensor constant = matrix({1, 1, 1, 1}, 2, 2);
  Tape tape;
  const Tensor a = constant * 2.0;
  const Tensor b = matmul(frozen, constant);
  BOOST_TEST(tape.operations() == 0);
  BOOST_TEST(!a.requires_grad());
  BOOST_TEST(!b.requires_grad());
  const Tensor c = a * w;
  BOOST_TEST(tape.operations() == 1);
  BOOST_TEST(c.requires_grad());
  BOOST_TEST(!c.detach().requires_grad());
  {
    const StopRecording stop;
    BOOST_TEST(!(c * 2.0).requires_grad());
  }
  BOOST_TEST(tape.operations() == 1);
}

BOOST_AUTO_TEST_CASE(views_are_no_operations) {
  const Parameter w(zeros({4, 6}, DType::float64));
  Tape tape;
  const auto parts = split<3>(w);
  const Tensor row = select(w, 0, 1);
  const Tensor flat = reshape(w, {24});
  BOOST_TEST(tape.operations() == 0);
  BOOST_TEST(parts[1].requires_grad());
  BOOST_TEST(row.requires_grad());
  BOOST_TEST(flat.requires_grad());
}

BOOST_AUTO_TEST_CASE(names_and_picture) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  w.set_name("cell/w_h");
  Tape tape;
  const Tensor loss = sum(tanh(matmul(w, w)));
  const std::vector<std::string> expected{"matmul", "tanh", "sum"};
  BOOST_TEST(tape.operation_names() == expected, boost::test_tools::per_element());
  const std::string dot = tape.to_dot();
  BOOST_TEST(contains(dot, "digraph"));
  BOOST_TEST(contains(dot, "cell/w_h"));
  BOOST_TEST(contains(dot, "tanh"));
  BOOST_TEST(contains(dot, "->"));
}

BOOST_AUTO_TEST_CASE(a_picture_names_every_parameter_and_explains_its_lines) {
  Parameter w(zeros({2, 4}));
  Parameter b(zeros({2, 2}));
  Parameter named(zeros({2, 2}));
  named.set_name("a \"quoted\" name");
  Tape tape;
  const auto [left, right] = split<2>(w);
  const Tensor y = left * right + b + named;
  const std::string dot = tape.to_dot();
  BOOST_TEST(contains(dot, "label=\"parameter 1\\n[2, 4]\", shape=ellipse"));
  BOOST_TEST(contains(dot, "label=\"parameter 2\\n[2, 2]\", shape=ellipse"));
  BOOST_TEST(contains(dot, "label=\"a \\\"quoted\\\" name\\n[2, 2]\""));
  BOOST_TEST(contains(dot, "label=\"legend\""));
  BOOST_TEST(contains(dot, "a view\", style=dashed"));
}

BOOST_AUTO_TEST_CASE(a_tensor_outlives_its_tape_as_a_constant) {
  const Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  Tensor y;
  {
    Tape tape;
    y = w * 3.0;
  }
  BOOST_TEST(y.to_vector<double>()[3] == 12.0);
  Tape tape;
  BOOST_TEST(!y.requires_grad());
  const Tensor z = y * w;
  BOOST_TEST(tape.operations() == 1);
  const auto text = message_of<UsageError>([&] { tape.backward(sum(y)); });
  BOOST_TEST(contains(text, "not recorded"));
  const auto other = message_of<UsageError>([&] { static_cast<void>(tape.gradient(sum(z), {y})); });
  BOOST_TEST(contains(other, "not on this tape"));
}

BOOST_AUTO_TEST_CASE(the_innermost_tape_records_and_tapes_end_in_any_order) {
  const Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  auto outer = std::make_unique<Tape>();
  const Tensor a = w * 2.0;
  auto inner = std::make_unique<Tape>();
  BOOST_TEST(Tape::active() == inner.get());
  BOOST_CHECK_THROW(a * 2.0, UsageError);  // recorded on a tape that is still alive
  const Tensor b = a.detach() * w;
  BOOST_TEST(inner->operations() == 1);
  outer.reset();
  BOOST_TEST(Tape::active() == inner.get());
  const Tensor c = a * b;  // the outer tape has ended: `a` is a constant
  BOOST_TEST(inner->operations() == 2);
  inner.reset();
  BOOST_TEST(Tape::active() == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
