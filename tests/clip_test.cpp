// Clipping gradients by their norm and by value.

#include <utility>

#include <rewind/optim/adam.hpp>
#include <rewind/optim/clip.hpp>

#include "support/bytes_of.hpp"
#include "support/messages.hpp"
#include "support/small_model.hpp"

namespace {

using namespace rw::testing;
using namespace rw;

double norm_of(const ParameterList& list) {
  long double sum = 0;
  for (const auto& entry : list) {
    for (const double g : entry.parameter->grad().to(DType::float64).to_vector<double>()) {
      sum += static_cast<long double>(g) * g;
    }
  }
  return static_cast<double>(std::sqrt(sum));
}

}  // namespace

BOOST_AUTO_TEST_CASE(bounds) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const double percent = dtype == DType::float32 ? 1e-4 : 1e-11;
    Model model(dtype);
    const ParameterList list = rw::parameters(model);
    set_gradients(list, 1);
    const double norm = norm_of(list);
    const std::vector<double> g = model.w.grad().to(DType::float64).to_vector<double>();

    // Within the bounds, no bit changes.
    const std::string before = gradient_bytes(list);
    BOOST_CHECK_CLOSE(rw::clip_by_norm(list, norm * 1.01, norm * 0.99), norm, 1e-11);
    rw::clip_by_norm(list, infinity);
    BOOST_CHECK(gradient_bytes(list) == before);

    BOOST_CHECK_CLOSE(rw::clip_by_norm(list, norm / 3), norm, 1e-11);
    BOOST_CHECK_CLOSE(norm_of(list), norm / 3, percent);
    const std::vector<double> shortened = model.w.grad().to(DType::float64).to_vector<double>();
    for (std::size_t i = 0; i < g.size(); ++i) {
      BOOST_CHECK_CLOSE(shortened[i], g[i] / 3, percent);
    }

    BOOST_CHECK_CLOSE(rw::clip_by_norm(list, infinity, norm * 2), norm / 3, percent);
    BOOST_CHECK_CLOSE(norm_of(list), norm * 2, percent);
    rw::clip_by_norm(list, 5, 5);
    BOOST_CHECK_CLOSE(norm_of(list), 5, percent);
  }
}

BOOST_AUTO_TEST_CASE(huge_and_tiny_gradients) {
  const auto check = [](DType dtype, double g, double percent) {
    Parameter p(rw::zeros({100}, dtype));
    const ParameterList list = {{"p", &p}};
    set_gradient(p, g);
    BOOST_TEST_INFO(g);
    BOOST_CHECK_CLOSE(rw::clip_by_norm(list, 1, 1), 10 * g, percent);
    BOOST_CHECK_CLOSE(norm_of(list), 1, 1e-4);
  };
  for (const double g : {1e30, 3e38, 1e-30, 1e-38}) {
    check(DType::float32, g, 1e-4);
  }
  for (const double g : {1e30, 1e200, 1e306, 1e-200, 1e-300}) {
    check(DType::float64, g, 1e-10);
  }
  check(DType::float64, 4e-320, 0.1);  // denormal

  // Gradients of 1e30, clipped, then used for training: no exception, and no zero step.
  Parameter p(rw::zeros({100}));
  const ParameterList list = {{"p", &p}};
  rw::Adam optimizer(list, {.learning_rate = 0.1});
  set_gradient(p, 1e30);
  BOOST_CHECK_THROW(optimizer.step(), rw::NonFiniteError);
  rw::clip_by_norm(list, 1);
  optimizer.step();
  BOOST_CHECK_CLOSE(value_of(p), -0.1, 1e-3);
}

BOOST_AUTO_TEST_CASE(zero_stays_zero) {
  Model model(DType::float32);
  const ParameterList list = rw::parameters(model);
  BOOST_CHECK_EQUAL(rw::clip_by_norm(list, 2, 1), 0);  // there are no gradients yet
  for (const auto& entry : list) {
    set_gradient(*entry.parameter, 0);
  }
  BOOST_CHECK_EQUAL(rw::clip_by_norm(list, 2, 1), 0);
  BOOST_CHECK_EQUAL(norm_of(list), 0);
}

BOOST_AUTO_TEST_CASE(frozen_parameters_do_not_count) {
  Model model(DType::float64);
  const ParameterList list = rw::parameters(model);
  set_gradients(list, 1);
  model.w.set_trainable(false);
  model.b.zero_grad();
  set_gradient(model.s, 4);
  const std::string before = gradient_bytes({{"w", &model.w}});
  BOOST_CHECK_EQUAL(rw::clip_by_norm(list, 1), 4);
  BOOST_CHECK(gradient_bytes({{"w", &model.w}}) == before);
}

BOOST_AUTO_TEST_CASE(non_finite_gradients_are_refused) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    for (const double bad : {not_a_number, infinity, -infinity}) {
      Model model(dtype);
      const ParameterList list = rw::parameters(model);
      set_gradients(list, 1);
      poke(model.b, 1, bad);
      const std::string before = gradient_bytes(list);
      check_contains(message_of<rw::NonFiniteError>([&] { rw::clip_by_norm(list, 1e-3); }),
                     {"clip_by_norm", "'layer/b'", "of 3 values"});
      check_contains(message_of<rw::NonFiniteError>([&] { rw::clip_by_value(list, 1e-3); }),
                     {"clip_by_value", "'layer/b'"});
      BOOST_CHECK(gradient_bytes(list) == before);
    }
  }
  // Finite values, infinite norm.
  Parameter p(rw::zeros({100}, DType::float64));
  set_gradient(p, 1e308);
  BOOST_CHECK_THROW(rw::clip_by_norm({{"p", &p}}, 1), rw::NonFiniteError);
  BOOST_CHECK_EQUAL(p.grad().to_vector<double>()[0], 1e308);
}

BOOST_AUTO_TEST_CASE(by_value) {
  Parameter p(rw::zeros({5}));
  const ParameterList list = {{"p", &p}};
  p.set_grad(Tensor::from<float>({5}, {-3, -0.5F, 0, 0.5F, 1e30F}));
  rw::clip_by_value(list, 0.75);
  const std::vector<float> expected{-0.75F, -0.5F, 0, 0.5F, 0.75F};
  const std::vector<float> got = p.grad().to_vector<float>();
  BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), expected.begin(), expected.end());
}

BOOST_AUTO_TEST_CASE(bad_bounds) {
  Model model(DType::float32);
  const ParameterList list = rw::parameters(model);
  set_gradients(list, 1);
  const std::string before = gradient_bytes(list);
  for (const auto& [upper, lower] : std::vector<std::pair<double, double>>{
           {0, 0}, {-1, 0}, {1, 2}, {1, -1}, {not_a_number, 0}, {1, not_a_number}}) {
    BOOST_CHECK_THROW(rw::clip_by_norm(list, upper, lower), rw::UsageError);
  }
  for (const double bound : {0.0, -1.0, not_a_number}) {
    BOOST_CHECK_THROW(rw::clip_by_value(list, bound), rw::UsageError);
  }
  BOOST_CHECK(gradient_bytes(list) == before);
}
