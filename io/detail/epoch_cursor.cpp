#include <rewind/autograd/tensor/error.hpp>
#include <rewind/io/detail/epoch_cursor.hpp>

namespace rw::io::detail {

EpochCursor::EpochCursor(const char* who, std::int64_t end, const std::vector<FixedNumber>& fixed)
    : who_(who),
      end_(end),
      expected_(fixed),
      epoch_(zeros({}, DType::int64)),
      position_(zeros({}, DType::int64)) {
  for (const FixedNumber& number : expected_) {
    const auto value = static_cast<double>(number.value);
    fixed_.push_back({number.name, Tensor::from<std::int64_t>({}, {number.value}), {value, value}});
  }
}

void EpochCursor::advance(std::int64_t by) {
  std::int64_t& position = *position_.mutable_data<std::int64_t>();
  position += by;
  if (position >= end_) {
    position = 0;
    ++*epoch_.mutable_data<std::int64_t>();
  }
}

void EpochCursor::restart() { *position_.mutable_data<std::int64_t>() = 0; }

void EpochCursor::check() const {
  for (std::size_t i = 0; i < expected_.size(); ++i) {
    const std::int64_t got = *fixed_[i].tensor.data<std::int64_t>();
    rw::check<UsageError>(got == expected_[i].value,
                          "{}: resumed from a checkpoint with {} = {}, but made with {}; make it "
                          "of the same data with the same options",
                          who_, expected_[i].name, got, expected_[i].value);
  }
  rw::check<UsageError>(epoch() >= 0 && 0 <= position() && (position() < end_ || end_ == 0),
                        "{}: resumed at position {} of epoch {}, expected a position in [0, {})",
                        who_, position(), epoch(), end_);
}

StateList EpochCursor::state() const {
  StateList state = fixed_;
  const auto last = static_cast<double>(end_ > 0 ? end_ - 1 : 0);
  state.push_back({"epoch", epoch_, counts});
  state.push_back({"position", position_, {0, last}});
  return state;
}

OptionList EpochCursor::options() const {
  OptionList list;
  for (const FixedNumber& number : expected_) {
    add_option(list, number.name, number.value);
  }
  return list;
}

}  // namespace rw::io::detail
