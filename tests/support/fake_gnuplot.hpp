#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "temporary_folder.hpp"

namespace rw::testing {

/// As long as it exists, `gnuplot` is a shell script; other programs are found as before.
class FakeGnuplot {
 public:
  explicit FakeGnuplot(const std::string& commands) {
    const std::string program = folder_ / "gnuplot";
    std::ofstream(program) << "#!/bin/sh\n" << commands << '\n';
    namespace fs = std::filesystem;
    fs::permissions(program, fs::perms::owner_all);
    ::setenv("PATH", (folder_.path.string() + ":" + path_).c_str(), 1);
  }
  FakeGnuplot(const FakeGnuplot&) = delete;
  FakeGnuplot& operator=(const FakeGnuplot&) = delete;
  ~FakeGnuplot() { ::setenv("PATH", path_.c_str(), 1); }

  /// Commands that write a PNG file, although without a picture.
  static std::string draws() {
    return "cat > /dev/null; printf '\\211PNG\\r\\n\\032\\n a picture IEND\\256B`\\202'";
  }
  /// The same commands, which also copy the script that they read to a file.
  static std::string draws_and_keeps(const std::string& file) {
    return "tee '" + file + "' | { " + draws() + "; }";
  }

 private:
  TemporaryFolder folder_;
  std::string path_ = std::getenv("PATH");
};

}  // namespace rw::testing
