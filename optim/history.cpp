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

}  // namespace rw
