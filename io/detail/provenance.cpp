#include <string_view>

#include <fmt/format.h>

#include <rewind/autograd/kernels/arithmetic.hpp>
#include <rewind/autograd/tensor/printable.hpp>
#include <rewind/io/detail/hdf5_writer.hpp>
#include <rewind/io/detail/provenance.hpp>
#include <rewind/version.hpp>

namespace rw::io::detail {
namespace {

constexpr std::string_view before_hdf5 = ", hdf5 ";

/// The writer without HDF5's version, which affects no result.
std::string_view arithmetic_of(std::string_view writer) {
  return writer.substr(0, writer.rfind(before_hdf5));
}

}  // namespace

std::string writer_name() {
  return fmt::format("rewind {}, {}{}{}", REWIND_VERSION, kernels::arithmetic(), before_hdf5,
                     hdf5_library_version());
}

std::string inexactness(const std::string& writer) {
  const std::string here = writer_name();
  if (arithmetic_of(here) == arithmetic_of(writer)) {
    return {};
  }
  return fmt::format(
      "saved by {}, loaded by {}: results may differ in the last bits from those of a run that was "
      "not interrupted",
      rw::detail::printable(arithmetic_of(writer)), rw::detail::printable(arithmetic_of(here)));
}

}  // namespace rw::io::detail
