#pragma once
// A cache of oneDNN's matmul primitives; internal to products.cpp.

#include <array>
#include <list>
#include <new>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <boost/align/aligned_allocator.hpp>
#include <boost/container_hash/hash.hpp>
#include <fmt/format.h>

#include <rewind/autograd/kernels/detail/onednn.hpp>
#include <rewind/autograd/kernels/parallel.hpp>
#include <rewind/autograd/kernels/products.hpp>

#pragma GCC visibility push(hidden)

namespace rw::kernels::detail {

[[noreturn]] inline void fail(dnnl_status_t status, const ProductSizes& sizes, std::int64_t batch) {
  if (status == dnnl_out_of_memory) throw std::bad_alloc();
  throw Error(fmt::format("multiply: oneDNN failed with status {} ({}) on {} x [{}, {}] x [{}, {}]",
                          static_cast<int>(status), dnnl_status2str(status), batch, sizes.m,
                          sizes.k, sizes.k, sizes.n));
}

/// Everything a matmul primitive depends on. The left matrix is not transposed.
struct PrimitiveKey {
  ProductSizes sizes;
  std::int64_t batch;
  std::int64_t a_stride, a_distance;
  std::int64_t b_stride, b_distance;
  std::int64_t c_stride, c_distance;
  int threads;
  bool b_transposed;
  bool accumulate;

  auto fields() const {
    return std::array<std::int64_t, 13>{sizes.m,    sizes.n,      sizes.k,    batch,    a_stride,
                                        a_distance, b_stride,     b_distance, c_stride, c_distance,
                                        threads,    b_transposed, accumulate};
  }
  bool operator==(const PrimitiveKey& other) const { return fields() == other.fields(); }
};

struct PrimitiveKeyHash {
  std::size_t operator()(const PrimitiveKey& key) const {
    const auto fields = key.fields();
    return boost::hash_range(fields.begin(), fields.end());
  }
};

/// A primitive with its memory objects, which each call points at its operands.
struct Primitive {
  dnnl::matmul matmul;
  dnnl::memory a, b, c, scratchpad;
  std::size_t scratchpad_bytes;
  bool leaves_stack_alone;  // Note [Signals during products]
};

/// One thread's primitives; a new one replaces the least recently used.
class PrimitiveCache {
 public:
  static PrimitiveCache& of_this_thread() {
    thread_local PrimitiveCache cache;
    return cache;
  }

  /// Computes the product; returns false if oneDNN's only primitive for it must not run.
  [[nodiscard]] bool execute(const PrimitiveKey& key, const float* a, const float* b, float* c) {
    const ThreadLimit limit(key.threads);
    try {
      Primitive& primitive = find_or_create(key);
      if (!primitive.leaves_stack_alone) return false;
      const std::size_t floats = (primitive.scratchpad_bytes + sizeof(float) - 1) / sizeof(float);
      if (scratchpad_.size() < floats) scratchpad_.resize(floats);
      // oneDNN takes pointers to mutable data, but does not write to its inputs.
      primitive.a.set_data_handle(const_cast<float*>(a));
      primitive.b.set_data_handle(const_cast<float*>(b));
      primitive.c.set_data_handle(c);
      primitive.scratchpad.set_data_handle(scratchpad_.data());
      const std::array<dnnl_exec_arg_t, 4> arguments{{
          {DNNL_ARG_SRC, primitive.a.get()},
          {DNNL_ARG_WEIGHTS, primitive.b.get()},
          {DNNL_ARG_DST, primitive.c.get()},
          {DNNL_ARG_SCRATCHPAD, primitive.scratchpad.get()},
      }};
      const dnnl_status_t status =
          dnnl_primitive_execute(primitive.matmul.get(), stream_.get(),
                                 static_cast<int>(arguments.size()), arguments.data());
      if (status != dnnl_success) fail(status, key.sizes, key.batch);
      return true;
    } catch (const dnnl::error& error) {
      fail(error.status, key.sizes, key.batch);
    }
  }

 private:
  using Entries = std::list<std::pair<PrimitiveKey, Primitive>>;
  static constexpr std::size_t capacity = 256;

  Primitive& find_or_create(const PrimitiveKey& key) {
    if (const auto found = index_.find(key); found != index_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->second;
    }
    Entries fresh;
    fresh.emplace_front(key, create(key));
    index_.emplace(key, fresh.begin());
    entries_.splice(entries_.begin(), fresh);
    if (entries_.size() > capacity) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    return entries_.front().second;
  }

  Primitive create(const PrimitiveKey& key) const {
    using dnnl::memory;
    const auto describe = [&](std::int64_t distance, memory::dims matrix, memory::dims strides) {
      const std::int64_t items = distance == 0 ? 1 : key.batch;
      if (key.batch > 1) {
        matrix.insert(matrix.begin(), items);
        strides.insert(strides.begin(), distance == 0 ? matrix[1] * matrix[2] : distance);
      }
      return memory::desc(matrix, memory::data_type::f32, strides);
    };
    const auto [m, n, k] = key.sizes;
    const auto a = describe(key.a_distance, {m, k}, {key.a_stride, 1});
    const auto b =
        describe(key.b_distance, {k, n},
                 key.b_transposed ? memory::dims{1, key.b_stride} : memory::dims{key.b_stride, 1});
    const auto c = describe(key.c_distance, {m, n}, {key.c_stride, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (key.accumulate) {
      dnnl::post_ops add_to_result;
      add_to_result.append_sum(1.0f);
      attributes.set_post_ops(add_to_result);
    }
    const dnnl::matmul::primitive_desc choice =
        rw::detail::onednn::describe_matmul(a, b, c, attributes, engine_);
    const bool multiplies_by_sgemm =
        std::string_view(choice.impl_info_str()).find("gemm:") != std::string_view::npos;
    return {dnnl::matmul(choice),
            memory(a, engine_, nullptr),
            memory(b, engine_, nullptr),
            memory(c, engine_, nullptr),
            memory(choice.scratchpad_desc(), engine_, nullptr),
            choice.scratchpad_desc().get_size(),
            !multiplies_by_sgemm || k <= rw::detail::onednn::longest_safe_sum()};
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  Entries entries_;
  std::unordered_map<PrimitiveKey, Entries::iterator, PrimitiveKeyHash> index_;
  std::vector<float, boost::alignment::aligned_allocator<float, 64>> scratchpad_;
};

}  // namespace rw::kernels::detail

#pragma GCC visibility pop
