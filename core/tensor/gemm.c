#include "core/tensor/gemm.h"

#include <cblas.h>
#include <pthread.h>
#include <string.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/panel.h"
#include "core/tensor/row_blocks.h"
#include "core/tensor/skip_zeros.h"

// OpenBLAS's own threads are slow on tall and narrow matrices: each of our threads calls it on blocks of rows instead.
// The size of a block is a function of the shape alone, so the bits do not depend on the number of threads.
enum { ROWS_PER_CALL = 384, ROWS_PER_PARTIAL = 512 };

// Numbers of a sum that stay in the nearest cache while the parts pass by.
enum { PARTS_TOGETHER = 2048 };

static void use_one_blas_thread(void) { openblas_set_num_threads(1); }

static void prepare(void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, use_one_blas_thread);
}

static void scale(hg_real beta, hg_real *c, hg_off count)
{
  if (beta == 0)
    memset(c, 0, (size_t)count * sizeof *c);
  else
    for (hg_off i = 0; i < count; i++) c[i] *= beta;
}

typedef struct {
  CBLAS_TRANSPOSE trans_a, trans_b;
  int rows, cols, inner; ///< c is [rows x cols]
  const hg_real *a, *b;
  int lda, ldb;
  hg_real beta, *c;
} call;

static void blas(const call *g)
{
  if (g->rows == 0 || g->cols == 0) return;
  if (g->inner == 0) {
    scale(g->beta, g->c, (hg_off)g->rows * g->cols);
    return;
  }
#ifdef HALOGNN_FLOAT64
  cblas_dgemm(CblasRowMajor, g->trans_a, g->trans_b, g->rows, g->cols, g->inner, 1, g->a, g->lda, g->b, g->ldb, g->beta,
              g->c, g->cols);
#else
  cblas_sgemm(CblasRowMajor, g->trans_a, g->trans_b, g->rows, g->cols, g->inner, 1, g->a, g->lda, g->b, g->ldb, g->beta,
              g->c, g->cols);
#endif
}

hg_right_side hg_right_side_of(const hg_matrix *b, bool transposed, hg_real *space)
{
  hg_right_side side = {.b = b->data,
                        .transposed = transposed,
                        .k = transposed ? b->cols : (int)b->rows,
                        .m = transposed ? (int)b->rows : b->cols};
  side.packed = space && hg_panel_fits(side.k, side.m);
  if (side.packed) side.panels = hg_panel_pack(b->data, transposed, side.k, side.m, space);
  return side;
}

// Panels in bfloat16 take k rounded up to pairs times m rounded up to 16 of half the size of a real, or less.
_Static_assert(2 * sizeof(hg_bf16) <= sizeof(hg_real), "panels of reals leave space for those in bfloat16");

hg_right_side hg_right_side_rounded(const hg_matrix *b, bool transposed, hg_real *space)
{
  hg_right_side side = hg_right_side_of(b, transposed, NULL);
  side.rounded = hg_bf16_panels_view((hg_bf16 *)space, side.k, side.m);
  hg_bf16_panels_fill(&side.rounded, b, transposed);
  return side;
}

void hg_gemm_block(const hg_matrix *a, const hg_right_side *b, hg_real beta, hg_matrix *c)
{
  if (b->rounded.data) {
    hg_gemm_bf16_rows(hg_bf16_rows_real(a), 0, a->rows, &b->rounded, beta, c);
    return;
  }
  if (b->packed) {
    hg_panel_rows(&b->panels, a->data, a->rows, beta, c->data);
    return;
  }
  prepare();
  const call g = {.trans_a = CblasNoTrans,
                  .trans_b = b->transposed ? CblasTrans : CblasNoTrans,
                  .rows = (int)a->rows,
                  .cols = b->m,
                  .inner = b->k,
                  .a = a->data,
                  .b = b->b,
                  .lda = a->cols,
                  .ldb = b->transposed ? b->k : b->m,
                  .beta = beta,
                  .c = c->data};
  blas(&g);
}

void hg_gemm_right(const hg_matrix *a, const hg_right_side *b, hg_real beta, hg_matrix *c)
{
  hg_off blocks = (a->rows + ROWS_PER_CALL - 1) / ROWS_PER_CALL;
#pragma omp parallel for schedule(static) default(none) shared(b, a, c, beta, blocks) \
    num_threads(hg_threads()) if (a->rows * a->cols * c->cols > 16 * HG_PARALLEL_FROM)
  for (hg_off block = 0; block < blocks; block++) {
    hg_off first = block * ROWS_PER_CALL, rows = a->rows - first < ROWS_PER_CALL ? a->rows - first : ROWS_PER_CALL;
    const hg_matrix some = hg_matrix_rows(a, first, rows);
    hg_matrix result = hg_matrix_rows(c, first, rows);
    hg_gemm_block(&some, b, beta, &result);
  }
}

// b is packed once, here, on the stack of the calling thread, where it fits and enough rows pass by.
enum { PACKED_FEWEST_ROWS = 64 };

static void multiply(const hg_matrix *a, const hg_matrix *b, bool transposed, hg_real beta, hg_matrix *c)
{
  _Alignas(64) hg_real packed[HG_PANEL_LARGEST];
  const hg_right_side side = hg_right_side_of(b, transposed, a->rows >= PACKED_FEWEST_ROWS ? packed : NULL);
  hg_gemm_right(a, &side, beta, c);
}

void hg_gemm(const hg_matrix *a, const hg_matrix *b, hg_real beta, hg_matrix *c) { multiply(a, b, false, beta, c); }

void hg_gemm_bt(const hg_matrix *a, const hg_matrix *b, hg_real beta, hg_matrix *c) { multiply(a, b, true, beta, c); }

int hg_gemm_at_parts(hg_off n)
{
  hg_off wanted = (n + ROWS_PER_PARTIAL - 1) / ROWS_PER_PARTIAL;
  return (int)(wanted < HG_ROW_BLOCKS ? wanted : HG_ROW_BLOCKS);
}

hg_off hg_gemm_at_scratch(hg_off n, int k, int m) { return (hg_off)hg_gemm_at_parts(n) * k * m; }

bool hg_gemm_at_turned(int k, int m, hg_zeros zeros)
{
  enum { WIDE = 64 }; // whole registers of the widest tile
  return zeros == HG_ZEROS_KEPT ? m < WIDE && m < k : zeros == HG_ZEROS_OF_B;
}

static void add_product(const hg_matrix *a, const hg_matrix *b, hg_real *c)
{
  if (hg_simd_level() != HG_SIMD_BASE) {
    hg_panel_at(a->data, b->data, a->rows, a->cols, b->cols, c);
    return;
  }
  prepare();
  const call g = {.trans_a = CblasTrans,
                  .trans_b = CblasNoTrans,
                  .rows = a->cols,
                  .cols = b->cols,
                  .inner = (int)a->rows,
                  .a = a->data,
                  .b = b->data,
                  .lda = a->cols,
                  .ldb = b->cols,
                  .beta = 1,
                  .c = c};
  blas(&g);
}

void hg_gemm_at_block(const hg_matrix *a, const hg_matrix *b, hg_zeros zeros, hg_real *part)
{
  bool turned = hg_gemm_at_turned(a->cols, b->cols, zeros);
  const hg_matrix *left = turned ? b : a, *right = turned ? a : b;
  if (zeros == HG_ZEROS_KEPT)
    add_product(left, right, part);
  else
    hg_gemm_at_skipping(left, right, part);
}

static void partial_product(const hg_matrix *a, const hg_matrix *b, hg_zeros zeros, int parts, int part,
                            hg_real *product)
{
  hg_off first, end;
  hg_block(a->rows, parts, part, &first, &end);
  const hg_matrix rows_of_a = hg_matrix_rows(a, first, end - first), rows_of_b = hg_matrix_rows(b, first, end - first);
  memset(product, 0, (size_t)a->cols * (size_t)b->cols * sizeof *product);
  hg_gemm_at_block(&rows_of_a, &rows_of_b, zeros, product);
}

// to = sum + beta to for n numbers from number `first` of a part on, which are spread over c where parts are turned
static void put_sum(const hg_real *sum, hg_off first, hg_off n, bool turned, hg_real beta, hg_matrix *c)
{
  hg_off line = turned ? c->rows : c->cols, step = turned ? c->cols : 1;
  hg_off across = first / line, along = first % line;
  for (hg_off i = 0; i < n; i++) {
    hg_real *to = c->data + across * (turned ? 1 : line) + along * step;
    *to = beta == 0 ? sum[i] : sum[i] + beta * *to;
    if (++along == line) along = 0, across++;
  }
}

static void add_parts(const hg_real *partials, int parts, hg_off first, hg_off n, bool turned, hg_real beta,
                      hg_matrix *c)
{
  hg_real sum[PARTS_TOGETHER] = {0};
  for (int part = 0; part < parts; part++) {
    const hg_real *from = partials + part * c->rows * c->cols + first;
    for (hg_off i = 0; i < n; i++) sum[i] += from[i];
  }
  put_sum(sum, first, n, turned, beta, c);
}

void hg_gemm_at_add(const hg_real *partials, int parts, bool turned, hg_real beta, hg_matrix *c)
{
  hg_off size = c->rows * c->cols;
#pragma omp parallel for schedule(static) default(none) shared(c, parts, size, partials, turned, beta) \
    num_threads(hg_threads()) if (size * parts > HG_PARALLEL_FROM)
  for (hg_off first = 0; first < size; first += PARTS_TOGETHER)
    add_parts(partials, parts, first, size - first < PARTS_TOGETHER ? size - first : PARTS_TOGETHER, turned, beta, c);
}

void hg_gemm_at(const hg_matrix *a, const hg_matrix *b, hg_zeros zeros, hg_real beta, hg_matrix *c, hg_real *scratch)
{
  hg_off size = (hg_off)a->cols * b->cols;
  int parts = hg_gemm_at_parts(a->rows);
#pragma omp parallel for schedule(static) default(none) shared(a, b, zeros, parts, size, scratch) \
    num_threads(hg_threads()) if (a->rows * size > 16 * HG_PARALLEL_FROM)
  for (int part = 0; part < parts; part++) partial_product(a, b, zeros, parts, part, scratch + part * size);
  hg_gemm_at_add(scratch, parts, hg_gemm_at_turned(a->cols, b->cols, zeros), beta, c);
}
