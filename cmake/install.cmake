# cmake --install: headers, libraries, gdb's printers, the licence, and the package file behind
# find_package(rewind).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(REWIND_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/rewind)

foreach(folder IN LISTS REWIND_LIBRARIES)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION include/rewind
          FILES_MATCHING PATTERN *.hpp PATTERN gdb EXCLUDE)
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/autograd/gdb/rewind_printers.py
        DESTINATION ${CMAKE_INSTALL_DATADIR}/rewind/gdb)
install(FILES ${REWIND_INCLUDE_DIR}/rewind.hpp ${REWIND_INCLUDE_DIR}/version.hpp
        DESTINATION include/rewind)

list(TRANSFORM REWIND_LIBRARIES PREPEND rewind_ OUTPUT_VARIABLE library_targets)
install(TARGETS rewind ${library_targets} EXPORT rewind-targets)
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
