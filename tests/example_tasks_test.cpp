// The tasks of the experiments follow their definitions: adding, copy memory, the order of three
// symbols, the embedded Reber grammar, the alignment of letters with frames, and noisy waves.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/fuse/math.hpp>
#include <rewind/autograd/operations/reduce.hpp>
#include <rewind/autograd/operations/views.hpp>

#include "common/adding_task.hpp"
#include "common/alignment_task.hpp"
#include "common/copy_task.hpp"
#include "common/reber.hpp"
#include "common/temporal_order.hpp"
#include "common/wave_task.hpp"

namespace {

using rw::Rng;
using rw::Shape;
namespace alignment = examples::alignment;
namespace copy_task = examples::copy_task;
namespace order = examples::temporal_order;
namespace reber = examples::reber;

std::int64_t size_of(const std::string& text) { return static_cast<std::int64_t>(text.size()); }

}  // namespace

BOOST_AUTO_TEST_CASE(adding_marks_one_number_in_each_half) {
  constexpr std::size_t steps = 7;
  constexpr std::size_t count = 3000;
  Rng rng(1);
  const auto [x, sums] = examples::adding_batch(steps, count, rng);
  BOOST_REQUIRE((x.shape() == Shape{steps, count, 2}));
  BOOST_REQUIRE((sums.shape() == Shape{count, 1}));
  const auto values = x.to_vector<float>();
  const auto expected = sums.to_vector<float>();
  std::map<std::size_t, int> marked;
  double squares = 0;
  for (std::size_t b = 0; b < count; ++b) {
    float sum = 0;
    std::vector<std::size_t> marks;
    for (std::size_t t = 0; t < steps; ++t) {
      const float number = values[(t * count + b) * 2];
      const float mark = values[(t * count + b) * 2 + 1];
      BOOST_REQUIRE((number >= 0.0F && number <= 1.0F));
      BOOST_REQUIRE((mark == 0.0F || mark == 1.0F));
      sum += mark * number;
      if (mark == 1.0F) {
        marks.push_back(t);
      }
    }
    BOOST_REQUIRE(marks.size() == 2U);
    BOOST_REQUIRE((marks[0] < steps / 2 && marks[1] >= steps / 2));
    BOOST_REQUIRE(sum == expected[b]);
    ++marked[marks[0]];
    ++marked[marks[1]];
    squares += (expected[b] - 1.0) * (expected[b] - 1.0);
  }
  BOOST_TEST(marked.size() == steps);
  BOOST_TEST(std::abs(squares / count - examples::adding_baseline) < 0.015);
  BOOST_CHECK_THROW(examples::adding_batch(1, 1, rng), rw::UsageError);
  const auto shortest = examples::adding_batch(2, 1, rng);
  BOOST_TEST(shortest.sum.item() == sum(select(shortest.x, 2, 0)).item());
}

BOOST_AUTO_TEST_CASE(copy_memory_asks_for_the_symbols_after_the_delay) {
  constexpr std::size_t delay = 5;
  constexpr std::size_t count = 40;
  Rng rng(2);
  const auto [x, target] = copy_task::draw_batch(delay, count, rng);
  BOOST_REQUIRE((x.shape() == Shape{delay + 20, count, 10}));
  BOOST_REQUIRE((sum(x, {-1}).to_vector<float>() == std::vector<float>((delay + 20) * count, 1)));
  const auto in = argmax(x).to_vector<std::int64_t>();
  const auto out = target.to_vector<std::int64_t>();
  std::set<std::int64_t> seen;
  for (std::size_t b = 0; b < count; ++b) {
    for (std::size_t t = 0; t < delay + 20; ++t) {
      const std::int64_t shown = in[t * count + b];
      const std::int64_t asked = out[t * count + b];
      if (t < 10) {
        BOOST_REQUIRE((shown >= 0 && shown < 8));
        seen.insert(shown);
      } else {
        BOOST_REQUIRE(shown == (t == delay + 9 ? copy_task::go : copy_task::blank));
      }
      BOOST_REQUIRE(asked ==
                    (t < delay + 10 ? copy_task::blank : in[(t - delay - 10) * count + b]));
    }
  }
  BOOST_TEST(seen.size() == 8U);
  BOOST_TEST(std::abs(copy_task::baseline(50) - 0.2971) < 5e-5);
  BOOST_TEST(std::abs(copy_task::baseline(100) - 0.1733) < 5e-5);
  BOOST_CHECK_THROW(copy_task::draw_batch(0, 1, rng), rw::UsageError);
}

BOOST_AUTO_TEST_CASE(three_symbols_have_eight_classes) {
  Rng rng(3);
  std::map<std::string, std::set<std::int64_t>> labels;
  std::set<std::int64_t> lengths;
  std::vector<std::set<std::int64_t>> places(3);
  for (int i = 0; i < 4000; ++i) {
    const auto [text, label] = order::draw(order::three, rng);
    BOOST_REQUIRE((text.front() == 'B' && text.back() == 'E'));
    std::string relevant;
    for (std::size_t t = 0; t < text.size(); ++t) {
      if (text[t] == 'X' || text[t] == 'Y') {
        BOOST_REQUIRE(relevant.size() < 3U);
        places[relevant.size()].insert(static_cast<std::int64_t>(t));
        relevant += text[t];
      }
    }
    lengths.insert(size_of(text));
    labels[relevant].insert(label);
  }
  BOOST_TEST(labels.size() == 8U);
  std::int64_t next = 0;
  for (const auto& [relevant, seen] : labels) {  // XXX, XXY, ..., YYY
    BOOST_TEST((seen == std::set<std::int64_t>{next++}));
  }
  BOOST_TEST((*lengths.begin() == 100 && *lengths.rbegin() == 110));
  BOOST_TEST((*places[0].begin() == 10 && *places[0].rbegin() == 20));
  BOOST_TEST((*places[1].begin() == 33 && *places[1].rbegin() == 43));
  BOOST_TEST((*places[2].begin() == 66 && *places[2].rbegin() == 76));
  BOOST_TEST(order::classes_of_three.size() == 8U);
}

BOOST_AUTO_TEST_CASE(reber_strings_follow_the_graph) {
  BOOST_TEST(reber::legal_after("") == "B");
  BOOST_TEST(reber::legal_after("B") == "TP");
  BOOST_TEST(reber::legal_after("BT") == "B");
  BOOST_TEST(reber::legal_after("BTB") == "TP");
  BOOST_TEST(reber::legal_after("BTBT") == "SX");
  BOOST_TEST(reber::legal_after("BTBTSSS") == "SX");
  BOOST_TEST(reber::legal_after("BTBTX") == "XS");
  BOOST_TEST(reber::legal_after("BTBTXX") == "TV");
  BOOST_TEST(reber::legal_after("BTBPTT") == "TV");
  BOOST_TEST(reber::legal_after("BTBPV") == "PV");
  BOOST_TEST(reber::legal_after("BTBPVP") == "XS");
  BOOST_TEST(reber::legal_after("BTBPVV") == "E");
  BOOST_TEST(reber::legal_after("BTBTXS") == "E");
  BOOST_TEST(reber::legal_after("BTBTXSE") == "T");
  BOOST_TEST(reber::legal_after("BPBTXSE") == "P");
  BOOST_TEST(reber::legal_after("BPBTXSEP") == "E");
  BOOST_TEST(reber::legal_after("BPBTXSEPE") == "");
  for (const char* wrong : {"T", "BB", "BTBS", "BTBTXSEP", "BPBTXSEPEB", "BTBTXSTE"}) {
    BOOST_TEST(reber::legal_after(wrong) == "", wrong);
  }
  Rng rng(4);
  std::size_t longest = 0;
  for (int i = 0; i < 500; ++i) {
    const std::string text = reber::draw(i % 2 == 0, rng);
    BOOST_REQUIRE(reber::held_out(text) == (i % 2 == 0));
    BOOST_REQUIRE(text[1] == text[text.size() - 2]);
    for (std::size_t t = 0; t < text.size(); ++t) {
      BOOST_REQUIRE(reber::legal_after(text.substr(0, t)).find(text[t]) != std::string::npos);
    }
    BOOST_REQUIRE(reber::legal_after(text).empty());
    longest = std::max(longest, text.size());
  }
  BOOST_TEST(longest > 20U);
}

BOOST_AUTO_TEST_CASE(reber_batches_are_shifted_by_one) {
  const std::vector<std::string> strings{"BTBTXSETE", "BPBPVVEPE", "BTBTSXSETE"};
  const auto [x, target, lengths] = reber::encode(strings);
  BOOST_REQUIRE((x.shape() == Shape{9, 3, 7}));
  BOOST_TEST((lengths.to_vector<std::int64_t>() == std::vector<std::int64_t>{8, 8, 9}));
  const auto ones = x.to_vector<float>();
  const auto next = target.to_vector<std::int64_t>();
  for (std::size_t b = 0; b < 3; ++b) {
    for (std::size_t t = 0; t + 1 < strings[b].size(); ++t) {
      for (std::size_t i = 0; i < 7; ++i) {
        BOOST_TEST(ones[(t * 3 + b) * 7 + i] == (reber::symbols[i] == strings[b][t] ? 1.0F : 0.0F));
      }
      BOOST_TEST(reber::symbols[static_cast<std::size_t>(next[t * 3 + b])] == strings[b][t + 1]);
    }
  }
  BOOST_TEST(sum(select(select(x, 0, 8), 0, 0)).item() == 0.0);
}

BOOST_AUTO_TEST_CASE(a_step_is_right_when_all_legal_symbols_come_first) {
  const std::vector<std::string> strings{"BTBTXSETE", "BPBTXSEPE"};
  std::vector<float> logits(8 * 2 * 7, 0.0F);
  for (std::size_t b = 0; b < 2; ++b) {
    for (std::size_t t = 0; t < 8; ++t) {
      for (const char symbol : reber::legal_after(strings[b].substr(0, t + 1))) {
        logits[(t * 2 + b) * 7 + reber::symbols.find(symbol)] = 1.0F;
      }
    }
  }
  const auto right = [&] {
    return reber::right_steps(strings, rw::Tensor::from<float>({8, 2, 7}, logits));
  };
  const std::vector<bool> all(8, true);
  BOOST_TEST((right() == std::vector{all, all}));
  // After BPBTXSE only P is legal: another symbol that is as likely makes the step wrong.
  logits[(6 * 2 + 1) * 7 + reber::symbols.find('T')] = 1.0F;
  std::vector<bool> but_one = all;
  but_one[6] = false;
  BOOST_TEST((right() == std::vector{all, but_one}));
}

BOOST_AUTO_TEST_CASE(waves_are_noisy_sines) {
  Rng rng(8);
  const rw::Tensor waves = examples::waves::draw(200, 500, rng);
  BOOST_REQUIRE((waves.shape() == Shape{200, 500, 1}));
  // A sine of any phase has variance 1/2, and the noise 0.01.
  BOOST_TEST(std::abs(rw::mean(waves * waves).item() - 0.51) < 0.02);
  const auto [train, valid] = examples::waves::split(waves);
  BOOST_TEST(train.size(1) + valid.size(1) == 500);
  BOOST_TEST(std::abs(valid.size(1) - 100) < 45);  // five standard deviations
  const auto again = examples::waves::split(waves);
  BOOST_TEST((again.valid.to_vector<float>() == valid.to_vector<float>()));
}

BOOST_AUTO_TEST_CASE(frames_of_letters_can_be_told_apart) {
  Rng rng(5);
  std::map<std::string, std::set<char>> letters_of;  // by the pattern of the frame
  for (int i = 0; i < 200; ++i) {
    const alignment::Utterance utterance = alignment::draw(0.0, rng);
    BOOST_REQUIRE(utterance.frames.size() == 8 * utterance.truth.size());
    BOOST_REQUIRE((utterance.labels.size() >= 3 && utterance.labels.size() <= 8));
    // The labels are what the frames spell; silence separates equal neighbours.
    std::vector<std::int64_t> spelt;
    for (std::size_t t = 0; t < utterance.truth.size(); ++t) {
      const char letter = utterance.truth[t];
      if (letter != '-' && (t == 0 || utterance.truth[t - 1] != letter)) {
        spelt.push_back(1 + static_cast<std::int64_t>(alignment::letters.find(letter)));
      }
      std::string pattern;
      for (std::size_t f = 0; f < 8; ++f) {
        const float value = utterance.frames[8 * t + f];
        BOOST_REQUIRE((value == 0.0F) == (letter == '-'));
        pattern += value > 0.0F ? '+' : value < 0.0F ? '-' : '0';
      }
      letters_of[pattern].insert(letter);
    }
    BOOST_REQUIRE((spelt == utterance.labels));
  }
  BOOST_TEST(letters_of.size() == 7U);
  for (const auto& [pattern, letters] : letters_of) {
    BOOST_TEST(letters.size() == 1U, pattern);
  }
}

BOOST_AUTO_TEST_CASE(batches_of_utterances_are_padded) {
  Rng rng(6);
  const alignment::Batch batch = alignment::draw_batch(5, 0.5, rng);
  const auto frames = batch.frame_lengths.to_vector<std::int64_t>();
  const auto counts = batch.label_lengths.to_vector<std::int64_t>();
  const auto labels = batch.labels.to_vector<std::int64_t>();
  const auto x = batch.x.to_vector<float>();
  for (std::size_t b = 0; b < 5; ++b) {
    const alignment::Utterance& utterance = batch.utterances[b];
    BOOST_TEST(frames[b] == size_of(utterance.truth));
    BOOST_TEST(counts[b] == static_cast<std::int64_t>(utterance.labels.size()));
    for (std::size_t i = 0; i < labels.size() / 5; ++i) {
      BOOST_TEST(labels[i * 5 + b] == (i < utterance.labels.size() ? utterance.labels[i] : 0));
    }
    for (std::size_t t = 0; t < x.size() / 40; ++t) {
      for (std::size_t f = 0; f < 8; ++f) {
        const bool inside = t < utterance.truth.size();
        BOOST_TEST(x[(t * 5 + b) * 8 + f] == (inside ? utterance.frames[t * 8 + f] : 0.0F));
      }
    }
  }
}
