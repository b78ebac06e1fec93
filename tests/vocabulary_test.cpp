// Texts as numbers and back, and stable splits.

#include <map>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/split.hpp>
#include <rewind/io/vocabulary.hpp>

#include "support/messages.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace rw::testing;
using rw::Part;
using rw::TokenUnit;
using rw::Vocabulary;
using Numbers = std::vector<std::int64_t>;

std::vector<std::string> tokens_of(const Vocabulary& vocabulary) {
  std::vector<std::string> tokens;
  for (std::int64_t i = 0; i < vocabulary.size(); ++i) {
    tokens.push_back(vocabulary.token(i));
  }
  return tokens;
}

using Texts = std::vector<std::string>;

const std::string greek = "\u03b1\u03b2\u03b1";  // alpha beta alpha

}  // namespace

BOOST_AUTO_TEST_SUITE(vocabulary)

BOOST_AUTO_TEST_CASE(the_most_frequent_come_first_and_then_the_order_of_bytes) {
  const Vocabulary vocabulary("cabbac d\n");
  BOOST_TEST((tokens_of(vocabulary) == Texts{"a", "b", "c", "\n", " ", "d"}));
  BOOST_TEST((vocabulary.encode("abc d") == Numbers{0, 1, 2, 4, 5}));
  BOOST_TEST(vocabulary.decode(Numbers{2, 0, 1}) == "cab");
  BOOST_TEST(!vocabulary.unknown().has_value());
  BOOST_TEST(vocabulary.contains("d"));
  BOOST_TEST(!vocabulary.contains("e"));
}

BOOST_AUTO_TEST_CASE(characters_are_code_points) {
  // One of each length in bytes, and the first and last of each, next to the surrogates too.
  const std::string text = "\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff\u03b1 a";
  const Vocabulary vocabulary(text);
  BOOST_TEST(vocabulary.size() == 12);
  BOOST_TEST(vocabulary.encode(text).size() == 12U);
  BOOST_TEST(vocabulary.decode(vocabulary.encode(text)) == text);
  const Vocabulary letters(greek);
  BOOST_TEST((tokens_of(letters) == Texts{"\u03b1", "\u03b2"}));
  BOOST_TEST((letters.encode(greek) == Numbers{0, 1, 0}));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf8) {
  const Vocabulary letters(greek + "abc");
  const Texts bad{"ab\x80",         "ab\xc3",         "ab\xc0\xaf",         "ab\xc1\xbf",
                  "ab\xe0\x9f\xbf", "ab\xed\xa0\x80", "ab\xf0\x8f\xbf\xbf", "ab\xf4\x90\x80\x80",
                  "ab\xf5",         "ab\xff",         "ab\xe2\x82",         "ab\xc3\x28"};
  for (const std::string& text : bad) {
    const auto at_byte_2 = [](const rw::UsageError& error) {
      return contains(error.what(), "byte 2 ");
    };
    BOOST_CHECK_EXCEPTION(letters.encode(text), rw::UsageError, at_byte_2);
    BOOST_CHECK_EXCEPTION(Vocabulary(text + "x"), rw::UsageError, at_byte_2);
    BOOST_CHECK_EXCEPTION(Vocabulary(text, {.unit = TokenUnit::word}), rw::UsageError, at_byte_2);
  }
}

BOOST_AUTO_TEST_CASE(words) {
  const Vocabulary vocabulary(" the cat\tsaw the\n dog  ", {.unit = TokenUnit::word});
  BOOST_TEST((tokens_of(vocabulary) == Texts{"the", "cat", "dog", "saw"}));
  BOOST_TEST((vocabulary.encode("dog  saw\nthe cat ") == Numbers{2, 3, 0, 1}));
  BOOST_TEST(vocabulary.decode(Numbers{0, 2}) == "the dog");
  BOOST_TEST(vocabulary.encode(" \n ").empty());
  BOOST_TEST(vocabulary.decode(Numbers{}).empty());
}

BOOST_AUTO_TEST_CASE(a_byte_order_mark_in_front_is_no_token) {
  const std::string mark = "\xEF\xBB\xBF";
  const Vocabulary words(mark + "the cat\r\nthe\tdog\r\n", {.unit = TokenUnit::word});
  BOOST_TEST((tokens_of(words) == Texts{"the", "cat", "dog"}));
  BOOST_TEST((words.encode(mark + "the dog") == Numbers{0, 2}));
  const Vocabulary characters(mark + "a\r\n");
  BOOST_TEST((tokens_of(characters) == Texts{"\n", "\r", "a"}));
  BOOST_TEST((characters.encode(mark + "a") == Numbers{2}));
  BOOST_TEST(Vocabulary(mark).size() == 0);
  // Anywhere else it is a character like any other, even a second one at the beginning.
  BOOST_TEST((tokens_of(Vocabulary(mark + mark + "a")) == Texts{"a", mark}));
  BOOST_TEST((tokens_of(Vocabulary("a" + mark)) == Texts{"a", mark}));
  BOOST_CHECK_EXCEPTION(words.encode(mark + "the cow"), rw::UsageError,
                        [](const auto& error) { return contains(error.what(), "byte 7"); });
}

BOOST_AUTO_TEST_CASE(rare_and_unknown_tokens) {
  const Vocabulary vocabulary("a a b b b c", {.unit = TokenUnit::word,
                                              .min_count = 2,
                                              .padding = "<pad>",
                                              .unknown = "<unk>",
                                              .begin = "<s>",
                                              .end = "</s>"});
  BOOST_TEST((tokens_of(vocabulary) == Texts{"<pad>", "<unk>", "<s>", "</s>", "b", "a"}));
  BOOST_TEST(vocabulary.padding().value() == 0);
  BOOST_TEST(vocabulary.unknown().value() == 1);
  BOOST_TEST(vocabulary.begin().value() == 2);
  BOOST_TEST(vocabulary.end().value() == 3);
  BOOST_TEST((vocabulary.encode("a c b <unk> zebra") == Numbers{5, 1, 4, 1, 1}));
  BOOST_TEST(vocabulary.id("zebra") == 1);
  BOOST_TEST(vocabulary.decode(Numbers{2, 5, 1, 3, 0, 0}) == "a <unk>");
  const rw::Tensor tokens = rw::Tensor::from<std::int64_t>({2}, {5, 4});
  BOOST_TEST(vocabulary.decode(tokens) == "a b");
  const Vocabulary only_end("ab", {.end = "\n"});
  BOOST_TEST(only_end.end().value() == 0);
  BOOST_TEST(!only_end.padding().has_value());
  BOOST_TEST((only_end.encode("a\n") == Numbers{1, 0}));
}

BOOST_AUTO_TEST_CASE(errors_say_what_to_do) {
  const Vocabulary vocabulary("abc");
  BOOST_CHECK_EXCEPTION(vocabulary.encode("ab" + greek), rw::UsageError,
                        [](const rw::UsageError& error) {
                          return contains(error.what(), "'\u03b1' at byte 2") &&
                                 contains(error.what(), "option unknown");
                        });
  BOOST_CHECK_THROW(vocabulary.id("z"), rw::UsageError);
  BOOST_CHECK_EXCEPTION(vocabulary.token(3), rw::UsageError, [](const rw::UsageError& error) {
    return contains(error.what(), "got the number 3, expected 0 to 2");
  });
  BOOST_CHECK_THROW(vocabulary.token(-1), rw::UsageError);
  BOOST_CHECK_THROW(vocabulary.decode(Numbers{0, 7}), rw::UsageError);
  BOOST_CHECK_THROW(Vocabulary("a", {.min_count = 2}), rw::UsageError);
  BOOST_CHECK_THROW(Vocabulary("a", {.padding = "x", .end = "x"}), rw::UsageError);
  BOOST_CHECK_THROW(Vocabulary("a", {.unknown = "\xff"}), rw::UsageError);
  BOOST_CHECK_THROW(Vocabulary("a", {.unit = TokenUnit::word, .end = "a b"}), rw::UsageError);
}

BOOST_AUTO_TEST_CASE(a_checkpoint_holds_it) {
  const TemporaryFolder folder;
  const std::string file = folder / "vocabulary.h5";
  for (const TokenUnit unit : {TokenUnit::character, TokenUnit::word}) {
    const std::string text = greek + " a b\nc" + std::string(1, '\0') + "d";
    const Vocabulary vocabulary(text, {.unit = unit, .padding = "<pad>", .unknown = "?"});
    rw::io::save(file, "vocabulary", vocabulary, "other", rw::scalar(1));
    const Vocabulary loaded = Vocabulary::load(file);
    BOOST_TEST((tokens_of(loaded) == tokens_of(vocabulary)));
    BOOST_TEST((loaded.unit() == unit));
    BOOST_TEST((loaded.padding() == vocabulary.padding()));
    BOOST_TEST((loaded.unknown() == vocabulary.unknown()));
    BOOST_TEST(!loaded.begin().has_value());
    BOOST_TEST((loaded.encode(text + "\u03b3") == vocabulary.encode(text + "\u03b3")));
    BOOST_CHECK_THROW(Vocabulary::load(file, "missing"), rw::io::StateMismatch);
    BOOST_CHECK_THROW(Vocabulary::load(file, "other"), rw::io::StateMismatch);
  }
}

BOOST_AUTO_TEST_CASE(restoring_changes_a_vocabulary_in_use) {
  const TemporaryFolder folder;
  const std::string file = folder / "vocabulary.h5";
  const Vocabulary saved("xyy");
  rw::io::save(file, "vocabulary", saved);
  Vocabulary vocabulary("abb");
  const Vocabulary copy = vocabulary;
  BOOST_TEST((vocabulary.encode("b") == Numbers{0}));
  rw::io::load(file, "vocabulary", vocabulary);
  BOOST_TEST((vocabulary.encode("xy") == Numbers{1, 0}));
  BOOST_TEST((copy.encode("b") == Numbers{0}));
  Vocabulary longer("abc");
  rw::io::load(file, "vocabulary", longer);
  BOOST_TEST((longer.encode("xy") == Numbers{1, 0}));
}

BOOST_AUTO_TEST_CASE(a_state_that_is_no_vocabulary_is_refused) {
  const auto refuse = [](const Numbers& tokens, const Numbers& settings) {
    const TemporaryFolder folder;
    const std::string file = folder / "vocabulary.h5";
    const auto tensor = [](const Numbers& numbers) {
      return rw::Tensor::from<std::int64_t>({static_cast<std::int64_t>(numbers.size())}, numbers);
    };
    rw::io::save(file, "vocabulary/tokens", tensor(tokens), "vocabulary/settings",
                 tensor(settings));
    BOOST_CHECK_THROW(Vocabulary::load(file), rw::io::CheckpointRefused);
  };
  const Numbers none{0, -1, -1, -1, -1};
  refuse({'a', -1, 'a', -1}, none);
  refuse({'a', -1, 'b'}, none);
  refuse({256, -1}, none);
  refuse({-2, -1}, none);
  refuse({0x80, -1}, none);
  refuse({'a', -1}, {2, -1, -1, -1, -1});
  refuse({'a', -1}, {0, 1, -1, -1, -1});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(split)

BOOST_AUTO_TEST_CASE(hashes_never_change) {
  // Computed by an independent program.
  BOOST_TEST(rw::stable_hash("") == 0xF52A15E9A9B5E89BU);
  BOOST_TEST(rw::stable_hash("a") == 0x02C0BDBF481420F8U);
  BOOST_TEST(rw::stable_hash("rewind", 7) == 0x1EB7E0074F2A595EU);
  BOOST_TEST(rw::stable_hash(std::int64_t{1}) == 0x5CA6BBCBB1E85355U);
  BOOST_TEST(rw::stable_hash(std::int64_t{-1}) == 0x9795737C4A2DACD5U);
  BOOST_TEST(rw::stable_hash("\xc3\xbc") == 0x772D5FFDBCB8F81AU);
}

BOOST_AUTO_TEST_CASE(parts_never_change) {
  std::string parts;
  for (std::int64_t key = 0; key < 40; ++key) {
    parts += "tvT"[static_cast<std::size_t>(rw::part_of(key, {.valid = 0.2, .test = 0.2}))];
  }
  BOOST_TEST(parts == "tvtttTTtvvtTtttTtTtvttTttttvTttvvTttttvT");
}

BOOST_AUTO_TEST_CASE(shares_are_kept) {
  std::map<Part, int> counts;
  for (int i = 0; i < 20'000; ++i) {
    ++counts[rw::part_of("example " + std::to_string(i), {.valid = 0.2, .test = 0.1})];
  }
  // Within five standard deviations.
  BOOST_TEST(std::abs(counts[Part::valid] - 4000) < 283);
  BOOST_TEST(std::abs(counts[Part::test] - 2000) < 213);
}

BOOST_AUTO_TEST_CASE(neither_more_data_nor_another_share_moves_the_test) {
  const Texts keys{"ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"};
  const Texts more{"zebra", "ant", "yak", "bee", "cat"};
  std::map<std::string, Part> before;
  for (const std::string& key : keys) {
    before[key] = rw::part_of(key, {.valid = 0.3, .test = 0.3});
  }
  const rw::Split split = rw::split_by_hash(more, {.valid = 0.3, .test = 0.3});
  BOOST_TEST(split.train.size() + split.valid.size() + split.test.size() == more.size());
  for (const auto& [part, numbers] : {std::pair{Part::train, split.train},
                                      {Part::valid, split.valid},
                                      {Part::test, split.test}}) {
    for (const std::int64_t number : numbers) {
      const auto found = before.find(more[static_cast<std::size_t>(number)]);
      BOOST_TEST((found == before.end() || found->second == part));
    }
  }
  for (const std::string& key : keys) {
    const bool in_test = rw::part_of(key, {.valid = 0.6, .test = 0.3}) == Part::test;
    BOOST_TEST(in_test == (before[key] == Part::test));
  }
}

BOOST_AUTO_TEST_CASE(extreme_shares) {
  for (std::int64_t key = 0; key < 100; ++key) {
    BOOST_TEST((rw::part_of(key, {.valid = 0, .test = 0}) == Part::train));
    BOOST_TEST((rw::part_of(key, {.valid = 1, .test = 0}) == Part::valid));
    BOOST_TEST((rw::part_of(key, {.valid = 0, .test = 1}) == Part::test));
  }
  BOOST_TEST(rw::split_by_hash(Numbers{}).train.empty());
  BOOST_CHECK_THROW(rw::part_of("a", {.valid = 0.6, .test = 0.6}), rw::UsageError);
  BOOST_CHECK_THROW(rw::part_of("a", {.valid = -0.1}), rw::UsageError);
}

BOOST_AUTO_TEST_SUITE_END()
