#pragma once
// Functions of tensors, captured once and replayed.

#include <cstddef>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <rewind/autograd/tensor/ownership.hpp>
#include <rewind/autograd/tensor/state.hpp>

namespace rw {

/// What a function of tensors did when capture() called it: its kernels in order, each with its
/// place in memory. run() does the same work again, with what is in the inputs then, and leaves the
/// results in the outputs. It uses no tape, allocates no memory, takes no lock, checks nothing and
/// runs on the calling thread only. What the function decided on the host, such as the shapes and
/// the turns of an `if`, stays as it was.
///
/// Matrices that the function did not compute, such as weights, and what is added to products with
/// them are packed when captured; refresh() takes their new values over. Everything else that the
/// function did not compute is read in each run where it was: it has to live as long as the plan,
/// and to be changed in place, as optimisers, assign() and io::load do.
///
///     rw::Plan plan = rw::capture([&](const Tensor& x) { return head(tanh(body(x))); }, x);
///     std::copy_n(samples, 8, plan.input_data<float>(0));
///     plan.run();
///     const float* y = plan.output(0).data<float>();
///
/// A plan may be used on any thread, by one at a time.
class Plan {
 public:
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan();

  /// Computes the outputs from what is in the inputs. Throws what an operation throws about values,
  /// such as ShapeError for an index that is out of range.
  void run() { run_(body_.get()); }
  /// Packs the present values of the weights.
  void refresh();

  std::size_t input_count() const;
  std::size_t output_count() const;
  /// What run() reads, at first the values that capture() got. Throws UsageError for a number that
  /// is out of range.
  const Tensor& input(std::size_t i) const;
  /// Its memory, row after row, to write new values into. Throws UsageError for another type.
  template <Element T>
  T* input_data(std::size_t i) {
    return Tensor(input(i)).mutable_data<T>();
  }
  /// The memory that run() writes, the tensors that the function returned, in their order; each
  /// run() overwrites it.
  const Tensor& output(std::size_t i) const;

  /// Kernels that run() calls.
  std::size_t kernel_count() const;
  /// Bytes that the plan holds.
  std::size_t bytes() const;

 private:
  friend class Capture;
  struct Body;
  explicit Plan(std::unique_ptr<Body> body);

  std::unique_ptr<Body> body_;
  void (*run_)(const Body*);
};

/// A capture under way on the calling thread: capture(), step by step.
class Capture {
 public:
  /// Begins. The function must be called with input(i), which are copies of `inputs`.
  explicit Capture(const std::vector<Tensor>& inputs);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture();

  const Tensor& input(std::size_t i) const;
  /// Ends the capture.
  Plan finish(std::vector<Tensor> outputs);

 private:
  struct Scope;

  std::unique_ptr<Scope> scope_;
};

/// Calls `function(inputs...)` once, with copies of the inputs, and returns the plan of what it
/// did. The function returns a tensor, or any nesting of arrays, tuples and the like of them.
/// Nothing is recorded on a tape of the caller.
///
/// Throws UsageError if the function cannot be replayed: if it reads values on the host (item(),
/// to_vector()), draws random numbers, or if one of its operations computes without kernels
/// (Note [Launches]); the message names it. Values read through data() are taken as constants.
template <class F, TensorLike... Inputs>
requires RecurrentState<std::remove_cvref_t<std::invoke_result_t<F&, const Inputs&...>>> Plan
capture(F&& function, const Inputs&... inputs) {
  Capture capture({static_cast<const Tensor&>(inputs)...});
  auto result = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return function(capture.input(I)...);
  }
  (std::index_sequence_for<Inputs...>{});
  std::vector<Tensor> outputs;
  for_each_tensor(result, [&](const Tensor& output) { outputs.push_back(output); });
  return capture.finish(std::move(outputs));
}

}  // namespace rw
