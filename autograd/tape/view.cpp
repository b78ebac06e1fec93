#include <rewind/autograd/tape/node.hpp>
#include <rewind/autograd/tape/view.hpp>

namespace rw {

Tensor contiguous(const Tensor& x) {
  if (detail::is_dense(x)) {
    return x;
  }
  return record("contiguous", {x}, detail::copy_of(x), saved(),
                [](const Tensor& dy, Gradients& d) { d.add(0, [&] { return dy; }); });
}

namespace detail {

Tensor make_view(const Tensor& base, const Link& link, const Shape& shape, std::int64_t offset,
                 std::int64_t row_stride, std::int64_t gradient_offset,
                 std::int64_t gradient_row_stride) {
  TensorBody& from = base.body();
  TensorBody* const body = make_view_body(from);
  if (shape.elements() == 0) {
    // Such a view may begin after the end of its base, where it has nothing to point to.
    offset = gradient_offset = 0;
  }
  body->shape = shape;
  body->gapless = row_stride == shape.columns() || shape.elements() <= shape.columns();
  body->row_stride = row_stride;
  body->data = from.data + offset * static_cast<std::int64_t>(size_of(from.dtype));
  if (link.node != nullptr) {
    body->link = link;
    body->link.offset += gradient_offset;
    body->link.row_stride = gradient_row_stride;
    body->link.whole = body->link.offset == 0 && gradient_row_stride == shape.columns() &&
                       shape == link.node->slots[link.output].shape;
  }
  return Tensor::adopt(body);
}

bool is_dense(const Tensor& x) {
  if (!x.is_contiguous()) {
    return false;
  }
  const TensorBody& body = x.body();
  if (body.link.node == nullptr || body.link.row_stride == x.columns()) {
    return true;
  }
  return x.elements() <= x.columns() || link_of(x).node == nullptr;
}

Tensor part(const Tensor& x, const Region& region) {
  const Tensor dense = contiguous(x);
  return make_view(dense, link_of(dense), region.shape, region.offset, region.row_stride,
                   region.offset, region.row_stride);
}

}  // namespace detail
}  // namespace rw
