#pragma once
/**
 * What is done with at most 64 columns of a row and the word that says which are not 0: to find it, to close these up,
 * to open them again, and to close up a byte each. Included by bodies that are compiled once for each instruction set.
 */
#include <string.h>

#include "core/tensor/nonzero.h"
#include "core/tensor/vector.h"

#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
#  include "core/tensor/lanes_avx512.h"

static inline __mmask16 first_lanes(int n) { return (__mmask16)(n >= LANES ? 0xffffU : (1U << n) - 1); }

static inline uint64_t nonzeros(const hg_real *x, int n)
{
  uint64_t bits = 0;
  for (int c = 0; c < n; c += LANES) {
    __mmask16 lanes = first_lanes(n - c);
    __m512 v = _mm512_maskz_loadu_ps(lanes, x + c);
    bits |= (uint64_t)_mm512_mask_cmp_ps_mask(lanes, v, _mm512_setzero_ps(), _CMP_NEQ_UQ) << c;
  }
  return bits;
}

// how many of the bits before bit c, at most 48, are set: of each sixteenth lane without waiting for those before
static inline int set_before(uint64_t bits, int c) { return __builtin_popcountll(bits & ((1ULL << c) - 1)); }

static inline void close_lanes(const hg_real *x, int c, uint64_t bits, hg_real *to)
{
  __mmask16 chosen = (__mmask16)(bits >> c);
  __m512 v = compress(chosen, _mm512_maskz_loadu_ps(chosen, x + c));
  _mm512_mask_storeu_ps(to + set_before(bits, c), first_lanes(__builtin_popcount(chosen)), v);
}

static inline uint8_t *close_reals(const hg_real *x, int n, uint64_t bits, uint8_t *to)
{
  hg_real *values = (hg_real *)(void *)to;
#  pragma GCC unroll 4
  for (int c = 0; c < HG_MASK_COLUMNS; c += LANES)
    if (c < n) close_lanes(x, c, bits, values);
  return to + (size_t)__builtin_popcountll(bits) * sizeof *x;
}

static inline void open_lanes(const hg_real *from, int c, int n, uint64_t bits, bool add, hg_real *y)
{
  __mmask16 chosen = (__mmask16)(bits >> c), lanes = first_lanes(n - c);
  __m512 close = _mm512_maskz_loadu_ps(first_lanes(__builtin_popcount(chosen)), from + set_before(bits, c));
  __m512 v = _mm512_maskz_mov_ps(chosen, expand(chosen, close));
  if (add) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(lanes, y + c));
  if (n - c >= LANES)
    _mm512_storeu_ps(y + c, v);
  else
    _mm512_mask_storeu_ps(y + c, lanes, v);
}

static inline const uint8_t *open_reals(const uint8_t *from, int n, uint64_t bits, bool add, hg_real *y)
{
  const hg_real *values = (const hg_real *)(const void *)from;
#  pragma GCC unroll 4
  for (int c = 0; c < HG_MASK_COLUMNS; c += LANES)
    if (c < n) open_lanes(values, c, n, bits, add, y);
  return from + (size_t)__builtin_popcountll(bits) * sizeof *y;
}

// 64 columns of which all have room: what stands after the values is written over. Returns the word that tells them.
static inline uint64_t close_word(const hg_real *x, hg_real *to)
{
  uint64_t bits = 0;
#  pragma GCC unroll 4
  for (int c = 0; c < HG_MASK_COLUMNS; c += LANES) {
    __m512 v = _mm512_loadu_ps(x + c);
    __mmask16 chosen = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
    _mm512_storeu_ps(to, compress(chosen, v));
    to += __builtin_popcount(chosen);
    bits |= (uint64_t)chosen << c;
  }
  return bits;
}

// 64 columns from values after which a register more may be read
static inline void open_word(const hg_real *from, uint64_t bits, hg_real *y)
{
#  pragma GCC unroll 4
  for (int c = 0; c < HG_MASK_COLUMNS; c += LANES) {
    __mmask16 chosen = (__mmask16)(bits >> c);
    __m512 v = expand(chosen, _mm512_loadu_ps(from + set_before(bits, c)));
    _mm512_storeu_ps(y + c, _mm512_maskz_mov_ps(chosen, v));
  }
}

static inline int close_bytes(const uint8_t *q, int n, uint64_t bits, uint8_t *to)
{
  int count = 0;
  for (int c = 0; c < n; c += LANES, bits >>= LANES) {
    __mmask16 chosen = (__mmask16)bits;
    __m512i wide = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(n - c), q + c));
    _mm_storeu_si128((__m128i *)(void *)(to + count), _mm512_cvtepi32_epi8(compress_integers(chosen, wide)));
    count += __builtin_popcount(chosen);
  }
  return count;
}
#else
static inline uint64_t nonzeros(const hg_real *x, int n)
{
  uint64_t bits = 0;
  for (int c = 0; c < n; c++) bits |= (uint64_t)(x[c] != 0) << c;
  return bits;
}

static inline uint8_t *close_reals(const hg_real *x, int n, uint64_t bits, uint8_t *to)
{
  hg_real close[HG_MASK_COLUMNS];
  int count = 0;
  for (int c = 0; c < n; c++) { // overwritten where it is not wanted: no branch
    close[count] = x[c];
    count += (int)(bits >> c & 1);
  }
  memcpy(to, close, (size_t)count * sizeof *close);
  return to + (size_t)count * sizeof *close;
}

static inline const uint8_t *open_reals(const uint8_t *from, int n, uint64_t bits, bool add, hg_real *y)
{
  hg_real close[HG_MASK_COLUMNS + 1];
  int count = 0, taken = 0;
  for (int c = 0; c < n; c++) count += (int)(bits >> c & 1);
  memcpy(close, from, (size_t)count * sizeof *close);
  close[count] = 0;
  for (int c = 0; c < n; c++) {
    int here = (int)(bits >> c & 1);
    hg_real value = here ? close[taken] : 0;
    y[c] = add ? y[c] + value : value;
    taken += here;
  }
  return from + (size_t)count * sizeof *close;
}

static inline uint64_t close_word(const hg_real *x, hg_real *to)
{
  uint64_t bits = nonzeros(x, HG_MASK_COLUMNS);
  close_reals(x, HG_MASK_COLUMNS, bits, (uint8_t *)to);
  return bits;
}

static inline void open_word(const hg_real *from, uint64_t bits, hg_real *y)
{
  open_reals((const uint8_t *)from, HG_MASK_COLUMNS, bits, false, y);
}

static inline int close_bytes(const uint8_t *q, int n, uint64_t bits, uint8_t *to)
{
  int count = 0;
  for (int c = 0; c < n; c++) { // overwritten where it is not wanted: no branch
    to[count] = q[c];
    count += (int)(bits >> c & 1);
  }
  return count;
}
#endif
