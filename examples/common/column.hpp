#pragma once

#include <ranges>
#include <vector>

namespace examples {

/// One field of each element: column(sums, &Sum::result).
template <std::ranges::forward_range Range, class Element, class Field>
std::vector<Field> column(const Range& elements, Field Element::*field) {
  std::vector<Field> fields;
  for (const Element& element : elements) {
    fields.push_back(element.*field);
  }
  return fields;
}

}  // namespace examples
