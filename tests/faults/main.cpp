// Checkpoints under faults: each case is tried many times, and counts what went wrong. Fails if
// anything did, or if a case was tried less often than required.

#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "cases.hpp"
#include "runs.hpp"

namespace {

struct Case {
  std::string name;
  std::int64_t least;  // minimum number of tries
  std::function<faults::Count()> run;
  /// libhdf5 may crash when it gets no memory, or stop working in this process
  /// (docs/checkpoints.md). The file must survive even that.
  bool excuses_libhdf5 = false;
};

std::vector<Case> cases(bool full) {
  const int many = full ? 3 : 1;
  const bool is_root = ::geteuid() == 0;
  return {
      {"kill -9 at random moments, small", 300L * many,
       [=] { return faults::kills_at_random_moments(300 * many, 300); }},
      {"kill -9 at random moments, 48 MB", full ? 60 : 12,
       [=] { return faults::kills_at_random_moments(full ? 60 : 12, 12'000'000); }},
      {"kill -9 at each call of a save", 10, faults::kills_at_each_call},
      {"failing calls of a save", 70, faults::failing_calls},
      {"short writes of a save", 4, faults::short_writes},
      {"file size limits, SIGXFSZ ignored", 200, [] { return faults::limited_file_sizes(true); }},
      {"file size limits, SIGXFSZ as it is", 200, [] { return faults::limited_file_sizes(false); }},
      {"full disks", is_root ? 64 : 0, faults::full_disks},
      {"two savers and a reader", 100, [=] { return faults::two_savers_and_a_reader(300 * many); }},
      {"forks while saving", 100, [=] { return faults::forks_while_saving(100 * many); }},
      {"runs killed and resumed, each end compared", 240,
       [=] { return faults::killed_runs(40 * many, 4); }},
      {"the same without their generators differ", 30, [] { return faults::forgetful_runs(5); }},
      {"failing reads", 20, faults::failing_reads},
      {"an allocation of a load fails", 20,
       [] { return faults::failing_allocations_of_loads(false); }},
      {"all further allocations of a load fail", 20,
       [] { return faults::failing_allocations_of_loads(true); }},
      {"an allocation of a save fails", 100,
       [] { return faults::failing_allocations_of_saves(false); }, true},
      {"all further allocations of a save fail", 100,
       [] { return faults::failing_allocations_of_saves(true); }, true},
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "--train") {
    return faults::train(std::atoi(argv[2]), argv[3]);
  }
  bool full = false;
  std::string_view only;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--full") {
      full = true;
    } else {
      only = argv[i];
    }
  }
  fmt::print("{:<44}{:>8}{:>7}{:>9}{:>7}{:>7}{:>7}\n", "", "tries", "lost", "crashed", "hung",
             "stuck", "left");
  bool good = true;
  for (const Case& each : cases(full)) {
    if (each.name.find(only) == std::string::npos) {
      continue;
    }
    faults::Count count = each.run();
    const bool enough = count.tries >= each.least;
    fmt::print("{:<44}{:>8}{:>7}{:>9}{:>7}{:>7}{:>7}{}\n", each.name, count.tries, count.lost,
               count.crashes, count.hangs, count.stuck, count.left,
               enough ? "" : fmt::format("   expected at least {} tries", each.least));
    std::fflush(stdout);
    if (each.excuses_libhdf5) {
      count.crashes = 0;
      count.stuck = 0;
    }
    good = good && enough && count.clean();
  }
  return good ? 0 : 1;
}
