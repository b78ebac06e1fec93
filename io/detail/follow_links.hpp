#pragma once

#include <string>

#include <rewind/io/detail/file.hpp>
#include <rewind/io/detail/file_target.hpp>

#pragma GCC visibility push(hidden)

namespace rw::io::detail {

/// Where a file is or will be: a name in an open folder.
struct Place {
  Descriptor folder;
  std::string name;  // without '/'; when it was looked at, no symbolic link
};

// Note [Planted links]
// In a folder such as /tmp, where everybody may create files but nobody may remove those of others
// (sticky and writable for all), somebody else can put a symbolic link where a program is about to
// write, and have it replace any file that the program's user may replace. So a link there is
// followed only if it belongs to this user or to the owner of the folder. Linux has the same rule
// for opening files (fs.protected_symlinks in the manual page proc(5)), but we read the links
// ourselves, to replace what they point to. The path is walked with open folders, so that nothing
// can be exchanged between looking and following.

/// Where `target` leads when symbolic links are followed, whether or not there is a file yet.
/// Throws as fail_to_write() does, also for a link that somebody else planted (Note [Planted
/// links]).
Place follow_links(const FileTarget& target);

}  // namespace rw::io::detail

#pragma GCC visibility pop
