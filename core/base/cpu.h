#pragma once
#include <stdbool.h>

typedef enum { HG_SIMD_BASE, HG_SIMD_AVX2, HG_SIMD_AVX512, HG_SIMD_COUNT } hg_simd;

/** The widest instruction set of this processor, lowered by HALOGNN_SIMD=base|avx2|avx512 in the environment. */
hg_simd hg_simd_level(void);

/** Whether it multiplies bfloat16 (AVX512_BF16) on top of HG_SIMD_AVX512; HALOGNN_SIMD=avx512 does without. */
bool hg_simd_bf16(void);

/** Whether AMD made it: not all that is faster on Intel's processors is on these. */
bool hg_cpu_is_amd(void);

const char *hg_simd_name(hg_simd level);
