#include "common/training_progress.hpp"

#include <algorithm>

#include <rewind/autograd/tensor/error.hpp>

namespace examples {

namespace {

constexpr std::int64_t counters = 4;
constexpr std::int64_t scores = 3;
constexpr std::int64_t per_score = 3;
constexpr std::int64_t per_point = 3;

}  // namespace

rw::StateList TrainingProgress::to_state() const {
  std::vector<double> sums;
  for (const Score& score : {in_epoch, last_epoch, in_point}) {
    const auto numbers = score.numbers();
    sums.insert(sums.end(), numbers.begin(), numbers.end());
  }
  std::vector<double> points;
  for (const Curve::Point& point : curve.points) {
    points.insert(points.end(), {point.epoch, point.loss, point.accuracy});
  }
  const auto rows = static_cast<std::int64_t>(curve.points.size());
  return {
      {"counters", rw::Tensor::from<std::int64_t>(
                       {counters}, {steps, steps_at_point, epochs_without_error, curve.epochs})},
      {"scores", rw::Tensor::from<double>({scores, per_score}, sums)},
      {"curve", rw::Tensor::from<double>({rows, per_point}, points)}};
}

TrainingProgress TrainingProgress::from_state(const rw::StateList& values) {
  using rw::DType;
  rw::check<rw::CheckpointError>(
      values.size() == 3 && values[0].tensor.dtype() == DType::int64 &&
          values[0].tensor.shape() == rw::Shape{counters} &&
          values[1].tensor.dtype() == DType::float64 &&
          values[1].tensor.shape() == (rw::Shape{scores, per_score}) &&
          values[2].tensor.dtype() == DType::float64 && values[2].tensor.rank() == 2 &&
          values[2].tensor.size(1) == per_point,
      "progress: expected counters int64 [{}], scores float64 [{}, {}] and curve float64 [n, {}]",
      counters, scores, per_score, per_point);
  const std::vector<std::int64_t> counts = values[0].tensor.to_vector<std::int64_t>();
  rw::check<rw::CheckpointError>(
      std::ranges::all_of(counts, [](std::int64_t count) { return count >= 0; }) &&
          counts[1] <= counts[0],
      "progress: the counters {} cannot be", rw::to_string(values[0].tensor));
  const std::vector<double> sums = values[1].tensor.to_vector<double>();
  const std::vector<double> points = values[2].tensor.to_vector<double>();
  TrainingProgress progress;
  progress.steps = counts[0];
  progress.steps_at_point = counts[1];
  progress.epochs_without_error = counts[2];
  progress.curve.epochs = counts[3];
  progress.in_epoch = Score::from(&sums[0]);
  progress.last_epoch = Score::from(&sums[per_score]);
  progress.in_point = Score::from(&sums[2 * per_score]);
  for (std::size_t i = 0; i < points.size(); i += per_point) {
    progress.curve.points.push_back({points[i], points[i + 1], points[i + 2]});
  }
  return progress;
}

}  // namespace examples
