#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rewind/autograd/tensor/rng.hpp>

namespace examples::dates {

/// A day of the years 1970 to 2069, in which two digits identify the year.
struct Date {
  int year, month, day;
};

inline constexpr int first_year = 1970;
inline constexpr int days = 36'525;  // in a hundred years

/// The day that comes `index` days after the first.
Date date_of(std::int64_t index);

/// "1998-03-05".
std::string iso(const Date& date);

/// Formats in which people write dates. {d} is the day, {D} with two digits, {o} as "5th"; {m} the
/// month, {M} with two digits, {n} as "March", {a} as "Mar"; {y} the year, {Y} its last two digits;
/// {w} the day of the week, {W} as "Thu". If day and month are both numbers, the day comes first.
inline constexpr std::array<std::string_view, 14> formats{
    "{d} {n} {y}",    "{n} {d}, {y}",     "{w}, {n} {d} {y}",   "{W} {d} {a} {y}", "{d} {a} {Y}",
    "{D}/{M}/{y}",    "{D}/{M}/{Y}",      "{d}.{m}.{y}",        "{d}-{m}-{Y}",     "{y} {n} {d}",
    "{o} of {n} {y}", "{n} the {o}, {y}", "the {o} of {n} {Y}", "{a} {o} '{Y}"};

std::string written(const Date& date, std::string_view format);

/// Every character that occurs in the results of written().
inline constexpr std::string_view symbols = "0123456789abcdefghijklmnopqrstuvwxyzADFJMNOSTW ,./'-";

struct Example {
  std::string text;
  std::string iso;
};

/// Whether a day belongs to the tenth that is kept for testing, whatever its format.
bool is_for_testing(std::int64_t index);

/// Random days in random formats, half of them in lower case.
std::vector<Example> draw(std::int64_t count, bool testing, rw::Rng& rng);

}  // namespace examples::dates
