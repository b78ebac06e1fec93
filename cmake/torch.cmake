# LibTorch, where it is installed: rewind_torch_found, and rewind_use_torch(target) to compile and
# link a target with it. Its headers are written for C++17.
find_path(REWIND_TORCH_INCLUDE_DIR torch/torch.h PATH_SUFFIXES torch/csrc/api/include)
foreach(library torch torch_cpu c10)
  find_library(REWIND_${library}_LIBRARY ${library})
endforeach()
mark_as_advanced(REWIND_TORCH_INCLUDE_DIR REWIND_torch_LIBRARY REWIND_torch_cpu_LIBRARY
  REWIND_c10_LIBRARY)

set(rewind_torch_found FALSE)
if(REWIND_TORCH_INCLUDE_DIR AND REWIND_torch_LIBRARY AND REWIND_torch_cpu_LIBRARY
   AND REWIND_c10_LIBRARY)
  set(rewind_torch_found TRUE)
endif()

function(rewind_use_torch target)
  target_include_directories(${target} SYSTEM PRIVATE ${REWIND_TORCH_INCLUDE_DIR})
  target_link_libraries(${target} PUBLIC
    ${REWIND_torch_LIBRARY} ${REWIND_torch_cpu_LIBRARY} ${REWIND_c10_LIBRARY})
endfunction()
