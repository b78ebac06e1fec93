#include "intercepted_calls.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace faults {
namespace {

struct Plan {
  std::atomic<bool> armed{false};
  Call call{};
  std::int64_t number = 0;
  Action action{};
  int error = 0;
  bool repeat = false;
  std::atomic<std::int64_t> seen{0};
};
Plan plan;

/// Whether this call is to misbehave.
bool strikes(Call call) {
  if (!plan.armed.load(std::memory_order_acquire) || plan.call != call) {
    return false;
  }
  const std::int64_t number = ++plan.seen;
  if (number < plan.number || (number > plan.number && !plan.repeat)) {
    return false;
  }
  if (plan.action == Action::kill) {
    ::kill(::getpid(), SIGKILL);
  }
  return true;
}

int failed() {
  errno = plan.action == Action::interrupt ? EINTR : plan.error;
  return -1;
}

template <class Function>
Function* real(const char* name) {
  void* const address = ::dlsym(RTLD_NEXT, name);
  Function* function = nullptr;
  std::memcpy(&function, &address, sizeof function);
  return function;
}

// Memory for dlsym's own allocations before malloc is found.
constexpr std::size_t early_bytes = 16384;
alignas(64) std::array<std::byte, early_bytes> early;
std::size_t early_used = 0;
bool is_early(const void* address) {
  const auto* byte = static_cast<const std::byte*>(address);
  return byte >= early.data() && byte < early.data() + early.size();
}
void* allocate_early(std::size_t bytes) {
  void* const result = early.data() + early_used;
  early_used += (bytes + 63) / 64 * 64;
  return early_used <= early.size() ? result : nullptr;
}

struct Allocators {
  void* (*malloc)(std::size_t) = nullptr;
  void* (*calloc)(std::size_t, std::size_t) = nullptr;
  void* (*realloc)(void*, std::size_t) = nullptr;
  void* (*aligned_alloc)(std::size_t, std::size_t) = nullptr;
  int (*posix_memalign)(void**, std::size_t, std::size_t) = nullptr;
  void (*free)(void*) = nullptr;
};
Allocators allocators;
bool is_searching = false;

bool found_allocators() {
  if (allocators.free != nullptr) {
    return true;
  }
  if (is_searching) {
    return false;
  }
  is_searching = true;
  allocators.malloc = real<void*(std::size_t)>("malloc");
  allocators.calloc = real<void*(std::size_t, std::size_t)>("calloc");
  allocators.realloc = real<void*(void*, std::size_t)>("realloc");
  allocators.aligned_alloc = real<void*(std::size_t, std::size_t)>("aligned_alloc");
  allocators.posix_memalign = real<int(void**, std::size_t, std::size_t)>("posix_memalign");
  allocators.free = real<void(void*)>("free");
  return true;
}

template <class Allocate>
void* allocated(Allocate&& allocate) {
  if (strikes(Call::allocate)) {
    errno = ENOMEM;
    return nullptr;
  }
  return allocate();
}

template <class Transfer>
ssize_t transferred(Call call, std::size_t bytes, Transfer&& transfer) {
  if (!strikes(call)) {
    return transfer(bytes);
  }
  switch (plan.action) {
    case Action::part:
      return transfer(bytes <= 2 ? bytes : bytes / 2 - 1);
    case Action::nothing:
      return 0;
    default:
      return failed();
  }
}

}  // namespace

const char* name_of(Call call) {
  constexpr std::array<const char*, calls> names = {
      "open", "write", "read", "fsync", "close", "rename", "stat", "unlink", "chmod", "allocate"};
  return names[static_cast<std::size_t>(call)];
}

void arm(Call call, std::int64_t number, Action action, int error, bool repeat) {
  plan.call = call;
  plan.number = number;
  plan.action = action;
  plan.error = error;
  plan.repeat = repeat;
  plan.seen = 0;
  plan.armed.store(true, std::memory_order_release);
}

std::int64_t disarm() {
  plan.armed = false;
  return plan.seen;
}

}  // namespace faults

using faults::Call;

extern "C" {

int open(const char* path, int flags, ...) {
  std::va_list list;
  va_start(list, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : mode_t{0};
  va_end(list);
  static auto* const function = faults::real<int(const char*, int, ...)>("open");
  return faults::strikes(Call::open) ? faults::failed() : function(path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  std::va_list list;
  va_start(list, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : mode_t{0};
  va_end(list);
  static auto* const function = faults::real<int(int, const char*, int, ...)>("openat");
  return faults::strikes(Call::open) ? faults::failed() : function(directory, path, flags, mode);
}

ssize_t write(int file, const void* data, std::size_t bytes) {
  static auto* const function = faults::real<ssize_t(int, const void*, std::size_t)>("write");
  return faults::transferred(Call::write, bytes,
                             [&](std::size_t count) { return function(file, data, count); });
}

ssize_t pwrite(int file, const void* data, std::size_t bytes, off_t offset) {
  static auto* const function =
      faults::real<ssize_t(int, const void*, std::size_t, off_t)>("pwrite");
  return faults::transferred(
      Call::write, bytes, [&](std::size_t count) { return function(file, data, count, offset); });
}

ssize_t read(int file, void* data, std::size_t bytes) {
  static auto* const function = faults::real<ssize_t(int, void*, std::size_t)>("read");
  return faults::transferred(Call::read, bytes,
                             [&](std::size_t count) { return function(file, data, count); });
}

ssize_t pread(int file, void* data, std::size_t bytes, off_t offset) {
  static auto* const function = faults::real<ssize_t(int, void*, std::size_t, off_t)>("pread");
  return faults::transferred(
      Call::read, bytes, [&](std::size_t count) { return function(file, data, count, offset); });
}

int fsync(int file) {
  static auto* const function = faults::real<int(int)>("fsync");
  return faults::strikes(Call::fsync) ? faults::failed() : function(file);
}

int close(int file) {
  static auto* const function = faults::real<int(int)>("close");
  if (faults::strikes(Call::close)) {
    function(file);
    return faults::failed();
  }
  return function(file);
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  static auto* const function = faults::real<int(int, const char*, int, const char*)>("renameat");
  return faults::strikes(Call::rename) ? faults::failed()
                                       : function(from_folder, from, to_folder, to);
}

int fstat(int file, struct stat* status) noexcept {
  static auto* const function = faults::real<int(int, struct stat*)>("fstat");
  return faults::strikes(Call::stat) ? faults::failed() : function(file, status);
}

int fstatat(int folder, const char* path, struct stat* status, int flags) noexcept {
  static auto* const function = faults::real<int(int, const char*, struct stat*, int)>("fstatat");
  return faults::strikes(Call::stat) ? faults::failed() : function(folder, path, status, flags);
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  static auto* const function = faults::real<int(int, const char*, int)>("unlinkat");
  return faults::strikes(Call::unlink) ? faults::failed() : function(folder, path, flags);
}

int fchmod(int file, mode_t mode) noexcept {
  static auto* const function = faults::real<int(int, mode_t)>("fchmod");
  return faults::strikes(Call::chmod) ? faults::failed() : function(file, mode);
}

void* malloc(std::size_t bytes) {
  if (!faults::found_allocators()) {
    return faults::allocate_early(bytes);
  }
  return faults::allocated([&] { return faults::allocators.malloc(bytes); });
}

void* calloc(std::size_t count, std::size_t bytes) {
  if (!faults::found_allocators()) {
    return faults::allocate_early(count * bytes);  // static memory is already 0
  }
  return faults::allocated([&] { return faults::allocators.calloc(count, bytes); });
}

void* realloc(void* old, std::size_t bytes) {
  if (!faults::found_allocators()) {
    return faults::allocate_early(bytes);
  }
  return faults::allocated([&] { return faults::allocators.realloc(old, bytes); });
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  faults::found_allocators();
  return faults::allocated([&] { return faults::allocators.aligned_alloc(alignment, bytes); });
}

int posix_memalign(void** result, std::size_t alignment, std::size_t bytes) {
  faults::found_allocators();
  if (faults::strikes(Call::allocate)) {
    return ENOMEM;
  }
  return faults::allocators.posix_memalign(result, alignment, bytes);
}

void free(void* address) {
  if (address != nullptr && !faults::is_early(address) && faults::found_allocators()) {
    faults::allocators.free(address);
  }
}

}  // extern "C"
