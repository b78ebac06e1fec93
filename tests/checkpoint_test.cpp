// Checkpoints: what was saved comes back, all of it or the part that was requested.

#include <array>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/autograd/operations/views.hpp>
#include <rewind/autograd/tape/parameter.hpp>
#include <rewind/io/checkpoint.hpp>

#include "support/checkpoint_fixture.hpp"

namespace {

using namespace rw::testing::checkpoints;
using rw::Parameter;

struct Affine {
  Parameter weight;
  Parameter bias;
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("weight", weight);
    visit("bias", bias);
  }
};

struct Network {
  Parameter scale{numbers({})};
  std::vector<Affine> layers;
  std::array<Affine, 2> heads;
  std::optional<Affine> extra;
  template <class Visit>
  void parameters(Visit&& visit) {
    visit("scale", scale);
    visit("layers", layers);
    visit("heads", heads);
    visit("extra", extra);
  }

  explicit Network(double scale_of_values) {
    const auto parameter = [&](const Shape& shape, rw::DType dtype = rw::DType::float32) {
      return Parameter(numbers(shape, dtype, scale_of_values));
    };
    layers.push_back({parameter({3, 4}), parameter({4})});
    layers.push_back({parameter({4, 2}, rw::DType::float64), {}});
    heads = {Affine{parameter({2, 1}), parameter({1})}, Affine{parameter({0, 5}), parameter({0})}};
  }
};

/// Stands in for an optimiser: a step counter and a moment.
struct Counter {
  Tensor step = numbers({}, rw::DType::int64);
  Tensor moment = numbers({2, 3}, rw::DType::float64);
  StateList state() const { return {{"step", step}, {"moment/0", moment}}; }
};

}  // namespace

BOOST_AUTO_TEST_CASE(objects_come_back_bit_for_bit) {
  const Folder folder;
  const std::string path = folder / "all.h5";
  Network network(1.0);
  Counter counter;
  Tensor epoch = numbers({1}, rw::DType::int64);
  io::save(path, "model", network, "optimizer", rw::state_of(counter), "epoch", epoch);
  const std::string before = bytes_of(io::collect("model", network, "optimizer", counter));

  Network restored(-7.0);
  restored.scale.assign(rw::scalar(5));
  Counter other{rw::zeros({}, rw::DType::int64), rw::zeros({2, 3}, rw::DType::float64)};
  Tensor other_epoch = rw::zeros({1}, rw::DType::int64);
  BOOST_REQUIRE(bytes_of(io::collect("model", restored, "optimizer", other)) != before);
  io::load(path, "model", restored, "optimizer", other, "epoch", other_epoch);
  BOOST_TEST(bytes_of(io::collect("model", restored, "optimizer", other)) == before);
  BOOST_TEST(other_epoch.item() == 3e12);

  Network model_only(2.0);
  io::load(path, {.allow_unexpected = true}, "model", model_only);
  BOOST_TEST(bytes_of(rw::state_of(model_only)) == bytes_of(rw::state_of(network)));
  BOOST_CHECK_THROW(io::load(path, "model", model_only), io::StateMismatch);
}

BOOST_AUTO_TEST_CASE(every_type_rank_and_size) {
  const Folder folder;
  const std::vector<Shape> shapes = {
      {},         {1},       {7},          {0},          {3, 0},          {0, 3},
      {2, 3},     {2, 3, 4}, {1, 2, 3, 4}, {2, 1, 0, 2}, {1, 2, 1, 3, 2}, {700, 513},
      {2, 270000}};
  for (const rw::DType dtype : {rw::DType::float32, rw::DType::float64, rw::DType::int64}) {
    StateList state;
    for (const Shape& shape : shapes) {
      state.push_back({fmt::format("group/{}", state.size()), numbers(shape, dtype)});
    }
    const std::string path = folder / rw::name_of(dtype);
    io::save(path, state);
    const StateList restored = zeros_like(state);
    io::load(path, restored);
    BOOST_CHECK(bytes_of(restored) == bytes_of(state));

    const std::vector<io::EntryInfo> entries = io::list(path);
    BOOST_REQUIRE(entries.size() == state.size());
    for (const io::EntryInfo& entry : entries) {
      const auto i = static_cast<std::size_t>(std::stoi(entry.path.substr(6)));
      BOOST_CHECK(entry.shape == shapes[i]);
      BOOST_CHECK(entry.dtype == dtype);
    }
  }
}

BOOST_AUTO_TEST_CASE(special_values_and_views_keep_their_bits) {
  const Folder folder;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const Tensor special = Tensor::from<float>(
      {6}, {std::nanf("77"), -std::nanf("1"), infinity, -infinity, -0.0f, 1e-42f});
  // Columns 1 and 2 of [3, 4], so rows are not adjacent.
  const Tensor base = numbers({3, 4});
  const Tensor columns = rw::slice(base, 1, 1, 3);
  BOOST_REQUIRE(!columns.is_contiguous());
  io::save(folder / "v.h5", {{"special", special}, {"columns", columns}});

  const Tensor special_again = rw::zeros({6});
  const Tensor base_again = rw::zeros({3, 4});
  io::load(folder / "v.h5",
           {{"special", special_again}, {"columns", rw::slice(base_again, 1, 1, 3)}});
  BOOST_CHECK(bytes_of(special_again) == bytes_of(special));
  const std::vector<float> x = base.to_vector<float>();
  const std::vector<float> expected = {0, x[1], x[2], 0, 0, x[5], x[6], 0, 0, x[9], x[10], 0};
  BOOST_TEST(base_again.to_vector<float>() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(attributes_come_back) {
  const Folder folder;
  io::Attributes attributes = {{"cell", "lstm"},
                               {"empty", ""},
                               {"größe", "µ = 3 \n\t"},
                               {"seed", "18446744073709551615"},
                               {"long", std::string(59000, 'x')}};
  for (int i = 0; i < 30; ++i) {
    attributes.emplace(fmt::format("option {}", i),
                       std::string(4000, static_cast<char>('a' + i % 26)));
  }
  Network network(1);
  io::save(folder / "a.h5", attributes, "model", network);
  BOOST_CHECK(io::read_attributes(folder / "a.h5") == attributes);
  io::load(folder / "a.h5", "model", network);

  io::save(folder / "none.h5", StateList{});
  BOOST_TEST(io::read_attributes(folder / "none.h5").empty());
  BOOST_TEST(io::list(folder / "none.h5").empty());

  for (const auto& [key, value] : io::Attributes{{"", "x"},
                                                 {"rewind:x", "x"},
                                                 {"x", std::string("a\0b", 3)},
                                                 {std::string("a\0b", 3), "x"},
                                                 {"x", std::string(60000, 'x')}}) {
    BOOST_CHECK_THROW(io::save(folder / "bad.h5", StateList{}, {{key, value}}), rw::UsageError);
  }
  BOOST_TEST(!fs::exists(folder / "bad.h5"));
}

BOOST_AUTO_TEST_CASE(a_mismatch_lists_everything_and_changes_nothing) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  io::save(path, {{"model/b", numbers({4})},
                  {"model/cell/u", numbers({2})},
                  {"model/fc/weight", numbers({3, 4})},
                  {"model/fc/bias", numbers({4})},
                  {"model/good", numbers({5})}});
  const StateList state = {{"model/good", rw::ones({5})},
                           {"model/cell/w_x", rw::ones({2})},
                           {"model/cell/w_h", rw::ones({2})},
                           {"model/fc/weight", rw::ones({4, 4})},
                           {"model/fc/bias", rw::ones({4}, rw::DType::float64)}};
  const std::string before = bytes_of(state);
  BOOST_TEST(
      message_of<io::StateMismatch>([&] { io::load(path, state); }) ==
      fmt::format("checkpoint '{}' does not fit: missing: model/cell/w_x, model/cell/w_h; "
                  "unexpected: model/b, model/cell/u; wrong shape: model/fc/weight is [3, 4], "
                  "expected [4, 4]; wrong type: model/fc/bias is float32, expected float64; "
                  "nothing was changed; build the same objects as were saved, under the same "
                  "names, or allow it in LoadOptions: {{.allow_missing = true, .allow_unexpected = "
                  "true, .allow_mismatched = true}}",
                  path));
  BOOST_CHECK(bytes_of(state) == before);
  // The hint works: two of the entries fit.
  io::load(path, zeros_like(state),
           {.allow_missing = true, .allow_unexpected = true, .allow_mismatched = true});

  const std::string lenient =
      message_of<io::StateMismatch>([&] { io::load(path, state, {.allow_unexpected = true}); });
  BOOST_TEST(contains(lenient, "missing: model/cell/w_x"));
  BOOST_TEST(!contains(lenient, "unexpected"));
  BOOST_CHECK(bytes_of(state) == before);

  // As many values in other shapes.
  for (const Shape& shape : {Shape{4, 3}, Shape{12}, Shape{1, 3, 4}, Shape{3, 4, 1}}) {
    BOOST_CHECK_THROW(
        io::load(path, {{"model/fc/weight", rw::ones(shape)}}, {.allow_unexpected = true}),
        io::StateMismatch);
  }
}

BOOST_AUTO_TEST_CASE(loading_what_fits_reports_what_does_not) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  const Tensor w = numbers({3, 4}), b = numbers({4});
  io::save(path, {{"model/encoder/w", w},
                  {"model/encoder/cell/b", b},
                  {"model/head/weight", numbers({4, 10})},
                  {"optimizer/step", numbers({}, rw::DType::int64)}});
  const StateList state = {{"model/body/w", rw::ones({3, 4})},
                           {"model/body/cell/b", rw::ones({4})},
                           {"model/head/weight", rw::ones({4, 2})},
                           {"model/new", rw::ones({2})}};
  const std::string before = bytes_of(state);
  const std::vector<io::Rename> rename = {{"model/encoder/*", "model/body/*"}};
  io::LoadOptions options = {
      .allow_missing = true, .allow_unexpected = true, .allow_mismatched = true, .rename = rename};
  const io::LoadReport report = io::load(path, state, options);
  BOOST_TEST((report.loaded == std::vector<std::string>{"model/body/w", "model/body/cell/b"}));
  BOOST_TEST((report.missing == std::vector<std::string>{"model/new"}));
  BOOST_TEST((report.unexpected == std::vector<std::string>{"optimizer/step"}));
  BOOST_TEST((report.mismatched == std::vector<std::string>{"model/head/weight"}));
  BOOST_TEST(!report.complete());
  BOOST_TEST(to_string(report) ==
             "2 loaded; missing: model/new; unexpected: optimizer/step; mismatched: "
             "model/head/weight");
  BOOST_CHECK(bytes_of(state[0].tensor) == bytes_of(w));
  BOOST_CHECK(bytes_of(state[1].tensor) == bytes_of(b));
  BOOST_CHECK(bytes_of(state[2].tensor) == bytes_of(rw::ones({4, 2})));
  BOOST_CHECK(bytes_of(state[3].tensor) == bytes_of(rw::ones({2})));

  // Everything that is not allowed is refused as a whole, as without renaming.
  const StateList again = {{"model/body/w", rw::ones({3, 4})},
                           {"model/body/cell/b", rw::ones({4})},
                           {"model/head/weight", rw::ones({4, 2})},
                           {"model/new", rw::ones({2})}};
  for (const auto& [option, part] :
       {std::pair{&io::LoadOptions::allow_missing, "missing: model/new"},
        {&io::LoadOptions::allow_unexpected, "unexpected: optimizer/step"},
        {&io::LoadOptions::allow_mismatched, "model/head/weight is [4, 10], expected [4, 2]"}}) {
    io::LoadOptions stricter = options;
    stricter.*option = false;
    BOOST_TEST(
        contains(message_of<io::StateMismatch>([&] { io::load(path, again, stricter); }), part));
    BOOST_CHECK(bytes_of(again) == before);
  }
  // A name that matches nothing is an error: load() does not silently load nothing.
  BOOST_TEST(contains(message_of<io::StateMismatch>([&] {
                        io::load(path, {{"modle/new", rw::ones({2})}},
                                 {.allow_missing = true, .allow_unexpected = true});
                      }),
                      "missing: modle/new"));
}

BOOST_AUTO_TEST_CASE(entries_are_renamed_by_the_first_rule_that_fits) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  io::save(path,
           {{"a/x/w", rw::full({1}, 1)}, {"a/y/w", rw::full({1}, 2)}, {"b", rw::full({1}, 3)}});
  const auto loaded = [&](const std::vector<io::Rename>& rename, std::vector<std::string> names) {
    StateList state;
    for (std::string& name : names) {
      state.push_back({std::move(name), rw::zeros({1})});
    }
    const io::LoadReport report = io::load(path, state, {.rename = rename});
    BOOST_TEST(report.complete());
    BOOST_TEST(report.loaded.size() == state.size());
    std::vector<float> values;
    for (const rw::StateEntry& entry : state) {
      values.push_back(static_cast<float>(entry.tensor.item()));
    }
    return values;
  };
  const std::vector<float> in_order = {1, 2, 3};
  const auto check = [&](const std::vector<io::Rename>& rename, std::vector<std::string> names) {
    BOOST_TEST(loaded(rename, std::move(names)) == in_order, boost::test_tools::per_element());
  };
  check({{"a/*", "c/*"}}, {"c/x/w", "c/y/w", "b"});
  check({{"a/x/w", "b"}, {"b", "c"}}, {"b", "a/y/w", "c"});
  check({{"a/y/*", "d/*/e"}, {"a/*", "c/*"}}, {"c/x/w", "d/w/e", "b"});
  check({{"*/w", "*/v"}}, {"a/x/v", "a/y/v", "b"});
  check({{"*", "all/*"}}, {"all/a/x/w", "all/a/y/w", "all/b"});
  check({{"b*", "c*"}}, {"a/x/w", "a/y/w", "c"});
  for (const auto& [rename, part] : std::vector<std::pair<std::vector<io::Rename>, const char*>>{
           {{{"a/*/*", "b/*"}}, "one '*' in each"},
           {{{"a/*", "b"}}, "one '*' in each"},
           {{{"a", "b/*"}}, "one '*' in each"},
           {{{"a/z/*", "c/*"}}, "nothing to rename to 'c/*'"},
           {{{"a/*", "c/*"}, {"a/x/w", "d"}}, "nothing to rename to 'd'"},
           {{{"a/x/w", "b"}}, "'a/x/w' and 'b' of the file would both be 'b'"}}) {
    BOOST_TEST(contains(message_of<rw::UsageError>([&, &rules = rename] {
                          io::load(path, {{"b", rw::zeros({1})}}, {.rename = rules});
                        }),
                        part));
  }
}

BOOST_AUTO_TEST_CASE(paths_that_cannot_be_saved) {
  const Folder folder;
  const Tensor x = numbers({2});
  std::string deep = "a";
  for (int i = 0; i < 32; ++i) {
    deep += "/a";
  }
  for (const std::string& path :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."),
        std::string("a/../b"), std::string("a\nb"), std::string("a\0b", 3), std::string(256, 'a'),
        deep}) {
    BOOST_CHECK_THROW(io::save(folder / "x.h5", {{path, x}}), rw::UsageError);
  }
  BOOST_TEST(contains(message_of<rw::UsageError>([&] {
                        io::save(folder / "x.h5", {{"a", x}, {"a", x}});
                      }),
                      "twice"));
  BOOST_CHECK_THROW(io::save(folder / "x.h5", {{"a", x}, {"a/b", x}}), rw::UsageError);
  BOOST_CHECK_THROW(io::save(folder / "x.h5", {{"a", Tensor()}}), rw::UsageError);
  BOOST_TEST(folder.files().empty());

  const StateList unusual = {{"ö/ 1", x}, {deep.substr(2), x}, {std::string(255, 'a'), x}};
  io::save(folder / "x.h5", unusual);
  const StateList restored = zeros_like(unusual);
  io::load(folder / "x.h5", restored);
  BOOST_CHECK(bytes_of(restored) == bytes_of(unusual));
}

BOOST_AUTO_TEST_CASE(many_tensors_in_one_group) {
  const Folder folder;
  StateList state;
  for (int i = 0; i < 300; ++i) {
    state.push_back({fmt::format("moments/{}", i), numbers({3}, rw::DType::float32, i)});
  }
  io::save(folder / "x.h5", state);
  const StateList restored = zeros_like(state);
  io::load(folder / "x.h5", restored);
  BOOST_CHECK(bytes_of(restored) == bytes_of(state));
}

BOOST_AUTO_TEST_CASE(threads_may_save_and_load_at_once) {
  const Folder folder;
  std::array<int, 2> good = {};
  const auto work = [&](std::size_t who) {
    const std::string own = folder / (who == 0 ? "0.h5" : "1.h5");
    const std::string common = folder / "common.h5";
    for (int i = 1; i <= 10; ++i) {
      const StateList state = {{"a", rw::full({100}, i)}, {"b", rw::full({30, 7}, i)}};
      io::save(own, state);
      io::save(common, state);
      const StateList restored = zeros_like(state);
      io::load(own, restored);
      const bool same = bytes_of(restored) == bytes_of(state);
      io::load(common, restored);
      const float first = restored[0].tensor.to_vector<float>()[0];
      const bool whole = restored[1].tensor.to_vector<float>() == std::vector<float>(210, first);
      good[who] += same && whole ? 1 : 0;
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  BOOST_TEST(good[0] == 10);
  BOOST_TEST(good[1] == 10);
  BOOST_TEST(folder.files().size() == 3u);
}

BOOST_AUTO_TEST_CASE(other_tools_read_the_file) {
  if (std::system("command -v h5dump > /dev/null") != 0) {
    BOOST_TEST_MESSAGE("h5dump is not installed: skipped");
    return;
  }
  const Folder folder;
  io::save(folder / "x.h5",
           {{"model/cell/w_x", Tensor::from<float>({2, 2}, {1, 2, 3, 4.5f})},
            {"none", rw::zeros({0, 3})},
            {"step", rw::scalar(7, rw::DType::int64)}},
           {{"cell", "lstm"}});
  const auto dump_of = [&](const char* options, const char* file) {
    const std::string command =
        fmt::format("h5dump {} '{}' > '{}' 2>&1", options, folder / file, folder / "dump");
    BOOST_TEST(std::system(command.c_str()) == 0);
    return content_of(folder / "dump");
  };
  const std::string dump = dump_of("-p", "x.h5");
  for (const char* part :
       {"GROUP \"cell\"", "DATASET \"w_x\"", "H5T_IEEE_F32LE", "3, 4.5", "CONTIGUOUS",
        "H5T_STD_I64LE", "(0): 7", "\"lstm\"", "\"rewind:format_version\""}) {
    BOOST_TEST(contains(dump, part), part << " is not in the dump");
  }

  Network network(1);
  Counter counter;
  io::save(folder / "objects.h5", {{"größe", "µ"}}, "model", network, "runs/optimizer", counter,
           "state", rw::state_of(counter), "epoch", numbers({}));
  for (const auto& [attribute, part] : {std::pair{"/größe", "CSET H5T_CSET_UTF8"},
                                        {"/model/rewind:kind", "Network\""},
                                        {"/model/rewind:kind", "CSET H5T_CSET_UTF8"},
                                        {"/model/rewind:tensors", "(0): 8"},
                                        {"/model/rewind:values", "(0): 28"},
                                        {"/runs/optimizer/rewind:kind", "Counter\""},
                                        {"/runs/optimizer/rewind:tensors", "(0): 2"},
                                        {"/runs/optimizer/rewind:values", "(0): 7"},
                                        {"/state/rewind:tensors", "(0): 2"}}) {
    const std::string text = dump_of(fmt::format("-a '{}'", attribute).c_str(), "objects.h5");
    BOOST_TEST(contains(text, part), part << " is not in the dump of " << attribute << text);
  }
  BOOST_TEST(io::list(folder / "objects.h5").size() == 13U);
}
