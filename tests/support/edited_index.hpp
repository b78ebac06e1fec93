#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/io/detail/checkpoint_reader.hpp>

#include "checkpoint_fixture.hpp"

#pragma GCC visibility push(hidden)

namespace rw::testing {

/// The index of a checkpoint, to be changed and written back with matching digests. Its size must
/// stay the same.
struct EditedIndex {
  explicit EditedIndex(std::string file)
      : path(std::move(file)), index(io::detail::CheckpointReader(path).index()) {}
  void write_back() const {
    const std::vector<std::byte> block = io::detail::encode(index);
    BOOST_REQUIRE(block.size() == index.user_block_bytes);
    std::string bytes = content_of(path);
    std::memcpy(bytes.data(), block.data(), block.size());
    checkpoints::write(path, bytes);
  }

  std::string path;
  io::detail::Index index;
};

}  // namespace rw::testing

#pragma GCC visibility pop
