# The libraries that Rewind stands on. Used by the build and, once installed, by
# find_package(rewind).

# Defines an imported target from a header and, unless the library is headers only, a library file.
# Preferred to the packages' own files where these ask for more than Rewind uses: oneDNN's demands
# OpenCL's headers, Debian's xsimd links a library xtl that does not exist, and CMake's FindHDF5
# demands a C compiler and links libcurl and libcrypto.
function(rewind_find_library target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "HEADER" "LIBRARIES;HEADER_FOLDERS")
  if(TARGET ${target})
    return()
  endif()
  string(MAKE_C_IDENTIFIER REWIND_${target} name)
  find_path(${name}_INCLUDE_DIR ${arg_HEADER} PATH_SUFFIXES ${arg_HEADER_FOLDERS})
  mark_as_advanced(${name}_INCLUDE_DIR)
  if(NOT ${name}_INCLUDE_DIR)
    return()
  endif()
  if(arg_LIBRARIES)
    find_library(${name}_LIBRARY NAMES ${arg_LIBRARIES})
    mark_as_advanced(${name}_LIBRARY)
    if(NOT ${name}_LIBRARY)
      return()
    endif()
    add_library(${target} UNKNOWN IMPORTED)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${${name}_LIBRARY})
  else()
    add_library(${target} INTERFACE IMPORTED)
  endif()
  set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${${name}_INCLUDE_DIR})
endfunction()

# Finds what a program that uses Rewind is compiled against. Appends to `missing` one
# "name (Debian package)" for each library that is not there.
macro(rewind_find_dependencies missing)
  rewind_find_library(xsimd::headers HEADER xsimd/xsimd.hpp)
  find_package(fmt QUIET)
  rewind_note_missing(${missing} xsimd::headers "xsimd (libxsimd-dev)")
  rewind_note_missing(${missing} fmt::fmt "fmt (libfmt-dev)")
endmacro()

# The same for what Rewind itself is linked with. Where Rewind is static, a program links it too.
macro(rewind_find_linked_dependencies missing)
  rewind_find_library(DNNL::dnnl HEADER dnnl.hpp LIBRARIES dnnl)
  rewind_find_library(HDF5::C HEADER hdf5.h HEADER_FOLDERS hdf5/serial LIBRARIES hdf5_serial hdf5)
  rewind_note_missing(${missing} DNNL::dnnl "oneDNN (libdnnl-dev)")
  rewind_note_missing(${missing} HDF5::C "HDF5 (libhdf5-dev)")
endmacro()

macro(rewind_note_missing missing target name)
  if(NOT TARGET ${target})
    list(APPEND ${missing} "${name}")
  endif()
endmacro()

# Finds all that this build needs, or ends the configuration naming every missing Debian package.
macro(rewind_require_dependencies)
  set(rewind_missing "")
  rewind_find_dependencies(rewind_missing)
  rewind_find_linked_dependencies(rewind_missing)
  find_package(Eigen3 QUIET NO_MODULE)
  rewind_note_missing(rewind_missing Eigen3::Eigen "Eigen (libeigen3-dev)")
  rewind_find_library(xxHash::headers HEADER xxhash.h)
  rewind_note_missing(rewind_missing xxHash::headers "xxHash (libxxhash-dev)")
  if(REWIND_BUILD_INSPECT OR REWIND_BUILD_EXAMPLES OR REWIND_BUILD_TESTS)
    find_package(CLI11 QUIET)
    rewind_note_missing(rewind_missing CLI11::CLI11 "CLI11 (libcli11-dev)")
  endif()
  if(REWIND_BUILD_INSPECT)
    find_package(nlohmann_json QUIET)
    rewind_note_missing(rewind_missing nlohmann_json::nlohmann_json
                        "JSON for Modern C++ (nlohmann-json3-dev)")
  endif()
  if(REWIND_BUILD_TESTS)
    find_package(Boost QUIET COMPONENTS unit_test_framework)
    rewind_note_missing(rewind_missing Boost::unit_test_framework "Boost.Test (libboost-test-dev)")
  endif()
  if(rewind_missing)
    list(JOIN rewind_missing ", " rewind_missing)
    message(FATAL_ERROR
      "rewind: not found: ${rewind_missing}. The name in brackets is the Debian package to "
      "install with apt-get; for a library elsewhere, add its prefix to CMAKE_PREFIX_PATH.")
  endif()
endmacro()
