#include <algorithm>

#include <fmt/format.h>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/plain_nan.hpp>
#include <rewind/optim/history.hpp>

namespace rw {

const History::Series* History::find(std::string_view name) const {
  const auto found = std::find_if(series_.begin(), series_.end(),
                                  [&](const Series& series) { return series.name == name; });
  return found == series_.end() ? nullptr : &*found;
}

void History::add(std::string_view name, std::int64_t step, double value) {
  const Series* const found = find(name);
  if (found == nullptr) {
    series_.push_back({std::string(name), {{step, detail::plain_nan(value)}}});
    return;
  }
  check<UsageError>(found->points.back().step < step,
                    "history: '{}' got step {} after step {}, expected a later one", name, step,
                    found->points.back().step);
  series_[static_cast<std::size_t>(found - series_.data())].points.push_back(
      {step, detail::plain_nan(value)});
}

void History::erase_from(std::int64_t step) {
  for (Series& series : series_) {
    std::erase_if(series.points, [=](const Point& point) { return point.step >= step; });
  }
  std::erase_if(series_, [](const Series& series) { return series.points.empty(); });
}

const std::vector<History::Point>& History::operator[](std::string_view name) const {
  const Series* const found = find(name);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const Series& series : series_) {
      names.push_back(series.name);
    }
    throw UsageError(fmt::format("history: there is no series '{}'; there are: {}", name,
                                 fmt::join(names, ", ")));
  }
  return found->points;
}

namespace {

template <class T>
Tensor list_of(const std::vector<T>& numbers) {
  return Tensor::from<T>(Shape{static_cast<std::int64_t>(numbers.size())}, numbers);
}

/// The numbers of an entry [n].
template <class T>
std::vector<T> numbers_of(const StateEntry& entry, DType dtype) {
  check<CheckpointError>(entry.tensor.rank() == 1 && entry.tensor.dtype() == dtype,
                         "history: {} is {} {}, expected {} [n]", entry.path,
                         name_of(entry.tensor.dtype()), entry.tensor.shape(), name_of(dtype));
  return entry.tensor.to_vector<T>();
}

}  // namespace

StateList History::to_state() const {
  std::vector<std::int64_t> names;
  std::vector<std::int64_t> lengths;
  std::vector<std::int64_t> steps;
  std::vector<double> values;
  for (const Series& series : series_) {
    for (const char byte : series.name) {
      names.push_back(static_cast<unsigned char>(byte));
    }
    names.push_back(-1);
    lengths.push_back(static_cast<std::int64_t>(series.points.size()));
    for (const Point& point : series.points) {
      steps.push_back(point.step);
      values.push_back(point.value);
    }
  }
  return {{"names", list_of(names), {-1, 255}},
          {"lengths", list_of(lengths), counts},
          {"steps", list_of(steps)},
          {"values", list_of(values)}};
}

History History::from_state(const StateList& values) {
  check<CheckpointError>(values.size() == 4, "history: got {} entries, expected 4", values.size());
  const std::vector<std::int64_t> names = numbers_of<std::int64_t>(values[0], DType::int64);
  const std::vector<std::int64_t> lengths = numbers_of<std::int64_t>(values[1], DType::int64);
  const std::vector<std::int64_t> steps = numbers_of<std::int64_t>(values[2], DType::int64);
  const std::vector<double> numbers = numbers_of<double>(values[3], DType::float64);
  check<CheckpointError>(steps.size() == numbers.size(), "history: {} steps for {} values",
                         steps.size(), numbers.size());
  History history;
  std::string name;
  std::size_t next = 0;
  std::size_t series = 0;
  for (const std::int64_t byte : names) {
    check<CheckpointError>(byte >= -1 && byte <= 0xFF, "history: names holds {}, which is no byte",
                           byte);
    if (byte >= 0) {
      name.push_back(static_cast<char>(byte));
      continue;
    }
    const std::int64_t length = series < lengths.size() ? lengths[series] : 0;
    check<CheckpointError>(
        length >= 1 && static_cast<std::size_t>(length) <= steps.size() - next &&
            !history.contains(name),
        "history: series {} has {} of the {} points that are left, or the name of another", series,
        length, steps.size() - next);
    ++series;
    for (std::int64_t i = 0; i < length; ++i, ++next) {
      if (i > 0 && steps[next] <= steps[next - 1]) {
        throw CheckpointError(
            fmt::format("history: series {} has step {} after step {}, expected a later one",
                        series - 1, steps[next], steps[next - 1]));
      }
      history.add(name, steps[next], numbers[next]);
    }
    name.clear();
  }
  check<CheckpointError>(name.empty() && series == lengths.size() && next == steps.size(),
                         "history: {} series use {} of {} lengths and {} of {} points", series,
                         series, lengths.size(), next, steps.size());
  return history;
}

}  // namespace rw
