#pragma once
// The position in a data set, and a range-for over the rest of an epoch.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rewind/autograd/tensor/option_list.hpp>
#include <rewind/autograd/tensor/state.hpp>

namespace rw::io::detail {

/// A property of the data set or the batches that must be the same on resuming.
struct FixedNumber {
  std::string name;
  std::int64_t value;
};

/// The epoch and the position in it, as tensors that a checkpoint can hold. When the position
/// reaches the end, the cursor moves to the beginning of the next epoch.
class EpochCursor {
 public:
  /// `who` begins every message; positions are in [0, end).
  EpochCursor(const char* who, std::int64_t end, const std::vector<FixedNumber>& fixed);

  std::int64_t epoch() const { return *epoch_.data<std::int64_t>(); }
  std::int64_t position() const { return *position_.data<std::int64_t>(); }
  std::int64_t end() const { return end_; }
  void advance(std::int64_t by);
  void restart();

  /// Throws UsageError if the state was restored from a run over other data or with another batch
  /// size.
  void check() const;

  /// "epoch", "position" and the fixed numbers (int64). They share storage with the cursor.
  StateList state() const;
  /// The fixed numbers.
  OptionList options() const;

 private:
  const char* who_;
  std::int64_t end_;
  std::vector<FixedNumber> expected_;
  StateList fixed_;
  Tensor epoch_;
  Tensor position_;
};

/// Iterates over the rest of an epoch of `Batches`, which has next(), size() and epoch().
template <class Batches>
class EpochIterator {
 public:
  using value_type = decltype(std::declval<Batches&>().next());
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  explicit EpochIterator(Batches& batches) : batches_(&batches), epoch_(batches.epoch()) {
    if (batches.size() > 0) {
      batch_ = batches.next();
    }
  }

  const value_type& operator*() const { return *batch_; }
  const value_type* operator->() const { return &*batch_; }
  EpochIterator& operator++() {
    if (batches_->epoch() == epoch_) {
      batch_ = batches_->next();
    } else {
      batch_.reset();
    }
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const EpochIterator& it, std::default_sentinel_t) {
    return !it.batch_.has_value();
  }

 private:
  Batches* batches_;
  std::int64_t epoch_;
  std::optional<value_type> batch_;
};

}  // namespace rw::io::detail
