#pragma once
/** The bodies of core/tensor/skip_zeros.h, compiled once for each instruction set. */
#include <stdint.h>
#include <string.h>

#include "core/tensor/fetch_row.h"
#include "core/tensor/nonzero_lanes.h"
#include "core/tensor/pack_columns.h"
#include "core/tensor/skip_zeros.h"
#include "core/tensor/skip_zeros_kernels.h"
#include "core/tensor/vector.h"

/**
 * Rows and columns of a that are turned into lists at once, registers of a row of b that are added up at once,
 * entries of a list that are taken at once, and room behind a list for a register that is stored whole.
 */
enum { LIST_ROWS = 96, LIST_COLUMNS = 256, SUM_VECTORS = 4, SUM_COLUMNS = SUM_VECTORS * LANES, TAKEN = 4, ROOM = 16 };

/** Rows of a panel: after those of b there is one of zeros. */
enum { ZERO_ROW = LIST_ROWS, PANEL_ROWS };

_Static_assert(SUM_COLUMNS <= UINT16_MAX / PANEL_ROWS, "starts have 16 bits");

/** Of each column of some rows of a, what is not 0, and behind it some 0 times a row of zeros. */
typedef struct {
  _Alignas(64) hg_real values[LIST_COLUMNS][LIST_ROWS + ROOM];
  _Alignas(64) uint16_t starts[LIST_COLUMNS][LIST_ROWS + ROOM]; ///< of its row of b in the panel
  int count[LIST_COLUMNS];
} column_lists;

#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
/** Of each two registers `apart`, a literal, the even quarters go to the first and the odd ones to the second. */
ALWAYS_INLINE void sort_quarters(const __m512 from[LANES], int apart, __m512 to[LANES])
{
  enum { EVEN = 0x88, ODD = 0xdd };
#  pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) {
    if (i & apart) continue;
    to[i] = _mm512_shuffle_f32x4(from[i], from[i + apart], EVEN);
    to[i + apart] = _mm512_shuffle_f32x4(from[i], from[i + apart], ODD);
  }
}

ALWAYS_INLINE void transpose(__m512 r[LANES])
{
  __m512 t[LANES];
#  pragma GCC unroll 8
  for (int i = 0; i < LANES; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
#  pragma GCC unroll 4
  for (int i = 0; i < LANES; i += 4) {
#  pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
      __m512d even = _mm512_castps_pd(t[i + h]), odd = _mm512_castps_pd(t[i + 2 + h]);
      r[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(even, odd));
      r[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(even, odd));
    }
  }
  sort_quarters(r, 4, t);
  sort_quarters(t, 8, r);
}

/** Adds sixteen rows, of which there are n, to the lists of sixteen columns, of which there are `columns`. */
ALWAYS_INLINE void list_tile(const hg_real *a, int stride, int first, int n, int column, int columns, column_lists *l)
{
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i rows =
      _mm512_mullo_epi32(_mm512_add_epi32(lanes, _mm512_set1_epi32(first)), _mm512_set1_epi32(SUM_COLUMNS));
  const __mmask16 there = first_lanes(columns);
  __m512 r[LANES];
#  pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) r[i] = _mm512_maskz_loadu_ps(i < n ? there : 0, a + (hg_off)(i < n ? i : 0) * stride);
  transpose(r);
#  pragma GCC unroll 16
  for (int q = 0; q < LANES; q++) {
    int c = column + q, count = l->count[c];
    __mmask16 chosen = _mm512_cmp_ps_mask(r[q], _mm512_setzero_ps(), _CMP_NEQ_UQ);
    _mm512_storeu_ps(l->values[c] + count, compress(chosen, r[q]));
    _mm256_storeu_si256((__m256i *)(void *)(l->starts[c] + count),
                        _mm512_cvtepi32_epi16(compress_integers(chosen, rows)));
    l->count[c] = count + __builtin_popcount(chosen);
  }
}

/** A line of each of the sixteen rows that come next: after other work they are not in the nearest caches any more. */
ALWAYS_INLINE void fetch_tile(const hg_real *a, int stride)
{
#  pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) __builtin_prefetch(a + (hg_off)i * stride);
}

static void fill_lists(const hg_real *a, int stride, int n, int columns, column_lists *l)
{
  for (int i = 0; i < n; i += LANES, a += (hg_off)LANES * stride)
    for (int c = 0; c < columns; c += LANES) {
      fetch_tile(a + (hg_off)LANES * stride + c, stride);
      list_tile(a + c, stride, i, n - i, c, columns - c, l);
    }
}
#else
static void fill_lists(const hg_real *a, int stride, int n, int columns, column_lists *l)
{
  for (int i = 0; i < n; i++, a += stride)
    for (int c = 0; c < columns; c++) { // overwritten where it is 0: no branch
      int count = l->count[c];
      l->values[c][count] = a[c];
      l->starts[c][count] = (uint16_t)(i * SUM_COLUMNS);
      l->count[c] = count + (a[c] != 0);
    }
}
#endif

static void list(const hg_real *a, int stride, int n, int columns, column_lists *l)
{
  memset(l->count, 0, sizeof l->count);
  fill_lists(a, stride, n, columns, l);
  for (int c = 0; c < columns; c++) {
    hg_real *values = l->values[c] + l->count[c];
    uint16_t *starts = l->starts[c] + l->count[c];
#pragma GCC unroll 4
    for (int e = 0; e < TAKEN; e++) {
      values[e] = 0;
      starts[e] = ZERO_ROW * SUM_COLUMNS;
    }
  }
}

/** Each of the next values in all lanes, from one register: loads of single ones would be the limit. */
#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
ALWAYS_INLINE void take_values(const hg_real *from, vector to[TAKEN])
{
  const __m512 all = _mm512_broadcast_f32x4(_mm_loadu_ps(from));
  to[0] = (vector)_mm512_permute_ps(all, 0x00);
  to[1] = (vector)_mm512_permute_ps(all, 0x55);
  to[2] = (vector)_mm512_permute_ps(all, 0xaa);
  to[3] = (vector)_mm512_permute_ps(all, 0xff);
}
#else
ALWAYS_INLINE void take_values(const hg_real *from, vector to[TAKEN])
{
  for (int e = 0; e < TAKEN; e++) to[e] = from[e] - (vector){0};
}
#endif

/** The rows of the panel that come next; their starts are loaded as one. */
ALWAYS_INLINE void take_rows(const uint16_t *starts, const hg_real *panel, const vector *to[TAKEN])
{
  uint64_t all;
  memcpy(&all, starts, sizeof all);
  for (int e = 0; e < TAKEN; e++, all >>= 16) to[e] = (const vector *)(panel + (uint16_t)all);
}

ALWAYS_INLINE void add_sums(const vector *sum, int vectors, int columns, hg_real *c)
{
  if (columns == vectors * LANES) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) *(vector_in_memory *)(c + v * LANES) += sum[v];
    return;
  }
  hg_real few[SUM_COLUMNS];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) *(vector_in_memory *)(few + v * LANES) = sum[v];
  for (int q = 0; q < columns; q++) c[q] += few[q];
}

/** `vectors` of c += the rows of the panel that column j's list names, each times its value; a literal. */
ALWAYS_INLINE void add_rows(const column_lists *l, int j, const hg_real *panel, int vectors, int columns, hg_real *c)
{
  vector even[SUM_VECTORS] = {{0}}, odd[SUM_VECTORS] = {{0}}; // an addition waits for the one before
  for (int e = 0; e < l->count[j]; e += TAKEN) {
    vector value[TAKEN];
    const vector *row[TAKEN];
    take_values(l->values[j] + e, value);
    take_rows(l->starts[j] + e, panel, row);
#pragma GCC unroll 4
    for (int q = 0; q < TAKEN; q += 2) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) {
        even[v] += value[q] * row[q][v];
        odd[v] += value[q + 1] * row[q + 1][v];
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; v++) even[v] += odd[v];
  add_sums(even, vectors, columns, c);
}

/** Rows that come next, fetched a few lines at a time, so that they are near when their turn comes. */
typedef struct {
  const char *next;
  hg_off step; ///< bytes
} row_stream;

static row_stream stream_of(const hg_real *rows, hg_off numbers, hg_off steps)
{
  return (row_stream){(const char *)rows, (numbers * (hg_off)sizeof *rows + steps - 1) / steps};
}

ALWAYS_INLINE void fetch(row_stream *stream)
{
  for (hg_off at = 0; at < stream->step; at += CACHE_LINE) __builtin_prefetch(stream->next + at, 0, 2);
  stream->next += stream->step;
}

ALWAYS_INLINE void add_columns(const column_lists *l, int k, const hg_real *panel, int vectors, int columns, int m,
                               hg_real *c, row_stream *streams)
{
  for (int j = 0; j < k; j++) {
    fetch(&streams[0]);
    fetch(&streams[1]);
    add_rows(l, j, panel, vectors, columns, c + (hg_off)j * m);
  }
}

static void add_panel(const column_lists *l, int k, const hg_real *panel, int columns, int m, hg_real *c,
                      row_stream *streams)
{
  switch ((columns + LANES - 1) / LANES) {
  case 1:
    add_columns(l, k, panel, 1, columns, m, c, streams);
    break;
  case 2:
    add_columns(l, k, panel, 2, columns, m, c, streams);
    break;
  case 3:
    add_columns(l, k, panel, 3, columns, m, c, streams);
    break;
  default:
    add_columns(l, k, panel, SUM_VECTORS, columns, m, c, streams);
  }
}

static void at_skipping(const hg_real *a, const hg_real *b, hg_off n, int k, int m, hg_real *c)
{
  _Alignas(64) hg_real panel[PANEL_ROWS * SUM_COLUMNS];
  column_lists lists;
  const hg_off steps = (hg_off)k * ((m + SUM_COLUMNS - 1) / SUM_COLUMNS);
  if (steps == 0) return;
  memset(panel + ZERO_ROW * SUM_COLUMNS, 0, SUM_COLUMNS * sizeof *panel);
  for (hg_off i = 0; i < n; i += LIST_ROWS) {
    int rows = n - i < LIST_ROWS ? (int)(n - i) : LIST_ROWS;
    row_stream streams[] = {stream_of(a + (i + rows) * k, (hg_off)rows * k, steps),
                            stream_of(b + (i + rows) * m, (hg_off)rows * m, steps)};
    for (int first = 0; first < k; first += LIST_COLUMNS) {
      int some = k - first < LIST_COLUMNS ? k - first : LIST_COLUMNS;
      list(a + i * k + first, k, rows, some, &lists);
      for (int column = 0; column < m; column += SUM_COLUMNS) {
        int columns = m - column < SUM_COLUMNS ? m - column : SUM_COLUMNS;
        pack_columns(b + i * m + column, rows, m, columns, SUM_COLUMNS, SUM_COLUMNS, panel);
        add_panel(&lists, some, panel, columns, m, c + (hg_off)first * m + column, streams);
      }
    }
  }
}

/** Registers of a row of a that are multiplied at once, and rows of b that stay in the nearest cache meanwhile. */
#if defined(__AVX512F__)
enum { DOT_VECTORS = 16, HALF_DOT = 8 };
#else
enum { DOT_VECTORS = 8, HALF_DOT = 8 };
#endif
enum { DOTS = 4, MASK_COLUMNS = 32, MASK_ROWS = 16 };

_Static_assert(HG_MASKED_INNER % (HALF_DOT * LANES) == 0 && MASK_COLUMNS % DOTS == 0, "whole steps");

#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
/** Adds the sums of four registers. */
ALWAYS_INLINE void add_lanes(const vector sum[DOTS], hg_real *to)
{
  __m512 a = (__m512)sum[0], b = (__m512)sum[1], c = (__m512)sum[2], d = (__m512)sum[3];
  __m512d ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b))),
          cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
  __m512 all =
      _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
  __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  __m128 sums = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  _mm_storeu_ps(to, _mm_add_ps(_mm_loadu_ps(to), sums));
}
#else
ALWAYS_INLINE void add_lanes(const vector sum[DOTS], hg_real *to)
{
  for (int d = 0; d < DOTS; d++) {
    hg_real lanes[LANES], all = 0;
    memcpy(lanes, &sum[d], sizeof lanes);
    for (int q = 0; q < LANES; q++) all += lanes[q];
    to[d] += all;
  }
}
#endif

/** The next column whose bit is set, or where none is left that of `last`: without a branch. */
ALWAYS_INLINE int take_column(uint64_t *bits, uint64_t last)
{
  int column = __builtin_ctzll(*bits | last);
  *bits &= *bits - 1;
  return column;
}

/** Adds `vectors`, a literal, of a row of a times those of the rows of b, `stride` apart, whose bits are set. */
ALWAYS_INLINE void add_dots(const hg_real *a, const hg_real *b, int stride, uint64_t bits, uint64_t last, int vectors,
                            hg_real *to)
{
  vector row[DOT_VECTORS];
#pragma GCC unroll 16
  for (int v = 0; v < vectors; v++) row[v] = (vector) * (const vector_in_memory *)(a + v * LANES);
  for (; bits; to += DOTS) {
    const vector *other[DOTS];
    vector even[DOTS] = {{0}}, odd[DOTS] = {{0}}; // an addition waits for the one before
#pragma GCC unroll 4
    for (int d = 0; d < DOTS; d++) other[d] = (const vector *)(b + (hg_off)take_column(&bits, last) * stride);
#pragma GCC unroll 16
    for (int v = 0; v < vectors; v += 2) {
#pragma GCC unroll 4
      for (int d = 0; d < DOTS; d++) even[d] += row[v] * other[d][v];
#pragma GCC unroll 4
      for (int d = 0; d < DOTS; d++) odd[d] += row[v + 1] * other[d][v + 1];
    }
#pragma GCC unroll 4
    for (int d = 0; d < DOTS; d++) even[d] += odd[d];
    add_lanes(even, to);
  }
}

/** At most 32 columns of a few rows of c: the rows of b that they need stay in the nearest cache or the next. */
static void masked_tile(const hg_real *a, const hg_real *b, const hg_real *mask, int n, int k, int m, int columns,
                        hg_real *c)
{
  hg_real close[MASK_ROWS][MASK_COLUMNS] = {{0}};
  uint64_t bits[MASK_ROWS];
  const uint64_t last = 1ULL << (columns - 1);
  for (int i = 0; i < n; i++) bits[i] = nonzeros(mask + (hg_off)i * m, columns);
  int inner = 0;
  for (; inner + DOT_VECTORS * LANES <= k; inner += DOT_VECTORS * LANES)
    for (int i = 0; i < n; i++) add_dots(a + (hg_off)i * k + inner, b + inner, k, bits[i], last, DOT_VECTORS, close[i]);
  for (; inner < k; inner += HALF_DOT * LANES)
    for (int i = 0; i < n; i++) add_dots(a + (hg_off)i * k + inner, b + inner, k, bits[i], last, HALF_DOT, close[i]);
  for (int i = 0; i < n; i++) open_reals((const uint8_t *)close[i], columns, bits[i], false, c + (hg_off)i * m);
}

static void bt_masked(const hg_real *a, const hg_real *b, const hg_real *mask, hg_off n, int k, int m, hg_real *c)
{
  for (int column = 0; column < m; column += MASK_COLUMNS)
    for (hg_off i = 0; i < n; i += MASK_ROWS) {
      int rows = n - i < MASK_ROWS ? (int)(n - i) : MASK_ROWS;
      int columns = m - column < MASK_COLUMNS ? m - column : MASK_COLUMNS;
      masked_tile(a + i * k, b + (hg_off)column * k, mask + i * m + column, rows, k, m, columns, c + i * m + column);
    }
}
