# What every file of ours is compiled with. Baseline x86-64: never -march=native.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(hg_flags INTERFACE)
target_include_directories(hg_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_include_directories(hg_flags SYSTEM INTERFACE ${RANDOM123_INCLUDE})
target_compile_definitions(hg_flags INTERFACE _GNU_SOURCE)
target_compile_options(hg_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wundef -Wcast-qual -Wwrite-strings -fno-math-errno -fno-trapping-math -ffp-contract=off)
# "omp simd" is a permission; clang warns where it made no use of it.
target_compile_options(hg_flags INTERFACE $<$<C_COMPILER_ID:Clang>:-Wno-pass-failed>)
if(HALOGNN_WERROR)
  target_compile_options(hg_flags INTERFACE -Werror)
endif()
if(HALOGNN_FLOAT64)
  target_compile_definitions(hg_flags INTERFACE HALOGNN_FLOAT64)
endif()
if(HALOGNN_SANITIZE)
  target_compile_options(hg_flags INTERFACE -fsanitize=${HALOGNN_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(hg_flags INTERFACE -fsanitize=${HALOGNN_SANITIZE})
endif()
