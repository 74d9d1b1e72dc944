#pragma once
/**
 * y[i,:] = row_scale[i] * (sum over entries j of row i of c_j x[j,:] + [i < n_self] col_scale[i] x[i,:]), c_j = v_ij
 * col_scale[j]. One body, compiled once for each instruction set by spmm_base.c, spmm_avx2.c and spmm_avx512.c; the
 * number of vectors that a row's tile holds in registers is an argument that is always given as a literal, so that the
 * compiler unrolls (libCEED's way).
 * Cost: entries (f reals + 4 bytes) + 2 n f reals; 2 entries f flops.
 */
#include <stdbool.h>

#include "core/base/types.h"
#include "core/tensor/bf16_vector.h"
#include "core/tensor/fetch_row.h"

typedef struct {
  const hg_off *indptr;
  const hg_lid *indices;
  const hg_real *values, *row_scale, *col_scale; ///< each NULL for ones
  hg_off n_self;
  const void *x; ///< of hg_real, for the functions with bf16 in their names of hg_bf16, or an hg_nonzero_matrix
  hg_real *y;
  hg_off y_first; ///< the row whose result is row 0 of y
  int width;
} hg_spmm_task;

/** Rows [first, end) of the task. */
typedef void hg_spmm_rows(const hg_spmm_task *task, hg_off first, hg_off end);
hg_spmm_rows hg_spmm_rows_base, hg_spmm_rows_avx2, hg_spmm_rows_avx512;
hg_spmm_rows hg_spmm_bf16_rows_base, hg_spmm_bf16_rows_avx2, hg_spmm_bf16_rows_avx512;
hg_spmm_rows hg_spmm_nonzero_rows_base, hg_spmm_nonzero_rows_avx2, hg_spmm_nonzero_rows_avx512;

#if defined(__AVX512F__)
enum { MOST_VECTORS = 16 };
#else
enum { MOST_VECTORS = 13 };
#endif

/** What numbers of x take, as a literal: so that one body serves both. */
typedef enum { OF_REAL = (int)sizeof(hg_real), OF_BF16 = (int)sizeof(hg_bf16) } element;

/**
 * How many entries before its use a row's tile is fetched: 12 KB of tiles, a quarter of a core's nearest cache. On a
 * random graph 2 KB took 1.2 to 2.5 times as long at rows of 256 bytes, which the processor does not
 * fetch ahead itself.
 */
ALWAYS_INLINE hg_off prefetch_distance(int bytes)
{
  int distance = 12288 / bytes;
  return distance > 8 ? distance : 8;
}

ALWAYS_INLINE hg_real entry_weight(const hg_spmm_task *t, hg_off e, hg_lid j)
{
  hg_real weight = t->values ? t->values[e] : 1;
  return t->col_scale ? weight * t->col_scale[j] : weight;
}

ALWAYS_INLINE vector load(const char *x, int column, element of)
{
  if (of == OF_BF16) return bf16_load((const hg_bf16 *)x + column);
  return *(const vector_in_memory *)((const hg_real *)x + column);
}

/**
 * Two vectors of bfloat16 are one register, whose even places a shift makes numbers and whose odd places a mask, so
 * that a row's sums are those of even and of odd places until it is stored: 1.4 times as fast as widening each vector
 * where x is in cache.
 */
#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
ALWAYS_INLINE bool by_places(element of, int count) { return of == OF_BF16 && count % 2 == 0; }

ALWAYS_INLINE void in_order(vector *even, vector *odd)
{
  vector first = __builtin_shufflevector(*even, *odd, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  *odd = __builtin_shufflevector(*even, *odd, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  *even = first;
}
#else
ALWAYS_INLINE bool by_places(element of, int count) { return of == OF_BF16 && count < 0; }

ALWAYS_INLINE void in_order(vector *even, vector *odd) { (void)even, (void)odd; }
#endif

/** Where vector v of `count` begins; the last one, or with `pairs` the last two, may overlap those before. */
ALWAYS_INLINE int start_of(int v, int count, int last, bool pairs)
{
  if (pairs && v >= count - 2) return last - (count - 1 - v) * LANES;
  return v < count - 1 ? v * LANES : last;
}

ALWAYS_INLINE void add_places(const char *x, int last, int count, bool weighted, hg_real weight, vector *sum)
{
#pragma GCC unroll 16
  for (int v = 0; v < count; v += 2) {
    bit_lanes both = *(const pairs_in_memory *)((const hg_bf16 *)x + start_of(v, count, last, true));
    vector even = real_of_bits(both << 16), odd = real_of_bits(both & 0xffff0000);
    sum[v] += weighted ? weight * even : even;
    sum[v + 1] += weighted ? weight * odd : odd;
  }
}

/** The row at x into the sums; the last of `count` vectors starts at column `last`. */
ALWAYS_INLINE void add_row(const char *x, element of, int last, int count, bool weighted, hg_real weight, vector *sum)
{
  if (by_places(of, count)) {
    add_places(x, last, count, weighted, weight, sum);
    return;
  }
#pragma GCC unroll 16
  for (int v = 0; v < count; v++) {
    vector part = load(x, start_of(v, count, last, false), of);
    if (weighted)
      sum[v] += weight * part;
    else
      sum[v] += part;
  }
}

/**
 * One tile of `count` vectors of row i: x and y are at the tile's first column. `ahead`: the last entry that may be
 * prefetched.
 */
ALWAYS_INLINE void row_tile(const hg_spmm_task *t, element of, hg_off i, int column, int count, bool weighted,
                            hg_off ahead)
{
  hg_off width = t->width, bytes = width * (int)of, begin = t->indptr[i], end = t->indptr[i + 1];
  int last = (int)(column + count * LANES > width ? width - LANES : column + (count - 1) * LANES) - column;
  int tile_bytes = count * LANES * (int)of, tile_lines = (tile_bytes + CACHE_LINE - 1) / CACHE_LINE;
  const char *x = (const char *)t->x + column * (hg_off)of;
  vector sum[MOST_VECTORS] = {0};
  for (hg_off e = begin; e < end; e++) {
    hg_off next = e + prefetch_distance(tile_bytes);
    fetch_row(x + t->indices[next < ahead ? next : ahead] * bytes, tile_lines, false);
    hg_lid j = t->indices[e];
    add_row(x + j * bytes, of, last, count, weighted, weighted ? entry_weight(t, e, j) : 1, sum);
  }
  if (i < t->n_self) add_row(x + i * bytes, of, last, count, true, t->col_scale ? t->col_scale[i] : 1, sum);
  hg_real scale = t->row_scale ? t->row_scale[i] : 1;
  hg_real *y = t->y + (i - t->y_first) * width + column;
  bool pairs = by_places(of, count);
#pragma GCC unroll 16
  for (int v = 0; pairs && v < count; v += 2) in_order(&sum[v], &sum[v + 1]);
#pragma GCC unroll 16
  for (int v = 0; v < count; v++) *(vector_in_memory *)(y + start_of(v, count, last, pairs)) = scale * sum[v];
}

ALWAYS_INLINE hg_real element_at(const hg_spmm_task *t, element of, hg_off at)
{
  return of == OF_BF16 ? bf16_value(((const hg_bf16 *)t->x)[at]) : ((const hg_real *)t->x)[at];
}

/** A row narrower than a vector. */
ALWAYS_INLINE void narrow_row(const hg_spmm_task *t, element of, hg_off i, int width)
{
  hg_real sum[LANES] = {0};
  for (hg_off e = t->indptr[i]; e < t->indptr[i + 1]; e++) {
    hg_lid j = t->indices[e];
    hg_real weight = entry_weight(t, e, j);
    for (int k = 0; k < width; k++) sum[k] += weight * element_at(t, of, (hg_off)j * width + k);
  }
  hg_real self = t->col_scale && i < t->n_self ? t->col_scale[i] : 1, scale = t->row_scale ? t->row_scale[i] : 1;
  if (i < t->n_self)
    for (int k = 0; k < width; k++) sum[k] += self * element_at(t, of, i * width + k);
  for (int k = 0; k < width; k++) t->y[(i - t->y_first) * width + k] = scale * sum[k];
}

/**
 * How a row is cut into tiles: `wider` ones of `vectors`, then those of `step` less, all about as wide; the last one
 * ends with the row. They are whole cache lines: what a line of two tiles had left was not fetched ahead, which took
 * up to twice as long.
 */
typedef struct {
  int n, wider, vectors, step, all;
} tiling;

ALWAYS_INLINE tiling tiles_of(element of, int width)
{
  int all = (width + LANES - 1) / LANES, step = CACHE_LINE / (LANES * (int)of);
  if (by_places(of, 2) && width < 2 * LANES) return (tiling){2, 2, 1, 0, 2}; // too narrow for a pair of vectors
  if (by_places(of, 2)) all += all % 2;
  if (step > MOST_VECTORS) step = MOST_VECTORS; // a line of bfloat16, and short vectors of doubles
  if (all <= MOST_VECTORS) return (tiling){1, 1, all, 0, all};
  int most = MOST_VECTORS / step, lines = (all + step - 1) / step;
  int n = (lines + most - 1) / most, each = (lines + n - 1) / n;
  return (tiling){n, lines - (each - 1) * n, each * step, step, all};
}

ALWAYS_INLINE void any_tile(const hg_spmm_task *t, element of, hg_off i, int column, int count, bool weighted,
                            hg_off ahead)
{
  switch (count) {
  case 1:
    row_tile(t, of, i, column, 1, weighted, ahead);
    break;
  case 2:
    row_tile(t, of, i, column, 2, weighted, ahead);
    break;
  case 3:
    row_tile(t, of, i, column, 3, weighted, ahead);
    break;
  case 4:
    row_tile(t, of, i, column, 4, weighted, ahead);
    break;
  case 5:
    row_tile(t, of, i, column, 5, weighted, ahead);
    break;
  case 6:
    row_tile(t, of, i, column, 6, weighted, ahead);
    break;
  case 7:
    row_tile(t, of, i, column, 7, weighted, ahead);
    break;
  case 8:
    row_tile(t, of, i, column, 8, weighted, ahead);
    break;
  case 9:
    row_tile(t, of, i, column, 9, weighted, ahead);
    break;
  case 10:
    row_tile(t, of, i, column, 10, weighted, ahead);
    break;
  case 11:
    row_tile(t, of, i, column, 11, weighted, ahead);
    break;
  case 12:
    row_tile(t, of, i, column, 12, weighted, ahead);
    break;
  case 13:
    row_tile(t, of, i, column, 13, weighted, ahead);
    break;
#if defined(__AVX512F__)
  case 14:
    row_tile(t, of, i, column, 14, weighted, ahead);
    break;
  case 15:
    row_tile(t, of, i, column, 15, weighted, ahead);
    break;
  case 16:
    row_tile(t, of, i, column, 16, weighted, ahead);
    break;
#endif
  default:
    break;
  }
}

/** Rows of more tiles than one, or of one that is rare. */
ALWAYS_INLINE void tiled_rows(const hg_spmm_task *t, element of, hg_off first, hg_off end, bool weighted)
{
  hg_off ahead = t->indptr[end] - 1;
  const tiling tiles = tiles_of(of, t->width);
  for (hg_off i = first; i < end; i++) {
    for (int k = 0, column = 0; k < tiles.n; k++) {
      int vectors = k < tiles.wider ? tiles.vectors : tiles.vectors - tiles.step, left = tiles.all - column / LANES;
      if (vectors > left) vectors = left;
      if (vectors == MOST_VECTORS)
        row_tile(t, of, i, column, MOST_VECTORS, weighted, ahead);
      else
        any_tile(t, of, i, column, vectors, weighted, ahead);
      column += vectors * LANES;
    }
  }
}

/** Rows of one tile of `count` vectors. */
ALWAYS_INLINE void rows_of(const hg_spmm_task *t, element of, hg_off first, hg_off end, int count, bool weighted)
{
  hg_off ahead = t->indptr[end] - 1;
  for (hg_off i = first; i < end; i++) row_tile(t, of, i, 0, count, weighted, ahead);
}

ALWAYS_INLINE void rows_by_width(const hg_spmm_task *t, element of, hg_off first, hg_off end, bool weighted)
{
  switch ((t->width + LANES - 1) / LANES) {
  case 1:
    rows_of(t, of, first, end, 1, weighted);
    return;
  case 2:
    if (by_places(of, 2) && t->width < 2 * LANES) break;
    rows_of(t, of, first, end, 2, weighted);
    return;
  case 3:
    rows_of(t, of, first, end, by_places(of, 4) ? 4 : 3, weighted);
    return;
  case 4:
    rows_of(t, of, first, end, 4, weighted);
    return;
  case 6:
    rows_of(t, of, first, end, 6, weighted);
    return;
  case 8:
    rows_of(t, of, first, end, 8, weighted);
    return;
  case (MOST_VECTORS == 16 ? 16 : -1):
    rows_of(t, of, first, end, MOST_VECTORS, weighted);
    return;
  default:
    break;
  }
  tiled_rows(t, of, first, end, weighted);
}

ALWAYS_INLINE void spmm_rows(const hg_spmm_task *t, element of, hg_off first, hg_off end)
{
  if (t->width < LANES)
    for (hg_off i = first; i < end; i++) narrow_row(t, of, i, t->width);
  else if (t->values || t->col_scale)
    rows_by_width(t, of, first, end, true);
  else
    rows_by_width(t, of, first, end, false);
}
