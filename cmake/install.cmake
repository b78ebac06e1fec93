# cmake --install: headers, libraries, rewind-inspect, gdb's printers, the licence, and the package files behind
# find_package(rewind) and pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(REWIND_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/rewind)

foreach(folder IN LISTS REWIND_LIBRARIES)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION include/rewind
          FILES_MATCHING PATTERN *.hpp PATTERN gdb EXCLUDE PATTERN inspect EXCLUDE)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/autograd/gdb/rewind_printers.py
        DESTINATION ${CMAKE_INSTALL_DATADIR}/rewind/gdb)
install(FILES ${REWIND_INCLUDE_DIR}/rewind.hpp ${REWIND_INCLUDE_DIR}/version.hpp
        DESTINATION include/rewind)

list(TRANSFORM REWIND_LIBRARIES PREPEND rewind_ OUTPUT_VARIABLE library_targets)
install(TARGETS rewind ${library_targets} EXPORT rewind-targets)
if(REWIND_BUILD_INSPECT)
  install(TARGETS rewind-inspect)
endif()
install(EXPORT rewind-targets NAMESPACE rewind:: DESTINATION ${REWIND_PACKAGE_DIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

get_target_property(REWIND_LIBRARY_TYPE rewind_autograd TYPE)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/rewind-config.cmake.in ${PROJECT_BINARY_DIR}/rewind-config.cmake
  INSTALL_DESTINATION ${REWIND_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rewind-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/rewind-config.cmake
  ${PROJECT_BINARY_DIR}/rewind-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/dependencies.cmake
  ${PROJECT_SOURCE_DIR}/cmake/exported_options.cmake
  DESTINATION ${REWIND_PACKAGE_DIR})

# Appends to `options` what links `library`, an imported target: as short as the linker allows.
function(rewind_append_link_options options library)
  get_target_property(file ${library} IMPORTED_LOCATION)
  cmake_path(GET file PARENT_PATH folder)
  cmake_path(GET file STEM name)
  string(REGEX REPLACE "^lib" "" name ${name})
  if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
    string(APPEND ${options} " -L${folder}")
  endif()
  set(${options} "${${options}} -l${name}" PARENT_SCOPE)
endfunction()

# What CMake tells programs through targets. fmt has a file of its own for pkg-config.
list(TRANSFORM REWIND_LIBRARIES PREPEND -lrewind_ OUTPUT_VARIABLE REWIND_PC_LIBS)
list(REVERSE REWIND_PC_LIBS)  # a static library stands before what it needs
list(JOIN REWIND_PC_LIBS " " REWIND_PC_LIBS)
set(REWIND_PC_LINKED "")
rewind_append_link_options(REWIND_PC_LINKED HDF5::C)
rewind_append_link_options(REWIND_PC_LINKED DNNL::dnnl)
string(APPEND REWIND_PC_LINKED " -lgomp")
set(REWIND_PC_LIBS_PRIVATE "")
if(REWIND_LIBRARY_TYPE STREQUAL "STATIC_LIBRARY")
  string(APPEND REWIND_PC_LIBS "${REWIND_PC_LINKED}")
else()
  string(APPEND REWIND_PC_LIBS_PRIVATE "${REWIND_PC_LINKED}")
endif()
set(REWIND_PC_CFLAGS "-std=c++20 -ffp-contract=off")
if(REWIND_ARCH)
  string(APPEND REWIND_PC_CFLAGS " -march=${REWIND_ARCH}")
endif()
get_target_property(xsimd_folder xsimd::headers INTERFACE_INCLUDE_DIRECTORIES)
if(NOT xsimd_folder IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
  string(APPEND REWIND_PC_CFLAGS " -I${xsimd_folder}")
endif()
# From the file's folder to the prefix, wherever that is.
file(RELATIVE_PATH REWIND_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" REWIND_PC_PREFIX ${REWIND_PC_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/rewind.pc.in ${PROJECT_BINARY_DIR}/rewind.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/rewind.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
