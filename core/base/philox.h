#pragma once
#include <Random123/philox.h>
#include <stdint.h>

/**
 * One Philox 4x32-10 block, inline so that a kernel's loop over many counters is vectorised. Source: Salmon et al., SC
 * 2011.
 */
static inline void hg_philox(const uint32_t counter[4], uint64_t seed, uint32_t words[4])
{
  const philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
  const philox4x32_ctr_t from = {{counter[0], counter[1], counter[2], counter[3]}}, drawn = philox4x32(from, key);
  for (int k = 0; k < 4; k++) words[k] = drawn.v[k];
}
