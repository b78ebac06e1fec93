#pragma once
// Checkpoints: the state of layers, optimisers and generators in one HDF5 file.
//
//     io::save("model.h5", "model", model, "optimizer", optimizer, "rng", rng);
//     io::load("model.h5", "model", model, "optimizer", optimizer, "rng", rng);
//     io::load("model.h5", {.allow_unexpected = true}, "model", model);
//
// Each name becomes a group, and each path below it a dataset: /model/cell/w_x. Every HDF5 tool can
// read the file. The attributes of a group describe what was saved there: "rewind:kind" is the
// object's type in C++, "rewind:tensors" and "rewind:values" count what is below the group. Loading
// relies on none of this: see Note [Checkpoint format], io/detail/checkpoint_index.hpp, and
// docs/checkpoints.md.
//
// A file also holds the options that say what an object's numbers mean, such as a cell's activation
// or an optimiser's beta1. Loading compares them, and checks that the values are possible: that a
// count is not negative, that a generator's state is not all zeros.

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rewind/autograd/tensor/shape.hpp>
#include <rewind/autograd/tensor/state.hpp>
#include <rewind/io/detail/checkpoint_object.hpp>
#include <rewind/io/error.hpp>

namespace rw::io {

/// Short texts saved beside the state, such as the options a model was built with. Names and values
/// hold no NUL; names do not begin with "rewind:"; name and value together have at most 60,000
/// bytes. In HDF5 they are UTF-8 strings of fixed length, which h5py shows as bytes:
/// attrs["cell"].decode().
using Attributes = std::map<std::string, std::string>;

/// One dataset of a checkpoint.
struct EntryInfo {
  std::string path;
  Shape shape;
  DType dtype = DType::float32;
};

/// Loads entries of a file under another name: those whose path matches `from`. A '*' in `from`
/// matches any text, and that text replaces the '*' in `to`.
struct Rename {
  std::string from;  ///< as list() gives it, for example "model/encoder/*"
  std::string to;    ///< for example "model/body/*"
};

struct LoadOptions {
  /// Entries that the file lacks keep their values, for example those of a new layer.
  bool allow_missing = false;
  /// Entries that only the file has are ignored, for example to load only the model from a training
  /// checkpoint.
  bool allow_unexpected = false;
  /// Entries whose shape or type differs in the file keep their values, for example an output layer
  /// for other classes.
  bool allow_mismatched = false;
  /// Options that may differ from the saved ones, by the paths that the message gives:
  /// "optimizer/beta1". A '*' matches any text: "model/*/dropout".
  std::vector<std::string> allow_different = {};
  /// Refuse weights that are infinite or NaN.
  bool require_finite = false;
  /// The first that matches an entry applies.
  std::vector<Rename> rename = {};
};

/// What load() did. Paths are those of the state, except in `unexpected`, which has the file's own.
struct LoadReport {
  std::vector<std::string> loaded;
  std::vector<std::string> missing;     ///< not in the file
  std::vector<std::string> unexpected;  ///< in the file, not in the state
  std::vector<std::string> mismatched;  ///< of another shape or type in the file
  /// One line on why resumed training may differ in the last bits from an uninterrupted run:
  /// another version, instruction set or number of threads. Empty if it will not differ.
  std::string inexact;

  /// Whether all of the state was loaded.
  bool complete() const { return missing.empty() && mismatched.empty(); }
};

/// "12 loaded; missing: model/head/weight, model/head/bias".
std::string to_string(const LoadReport& report);

/// Writes `state` and `attributes` to `path`. A file there is replaced at once or not at all: the
/// new file is complete and flushed to disk before it takes the old one's name, owner and mode. A
/// symbolic link is followed, even if its target does not exist yet, unless another user planted it
/// in a folder such as /tmp (see write_file()). The same state gives the same bytes, in whatever
/// order it is listed. Throws CheckpointWriteError, which leaves the old file as it was; UsageError
/// for a path that occurs twice or is not made of names separated by '/', and for attributes that
/// break the rules above.
void save(const std::string& path, const StateList& state, const Attributes& attributes = {});

/// Restores `state` from `path`. Paths, shapes, types and options must match exactly, except where
/// `options` allows differences; otherwise throws one StateMismatch that lists every missing,
/// unexpected, misshapen or mistyped entry and every option that differs. Throws StateMismatch also
/// if nothing at all would be loaded; UsageError for a renaming that matches no entry of the file
/// or gives two entries the same name; CheckpointRefused for values that are impossible for the
/// object, such as a negative learning rate; and CheckpointReadError or CheckpointCorrupt. On any
/// error, no value has changed. Everything that is loaded has been checked against its digest; the
/// rest of the file is not read. Takes as much memory again as is loaded. Restoring counts as a
/// mutation (Note [Version counters]).
///
/// HDF5 files that Rewind wrote before checkpoints had an index are read too, by libhdf5 in a child
/// process.
LoadReport load(const std::string& path, const StateList& state, const LoadOptions& options = {});

/// The texts saved beside the state; for a file without an index, the root's attributes that are
/// strings of fixed length. Throws as load() does if the file cannot be read.
Attributes read_attributes(const std::string& path);

/// What the checkpoint holds, in order of path. Reads the index only, of a foreign file all of it.
/// Throws as load() does if the file cannot be read.
std::vector<EntryInfo> list(const std::string& path);

/// What a checkpoint can hold: anything that state_of() takes, such as layers, optimisers and
/// generators; a tensor or a list of them; a History or a Vocabulary; and a number, a flag or a
/// text of any length, such as JSON.
template <class T>
concept Saveable = detail::IsSaveable<T>;

namespace detail {

void save(const std::string& path, const std::vector<ObjectToSave>& objects,
          const Attributes& attributes);
LoadReport load(const std::string& path, const std::vector<ObjectToLoad>& objects,
                const LoadOptions& options);

}  // namespace detail

/// The states of several objects in one list, each below its name: collect("model", model, "rng",
/// rng).
template <Saveable Object, class... Rest>
StateList collect(std::string_view name, Object&& object, Rest&&... rest) {
  return detail::whole_state(detail::objects_to_save(name, object, rest...));
}

/// Saves pairs of name and object.
template <Saveable Object, class... Rest>
void save(const std::string& path, std::string_view name, Object&& object, Rest&&... rest) {
  detail::save(path, detail::objects_to_save(name, object, rest...), {});
}

/// Saves pairs of name and object, with attributes.
template <Saveable Object, class... Rest>
void save(const std::string& path, const Attributes& attributes, std::string_view name,
          Object&& object, Rest&&... rest) {
  detail::save(path, detail::objects_to_save(name, object, rest...), attributes);
}

/// Restores pairs of name and object. The tensors of a recurrent state, which must have the same
/// batch size, are replaced by constants with the values of the file.
template <Saveable Object, class... Rest>
LoadReport load(const std::string& path, std::string_view name, Object&& object, Rest&&... rest) {
  return detail::load(
      path,
      detail::objects_to_load(name, std::forward<Object>(object), std::forward<Rest>(rest)...), {});
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
  return detail::load(
      path,
      detail::objects_to_load(name, std::forward<Object>(object), std::forward<Rest>(rest)...),
      options);
}

}  // namespace rw::io
