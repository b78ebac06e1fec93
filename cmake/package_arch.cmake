# Read by cpack: says in the package which processors it is for, and makes none for this machine
# alone unless REWIND_FOR_THIS_MACHINE is set.
if(CPACK_REWIND_ARCH STREQUAL "native")
  if(NOT REWIND_FOR_THIS_MACHINE)
    message(FATAL_ERROR
      "rewind: this build has -march=native, so a package of it is for processors like this one "
      "only, expected a build for all that may install it: configure with --preset package, or "
      "with -DREWIND_ARCH=x86-64-v3, say. To package this build all the same, add "
      "-D REWIND_FOR_THIS_MACHINE=ON to cpack.")
  endif()
  set(processors "the processor that it was built on, and those that know all its instructions")
elseif(CPACK_REWIND_ARCH)
  set(processors "-march=${CPACK_REWIND_ARCH}")
else()
  set(processors "every processor of its architecture")
endif()
string(APPEND CPACK_PACKAGE_DESCRIPTION "\n\nBuilt for ${processors}.")
