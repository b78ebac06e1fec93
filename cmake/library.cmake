# Warnings of our own targets. Linked privately: they never reach a user's program.
add_library(rewind_warnings INTERFACE)
target_compile_options(rewind_warnings INTERFACE
  -Wall -Wextra -Wconversion $<$<BOOL:${REWIND_WERROR}>:-Werror>
  # False alarms of g++ 12: its own AVX-512 intrinsics start from uninitialised registers on purpose
  # (GCC bug 105593), and it misjudges a buffer inside fmt and std::string::insert (bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized;-Wno-maybe-uninitialized;-Wno-stringop-overflow>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)

# So that plug-ins and modules of other languages can link the library too. Thread-local variables are
# then found by a call, which the linker takes out again wherever it makes a program. The model
# `initial-exec` would save the call in a plug-in too, but then dlopen() needs room for all variables of
# the plug-in in a reserve of some hundred bytes that all plug-ins of a process share.
function(rewind_position_independent target)
  if(NOT DEFINED CMAKE_POSITION_INDEPENDENT_CODE)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
  # Nobody replaces a function of the library at run time: the compiler may inline as in a program.
  target_compile_options(${target} PRIVATE -fno-semantic-interposition)
endfunction()

# Compiles several sources at once: most of the time goes into headers that all of them include.
function(rewind_unity_build target)
  set_target_properties(${target} PROPERTIES
    UNITY_BUILD ${REWIND_UNITY_BUILD} UNITY_BUILD_BATCH_SIZE 8)
endfunction()

# What a shared library shows is its API: what stands in a namespace of rw, without the inline
# functions, which every user compiles, and without what internal headers declare: these begin with
# `#pragma GCC visibility push(hidden)` (tests/lint/includes.sh says which headers are internal).
# Where an API class has a member of an internal class, g++ wants the class seen, and its functions
# are hidden one by one. cmake/exports.map hides the rest: what templates of other libraries leave
# behind. The compiler's part is the same for a static library, which a user may put into a shared
# one.
function(rewind_hide_internals target)
  set_target_properties(${target} PROPERTIES VISIBILITY_INLINES_HIDDEN ON)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL SHARED_LIBRARY)
    set(exports ${PROJECT_SOURCE_DIR}/cmake/exports.map)
    target_link_options(${target} PRIVATE -Wl,--version-script=${exports} -Wl,-z,defs)
    # Until 1.0, a new minor version may change every class.
    set_target_properties(${target} PROPERTIES
      LINK_DEPENDS ${exports}
      VERSION ${PROJECT_VERSION}
      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
      DEFINE_SYMBOL ""
      INSTALL_RPATH $ORIGIN)  # each finds autograd beside it
  endif()
endfunction()

# Adds the library of the current folder: target rewind_<folder>, alias rewind::<folder>, made of
# every .cpp below it, but for the subfolder EXCLUDE. PUBLIC and PRIVATE list its dependencies. A
# folder that is headers only becomes an interface library; PRIVATE dependencies mean nothing there.
function(rewind_add_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "EXCLUDE" "PUBLIC;PRIVATE")
  set(target rewind_${folder})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  if(arg_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "^${CMAKE_CURRENT_SOURCE_DIR}/${arg_EXCLUDE}/")
  endif()
  if(sources)
    set(visibility PUBLIC)
    add_library(${target} ${sources})
    # Seen by the build only: an installed Rewind asks nobody for its warnings.
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE} $<BUILD_INTERFACE:rewind_warnings>)
    rewind_position_independent(${target})
    rewind_unity_build(${target})
    rewind_hide_internals(${target})
  else()
    set(visibility INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(rewind::${folder} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${folder})
  target_compile_features(${target} ${visibility} cxx_std_20)
  target_include_directories(${target} ${visibility}
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
    $<INSTALL_INTERFACE:include>)
  target_link_libraries(${target} ${visibility} ${arg_PUBLIC})
endfunction()
