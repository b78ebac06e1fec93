#pragma once
// Checkpoints: the state of layers, optimisers and generators in one HDF5 file.
//
//     io::save("model.h5", "model", model, "optimizer", optimizer, "rng", rng);
//     io::load("model.h5", "model", model, "optimizer", optimizer, "rng", rng);
//     io::load("model.h5", {.allow_unexpected = true}, "model", model);
//
// Each name becomes a group, each path below it a dataset: /model/cell/w_x. Every HDF5 tool can
// read the file. A group says what was saved there by the attributes "rewind:kind", the object's
// type in C++, and "rewind:tensors" and "rewind:values", how many there are below it. Loading does
// not take HDF5's word for anything: Note [Checkpoint format], io/detail/checkpoint_index.hpp, and
// docs/checkpoints.md.

#include <concepts>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <rewind/autograd/tape/parameter_list.hpp>
#include <rewind/autograd/tensor/shape.hpp>
#include <rewind/autograd/tensor/state.hpp>
#include <rewind/io/error.hpp>

namespace rw::io {

/// Small texts beside the state, such as the options a model was built with. Names and values hold
/// no NUL; names do not begin with "rewind:"; name and value together have at most 60,000 bytes. In
/// HDF5 they are UTF-8 strings of fixed length, which h5py shows as bytes: attrs["cell"].decode().
using Attributes = std::map<std::string, std::string>;

/// One dataset of a checkpoint.
struct EntryInfo {
  std::string path;
  Shape shape;
  DType dtype = DType::float32;
};

/// Another name for entries of a file: of those whose path is `from`, or fits it where it holds a
/// '*', which stands for any text and is put in the place of the '*' in `to`.
struct Rename {
  std::string from;  ///< as list() gives it, for example "model/encoder/*"
  std::string to;    ///< for example "model/body/*"
};

struct LoadOptions {
  /// Leave as it is what the file does not hold, for example a new layer.
  bool allow_missing = false;
  /// Leave out what the file holds beyond the given state, for example to load only the model from
  /// a training checkpoint.
  bool allow_unexpected = false;
  /// Leave as it is what has another shape or type in the file, for example an output layer for
  /// other classes.
  bool allow_mismatched = false;
  /// Of several that fit an entry, the first counts.
  std::vector<Rename> rename = {};
};

/// What load() did. Paths are those of the state, those of `unexpected` the file's own.
struct LoadReport {
  std::vector<std::string> loaded;
  std::vector<std::string> missing;     ///< not in the file
  std::vector<std::string> unexpected;  ///< in the file, not in the state
  std::vector<std::string> mismatched;  ///< of another shape or type in the file

  /// Whether all of the state was loaded.
  bool complete() const { return missing.empty() && mismatched.empty(); }
};

/// "12 loaded; missing: model/head/weight, model/head/bias".
std::string to_string(const LoadReport& report);

/// Writes `state` and `attributes` to `path`, replacing a file there at once or not at all: the new
/// file is complete and flushed to disk before it takes the old one's name, owner and mode. A
/// symbolic link is followed, to a file that is not there yet too, unless somebody else planted it
/// in a folder such as /tmp; write_file() has the details. The same state gives the same bytes, in
/// whatever order it is listed. Throws CheckpointWriteError, after which the old file is as it was;
/// UsageError for a path that occurs twice, or is not made of names separated by '/', and for
/// attributes that do not obey the rules above.
void save(const std::string& path, const StateList& state, const Attributes& attributes = {});

/// Restores `state` from `path`. Paths, shapes and types must match exactly, but for what `options`
/// allow; otherwise throws one StateMismatch that lists every missing, unexpected, misshapen or
/// mistyped entry. Throws it too when nothing at all would be loaded, and UsageError for a renaming
/// that fits no entry of the file or gives two the same name. Also throws CheckpointReadError,
/// CheckpointCorrupt or CheckpointRefused. On any error no value has changed. All that is loaded
/// has been checked against its digest; what is left out is not read. Takes as much memory again as
/// is loaded. Restoring counts as a mutation (Note [Version counters]).
///
/// An HDF5 file that Rewind wrote before checkpoints had an index is read too, by libhdf5 in a
/// child process.
LoadReport load(const std::string& path, const StateList& state, const LoadOptions& options = {});

/// The texts saved beside the state. Of a file without an index, the root's attributes that are
/// strings of fixed length. Throws as load() does for a file that cannot be read.
Attributes read_attributes(const std::string& path);

/// What the checkpoint holds, in order of path. Reads the index only. Throws as load() does for a
/// file that cannot be read.
std::vector<EntryInfo> list(const std::string& path);

/// What has a place in a checkpoint: a tensor, a list of them, or anything that state_of() takes.
template <class T>
concept Saveable = std::same_as<std::remove_cvref_t<T>, Tensor> ||
    std::same_as<std::remove_cvref_t<T>, StateList> || requires(T& object) {
  { state_of(object) } -> std::convertible_to<StateList>;
};

namespace detail {

inline void append(StateList&) {}

template <class Object, class... Rest>
void append(StateList& state, std::string_view name, Object&& object, Rest&&... rest) {
  using Type = std::remove_cvref_t<Object>;
  if constexpr (std::same_as<Type, Tensor>) {
    state.push_back({std::string(name), object});
  } else if constexpr (std::same_as<Type, StateList>) {
    for (const StateEntry& entry : object) {
      state.push_back(
          {rw::detail::joined(std::string(name), entry.path), entry.tensor, entry.range});
    }
  } else {
    const StateList entries = state_of(object);
    append(state, name, entries);
  }
  append(state, std::forward<Rest>(rest)...);
}

/// Loads into `state`, and then into what is left of the objects.
inline LoadReport load_objects(const std::string& path, const LoadOptions& options,
                               const StateList& state) {
  return load(path, state, options);
}

template <class Object, class... Rest>
LoadReport load_objects(const std::string& path, const LoadOptions& options, StateList state,
                        std::string_view name, Object& object, Rest&&... rest) {
  static_assert(
      !std::is_const_v<Object> || !HasParameters<std::remove_const_t<Object>>,
      "load: the model is const; a checkpoint can only be loaded into one that may change");
  if constexpr (RecurrentState<Object> && !std::same_as<Object, Tensor>) {
    // Its tensors may share memory with each other, with outputs and with a learned initial state:
    // the values go into tensors of their own, which take the old ones' place when all is loaded.
    Object loaded = object;
    for_each_tensor(loaded, [](Tensor& tensor) { tensor = tensor.detach().clone(); });
    append(state, name, loaded);
    LoadReport report = load_objects(path, options, std::move(state), rest...);
    object = std::move(loaded);
    return report;
  } else {
    append(state, name, object);
    return load_objects(path, options, std::move(state), rest...);
  }
}

/// A group of a checkpoint, and the type of what was saved there; null where that is not known.
struct SavedObject {
  std::string path;
  const std::type_info* type = nullptr;
};

inline void append_objects(std::vector<SavedObject>&) {}

template <class Object, class... Rest>
void append_objects(std::vector<SavedObject>& objects, std::string_view name, const Object& object,
                    const Rest&... rest) {
  if constexpr (std::same_as<Object, StateList>) {
    objects.push_back({std::string(name)});
  } else if constexpr (!std::same_as<Object, Tensor>) {
    objects.push_back({std::string(name), &typeid(object)});
  }
  append_objects(objects, rest...);
}

template <class... Named>
std::vector<SavedObject> objects_of(const Named&... named) {
  std::vector<SavedObject> objects;
  append_objects(objects, named...);
  return objects;
}

/// As save() below, with what is told about each of `objects`.
void save(const std::string& path, const StateList& state, const Attributes& attributes,
          const std::vector<SavedObject>& objects);

}  // namespace detail

/// The states of several objects in one list, each below its name: collect("model", model, "rng",
/// rng).
template <Saveable Object, class... Rest>
StateList collect(std::string_view name, Object&& object, Rest&&... rest) {
  StateList state;
  detail::append(state, name, object, std::forward<Rest>(rest)...);
  return state;
}

/// Saves pairs of name and object.
template <Saveable Object, class... Rest>
void save(const std::string& path, std::string_view name, Object&& object, Rest&&... rest) {
  detail::save(path, collect(name, object, rest...), {}, detail::objects_of(name, object, rest...));
}

/// Saves pairs of name and object, with attributes.
template <Saveable Object, class... Rest>
void save(const std::string& path, const Attributes& attributes, std::string_view name,
          Object&& object, Rest&&... rest) {
  detail::save(path, collect(name, object, rest...), attributes,
               detail::objects_of(name, object, rest...));
}

/// Restores pairs of name and object. A recurrent state, of a network with the same batch, is
/// replaced, by constants with the values of the file.
template <Saveable Object, class... Rest>
LoadReport load(const std::string& path, std::string_view name, Object&& object, Rest&&... rest) {
  return detail::load_objects(path, {}, {}, name, object, std::forward<Rest>(rest)...);
}

/// Restores pairs of name and object, with options:
///
///     const io::LoadReport report =
///         io::load("model.h5", {.allow_missing = true,
///                               .allow_unexpected = true,
///                               .rename = {{"model/encoder/*", "model/body/*"}}},
///                  "model", model);
template <Saveable Object, class... Rest>
LoadReport load(const std::string& path, const LoadOptions& options, std::string_view name,
                Object&& object, Rest&&... rest) {
  return detail::load_objects(path, options, {}, name, object, std::forward<Rest>(rest)...);
}

}  // namespace rw::io
