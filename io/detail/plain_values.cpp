#include <fmt/format.h>

#include <rewind/io/detail/plain_values.hpp>

namespace rw::io::detail {
namespace {

/// The only entry. Throws CheckpointRefused unless it has this type and rank.
const Tensor& only(const StateList& values, DType dtype, int rank) {
  check<CheckpointRefused>(
      values.size() == 1 && values[0].tensor.dtype() == dtype && values[0].tensor.rank() == rank,
      "{}; expected {} of {}",
      values.size() == 1
          ? fmt::format("a {} {}", name_of(values[0].tensor.dtype()), values[0].tensor.shape())
          : fmt::format("{} entries", values.size()),
      rank == 0 ? "one number" : "a list", name_of(dtype));
  return values[0].tensor;
}

}  // namespace

StateList number_state(std::int64_t value) {
  return {{"", Tensor::from<std::int64_t>(Shape{}, {value})}};
}

StateList number_state(double value) { return {{"", Tensor::from<double>(Shape{}, {value})}}; }

StateList text_state(const std::string& text) {
  std::vector<std::int64_t> bytes;
  bytes.reserve(text.size());
  for (const char c : text) {
    bytes.push_back(static_cast<unsigned char>(c));
  }
  return {{"", Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(bytes.size())}, bytes)}};
}

std::int64_t whole_number(const StateList& values, std::int64_t least, std::int64_t greatest) {
  const std::int64_t value = only(values, DType::int64, 0).data<std::int64_t>()[0];
  check<CheckpointRefused>(value >= least && value <= greatest, "{}, expected {} to {}", value,
                           least, greatest);
  return value;
}

double real_number(const StateList& values) {
  return only(values, DType::float64, 0).data<double>()[0];
}

std::string text(const StateList& values) {
  const Tensor& bytes = only(values, DType::int64, 1);
  std::string text;
  text.reserve(static_cast<std::size_t>(bytes.elements()));
  for (const std::int64_t byte : bytes.to_vector<std::int64_t>()) {
    check<CheckpointRefused>(byte >= 0 && byte <= 0xFF, "{} in place of a byte", byte);
    text.push_back(static_cast<char>(byte));
  }
  return text;
}

}  // namespace rw::io::detail
