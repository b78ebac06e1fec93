// The faults of oneDNN that the library works around: whether the installed version still has each
// of them, and whether the library's assumptions about the version are true. A fault that is gone
// is printed but does not fail the test, because older versions still need the workaround.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rewind/autograd/kernels/detail/onednn.hpp>
#include <rewind/autograd/kernels/products.hpp>
#include <rewind/autograd/kernels/threads.hpp>
#include <rewind/autograd/tensor/sanitized.hpp>

#include "support/irregular_numbers.hpp"
#include "support/signal_storm.hpp"

namespace {

using namespace rw::testing;
using dnnl::memory;
namespace onednn = rw::detail::onednn;

std::string version() {
  const dnnl_version_t& v = *dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", v.major, v.minor, v.patch);
}

/// Prints whether the installed version has the fault, and returns that.
bool report(const char* fault, bool is_there) {
  fmt::print("{}: {}: {}\n", version(), fault, is_there ? "still there" : "gone");
  return is_there;
}

/// Whether `body` is ended by a signal when it runs in a process of its own.
bool kills(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(1);
    try {
      body();
    } catch (const dnnl::error&) {  // refusing the product kills no process
    }
    ::_exit(0);
  }
  int status = 0;
  BOOST_TEST_REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status);
}

/// One matmul primitive: c = a b for matrices of the given sizes and strides.
void run_matmul(const memory::desc& a_desc, const memory::desc& b_desc, const memory::desc& c_desc,
                std::vector<float>& a, std::vector<float>& b, std::vector<float>& c) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  dnnl::matmul(onednn::describe_matmul(a_desc, b_desc, c_desc, {}, engine))
      .execute(stream, {{DNNL_ARG_SRC, memory(a_desc, engine, a.data())},
                        {DNNL_ARG_WEIGHTS, memory(b_desc, engine, b.data())},
                        {DNNL_ARG_DST, memory(c_desc, engine, c.data())}});
  stream.wait();
}

memory::desc describe(const memory::dims& sizes, const memory::dims& strides) {
  return {sizes, memory::data_type::f32, strides};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(onednn_faults)

BOOST_AUTO_TEST_CASE(empty_products) {
  std::vector<float> a(16), b(16), c(64 * 64);
  bool killed = false;
  for (const memory::dims& size : {memory::dims{0, 3, 2}, {2, 0, 2}, {2, 3, 0}, {64, 0, 64}}) {
    const memory::dim m = size[0], k = size[1], n = size[2];
    killed |= kills([&] {
      run_matmul(describe({m, k}, {std::max<memory::dim>(k, 1), 1}),
                 describe({k, n}, {std::max<memory::dim>(n, 1), 1}),
                 describe({m, n}, {std::max<memory::dim>(n, 1), 1}), a, b, c);
    });
  }
  report("empty products kill the process", killed);
  rw::kernels::multiply<float>({a.data(), 2, 0, 0}, {b.data(), 0, 2, 2}, c.data(), 2, false);
  BOOST_TEST(std::ranges::all_of(c, [](float x) { return x == 0.0f; }));
}

// Note [What oneDNN must not be given]
BOOST_AUTO_TEST_CASE(batches_with_a_transposed_left_side) {
  constexpr std::int64_t batch = 2, m = 33, n = 17, k = 2100;
  std::vector<float> a = irregular_numbers(batch * m * k), b = irregular_numbers(batch * k * n);
  std::vector<float> c(batch * m * n);
  const rw::ThreadLimit three(3);
  run_matmul(describe({batch, m, k}, {m * k, 1, m}), describe({batch, k, n}, {k * n, n, 1}),
             describe({batch, m, n}, {m * n, n, 1}), a, b, c);
  const auto error_of = [&](const std::vector<float>& result) {
    double largest = 0;
    for (std::int64_t i = 0; i < batch; ++i) {
      for (std::int64_t row = 0; row < m; ++row) {
        for (std::int64_t column = 0; column < n; ++column) {
          double sum = 0;
          for (std::int64_t p = 0; p < k; ++p) {
            sum += static_cast<double>(a[static_cast<std::size_t>((i * k + p) * m + row)]) *
                   static_cast<double>(b[static_cast<std::size_t>((i * k + p) * n + column)]);
          }
          const float got = result[static_cast<std::size_t>((i * m + row) * n + column)];
          largest = std::max(largest, std::abs(sum - static_cast<double>(got)));
        }
      }
    }
    return largest;
  };
  report("batches with a transposed left side are wrong on three threads", error_of(c) > 1e-3);
  std::vector<float> ours(c.size());
  rw::kernels::multiply_batched<float>({{a.data(), k, m, m, true}, m * k},
                                       {{b.data(), k, n, n, false}, k * n}, batch, ours.data(), n,
                                       m * n, false);
  BOOST_TEST(error_of(ours) < 1e-3);
}

// Note [Signals during products]
BOOST_AUTO_TEST_CASE(signals_during_long_sums,
                     *boost::unit_test::enable_if<!rw::detail::is_sanitized>()) {
  const bool kills_it = kills([] {
    const SignalStorm storm;
    const std::vector<float> a = irregular_numbers(16 * 256), b = irregular_numbers(256 * 16);
    for (int i = 0; i < 200'000; ++i) {
      std::vector<float> c(16 * 16);  // on the heap, where damage would be noticed
      dnnl_sgemm('N', 'N', 16, 16, 256, 1.0f, a.data(), 256, b.data(), 16, 0.0f, c.data(), 16);
    }
  });
  report("signals during long sums overwrite the heap", kills_it);
  const bool believed = onednn::longest_safe_sum() < 256;
  BOOST_TEST((believed || !kills_it),
             "the library takes this version for one in which signals do no harm");
}

BOOST_AUTO_TEST_SUITE_END()
