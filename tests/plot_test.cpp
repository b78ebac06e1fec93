// Pictures: what gnuplot receives, what happens if gnuplot fails, and that text is never
// interpreted as commands.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <limits>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <rewind/io/history_files.hpp>

#include "support/as_user.hpp"
#include "support/fake_gnuplot.hpp"
#include "support/messages.hpp"

namespace {

using namespace rw::testing;
namespace fs = std::filesystem;
namespace io = rw::io;
using rw::History;

/// Whether gnuplot is installed. Prints a message if a test is skipped.
bool has_gnuplot() {
  static const bool has = std::system("command -v gnuplot >/dev/null 2>&1") == 0;
  if (!has) {
    fmt::print(stderr, "skipped: gnuplot is not installed\n");
  }
  return has;
}

void check_picture(const std::string& path) {
  const std::string bytes = content_of(path);
  BOOST_TEST(bytes.starts_with("\x89PNG\r\n\x1a\n"));
  BOOST_TEST(bytes.ends_with("IEND\xae\x42\x60\x82"));
  BOOST_TEST(bytes.size() > 1000U);
}

History some_history() {
  History history;
  history.add("loss", 1, 0.5);
  history.add("validation", 1, 1.0 / 3);
  history.add("loss", 2, 0.25);
  history.add("loss", 10, 1e-300);
  history.add("validation", 10, std::numeric_limits<double>::quiet_NaN());
  return history;
}

const std::vector<io::PlotCurve> a_line = {{"a", {{0, 1}, {1, 2}}}};

std::vector<std::string> awkward_texts() {
  std::vector<std::string> texts = {
      "",           "'",         "''x",          "x'",   "it's",    "\"",     "\"\"x",
      "\\",         "\\\\",      "\\\"",         "a\\n", "a_b^c",   "{/=20}", "}{",
      "`",          "`touch x`", "$(touch x)",   "${x}", "@x",      "#",      "; exit",
      "%g",         "100 %",     "\\140touch x", "\\",   "verlust", "ä ö ß",  "損失",
      "\U0001F600", "!touch x",  "a # b",        "END",  "<<",      "\\\n",
  };
  std::string all;
  for (char c = ' '; c < '\x7f'; ++c) {
    all += std::string(3, c);
  }
  texts.push_back(all);
  return texts;
}

/// The error when `gnuplot` runs `commands` and makes no picture; the old picture must stay.
std::string failure_of(const std::string& commands,
                       std::chrono::milliseconds limit = std::chrono::minutes(1)) {
  const TemporaryFolder folder;
  const FakeGnuplot fake(commands);
  std::ofstream(folder / "a.png") << "old";
  std::string message =
      message_of<io::FileError>([&] { io::gnuplot("plot sin(x)\n", folder / "a.png", limit); });
  BOOST_TEST(
      message.starts_with("gnuplot: picture '" + (folder / "a.png") + "' was not written: "));
  BOOST_TEST(content_of(folder / "a.png") == "old");
  BOOST_TEST(folder.files().size() == 1U);
  return message;
}

/// The data lines of the first curve, as gnuplot receives them.
std::vector<std::string> data_of(const io::PlotCurve& curve, const io::PlotAxes& axes) {
  const TemporaryFolder folder;
  const FakeGnuplot fake(FakeGnuplot::draws_and_keeps(folder / "script"));
  io::plot_lines(folder / "a.png", axes, {curve});
  std::istringstream script(content_of(folder / "script"));
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(script, line) && line != "$curve0 << END") {
  }
  while (std::getline(script, line) && line != "END") {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(plot)

BOOST_AUTO_TEST_CASE(a_picture_of_a_history) {
  if (!has_gnuplot()) {
    return;
  }
  const TemporaryFolder folder;
  io::plot_history(folder / "a.png", some_history());
  check_picture(folder / "a.png");
  io::plot_history(folder / "b.png", some_history(), {"loss"}, {.title = "loss", .log_y = true});
  check_picture(folder / "b.png");
  BOOST_CHECK_THROW(io::plot_history(folder / "c.png", some_history(), {"none"}), rw::UsageError);
  BOOST_TEST(folder.files().size() == 2U);
}

BOOST_AUTO_TEST_CASE(any_text_is_a_string_that_gnuplot_reads_as_it_is) {
  if (!has_gnuplot()) {
    return;
  }
  const TemporaryFolder folder;
  std::string script = "set print '-'\n";
  std::string expected;
  for (std::string text : awkward_texts()) {
    script += "print " + io::gnuplot_text(text) + "\n";
    std::ranges::replace(text, '\n', ' ');
    expected += text + '\n';
  }
  io::gnuplot(script, folder / "printed");
  BOOST_TEST(content_of(folder / "printed") == expected);
}

BOOST_AUTO_TEST_CASE(what_is_no_text_is_replaced) {
  BOOST_TEST(io::gnuplot_text("a\nb\tc\r\x7f\x1b[31m") == "\"a b c   [31m\"");
  BOOST_TEST(io::gnuplot_text(std::string_view("a\0b", 3)) == "\"a b\"");
  BOOST_TEST(io::gnuplot_text("a\u0080\u009fb\u00a0") == "\"a  b\u00a0\"");
  BOOST_TEST(io::gnuplot_text("a\xff\xc3") == "\"a\uFFFD\uFFFD\"");
}

BOOST_AUTO_TEST_CASE(texts_are_shown_and_not_obeyed) {
  if (!has_gnuplot()) {
    return;
  }
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path);  // `touch x` would write here
  std::vector<std::string> texts = awkward_texts();
  texts.emplace_back("x'\n!touch x\nset title `touch x` \"`touch x`\" ${x} @y \\");
  for (std::size_t i = 0; i < texts.size(); i += 4) {
    const auto text = [&](std::size_t offset) { return texts[(i + offset) % texts.size()]; };
    io::plot_lines("a.png", {.title = text(0), .x = text(1), .y = text(2)},
                   {{text(3), a_line[0].points}});
    check_picture("a.png");
  }
  fs::current_path(before);
  BOOST_TEST(folder.files() == std::vector<std::string>{"a.png"});
}

BOOST_AUTO_TEST_CASE(no_path_reaches_a_shell_or_gnuplot) {
  if (!has_gnuplot()) {
    return;
  }
  const TemporaryFolder folder;
  const std::string awkward = folder / "it's \"$(touch x)\" `touch y`; !touch z.png";
  io::plot_lines(awkward, {}, a_line);
  check_picture(awkward);
  BOOST_TEST(folder.files().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_line_is_broken_where_there_is_no_number) {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  const double largest = std::numeric_limits<double>::max();
  const io::PlotCurve curve = {"a",
                               {{1, 2},
                                {2, nan},
                                {nan, 3},
                                {4, infinity},
                                {-infinity, 5},
                                {6, -0.5},
                                {7, largest},
                                {8, 5e-324},
                                {9, 1e300}}};
  BOOST_TEST(data_of(curve, {}) ==
             (std::vector<std::string>{"1 2", "", "", "", "", "6 -0.5", "", "8 0", "9 1e+300"}));
  BOOST_TEST(data_of(curve, {.log_y = true}) ==
             (std::vector<std::string>{"1 2", "", "", "", "", "", "", "", "9 1e+300"}));
  if (has_gnuplot()) {
    const TemporaryFolder folder;
    for (const bool log_y : {false, true}) {
      io::plot_lines(folder / "a.png", {.log_y = log_y}, {curve, {"empty", {}}, {"one", {{1, 1}}}});
      check_picture(folder / "a.png");
      for (const double y : {1e-300, 1.0, 1e300}) {
        io::plot_lines(folder / "a.png", {.log_y = log_y}, {{"a", {{1, y}, {2, y}}}});
        check_picture(folder / "a.png");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(without_points_there_is_nothing_to_draw) {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.png") << "old";
  const auto message = [&](const io::PlotAxes& axes, const std::vector<io::PlotCurve>& curves) {
    return message_of<io::FileError>([&] { io::plot_lines(folder / "a.png", axes, curves); });
  };
  check_contains(message({}, {}), {"plot_lines: ", "nothing to draw"});
  check_contains(message({}, {{"a", {{0, std::nan("")}}}}), {"nothing to draw", "finite"});
  check_contains(message({.log_y = true}, {{"a", {{0, 0}, {1, -1}}}}),
                 {"nothing to draw", "above 0", "logarithmic"});
  BOOST_TEST(content_of(folder / "a.png") == "old");
}

BOOST_AUTO_TEST_CASE(a_point_without_neighbours_is_drawn) {
  const TemporaryFolder folder;
  const double nan = std::nan("");
  const auto has_dots = [&](const io::PlotCurve& curve) {
    const FakeGnuplot fake(FakeGnuplot::draws_and_keeps(folder / "script"));
    io::plot_lines(folder / "a.png", {}, {curve});
    return contains(content_of(folder / "script"), "with linespoints");
  };
  BOOST_TEST(has_dots({"a", {{1, 1}}}));
  BOOST_TEST(has_dots({"a", {{1, 1}, {2, 2}, {3, nan}, {4, 4}, {5, nan}, {6, 6}, {7, 7}}}));
  BOOST_TEST(!has_dots({"a", {{1, 1}, {2, 2}, {3, nan}, {4, 4}, {5, 5}}}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(gnuplot_fails)

BOOST_AUTO_TEST_CASE(missing) {
  const TemporaryFolder folder;
  const TemporaryFolder empty;
  const std::string path = std::getenv("PATH");
  std::ofstream(folder / "a.png") << "old";
  ::setenv("PATH", empty.path.c_str(), 1);
  const std::string message =
      message_of<io::FileError>([&] { io::plot_history(folder / "a.png", some_history()); });
  ::setenv("PATH", path.c_str(), 1);
  BOOST_TEST(message == "plot_history: picture '" + (folder / "a.png") +
                            "' was not written: gnuplot is not installed, expected it in PATH; "
                            "install it; a file that was there before is as it was");
  BOOST_TEST(content_of(folder / "a.png") == "old");
  BOOST_TEST(folder.files().size() == 1U);
}

BOOST_AUTO_TEST_CASE(with_an_exit_code) {
  check_contains(failure_of("echo 'no such thing' >&2; exit 1"),
                 {"gnuplot ended with code 1: no such thing;"});
  check_contains(failure_of(FakeGnuplot::draws() + "; exit 2"), {"gnuplot ended with code 2;"});
}

BOOST_AUTO_TEST_CASE(what_it_says_is_harmless_and_short) {
  const std::string message =
      failure_of(R"(printf 'first%10000s\033[31m\n\t  last \377 word\n\n' x >&2; exit 1)");
  check_contains(message, {"x\\x1b[31m last \\xff word;"});
  BOOST_TEST(!contains(message, "first"));
  BOOST_TEST(message.size() < 800U);
}

BOOST_AUTO_TEST_CASE(in_the_middle_of_a_picture) {
  const std::string half = R"(cat > /dev/null; printf '\211PNG\r\n\032\n half'; )";
  check_contains(failure_of(half + "kill -9 $$"), {"gnuplot was ended by signal 9 (Killed)"});
  check_contains(failure_of(half + "exit 0"), {"gnuplot wrote half a picture"});
}

BOOST_AUTO_TEST_CASE(without_a_picture) {
  check_contains(failure_of("cat > /dev/null"), {"gnuplot wrote nothing"});
  check_contains(failure_of("exit 0"), {"gnuplot wrote nothing"});
}

BOOST_AUTO_TEST_CASE(without_an_end) {
  const auto start = std::chrono::steady_clock::now();
  const std::chrono::milliseconds limit(300);
  for (const char* const commands :
       {"sleep 1000", "cat > /dev/null; sleep 1000", "exec >&- 2>&-; sleep 1000",
        "while true; do echo still here >&2; sleep 0.05; done", "trap '' TERM INT; sleep 1000"}) {
    check_contains(failure_of(commands, limit), {"gnuplot did not end within 0.3 s"});
  }
  BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(60)));
}

BOOST_AUTO_TEST_CASE(without_end_it_is_killed_with_what_it_started) {
  const TemporaryFolder folder;
  failure_of("sleep 1000 & echo $! > '" + (folder / "number") + "'; wait",
             std::chrono::milliseconds(1000));
  const std::string status = "/proc/" + std::to_string(std::stoi(content_of(folder / "number"))) +
                             "/cmdline";  // empty once the process has ended
  for (int i = 0; i < 500 && !content_of(status).empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  BOOST_TEST(content_of(status).empty());
}

BOOST_AUTO_TEST_CASE(with_too_much) {
  check_contains(failure_of("cat /dev/zero"), {"gnuplot wrote more than 64 MiB"});
}

BOOST_AUTO_TEST_CASE(with_a_script_longer_than_a_pipe_that_nobody_reads) {
  const TemporaryFolder folder;
  const FakeGnuplot fake("exit 1");
  const std::string script(10'000'000, '#');
  check_throws<io::FileError>([&] { io::gnuplot(script, folder / "a.png"); },
                              "gnuplot ended with code 1");
}

BOOST_AUTO_TEST_CASE(the_real_one) {
  if (!has_gnuplot()) {
    return;
  }
  const TemporaryFolder folder;
  check_throws<io::FileError>([&] { io::gnuplot("this is no command\n", folder / "a.png"); },
                              "this is no command ^ line 0: invalid command");
  BOOST_TEST(folder.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(programs_that_draw)

BOOST_AUTO_TEST_CASE(a_long_script_and_a_long_picture) {
  const TemporaryFolder folder;
  const FakeGnuplot fake("tee '" + (folder / "script") + "'; echo word >&2");
  std::string script;
  for (int i = 0; i < 300'000; ++i) {
    script += fmt::format("{} {}\n", i, i);
  }
  io::gnuplot(script, folder / "a.txt");
  BOOST_TEST((content_of(folder / "script") == script));
  BOOST_TEST((content_of(folder / "a.txt") == script));
}

BOOST_AUTO_TEST_CASE(that_collect_no_children) {
  const FakeGnuplot fake(FakeGnuplot::draws());
  const TemporaryFolder folder;
  const int code = code_of_child([&] {
    ::signal(SIGCHLD, SIG_IGN);
    io::plot_lines(folder / "a.png", {}, a_line);
    return fs::exists(folder / "a.png") ? 7 : 8;
  });
  BOOST_TEST(code == 7);
}

BOOST_AUTO_TEST_CASE(that_have_closed_their_standard_files) {
  const FakeGnuplot fake(FakeGnuplot::draws());
  const TemporaryFolder folder;
  for (const int last : {0, 1, 2}) {
    const int code = code_of_child([&] {
      for (int file = 0; file <= last; ++file) {
        ::close(file);
      }
      io::plot_lines(folder / "a.png", {}, a_line);
      return content_of(folder / "a.png").ends_with("IEND\xae\x42\x60\x82") ? 7 : 8;
    });
    BOOST_TEST(code == 7);
    fs::remove(folder / "a.png");
  }
}

BOOST_AUTO_TEST_CASE(keep_no_file_open) {
  const auto count = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  const TemporaryFolder folder;
  const auto before = count();
  {
    const FakeGnuplot fake(FakeGnuplot::draws());
    io::plot_lines(folder / "a.png", {}, a_line);
  }
  failure_of("exit 1");
  failure_of("sleep 1000", std::chrono::milliseconds(50));
  BOOST_TEST(count() == before);
}

BOOST_AUTO_TEST_SUITE_END()
