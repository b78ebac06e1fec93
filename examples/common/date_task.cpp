#include "common/date_task.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>

#include <fmt/format.h>

namespace examples::dates {

namespace {

constexpr std::array months{"January", "February", "March",     "April",   "May",      "June",
                            "July",    "August",   "September", "October", "November", "December"};
constexpr std::array weekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                              "Thursday", "Friday", "Saturday"};

std::chrono::year_month_day calendar(const Date& date) {
  return std::chrono::year(date.year) / date.month / date.day;
}

std::string ordinal(int day) {
  const bool teen = day / 10 == 1;
  const char* const ending = teen            ? "th"
                             : day % 10 == 1 ? "st"
                             : day % 10 == 2 ? "nd"
                             : day % 10 == 3 ? "rd"
                                             : "th";
  return fmt::format("{}{}", day, ending);
}

}  // namespace

Date date_of(std::int64_t index) {
  const std::chrono::year_month_day date(std::chrono::sys_days(calendar({first_year, 1, 1})) +
                                         std::chrono::days(index));
  return {static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day()))};
}

std::string iso(const Date& date) {
  return fmt::format("{}-{:02}-{:02}", date.year, date.month, date.day);
}

std::string written(const Date& date, std::string_view format) {
  const std::chrono::weekday day(std::chrono::sys_days(calendar(date)));
  const std::string weekday = weekdays.at(day.c_encoding());
  const std::string month = months.at(static_cast<std::size_t>(date.month - 1));
  return fmt::format(fmt::runtime(format), fmt::arg("d", date.day),
                     fmt::arg("D", fmt::format("{:02}", date.day)),
                     fmt::arg("o", ordinal(date.day)), fmt::arg("m", date.month),
                     fmt::arg("M", fmt::format("{:02}", date.month)), fmt::arg("n", month),
                     fmt::arg("a", month.substr(0, 3)), fmt::arg("y", date.year),
                     fmt::arg("Y", fmt::format("{:02}", date.year % 100)), fmt::arg("w", weekday),
                     fmt::arg("W", weekday.substr(0, 3)));
}

bool is_for_testing(std::int64_t index) {
  return rw::Rng(static_cast<std::uint64_t>(index)).integer(10) == 0;
}

std::vector<Example> draw(std::int64_t count, bool testing, rw::Rng& rng) {
  std::vector<Example> examples;
  while (static_cast<std::int64_t>(examples.size()) < count) {
    const std::int64_t index = rng.integer(days);
    if (is_for_testing(index) != testing) {
      continue;
    }
    const Date date = date_of(index);
    const auto format = static_cast<std::size_t>(rng.integer(std::ssize(formats)));
    std::string text = written(date, formats.at(format));
    if (rng.bernoulli(0.5)) {
      std::transform(text.begin(), text.end(), text.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    }
    examples.push_back({std::move(text), iso(date)});
  }
  return examples;
}

}  // namespace examples::dates
