#pragma once

#include <fmt/core.h>

#include <rewind/io/checkpoint.hpp>

#include "interrupt.hpp"
#include "options.hpp"
#include "plot.hpp"

namespace examples {

/// With --load reads `model` from that file. Otherwise trains it, by `train()`, which gives the
/// curve to draw; writes it where --save says. Ctrl-C ends the training, not the program.
template <class Model, class Train>
void load_or_train(const CommandLine& line, Model& model, Train&& train) {
  if (!line.load.empty()) {
    rw::io::load(line.load, "model", model);
    return;
  }
  stop_training_on_interrupt();
  const Curve curve = train();
  if (!line.save.empty()) {
    rw::io::save(line.save, line.attributes(), "model", model);
    fmt::print("wrote {}\n", line.save);
  }
  plot_curves(line.plot, {curve});
}

}  // namespace examples
