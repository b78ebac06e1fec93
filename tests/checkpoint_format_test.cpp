// The format of checkpoints: the content of files, byte by byte, and the agreement of both readers.

#include <algorithm>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/checkpoint_reader.hpp>
#include <rewind/io/detail/checkpoint_writer.hpp>
#include <rewind/io/detail/provenance.hpp>
#include <rewind/io/detail/reader_agreement.hpp>

#include "support/checkpoint_fixture.hpp"
#include "support/edited_index.hpp"
#include "support/golden_checkpoint.hpp"

namespace {

using namespace rw::testing::checkpoints;
using rw::testing::EditedIndex;
namespace golden = rw::testing::golden;
namespace detail = rw::io::detail;

const std::string golden_file = REWIND_TEST_DATA "/checkpoint_version_1.h5";

}  // namespace

BOOST_AUTO_TEST_CASE(the_golden_file_loads_for_ever) {
  const StateList expected = golden::state();
  const StateList state = zeros_like(expected);
  const io::LoadReport report = io::load(golden_file, state);
  BOOST_TEST(report.complete());
  BOOST_TEST(report.unexpected.empty());
  BOOST_CHECK(bytes_of(state) == bytes_of(expected));
  BOOST_CHECK(io::read_attributes(golden_file) == golden::attributes());
  const detail::CheckpointReader reader{golden_file};
  BOOST_TEST(reader.index().objects.size() == 2U);
  BOOST_TEST(reader.index().objects[0].path == "model");
  BOOST_TEST(reader.index().objects[0].kind == "rw::LSTM");
  BOOST_TEST(reader.index().objects[1].kind == "rw::Adam");
  BOOST_TEST(reader.index().objects[1].options.at("rate") == "0.001");
}

// Other versions of HDF5 may write another HDF5 part.
BOOST_AUTO_TEST_CASE(the_golden_state_gives_the_golden_bytes) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  const detail::Index index = detail::CheckpointReader{golden_file}.index();
  const auto hdf5 = [](const std::string& writer) { return writer.substr(writer.find("hdf5")); };
  const std::string now = detail::writer_name();
  detail::write_checkpoint(path, golden::state(), golden::attributes(), index.objects,
                           index.writer);
  if (hdf5(now) == hdf5(index.writer)) {
    BOOST_CHECK(content_of(path) == content_of(golden_file));
  }
  io::save(path, golden::state(), golden::attributes());
  BOOST_TEST(detail::CheckpointReader{path}.index().writer == now);
}

BOOST_AUTO_TEST_CASE(the_same_state_gives_the_same_bytes) {
  const Folder folder;
  StateList state = golden::state();
  io::save(folder / "1.h5", state, {{"seed", "1"}});
  std::ranges::reverse(state);
  io::save(folder / "2.h5", state, {{"seed", "1"}});
  BOOST_CHECK(content_of(folder / "1.h5") == content_of(folder / "2.h5"));
}

BOOST_AUTO_TEST_CASE(values_are_aligned_and_the_user_block_has_room) {
  const Folder folder;
  for (const int tensors : {0, 1, 3, 40, 700}) {
    StateList state;
    for (int i = 0; i < tensors; ++i) {
      state.push_back({fmt::format("group {}/tensor {}", i % 7, i),
                       numbers(i % 5 == 0 ? Shape{} : Shape{i % 5 - 1, 11})});
    }
    const std::string path = folder / "x.h5";
    io::save(path, state);
    const detail::CheckpointReader reader{path};
    BOOST_TEST(reader.index().file_bytes == fs::file_size(path));
    BOOST_TEST(reader.index().tensors.size() == state.size());
    for (const detail::TensorRecord& tensor : reader.index().tensors) {
      BOOST_TEST(tensor.offset % 64 == 0U);
    }
    BOOST_TEST(detail::differences_between_readers(path).empty());
  }
}

BOOST_AUTO_TEST_CASE(metadata_lie_before_all_values) {
  const Folder folder;
  io::save(folder / "x.h5", {{"a/b", numbers({300000})}, {"c/d", numbers({200000})}});
  const detail::Index index = detail::CheckpointReader{folder / "x.h5"}.index();
  std::uint64_t rest = 0;
  for (const detail::Gap& gap : detail::gaps(index)) {
    rest += gap.end - gap.begin;
  }
  BOOST_TEST(rest < 4000U);
  BOOST_TEST(index.tensors[0].offset < 5000U);
}

BOOST_AUTO_TEST_CASE(both_readers_agree_or_the_difference_is_told) {
  BOOST_TEST(detail::differences_between_readers(golden_file).empty());

  const Folder folder;
  const std::string path = folder / "x.h5";
  io::save(path, {{"a", numbers({3})}, {"b", numbers({3}, rw::DType::float32, 2)}},
           {{"cell", "gru"}});
  const auto differences = [&](auto change) {
    EditedIndex file(path);
    const std::string before = content_of(path);
    change(file.index);
    file.write_back();
    std::vector<std::string> found = detail::differences_between_readers(path);
    write(path, before);
    return fmt::format("{}", fmt::join(found, "; "));
  };
  BOOST_TEST(differences([](detail::Index& index) { index.tensors[1].path = "c"; }) ==
             "'b' is in the HDF5 part only; 'c' is in the index only");
  BOOST_TEST(differences([](detail::Index& index) {
               std::swap(index.tensors[0].offset, index.tensors[1].offset);
               std::swap(index.tensors[0].digest, index.tensors[1].digest);
             }) == "'a' has other values in the HDF5 part; 'b' has other values in the HDF5 part");
  BOOST_TEST(differences([](detail::Index& index) {
               index.tensors[0].shape = Shape{3, 1};
             }) == "'a' is float32 [3, 1] in the index, float32 [3] in the HDF5 part");
  BOOST_TEST(differences([](detail::Index& index) { index.metadata["cell"] = "rnn"; }) ==
             "the attribute 'cell' is another text in the HDF5 part");
}

BOOST_AUTO_TEST_CASE(an_index_that_says_what_cannot_be_is_refused) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  io::save(path, {{"a", numbers({40})}, {"b/c", numbers({40})}, {"none", numbers({0})}});
  const std::string good = content_of(path);
  const auto refusal = [&](auto change) {
    write(path, good);
    EditedIndex file(path);
    change(file.index);
    file.write_back();
    return message_of<io::CheckpointRefused>([&] { io::list(path); });
  };
  const auto check = [&](const char* why, auto change) {
    BOOST_TEST(contains(refusal(change), why));
  };
  using detail::Index;
  check("overlap", [](Index& index) { index.tensors[1].offset = index.tensors[0].offset + 64; });
  check("outside the file", [](Index& index) { index.tensors[0].offset = 64; });
  check("outside the file", [](Index& index) { index.tensors[0].offset = index.file_bytes - 4; });
  check("outside the file", [](Index& index) { index.tensors[0].offset = ~std::uint64_t{0} - 8; });
  check("outside the file", [](Index& index) { index.tensors[2].offset = 1024; });
  check("outside the file", [](Index& index) { index.tensors[0].shape = Shape{1 << 30}; });
  check("out of order", [](Index& index) { std::swap(index.tensors[0], index.tensors[1]); });
  check("out of order", [](Index& index) { index.tensors[1].path = "a"; });
  check("invalid path", [](Index& index) { index.tensors[0].path = "../a"; });
  check("invalid path", [](Index& index) { index.tensors[0].path = ""; });
  check("also a group", [](Index& index) { index.tensors[0].path = "b"; });
  check("invalid path", [](Index& index) { index.objects.push_back({"a//b", "", {}}); });
  check("a NUL", [](Index& index) { index.metadata["a"] = std::string(1, '\0'); });
  check("without a name", [](Index& index) { index.metadata[""] = "a"; });
}
