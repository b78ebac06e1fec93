// Loads plug-ins, trains in them on the first thread and on others, and unloads them.
#include <cstdio>
#include <thread>

#include <dlfcn.h>

using Train = double();

int main() {
  int failures = 0;
  for (const char* const file : {PLUGIN, OTHER_PLUGIN}) {
    void* const plugin = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      return 1;
    }
    auto* const train = reinterpret_cast<Train*>(dlsym(plugin, "train"));
    const double here = train();
    double there = 0;
    std::thread([&] { there = train(); }).join();
    std::printf("%s: the loss fell to 1 / %g here, 1 / %g on a thread\n", file, here, there);
    failures += here > 1 && here == there ? 0 : 1;
    failures += dlclose(plugin) == 0 ? 0 : 1;
  }
  return failures;
}
