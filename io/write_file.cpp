#include <rewind/io/detail/replace_file.hpp>
#include <rewind/io/write_file.hpp>

namespace rw::io {

void write_file(const std::string& path, std::string_view content) {
  detail::replace_file({detail::FileKind::text, path, "write_file"}, content);
}

}  // namespace rw::io
