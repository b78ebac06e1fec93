// says: load: the object is const; a checkpoint can only be loaded into one that may change
#include <rewind/io/checkpoint.hpp>
#include <rewind/optim/adam.hpp>

void load(const rw::Adam& optimizer) { rw::io::load("run.h5", "optimizer", optimizer); }
