#pragma once
/**
 * Two products whose result stays in registers: c = a b + beta c with b in panels, and c += a' b. One body, compiled
 * once for each instruction set; tiles are as large as its registers allow, with sizes that are literals.
 * Cost: n (k + m) reals, 2 n k m flops.
 */
#include <string.h>

#include "core/tensor/pack_columns.h"
#include "core/tensor/panel_kernels.h"
#include "core/tensor/vector.h"

#if defined(__AVX512F__)
enum { PANEL_VECTORS = 4, NARROW_ROWS = 12, MIDDLE_ROWS = 12, WIDE_ROWS = 8, FULL_ROWS = 6 };
#else
enum { PANEL_VECTORS = 2, NARROW_ROWS = 8, MIDDLE_ROWS = 6, WIDE_ROWS = 4, FULL_ROWS = 6 };
#endif
enum { MOST_ROWS = 12, PANEL_WIDTH = PANEL_VECTORS * LANES };

/** All panels take their turn on so many rows of a before the next, so that a block is read from memory once. */
enum { ROWS_PER_BLOCK = 48 };

/**
 * Half a vector of columns is worked on for two rows at once, in one register: 40 columns take 2 1/2 of them instead
 * of 3.
 */
#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
enum { HALVES = 1 };

ALWAYS_INLINE vector of_two(vector low, vector high)
{
  return (vector)_mm512_mask_blend_ps(0xff00, (__m512)low, (__m512)high);
}

ALWAYS_INLINE vector upper_half(vector x) { return (vector)_mm512_shuffle_f32x4((__m512)x, (__m512)x, 0x4e); }

/** Half a vector, twice. */
ALWAYS_INLINE vector twice(const hg_real *half) { return (vector)_mm512_broadcast_f32x8(_mm256_load_ps(half)); }
#else
enum { HALVES = 0 };

ALWAYS_INLINE vector of_two(vector low, vector high) { return (void)high, low; }

ALWAYS_INLINE vector upper_half(vector x) { return x; }

ALWAYS_INLINE vector twice(const hg_real *half) { return *(const vector *)half; }
#endif

/** Steps of the sums of two rows, or of one that is given twice. */
ALWAYS_INLINE void panel_step(const hg_real *one, const hg_real *two, const vector *row, int count, bool half,
                              vector *sum_one, vector *sum_two, vector *sum_half)
{
  vector of_one = *one - (vector){0}, of_other = *two - (vector){0};
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    sum_one[v] += of_one * row[v];
    if (two != one) sum_two[v] += of_other * row[v];
  }
  if (half) *sum_half += of_two(of_one, of_other) * twice((const hg_real *)(row + count));
}

/** `rows` x `halves` half vectors of c, both literals; `panel` is where column `column` starts. */
ALWAYS_INLINE void panel_tile(const hg_panels *b, const hg_real *panel, int column, const hg_real *a, hg_real beta,
                              hg_real *c, int rows, int halves)
{
  const bool half = halves % 2;
  vector sum[MOST_ROWS][PANEL_VECTORS] = {{{0}}}, last[MOST_ROWS / 2] = {{0}};
  int k = b->k, count = halves / 2, vectors = (halves + 1) / 2;
  for (int p = 0; p < k; p++) {
    const vector *row = (const vector *)panel + (hg_off)p * vectors;
    __builtin_prefetch(a + (hg_off)rows * (k + p)); // the next tile's rows, evenly over this tile's steps
#pragma GCC unroll 6
    for (int r = 0; r < rows; r += 2) {
      const hg_real *one = a + (hg_off)r * k + p;
      panel_step(one, r + 1 < rows ? one + k : one, row, count, half, sum[r], sum[r + 1 < rows ? r + 1 : r],
                 &last[r / 2]);
    }
  }
  int columns = b->m - column < vectors * LANES ? b->m - column : vectors * LANES;
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
    hg_real *to = c + (hg_off)r * b->m + column;
    store_row(sum[r], count, columns, beta, to);
    if (!half) continue;
    store_few(r % 2 ? upper_half(last[r / 2]) : last[r / 2], columns - count * LANES, beta, to + count * LANES);
  }
}

ALWAYS_INLINE void panel_tiles(const hg_panels *b, int column, const hg_real *a, hg_off n, hg_real beta, hg_real *c,
                               int rows, int halves)
{
  const hg_real *panel = b->data + (hg_off)column * b->k;
  hg_off i = 0;
  for (; i + rows <= n; i += rows) panel_tile(b, panel, column, a + i * b->k, beta, c + i * b->m, rows, halves);
  for (; i < n; i++) panel_tile(b, panel, column, a + i * b->k, beta, c + i * b->m, 1, halves);
}

/** The last panel of b, with half of a vector at its end. */
static void panel_halves(const hg_panels *b, int column, const hg_real *a, hg_off n, hg_real beta, hg_real *c)
{
  switch ((b->m - column) / LANES) {
  case 1:
    panel_tiles(b, column, a, n, beta, c, NARROW_ROWS, 3);
    break;
  case 2:
    panel_tiles(b, column, a, n, beta, c, WIDE_ROWS, 5);
    break;
  default:
    panel_tiles(b, column, a, n, beta, c, FULL_ROWS, 2 * PANEL_VECTORS - 1);
  }
}

static void panel_block(const hg_panels *b, const hg_real *a, hg_off n, hg_real beta, hg_real *c)
{
  for (int column = 0; column < b->m; column += PANEL_WIDTH) {
    int left = b->m - column, vectors = (left + LANES - 1) / LANES;
    if (HALVES && left > LANES && left < PANEL_WIDTH && left % LANES > 0 && left % LANES <= LANES / 2)
      panel_halves(b, column, a, n, beta, c);
    else if (vectors >= PANEL_VECTORS)
      panel_tiles(b, column, a, n, beta, c, FULL_ROWS, 2 * PANEL_VECTORS);
    else if (vectors == 3)
      panel_tiles(b, column, a, n, beta, c, WIDE_ROWS, PANEL_VECTORS > 3 ? 6 : 2);
    else if (vectors == 2)
      panel_tiles(b, column, a, n, beta, c, MIDDLE_ROWS, 4);
    else
      panel_tiles(b, column, a, n, beta, c, NARROW_ROWS, 2);
  }
}

static void panel_rows(const hg_panels *b, const hg_real *a, hg_off n, hg_real beta, hg_real *c)
{
  for (hg_off i = 0; i < n; i += ROWS_PER_BLOCK) {
    hg_off rows = n - i < ROWS_PER_BLOCK ? n - i : ROWS_PER_BLOCK;
    panel_block(b, a + i * b->k, rows, beta, c + i * b->m);
  }
}

/**
 * a' b goes over blocks of so many rows, and of so many columns of a at a time, copied so that what a tile reads lies
 * together: rows that are a power of two apart would share few sets of the nearest cache. For one panel of b a is read
 * as it is.
 */
enum { AT_ROWS = 96, AT_COLUMNS = 264, AT_GROUP = 24, AT_TALL = 12, AT_FULL = 6 };

/** Memory that is fetched a little at every step of the tiles, so that it is near when its turn comes. */
typedef struct {
  const char *next;
  hg_off step; ///< bytes
} at_stream;

/** One stretch of columns of a, and one of b, for n rows: c += a' b. */
typedef struct {
  const hg_real *a;      ///< groups of AT_GROUP columns
  hg_off group;          ///< from one group to the next
  int stride_a;          ///< from one row of a group to the next
  const hg_real *source; ///< b's rows, stride_c apart
  hg_real *b;            ///< [n x whole registers] a copy of them, with zeros behind b's columns
  hg_off n;
  int k, columns; ///< of c
  int stride_c;
  hg_real *c;
  at_stream *streams; ///< of a's and of b's next rows
} at_task;

ALWAYS_INLINE void at_fetch(at_stream *stream)
{
  __builtin_prefetch(stream->next, 0, 2);
  stream->next += stream->step;
}

ALWAYS_INLINE void at_fetch_result(const at_task *t, int i, int rows, int count)
{
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < count; v++) __builtin_prefetch(t->c + (hg_off)(i + r) * t->stride_c + v * LANES, 1);
  }
}

/**
 * `rows` x `count` vectors of c from column i of a on; they lie in one group. With `copies` b comes from its source,
 * and is copied while the sums are made: on its own the copy took as long as a tile and a half.
 */
ALWAYS_INLINE void at_tile(const at_task *t, int i, int rows, int count, bool copies)
{
  vector sum[MOST_ROWS][PANEL_VECTORS] = {{{0}}}, *b = (vector *)t->b;
  const hg_real *a = t->a + i / AT_GROUP * t->group + i % AT_GROUP, *source = t->source;
  at_stream next_a = t->streams[0], next_b = t->streams[1];
  at_fetch_result(t, i, rows, count);
  for (hg_off p = 0; p < t->n; p++, a += t->stride_a, b += count, source += copies ? t->stride_c : 0) {
    at_fetch(&next_a);
    at_fetch(&next_b);
#pragma GCC unroll 4
    for (int v = 0; copies && v < count; v++) b[v] = (vector) * (const vector_in_memory *)(source + v * LANES);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
      for (int v = 0; v < count; v++) sum[r][v] += a[r] * b[v];
    }
  }
  t->streams[0] = next_a;
  t->streams[1] = next_b;
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) store_row(sum[r], count, t->columns, 1, t->c + (hg_off)(i + r) * t->stride_c);
}

ALWAYS_INLINE void pack_groups(const hg_real *a, hg_off n, int stride, int k, hg_real *packed)
{
  for (hg_off p = 0; p < n; p++, a += stride, packed += AT_GROUP) {
    hg_real *to = packed;
    int i = 0;
    for (; i + AT_GROUP <= k; i += AT_GROUP, to += n * AT_GROUP) memcpy(to, a + i, AT_GROUP * sizeof *to);
    if (i < k) memcpy(to, a + i, (size_t)(k - i) * sizeof *to);
  }
}

ALWAYS_INLINE void at_tiles(const at_task *t, int rows, int count)
{
  bool copies = count == PANEL_VECTORS && t->columns == PANEL_WIDTH && t->k >= rows;
  int i = 0;
  if (copies)
    at_tile(t, i, rows, count, true), i += rows;
  else
    pack_columns(t->source, t->n, t->stride_c, t->columns, PANEL_WIDTH, count * LANES, t->b);
  for (; i + rows <= t->k; i += rows) at_tile(t, i, rows, count, false);
  for (; i + 4 <= t->k; i += 4) at_tile(t, i, 4, count, false);
  for (; i + 2 <= t->k; i += 2) at_tile(t, i, 2, count, false);
  for (; i < t->k; i++) at_tile(t, i, 1, count, false);
}

static void at_block(const hg_real *a, int stride_a, const hg_real *b, hg_off n, int k, int m, hg_real *c,
                     at_stream *streams)
{
  _Alignas(64) hg_real groups[AT_ROWS * AT_COLUMNS], columns[AT_ROWS * PANEL_WIDTH];
  bool packed = m > PANEL_WIDTH;
  if (packed) pack_groups(a, n, stride_a, k, groups);
  for (int column = 0; column < m; column += PANEL_WIDTH) {
    int width = m - column < PANEL_WIDTH ? m - column : PANEL_WIDTH, count = (width + LANES - 1) / LANES;
    const at_task t = {.a = packed ? groups : a,
                       .group = packed ? n * AT_GROUP : AT_GROUP,
                       .stride_a = packed ? AT_GROUP : stride_a,
                       .source = b + column,
                       .b = columns,
                       .n = n,
                       .k = k,
                       .columns = width,
                       .stride_c = m,
                       .c = c + column,
                       .streams = streams};
    if (count == PANEL_VECTORS)
      at_tiles(&t, AT_FULL, PANEL_VECTORS);
    else if (count == 3)
      at_tiles(&t, AT_FULL, PANEL_VECTORS > 3 ? 3 : 1);
    else if (count == 2)
      at_tiles(&t, AT_TALL, PANEL_VECTORS > 2 ? 2 : 1);
    else
      at_tiles(&t, AT_TALL, 1);
  }
}

static void panel_at(const hg_real *a, const hg_real *b, hg_off n, int k, int m, hg_real *c)
{
  hg_off tiles = (hg_off)((k + AT_FULL - 1) / AT_FULL) * ((m + PANEL_WIDTH - 1) / PANEL_WIDTH);
  const hg_off of_real = (hg_off)sizeof(hg_real);
  if (tiles == 0) return;
  for (hg_off i = 0; i < n; i += AT_ROWS) {
    hg_off rows = n - i < AT_ROWS ? n - i : AT_ROWS;
    at_stream streams[] = {{(const char *)(a + (i + rows) * k), (k * of_real + tiles - 1) / tiles},
                           {(const char *)(b + (i + rows) * m), (m * of_real + tiles - 1) / tiles}};
    for (int column = 0; column < k; column += AT_COLUMNS)
      at_block(a + i * k + column, k, b + i * m, rows, k - column < AT_COLUMNS ? k - column : AT_COLUMNS, m,
               c + (hg_off)column * m, streams);
  }
}
