#pragma once

#include <functional>
#include <string>

#include <rewind/autograd/tensor/error.hpp>

namespace rw::testing {

/// What the error says that `call` throws; "no exception" where it throws none.
inline std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no exception";
}

}  // namespace rw::testing
