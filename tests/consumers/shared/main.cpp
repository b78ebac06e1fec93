// A program and a module that it loads use the same shared Rewind: one active tape, exceptions that
// the other side can catch, an orderly end.
#include <cstdio>
#include <cstring>
#include <string>

#include <dlfcn.h>

#include <rewind/rewind.hpp>

namespace {

int failures = 0;

void expect(bool condition, const char* what) {
  if (!condition) {
    std::fprintf(stderr, "shared: expected that %s\n", what);
    ++failures;
  }
}

template <class Call>
bool throws_shape_error(Call&& call) {
  try {
    call();
  } catch (const rw::ShapeError& error) {
    return std::strlen(error.what()) > 0;
  }
  return false;
}

// Destroyed after main() and after the variables of the first thread.
rw::Tensor kept;

}  // namespace

int main() {
  using namespace rw;
  void* const module = dlopen(MODULE, RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  auto* const active_tape = reinterpret_cast<Tape* (*)()>(dlsym(module, "active_tape"));
  auto* const squared =
      reinterpret_cast<void (*)(const Tensor&, Tensor&)>(dlsym(module, "squared"));
  auto* const fail = reinterpret_cast<void (*)(bool)>(dlsym(module, "fail"));

  Rng rng(1);
  LSTM lstm({.input = 3, .hidden = 4}, rng);
  Adam optimizer(parameters(lstm), {.learning_rate = 1e-2});
  const Tensor x = rng.normal({6, 2, 3}, 0, 1);
  double losses[2];
  for (double& measured : losses) {
    Tape tape;
    expect(active_tape() == &tape, "the module sees the program's tape");
    Tensor y;
    squared(lstm(x).first - 0.1, y);
    const Tensor loss = mean(y);
    optimizer.zero_grad();
    tape.backward(loss);
    optimizer.step();
    measured = loss.item();
    kept = y;
  }
  expect(active_tape() == nullptr, "no tape is active after the last one");
  expect(losses[1] < losses[0], "the loss falls");

  expect(throws_shape_error([&] { lstm(ones({6, 2, 7})); }), "the library's ShapeError is caught");
  expect(throws_shape_error([&] { fail(false); }), "the library's is caught through the module");
  expect(throws_shape_error([&] { fail(true); }), "the module's ShapeError is caught");
  expect(fmt::format("{}", x.shape()) == "[6, 2, 3]", "fmt prints a shape");
  expect(fmt::format("{}", kept).find("float32") != std::string::npos, "fmt prints a tensor");

  io::save("shared.h5", "model", lstm);
  io::load("shared.h5", "model", lstm);
  std::printf("loss %g, then %g\n", losses[0], losses[1]);
  return failures;
}
