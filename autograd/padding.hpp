#pragma once

namespace rw {

/// On which side of a sequence the steps stand that fill it up to the length of its batch.
enum class Padding { after, before };

}  // namespace rw
