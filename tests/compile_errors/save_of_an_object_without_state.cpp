// says: save: a checkpoint cannot hold an object of this type; see io::Saveable
#include <rewind/io/checkpoint.hpp>
#include <rewind/layers/linear.hpp>

struct Settings {};

void save(const rw::Linear& model) {
  rw::io::save("run.h5", "model", model, "settings", Settings{});
}
