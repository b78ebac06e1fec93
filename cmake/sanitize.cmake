# REWIND_SANITIZE instruments everything below this folder, so that libraries, tests and experiments
# always agree. A finding ends the program.

if(REWIND_SANITIZE)
  add_compile_options(-fsanitize=${REWIND_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  # Checks at every access to memory, where the address sanitizer looks already: they more than double
  # the time to compile.
  add_compile_options(-fno-sanitize=null,alignment,object-size,vptr)
  add_link_options(-fsanitize=${REWIND_SANITIZE})
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # The instrumentation hides initialisations from GCC's flow analysis (GCC bug 80635).
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()
