#include "core/base/cpu.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[HG_SIMD_COUNT] = {"base", "avx2", "avx512"};

const char *hg_simd_name(hg_simd level) { return names[level]; }

hg_simd hg_simd_level(void)
{
  hg_simd level = HG_SIMD_BASE;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) level = HG_SIMD_AVX2;
  if (level == HG_SIMD_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
    level = HG_SIMD_AVX512;
  const char *wanted = getenv("HALOGNN_SIMD");
  for (int k = 0; wanted && k < (int)level; k++)
    if (strcmp(wanted, names[k]) == 0) return (hg_simd)k;
  return level;
}

bool hg_cpu_is_amd(void) { return __builtin_cpu_is("amd"); }

bool hg_simd_bf16(void)
{
  const char *wanted = getenv("HALOGNN_SIMD");
  return __builtin_cpu_supports("avx512bf16") && hg_simd_level() == HG_SIMD_AVX512 &&
         !(wanted && strcmp(wanted, names[HG_SIMD_AVX512]) == 0);
}
