#pragma once
/**
 * spmm_kernels.h's sums of an x without its zeros (core/tensor/nonzero_matrix.h): values are opened where they are
 * added, a word of the mask, 64 columns, at a time. The same bits as of x itself, but 0 for -0.
 * Cost: entries (f / 8 + 4 bytes and the values that are not 0) + n f reals; 2 entries f flops.
 */
#include "core/tensor/nonzero_kernels.h"
#include "core/tensor/nonzero_lanes.h"
#include "core/tensor/spmm_kernels.h"

/** What a tile holds: the registers of AVX-512. */
enum { MOST_WORDS = 4 };

#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
enum { WORD_PARTS = HG_MASK_COLUMNS / LANES };
typedef vector sum_part;
typedef uint16_t __attribute__((may_alias)) register_mask;

ALWAYS_INLINE void add_word(const hg_real *values, const uint64_t *mask, hg_real weight, sum_part *sum)
{
  const uint64_t bits = *mask;
  const register_mask *chosen = (const register_mask *)mask; // from memory: faster than parts of a register
#  pragma GCC unroll 4
  for (int v = 0; v < WORD_PARTS; v++) {
    __m512 x = expand(chosen[v], _mm512_loadu_ps(values + set_before(bits, v * LANES)));
    sum[v] += weight * (vector)_mm512_maskz_mov_ps(chosen[v], x); // contracted, or not, as in spmm_kernels.h
  }
}

ALWAYS_INLINE void store_word(sum_part *sum, hg_real scale, int columns, hg_real *y)
{
#  pragma GCC unroll 4
  for (int v = 0; v < WORD_PARTS; v++) sum[v] *= scale;
  store_row(sum, WORD_PARTS, columns, 0, y);
}
#else
enum { WORD_PARTS = HG_MASK_COLUMNS };
typedef hg_real sum_part;

ALWAYS_INLINE void add_word(const hg_real *values, const uint64_t *mask, hg_real weight, sum_part *sum)
{
  for (uint64_t bits = *mask; bits; bits &= bits - 1) sum[__builtin_ctzll(bits)] += weight * *values++;
}

ALWAYS_INLINE void store_word(sum_part *sum, hg_real scale, int columns, hg_real *y)
{
  for (int c = 0; c < columns; c++) y[c] = scale * sum[c];
}
#endif

/** The words [first, first + words) of row j into the sums. */
ALWAYS_INLINE void add_nonzero(const hg_nonzero_matrix *x, hg_off j, int first, int words, hg_real weight,
                               sum_part *sum)
{
  const uint64_t *mask = (const uint64_t *)(const void *)(x->data + j * x->stride);
  const hg_real *values = (const hg_real *)(const void *)(mask + mask_words(x->cols));
  for (int word = 0; word < first; word++) values += __builtin_popcountll(mask[word]);
#pragma GCC unroll 4
  for (int k = 0; k < words; k++) {
    add_word(values, &mask[first + k], weight, sum + k * WORD_PARTS);
    values += __builtin_popcountll(mask[first + k]);
  }
}

/** The words [first, first + words) of row i. */
ALWAYS_INLINE void nonzero_tile(const hg_spmm_task *t, hg_off i, int first, int words, hg_off ahead)
{
  const hg_nonzero_matrix x = *(const hg_nonzero_matrix *)t->x;
  const hg_lid *indices = t->indices;
  hg_off distance = prefetch_distance((int)x.fetched * CACHE_LINE), end = t->indptr[i + 1];
  sum_part sum[MOST_WORDS * WORD_PARTS] = {0};
  for (hg_off e = t->indptr[i]; e < end; e++) {
    const uint8_t *fetched = x.data + indices[e + distance < ahead ? e + distance : ahead] * x.stride;
    fetch_row(fetched, x.fetched, false);
    add_nonzero(&x, indices[e], first, words, entry_weight(t, e, indices[e]), sum);
  }
  if (i < t->n_self) add_nonzero(&x, i, first, words, t->col_scale ? t->col_scale[i] : 1, sum);
  hg_real *y = t->y + (i - t->y_first) * t->width + (hg_off)first * HG_MASK_COLUMNS;
#pragma GCC unroll 4
  for (int k = 0; k < words; k++)
    store_word(sum + k * WORD_PARTS, t->row_scale ? t->row_scale[i] : 1, word_columns(t->width, first + k),
               y + k * HG_MASK_COLUMNS);
}

ALWAYS_INLINE void spmm_nonzero_rows(const hg_spmm_task *t, hg_off first, hg_off end)
{
  hg_off ahead = t->indptr[end] - 1;
  int words = mask_words(t->width);
  for (hg_off i = first; i < end; i++)
    for (int word = 0; word < words; word += MOST_WORDS) switch (words - word) {
      case 1:
        nonzero_tile(t, i, word, 1, ahead);
        break;
      case 2:
        nonzero_tile(t, i, word, 2, ahead);
        break;
      case 3:
        nonzero_tile(t, i, word, 3, ahead);
        break;
      default:
        nonzero_tile(t, i, word, MOST_WORDS, ahead);
        break;
      }
}
