#pragma once
// Differences between versions of oneDNN. The only file that includes dnnl.hpp.

#include <cstdint>
#include <limits>

#include <dnnl.hpp>
#include <dnnl_debug.h>

#pragma GCC visibility push(hidden)

namespace rw::detail::onednn {

// Note [Signals during products]
// Up to 3.11.1, the kernels behind dnnl_sgemm and behind the matmul primitives called "gemm:..."
// set the stack pointer to a buffer on the heap for long sums. If a signal arrives then, and its
// handler has no separate stack (SA_ONSTACK), the operating system writes the handler's frame below
// that buffer and overwrites the heap (oneDNN issue 4845, fixed by its pull request 4855). So
// products are computed by code that does not move the stack pointer: `multiply_part` in
// products.cpp chooses it, and PrimitiveCache refuses the affected primitives.

inline bool is_at_least(const dnnl_version_t& version, int major, int minor, int patch) {
  if (version.major != major) return version.major > major;
  if (version.minor != minor) return version.minor > minor;
  return version.patch >= patch;
}

/// Whether oneDNN uses AVX-512 on this machine.
inline bool uses_avx512() {
  static const bool uses = [] {
    const int isa = static_cast<int>(dnnl_get_effective_cpu_isa());
    return (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
  }();
  return uses;
}

/// The longest sum for which sgemm's kernels keep their buffer on the stack.
inline std::int64_t longest_safe_sum() {
  static const std::int64_t longest = [] {
#if defined(__x86_64__)
    if (!is_at_least(*dnnl_version(), 3, 11, 2)) return std::int64_t{uses_avx512() ? 84 : 252};
#endif
    return std::numeric_limits<std::int64_t>::max();
  }();
  return longest;
}

inline dnnl::matmul::primitive_desc describe_matmul(const dnnl::memory::desc& a,
                                                    const dnnl::memory::desc& b,
                                                    const dnnl::memory::desc& c,
                                                    const dnnl::primitive_attr& attributes,
                                                    const dnnl::engine& engine) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, c, attributes};
#else
  return {dnnl::matmul::desc(a, b, c), attributes, engine};
#endif
}

}  // namespace rw::detail::onednn

#pragma GCC visibility pop
