// Foreign HDF5 files, such as those that Rewind wrote before its checkpoints had an index: libhdf5
// reads them in a child process, which may crash.

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/autograd/tensor/sanitized.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/child_process.hpp>

#include "support/checkpoint_fixture.hpp"
#include "support/golden_checkpoint.hpp"

namespace {

using namespace rw::testing::checkpoints;
namespace golden = rw::testing::golden;
using rw::io::detail::ChildLimits;
using rw::io::detail::ChildProcess;

const std::string old_file = REWIND_TEST_DATA "/checkpoint_before_index.h5";

std::string ending(const std::function<void()>& body,
                   const ChildLimits& limits = {std::uint64_t{64} << 20, 1 << 20,
                                                std::chrono::seconds(1)}) {
  return ChildProcess("x.h5", limits, body).wait();
}

std::size_t open_files() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_from_before_the_index_load_for_ever) {
  const StateList state = zeros_like(golden::state());
  BOOST_TEST(io::load(old_file, state).complete());
  BOOST_CHECK(bytes_of(state) == bytes_of(golden::state()));
  BOOST_CHECK(io::read_attributes(old_file) == golden::attributes());
  const std::vector<io::EntryInfo> entries = io::list(old_file);
  BOOST_REQUIRE(entries.size() == state.size());
  BOOST_TEST(entries[0].path == "model/cell/b");
  BOOST_CHECK(entries[2].shape == (Shape{2, 1, 2}));
}

BOOST_AUTO_TEST_CASE(damage_to_a_foreign_file_is_an_error_or_changes_nothing) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  const std::string good = content_of(old_file);
  const std::string values = bytes_of(golden::state());
  const StateList target = zeros_like(golden::state());
  const std::string untouched = bytes_of(target);
  const auto is_refused = [&](const std::string& damaged) {
    write(path, damaged);
    try {
      io::load(path, target);
    } catch (const rw::CheckpointError&) {
      BOOST_REQUIRE(bytes_of(target) == untouched);
      return true;
    }
    BOOST_REQUIRE(bytes_of(target) == values);
    for (const rw::StateEntry& entry : target) {
      rw::dispatch(entry.tensor.dtype(), [&](auto type) {
        Tensor tensor = entry.tensor;
        std::fill_n(tensor.mutable_data<decltype(type)>(), tensor.elements(), decltype(type){});
      });
    }
    return false;
  };
  BOOST_TEST(!is_refused(good));
  BOOST_TEST(is_refused(good + '\0'));
  for (std::size_t i = 0; i < 10; ++i) {
    BOOST_TEST(is_refused(good.substr(0, good.size() * i / 10)));
  }
  std::mt19937 engine(1);
  int refused = 0;
  constexpr int flips = 80;
  for (int i = 0; i < flips; ++i) {
    std::string damaged = good;
    const std::size_t byte = engine() % good.size();
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << (engine() % 8)));
    refused += is_refused(damaged) ? 1 : 0;
  }
  // Some flips hit unused bytes.
  BOOST_TEST(refused > flips / 3);
}

// Without checksums, HDF5 notices little damage, and some of it makes it crash.
BOOST_AUTO_TEST_CASE(mutants_of_a_file_without_checksums_do_no_harm) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  const std::string good = content_of(REWIND_TEST_DATA "/checkpoint_by_h5py.h5");
  const StateList target = {{"x", rw::zeros({4, 5})}};
  io::load(REWIND_TEST_DATA "/checkpoint_by_h5py.h5", target);
  BOOST_TEST(target[0].tensor.to_vector<float>()[19] == 19.0F);
  std::mt19937 engine(5);
  const char* const wanted = std::getenv("REWIND_FOREIGN_MUTANTS");
  const int mutants = wanted == nullptr ? 60 : std::atoi(wanted);
  int loaded = 0, refused = 0, survived = 0;
  for (int i = 0; i < mutants; ++i) {
    std::string bytes = good;
    for (std::size_t changes = 1 + engine() % 4; changes > 0; --changes) {
      // Random values, and values that make sizes and addresses overflow.
      const std::size_t at = engine() % bytes.size();
      bytes[at] = engine() % 3 == 0 ? '\xff' : static_cast<char>(engine());
    }
    write(path, bytes);
    try {
      io::load(path, target);
      ++loaded;
    } catch (const rw::CheckpointError& error) {
      ++refused;
      survived += contains(error.what(), "the process in which") ? 1 : 0;
    }
  }
  BOOST_TEST(loaded + refused == mutants);
  BOOST_TEST_MESSAGE(
      fmt::format("{} mutants: {} loaded, {} refused, of these {} after the child "
                  "had crashed or taken too long",
                  mutants, loaded, refused, survived));
}

// Made by h5py's write_direct_chunk: libhdf5 copies as many bytes as the chunk declares, including
// the chunk's neighbours in memory.
BOOST_AUTO_TEST_CASE(a_chunk_that_stores_less_than_it_declares_is_refused) {
  BOOST_TEST(contains(
      message_of<io::CheckpointRefused>([] {
        io::load(REWIND_TEST_DATA "/checkpoint_short_chunk.h5", {{"x", rw::zeros({4, 5})}});
      }),
      "declares chunks larger than its shape"));
  BOOST_TEST(contains(message_of<io::CheckpointRefused>([] {
                        io::load(REWIND_TEST_DATA "/checkpoint_short_chunk_beside_a_long_one.h5",
                                 {{"x", rw::zeros({8, 5})}});
                      }),
                      "has a chunk of another size than it declares"));
}

BOOST_AUTO_TEST_CASE(hostile_files_are_refused) {
  const Folder folder;
  const std::string make =
      fmt::format("'{}' '{}' 2> '{}'", REWIND_TEST_DATA "/../hostile_checkpoints.py",
                  folder.path.string(), folder / "errors");
  const int status = std::system(make.c_str());
  // 127: the shell did not find the program that runs it.
  if (WIFEXITED(status) && (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127)) {
    BOOST_TEST_MESSAGE("python3 or h5py is not installed: skipped");
    return;
  }
  BOOST_REQUIRE_MESSAGE(status == 0, content_of(folder / "errors"));
  const StateList state = {{"x", rw::zeros({4, 5})}};
  int hostile = 0;
  for (const std::string& name : folder.files()) {
    if (!name.ends_with(".h5")) {
      continue;
    }
    const std::string path = folder / name.c_str();
    if (name.starts_with("good")) {
      io::load(path, state, {.allow_unexpected = true});
      BOOST_TEST(state[0].tensor.to_vector<float>()[19] == 19.0F);
      continue;
    }
    ++hostile;
    std::string why = "it was loaded";
    try {
      io::load(path, state, {.allow_unexpected = true});
    } catch (const io::CheckpointRefused& error) {
      why = error.what();
    }
    BOOST_TEST(contains(why, "is refused"), name << ": " << why);
    BOOST_TEST(!contains(why, "the process in which"), name << ": " << why);
  }
  BOOST_TEST(hostile >= 130);
}

BOOST_AUTO_TEST_CASE(whatever_happens_to_the_child_is_told) {
  BOOST_TEST(ending([] {}).empty());
  BOOST_TEST(ending([] { throw std::runtime_error("no"); }) == "failed");
  BOOST_TEST(ending([] { ::raise(SIGSEGV); }) == "was ended by signal 11 (Segmentation fault)");
  BOOST_TEST(ending([] { std::abort(); }) == "was ended by signal 6 (Aborted)");
  BOOST_TEST(ending([] { ::raise(SIGKILL); }) == "took too long or was killed");
  const std::string endless = ending([] {
    for (std::atomic<int> count = 0;; ++count) {
    }
  });
  BOOST_TEST(contains(endless, "took too long"), endless);
}

// Sanitizers reserve more memory than any limit allows.
BOOST_AUTO_TEST_CASE(the_child_opens_no_file_and_gets_no_more_memory_than_allowed,
                     *boost::unit_test::enable_if<!rw::detail::is_sanitized>()) {
  BOOST_TEST(ending([] {
               if (::open("/", O_RDONLY) >= 0) {
                 throw std::runtime_error("a file was opened");
               }
             }).empty());
  const auto take = [](std::size_t bytes) {
    return ending([bytes] {
      const std::vector<char> taken(bytes, 'x');
      [[maybe_unused]] const char* const volatile seen = taken.data();  // or it is optimised away
    });
  };
  BOOST_TEST(take(std::size_t{16} << 20).empty());
  BOOST_TEST(take(std::size_t{256} << 20) == "failed");
}

BOOST_AUTO_TEST_CASE(a_program_that_collects_children_by_itself_loads_too) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  const StateList state = zeros_like(golden::state());
  io::load(old_file, state);
  const std::string crashed = ending([] { ::raise(SIGSEGV); });
  std::signal(SIGCHLD, before);
  BOOST_CHECK(bytes_of(state) == bytes_of(golden::state()));
  BOOST_TEST(crashed.empty());  // the outcome is unknown
}

// The allocators of sanitizers may stay locked in a process that is forked while another thread
// allocates.
BOOST_AUTO_TEST_CASE(threads_save_while_foreign_files_are_read,
                     *boost::unit_test::enable_if<!rw::detail::is_sanitized>()) {
  const Folder folder;
  int loaded = 0;
  std::jthread saver([&] {
    for (int i = 0; i < 20; ++i) {
      io::save(folder / "x.h5", golden::state());
    }
  });
  for (int i = 0; i < 20; ++i) {
    const StateList state = zeros_like(golden::state());
    io::load(old_file, state);
    loaded += bytes_of(state) == bytes_of(golden::state()) ? 1 : 0;
  }
  saver.join();
  BOOST_TEST(loaded == 20);
}

BOOST_AUTO_TEST_CASE(no_file_stays_open) {
  const std::size_t before = open_files();
  const StateList state = zeros_like(golden::state());
  io::load(old_file, state);
  io::load(REWIND_TEST_DATA "/checkpoint_version_1.h5", state);
  BOOST_CHECK_THROW(io::load(REWIND_TEST_DATA "/checkpoint_short_chunk.h5", state),
                    io::CheckpointRefused);
  BOOST_TEST(open_files() == before);
}
