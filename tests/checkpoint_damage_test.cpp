// Damaged and hostile checkpoints: whatever happened to a file, it is refused and changes nothing.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/autograd/tensor/sanitized.hpp>
#include <rewind/io/checkpoint.hpp>
#include <rewind/io/detail/digest.hpp>

#include "support/checkpoint_fixture.hpp"
#include "support/golden_checkpoint.hpp"

namespace {

using namespace rw::testing::checkpoints;
namespace golden = rw::testing::golden;

const std::string golden_file = REWIND_TEST_DATA "/checkpoint_version_1.h5";

constexpr bool sanitized = rw::detail::is_sanitized;

/// A file that is damaged in place, and the state that it should be loaded into.
class Victim {
 public:
  explicit Victim(std::string good, const StateList& state)
      : path_(folder_ / "x.h5"), good_(std::move(good)), target_(zeros_like(state)) {
    write(path_, good_);
    file_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    BOOST_REQUIRE(file_ >= 0);
    untouched_ = bytes_of(target_);
    io::load(path_, zeros_like(state));
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  ~Victim() { ::close(file_); }

  const std::string& path() const { return path_; }
  const std::string& good() const { return good_; }
  /// Writes `bytes` at `offset`, loads, and repairs the file.
  bool is_refused_with(std::size_t offset, const std::string& bytes) {
    put(offset, bytes);
    const bool refused = is_refused();
    put(offset, good_.substr(offset, bytes.size()));
    return refused;
  }
  bool is_refused_with_size(std::size_t size) {
    BOOST_REQUIRE(::ftruncate(file_, static_cast<off_t>(size)) == 0);
    const bool refused = is_refused();
    BOOST_REQUIRE(::ftruncate(file_, static_cast<off_t>(good_.size())) == 0);
    if (size < good_.size()) {
      put(size, good_.substr(size));
    }
    return refused;
  }
  bool is_refused() {
    try {
      io::load(path_, target_);
    } catch (const rw::CheckpointError& error) {
      last_ = error.what();
      return bytes_of(target_) == untouched_;
    }
    return false;
  }
  const std::string& last_message() const { return last_; }

 private:
  void put(std::size_t offset, const std::string& bytes) {
    BOOST_REQUIRE(::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                  static_cast<ssize_t>(bytes.size()));
  }

  Folder folder_;
  std::string path_;
  std::string good_;
  StateList target_;
  std::string untouched_;
  std::string last_;
  int file_ = -1;
};

/// Bytes that do not repeat, except that many words are zeros and ones, as in weights.
StateList weights() {
  std::mt19937 engine(7);
  StateList state = {{"model/weight", rw::zeros({60, 64})},
                     {"model/zeros", rw::zeros({40, 64})},
                     {"optimizer/step", rw::zeros({1000}, rw::DType::int64)}};
  for (const rw::StateEntry& entry : {state[0], state[2]}) {
    rw::dispatch(entry.tensor.dtype(), [&](auto type) {
      using T = decltype(type);
      Tensor tensor = entry.tensor;
      T* to = tensor.mutable_data<T>();
      for (std::int64_t i = 0; i < tensor.elements(); ++i) {
        to[i] = static_cast<T>(engine() % 100) - (i % 3 == 0 ? T{50} : T{0});
      }
    });
  }
  return state;
}

std::string saved(const StateList& state) {
  const Folder folder;
  io::save(folder / "x.h5", state, {{"cell", "lstm"}});
  return content_of(folder / "x.h5");
}

int tries(const char* variable, int by_default) {
  const char* const wanted = std::getenv(variable);
  return wanted == nullptr ? by_default : std::atoi(wanted);
}

/// Limits this process to the memory it has plus `more` bytes; not under sanitizers, which reserve
/// more.
class MemoryLimit {
 public:
  explicit MemoryLimit(rlim_t more) {
    ::getrlimit(RLIMIT_AS, &before_);
    if (!sanitized) {
      std::ifstream file("/proc/self/statm");
      rlim_t pages = 0;
      file >> pages;
      const rlimit lower = {pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + more,
                            before_.rlim_max};
      ::setrlimit(RLIMIT_AS, &lower);
    }
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;
  ~MemoryLimit() { ::setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_ = {};
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_flipped_bit_of_the_golden_file_is_refused) {
  Victim file(content_of(golden_file), golden::state());
  int accepted = 0;
  for (std::size_t byte = 0; byte < file.good().size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      const char flipped = static_cast<char>(file.good()[byte] ^ (1 << bit));
      accepted += file.is_refused_with(byte, std::string(1, flipped)) ? 0 : 1;
    }
  }
  BOOST_TEST(accepted == 0);
  BOOST_TEST(!file.is_refused());
}

BOOST_AUTO_TEST_CASE(every_other_size_of_the_golden_file_is_refused) {
  Victim file(content_of(golden_file), golden::state());
  int accepted = 0;
  for (std::size_t size = 0; size < file.good().size() + 600; ++size) {
    if (size != file.good().size()) {
      accepted += file.is_refused_with_size(size) ? 0 : 1;
    }
  }
  BOOST_TEST(accepted == 0);
  BOOST_TEST(file.is_refused_with_size(std::size_t{1} << 20));
  BOOST_TEST(contains(file.last_message(), "it has 1048576 bytes, expected "));
}

BOOST_AUTO_TEST_CASE(lost_sectors_words_and_blocks_are_refused) {
  Victim file(saved(weights()), weights());
  const std::string& good = file.good();
  int accepted = 0;
  int changed = 0;
  const auto damage = [&](std::size_t offset, const std::string& bytes) {
    if (good.compare(offset, bytes.size(), bytes) != 0) {
      ++changed;
      accepted += file.is_refused_with(offset, bytes) ? 0 : 1;
    }
  };
  for (const std::size_t sector : {std::size_t{512}, std::size_t{4096}}) {
    for (std::size_t at = 0; at < good.size(); at += sector) {
      const std::size_t size = std::min(sector, good.size() - at);
      damage(at, std::string(size, '\0'));
      damage(at, std::string(size, '\xff'));
    }
  }
  for (std::size_t at = 0; at + 2 <= good.size(); at += 2) {
    const std::string word = good.substr(at, 2);
    if (word == std::string(2, '\0')) {
      damage(at, std::string(2, '\xff'));
    } else if (word == std::string(2, '\xff')) {
      damage(at, std::string(2, '\0'));
    }
  }
  std::mt19937 engine(1);
  for (int i = tries("REWIND_DAMAGED_BLOCKS", 2000); i > 0; --i) {
    const std::size_t size = 1 + engine() % 512;
    const std::size_t at = engine() % (good.size() - size);
    const std::size_t from = engine() % (good.size() - size);
    std::string noise(size, '\0');
    std::ranges::generate(noise, [&] { return static_cast<char>(engine()); });
    damage(at, i % 2 == 0 ? noise : good.substr(from, size));
  }
  BOOST_TEST(accepted == 0);
  BOOST_TEST(changed > 10000);
}

BOOST_AUTO_TEST_CASE(damage_says_which_tensor) {
  Victim file(saved(weights()), weights());
  const std::string values = bytes_of(weights()[0].tensor);
  const std::size_t at = file.good().find(values);
  BOOST_REQUIRE(at != std::string::npos);
  BOOST_TEST(file.is_refused_with(at + 77, "?"));
  BOOST_TEST(contains(file.last_message(), "the values of 'model/weight' are damaged"));
  BOOST_TEST(file.is_refused_with(300, "?"));
  BOOST_TEST(contains(file.last_message(), "its index does not match its digest"));
  BOOST_TEST(file.is_refused_with(file.good().find("\x89HDF") + 40, "?"));
  BOOST_TEST(contains(file.last_message(), "the part that HDF5 tools read"));
  // What is not requested is not read.
  write(file.path(), file.good().substr(0, at) + "?" + file.good().substr(at + 1));
  const StateList other = {{"optimizer/step", rw::zeros({1000}, rw::DType::int64)}};
  io::load(file.path(), other, {.allow_unexpected = true});
  BOOST_CHECK(bytes_of(other[0].tensor) == bytes_of(weights()[2].tensor));
}

BOOST_AUTO_TEST_CASE(a_sparse_file_is_refused_by_its_header) {
  const Folder folder;
  const StateList state = golden::state();
  for (const char* name : {"checkpoint_version_1.h5", "checkpoint_before_index.h5"}) {
    const std::string path = folder / name;
    write(path, content_of(std::string(REWIND_TEST_DATA "/") + name));
    fs::resize_file(path, std::uintmax_t{20} << 30);
    const auto start = std::chrono::steady_clock::now();
    const MemoryLimit limit(64 << 20);
    BOOST_CHECK_THROW(io::load(path, state), io::CheckpointCorrupt);
    BOOST_CHECK_THROW(io::list(path), io::CheckpointCorrupt);
    BOOST_CHECK_THROW(io::read_attributes(path), io::CheckpointCorrupt);
    BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(1)));
  }
}

// An attacker computes digests too. What is still sound is then loaded; the rest is refused.
BOOST_AUTO_TEST_CASE(mutants_of_the_index_with_fitting_digests_do_no_harm) {
  const Folder folder;
  const std::string path = folder / "x.h5";
  const std::string good = content_of(golden_file);
  std::uint32_t user_block_bytes = 0;
  std::memcpy(&user_block_bytes, good.data() + 12, sizeof(user_block_bytes));
  const StateList target = zeros_like(golden::state());
  const std::size_t used = good.find_last_not_of('\0', user_block_bytes - 1) + 1;
  std::mt19937 engine(3);
  const MemoryLimit limit(64 << 20);
  int refused = 0;
  int out_of_memory = 0;
  const int mutants = tries("REWIND_INDEX_MUTANTS", 4000);
  for (int i = 0; i < mutants; ++i) {
    std::string bytes = good;
    for (std::size_t changes = 1 + engine() % 3; changes > 0; --changes) {
      const std::size_t at = 8 + engine() % (used - 8);
      const std::size_t count = std::min<std::size_t>(1U << (engine() % 4), used - at);
      switch (engine() % 4) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << (engine() % 8)));
          break;
        case 1:
          bytes.replace(at, count, count, engine() % 2 == 0 ? '\0' : '\xff');
          break;
        case 2:
          bytes[at] = static_cast<char>(bytes[at] + (engine() % 2 == 0 ? 1 : -1));
          break;
        default:
          bytes.replace(at, count, good, 8 + engine() % (used - 8 - count), count);
      }
    }
    std::fill_n(bytes.begin() + 32, 16, '\0');
    const rw::io::detail::Digest digest =
        rw::io::detail::digest_of(std::as_bytes(std::span(bytes)).first(user_block_bytes));
    std::memcpy(bytes.data() + 32, digest.data(), digest.size());
    write(path, bytes);
    try {
      io::list(path);
      io::read_attributes(path);
      io::load(path, target);
    } catch (const rw::CheckpointError& error) {
      ++refused;
      out_of_memory += contains(error.what(), "not enough memory") ? 1 : 0;
    }
  }
  BOOST_TEST(refused > mutants / 2);
  BOOST_TEST(out_of_memory == 0);
}

BOOST_AUTO_TEST_CASE(too_little_memory_is_not_called_damage) {
  if (sanitized) {
    BOOST_TEST_MESSAGE("sanitizers allow no limit of memory: skipped");
    return;
  }
  const Folder folder;
  const std::string path = folder / "x.h5";
  const StateList state = {{"a", numbers({1, 1 << 20})}, {"b", numbers({3, 1 << 20})}};
  io::save(path, state);
  const std::string before = bytes_of(state);
  rw::trim_memory();
  {
    const MemoryLimit limit(8 << 20);
    const std::string why = message_of<io::CheckpointReadError>([&] { io::load(path, state); });
    BOOST_TEST(contains(why, "not enough memory: needs 16 MiB"), why);
  }
  BOOST_CHECK(bytes_of(state) == before);
  io::load(path, state);
}

BOOST_AUTO_TEST_CASE(a_newer_format_is_refused_by_its_version) {
  Victim file(content_of(golden_file), golden::state());
  BOOST_TEST(file.is_refused_with(8, "\x02"));
  BOOST_TEST(contains(file.last_message(), "it has format version 2, expected 1"));
}
