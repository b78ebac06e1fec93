# cpack -G DEB: one Debian package of all that is installed. Only where the owner of the build tree
# is Rewind itself.

# Finds out how a package that was built with Debian package `name` depends on it: on the version
# that is installed, and on its major version, of which the library holds functions and templates.
function(rewind_append_dependency list name)
  set(dependency ${name})
  execute_process(COMMAND dpkg-query --show --showformat=\${Version} ${name}
                  OUTPUT_VARIABLE version ERROR_QUIET)
  if(version MATCHES "^(([0-9]+:)?([0-9]+)(\\.[0-9]+)*)")
    math(EXPR next "${CMAKE_MATCH_3} + 1")
    set(dependency "${name} (>= ${CMAKE_MATCH_1}), ${name} (<< ${CMAKE_MATCH_2}${next}~)")
  endif()
  set(${list} ${${list}} ${dependency} PARENT_SCOPE)
endfunction()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME librewind-dev)
set(CPACK_PACKAGE_CONTACT "the Rewind developers")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)

# README's first paragraph says what Rewind is.
file(READ ${PROJECT_SOURCE_DIR}/README.md readme)
string(REGEX MATCH "\n\n([^\n]+(\n[^\n]+)*)" readme "${readme}")
string(REPLACE "\n" " " CPACK_PACKAGE_DESCRIPTION "${CMAKE_MATCH_1}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")

rewind_append_dependency(CPACK_DEBIAN_PACKAGE_DEPENDS libdnnl-dev)
rewind_append_dependency(CPACK_DEBIAN_PACKAGE_DEPENDS libfmt-dev)
rewind_append_dependency(CPACK_DEBIAN_PACKAGE_DEPENDS libhdf5-dev)
rewind_append_dependency(CPACK_DEBIAN_PACKAGE_DEPENDS libxsimd-dev)
list(JOIN CPACK_DEBIAN_PACKAGE_DEPENDS ", " CPACK_DEBIAN_PACKAGE_DEPENDS)
if(REWIND_LIBRARY_TYPE STREQUAL "SHARED_LIBRARY")
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
  foreach(folder IN LISTS REWIND_LIBRARIES)
    list(APPEND CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/${folder})
  endforeach()
endif()

set(CPACK_REWIND_ARCH "${REWIND_ARCH}")
if("${CMAKE_CXX_FLAGS};${REWIND_OWN_OPTIONS}" MATCHES "-m(arch|cpu)=native")
  set(CPACK_REWIND_ARCH native)
endif()
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/cmake/package_arch.cmake)
include(CPack)
