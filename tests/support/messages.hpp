#pragma once
// Checks of error messages.

#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <rewind/autograd/tensor/error.hpp>

namespace rw::testing {

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

inline void check_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    BOOST_TEST(contains(text, part), "no '" << part << "' in: " << text);
  }
}

/// The message of the error that `call` must throw.
template <class Kind = Error>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Kind& error) {
    return error.what();
  }
  BOOST_ERROR("expected an exception");
  return "no exception";
}

/// For BOOST_CHECK_EXCEPTION: whether the message contains `part`.
inline auto says(const std::string& part) {
  return [part](const std::exception& error) {
    const bool found = contains(error.what(), part);
    BOOST_TEST(found, "the message \"" << error.what() << "\" lacks \"" << part << '"');
    return found;
  };
}

/// Checks that `call` throws `Kind` with `part` in its message.
template <class Kind, class Call>
void check_throws(Call&& call, const std::string& part) {
  BOOST_CHECK_EXCEPTION(call(), Kind, says(part));
}

}  // namespace rw::testing
