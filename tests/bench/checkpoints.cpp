// checkpoint_bench [--check] [--rounds N] FOLDER MEBIBYTES...: times io::save against writing the
// same bytes and flushing them to disk, io::load against reading them into new memory, and
// io::list. Also measures how much memory each takes on top of the state. The file is in FOLDER.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rewind/io/checkpoint.hpp>

namespace {

constexpr std::int64_t mebibyte = 1 << 20;

/// A promised figure, and what was measured.
struct Figure {
  std::string what;
  double measured;
  double most;
};

/// A number of KiB in /proc/self/status.
double status_bytes(const std::string& key) {
  std::ifstream file("/proc/self/status");
  std::string word;
  while (file >> word) {
    if (word == key + ":") {
      double kibibytes = 0;
      file >> kibibytes;
      return kibibytes * 1024;
    }
  }
  return 0;
}

struct Cost {
  double seconds;
  double bytes;  // of memory at its peak, beyond what was in use before
};

Cost measure(const std::function<void()>& work) {
  rw::trim_memory();
  std::ofstream("/proc/self/clear_refs") << "5";  // resets the peak
  const double before = status_bytes("VmRSS");
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  return {time.count(), status_bytes("VmHWM") - before};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void require(bool condition, const char* what) {
  if (!condition) {
    throw std::runtime_error(fmt::format("checkpoint_bench: cannot {}", what));
  }
}

void write_plainly(const std::string& path, const rw::StateList& state) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  require(file >= 0, "open the file");
  for (const rw::StateEntry& entry : state) {
    const auto* data = reinterpret_cast<const char*>(entry.tensor.data<float>());
    auto left = static_cast<std::size_t>(entry.tensor.elements()) * sizeof(float);
    while (left > 0) {
      const ssize_t count = ::write(file, data, left);
      require(count > 0, "write the file");
      data += count;
      left -= static_cast<std::size_t>(count);
    }
  }
  require(::fsync(file) == 0 && ::close(file) == 0, "flush the file");
}

void read_plainly(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(file >= 0, "open the file");
  const std::size_t bytes = std::filesystem::file_size(path);
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "get the memory");
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t count = ::read(file, static_cast<char*>(memory) + done, bytes - done);
    require(count > 0, "read the file");
    done += static_cast<std::size_t>(count);
  }
  ::munmap(memory, bytes);
  ::close(file);
}

std::vector<Figure> measure_size(const std::string& folder, std::int64_t mebibytes, int rounds) {
  const std::string path = folder + "/checkpoint_bench.h5";
  const std::string plain = folder + "/checkpoint_bench.bytes";
  rw::StateList state;
  for (std::int64_t i = 0; i < 20; ++i) {
    state.push_back({fmt::format("model/layer/{}/weight", i),
                     rw::full({mebibytes, mebibyte / 20 / 4}, static_cast<double>(i))});
    state.push_back({fmt::format("model/layer/{}/bias", i), rw::ones({mebibytes})});
  }
  std::vector<double> write, save, read, load, list, save_memory, load_memory;
  for (int round = 0; round < rounds; ++round) {
    // Both files must be new, because freeing an old one takes time too.
    std::filesystem::remove(plain);
    std::filesystem::remove(path);
    write.push_back(measure([&] { write_plainly(plain, state); }).seconds);
    const Cost saving = measure([&] { rw::io::save(path, state); });
    save.push_back(saving.seconds);
    save_memory.push_back(saving.bytes);
    read.push_back(measure([&] { read_plainly(path); }).seconds);
    const Cost loading = measure([&] { rw::io::load(path, state); });
    load.push_back(loading.seconds);
    load_memory.push_back(loading.bytes);
    list.push_back(measure([&] { rw::io::list(path); }).seconds);
  }
  const double bytes = static_cast<double>(std::filesystem::file_size(path));
  std::filesystem::remove(path);
  std::filesystem::remove(plain);
  fmt::print(
      "{:>5} MiB  write {:.3f} s  save {:.3f} s  read {:.3f} s  load {:.3f} s  list {:.2f} ms\n",
      mebibytes, median(write), median(save), median(read), median(load), median(list) * 1e3);
  const auto name = [&](const char* what) { return fmt::format("{} MiB, {}", mebibytes, what); };
  return {{name("save against write and flush"), median(save) / median(write), 1.5},
          {name("memory of save, times the file"), median(save_memory) / bytes, 1.1},
          {name("load against read"), median(load) / median(read), 1.5},
          {name("memory of load, times the file"), median(load_memory) / bytes, 1.1},
          {name("list, ms"), median(list) * 1e3, 5}};
}

}  // namespace

int main(int argc, char** argv) {
  bool check = false;
  int rounds = 5;
  std::string folder;
  std::vector<std::int64_t> sizes;
  CLI::App app("Times checkpoints against plain files of the same bytes");
  app.add_flag("--check", check, "Fail where a promised figure is missed");
  app.add_option("--rounds", rounds, "Number of rounds, of which the median is taken")
      ->capture_default_str();
  app.add_option("folder", folder, "Where the files are written")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("mebibytes", sizes, "Sizes of the state")->required();
  CLI11_PARSE(app, argc, argv);

  bool good = true;
  for (const std::int64_t size : sizes) {
    for (const Figure& figure : measure_size(folder, size, rounds)) {
      const bool holds = figure.measured <= figure.most;
      good = good && holds;
      fmt::print("  {:<45} {:6.2f}  at most {:.1f}{}\n", figure.what, figure.measured, figure.most,
                 holds ? "" : "  MISSED");
    }
  }
  return check && !good ? 1 : 0;
}
