#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <vector>

namespace rw {

/// The argument of Tensor::of(): a number, or nested braces of numbers. Users need not name this
/// type.
class NestedNumbers {
 public:
  template <class T>
  requires std::is_arithmetic_v<T>
  explicit(false) NestedNumbers(T number) : number_(static_cast<double>(number)) {}
  NestedNumbers(std::initializer_list<NestedNumbers> parts) : is_number_(false), parts_(parts) {}

  /// The number of parts at each level of braces. Throws ShapeError if it differs within a level.
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
