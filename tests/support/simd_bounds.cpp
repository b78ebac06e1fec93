#include "simd_bounds.hpp"

#include <fstream>
#include <regex>
#include <set>
#include <stdexcept>

namespace rw::testing {
namespace {

// Parts of functions, which have no result of their own.
const std::set<std::string> parts = {"power_of_two", "log_everywhere"};

std::vector<SimdFunction> functions_of(const std::string& path) {
  const std::regex function(R"(V (\w+)\(V \w+(?:, V \w+)?\) \{)");
  const std::regex statement(R"(/// Max error: float (\S+) ulp, double (\S+) ulp\. Valid range: )"
                             R"((?:all|float \[(\S+), (\S+)\], double \[(\S+), (\S+)\])\.)");
  std::ifstream file(path);
  if (!file) {
    throw std::runtime_error("simd_functions: cannot read " + path);
  }
  std::vector<SimdFunction> all;
  // The current line and the two before it: the statement, template <class V>, the function.
  std::string first;
  std::string second;
  for (std::string line; std::getline(file, line); first = second, second = line) {
    std::smatch match;
    if (!std::regex_match(line, match, function) || parts.contains(match[1])) {
      continue;
    }
    SimdFunction found{match[1]};
    if (std::regex_match(first, match, statement)) {
      const auto number = [&](std::size_t i, const char* otherwise) {
        return std::stod(match[i].matched ? match[i].str() : otherwise);
      };
      found.single = {number(1, ""), number(3, "-inf"), number(4, "inf")};
      found.precise = {number(2, ""), number(5, "-inf"), number(6, "inf")};
    }
    all.push_back(found);
  }
  return all;
}

}  // namespace

const std::vector<SimdFunction>& simd_functions() {
  static const std::vector<SimdFunction> all = functions_of(REWIND_SIMD_HEADER);
  return all;
}

ErrorBound stated_bound(const std::string& name, DType dtype) {
  for (const SimdFunction& function : simd_functions()) {
    const auto& bound = dtype == DType::float32 ? function.single : function.precise;
    if (function.name == name && bound.has_value()) {
      return *bound;
    }
  }
  throw std::runtime_error("stated_bound: simd.hpp states no error for " + name);
}

}  // namespace rw::testing
