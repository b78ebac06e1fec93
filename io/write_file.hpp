#pragma once

#include <string>
#include <string_view>

#include <rewind/io/error.hpp>

namespace rw::io {

/// Writes `content` to the file `path`, which is complete and flushed to disk before it takes the
/// old one's name, owner, group and mode: whoever opens it sees the old content or the new one. All
/// tables, pictures and checkpoints are written in this way.
///
/// Owner and group are kept as far as the system lets this user; else the file is this user's, and
/// another group than before gets only the rights that everybody had. A symbolic link is followed,
/// to a file that is not there yet too; but in a folder where everybody may write (sticky, as /tmp)
/// only if it belongs to this user or to the folder's owner. Devices and pipes are refused.
///
/// Throws FileError, after which the old file is as it was.
void write_file(const std::string& path, std::string_view content);

}  // namespace rw::io
