#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <vector>

namespace rw {

/// A number, or numbers in braces, or such in braces again: what Tensor::of() is given. Nobody
/// needs to spell it out.
class NestedNumbers {
 public:
  template <class T>
  requires std::is_arithmetic_v<T>
  explicit(false) NestedNumbers(T number) : number_(static_cast<double>(number)) {}
  NestedNumbers(std::initializer_list<NestedNumbers> parts) : is_number_(false), parts_(parts) {}

  /// How many parts there are at each level of braces. Throws ShapeError where they are not equally
  /// many everywhere.
  std::vector<std::int64_t> sizes() const;
  /// Calls `body` for each number, in order.
  template <class Body>
  void visit(const Body& body) const {
    if (is_number_) {
      body(number_);
    }
    for (const NestedNumbers& part : parts_) {
      part.visit(body);
    }
  }

 private:
  double number_ = 0;
  bool is_number_ = true;
  std::vector<NestedNumbers> parts_;
};

}  // namespace rw
