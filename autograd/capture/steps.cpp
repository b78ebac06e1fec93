#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <rewind/autograd/capture/detail/steps.hpp>
#include <rewind/autograd/kernels/packed_product.hpp>

namespace rw::detail {
namespace {

using kernels::PackedProduct;
using kernels::Product;
using kernels::StridedCopy;

/// The block of `blocks` that holds `data`, or null.
const Block* block_at(const std::vector<Block*>& blocks, const void* data) {
  const auto* const at = static_cast<const std::byte*>(data);
  const auto found = std::ranges::find_if(blocks, [&](Block* block) {
    return block->data() <= at && at < block->data() + capacity_of(*block);
  });
  return found == blocks.end() ? nullptr : *found;
}

/// Which memory stays the same from run to run.
class Constants {
 public:
  Constants(const Captured& captured, const std::vector<Block*>& inputs)
      : captured_(captured), inputs_(inputs) {}

  bool include(const void* data) const {
    const Block* const block = block_at(captured_.memory.blocks(), data);
    return block != nullptr ? computed_once_.contains(block) : block_at(inputs_, data) == nullptr;
  }
  /// Declares a block of the capture's memory to be computed once.
  void add(const Block* block) { computed_once_.insert(block); }

 private:
  const Captured& captured_;
  const std::vector<Block*>& inputs_;
  std::set<const Block*> computed_once_;
};

/// The memory of a capture and of its inputs.
class CapturedRoom final : public Room {
 public:
  CapturedRoom(const Captured& captured, const std::vector<Block*>& inputs)
      : captured_(captured), inputs_(inputs) {}

  bool may_read(const void* data, std::size_t bytes) const override {
    const Block* const block = block_of(data);
    return block != nullptr && offset_of(data, block) + bytes <= capacity_of(*block);
  }
  bool may_write_behind(const void* data, std::size_t bytes) const override {
    const Block* const block = block_at(captured_.memory.blocks(), data);
    return block != nullptr && offset_of(data, block) + bytes == captured_.memory.bytes_of(block);
  }

 private:
  static std::size_t offset_of(const void* data, const Block* block) {
    return static_cast<std::size_t>(static_cast<const std::byte*>(data) -
                                    const_cast<Block*>(block)->data());
  }
  const Block* block_of(const void* data) const {
    const Block* const block = block_at(captured_.memory.blocks(), data);
    return block != nullptr ? block : block_at(inputs_, data);
  }

  const Captured& captured_;
  const std::vector<Block*>& inputs_;
};

template <class T>
bool copies_constants(const Launch& launch, const Constants& constants) {
  const auto* const copy = launch.as<StridedCopy<T>>();
  return copy != nullptr && constants.include(copy->from);
}

/// Finds results that only copy constants, such as biases put together, and marks their launches.
/// A result has memory of its own, which others only write to if they too are results there.
std::vector<bool> find_constant_results(const Captured& captured, Constants& constants) {
  const Launches& launches = captured.log.launches;
  std::vector<bool> done_once(launches.size());
  const auto& results = captured.log.results();
  std::size_t begin = 0;
  for (const CaptureLog::Result& result : results) {
    const std::size_t first = std::exchange(begin, result.launches);
    const Block* const block = block_at(captured.memory.blocks(), result.data);
    const bool is_alone = std::ranges::none_of(results, [&](const CaptureLog::Result& other) {
      return &other != &result && other.launches > result.launches &&
             block_at(captured.memory.blocks(), other.data) == block;
    });
    const bool only_copies =
        first < result.launches && block != nullptr && is_alone &&
        std::all_of(launches.begin() + static_cast<std::ptrdiff_t>(first),
                    launches.begin() + static_cast<std::ptrdiff_t>(result.launches),
                    [&](const Launch& launch) {
                      return copies_constants<float>(launch, constants) ||
                             copies_constants<double>(launch, constants);
                    });
    if (only_copies) {
      constants.add(block);
      std::fill(done_once.begin() + static_cast<std::ptrdiff_t>(first),
                done_once.begin() + static_cast<std::ptrdiff_t>(result.launches), true);
    }
  }
  return done_once;
}

/// The products of one element type, while they are put together.
template <class T>
class Packing {
 public:
  Packing(Steps& steps, const Constants& constants) : steps_(steps), constants_(constants) {}

  /// Takes over a launch, if it can be packed.
  bool take(const Launch& launch) {
    if (const auto* const product = launch.as<Product<T>>()) {
      return take_product(*product);
    }
    const auto* const copy = launch.as<StridedCopy<T>>();
    if (copy == nullptr || !constants_.include(copy->from)) {
      return false;
    }
    flush();
    packed_ = PackedProduct<T>::of(*copy);
    copy_ = *copy;
    return packed_.has_value();
  }
  /// Adds what was taken to the steps.
  void flush() {
    if (!packed_) {
      return;
    }
    if (packed_->has_products()) {
      steps_.launches.emplace_back(*packed_);
      steps_.refreshes.emplace_back([packed = *packed_] { packed.refresh(); });
    } else {
      steps_.launches.emplace_back(*copy_);
    }
    packed_.reset();
  }

 private:
  bool take_product(const Product<T>& product) {
    if (!constants_.include(product.b.data)) {
      return false;
    }
    if (packed_ && packed_->add(product)) {
      return true;
    }
    flush();
    packed_ = PackedProduct<T>::of(product);
    return packed_.has_value();
  }

  Steps& steps_;
  const Constants& constants_;
  std::optional<PackedProduct<T>> packed_;
  std::optional<StridedCopy<T>> copy_;  // with which it began
};

}  // namespace

Steps faster_steps(const Captured& captured) {
  Steps steps;
  std::vector<Block*> inputs;
  for (const Tensor& input : captured.inputs) {
    inputs.push_back(input.body().block);
  }
  Constants constants(captured, inputs);
  const std::vector<bool> done_once = find_constant_results(captured, constants);
  Packing<float> floats(steps, constants);
  Packing<double> doubles(steps, constants);
  Launches launches = std::exchange(captured.log.launches, {});
  Launches once;
  for (std::size_t i = 0; i < launches.size(); ++i) {
    if (done_once[i]) {
      once.push_back(std::move(launches[i]));
    } else if (floats.take(launches[i])) {
      doubles.flush();
    } else if (doubles.take(launches[i])) {
      floats.flush();
    } else {
      floats.flush();
      doubles.flush();
      steps.launches.push_back(std::move(launches[i]));
    }
  }
  floats.flush();
  doubles.flush();
  const CapturedRoom room(captured, inputs);
  for (Launch& launch : steps.launches) {
    launch.widen(room);
  }
  // First: others read what these copy.
  steps.refreshes.emplace(steps.refreshes.begin(),
                          [copies = std::make_shared<Launches>(std::move(once))] {
                            for (const Launch& copy : *copies) {
                              copy.run();
                            }
                          });
  return steps;
}

}  // namespace rw::detail
