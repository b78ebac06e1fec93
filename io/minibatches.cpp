#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <rewind/autograd/tensor/splitmix.hpp>
#include <rewind/io/minibatches.hpp>

namespace rw {
namespace {

std::int64_t batches_of(std::int64_t examples, const MinibatchOptions& options) {
  check<UsageError>(examples >= 0, "minibatches: got {} examples, expected at least 0", examples);
  check<UsageError>(options.batch >= 1, "minibatches: batch is {}, expected at least 1",
                    options.batch);
  check<UsageError>(options.pool >= 1, "minibatches: pool is {}, expected at least 1",
                    options.pool);
  const std::int64_t whole = examples / options.batch;
  return options.drop_last || whole * options.batch == examples ? whole : whole + 1;
}

std::vector<std::int64_t> counted(std::int64_t n) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

/// A hash of the numbers and their order: 64 bits in hexadecimal.
std::string digest_of(const std::vector<std::int64_t>& numbers) {
  std::uint64_t digest = numbers.size();
  for (const std::int64_t number : numbers) {
    digest = detail::mixed(digest + detail::mix_increment + std::bit_cast<std::uint64_t>(number));
  }
  return fmt::format("{:016x}", digest);
}

/// Sorts each pool of `pool` examples by length.
void sort_pools(std::vector<std::int64_t>& order, const std::vector<std::int64_t>& lengths,
                std::int64_t pool) {
  const auto count = static_cast<std::int64_t>(order.size());
  for (std::int64_t first = 0; first < count;) {
    const std::int64_t last = count - first > pool ? first + pool : count;
    std::stable_sort(
        order.begin() + first, order.begin() + last, [&](std::int64_t a, std::int64_t b) {
          return lengths[static_cast<std::size_t>(a)] < lengths[static_cast<std::size_t>(b)];
        });
    first = last;
  }
}

}  // namespace

Minibatches::Minibatches(std::int64_t examples, std::vector<std::int64_t> lengths,
                         const MinibatchOptions& options, std::uint64_t seed)
    : examples_(examples),
      lengths_(std::move(lengths)),
      options_(options),
      cursor_("minibatches", batches_of(examples, options),
              {{"examples", examples}, {"batch", options.batch}}),
      seed_(Tensor::from<std::int64_t>({}, {std::bit_cast<std::int64_t>(seed)})) {}

Minibatches::Minibatches(std::int64_t examples, const MinibatchOptions& options, std::uint64_t seed)
    : Minibatches(examples, {}, options, seed) {}

Minibatches::Minibatches(std::int64_t examples, const MinibatchOptions& options, Rng& rng)
    : Minibatches(examples, {}, options, rng.next()) {}

Minibatches Minibatches::over(std::vector<std::int64_t> examples, const MinibatchOptions& options,
                              std::uint64_t seed) {
  for (const std::int64_t& number : examples) {
    check<UsageError>(number >= 0, "minibatches: number {} of the list is {}, expected at least 0",
                      &number - examples.data(), number);
  }
  Minibatches batches(static_cast<std::int64_t>(examples.size()), {}, options, seed);
  batches.chosen_ = std::move(examples);
  return batches;
}

Minibatches Minibatches::over(std::vector<std::int64_t> examples, const MinibatchOptions& options,
                              Rng& rng) {
  return over(std::move(examples), options, rng.next());
}

Minibatches Minibatches::by_length(std::vector<std::int64_t> lengths,
                                   const MinibatchOptions& options, std::uint64_t seed) {
  const auto examples = static_cast<std::int64_t>(lengths.size());
  return {examples, std::move(lengths), options, seed};
}

Minibatches Minibatches::by_length(std::vector<std::int64_t> lengths,
                                   const MinibatchOptions& options, Rng& rng) {
  return by_length(std::move(lengths), options, rng.next());
}

void Minibatches::arrange_epoch() {
  const std::int64_t seed = *seed_.data<std::int64_t>();
  if (seed == arranged_seed_ && epoch() == arranged_epoch_) {
    return;
  }
  // Mixed, so that epoch n + 1 of one seed is not epoch n of the next seed.
  Rng rng(detail::mixed(std::bit_cast<std::uint64_t>(seed) +
                        static_cast<std::uint64_t>(epoch()) * detail::mix_increment));
  order_ = options_.shuffle ? rng.permutation(examples_) : counted(examples_);
  // Before sorting: otherwise the longest examples would always be left out.
  order_.resize(static_cast<std::size_t>(options_.drop_last ? size() * options_.batch : examples_));
  const bool bucketed = !lengths_.empty();
  if (bucketed) {
    const bool in_pools = options_.shuffle && options_.pool <= examples_ / options_.batch;
    sort_pools(order_, lengths_, in_pools ? options_.pool * options_.batch : examples_);
  }
  for (std::int64_t& number : order_) {
    number = chosen_.empty() ? number : chosen_[static_cast<std::size_t>(number)];
  }
  batches_ = bucketed && options_.shuffle ? rng.permutation(size()) : counted(size());
  arranged_seed_ = seed;
  arranged_epoch_ = epoch();
}

Tensor Minibatches::next() {
  cursor_.check();
  check<UsageError>(size() > 0, "minibatches: {} examples make no batch of {}{}", examples_,
                    options_.batch,
                    examples_ == 0 ? "" : " with drop_last; make batches smaller or keep the last");
  arrange_epoch();
  const auto first =
      static_cast<std::size_t>(batches_[static_cast<std::size_t>(position())] * options_.batch);
  const std::size_t count =
      std::min(static_cast<std::size_t>(options_.batch), order_.size() - first);
  Tensor batch =
      Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(count)},
                                 std::span<const std::int64_t>(order_).subspan(first, count));
  cursor_.advance(1);
  return batch;
}

OptionList Minibatches::options() const {
  OptionList list = cursor_.options();
  list.insert(list.begin(), {"kind", "minibatches"});
  add_option(list, "shuffle", options_.shuffle);
  add_option(list, "drop_last", options_.drop_last);
  add_option(list, "by_length", !lengths_.empty());
  if (!lengths_.empty()) {
    add_option(list, "pool", options_.pool);
    add_option(list, "lengths", digest_of(lengths_));
  }
  if (!chosen_.empty()) {
    add_option(list, "over", digest_of(chosen_));
  }
  return list;
}

StateList Minibatches::state() const {
  StateList state = cursor_.state();
  state.push_back({"seed", seed_});
  return state;
}

}  // namespace rw
