// Training that was saved and loaded continues bit for bit: every optimiser, and everything that
// accompanies one.

#include <memory>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/optim/average.hpp>
#include <rewind/optim/early_stopping.hpp>
#include <rewind/optim/lbfgs.hpp>
#include <rewind/optim/reduce_on_plateau.hpp>

#include "optimizer_table.hpp"
#include "support/bytes_of.hpp"
#include "support/small_model.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace rw::testing;
using namespace rw;

/// Everything that changes during a training.
struct Training {
  Training(const OptimizerRow& rule, DType dtype) : model(dtype) {
    optimizer = rule.make(rw::parameters(model));
    optimizer->set_schedule(rw::warm_up(5) * rw::cosine_restarts(6, 2));
    optimizer->add_group({.name = "biases",
                          .contains = [](const auto& p) { return p.path.ends_with("/b"); },
                          .learning_rate_factor = 0.5,
                          .weight_decay = 0});
    average = std::make_unique<rw::ParameterAverage>(rw::parameters(model));
    lookahead = std::make_unique<rw::Lookahead>(rw::parameters(model));
    plateau = std::make_unique<rw::ReduceOnPlateau>(
        *optimizer, rw::ReduceOnPlateauOptions{.factor = 0.7, .patience = 1, .cooldown = 2});
  }

  void run(int from, int to) {
    const ParameterList list = rw::parameters(model);
    for (int t = from; t <= to; ++t) {
      set_gradients(list, t);
      optimizer->step();
      average->update();
      lookahead->update();
      const double loss = std::abs(std::cos(0.7 * t));
      plateau->observe(loss);
      stopping.observe(loss);
      if (t == 8) {
        optimizer->set_learning_rate_factor("biases", 0.25);
      }
    }
  }

  rw::StateList state() {
    return rw::io::collect("model", model, "optimizer", *optimizer, "average", *average,
                           "lookahead", *lookahead, "plateau", *plateau, "stopping", stopping);
  }

  Model model;
  std::unique_ptr<rw::Optimizer> optimizer;
  std::unique_ptr<rw::ParameterAverage> average;
  std::unique_ptr<rw::Lookahead> lookahead;
  std::unique_ptr<rw::ReduceOnPlateau> plateau;
  rw::EarlyStopping stopping;
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_optimiser) {
  std::vector<std::unique_ptr<Training>> trainings;
  std::vector<std::unique_ptr<Training>> resumed;
  rw::StateList saved;
  rw::StateList loaded;
  const auto append = [](rw::StateList& all, Training& training, std::size_t i) {
    for (rw::StateEntry& entry : training.state()) {
      all.push_back({std::to_string(i) + "/" + entry.path, std::move(entry.tensor)});
    }
  };
  for (const OptimizerRow& rule : optimizer_table()) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      trainings.push_back(std::make_unique<Training>(rule, dtype));
      trainings.back()->run(1, 12);
      append(saved, *trainings.back(), trainings.size());
      resumed.push_back(std::make_unique<Training>(rule, dtype));
      resumed.back()->run(100, 103);  // so that anything not restored shows
      append(loaded, *resumed.back(), resumed.size());
    }
  }
  const TemporaryFolder folder;
  const std::string file = folder / "training.h5";
  rw::io::save(file, saved);
  rw::io::load(file, loaded);
  for (std::size_t i = 0; i < trainings.size(); ++i) {
    BOOST_REQUIRE(bytes_of(resumed[i]->state()) == bytes_of(trainings[i]->state()));
    trainings[i]->run(13, 30);
    resumed[i]->run(13, 30);
    BOOST_TEST_INFO(optimizer_table()[i / 2].name);
    BOOST_CHECK(bytes_of(resumed[i]->state()) == bytes_of(trainings[i]->state()));
  }
}

BOOST_AUTO_TEST_CASE(lbfgs) {
  const TemporaryFolder folder;
  const std::string file = folder / "training.h5";
  for (const DType dtype : {DType::float32, DType::float64}) {
    Model model(dtype);
    Model other(dtype);
    rw::Lbfgs optimizer(rw::parameters(model), {.max_iterations = 3, .history = 4});
    rw::Lbfgs resumed(rw::parameters(other), {.max_iterations = 3, .history = 4});
    const auto step = [](rw::Lbfgs& lbfgs, Model& m) {
      return lbfgs.step([&] {
        return rw::sum(rw::exp(m.w) - m.w) + rw::sum(m.b * m.b * m.b * m.b + m.b) * m.s * m.s + m.s;
      });
    };
    step(optimizer, model);
    step(optimizer, model);
    step(resumed, other);
    rw::io::save(file, "model", model, "optimizer", optimizer);
    rw::io::load(file, "model", other, "optimizer", resumed);
    for (int t = 0; t < 2; ++t) {
      const double loss = step(optimizer, model).last_loss;
      BOOST_CHECK_EQUAL(step(resumed, other).last_loss, loss);
    }
    BOOST_CHECK(bytes_of(rw::io::collect("m", model, "o", optimizer)) ==
                bytes_of(rw::io::collect("m", other, "o", resumed)));
  }
}
