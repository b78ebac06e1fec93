// What a checkpoint says about itself, and everything that is wrong with it.

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <rewind/io/checkpoint_info.hpp>
#include <rewind/io/detail/checkpoint_reader.hpp>

#include "support/checkpoint_fixture.hpp"
#include "support/edited_index.hpp"
#include "support/golden_checkpoint.hpp"

namespace {

using namespace rw::testing::checkpoints;
namespace golden = rw::testing::golden;
using rw::testing::EditedIndex;
using Texts = std::vector<std::string>;

const std::string golden_file = REWIND_TEST_DATA "/checkpoint_version_1.h5";
const std::string old_file = REWIND_TEST_DATA "/checkpoint_before_index.h5";

void flip(std::string& bytes, std::size_t at, int bit = 0) {
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
}

/// Where the values of a tensor begin.
std::size_t place_of(const std::string& file, const std::string& path) {
  const io::detail::CheckpointReader reader(file);
  for (const auto& tensor : reader.index().tensors) {
    if (tensor.path == path) {
      return tensor.offset;
    }
  }
  BOOST_REQUIRE_MESSAGE(false, "there is no " << path);
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_index_is_told) {
  const io::CheckpointInfo info = io::inspect(golden_file);
  BOOST_TEST(info.format_version == 1);
  BOOST_TEST(!info.is_foreign());
  BOOST_TEST(info.writer.starts_with("rewind 0."));
  BOOST_TEST(info.file_bytes == fs::file_size(golden_file));
  BOOST_CHECK(info.metadata == golden::attributes());
  BOOST_REQUIRE(info.objects.size() == 2U);
  BOOST_TEST(info.objects[1].path == "optimizer");
  BOOST_TEST(info.objects[1].kind == "rw::Adam");
  BOOST_TEST(info.objects[1].options.at("rate") == "0.001");
  BOOST_REQUIRE(info.tensors.size() == golden::state().size());
  BOOST_TEST(info.tensors[0].path == "model/cell/b");
  BOOST_CHECK(info.tensors[0].shape == Shape{4});
}

BOOST_AUTO_TEST_CASE(a_foreign_file_says_less) {
  const io::CheckpointInfo info = io::inspect(old_file);
  BOOST_TEST(info.is_foreign());
  BOOST_TEST(info.writer.empty());
  BOOST_TEST(info.file_bytes == fs::file_size(old_file));
  BOOST_TEST(info.objects.empty());
  BOOST_CHECK(info.metadata == golden::attributes());
  BOOST_TEST(info.tensors.size() == golden::state().size());
}

BOOST_AUTO_TEST_CASE(single_tensors_are_read) {
  for (const std::string& path : {golden_file, old_file}) {
    const io::CheckpointFile file(path);
    for (const rw::StateEntry& entry : golden::state()) {
      BOOST_TEST(bytes_of(file.read(entry.path)) == bytes_of(entry.tensor));
    }
    BOOST_TEST(contains(message_of<rw::UsageError>([&] { file.read("model/cell"); }),
                        "has no tensor 'model/cell'"));
  }
  io::CheckpointFile moved = io::CheckpointFile(golden_file);
  moved = io::CheckpointFile(old_file);
  BOOST_TEST(bytes_of(moved.read("rng")) == bytes_of(golden::state().back().tensor));
}

BOOST_AUTO_TEST_CASE(a_damaged_tensor_leaves_the_others_readable) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  std::string bytes = content_of(golden_file);
  flip(bytes, place_of(golden_file, "model/cell/w_x"));
  flip(bytes, place_of(golden_file, "rng"));
  write(path, bytes);
  const io::CheckpointFile file(path);
  BOOST_TEST(contains(message_of<io::CheckpointCorrupt>([&] { file.read("rng"); }), "'rng'"));
  BOOST_TEST(file.read("optimizer/step").item() == 7);
  BOOST_TEST(io::verify(path) == (Texts{"the values of 'model/cell/w_x' are damaged",
                                        "the values of 'rng' are damaged"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_is_wrong_with_good_files) {
  BOOST_TEST(io::verify(golden_file).empty());
  BOOST_TEST(io::verify(old_file).empty());
}

BOOST_AUTO_TEST_CASE(every_flipped_byte_and_every_other_size_is_found) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  const std::string good = content_of(golden_file);
  std::size_t unnoticed = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bytes = good;
    flip(bytes, i, static_cast<int>(i % 8));
    write(path, bytes);
    unnoticed += io::verify(path).empty() ? 1U : 0U;
  }
  for (std::size_t size = 0; size < good.size(); size += 97) {
    write(path, good.substr(0, size));
    unnoticed += io::verify(path).empty() ? 1U : 0U;
  }
  write(path, good + '\0');
  unnoticed += io::verify(path).empty() ? 1U : 0U;
  BOOST_TEST(unnoticed == 0U);
}

BOOST_AUTO_TEST_CASE(readers_that_disagree_are_told) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  io::save(path, {{"a", numbers({3})}}, {{"cell", "gru"}});
  EditedIndex file(path);
  file.index.tensors[0].path = "b";
  file.index.metadata["cell"] = "rnn";
  file.write_back();
  BOOST_TEST(io::verify(path) == (Texts{"'a' is in the HDF5 part only", "'b' is in the index only",
                                        "the attribute 'cell' is another text in the HDF5 part"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_cannot_be_verified) {
  const Folder folder;
  BOOST_CHECK_THROW(io::verify(folder / "missing.h5"), io::CheckpointReadError);
  BOOST_CHECK_THROW(io::verify(folder.path.string()), io::CheckpointReadError);
  BOOST_CHECK_THROW(io::inspect(folder / "missing.h5"), io::CheckpointReadError);
  write(folder / "x.h5", "no HDF5 at all");
  BOOST_CHECK_THROW(io::inspect(folder / "x.h5"), io::CheckpointCorrupt);
  BOOST_TEST(contains(fmt::format("{}", io::verify(folder / "x.h5")), "is not a checkpoint"));
}
