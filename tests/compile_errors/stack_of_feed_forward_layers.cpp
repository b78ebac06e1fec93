// says: Stacked: every layer must be a SequenceLayer; a cell becomes one as Recurrent<Cell>
#include <rewind/layers/linear.hpp>
#include <rewind/layers/stacked.hpp>

using Wrong = rw::Stacked<rw::Linear>;
Wrong wrong;
