# Programs that link Rewind are compiled with its -march and -ffp-contract=off unless they choose
# themselves. CMake puts the options of libraries behind a target's own, where they would win; so,
# when all targets are known, those that bring an option of their own are marked, and
# autograd/CMakeLists.txt leaves Rewind's out for them. REWIND_EXPORT_ARCH=OFF, as a variable or as a
# property of a target, leaves -march out whatever the target's options are.
#
# Used by the build and, once installed, by find_package(rewind).

# Whether any of the options that `target`, of `folder`, brings itself matches `pattern`.
function(rewind_target_has_option result target folder pattern)
  set(options "")
  foreach(property COMPILE_OPTIONS COMPILE_FLAGS)
    get_target_property(value ${target} ${property})
    if(value)
      list(APPEND options ${value})
    endif()
  endforeach()
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  foreach(variable CMAKE_CXX_FLAGS CMAKE_CXX_FLAGS_${type})
    get_directory_property(value DIRECTORY ${folder} DEFINITION ${variable})
    list(APPEND options ${value})
  endforeach()
  if(options MATCHES "${pattern}")
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

function(rewind_mark_targets_of folder)
  get_directory_property(exported DIRECTORY ${folder} DEFINITION REWIND_EXPORT_ARCH)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    rewind_target_has_option(own_arch ${target} ${folder} "-march=|-mcpu=")
    get_target_property(exported_to_target ${target} REWIND_EXPORT_ARCH)
    foreach(choice IN ITEMS "${exported}" "${exported_to_target}")
      if(NOT choice STREQUAL "" AND NOT choice MATCHES "-NOTFOUND$" AND NOT choice)
        set(own_arch TRUE)
      endif()
    endforeach()
    rewind_target_has_option(own_contraction ${target} ${folder}
                             "-ffp-contract|-ffast-math|-Ofast|-funsafe-math")
    set_target_properties(${target} PROPERTIES
      REWIND_OWN_ARCH ${own_arch} REWIND_OWN_CONTRACTION ${own_contraction})
  endforeach()
  get_property(subfolders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(subfolder IN LISTS subfolders)
    rewind_mark_targets_of(${subfolder})
  endforeach()
endfunction()

get_property(rewind_marks_targets GLOBAL PROPERTY REWIND_MARKS_TARGETS)
if(NOT rewind_marks_targets)
  set_property(GLOBAL PROPERTY REWIND_MARKS_TARGETS TRUE)
  cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL rewind_mark_targets_of ${CMAKE_SOURCE_DIR})
endif()
