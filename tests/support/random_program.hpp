#pragma once
// Random programs: about ten operations on shared tensors, views and moved handles, as users write
// them. For comparison, the same program can run without moves and views.

#include <cstdint>
#include <string>
#include <vector>

#include <rewind/autograd/tape/parameter.hpp>

namespace rw::testing {

/// How a program is run.
enum class Way {
  as_written,  // handles are moved, views share memory, Recurrent runs cells
  plain,       // nothing is moved, every view is copied, time loops are written by hand
};

/// A program that is drawn while it runs. All choices depend on the seed and on shapes, never on
/// values, so every run makes the same ones.
class RandomProgram {
 public:
  RandomProgram(std::uint64_t seed, DType dtype);

  /// Runs the program on the parameters below and returns the loss, a single number. The first run
  /// makes the parameters.
  Tensor run(Way way);

  std::vector<Parameter>& parameters() { return parameters_; }
  /// Results of operations of the last run whose gradients may be requested.
  const std::vector<Tensor>& kept() const { return kept_; }
  /// The operations of the last run, one per line.
  const std::string& text() const { return text_; }

 private:
  friend class ProgramRun;

  std::uint64_t seed_;
  DType dtype_;
  std::vector<Parameter> parameters_;
  std::vector<Tensor> kept_;
  std::string text_;
};

}  // namespace rw::testing
