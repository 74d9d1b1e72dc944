#pragma once
#include "core/tensor/nonzero_kernels.h"

#ifdef __AVX512F__
#  include <immintrin.h>
#endif

static inline hg_off row_of(const hg_nonzero_task *t, hg_off k) { return (t->rows ? t->rows[k] : k) * t->cols; }

static inline int word_columns(const hg_nonzero_task *t, int word)
{
  int left = t->cols - word * MASK_COLUMNS;
  return left < MASK_COLUMNS ? left : MASK_COLUMNS;
}

// Three ways with the columns of one word: which are not 0, those to `to`, and back from there.
#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
enum { LANES = 16 };

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

static inline uint8_t *close_up(const hg_real *x, int n, uint64_t bits, uint8_t *to)
{
  for (int c = 0; c < n; c += LANES, bits >>= LANES) {
    __mmask16 chosen = (__mmask16)bits;
    int count = __builtin_popcount(chosen);
    __m512 v = _mm512_maskz_compress_ps(chosen, _mm512_maskz_loadu_ps(chosen, x + c));
    _mm512_mask_storeu_ps(to, first_lanes(count), v);
    to += (size_t)count * sizeof *x;
  }
  return to;
}

static inline const uint8_t *open_up(const uint8_t *from, int n, uint64_t bits, bool add, hg_real *y)
{
  for (int c = 0; c < n; c += LANES, bits >>= LANES) {
    __mmask16 chosen = (__mmask16)bits, lanes = first_lanes(n - c);
    int count = __builtin_popcount(chosen);
    __m512 v = _mm512_maskz_expand_ps(chosen, _mm512_maskz_loadu_ps(first_lanes(count), from));
    if (add) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(lanes, y + c));
    _mm512_mask_storeu_ps(y + c, lanes, v);
    from += (size_t)count * sizeof *y;
  }
  return from;
}
#else
static inline uint64_t nonzeros(const hg_real *x, int n)
{
  uint64_t bits = 0;
  for (int c = 0; c < n; c++) bits |= (uint64_t)(x[c] != 0) << c;
  return bits;
}

static inline uint8_t *close_up(const hg_real *x, int n, uint64_t bits, uint8_t *to)
{
  hg_real close[MASK_COLUMNS];
  int count = 0;
  for (int c = 0; c < n; c++) { // overwritten where it is not wanted: no branch
    close[count] = x[c];
    count += (int)(bits >> c & 1);
  }
  memcpy(to, close, (size_t)count * sizeof *close);
  return to + (size_t)count * sizeof *close;
}

static inline const uint8_t *open_up(const uint8_t *from, int n, uint64_t bits, bool add, hg_real *y)
{
  hg_real close[MASK_COLUMNS + 1];
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
#endif

static void mask(const hg_nonzero_task *t, const hg_real *x, hg_off first, hg_off end, uint8_t *masks)
{
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++) {
      uint64_t bits = nonzeros(x + row_of(t, k) + word * MASK_COLUMNS, word_columns(t, word));
      memcpy(masks + (size_t)(k * t->words + word) * sizeof bits, &bits, sizeof bits);
    }
}

static void pack(const hg_nonzero_task *t, const hg_real *x, hg_off first, hg_off end, const uint8_t *masks,
                 uint8_t *values)
{
  uint8_t *to = values;
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++)
      to = close_up(x + row_of(t, k) + word * MASK_COLUMNS, word_columns(t, word), mask_word(t, masks, k, word), to);
}

static void unpack(const hg_nonzero_task *t, hg_off first, hg_off end, const uint8_t *masks, const uint8_t *values,
                   hg_real *y)
{
  const uint8_t *from = values;
  for (hg_off k = first; k < end; k++)
    for (int word = 0; word < t->words; word++)
      from = open_up(from, word_columns(t, word), mask_word(t, masks, k, word), t->add,
                     y + row_of(t, k) + word * MASK_COLUMNS);
}
