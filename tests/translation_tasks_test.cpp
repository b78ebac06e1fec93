// What the sequence-to-sequence experiments share: sums, dates as people write them, characters as
// numbers, and the picture of the attention.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/tensor/error.hpp>
#include <rewind/autograd/tensor/rng.hpp>

#include "common/addition_task.hpp"
#include "common/characters.hpp"
#include "common/date_task.hpp"
#include "common/heat_map.hpp"
#include "common/translation.hpp"
#include "support/messages.hpp"
#include "support/plain_array.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace rw::testing;
namespace dates = examples::dates;
using examples::Characters;
using Tokens = std::vector<std::int64_t>;

}  // namespace

BOOST_AUTO_TEST_CASE(a_date_in_all_formats) {
  const std::vector<std::string> expected{"5 March 1998",
                                          "March 5, 1998",
                                          "Thursday, March 5 1998",
                                          "Thu 5 Mar 1998",
                                          "5 Mar 98",
                                          "05/03/1998",
                                          "05/03/98",
                                          "5.3.1998",
                                          "5-3-98",
                                          "1998 March 5",
                                          "5th of March 1998",
                                          "March the 5th, 1998",
                                          "the 5th of March 98",
                                          "Mar 5th '98"};
  std::vector<std::string> got;
  for (const auto format : dates::formats) {
    got.push_back(dates::written({1998, 3, 5}, format));
  }
  BOOST_TEST(got == expected, boost::test_tools::per_element());
  BOOST_TEST(dates::iso({1998, 3, 5}) == "1998-03-05");
}

BOOST_AUTO_TEST_CASE(the_calendar) {
  BOOST_TEST(dates::iso(dates::date_of(0)) == "1970-01-01");
  BOOST_TEST(dates::iso(dates::date_of(59)) == "1970-03-01");
  BOOST_TEST(dates::iso(dates::date_of(11'016)) == "2000-02-29");
  BOOST_TEST(dates::iso(dates::date_of(dates::days - 1)) == "2069-12-31");
  BOOST_TEST(dates::written({2000, 2, 29}, "{w}") == "Tuesday");
  std::string ordinals;
  for (const int day : {1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30, 31}) {
    ordinals += dates::written({2001, 1, day}, "{o} ");
  }
  BOOST_TEST(ordinals == "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 23rd 30th 31st ");
}

BOOST_AUTO_TEST_CASE(days_for_testing_are_never_trained_on) {
  std::set<std::string> trained;
  std::set<std::string> tested;
  const Characters characters{std::string(dates::symbols)};
  rw::Rng rng(1);
  for (const bool testing : {false, true}) {
    for (const dates::Example& each : dates::draw(20'000, testing, rng)) {
      (testing ? tested : trained).insert(each.iso);
      BOOST_REQUIRE_NO_THROW(characters.encode({&each.text, 1}));
    }
  }
  std::vector<std::string> both;
  std::set_intersection(trained.begin(), trained.end(), tested.begin(), tested.end(),
                        std::back_inserter(both));
  BOOST_TEST(both.empty());
  BOOST_TEST(trained.size() > 10'000U);
  BOOST_TEST(tested.size() > 3'000U);  // most of a tenth of 36,525
}

BOOST_AUTO_TEST_CASE(sums_for_testing_are_never_trained_on) {
  rw::Rng rng(2);
  std::set<std::size_t> lengths;
  for (const bool testing : {false, true}) {
    for (const examples::addition::Sum& sum : examples::addition::draw(3, 5000, testing, rng)) {
      const std::size_t plus = sum.text.find('+');
      const std::int64_t a = std::stoll(sum.text.substr(0, plus));
      const std::int64_t b = std::stoll(sum.text.substr(plus + 1));
      BOOST_REQUIRE(std::stoll(sum.result) == a + b);
      BOOST_REQUIRE((a < 1000 && b < 1000));
      BOOST_REQUIRE(examples::addition::is_for_testing(a, b) == testing);
      BOOST_REQUIRE(examples::addition::is_for_testing(b, a) == testing);
      lengths.insert(sum.text.size());
    }
  }
  BOOST_TEST((lengths == std::set<std::size_t>{3, 4, 5, 6, 7}));
}

BOOST_AUTO_TEST_CASE(an_answer_is_right_to_the_last_character) {
  const std::vector<std::string> asked{"1+1", "2+2", "3+3"};
  const std::vector<std::string> expected{"2", "4", "6"};
  const std::vector<std::string> got{"2", "44", ""};
  const rw::Tally right = examples::compare_answers(asked, expected, got, 5, " = ");
  BOOST_TEST(right.hits == 1);
  BOOST_TEST(right.total == 3);
}

BOOST_AUTO_TEST_CASE(characters_there_and_back) {
  const Characters characters("abc");
  const std::vector<std::string> lines{"ab", "", "cab"};
  const rw::PaddedSequences plain = characters.encode(lines);
  BOOST_TEST((plain.steps.shape() == rw::Shape{3, 3}));
  BOOST_TEST((plain.lengths.to_vector<std::int64_t>() == Tokens{2, 0, 3}));
  const rw::PaddedSequences text = characters.encode_with_end(lines);
  BOOST_TEST((text.lengths.to_vector<std::int64_t>() == Tokens{3, 1, 4}));
  const Tokens expected{1, 0, 3, 2, 0, 1, 0, 0, 2, 0, 0, 0};
  BOOST_TEST(text.steps.to_vector<std::int64_t>() == expected, boost::test_tools::per_element());
  BOOST_TEST(characters.decode(Tokens{3, 1, 2, 0}) == "cab");
  BOOST_TEST((characters.borders(2).to_vector<std::int64_t>() == Tokens{0, 0}));
  const std::vector<std::string> wrong{"abx"};
  check_throws<rw::UsageError>([&] { characters.encode(wrong); }, "'x'");
}

BOOST_AUTO_TEST_CASE(attention_is_drawn_whatever_the_characters) {
  const TemporaryFolder folder;
  // Two more columns than characters: padding.
  const auto draw = [](const std::string& where, const std::string& read,
                       const std::vector<std::string>& rows, const rw::Tensor& values) {
    examples::plot_heat_map(where, "attention.png",
                            {.title = "it's",
                             .x = "read",
                             .row = "row",
                             .columns = read,
                             .rows = rows,
                             .values = values,
                             .largest = 1,
                             .is_signed = false});
  };
  draw(folder.path.string(), "a '\"$`\\", {"'", "_", "^"}, rw::full({3, 9}, 0.25));
  const std::string picture = folder / "attention.png";
  if (std::filesystem::exists(picture)) {
    std::string start(8, ' ');
    std::ifstream(picture, std::ios::binary).read(start.data(), 8);
    BOOST_TEST(start == "\x89PNG\r\n\x1a\n");
  }
  draw("", "abc", {"d", "e"}, rw::ones({2, 3}));               // in the terminal
  draw("", std::string(250, 'x'), {"d"}, rw::ones({1, 250}));  // pooled to a third of the columns
  draw("", "", {}, rw::zeros({0, 0}));
}
