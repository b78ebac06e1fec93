#include <array>
#include <atomic>
#include <memory>

#include <fmt/format.h>

#include <rewind/autograd/tape/recorder.hpp>

namespace rw {
namespace detail {

constinit thread_local Context context;
constinit thread_local ThreadScope<Tape>* tape_scopes = nullptr;
constinit thread_local ThreadScope<AnomalyMode>* anomaly_scopes = nullptr;

namespace {

// Serial numbers of live tapes, so that a tensor of a tape that has ended (a constant now) can be
// told from one of another live tape (an error) without a lock. A tape takes a number whose array
// element is free.
std::array<std::atomic<std::uint64_t>, 1024> live_serials;
std::atomic<std::uint64_t> last_serial{0};

std::uint64_t take_serial() {
  // More than one round, because other threads take numbers in between.
  for (std::size_t tries = 0; tries < 4 * live_serials.size(); ++tries) {
    const std::uint64_t serial = last_serial.fetch_add(1, std::memory_order_relaxed) + 1;
    std::uint64_t free = 0;
    if (live_serials[serial % live_serials.size()].compare_exchange_strong(
            free, serial, std::memory_order_relaxed)) {
      return serial;
    }
  }
  throw UsageError(fmt::format("tape: {} tapes are alive, expected fewer; end those that are done",
                               live_serials.size()));
}

bool is_live(std::uint64_t serial) {
  return live_serials[serial % live_serials.size()].load(std::memory_order_relaxed) == serial;
}

void end_serial(std::uint64_t serial) {
  live_serials[serial % live_serials.size()].store(0, std::memory_order_relaxed);
}

// Storage of tapes that have ended, for the thread's next ones. A tape with static storage ends
// after this list. A tape may also end on another thread than the one that made it, so the list is
// bounded.
using SpareStorage = std::vector<std::unique_ptr<TapeStorage>>;
constinit thread_local bool spare_storage_is_gone = false;

SpareStorage& spare_storage() {
  struct Owner {
    SpareStorage spare;
    ~Owner() { spare_storage_is_gone = true; }
  };
  static thread_local Owner owner;
  return owner.spare;
}

TapeStorage* take_storage() {
  if (spare_storage_is_gone || spare_storage().empty()) {
    return new TapeStorage;
  }
  TapeStorage* const storage = spare_storage().back().release();
  spare_storage().pop_back();
  return storage;
}

void keep_storage(TapeStorage* storage) {
  constexpr std::size_t most = 16;
  std::unique_ptr<TapeStorage> kept(storage);
  if (!spare_storage_is_gone && spare_storage().size() < most) {
    spare_storage().push_back(std::move(kept));
  }
}

}  // namespace

LeafTable::Entry& LeafTable::probe(ParameterBody* parameter) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t i = home_of(parameter);
  while (entries_[i].parameter != nullptr && entries_[i].parameter != parameter) {
    i = (i + 1) & mask;
  }
  return entries_[i];
}

LeafTable::Entry& LeafTable::search(ParameterBody* parameter) {
  Entry* entry = &probe(parameter);
  if (entry->parameter == nullptr) {
    if (2 * (used_ + 1) > entries_.size()) {
      std::vector<Entry> old(2 * entries_.size());
      old.swap(entries_);
      for (const Entry& e : old) {
        if (e.parameter != nullptr) {
          probe(e.parameter) = e;
        }
      }
      entry = &probe(parameter);
    }
    ++used_;
    entry->parameter = parameter;
  }
  return *entry;
}

void LeafTable::clear() noexcept {
  for (Entry& entry : entries_) {
    entry = {};
  }
  used_ = 0;
}

void TapeStorage::clear() noexcept {
  for (Node* node = is_released ? nullptr : first; node != nullptr; node = node->next) {
    for (Slot& slot : node->slot_span()) {
      slot.gradient.reset();
    }
    for (Saved& saved : node->saved_span()) {
      saved.tensor.reset();
    }
  }
  for (Node* leaf = last_leaf; leaf != nullptr; leaf = leaf->previous_leaf) {
    release_parameter(leaf->parameter);
  }
  leaves.clear();
  weights.clear();
  arena.rewind();
  first = last = last_leaf = nullptr;
  is_released = false;
  operations = 0;
}

Link link_of(const Tensor& x) {
  const Tape::Origin origin =
      context.tape == nullptr ? Tape::Origin{} : context.tape->origin_of(x.body());
  if (origin.node == nullptr) {
    return {};
  }
  return origin.link != nullptr ? *origin.link
                                : whole_link(context.tape->serial_, origin.node, 0, x.shape());
}

Node* begin_node(const char* name, std::span<const TensorRef> inputs,
                 std::span<const Tensor> outputs, std::size_t saved_count, std::size_t rule_bytes) {
  return Recorder::begin(name, inputs, outputs, saved_count, rule_bytes).node;
}

void merge_gradients(const Tensor& result) {
  Node* const node = result.body().link.node;
  if (node == nullptr || node->inputs[0].node == nullptr) {
    return;
  }
  const Region* const region = node->inputs[0].region;
  // In a region with gaps between its rows, only parts of single rows can be located. So the result
  // must have gaps as well, which prevents views that reshape more than one of its rows.
  if (region == nullptr || region->row_stride == region->shape.columns() ||
      region->shape.rows() == 1 || !result.is_contiguous()) {
    node->slots[0].merged = &node->inputs[0];
  }
}

void* tape_memory(std::size_t bytes) { return context.tape->storage_->arena.allocate(bytes); }

}  // namespace detail

Tape::Tape()
    : serial_(detail::take_serial()),
      storage_(detail::take_storage()),
      scope_(detail::context.tape, detail::tape_scopes, this) {}

Tape::~Tape() {
  detail::end_serial(serial_);
  storage_->clear();
  detail::keep_storage(storage_);
}

detail::Node* Tape::append_leaf(const char* name, const Tensor& value) {
  detail::Node* const leaf = detail::Recorder::make_node(*storage_, name, 0, 1, 0, 0);
  detail::Recorder::append(*storage_, leaf);
  new (leaf->slots) detail::Slot{.shape = value.shape(), .dtype = value.dtype()};
  leaf->previous_leaf = std::exchange(storage_->last_leaf, leaf);
  return leaf;
}

detail::Node* Tape::make_leaf(detail::ParameterBody& parameter) {
  detail::Node* const leaf = append_leaf("parameter", parameter.value);
  parameter.retain();
  leaf->parameter = &parameter;
  storage_->leaves.find(&parameter).leaf = leaf;
  return leaf;
}

void Tape::check_ended(const detail::Link& link, const Shape& shape) {
  check<UsageError>(!detail::is_live(link.tape),
                    "tape: a tensor of shape {} was recorded on another tape that is still alive; "
                    "detach() it to use it as a constant, or end that tape first",
                    shape);
}

Tensor Tape::watch(const Tensor& x) {
  check_owner("watch");
  check<UsageError>(is_floating(x.dtype()),
                    "watch: got an int64 tensor; only float32 and float64 have gradients");
  Tensor watched = x.detach();
  watched.body().link = detail::whole_link(serial_, append_leaf("watched", x), 0, x.shape());
  return watched;
}

void Tape::check_owner(const char* what) const {
  check<UsageError>(scope_.is_on(detail::tape_scopes),
                    "{}: this tape belongs to another thread; use it on the thread that made it, "
                    "or make one tape per thread",
                    what);
}

std::int64_t Tape::operations() const { return storage_->operations; }

}  // namespace rw
