#include <fcntl.h>
#include <onnxruntime_cxx_api.h>
#include <onnxruntime_session_options_config_keys.h>
#include <unistd.h>

#include "onnx_model.hpp"
#include "peers.hpp"

namespace bench {

namespace {

/// Closes standard error. If ONNX's own library has already registered the operators, as on Debian,
/// onnxruntime complains about each of them, without consequences (its pull request 32353). Errors
/// are thrown.
class Silence {
 public:
  Silence() {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() {
    dup2(shown_, STDERR_FILENO);
    close(shown_);
  }

 private:
  int shown_ = dup(STDERR_FILENO);
};

/// Weights are packed beforehand, which is the default.
Ort::SessionOptions options(int threads) {
  Ort::SessionOptions o;
  o.SetIntraOpNumThreads(threads);
  o.SetInterOpNumThreads(1);
  o.SetExecutionMode(ORT_SEQUENTIAL);
  o.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  // Without this, its threads would keep spinning beside the next contestant.
  o.AddConfigEntry(kOrtSessionOptionsConfigForceSpinningStop, "1");
  return o;
}

Ort::Session load(const std::string& model, int threads) {
  const Silence silence;
  static Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "bench");
  return {environment, model.data(), model.size(), options(threads)};
}

/// Inputs and outputs stay in the same memory from the beginning.
class OnnxRuntimeContestant : public Contestant {
 public:
  OnnxRuntimeContestant(const Problem& problem, int threads)
      : x_(problem.x),
        y_(problem.dy.size()),
        session_(load(onnx_model(problem), threads)),
        binding_(session_) {
    const Sizes& s = problem.sizes;
    binding_.BindInput("x", place(x_, {s.steps, s.batch, s.input}));
    binding_.BindOutput("y", place(y_, onnx_output_shape(s)));
  }

  void run() override { session_.Run(run_options_, binding_); }

  std::vector<float> output() const override { return y_; }

 private:
  static Ort::Value place(std::vector<float>& values, const std::vector<std::int64_t>& shape) {
    return Ort::Value::CreateTensor<float>(
        Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault), values.data(),
        values.size(), shape.data(), shape.size());
  }

  std::vector<float> x_, y_;
  Ort::Session session_;
  Ort::IoBinding binding_;
  Ort::RunOptions run_options_;
};

std::unique_ptr<Contestant> make(const Problem& problem, Mode mode, int threads) {
  if (mode == Mode::training || problem.kind == Kind::custom) {
    return nullptr;
  }
  return std::make_unique<OnnxRuntimeContestant>(problem, threads);
}

}  // namespace

Peer onnxruntime_peer() { return {"onnxruntime", "onnxruntime", Ort::GetVersionString(), make}; }

}  // namespace bench
