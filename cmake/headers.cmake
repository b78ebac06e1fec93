# Makes <build>/include/rewind: one link per library folder, so that a header is spelled
# <rewind/autograd/tensor/tensor.hpp> in the source tree, the build tree and the installed tree
# alike, and the two generated headers <rewind/rewind.hpp> and <rewind/version.hpp>.

set(REWIND_LIBRARIES autograd layers optim io)
set(REWIND_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include/rewind)
file(MAKE_DIRECTORY ${REWIND_INCLUDE_DIR})
foreach(folder IN LISTS REWIND_LIBRARIES)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${folder} ${REWIND_INCLUDE_DIR}/${folder} SYMBOLIC)
endforeach()

configure_file(${PROJECT_SOURCE_DIR}/cmake/rewind.hpp.in ${REWIND_INCLUDE_DIR}/rewind.hpp @ONLY)
configure_file(${PROJECT_SOURCE_DIR}/cmake/version.hpp.in ${REWIND_INCLUDE_DIR}/version.hpp @ONLY)
