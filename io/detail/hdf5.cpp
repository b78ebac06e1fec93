#include <array>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>
#include <pthread.h>

#include <rewind/io/detail/hdf5.hpp>

namespace rw::io::detail {

namespace {

constinit std::mutex mutex;

// Registered when the program begins: at the first save, a fork could interrupt the registering.
[[maybe_unused]] const int registered =
    ::pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });

}  // namespace

std::mutex& hdf5_mutex() { return mutex; }

Hdf5Session::Hdf5Session() {
  H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLget_loading_state(&plugins_);
  H5PLset_loading_state(0);
}

Hdf5Session::~Hdf5Session() {
  H5PLset_loading_state(plugins_);
  H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
}

std::string Hdf5Session::unique_name() const {
  static std::uint64_t counter = 0;
  return fmt::format("{:0>300}", counter++);
}

std::string hdf5_cause() {
  std::array<char, 200> text = {};
  const auto copy = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    if (error->desc != nullptr) {
      std::strncpy(static_cast<char*>(out), error->desc, std::tuple_size_v<decltype(text)> - 1);
    }
    return 1;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, copy, text.data());
  return text[0] == '\0' ? "no reason given" : text.data();
}

hid_t hdf5_type(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return H5T_IEEE_F32LE;
    case DType::float64:
      return H5T_IEEE_F64LE;
    case DType::int64:
      break;
  }
  return H5T_STD_I64LE;
}

}  // namespace rw::io::detail
