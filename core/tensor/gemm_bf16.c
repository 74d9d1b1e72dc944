#include "core/tensor/gemm_bf16.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/bf16_kernels.h"
#include "core/tensor/gemm.h"
#include "core/tensor/row_blocks.h"

// A block of rows of a is rounded, or copied where an odd width leaves no pairs, and then meets all panels of b.
enum { ROWS_PER_BLOCK = 48, INNER_PER_BLOCK = 1024, BLOCKS_PER_PIECE = 8 };
// a' b goes over the rows in blocks; of each so many columns of a and of b at a time stand in pairs of rows.
enum { ROWS_PER_OUTER = 256, COLUMNS_PER_OUTER = 256 };

hg_bf16_rows hg_bf16_rows_real(const hg_matrix *m)
{
  return (hg_bf16_rows){.rows = m->rows, .cols = m->cols, .real = m->data};
}

hg_bf16_rows hg_bf16_rows_stored(const hg_bf16_matrix *m)
{
  return (hg_bf16_rows){.rows = m->rows, .cols = m->cols, .bf16 = m->data};
}

static int panel_columns(int m, int start) { return m - start < HG_BF16_PANEL ? m - start : HG_BF16_PANEL; }

static int rounded_up(int columns) { return (columns + HG_BF16_GROUP - 1) / HG_BF16_GROUP * HG_BF16_GROUP; }

hg_off hg_bf16_panels_space(int k, int m) { return 2 * ((hg_off)k / 2 + k % 2) * rounded_up(m); }

hg_status hg_bf16_panels_create(hg_bf16_panels *panels, int k, int m)
{
  *panels = (hg_bf16_panels){.k = k, .m = m};
  return HG_ALLOC(panels->data, hg_bf16_panels_space(k, m), "panels in bfloat16");
}

void hg_bf16_panels_free(hg_bf16_panels *panels)
{
  hg_free(&panels->data);
  panels->k = 0;
  panels->m = 0;
}

// Columns start .. of the rows p and p + 1 of the right side, gathered for `transposed` from rows of b
static void take(const hg_matrix *b, bool transposed, int p, int start, int columns, hg_real *row)
{
  if (!transposed) {
    memcpy(row, b->data + (hg_off)p * b->cols + start, (size_t)columns * sizeof *row);
    return;
  }
  for (int q = 0; q < columns; q++) row[q] = b->data[(hg_off)(start + q) * b->cols + p];
}

void hg_bf16_panels_fill(hg_bf16_panels *panels, const hg_matrix *b, bool transposed)
{
  const hg_bf16_kernels *kernels = hg_bf16_kernels_here();
  hg_bf16 *line = panels->data;
  for (int start = 0; start < panels->m; start += HG_BF16_PANEL) {
    int columns = panel_columns(panels->m, start), width = rounded_up(columns);
    for (int p = 0; p < panels->k; p += 2, line += 2 * width) {
      hg_real pair[2][HG_BF16_PANEL] = {{0}};
      for (int half = 0; half < 2 && p + half < panels->k; half++)
        take(b, transposed, p + half, start, columns, pair[half]);
      kernels->pair_real(pair[0], pair[1], width, line);
    }
  }
}

hg_bf16_panels hg_bf16_panels_view(hg_bf16 *space, int k, int m)
{
  return (hg_bf16_panels){.k = k, .m = m, .data = space};
}

static hg_off pairs_of(hg_off k) { return k / 2 + k % 2; }

// `count` numbers of each of n rows from (i, start) on, rounded, with a zero after an odd count
static void round_rows(const hg_bf16_kernels *kernels, hg_bf16_rows a, hg_off i, int n, int start, int count,
                       hg_bf16 *to)
{
  for (int r = 0; r < n; r++, to += 2 * pairs_of(count)) {
    hg_off from = (i + r) * a.cols + start;
    to[2 * pairs_of(count) - 1] = 0;
    if (a.bf16)
      memcpy(to, a.bf16 + from, (size_t)count * sizeof *to);
    else
      kernels->from_real(a.real + from, count, to);
  }
}

static void row_block(const hg_bf16_kernels *kernels, hg_bf16_rows a, hg_off i, int n, const hg_bf16_panels *b,
                      hg_real beta, hg_matrix *c)
{
  hg_bf16 copy[ROWS_PER_BLOCK * INNER_PER_BLOCK];
  bool direct = a.bf16 && a.cols % 2 == 0;
  hg_bf16_block block = {.pair_stride = 2,
                         .b = b->data,
                         .panel_pairs = pairs_of(b->k),
                         .c = c->data + i * c->cols,
                         .c_stride = c->cols,
                         .rows = n,
                         .cols = c->cols};
  int start = 0;
  do {
    int count = direct || a.cols - start < INNER_PER_BLOCK ? a.cols - start : INNER_PER_BLOCK;
    if (!direct && count > 0) round_rows(kernels, a, i, n, start, count, copy);
    block.a = direct ? a.bf16 + i * a.cols : copy;
    block.row_stride = direct ? a.cols : 2 * pairs_of(count);
    block.first_pair = start / 2;
    block.pairs = (int)pairs_of(count);
    block.beta = start == 0 ? beta : 1;
    kernels->multiply(&block);
    start += count;
  } while (start < a.cols);
}

void hg_gemm_bf16_rows(hg_bf16_rows a, hg_off first, hg_off n, const hg_bf16_panels *b, hg_real beta, hg_matrix *c)
{
  const hg_bf16_kernels *kernels = hg_bf16_kernels_here();
  for (hg_off i = first, end = first + n; i < end; i += ROWS_PER_BLOCK)
    row_block(kernels, a, i, (int)(end - i < ROWS_PER_BLOCK ? end - i : ROWS_PER_BLOCK), b, beta, c);
}

void hg_gemm_bf16(hg_bf16_rows a, const hg_bf16_panels *b, hg_real beta, hg_matrix *c)
{
  enum { ROWS_PER_PIECE = ROWS_PER_BLOCK * BLOCKS_PER_PIECE };
  hg_off pieces = (a.rows + ROWS_PER_PIECE - 1) / ROWS_PER_PIECE;
#pragma omp parallel for schedule(static) default(none) shared(a, b, beta, c, pieces) \
    num_threads(hg_threads()) if (a.rows * a.cols * c->cols > 16 * HG_PARALLEL_FROM)
  for (hg_off piece = 0; piece < pieces; piece++) {
    hg_off first = piece * ROWS_PER_PIECE, left = a.rows - first;
    hg_gemm_bf16_rows(a, first, left < ROWS_PER_PIECE ? left : ROWS_PER_PIECE, b, beta, c);
  }
}

// Rows i and i + 1 of columns start .. as pairs; a row that is not there is zero
static void pair_rows(const hg_bf16_kernels *kernels, hg_bf16_rows a, hg_off i, bool both, int start, int count,
                      hg_bf16 *pairs)
{
  static const hg_real no_real[COLUMNS_PER_OUTER];
  static const hg_bf16 no_bf16[COLUMNS_PER_OUTER];
  hg_off from = i * a.cols + start;
  if (a.real)
    kernels->pair_real(a.real + from, both ? a.real + from + a.cols : no_real, count, pairs);
  else
    kernels->pair_bf16(a.bf16 + from, both ? a.bf16 + from + a.cols : no_bf16, count, pairs);
}

// Rows [first, end) of columns start .. in the panels of the right side
static void pair_panels(const hg_bf16_kernels *kernels, hg_bf16_rows b, hg_off first, hg_off end, int start, int count,
                        hg_bf16 *line)
{
  for (int column = 0; column < count; column += HG_BF16_PANEL) {
    int columns = panel_columns(count, column), width = rounded_up(columns);
    for (hg_off i = first; i < end; i += 2, line += 2 * width) {
      pair_rows(kernels, b, i, i + 1 < end, start + column, columns, line);
      memset(line + 2 * columns, 0, (size_t)(width - columns) * 2 * sizeof *line);
    }
  }
}

// product = a' b + beta product for the rows [first, end)
static void add_outer(const hg_bf16_kernels *kernels, hg_bf16_rows a, hg_bf16_rows b, hg_off first, hg_off end,
                      hg_real beta, hg_real *product)
{
  hg_bf16 left[ROWS_PER_OUTER * COLUMNS_PER_OUTER], right[ROWS_PER_OUTER * COLUMNS_PER_OUTER];
  int pairs = (int)pairs_of(end - first);
  for (int q = 0; q < b.cols; q += COLUMNS_PER_OUTER) {
    int columns = b.cols - q < COLUMNS_PER_OUTER ? b.cols - q : COLUMNS_PER_OUTER;
    pair_panels(kernels, b, first, end, q, columns, right);
    for (int p = 0; p < a.cols; p += COLUMNS_PER_OUTER) {
      int rows = a.cols - p < COLUMNS_PER_OUTER ? a.cols - p : COLUMNS_PER_OUTER;
      for (hg_off i = first; i < end; i += 2) pair_rows(kernels, a, i, i + 1 < end, p, rows, left + (i - first) * rows);
      const hg_bf16_block block = {.a = left,
                                   .row_stride = 2,
                                   .pair_stride = 2 * rows,
                                   .b = right,
                                   .panel_pairs = pairs,
                                   .c = product + (hg_off)p * b.cols + q,
                                   .c_stride = b.cols,
                                   .rows = rows,
                                   .cols = columns,
                                   .pairs = pairs,
                                   .beta = beta};
      kernels->multiply(&block);
    }
  }
}

static void add_rows(const hg_bf16_kernels *kernels, hg_bf16_rows a, hg_bf16_rows b, hg_off first, hg_off end,
                     hg_real beta, hg_real *product)
{
  for (hg_off i = first; i < end; i += ROWS_PER_OUTER)
    add_outer(kernels, a, b, i, end - i < ROWS_PER_OUTER ? end : i + ROWS_PER_OUTER, i == first ? beta : 1, product);
}

static void partial_product(const hg_bf16_kernels *kernels, hg_bf16_rows a, hg_bf16_rows b, int parts, int part,
                            hg_real *product)
{
  hg_off first, end;
  hg_block(a.rows, parts, part, &first, &end);
  add_rows(kernels, a, b, first, end, 0, product);
}

void hg_gemm_at_bf16_block(hg_bf16_rows a, hg_bf16_rows b, hg_real *c)
{
  add_rows(hg_bf16_kernels_here(), a, b, 0, a.rows, 1, c);
}

void hg_gemm_at_bf16(hg_bf16_rows a, hg_bf16_rows b, hg_real beta, hg_matrix *c, hg_real *scratch)
{
  const hg_bf16_kernels *kernels = hg_bf16_kernels_here();
  hg_off size = (hg_off)a.cols * b.cols;
  int parts = hg_gemm_at_parts(a.rows);
#pragma omp parallel for schedule(static) default(none) shared(kernels, a, b, parts, size, scratch) \
    num_threads(hg_threads()) if (a.rows * size > 16 * HG_PARALLEL_FROM)
  for (int part = 0; part < parts; part++) partial_product(kernels, a, b, parts, part, scratch + part * size);
  hg_gemm_at_add(scratch, parts, false, beta, c);
}
