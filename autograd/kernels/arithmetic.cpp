#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.h>
#include <xsimd/xsimd.hpp>

#include <rewind/autograd/kernels/arithmetic.hpp>
#include <rewind/autograd/kernels/threads.hpp>

namespace rw::kernels {
namespace {

/// The instruction set that oneDNN's products of float32 use, with a space in front.
const char* instruction_set() {
#if defined(__x86_64__)
  const auto isa = static_cast<unsigned>(dnnl_get_effective_cpu_isa());
  const auto has = [isa](unsigned set) { return (isa & set) == set; };
  if (has(dnnl_cpu_isa_avx512_core)) return " avx512";
  if (has(dnnl_cpu_isa_avx2)) return " avx2";
  if (has(dnnl_cpu_isa_avx)) return " avx";
  if (has(dnnl_cpu_isa_sse41)) return " sse4.1";
#endif
  return "";
}

}  // namespace

std::string arithmetic() {
  const dnnl_version_t& version = *dnnl_version();
  return fmt::format("onednn {}.{}.{}{}, compiled for {}, {} thread{}", version.major,
                     version.minor, version.patch, instruction_set(), xsimd::default_arch::name(),
                     threads(), threads() == 1 ? "" : "s");
}

}  // namespace rw::kernels
