// says: load: the object is const; a checkpoint can only be loaded into one that may change
#include <rewind/io/checkpoint.hpp>
#include <rewind/layers/linear.hpp>

void restore(const rw::Linear& model) { rw::io::load("model.h5", "model", model); }
