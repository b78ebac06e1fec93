// rewind-inspect, run like a user runs it: its output, as text and as JSON, and its exit code.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/checkpoint_writer.hpp>

#include "support/checkpoint_fixture.hpp"
#include "support/edited_index.hpp"
#include "support/golden_checkpoint.hpp"

namespace {

using namespace rw::testing::checkpoints;
namespace golden = rw::testing::golden;
using nlohmann::json;
using rw::DType;
using rw::testing::EditedIndex;
using rw::testing::TemporaryFolder;

const std::string golden_file = REWIND_TEST_DATA "/checkpoint_version_1.h5";
const std::string old_file = REWIND_TEST_DATA "/checkpoint_before_index.h5";

constexpr float nan32 = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity32 = std::numeric_limits<float>::infinity();

/// The result of running the program.
struct Run {
  int code = -1;
  std::string out;
  std::string errors;

  json parsed() const { return json::parse(out); }
};

/// Runs it with arguments that hold no apostrophe.
Run inspect(const std::vector<std::string>& words) {
  const TemporaryFolder folder;
  std::string command = fmt::format("'{}'", REWIND_INSPECT);
  for (const std::string& word : words) {
    command += fmt::format(" '{}'", word);
  }
  command += fmt::format(" > '{}' 2> '{}'", folder / "out", folder / "errors");
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status, content_of(folder / "out"),
          content_of(folder / "errors")};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::size_t columns(const std::string& text) {
  std::size_t widest = 0;
  for (const std::string& line : lines_of(text)) {
    widest = std::max(widest, static_cast<std::size_t>(std::ranges::count_if(
                                  line, [](unsigned char c) { return (c & 0xC0) != 0x80; })));
  }
  return widest;
}

/// Whether a terminal shows every byte of the text and obeys none.
bool is_harmless(const std::string& text) {
  const bool plain = std::ranges::none_of(
      text, [](unsigned char c) { return (c < 0x20 && c != '\n') || c == 0x7f; });
  return plain && !contains(text, "\u009b") && !contains(text, "\u202e");
}

/// The entry of a list with this path.
json at(const json& list, const std::string& path) {
  const auto found = std::ranges::find_if(list, [&](const json& x) { return x["path"] == path; });
  BOOST_REQUIRE_MESSAGE(found != list.end(), "there is no " << path);
  return *found;
}

/// The files that docs/inspect.md shows: after 4,200 steps, and after more.
void write_example(const std::string& path, double steps = 4200) {
  const auto wave = [](const Shape& shape, double scale) {
    Tensor x = rw::zeros(shape);
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      x.mutable_data<float>()[i] =
          static_cast<float>(std::round(1000 * scale * std::sin(1.7 * static_cast<double>(i)))) /
          1000;
    }
    return x;
  };
  Tensor bias = wave({512}, 0.05);
  bias.mutable_data<float>()[3] = steps == 4200 ? nan32 : 0.25f;
  io::detail::write_checkpoint(path,
                               {{"model/layers/0/cell/bias", bias},
                                {"model/layers/0/cell/w_h", wave({128, 512}, 0.4)},
                                {"model/layers/0/cell/w_x", wave({32, 512}, 0.5)},
                                {"optimizer/m/model/layers/0/cell/bias", wave({512}, 2e-3)},
                                {"optimizer/step", rw::scalar(steps, DType::int64)},
                                {"rng", Tensor::from<std::int64_t>({4}, {1, 2, 3, 4})}},
                               {{"corpus", "tiny stories"}, {"vocabulary", "32"}},
                               {{"model",
                                 "rw::RecurrentNetwork<rw::LstmCell>",
                                 {{"kind", "LSTM"}, {"layers", "1"}, {"dropout", "0.2"}}},
                                {"optimizer",
                                 "rw::AdamW",
                                 {{"beta1", "0.9"},
                                  {"beta2", "0.999"},
                                  {"epsilon", "1e-08"},
                                  {"weight_decay", steps == 4200 ? "0.01" : "0.1"},
                                  {"schedule", "warm_up(500) * cosine_decay(20000)"}}}},
                               "rewind 0.2.0, hdf5 1.10.8");
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_page_shows_what_is_printed) {
  const Folder folder;
  const std::string page = content_of(REWIND_INSPECT_PAGE);
  write_example(folder / "run.h5");
  write_example(folder / "later.h5", 5000);
  // Compares without the lines that name the folder.
  const auto check_shown = [&](const Run& run, std::size_t skipped) {
    std::string quoted;
    for (const std::string& line : lines_of(run.out)) {
      BOOST_TEST(columns(line) <= 100U + folder.path.string().size());
      if (skipped > 0) {
        --skipped;
      } else {
        quoted += line.empty() ? "\n" : "    " + line + '\n';
      }
    }
    BOOST_TEST(contains(page, quoted), quoted);
  };
  check_shown(inspect({folder / "run.h5"}), 1);
  check_shown(inspect({"--diff", folder / "run.h5", folder / "later.h5"}), 2);
  const std::string help = inspect({"--help"}).out;
  BOOST_TEST(columns(help) <= 100U);
  for (const std::string option : {"--verify", "--diff", "--below", "--json"}) {
    BOOST_TEST(contains(page, option), option);
    BOOST_TEST(contains(help, option), option);
  }
}

BOOST_AUTO_TEST_CASE(the_golden_file_is_listed) {
  const Run text = inspect({golden_file});
  BOOST_TEST(text.code == 0);
  BOOST_TEST(text.errors.empty());
  for (const std::string part :
       {"format 1\nwritten by rewind 0.2.0", "model: rw::LSTM, 4 tensors, 20 values, 96 bytes",
        "optimizer: rw::Adam", "rate = 0.001", "größe", "µ = 3 \\n\\t", "18446744073709551615",
        "7 tensors, 39 values, 248 bytes; 1 infinite"}) {
    BOOST_TEST(contains(text.out, part), part << " is not in " << text.out);
  }
  const json listing = inspect({"--json", golden_file}).parsed();
  BOOST_TEST(listing["format_version"] == 1);
  BOOST_TEST(listing["bytes"] == fs::file_size(golden_file));
  BOOST_TEST(listing["metadata"]["größe"] == "µ = 3 \n\t");
  BOOST_TEST(at(listing["objects"], "optimizer")["kind"] == "rw::Adam");
  BOOST_TEST(at(listing["objects"], "optimizer")["options"]["rate"] == "0.001");
  BOOST_TEST(listing["total"]["tensors"] == 7);
  BOOST_TEST(listing["total"]["values"] == 39);
  const json bias = at(listing["tensors"], "model/cell/b");
  BOOST_TEST(bias["type"] == "float32");
  BOOST_TEST(bias["shape"] == json::array({4}));
  BOOST_TEST(bias["infinite"] == 1);
  BOOST_TEST(bias["maximum"] == static_cast<double>(1e-42f));
  const json rng = at(listing["tensors"], "rng");  // all digits
  BOOST_TEST(rng["minimum"] == std::numeric_limits<std::int64_t>::max() / -3 + 1);
  BOOST_TEST(rng["maximum"] == std::numeric_limits<std::int64_t>::max() / 3 + 4);
  const json nothing = at(listing["tensors"], "model/nothing");
  BOOST_TEST(nothing["shape"] == json::array({0, 5}));
  BOOST_TEST(nothing["minimum"].is_null());
  BOOST_TEST(nothing["norm"].is_null());
}

BOOST_AUTO_TEST_CASE(a_foreign_file_is_listed_as_far_as_possible) {
  const Run text = inspect({old_file});
  BOOST_TEST(text.code == 0);
  BOOST_TEST(contains(text.out, "a foreign HDF5 file"));
  BOOST_TEST(contains(text.out, "model/cell/w_x"));
  const json listing = inspect({"--json", old_file}).parsed();
  BOOST_TEST(listing["format_version"].is_null());
  BOOST_TEST(listing["writer"].is_null());
  BOOST_TEST(listing["objects"].empty());
  json known = inspect({"--json", golden_file}).parsed();
  BOOST_TEST(at(known["tensors"], "model/cell/b")["object"] == "model");
  for (json& tensor : known["tensors"]) {
    tensor["object"] = nullptr;
  }
  BOOST_TEST(listing["tensors"] == known["tensors"]);
  BOOST_TEST(listing["metadata"] == known["metadata"]);
}

BOOST_AUTO_TEST_CASE(statistics_are_those_of_the_finite_values) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  constexpr double large = 1.5e308;
  constexpr std::int64_t longest = std::numeric_limits<std::int64_t>::max();
  io::save(path,
           {{"mixed", Tensor::from<float>({2, 3}, {nan32, 3, -infinity32, -4, infinity32, nan32})},
            {"none", Tensor::from<float>({2}, {nan32, infinity32})},
            {"large", Tensor::from<double>({2}, {large, large})},
            {"far", Tensor::from<double>({2}, {large / 4, -large / 4})},
            {"small", Tensor::from<double>({2}, {3e-200, 4e-200})},
            {"whole", Tensor::from<std::int64_t>({2}, {longest, longest - 2})}});
  const Run text = inspect({path});
  BOOST_TEST(contains(text.out, "6 tensors, 16 values"), text.out);
  BOOST_TEST(contains(text.out, "; 3 NaN; 3 infinite"), text.out);
  const json tensors = inspect({"--json", path}).parsed()["tensors"];
  const json mixed = at(tensors, "mixed");
  BOOST_TEST(mixed["nan"] == 2);
  BOOST_TEST(mixed["infinite"] == 2);
  BOOST_TEST(mixed["minimum"] == -4.0);
  BOOST_TEST(mixed["maximum"] == 3.0);
  BOOST_TEST(mixed["mean"] == -0.5);
  BOOST_TEST(mixed["norm"] == 5.0);
  const json none = at(tensors, "none");
  BOOST_TEST(none["minimum"].is_null());
  BOOST_TEST(none["mean"].is_null());
  BOOST_TEST(none["nan"] == 1);
  const json very_large = at(tensors, "large");
  BOOST_TEST(very_large["mean"] == large);
  BOOST_TEST(very_large["norm"].is_null());  // too large for a double
  const double far_norm = at(tensors, "far")["norm"];
  BOOST_TEST(far_norm == large / 4 * std::sqrt(2.0), boost::test_tools::tolerance(1e-15));
  BOOST_TEST(at(tensors, "far")["mean"] == 0.0);
  const double small_norm = at(tensors, "small")["norm"];
  BOOST_TEST(small_norm == 5e-200, boost::test_tools::tolerance(1e-15));
  BOOST_TEST(at(tensors, "whole")["maximum"] == longest);
  BOOST_TEST(at(tensors, "whole")["minimum"] == longest - 2);
}

BOOST_AUTO_TEST_CASE(a_part_is_listed_and_compared) {
  const json listing = inspect({"--json", "--below", "model/cell/", golden_file}).parsed();
  BOOST_TEST(listing["tensors"].size() == 2U);
  BOOST_TEST(listing["objects"].size() == 1U);
  BOOST_TEST(inspect({"--json", "--below", "rng", golden_file}).parsed()["tensors"].size() == 1U);
  const Run nothing = inspect({"--below", "mod", golden_file});
  BOOST_TEST(nothing.code == 2);
  BOOST_TEST(contains(nothing.errors, "at the top are model, optimizer, rng"), nothing.errors);

  const Folder folder;
  io::save(folder / "a.h5", {{"m/x", numbers({2})}, {"n/x", numbers({2})}}, {{"seed", "1"}});
  io::save(folder / "b.h5", {{"m/x", numbers({2})}, {"n/x", numbers({3})}}, {{"seed", "2"}});
  BOOST_TEST(inspect({"--diff", folder / "a.h5", folder / "b.h5"}).code == 1);
  BOOST_TEST(inspect({"--diff", "--below", "m", folder / "a.h5", folder / "b.h5"}).code == 0);
  BOOST_TEST(inspect({"--diff", "--below", "n", folder / "a.h5", folder / "b.h5"}).code == 1);
  BOOST_TEST(inspect({"--diff", "--below", "o", folder / "a.h5", folder / "b.h5"}).code == 2);
}

BOOST_AUTO_TEST_CASE(differences_are_measured) {
  const Folder folder;
  const std::string a = folder / "a.h5";
  const std::string b = folder / "b.h5";
  io::detail::write_checkpoint(
      a,
      {{"m/gone", numbers({2})},
       {"m/nan", Tensor::from<float>({4}, {nan32, 1, infinity32, 0})},
       {"m/same", numbers({5}, DType::float64)},
       {"m/shape", numbers({2, 3})},
       {"m/type", numbers({2})},
       {"m/w", Tensor::from<float>({2, 2}, {3, 4, 0, 0})},
       {"m/whole", Tensor::from<std::int64_t>({2}, {std::int64_t{1} << 60, 7})}},
      {{"cell", "gru"}, {"seed", "1"}},
      {{"m", "rw::Adam", {{"beta", "0.9"}, {"decay", "0"}, {"rate", "1"}}}, {"r", "rw::Rng", {}}},
      "by a");
  io::detail::write_checkpoint(
      b,
      {{"m/nan", Tensor::from<float>({4}, {nan32, nan32, infinity32, -0.0f})},
       {"m/new", numbers({2})},
       {"m/same", numbers({5}, DType::float64)},
       {"m/shape", numbers({3, 2})},
       {"m/type", numbers({2}, DType::float64)},
       {"m/w", Tensor::from<float>({2, 2}, {3, 4, -1, 2})},
       {"m/whole", Tensor::from<std::int64_t>({2}, {(std::int64_t{1} << 60) + 1, 7})}},
      {{"seed", "2"}}, {{"m", "rw::AdamW", {{"beta", "0.8"}, {"epsilon", "1e-8"}, {"rate", "1"}}}},
      "by b");
  const Run run = inspect({"--diff", "--json", a, b});
  BOOST_TEST(run.code == 1);
  const json diff = run.parsed();
  BOOST_TEST(diff["equal"] == false);
  BOOST_TEST(diff["metadata"] == json::parse(R"([{"name": "cell", "a": "gru", "b": null},
                                                 {"name": "seed", "a": "1", "b": "2"}])"));
  BOOST_TEST(diff["objects"] == json::parse(R"([
      {"path": "m", "kind": {"name": "kind", "a": "rw::Adam", "b": "rw::AdamW"},
       "options": [{"name": "beta", "a": "0.9", "b": "0.8"},
                   {"name": "decay", "a": "0", "b": null},
                   {"name": "epsilon", "a": null, "b": "1e-8"}]},
      {"path": "r", "kind": {"name": "kind", "a": "rw::Rng", "b": null}, "options": []}])"));
  BOOST_TEST(diff["unmatched"].size() == 4U);
  BOOST_TEST(at(diff["unmatched"], "m/gone")["b"].is_null());
  BOOST_TEST(at(diff["unmatched"], "m/new")["a"].is_null());
  BOOST_TEST(at(diff["unmatched"], "m/shape")["a"]["shape"] == json::array({2, 3}));
  BOOST_TEST(at(diff["unmatched"], "m/type")["b"]["type"] == "float64");
  BOOST_TEST(diff["compared"] == 4);
  BOOST_TEST(diff["values"].size() == 3U);
  const json w = at(diff["values"], "m/w");
  BOOST_TEST(w["elements"] == 4);
  BOOST_TEST(w["different"] == 2);
  BOOST_TEST(w["largest"] == 2.0);
  BOOST_TEST(w["at"] == json::array({1, 1}));
  const double relative = w["relative"];
  BOOST_TEST(relative == std::sqrt(5.0 / 30.0), boost::test_tools::tolerance(1e-15));
  const json nan = at(diff["values"], "m/nan");
  BOOST_TEST(nan["different"] == 1);
  BOOST_TEST(nan["not_finite"] == 1);
  BOOST_TEST(nan["largest"].is_null());
  BOOST_TEST(at(diff["values"], "m/whole")["largest"] == 1.0);

  const Run text = inspect({"--diff", a, b});
  BOOST_TEST(text.code == 1);
  for (const std::string part : {"rw::AdamW", "epsilon", "m/gone", "float32 [2, 3]", "[1, 1]",
                                 "0.4082", "different: values of 3 of 4 tensors; 4 tensors missing",
                                 "5 options of objects; 2 texts of metadata"}) {
    BOOST_TEST(contains(text.out, part), part << " is not in " << text.out);
  }
}

BOOST_AUTO_TEST_CASE(equal_files_are_equal_and_long_texts_are_shown_where_they_differ) {
  const Run same = inspect({"--diff", golden_file, golden_file});
  BOOST_TEST(same.code == 0);
  BOOST_TEST(contains(same.out, "no difference: 7 tensors"));
  const Run foreign = inspect({"--diff", golden_file, old_file});
  BOOST_TEST(foreign.code == 0);
  BOOST_TEST(
      contains(foreign.out, "without kinds and options, which a foreign file does not have"));
  BOOST_TEST(inspect({"--diff", "--json", old_file, golden_file}).parsed()["objects"].is_null());

  const Folder folder;
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    text += "größe ";
  }
  io::save(folder / "a.h5", {{"x", numbers({2})}}, {{"notes", text + "one" + text}});
  io::save(folder / "b.h5", {{"x", numbers({2})}}, {{"notes", text + "two" + text}});
  const Run run = inspect({"--diff", folder / "a.h5", folder / "b.h5"});
  BOOST_TEST(contains(run.out, "größe one"), run.out);
  BOOST_TEST(contains(run.out, "größe two"), run.out);
  BOOST_TEST(columns(run.out) <= 100U);
  BOOST_TEST(columns(inspect({folder / "a.h5"}).out) <= 100U);
}

BOOST_AUTO_TEST_CASE(damage_is_told_by_exit_code_and_by_name) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  const std::string good = content_of(golden_file);
  const auto index = io::detail::CheckpointReader(golden_file).index();

  std::string flipped = good;
  flipped[index.tensors[1].offset] ^= 1;  // of model/cell/w_x
  write(path, flipped);
  const Run listing = inspect({path});
  BOOST_TEST(listing.code == 1);
  BOOST_TEST(contains(listing.out, "damaged"), listing.out);
  BOOST_TEST(contains(listing.out, "moment/w_x"), listing.out);
  BOOST_TEST(contains(listing.out, "1 tensor damaged"), listing.out);
  const json tensors = inspect({"--json", path}).parsed()["tensors"];
  BOOST_TEST(at(tensors, "model/cell/w_x")["damaged"] == true);
  BOOST_TEST(at(tensors, "model/cell/b")["damaged"] == false);
  const Run verified = inspect({"--verify", path});
  BOOST_TEST(verified.code == 1);
  BOOST_TEST(contains(verified.out, "the values of 'model/cell/w_x' are damaged"));
  BOOST_TEST(inspect({"--json", "--verify", path}).parsed()["faults"].size() == 1U);
  const Run compared = inspect({"--diff", golden_file, path});
  BOOST_TEST(compared.code == 2);
  BOOST_TEST(contains(compared.errors, "model/cell/w_x"), compared.errors);

  const auto is_told = [&](const std::string& bytes) {
    write(path, bytes);
    const Run run = inspect({path});
    const Run check = inspect({"--verify", path});
    return run.code == 1 && run.out.empty() &&
           run.errors.starts_with("rewind-inspect: checkpoint") && check.code == 1 &&
           contains(check.out, "not sound") && check.errors.empty();
  };
  BOOST_TEST(is_told(""));
  BOOST_TEST(
      is_told("no HDF5 at all, but a text of more than sixty-four bytes, which is a header"));
  BOOST_TEST(is_told(good.substr(0, 40)));
  BOOST_TEST(is_told(good.substr(0, good.size() / 2)));
  BOOST_TEST(is_told(good + '\0'));
  std::string damaged_index = good;
  damaged_index[100] ^= 4;
  BOOST_TEST(is_told(damaged_index));
  const std::string old = content_of(old_file);
  BOOST_TEST(is_told(old.substr(0, old.size() - 1)));
}

BOOST_AUTO_TEST_CASE(sound_files_are_called_sound) {
  const Run indexed = inspect({"--verify", golden_file});
  BOOST_TEST(indexed.code == 0);
  BOOST_TEST(contains(indexed.out, "all digests match, and libhdf5 reads the same"));
  const Run foreign = inspect({"--verify", old_file});
  BOOST_TEST(foreign.code == 0);
  BOOST_TEST(contains(foreign.out, "without digests"));
  const json verified = inspect({"--verify", "--json", old_file}).parsed();
  BOOST_TEST(verified["sound"] == true);
  BOOST_TEST(verified["has_digests"] == false);

  const Folder folder;
  const std::string path = folder / "x.h5";
  io::save(path, {{"a", numbers({3})}});
  EditedIndex file(path);
  file.index.tensors[0].path = "b";
  file.write_back();
  BOOST_TEST(inspect({path}).code == 0);
  const Run differing = inspect({"--verify", path});
  BOOST_TEST(differing.code == 1);
  BOOST_TEST(contains(differing.out, "'b' is in the index only"), differing.out);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_answered_is_trouble) {
  const Folder folder;
  const auto errors_of = [](const std::vector<std::string>& words) {
    const Run run = inspect(words);
    BOOST_TEST(run.code == 2);
    BOOST_TEST(run.out.empty());
    return run.errors;
  };
  BOOST_TEST(contains(errors_of({folder / "missing.h5"}), "No such file"));
  BOOST_TEST(contains(errors_of({"--verify", folder / "missing.h5"}), "No such file"));
  BOOST_TEST(contains(errors_of({folder.path.string()}), "directory"));
  BOOST_TEST(contains(errors_of({"/dev/zero"}), "device"));
  BOOST_TEST(contains(errors_of({}), "required"));
  BOOST_TEST(contains(errors_of({golden_file, golden_file}), "--diff"));
  BOOST_TEST(contains(errors_of({"--diff", golden_file}), "two files"));
  BOOST_TEST(contains(errors_of({"--diff", "--verify", golden_file}), "one of them"));
  BOOST_TEST(contains(errors_of({"--below", "m", "--verify", golden_file}), "whole file"));
  BOOST_TEST(contains(errors_of({"--bogus", golden_file}), "--bogus"));
  BOOST_TEST(inspect({"--version"}).code == 0);
  BOOST_TEST(inspect({"--help"}).code == 0);
  const std::string full =
      fmt::format("'{}' '{}' > /dev/full 2> /dev/null", REWIND_INSPECT, golden_file);
  BOOST_TEST(WEXITSTATUS(std::system(full.c_str())) == 2);
}

BOOST_AUTO_TEST_CASE(no_text_of_a_file_steers_the_terminal) {
  const Folder folder;
  // Control sequences in 7 bits and in 8, right-to-left text, and bytes that are not UTF-8.
  const std::string hostile = "\x1b]0;owned\a\u009b2J\u202e\x7f\r\n\b";
  const std::string a = folder / "a\x1b[2J\n.h5";
  const std::string b = folder / "b.h5";
  const auto write_hostile = [&](const std::string& path, double scale) {
    const std::string text = hostile + fmt::format("{}", scale);
    io::detail::write_checkpoint(
        path, {{"m/\u009b\u202e", numbers({3}, DType::float32, scale)}, {"m/x", numbers({2})}},
        {{hostile, text}, {"long", std::string(5000, '\x1b') + text}},
        {{"m", text, {{"\u009b\u202e", text}, {"other", std::string(1000, '\a')}}}},
        "by " + hostile);
  };
  write_hostile(a, 1);
  write_hostile(b, 2);
  const std::string foreign = folder / "foreign.h5";
  io::save(foreign, {{"\u009b\u202e", numbers({3})}}, {{hostile, hostile}});
  const std::vector<std::vector<std::string>> calls = {{a},
                                                       {"--json", a},
                                                       {"--verify", a},
                                                       {"--diff", a, b},
                                                       {"--diff", "--json", a, b},
                                                       {"--below", "m", a},
                                                       {"--below", hostile, a},
                                                       {"--" + hostile, a},
                                                       {folder / ("missing" + hostile)},
                                                       {foreign}};
  for (const auto& call : calls) {
    const Run run = inspect(call);
    BOOST_TEST(run.code <= 2);
    BOOST_TEST(is_harmless(run.out));
    BOOST_TEST(is_harmless(run.errors));
    BOOST_TEST(!(run.out + run.errors).empty());
  }
  const Run listing = inspect({a});
  BOOST_TEST(listing.code == 0);
  BOOST_TEST(contains(listing.out, "\\x1b]0;owned\\x07\\u{9b}2J\\u{202e}\\x7f\\x0d\\n\\x08"),
             listing.out);
  BOOST_TEST(inspect({"--json", a}).parsed()["metadata"][hostile] == hostile + "1");
  // Damage is reported with the names in the file.
  std::string bytes = content_of(a);
  bytes[io::detail::CheckpointReader(a).index().tensors.back().offset] ^= 1;
  write(a, bytes);
  const Run verified = inspect({"--verify", a});
  BOOST_TEST(verified.code == 1);
  BOOST_TEST(is_harmless(verified.out));
  BOOST_TEST(is_harmless(inspect({"--diff", a, b}).errors));
}

BOOST_AUTO_TEST_CASE(long_names_and_many_options_fit_on_the_screen) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  std::map<std::string, std::string> options;
  for (int i = 0; i < 40; ++i) {
    options[fmt::format("layers/{}/cell/activation", i)] = "hard_sigmoid_keras2";
  }
  options["schedule"] = std::string(300, 'x');
  io::detail::write_checkpoint(
      path,
      {{"model/" + std::string(90, 'n') + "/w", numbers({10, 20, 30}, DType::float64, -1e-5)},
       {"model/short", numbers({3})}},
      {{std::string(200, 'k'), std::string(500, 'v')}},
      {{"model", "examples::Model<" + std::string(900, 'M') + ">", options}}, "rewind");
  const Run run = inspect({path});
  BOOST_TEST(columns(run.out) <= 100U, run.out);
  BOOST_TEST(contains(run.out, std::string(90, 'n') + "/w\n"), run.out);
  BOOST_TEST(contains(run.out, "layers/39/cell/activation = hard_sigmoid_keras2"));
}
