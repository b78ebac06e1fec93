# Makes <build>/include/rewind: one link per library folder, so that a header is spelled
# <rewind/autograd/tensor.hpp> in the source tree, the build tree and the installed tree alike, and
# the two generated headers <rewind/rewind.hpp> and <rewind/version.hpp>.

set(REWIND_LIBRARIES autograd layers optim io)
set(REWIND_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include/rewind)
file(MAKE_DIRECTORY ${REWIND_INCLUDE_DIR})
foreach(folder IN LISTS REWIND_LIBRARIES)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${REWIND_INCLUDE_DIR}/${folder} SYMBOLIC)
endforeach()

# rewind.hpp includes every public header: all but kernels and what lies in subfolders.
set(REWIND_INCLUDES "#include <rewind/version.hpp>\n")
foreach(folder IN LISTS REWIND_LIBRARIES)
  file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
       ${PROJECT_SOURCE_DIR}/${folder}/*.hpp)
  list(FILTER headers EXCLUDE REGEX "_kernels?\\.hpp$")
  foreach(header IN LISTS headers)
    string(APPEND REWIND_INCLUDES "#include <rewind/${header}>\n")
  endforeach()
endforeach()
configure_file(${PROJECT_SOURCE_DIR}/cmake/rewind.hpp.in ${REWIND_INCLUDE_DIR}/rewind.hpp @ONLY)
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.hpp.in ${REWIND_INCLUDE_DIR}/version.hpp @ONLY)
