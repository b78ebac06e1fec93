#pragma once

#include <string>
#include <string_view>

#include <rewind/io/error.hpp>

namespace rw::io {

/// Writes `content` to the file `path`. The new file is complete and flushed to disk before it
/// takes the old one's name, owner, group and mode, so that a reader sees either the old content or
/// the new. All tables, pictures and checkpoints are written this way.
///
/// If the system does not let this user set the owner or group, the file belongs to this user, and
/// a different group gets only the rights that everybody had. A symbolic link is followed, even if
/// its target does not exist yet; but in a sticky folder where everybody may write, such as /tmp,
/// only if the link belongs to this user or to the folder's owner. Devices and pipes are refused.
///
/// Throws FileError, which leaves the old file as it was.
void write_file(const std::string& path, std::string_view content);

}  // namespace rw::io
