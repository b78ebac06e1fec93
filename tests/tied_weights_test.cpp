// A parameter that a model reaches by two paths is one parameter.

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/operations/matmul.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tape/tape.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/optim/sgd.hpp>

#include "support/temporary_folder.hpp"

namespace {
using rw::Parameter;
using rw::Tensor;

struct Table {
  Parameter table;
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("table", table);
  }
};

/// An embedding whose table is also the output's weight.
struct Tied {
  Table embedding{Parameter(rw::full({4, 3}, 2))};
  Parameter bias{rw::zeros({4})};
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("embedding", embedding);
    visit("output/bias", bias);
    visit("output/weight", embedding.table);
    visit("decoder", embedding);  // one whole layer under two names
  }
};

/// The same without tied weights.
struct Apart {
  Table embedding{Parameter(rw::full({4, 3}, 5))};
  Parameter bias{rw::ones({4})};
  Parameter weight{rw::full({4, 3}, 7)};
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("embedding", embedding);
    visit("output/bias", bias);
    visit("output/weight", weight);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(is_listed_once_under_its_first_path) {
  Tied model;
  const rw::ParameterList list = rw::parameters(model);
  BOOST_REQUIRE_EQUAL(list.size(), 2);
  BOOST_CHECK_EQUAL(list[0].path, "embedding/table");
  BOOST_CHECK(list[0].parameter == &model.embedding.table);
  BOOST_CHECK_EQUAL(list[1].path, "output/bias");
  BOOST_CHECK_EQUAL(model.embedding.table.name(), "embedding/table");
  BOOST_CHECK_EQUAL(rw::count(model), 16);
  BOOST_CHECK_EQUAL(rw::state_of(model).size(), 2);
  Apart apart;
  BOOST_CHECK_EQUAL(rw::parameters(apart).size(), 3);
}

BOOST_AUTO_TEST_CASE(gets_the_gradients_of_both_uses_and_one_step) {
  Tied model;
  rw::Sgd optimizer(rw::parameters(model), {.learning_rate = 0.5});
  {
    rw::Tape tape;
    const Tensor x = rw::ones({1, 4});
    const Tensor hidden = rw::matmul(x, model.embedding.table);  // [1, 3], each element 8
    tape.backward(rw::sum(rw::matmul(hidden, rw::transposed(model.embedding.table))));
  }
  // The loss is the squared norm of the table's column sums: 2 * 8 for every element.
  for (const float g : model.embedding.table.grad().to_vector<float>()) {
    BOOST_CHECK_EQUAL(g, 16);
  }
  optimizer.step();
  for (const float w : model.embedding.table.value().to_vector<float>()) {
    BOOST_CHECK_EQUAL(w, 2 - 8);
  }
}

BOOST_AUTO_TEST_CASE(is_saved_once_and_loaded) {
  const rw::testing::TemporaryFolder folder;
  const std::string path = folder / "tied.h5";
  Tied model;
  model.embedding.table.assign(rw::full({4, 3}, 3));
  rw::io::save(path, "model", model);
  BOOST_CHECK_EQUAL(rw::io::list(path).size(), 2);
  Tied restored;
  rw::io::load(path, "model", restored);
  BOOST_CHECK(restored.embedding.table.value().to_vector<float>() == std::vector<float>(12, 3));

  // Neither form silently loads as the other.
  Apart apart;
  BOOST_CHECK_THROW(rw::io::load(path, "model", apart), rw::io::StateMismatch);
  rw::io::save(path, "model", apart);
  BOOST_CHECK_THROW(rw::io::load(path, "model", restored), rw::io::StateMismatch);
  rw::io::load(path, {.allow_unexpected = true}, "model", restored);
  BOOST_CHECK(restored.embedding.table.value().to_vector<float>() == std::vector<float>(12, 5));
}
