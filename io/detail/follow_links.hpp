#pragma once

#include <string>

#include <rewind/io/detail/file.hpp>
#include <rewind/io/detail/file_target.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Where a file is or will be: a name in an open folder.
struct FolderEntry {
  Descriptor folder;
  std::string name;  // without '/'; was not a symbolic link when checked
};

// Note [Planted links]
// In a folder such as /tmp, where everybody may create files but not remove those of others (sticky
// and world-writable), another user can place a symbolic link where a program is about to write,
// and so make it replace any file that the program's user may replace. So in such a folder a link
// is followed only if it belongs to this user or to the owner of the folder. Linux has the same
// rule for opening files (fs.protected_symlinks in the manual page proc(5)), but we read links
// ourselves, to replace the files that they point to. The path is walked through open folders, so
// that nothing can be exchanged between checking and following.

/// Where `target` leads when symbolic links are followed, whether or not a file exists there.
/// Throws as fail_to_write() does, also for a link that another user planted (Note [Planted
/// links]).
FolderEntry follow_links(const FileTarget& target);

}  // namespace rw::io::detail

#pragma GCC visibility pop
