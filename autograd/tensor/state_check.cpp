#include <rewind/autograd/tensor/state_check.hpp>

namespace rw {

void detail::append_range_faults(std::vector<std::string>& faults, std::string_view name,
                                 const StateList& values) {
  for (const StateEntry& entry : values) {
    const std::string fault = fault_of(entry.tensor, entry.range);
    if (!fault.empty()) {
      faults.push_back(joined(std::string(name), entry.path) + " " + fault);
    }
  }
}

}  // namespace rw
