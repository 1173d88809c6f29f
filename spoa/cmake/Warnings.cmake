# tollgate_warnings: every target's warnings; a flag the compiler does not know is left out.
include(CheckCCompilerFlag)

add_library(tollgate_warnings INTERFACE)
set(flags
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wimplicit-fallthrough -Wundef -Wcast-qual -Wwrite-strings
  -Wpointer-arith -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
foreach(flag IN LISTS flags)
  string(MAKE_C_IDENTIFIER "HAVE${flag}" have)
  check_c_compiler_flag("${flag}" ${have})
  if(${have})
    target_compile_options(tollgate_warnings INTERFACE "${flag}")
  endif()
endforeach()
if(TOLLGATE_WERROR)
  target_compile_options(tollgate_warnings INTERFACE -Werror)
endif()
