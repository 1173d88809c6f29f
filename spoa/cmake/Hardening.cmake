# tollgate_hardening: what makes a memory error hard to use. Probed, since compilers differ.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)

check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(tollgate_hardening INTERFACE)
foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
             -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr -fstrict-flex-arrays=3
             -fno-delete-null-pointer-checks)
  string(MAKE_C_IDENTIFIER "HAVE${flag}" have)
  check_c_compiler_flag("${flag}" ${have})
  if(${have})
    target_compile_options(tollgate_hardening INTERFACE "${flag}")
  endif()
endforeach()
foreach(flag -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
  string(MAKE_C_IDENTIFIER "HAVE${flag}" have)
  check_linker_flag(C "${flag}" ${have})
  if(${have})
    target_link_options(tollgate_hardening INTERFACE "${flag}")
  endif()
endforeach()
# Fortification needs optimisation and disturbs the sanitizers' own checks.
if(NOT TOLLGATE_SANITIZE AND NOT TOLLGATE_FUZZ)
  target_compile_options(tollgate_hardening INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
endif()
