// A tile of rows of c stays in registers while the rows of a panel of b pass by. All panels take their turn on a block
// of rows of a before the next, so that the block is read from memory once.
// Cost: n (k + m) reals, 2 n k m flops.
#include "core/tensor/panel.h"

#include <string.h>

enum { MOST_ROWS = 12, MOST_VECTORS = HG_PANEL_WIDTH / HG_PANEL_LANES, ROWS_PER_BLOCK = 48 };

typedef hg_real vector __attribute__((vector_size(64)));

static inline void store(const vector *sum, int columns, hg_real beta, hg_real *c)
{
  hg_real result[HG_PANEL_WIDTH];
  memcpy(result, sum, sizeof result);
  if (beta == 0)
    memcpy(c, result, (size_t)columns * sizeof *c);
  else
    for (int q = 0; q < columns; q++) c[q] = result[q] + beta * c[q];
}

// `rows` x `count` vectors of c, both literals; `panel` is where column `column` starts
static inline __attribute__((always_inline)) void tile(const hg_panel_task *t, const hg_real *panel, int column,
                                                       hg_off i, int rows, int count)
{
  const hg_real *a = t->a + i * t->k;
  vector sum[MOST_ROWS][MOST_VECTORS] = {{{0}}};
  for (int p = 0; p < t->k; p++) {
    const vector *b = (const vector *)panel + (hg_off)p * count;
    __builtin_prefetch(a + (hg_off)rows * (t->k + p)); // the next tile's rows, evenly over this tile's steps
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
      for (int v = 0; v < count; v++) sum[r][v] += a[(hg_off)r * t->k + p] * b[v];
    }
  }
  int columns = t->m - column < count * HG_PANEL_LANES ? t->m - column : count * HG_PANEL_LANES;
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) store(sum[r], columns, t->beta, t->c + (i + r) * t->m + column);
}

static inline __attribute__((always_inline)) void tiles(const hg_panel_task *t, int column, hg_off first, hg_off end,
                                                        int rows, int count)
{
  const hg_real *panel = t->b + (hg_off)column * t->k;
  hg_off i = first;
  for (; i + rows <= end; i += rows) tile(t, panel, column, i, rows, count);
  for (; i < end; i++) tile(t, panel, column, i, 1, count);
}

static void block(const hg_panel_task *t, hg_off first, hg_off end)
{
  for (int column = 0; column < t->m; column += HG_PANEL_WIDTH) {
    switch ((t->m - column + HG_PANEL_LANES - 1) / HG_PANEL_LANES) {
    case 1:
      tiles(t, column, first, end, 12, 1);
      break;
    case 2:
      tiles(t, column, first, end, 12, 2);
      break;
    case 3:
      tiles(t, column, first, end, 8, 3);
      break;
    default:
      tiles(t, column, first, end, 6, MOST_VECTORS);
    }
  }
}

void hg_panel_rows_avx512(const hg_panel_task *task, hg_off first, hg_off end)
{
  for (hg_off i = first; i < end; i += ROWS_PER_BLOCK)
    block(task, i, i + ROWS_PER_BLOCK < end ? i + ROWS_PER_BLOCK : end);
}
