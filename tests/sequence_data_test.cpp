// Sequences as batches: padding, and a long stream cut into chunks.

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/operations/views.hpp>
#include <rewind/io/bptt_batches.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/io/padding.hpp>

#include "support/bare_state.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace rw::testing;
using rw::BpttBatch;
using rw::BpttBatches;
using rw::Padding;
using rw::Shape;
using rw::Tensor;
using Numbers = std::vector<std::int64_t>;

Numbers stream_of(std::int64_t n) {
  Numbers tokens;
  for (std::int64_t i = 0; i < n; ++i) {
    tokens.push_back(1000 + i);
  }
  return tokens;
}

Tensor floats(const Shape& shape, float first) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    values.push_back(first + static_cast<float>(i));
  }
  return Tensor::from<float>(shape, values);
}

/// The columns, put together from the chunks' inputs and from their targets.
struct Columns {
  std::vector<Numbers> x;
  std::vector<Numbers> y;
};

Columns columns_of(BpttBatches& chunks, std::size_t batch) {
  Columns columns{std::vector<Numbers>(batch), std::vector<Numbers>(batch)};
  for (const BpttBatch& chunk : chunks) {
    BOOST_TEST((chunk.x.shape() == chunk.y.shape()));
    const Numbers x = chunk.x.to_vector<std::int64_t>();
    const Numbers y = chunk.y.to_vector<std::int64_t>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      columns.x[i % batch].push_back(x[i]);
      columns.y[i % batch].push_back(y[i]);
    }
  }
  return columns;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(padding)

BOOST_AUTO_TEST_CASE(tokens_after_and_before) {
  const std::vector<Numbers> sequences{{1, 2, 3}, {}, {4}};
  const auto after = rw::pad_sequences(sequences, -1);
  BOOST_TEST((after.steps.shape() == Shape{3, 3}));
  BOOST_TEST((after.steps.to_vector<std::int64_t>() == Numbers{1, -1, 4, 2, -1, -1, 3, -1, -1}));
  BOOST_TEST((after.lengths.to_vector<std::int64_t>() == Numbers{3, 0, 1}));
  const auto before = rw::pad_sequences(sequences, -1, Padding::before);
  BOOST_TEST((before.steps.to_vector<std::int64_t>() == Numbers{1, -1, -1, 2, -1, -1, 3, -1, 4}));
  BOOST_TEST((before.lengths.to_vector<std::int64_t>() == Numbers{3, 0, 1}));
}

BOOST_AUTO_TEST_CASE(vectors_of_any_layout_and_type) {
  const Tensor a = floats({2, 2}, 0);
  const Tensor b = rw::slice(floats({3, 4}, 100), 1, 1, 3);  // rows are not adjacent
  const std::vector<Tensor> sequences{a, b};
  const auto after = rw::pad_sequences(sequences, 0.5);
  BOOST_TEST((after.steps.shape() == Shape{3, 2, 2}));
  BOOST_TEST((after.steps.to_vector<float>() ==
              std::vector<float>{0, 1, 101, 102, 2, 3, 105, 106, 0.5, 0.5, 109, 110}));
  const auto before = rw::pad_sequences(sequences, 0, Padding::before);
  BOOST_TEST((before.steps.to_vector<float>() ==
              std::vector<float>{0, 0, 101, 102, 0, 1, 105, 106, 2, 3, 109, 110}));
  const std::vector<Tensor> tokens{Tensor::from<std::int64_t>({2}, {7, 8}),
                                   rw::zeros({0}, rw::DType::int64)};
  const auto padded = rw::pad_sequences(tokens, 9);
  BOOST_TEST((padded.steps.to_vector<std::int64_t>() == Numbers{7, 9, 8, 9}));
  BOOST_TEST((padded.lengths.to_vector<std::int64_t>() == Numbers{2, 0}));
}

BOOST_AUTO_TEST_CASE(all_empty) {
  const std::vector<Numbers> sequences{{}, {}};
  const auto padded = rw::pad_sequences(sequences);
  BOOST_TEST((padded.steps.shape() == Shape{0, 2}));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_together) {
  BOOST_CHECK_THROW(rw::pad_sequences(std::vector<Numbers>{}), rw::UsageError);
  BOOST_CHECK_THROW(rw::pad_sequences(std::vector<Tensor>{}), rw::UsageError);
  const auto refuse_shape = [](const std::vector<Tensor>& sequences) {
    BOOST_CHECK_THROW(rw::pad_sequences(sequences), rw::ShapeError);
  };
  refuse_shape({floats({2, 2}, 0), floats({2, 3}, 0)});
  refuse_shape({floats({2, 2}, 0), floats({2}, 0)});
  refuse_shape({rw::scalar(1)});
  refuse_shape({floats({1, 1, 1, 1, 1}, 0)});
  const std::vector<Tensor> types{floats({2}, 0), rw::zeros({2}, rw::DType::float64)};
  BOOST_CHECK_THROW(rw::pad_sequences(types), rw::UsageError);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(bptt)

BOOST_AUTO_TEST_CASE(columns_are_the_stream_and_targets_one_step_later) {
  for (const std::int64_t n : {8, 23, 100}) {
    for (const std::int64_t batch : {1, 3, 4}) {
      for (const std::int64_t steps : {1, 2, 5, 1000}) {
        const Numbers tokens = stream_of(n);
        BpttBatches chunks = rw::bptt_batches(tokens, {.batch = batch, .steps = steps});
        const std::int64_t length = n / batch;
        BOOST_TEST(chunks.size() == (length - 1 + steps - 1) / steps);
        for (int epoch = 0; epoch < 2; ++epoch) {
          BOOST_TEST(chunks.epoch() == epoch);
          const Columns columns = columns_of(chunks, static_cast<std::size_t>(batch));
          for (std::int64_t b = 0; b < batch; ++b) {
            const auto first = tokens.begin() + b * length;
            const auto column = static_cast<std::size_t>(b);
            BOOST_TEST((columns.x[column] == Numbers(first, first + length - 1)));
            BOOST_TEST((columns.y[column] == Numbers(first + 1, first + length)));
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(chunks_have_the_length_asked_for_but_the_last) {
  BpttBatches chunks = rw::bptt_batches(stream_of(24), {.batch = 2, .steps = 4});
  std::vector<std::int64_t> lengths;
  std::vector<bool> first;
  for (const BpttBatch& chunk : chunks) {
    lengths.push_back(chunk.x.size(0));
    first.push_back(chunk.first);
  }
  BOOST_TEST((lengths == Numbers{4, 4, 3}));
  BOOST_TEST((first == std::vector<bool>{true, false, false}));
  BpttBatches whole = rw::bptt_batches(stream_of(24), {.batch = 2, .steps = 4, .drop_last = true});
  BOOST_TEST(whole.size() == 2);
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const BpttBatch& chunk : whole) {
      BOOST_TEST(chunk.x.size(0) == 4);
    }
  }
}

BOOST_AUTO_TEST_CASE(streams_of_vectors) {
  // Rows that are not adjacent, so that the layout matters.
  const Tensor stream = rw::slice(floats({9, 3}, 0), 1, 0, 2);
  BpttBatches chunks = rw::bptt_batches(stream, {.batch = 2, .steps = 2});
  const BpttBatch first = chunks.next();
  BOOST_TEST((first.x.shape() == Shape{2, 2, 2}));
  BOOST_TEST((first.x.to_vector<float>() == std::vector<float>{0, 1, 12, 13, 3, 4, 15, 16}));
  BOOST_TEST((first.y.to_vector<float>() == std::vector<float>{3, 4, 15, 16, 6, 7, 18, 19}));
  BOOST_TEST((chunks.columns().shape() == Shape{4, 2, 2}));
}

BOOST_AUTO_TEST_CASE(a_checkpoint_brings_back_every_place) {
  const TemporaryFolder folder;
  const std::string file = folder / "sequences.h5";
  const Numbers tokens = stream_of(50);
  for (int taken = 0; taken < 9; ++taken) {
    BpttBatches chunks = rw::bptt_batches(tokens, {.batch = 3, .steps = 4});
    for (int i = 0; i < taken; ++i) {
      chunks.next();
    }
    rw::io::save(file, "chunks", chunks);
    BpttBatches resumed = rw::bptt_batches(tokens, {.batch = 3, .steps = 4});
    rw::io::load(file, "chunks", resumed);
    for (int i = 0; i < 6; ++i) {
      const BpttBatch expected = chunks.next();
      const BpttBatch got = resumed.next();
      BOOST_TEST((got.x.to_vector<std::int64_t>() == expected.x.to_vector<std::int64_t>()));
      BOOST_TEST(got.first == expected.first);
      BOOST_TEST(resumed.epoch() == chunks.epoch());
    }
  }
  BpttBatches other = rw::bptt_batches(stream_of(51), {.batch = 3, .steps = 4});
  BOOST_CHECK_THROW(rw::io::load(file, "chunks", other), rw::io::StateMismatch);
  rw::io::load(file, rw::testing::bare_state("chunks", other.state()));
  BOOST_CHECK_THROW(other.next(), rw::UsageError);
}

BOOST_AUTO_TEST_CASE(streams_too_short_and_options_without_sense) {
  BOOST_CHECK_THROW(rw::bptt_batches(stream_of(7), {.batch = 4, .steps = 1}), rw::ShapeError);
  BOOST_CHECK_THROW(rw::bptt_batches(Numbers{}, {.batch = 1, .steps = 1}), rw::ShapeError);
  BOOST_CHECK_THROW(rw::bptt_batches(rw::scalar(1), {.batch = 1, .steps = 1}), rw::ShapeError);
  BOOST_CHECK_THROW(rw::bptt_batches(stream_of(8), {.batch = 0, .steps = 1}), rw::UsageError);
  BOOST_CHECK_THROW(rw::bptt_batches(stream_of(8), {.batch = 1, .steps = 0}), rw::UsageError);
  BpttBatches none = rw::bptt_batches(stream_of(8), {.batch = 4, .steps = 5, .drop_last = true});
  BOOST_TEST(none.size() == 0);
  BOOST_CHECK_THROW(none.next(), rw::UsageError);
  BOOST_TEST((none.begin() == none.end()));
}

BOOST_AUTO_TEST_SUITE_END()
