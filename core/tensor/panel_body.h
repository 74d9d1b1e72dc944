#pragma once
/**
 * Two products whose result stays in registers: c = a b + beta c with b in panels, and c += a' b. One body, compiled
 * once for each instruction set; tiles are as large as its registers allow, with sizes that are literals.
 * Cost: n (k + m) reals, 2 n k m flops.
 */
#include <string.h>

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

/** `rows` x `count` vectors of c, both literals; `panel` is where column `column` starts. */
ALWAYS_INLINE void panel_tile(const hg_panels *b, const hg_real *panel, int column, const hg_real *a, hg_real beta,
                              hg_real *c, int rows, int count)
{
  vector sum[MOST_ROWS][PANEL_VECTORS] = {{{0}}};
  int k = b->k;
  for (int p = 0; p < k; p++) {
    const vector *row = (const vector *)panel + (hg_off)p * count;
    __builtin_prefetch(a + (hg_off)rows * (k + p)); // the next tile's rows, evenly over this tile's steps
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
      for (int v = 0; v < count; v++) sum[r][v] += a[(hg_off)r * k + p] * row[v];
    }
  }
  int columns = b->m - column < count * LANES ? b->m - column : count * LANES;
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) store_row(sum[r], count, columns, beta, c + (hg_off)r * b->m + column);
}

ALWAYS_INLINE void panel_tiles(const hg_panels *b, int column, const hg_real *a, hg_off n, hg_real beta, hg_real *c,
                               int rows, int count)
{
  const hg_real *panel = b->data + (hg_off)column * b->k;
  hg_off i = 0;
  for (; i + rows <= n; i += rows) panel_tile(b, panel, column, a + i * b->k, beta, c + i * b->m, rows, count);
  for (; i < n; i++) panel_tile(b, panel, column, a + i * b->k, beta, c + i * b->m, 1, count);
}

static void panel_block(const hg_panels *b, const hg_real *a, hg_off n, hg_real beta, hg_real *c)
{
  for (int column = 0; column < b->m; column += PANEL_WIDTH) {
    int vectors = (b->m - column + LANES - 1) / LANES;
    if (vectors >= PANEL_VECTORS)
      panel_tiles(b, column, a, n, beta, c, FULL_ROWS, PANEL_VECTORS);
    else if (vectors == 3)
      panel_tiles(b, column, a, n, beta, c, WIDE_ROWS, PANEL_VECTORS > 3 ? 3 : 1);
    else if (vectors == 2)
      panel_tiles(b, column, a, n, beta, c, MIDDLE_ROWS, 2);
    else
      panel_tiles(b, column, a, n, beta, c, NARROW_ROWS, 1);
  }
}

static void panel_rows(const hg_panels *b, const hg_real *a, hg_off n, hg_real beta, hg_real *c)
{
  for (hg_off i = 0; i < n; i += ROWS_PER_BLOCK) {
    hg_off rows = n - i < ROWS_PER_BLOCK ? n - i : ROWS_PER_BLOCK;
    panel_block(b, a + i * b->k, rows, beta, c + i * b->m);
  }
}

/** a and b in blocks of so many rows, which stay in cache while the tiles of c take their turn. */
enum { AT_ROWS = 96 };

/** One stretch of columns of c += a' b, for n rows of a and b. */
typedef struct {
  const hg_real *a, *b;
  hg_off n;
  int k, stride_b, stride_c;
  hg_real *c;
  int columns; ///< of c; those of b are whole registers, zeros behind them
} at_task;

/** `rows` x `count` vectors of c from column i of a on. */
ALWAYS_INLINE void at_tile(const at_task *t, int i, int rows, int count)
{
  vector sum[MOST_ROWS][PANEL_VECTORS] = {{{0}}};
  const hg_real *a = t->a + i, *b = t->b;
  for (hg_off p = 0; p < t->n; p++, a += t->k, b += t->stride_b) {
    const vector_in_memory *row = (const vector_in_memory *)b;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
      for (int v = 0; v < count; v++) sum[r][v] += a[r] * row[v];
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) store_row(sum[r], count, t->columns, 1, t->c + (hg_off)(i + r) * t->stride_c);
}

ALWAYS_INLINE void at_tiles(const at_task *t, int rows, int count)
{
  int i = 0;
  for (; i + rows <= t->k; i += rows) at_tile(t, i, rows, count);
  for (; i < t->k; i++) at_tile(t, i, 1, count);
}

/** Copies b's columns to `padded`, with zeros up to whole registers. */
ALWAYS_INLINE void pad_columns(at_task *t, int count, hg_real *padded)
{
  for (hg_off p = 0; p < t->n; p++) {
    memset(padded + p * count * LANES, 0, (size_t)(count * LANES) * sizeof *padded);
    memcpy(padded + p * count * LANES, t->b + p * t->stride_b, (size_t)t->columns * sizeof *padded);
  }
  t->b = padded;
  t->stride_b = count * LANES;
}

static void at_block(const hg_real *a, const hg_real *b, hg_off n, int k, int m, hg_real *c)
{
  _Alignas(64) hg_real padded[AT_ROWS * PANEL_WIDTH];
  for (int column = 0; column < m; column += PANEL_WIDTH) {
    int columns = m - column < PANEL_WIDTH ? m - column : PANEL_WIDTH, count = (columns + LANES - 1) / LANES;
    at_task t = {a, b + column, n, k, m, m, c + column, columns};
    if (columns < count * LANES) pad_columns(&t, count, padded);
    if (count == PANEL_VECTORS)
      at_tiles(&t, FULL_ROWS, PANEL_VECTORS);
    else if (count == 3)
      at_tiles(&t, WIDE_ROWS, PANEL_VECTORS > 3 ? 3 : 1);
    else if (count == 2)
      at_tiles(&t, MIDDLE_ROWS, 2);
    else
      at_tiles(&t, NARROW_ROWS, 1);
  }
}

static void panel_at(const hg_real *a, const hg_real *b, hg_off n, int k, int m, hg_real *c)
{
  for (hg_off i = 0; i < n; i += AT_ROWS) at_block(a + i * k, b + i * m, n - i < AT_ROWS ? n - i : AT_ROWS, k, m, c);
}
