// Faults while a checkpoint is saved.

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <random>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/io/error.hpp>

#include "cases.hpp"
#include "intercepted_calls.hpp"

namespace faults {
namespace {

constexpr std::array saving_calls = {Call::open,   Call::write, Call::fsync,  Call::close,
                                     Call::rename, Call::stat,  Call::unlink, Call::chmod};

/// What must hold after a save of generation 2 over generation 1 that reported success or failure.
int check_after(const Folder& folder, bool reported_success) {
  const std::int64_t found = load(folder.file());
  if (found != 2 && (reported_success || found != 1)) {
    return lost;
  }
  save(folder.file(), 3);
  if (load(folder.file()) != 3) {
    return stuck;
  }
  return folder.temporaries() == 0 ? 0 : left;
}

/// Saves generation 2, in a child, while call `number` misbehaves. Returns whether there was such a
/// call.
bool try_call(Count& count, Call call, std::int64_t number, Action action, int error, bool repeat) {
  const Folder folder;
  save(folder.file(), 1);
  const Ending ending = in_child([&] {
    arm(call, number, action, error, repeat);
    const bool success = try_save<std::exception>(folder.file(), 2);
    if (disarm() < number) {
      return not_reached;
    }
    return check_after(folder, success);
  });
  if (ending.signal != 0) {
    const Ending after = in_child([&] { return check_after(folder, false); });
    if (action == Action::kill && ending.signal == SIGKILL) {
      count.add(after);
      return true;
    }
    if (!after.good()) {
      count.add(after);
    }
  }
  count.add(ending);
  return ending.code != not_reached;
}

}  // namespace

Count kills_at_random_moments(int tries, std::int64_t elements) {
  Count count;
  std::mt19937 random(1);
  for (int i = 0; i < tries; ++i) {
    const Folder folder;
    save(folder.file(), 1, elements);
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) {
      continue;
    }
    const pid_t child = ::fork();
    if (child == 0) {
      for (std::int64_t generation = 2;; ++generation) {
        save(folder.file(), generation, elements);
        if (::write(pipe[1], &generation, sizeof generation) < 0) {
          ::_exit(1);
        }
      }
    }
    ::close(pipe[1]);
    const unsigned longest = elements > 1'000'000 ? 400'000 : 8'000;
    std::this_thread::sleep_for(std::chrono::microseconds(random() % longest));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    std::int64_t acknowledged = 1;
    while (::read(pipe[0], &acknowledged, sizeof acknowledged) > 0) {
    }
    ::close(pipe[0]);
    count.add(in_child(
        [&] {
          const std::int64_t found = load(folder.file(), elements);
          if (found != acknowledged && found != acknowledged + 1) {
            return lost;
          }
          save(folder.file(), 1, elements);
          return folder.temporaries() == 0 ? 0 : left;
        },
        60));
  }
  return count;
}

Count kills_at_each_call() {
  Count count;
  for (const Call call : saving_calls) {
    for (std::int64_t number = 1; try_call(count, call, number, Action::kill, 0, false); ++number) {
    }
  }
  return count;
}

Count failing_calls() {
  Count count;
  for (const Call call : saving_calls) {
    for (const int error : {EIO, ENOSPC, EDQUOT, EACCES, EMFILE, EROFS}) {
      for (std::int64_t number = 1; try_call(count, call, number, Action::fail, error, false);
           ++number) {
      }
    }
    for (std::int64_t number = 1; try_call(count, call, number, Action::interrupt, 0, false);
         ++number) {
    }
  }
  return count;
}

Count short_writes() {
  Count count;
  for (std::int64_t number = 1; try_call(count, Call::write, number, Action::part, 0, false);
       ++number) {
  }
  for (std::int64_t number = 1; try_call(count, Call::write, number, Action::nothing, 0, false);
       ++number) {
  }
  try_call(count, Call::write, 1, Action::part, 0, true);
  try_call(count, Call::write, 1, Action::nothing, 0, true);
  return count;
}

Count limited_file_sizes(bool ignores_signal) {
  Count count;
  const Folder measured;
  save(measured.file(), 1, 20'000);
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(measured.file()));
  std::vector<std::int64_t> limits;
  for (std::int64_t limit = 0; limit < size; limit += 4096) {
    limits.push_back(limit);
  }
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    limits.push_back(static_cast<std::int64_t>(random()) % size);
  }
  for (const std::int64_t limit : limits) {
    const Folder folder;
    save(folder.file(), 1, 20'000);
    count.add(in_child([&] {
      ::signal(SIGXFSZ, ignores_signal ? SIG_IGN : SIG_DFL);
      const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
      const rlimit some{static_cast<rlim_t>(limit), RLIM_INFINITY};
      ::setrlimit(RLIMIT_FSIZE, &some);
      const bool success = try_save<rw::io::CheckpointWriteError>(folder.file(), 2, 20'000);
      ::setrlimit(RLIMIT_FSIZE, &none);
      if (success || load(folder.file(), 20'000) != 1) {
        return lost;
      }
      save(folder.file(), 3, 20'000);
      return load(folder.file(), 20'000) != 3 ? stuck : folder.temporaries() == 0 ? 0 : left;
    }));
  }
  return count;
}

Count full_disks() {
  Count count;
  const Folder folder;
  const std::string mounted = folder.path.string();
  if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=2m") != 0) {
    return count;  // only root may
  }
  save(folder.file(), 1, 20'000);
  for (int level = 0; level < 64; ++level) {
    count.add(in_child([&] {
      const std::string ballast = mounted + "/ballast";
      const int file = ::open(ballast.c_str(), O_CREAT | O_WRONLY, 0600);
      const std::vector<char> bytes(static_cast<std::size_t>(level) * 32768, 'x');
      const bool fits = ::write(file, bytes.data(), bytes.size()) >= 0;
      ::close(file);
      const bool success = try_save<rw::io::CheckpointWriteError>(folder.file(), 2, 20'000);
      ::unlink(ballast.c_str());
      const std::int64_t found = load(folder.file(), 20'000);
      if (!fits || (found != 2 && (success || found != 1))) {
        return lost;
      }
      save(folder.file(), 1, 20'000);
      return load(folder.file(), 20'000) != 1 ? stuck : folder.temporaries() == 0 ? 0 : left;
    }));
  }
  ::umount(mounted.c_str());
  return count;
}

Count failing_allocations_of_saves(bool from_then_on) {
  Count count;
  for (std::int64_t number = 1;
       try_call(count, Call::allocate, number, Action::fail, 0, from_then_on); ++number) {
  }
  return count;
}

Count two_savers_and_a_reader(int saves) {
  Count count;
  const Folder folder;
  save(folder.file(), 1);
  std::array<pid_t, 2> savers{};
  for (pid_t& saver : savers) {
    saver = ::fork();
    if (saver == 0) {
      for (int i = 0; i < saves; ++i) {
        save(folder.file(), ::getpid() % 1000 * 1000 + i);
      }
      ::_exit(0);
    }
  }
  int running = 2;
  while (running > 0) {
    ++count.tries;
    count.lost += load(folder.file()) < 0 ? 1 : 0;
    int status = 0;
    for (pid_t ended = ::waitpid(-1, &status, WNOHANG); ended > 0;
         ended = ::waitpid(-1, &status, WNOHANG)) {
      --running;
      count.crashes += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
    }
  }
  count.left += folder.temporaries();
  return count;
}

Count forks_while_saving(int tries) {
  Count count;
  const Folder folder;
  const Folder of_child;
  std::atomic<bool> ends = false;
  std::thread saver([&] {
    for (std::int64_t generation = 1; !ends; ++generation) {
      save(folder.file(), generation);
    }
  });
  for (int i = 0; i < tries; ++i) {
    count.add(in_child(
        [&] {
          save(of_child.file(), i + 1);
          return load(of_child.file()) == i + 1 ? 0 : lost;
        },
        10));
  }
  ends = true;
  saver.join();
  return count;
}

}  // namespace faults
