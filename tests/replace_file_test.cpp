// The temporary file, which exists only while it is written.

#include <string>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include <rewind/io/detail/replace_file.hpp>
#include <rewind/io/error.hpp>

#include "support/as_user.hpp"
#include "support/temporary_folder.hpp"

namespace {

using namespace rw::testing;
namespace detail = rw::io::detail;

/// Status of the temporary file while `path` is replaced.
struct stat while_replacing(const std::string& path) {
  struct stat status = {};
  detail::replace_file({detail::FileKind::text, path, "test"}, [&](detail::OutputFile& file) {
    BOOST_REQUIRE(::fstat(file.descriptor().number(), &status) == 0);
  });
  return status;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(replace_file)

BOOST_AUTO_TEST_CASE(the_temporary_file_of_a_private_one_is_private) {
  const TemporaryFolder folder;
  const mode_t mask = ::umask(0);
  for (const mode_t mode : {0600U, 0400U, 0640U, 0666U}) {
    std::ofstream(folder / "old") << "old";
    BOOST_REQUIRE(::chmod((folder / "old").c_str(), mode) == 0);
    BOOST_TEST((while_replacing(folder / "old").st_mode & 07777) == 0600U);
  }
  ::umask(027);
  BOOST_TEST((while_replacing(folder / "new").st_mode & 07777) == 0640U);
  ::umask(mask);
}

BOOST_AUTO_TEST_CASE(the_temporary_file_is_the_writers_until_it_is_complete) {
  if (!is_root()) {
    return;
  }
  const TemporaryFolder folder;
  std::ofstream(folder / "old") << "old";
  BOOST_REQUIRE(::chown((folder / "old").c_str(), 1234, 1234) == 0);
  BOOST_TEST(while_replacing(folder / "old").st_uid == 0U);
}

BOOST_AUTO_TEST_CASE(a_writer_that_throws_leaves_nothing_behind) {
  const TemporaryFolder folder;
  std::ofstream(folder / "old") << "old";
  BOOST_CHECK_THROW(
      detail::replace_file({detail::FileKind::text, folder / "old", "test"},
                           [](detail::OutputFile&) { throw rw::io::FileError("no"); }),
      rw::io::FileError);
  BOOST_TEST(content_of(folder / "old") == "old");
  BOOST_TEST(folder.files().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
