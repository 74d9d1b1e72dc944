#pragma once
/**
 * Lanes of a register closed up and opened again, for bodies that are compiled with AVX-512. The other lanes keep what
 * they had, and are for the caller to leave out: where they become zeros (maskz_compress, maskz_expand) a Zen 5 waits
 * for what was in the register of the result before, so that a row of such instructions takes four times as long.
 */
#include <immintrin.h>

/** The chosen lanes come first, in order. */
static inline __m512 compress(__mmask16 chosen, __m512 v) { return _mm512_mask_compress_ps(v, chosen, v); }
static inline __m512i compress_integers(__mmask16 chosen, __m512i v)
{
  return _mm512_mask_compress_epi32(v, chosen, v);
}

/** The first lanes go where the chosen ones are, in order. */
static inline __m512 expand(__mmask16 chosen, __m512 close) { return _mm512_mask_expand_ps(close, chosen, close); }
