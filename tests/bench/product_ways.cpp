#include "product_ways.hpp"

#include "onednn.hpp"

namespace bench {

namespace {

using onednn::describe;
using onednn::memory;
using onednn::Tag;

class Sgemm : public ProductWay {
 public:
  explicit Sgemm(const ProductForm& form) : form_(form) {}
  void run(const float* a, const float* b, float* c) override {
    const auto [m, n, k, a_transposed, b_transposed] = form_;
    if (dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', m, n, k, 1.0F, a,
                   a_transposed ? m : k, b, b_transposed ? k : n, 0.0F, c, n) != dnnl_success) {
      throw std::runtime_error("bench: dnnl_sgemm failed");
    }
  }

 private:
  ProductForm form_;
};

class PackedMatmul : public ProductWay {
 public:
  explicit PackedMatmul(const ProductForm& form) {
    const auto [m, n, k, a_transposed, b_transposed] = form;
    const memory::desc a = describe({m, k}, a_transposed ? Tag::ba : Tag::ab);
    const memory::desc c = describe({m, n}, Tag::ab);
    const auto choice = onednn::choose<dnnl::matmul>(engine_, a, describe({k, n}, Tag::any), c);
    matmul_ = dnnl::matmul(choice);
    b_ = memory(choice.weights_desc(), engine_);
    memory plain(describe({k, n}, Tag::ab), engine_);
    std::fill_n(static_cast<float*>(plain.get_data_handle()), k * n, 0.01F);
    dnnl::reorder(plain, b_).execute(stream_, plain, b_);
    a_ = memory(a, engine_, nullptr);
    c_ = memory(c, engine_, nullptr);
  }
  void run(const float* a, const float*, float* c) override {
    a_.set_data_handle(const_cast<float*>(a));
    c_.set_data_handle(c);
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, a_.get()}, {DNNL_ARG_WEIGHTS, b_.get()}, {DNNL_ARG_DST, c_.get()}};
    if (dnnl_primitive_execute(matmul_.get(), stream_.get(), 3, arguments) != dnnl_success) {
      throw std::runtime_error("bench: a matmul primitive failed");
    }
  }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul matmul_;
  memory a_, b_, c_;
};

}  // namespace

std::unique_ptr<ProductWay> make_sgemm(const ProductForm& form) {
  return std::make_unique<Sgemm>(form);
}

std::unique_ptr<ProductWay> make_packed_matmul(const ProductForm& form) {
  return std::make_unique<PackedMatmul>(form);
}

}  // namespace bench
