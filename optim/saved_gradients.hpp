#pragma once

#include <rewind/autograd/tape/parameter_list.hpp>

namespace rw {

/// A copy of the gradients that have added up so far, for a checkpoint between two backward passes
/// of one step:
///
///     SavedGradients gradients(parameters(model));
///     io::save("run.h5", "model", model, "gradients", gradients);
///     ...
///     SavedGradients gradients(parameters(model));
///     io::load("run.h5", "model", model, "gradients", gradients);
///     gradients.put_back();
///
/// It shares the parameters.
class SavedGradients {
 public:
  /// Copies the gradients as they are.
  explicit SavedGradients(ParameterList list);

  /// Gives the parameters these gradients; where there was none, there is none again. Throws
  /// ShapeError or UsageError where a parameter has another form by now; those before it have their
  /// gradients then.
  void put_back() const;

  /// "present", int64 [number of parameters], 1 where there is a gradient, and "gradient/path",
  /// zeros where there is none. They share storage.
  StateList state() const { return state_; }

 private:
  ParameterList list_;
  StateList state_;
};

}  // namespace rw
