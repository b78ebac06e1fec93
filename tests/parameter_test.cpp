// Parameters by themselves: copies, moves, values that do not fit.
#include <memory>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/autograd/tape/tape.hpp>

#include "support/messages.hpp"
#include "support/numbers.hpp"

using namespace rw;
using namespace rw::testing;

BOOST_AUTO_TEST_SUITE(parameters)

BOOST_AUTO_TEST_CASE(copies_are_independent) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  {
    Tape tape;
    tape.backward(sum(w * w));
  }
  Parameter copy = w;
  copy.mutable_data<double>()[0] = 9;
  BOOST_TEST(w.value().to_vector<double>()[0] == 1.0);
  copy.mutable_grad().mutable_data<double>()[0] = 7;
  BOOST_TEST(w.grad().to_vector<double>()[0] == 2.0);
  const Parameter moved = std::move(copy);
  BOOST_TEST(!copy.defined());
  BOOST_CHECK_THROW(copy.value(), UsageError);
  BOOST_TEST(moved.value().to_vector<double>()[0] == 9.0);
}

BOOST_AUTO_TEST_CASE(a_parameter_may_move_or_die_between_forward_and_backward) {
  auto w = std::make_unique<Parameter>(matrix({1, 2, 3, 4}, 2, 2));
  Tape tape;
  const Tensor loss = sum(*w * *w);
  Parameter moved = std::move(*w);
  w.reset();
  tape.backward(loss, {.retain = true});
  BOOST_TEST(moved.grad().to_vector<double>()[1] == 4.0);
  moved = Parameter();
  tape.backward(loss);  // the gradient has no receiver, which does no harm
}

BOOST_AUTO_TEST_CASE(values_are_checked) {
  Parameter w(matrix({1, 2, 3, 4}, 2, 2));
  w.set_name("w");
  BOOST_CHECK_THROW(w.assign(zeros({2, 2})), UsageError);
  const auto text = message_of<ShapeError>([&] { w.assign(zeros({4}, DType::float64)); });
  BOOST_TEST(contains(text, "'w'"));
  BOOST_TEST(w.value().to_vector<double>()[3] == 4.0);
  BOOST_CHECK_THROW(Parameter(arange(4)), UsageError);
}

BOOST_AUTO_TEST_SUITE_END()
