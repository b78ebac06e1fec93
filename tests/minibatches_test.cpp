// Which examples make up a batch: each one once per epoch, in an order that the seed determines,
// and a cursor that a checkpoint can restore in the middle of an epoch.

#include <algorithm>
#include <numeric>
#include <ranges>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/operations/indexing.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/io/minibatches.hpp>

#include "support/bare_state.hpp"
#include "support/messages.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace rw::testing;
using rw::Minibatches;
using rw::Tensor;
using Integers = std::vector<std::int64_t>;

static_assert(std::ranges::input_range<Minibatches>);

Integers numbers_of(const Tensor& batch) { return batch.to_vector<std::int64_t>(); }

std::vector<Integers> epoch_of(Minibatches& batches) {
  std::vector<Integers> all;
  for (const Tensor& batch : batches) {
    all.push_back(numbers_of(batch));
  }
  return all;
}

Integers flat(const std::vector<Integers>& batches) {
  Integers all;
  for (const Integers& batch : batches) {
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

Integers counted(std::int64_t n) {
  Integers numbers(static_cast<std::size_t>(n));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

Integers sorted(Integers numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Integers example_lengths(std::int64_t n) {
  rw::Rng rng(5);
  Integers lengths;
  for (std::int64_t i = 0; i < n; ++i) {
    lengths.push_back(rng.integer(50));
  }
  return lengths;
}

/// Sum of (longest - length) over a batch: the number of padded steps.
std::int64_t padded(const std::vector<Integers>& batches, const Integers& lengths) {
  std::int64_t sum = 0;
  for (const Integers& batch : batches) {
    std::int64_t longest = 0;
    for (const std::int64_t i : batch) {
      longest = std::max(longest, lengths[static_cast<std::size_t>(i)]);
    }
    for (const std::int64_t i : batch) {
      sum += longest - lengths[static_cast<std::size_t>(i)];
    }
  }
  return sum;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_list_of_examples_is_handed_out_as_its_numbers) {
  const Integers chosen{7, 3, 11, 3, 100, 20, 5};
  Minibatches batches = Minibatches::over(chosen, {.batch = 3}, 5);
  Minibatches plain(7, {.batch = 3}, 5);
  BOOST_TEST(batches.size() == 3);
  for (int epoch = 0; epoch < 2; ++epoch) {
    const Integers all = flat(epoch_of(batches));
    const Integers places = flat(epoch_of(plain));
    BOOST_TEST(sorted(all) == sorted(chosen), boost::test_tools::per_element());
    for (std::size_t i = 0; i < all.size(); ++i) {
      BOOST_TEST(all[i] == chosen[static_cast<std::size_t>(places[i])]);
    }
  }
  Minibatches in_order =
      Minibatches::over(chosen, {.batch = 3, .shuffle = false, .drop_last = true}, 5);
  BOOST_TEST(flat(epoch_of(in_order)) == Integers({7, 3, 11, 3, 100, 20}),
             boost::test_tools::per_element());
  // A single number in braces is a list of one, not a count.
  rw::Rng rng(1);
  Minibatches single = Minibatches::over({9}, {}, rng);
  BOOST_TEST(flat(epoch_of(single)) == Integers{9}, boost::test_tools::per_element());
  Minibatches none = Minibatches::over({}, {}, rng);
  BOOST_TEST(none.size() == 0);
  BOOST_CHECK_THROW(none.next(), rw::UsageError);
  BOOST_CHECK_EXCEPTION(Minibatches::over({1, -2}, {}, rng), rw::UsageError, [](const auto& error) {
    return std::string(error.what()) ==
           "minibatches: number 1 of the list is -2, expected at least 0";
  });
}

BOOST_AUTO_TEST_CASE(a_list_of_examples_goes_on_in_the_middle_of_an_epoch) {
  const Integers chosen{7, 3, 11, 100, 20, 5};
  const TemporaryFolder folder;
  const std::string file = folder / "batches.h5";
  Minibatches batches = Minibatches::over(chosen, {.batch = 2}, 5);
  batches.next();
  rw::io::save(file, "batches", batches);
  Minibatches resumed = Minibatches::over(chosen, {.batch = 2}, 6);
  rw::io::load(file, "batches", resumed);
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(numbers_of(resumed.next()) == numbers_of(batches.next()),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(an_epoch_has_every_example_once) {
  for (const std::int64_t n : {1, 7, 8, 9, 100}) {
    for (const std::int64_t size : {1, 3, 8, 200}) {
      Minibatches batches(n, {.batch = size}, 3);
      const auto epoch = epoch_of(batches);
      BOOST_TEST(static_cast<std::int64_t>(epoch.size()) == (n + size - 1) / size);
      BOOST_TEST(batches.size() == (n + size - 1) / size);
      BOOST_TEST(sorted(flat(epoch)) == counted(n), boost::test_tools::per_element());
      for (std::size_t i = 0; i + 1 < epoch.size(); ++i) {
        BOOST_TEST(epoch[i].size() == static_cast<std::size_t>(size));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(epochs_and_seeds_differ_and_repeat) {
  Minibatches batches(50, {.batch = 8}, 3);
  Minibatches same(50, {.batch = 8}, 3);
  Minibatches next_seed(50, {.batch = 8}, 4);
  std::set<Integers> orders;
  for (int epoch = 0; epoch < 4; ++epoch) {
    BOOST_TEST(batches.epoch() == epoch);
    const Integers order = flat(epoch_of(batches));
    BOOST_TEST(order == flat(epoch_of(same)));
    orders.insert(order);
    orders.insert(flat(epoch_of(next_seed)));
  }
  BOOST_TEST(orders.size() == 8U);
  rw::Rng rng(9);
  Minibatches first(50, {}, rng);
  Minibatches second(50, {}, rng);
  BOOST_TEST(flat(epoch_of(first)) != flat(epoch_of(second)));
}

BOOST_AUTO_TEST_CASE(the_order_is_the_same_on_every_machine) {
  Minibatches batches(10, {.batch = 4}, 1);
  const Integers expected = {5, 8, 3, 0, 1, 7, 4, 6, 2, 9};
  BOOST_TEST(flat(epoch_of(batches)) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(without_shuffling_the_order_is_that_of_the_data) {
  Minibatches batches(7, {.batch = 3, .shuffle = false}, 1);
  for (int epoch = 0; epoch < 2; ++epoch) {
    BOOST_TEST((epoch_of(batches) == std::vector<Integers>{{0, 1, 2}, {3, 4, 5}, {6}}));
  }
}

BOOST_AUTO_TEST_CASE(a_last_batch_that_is_smaller_can_be_left_out) {
  Minibatches batches(11, {.batch = 4, .drop_last = true}, 1);
  std::set<std::int64_t> seen;
  for (int epoch = 0; epoch < 20; ++epoch) {
    const auto epoch_batches = epoch_of(batches);
    BOOST_TEST(epoch_batches.size() == 2U);
    for (const std::int64_t i : flat(epoch_batches)) {
      seen.insert(i);
    }
  }
  BOOST_TEST(seen.size() == 11U);  // different examples are left out
}

BOOST_AUTO_TEST_CASE(next_goes_on_into_the_next_epoch) {
  Minibatches batches(5, {.batch = 2}, 1);
  Minibatches loops(5, {.batch = 2}, 1);
  std::vector<Integers> expected = epoch_of(loops);
  for (const Integers& batch : epoch_of(loops)) {
    expected.push_back(batch);
  }
  for (std::size_t i = 0; i < 6; ++i) {
    BOOST_TEST(batches.epoch() == static_cast<std::int64_t>(i / 3));
    BOOST_TEST(batches.position() == static_cast<std::int64_t>(i % 3));
    BOOST_TEST(numbers_of(batches.next()) == expected[i], boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_loop_goes_on_after_a_break_and_can_begin_anew) {
  Minibatches batches(20, {.batch = 4}, 1);
  Minibatches whole(20, {.batch = 4}, 1);
  const auto expected = epoch_of(whole);
  std::vector<Integers> got;
  for (const Tensor& batch : batches) {
    got.push_back(numbers_of(batch));
    if (got.size() == 2) {
      break;
    }
  }
  for (const Integers& batch : epoch_of(batches)) {
    got.push_back(batch);
  }
  BOOST_TEST((got == expected));
  batches.next();
  BOOST_TEST(batches.position() == 1);
  batches.restart();
  const auto second = epoch_of(whole);
  BOOST_TEST((epoch_of(batches) == second));
}

BOOST_AUTO_TEST_CASE(a_checkpoint_brings_back_every_place_in_an_epoch) {
  const TemporaryFolder folder;
  const std::string file = folder / "batches.h5";
  const Integers lengths = example_lengths(23);
  for (const bool bucketed : {false, true}) {
    const auto make = [&](std::uint64_t seed) {
      return bucketed ? Minibatches::by_length(lengths, {.batch = 5, .pool = 2}, seed)
                      : Minibatches(23, {.batch = 5}, seed);
    };
    for (int taken = 0; taken < 12; ++taken) {
      Minibatches batches = make(7);
      for (int i = 0; i < taken; ++i) {
        batches.next();
      }
      rw::io::save(file, "batches", batches);
      Minibatches resumed = make(1000);
      resumed.next();  // so that anything not restored shows
      rw::io::load(file, "batches", resumed);
      for (int i = 0; i < 12; ++i) {
        BOOST_TEST(numbers_of(resumed.next()) == numbers_of(batches.next()),
                   boost::test_tools::per_element());
        BOOST_TEST(resumed.epoch() == batches.epoch());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_checkpoint_of_other_data_is_refused) {
  const TemporaryFolder folder;
  const std::string file = folder / "batches.h5";
  Minibatches batches(23, {.batch = 5}, 1);
  batches.next();
  rw::io::save(file, "batches", batches);
  Minibatches fewer(22, {.batch = 5}, 1);
  BOOST_CHECK_EXCEPTION(rw::io::load(file, "batches", fewer), rw::io::StateMismatch,
                        says("{examples 23}, loaded into minibatches {examples 22}"));
  Minibatches larger(23, {.batch = 6}, 1);
  BOOST_CHECK_THROW(rw::io::load(file, "batches", larger), rw::io::StateMismatch);
  // The bare state has no options: only the numbers in it can be compared.
  rw::io::load(file, rw::testing::bare_state("batches", fewer.state()));
  BOOST_CHECK_EXCEPTION(fewer.next(), rw::UsageError, says("examples = 23, but made with 22"));
  rw::io::load(file, rw::testing::bare_state("batches", larger.state()));
  BOOST_CHECK_THROW(larger.next(), rw::UsageError);
}

BOOST_AUTO_TEST_CASE(batches_of_similar_lengths) {
  const std::int64_t n = 403;
  const Integers lengths = example_lengths(n);
  Minibatches any(n, {.batch = 8}, 2);
  Minibatches similar = Minibatches::by_length(lengths, {.batch = 8, .pool = 20}, 2);
  Minibatches same = Minibatches::by_length(lengths, {.batch = 8, .pool = 20}, 2);
  const std::int64_t at_random = padded(epoch_of(any), lengths);
  std::set<std::vector<Integers>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    const auto batches = epoch_of(similar);
    BOOST_TEST(sorted(flat(batches)) == counted(n), boost::test_tools::per_element());
    BOOST_TEST(padded(batches, lengths) < at_random / 5);
    BOOST_TEST((batches == epoch_of(same)));
    orders.insert(batches);
    // The order is random: long batches do not all come last.
    std::vector<std::int64_t> first_lengths;
    for (const Integers& batch : batches) {
      first_lengths.push_back(lengths[static_cast<std::size_t>(batch[0])]);
    }
    BOOST_TEST(!std::is_sorted(first_lengths.begin(), first_lengths.end()));
  }
  BOOST_TEST(orders.size() == 3U);
}

BOOST_AUTO_TEST_CASE(batches_of_similar_lengths_without_shuffling) {
  Minibatches batches =
      Minibatches::by_length({5, 1, 3, 1, 9}, {.batch = 2, .shuffle = false, .pool = 1}, 0);
  BOOST_TEST((epoch_of(batches) == std::vector<Integers>{{1, 3}, {2, 0}, {4}}));
  Minibatches dropped = Minibatches::by_length({5, 1, 3, 1, 9}, {.batch = 2, .drop_last = true}, 0);
  BOOST_TEST(epoch_of(dropped).size() == 2U);
}

BOOST_AUTO_TEST_CASE(no_examples_no_batches) {
  Minibatches none(0, {}, 1);
  BOOST_TEST(none.size() == 0);
  BOOST_TEST(epoch_of(none).empty());
  BOOST_CHECK_THROW(none.next(), rw::UsageError);
  Minibatches too_few(3, {.batch = 4, .drop_last = true}, 1);
  BOOST_TEST(epoch_of(too_few).empty());
  BOOST_CHECK_EXCEPTION(too_few.next(), rw::UsageError,
                        says("minibatches: 3 examples make no batch of 4 with drop_last"));
  Minibatches no_lengths = Minibatches::by_length({}, {}, 1);
  BOOST_TEST(epoch_of(no_lengths).empty());
  BOOST_CHECK_THROW(Minibatches(-1, {}, 1), rw::UsageError);
  BOOST_CHECK_THROW(Minibatches(1, {.batch = 0}, 1), rw::UsageError);
  BOOST_CHECK_THROW(Minibatches(1, {.pool = 0}, 1), rw::UsageError);
}

BOOST_AUTO_TEST_CASE(a_batch_chooses_rows_and_examples) {
  Minibatches batches(4, {.batch = 3}, 1);
  const Tensor data = Tensor::from<double>({4, 1}, {0, 10, 20, 30});
  const std::vector<std::string> texts{"a", "b", "c", "d"};
  for (const Tensor& batch : batches) {
    const auto rows = rw::index_select(data, batch).to_vector<double>();
    const auto chosen = rw::examples_at(texts, batch);
    const Integers numbers = numbers_of(batch);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      BOOST_TEST(rows[i] == 10.0 * static_cast<double>(numbers[i]));
      BOOST_TEST(chosen[i] == texts[static_cast<std::size_t>(numbers[i])]);
    }
  }
  BOOST_CHECK_THROW(rw::examples_at(texts, Tensor::from<std::int64_t>({1}, {4})), rw::ShapeError);
}
