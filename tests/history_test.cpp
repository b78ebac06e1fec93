// The history of a training, as a value and as a table, and the progress line.

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <rewind/io/history_files.hpp>
#include <rewind/optim/progress_bar.hpp>

#include "support/messages.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace rw::testing;
namespace fs = std::filesystem;
namespace io = rw::io;
using rw::History;

History some_history() {
  History history;
  history.add("loss", 1, 0.5);
  history.add("validation", 1, 1.0 / 3);
  history.add("loss", 2, 0.25);
  history.add("loss", 10, 1e-300);
  history.add("validation", 10, std::numeric_limits<double>::quiet_NaN());
  return history;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(history)

BOOST_AUTO_TEST_CASE(series_by_name) {
  const History history = some_history();
  BOOST_TEST(history.series().size() == 2U);
  BOOST_TEST(history.series()[0].name == "loss");
  BOOST_TEST((history["loss"] == std::vector<History::Point>{{1, 0.5}, {2, 0.25}, {10, 1e-300}}));
  BOOST_TEST(history.last("loss") == 1e-300);
  BOOST_TEST(history.contains("validation"));
  BOOST_TEST(!history.contains("accuracy"));
  BOOST_CHECK_EXCEPTION(history["accuracy"], rw::UsageError, [](const rw::UsageError& error) {
    return contains(error.what(), "'accuracy'") && contains(error.what(), "loss, validation");
  });
}

BOOST_AUTO_TEST_CASE(steps_only_grow) {
  History history = some_history();
  const History before = history;
  BOOST_CHECK_THROW(history.add("loss", 10, 1), rw::UsageError);
  BOOST_CHECK_THROW(history.add("loss", 3, 1), rw::UsageError);
  BOOST_TEST(history["loss"].size() == before["loss"].size());
  history.erase_from(2);
  BOOST_TEST(history["loss"].size() == 1U);
  BOOST_TEST(history["validation"].size() == 1U);
  history.add("loss", 2, 7);
  BOOST_TEST(history.last("loss") == 7.0);
  history.erase_from(0);
  BOOST_TEST(history.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(table)

BOOST_AUTO_TEST_CASE(a_line_for_each_step) {
  BOOST_TEST(io::to_csv(some_history()) ==
             "step,loss,validation\n"
             "1,0.5,0.3333333333333333\n"
             "2,0.25,\n"
             "10,1e-300,nan\n");
  BOOST_TEST(io::to_csv(History()) == "step\n");
  History history;
  history.add("loss", 1, -std::nan(""));  // the sign that arithmetic produces
  BOOST_TEST(io::to_csv(history) == "step,loss\n1,nan\n");
}

BOOST_AUTO_TEST_CASE(names_are_quoted_where_they_must_be) {
  History history;
  history.add("a,b", 1, 1);
  history.add("say \"x\"", 1, 2);
  history.add("two\nlines", 1, 3);
  BOOST_TEST(io::to_csv(history) == "step,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\n1,1,2,3\n");
}

BOOST_AUTO_TEST_CASE(as_a_file) {
  const TemporaryFolder folder;
  io::write_csv(folder / "a.csv", some_history());
  BOOST_TEST(content_of(folder / "a.csv") == io::to_csv(some_history()));
  BOOST_CHECK_EXCEPTION(io::write_csv(folder / "no/a.csv", some_history()), io::FileError,
                        [](const io::FileError& error) {
                          return contains(error.what(), "No such file or directory");
                        });
  BOOST_CHECK_THROW(io::write_csv("/dev/full", some_history()), io::FileError);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(progress_bar)

BOOST_AUTO_TEST_CASE(the_line) {
  BOOST_TEST(rw::ProgressBar::text("lstm", 25, 100, 0.5, 20) ==
             "    lstm  [#######-----------------------]  loss 0.50000   ETA 1:00");
  BOOST_TEST(rw::ProgressBar::text("", 100, 100, 0.5, 20) ==
             "          [##############################]  loss 0.50000   ETA 0:00");
  BOOST_TEST(rw::ProgressBar::text("a", 3, 0, 0.5, 20) == "       a  step 3  loss 0.50000");
  BOOST_TEST(rw::ProgressBar::text("a", 1, 4, 0.5, std::nullopt) ==
             "       a  [#######-----------------------]  loss 0.50000");
  BOOST_TEST(rw::minutes(0.2) == "0:01");
  BOOST_TEST(rw::minutes(125) == "2:05");
}

BOOST_AUTO_TEST_CASE(the_line_fits_a_narrow_terminal) {
  const auto text = [](std::size_t columns, const char* label = "lstm") {
    return rw::ProgressBar::text(label, 25, 100, 0.5, 20, columns);
  };
  BOOST_TEST(text(67) == "    lstm  [#######-----------------------]  loss 0.50000   ETA 1:00");
  BOOST_TEST(text(66) == "    lstm  [######-------------------]  loss 0.50000   ETA 1:00");
  BOOST_TEST(text(49) == "    lstm  [##--------]  loss 0.50000   ETA 1:00");
  BOOST_TEST(text(35) == "    lstm  loss 0.50000   ETA 1:00");
  BOOST_TEST(text(20) == "    lstm  loss 0.500");
  BOOST_TEST(text(0).empty());
  // Characters are never cut in half, and wide ones count twice.
  BOOST_TEST(text(5, "äöüäöüäöü") == "äöüäö");
  BOOST_TEST(text(5, "漢字漢字漢字漢字") == "漢字");
  BOOST_TEST(rw::ProgressBar::text("a", 3, 0, 0.5, 20, 14) == "       a  step");
}

/// What a bar writes to a terminal with `columns` columns while `body` draws.
std::string drawn_on(std::size_t columns, const std::function<void(rw::ProgressBar&)>& body) {
  const int screen = ::posix_openpt(O_RDWR | O_NOCTTY);
  BOOST_REQUIRE(screen >= 0);
  BOOST_REQUIRE(::grantpt(screen) == 0);
  BOOST_REQUIRE(::unlockpt(screen) == 0);
  const winsize size = {
      .ws_row = 24, .ws_col = static_cast<unsigned short>(columns), .ws_xpixel = 0, .ws_ypixel = 0};
  BOOST_REQUIRE(::ioctl(screen, TIOCSWINSZ, &size) == 0);
  std::FILE* const terminal = std::fopen(::ptsname(screen), "w");
  BOOST_REQUIRE(terminal != nullptr);
  {
    rw::ProgressBar bar("lstm", terminal);
    body(bar);
  }
  std::fclose(terminal);
  std::string text;
  std::array<char, 1000> part{};
  for (ssize_t n = 0; (n = ::read(screen, part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(screen);
  return text;
}

BOOST_AUTO_TEST_CASE(on_a_terminal_of_any_width_it_is_one_line) {
  const auto draw = [](rw::ProgressBar& bar) {
    for (int i = 1; i <= 3; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(110));
      bar.update(i, 8, 0.5);
    }
  };
  for (const std::size_t columns : {1U, 20U, 50U, 67U, 100U}) {
    const std::string text = drawn_on(columns, draw);
    std::size_t lines = 0;
    for (std::size_t at = 0; (at = text.find('\r', at)) != std::string::npos; ++lines) {
      const std::size_t end = text.find("\x1b[K", ++at);
      BOOST_REQUIRE(end != std::string::npos);
      BOOST_TEST(end - at < columns);
    }
    BOOST_TEST(lines == 3U + 1);
    BOOST_TEST(text.ends_with("\r\x1b[K"));
    BOOST_TEST(text.find('\n') == std::string::npos);
  }
  // If the terminal does not know its width, the environment may.
  ::setenv("COLUMNS", "30", 1);
  const std::string text = drawn_on(0, draw);
  ::unsetenv("COLUMNS");
  BOOST_TEST(text.find("\r    lstm  loss 0.50000   ETA \x1b[K") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_first_step_does_not_count_for_the_time_that_is_left) {
  double second_step = 0;
  const std::string text = drawn_on(100, [&](rw::ProgressBar& bar) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // the first step
    const double before = bar.seconds();
    bar.update(1, 100, 0.5);
    std::this_thread::sleep_for(std::chrono::milliseconds(110));
    bar.update(2, 100, 0.5);
    second_step = bar.seconds() - before;
  });
  BOOST_TEST(text.find("ETA") == text.rfind("ETA"));  // none is shown at first
  const std::size_t at = text.find("ETA ");
  BOOST_REQUIRE(at != std::string::npos);
  // 98 steps at 0.11 s are 11 s; 98 steps at the mean of both would be 79 s.
  const int minutes = std::stoi(text.substr(at + 4));
  const int seconds = std::stoi(text.substr(text.find(':', at) + 1));
  BOOST_TEST(60 * minutes + seconds >= 11);
  BOOST_TEST(60 * minutes + seconds <= std::ceil(98 * second_step));
}

BOOST_AUTO_TEST_CASE(nothing_is_drawn_but_on_a_terminal) {
  std::FILE* const file = std::tmpfile();
  {
    rw::ProgressBar bar("a", file);
    bar.update(1, 2, 0.5);
    bar.erase();
    rw::ProgressBar none("a", nullptr);
    none.update(1, 2, 0.5);
  }
  BOOST_TEST(std::ftell(file) == 0);
  std::fclose(file);
}

BOOST_AUTO_TEST_SUITE_END()
