#include "models/blocks.h"

#include <omp.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"
#include "core/tensor/skip_zeros.h"

// Each a whole number of cache lines.
enum { BUFFERS = 3, ALIGNED = 64 / (int)sizeof(hg_real) };

static hg_off buffer_size(int widest) { return ((hg_off)widest + ALIGNED - 1) / ALIGNED * ALIGNED * HG_BLOCK_ROWS; }

hg_off hg_blocks_space(int threads, int widest) { return threads * BUFFERS * buffer_size(widest); }

hg_matrix hg_blocks_buffer(const hg_blocks *b, int which, hg_off rows, int cols)
{
  hg_off place = (hg_off)omp_get_thread_num() * BUFFERS + which;
  return hg_matrix_view(b->space + place * buffer_size(b->widest), rows, cols);
}

int hg_blocks_team(const hg_blocks *b) { return hg_threads() < b->threads ? hg_threads() : b->threads; }

int hg_piece_count(hg_off n, int widest)
{
  enum { FEWEST = 16, SHARE = 16 };
  hg_off most = hg_gemm_at_parts(n), room = n / SHARE / (widest > 0 ? widest : 1);
  if (room < FEWEST) room = FEWEST;
  return (int)(most < room ? most : room);
}

void hg_over_pieces(const hg_blocks *b, const hg_pieces *p, hg_piece_work *work, const void *task, hg_phases *phases)
{
  double seconds[HG_PHASE_COUNT] = {0};
#pragma omp parallel default(none) shared(b, p, work, task, seconds) \
    num_threads(hg_blocks_team(b)) if (p->rows.n * p->width > HG_PARALLEL_FROM)
  {
    hg_stopwatch watch = hg_stopwatch_start();
#pragma omp for schedule(dynamic, 1) nowait
    for (int piece = 0; piece < p->pieces; piece++) {
      hg_off start, end;
      hg_block(p->rows.n, p->pieces, piece, &start, &end);
      work(task, p->rows.first + start, end - start, piece, &watch);
    }
    hg_stopwatch_add(&watch, seconds);
  }
  hg_phases_share(phases, seconds, HG_PHASE_TRANSFORM);
}

static hg_off size_of(const hg_partials *p) { return p->sum.data ? p->sum.rows * p->sum.cols : 0; }

hg_partials hg_partials_begin(const hg_matrix *sum, int parts, hg_zeros zeros, hg_real **space)
{
  bool turned = hg_gemm_at_turned((int)sum->rows, sum->cols, zeros);
  const hg_partials p = {.sum = *sum, .parts = parts, .zeros = zeros, .turned = turned, .values = *space};
  hg_off size = size_of(&p);
  *space += parts * size;
#pragma omp parallel for schedule(static) default(none) shared(p, parts, size) \
    num_threads(hg_threads()) if (size * parts > HG_PARALLEL_FROM)
  for (int part = 0; part < parts; part++) memset(p.values + part * size, 0, (size_t)size * sizeof *p.values);
  return p;
}

hg_real *hg_partial(const hg_partials *p, int part) { return p->sum.data ? p->values + part * size_of(p) : NULL; }

void hg_partials_add(const hg_partials *p, int part, const hg_matrix *a, const hg_matrix *b)
{
  hg_real *sum = hg_partial(p, part);
  if (sum) hg_gemm_at_block(a, b, p->zeros, sum);
}

void hg_partials_finish(const hg_partials *p)
{
  hg_matrix sum = p->sum;
  if (sum.data) hg_gemm_at_add(p->values, p->parts, p->turned, 0, &sum);
}

// s = the rows of A x, from x or from its copy in bfloat16
static void aggregate(const hg_operator *op, const hg_matrix *x, const hg_bf16_matrix *rounded, hg_off first, hg_off n,
                      hg_matrix *s)
{
  if (rounded->data)
    hg_spmm_bf16_block(op, first, n, rounded, s);
  else
    hg_spmm_block(op, first, n, x, s);
}

static void forward_block(const hg_forward_blocks *f, hg_off first, hg_off n, hg_stopwatch *watch)
{
  hg_matrix x = hg_matrix_rows(&f->x, f->op ? 0 : first, f->op ? f->x.rows : n), y = hg_matrix_rows(&f->y, first, n);
  if (f->op) {
    hg_matrix s = !f->w       ? y
                  : f->s.data ? hg_matrix_rows(&f->s, first, n)
                              : hg_blocks_buffer(&f->blocks, 0, n, f->x.cols);
    aggregate(f->op, &x, &f->rounded, first, n, &s);
    x = s;
    hg_stopwatch_lap(watch, HG_PHASE_AGGREGATE);
  }
  if (f->w) {
    hg_gemm_block(&x, f->w, 0, &y);
    hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
  }
  if (f->finish) f->finish(f->context, first, n);
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
}

void hg_blocks_forward(const hg_forward_blocks *f, hg_off first, hg_off n)
{
  double seconds[HG_PHASE_COUNT] = {0};
  hg_off blocks = (n + HG_BLOCK_ROWS - 1) / HG_BLOCK_ROWS, work = n * (f->x.cols + f->y.cols);
#pragma omp parallel default(none) shared(f, first, n, blocks, seconds) \
    num_threads(hg_blocks_team(&f->blocks)) if (work > HG_PARALLEL_FROM)
  {
    hg_stopwatch watch = hg_stopwatch_start();
#pragma omp for schedule(dynamic, 1) nowait
    for (hg_off block = 0; block < blocks; block++) {
      hg_off start = block * HG_BLOCK_ROWS;
      forward_block(f, first + start, hg_block_rows(n - start), &watch);
    }
    hg_stopwatch_add(&watch, seconds);
  }
  hg_phases_share(f->phases, seconds, f->w ? HG_PHASE_TRANSFORM : HG_PHASE_AGGREGATE);
}

void hg_input_gradient(const hg_input_weights *w, const hg_matrix *t, const hg_matrix *x, hg_matrix *d_x)
{
  if (w->masked.data)
    hg_gemm_bt_masked(t, &w->masked, x, d_x);
  else
    hg_gemm_block(t, &w->all, 0, d_x);
}

static void backward_block(const hg_backward_blocks *b, hg_off first, hg_off n, int part, hg_stopwatch *watch)
{
  hg_matrix x = hg_matrix_rows(&b->x, first, n), t = hg_matrix_rows(&b->d, b->op ? 0 : first, b->op ? b->d.rows : n);
  if (b->op) {
    hg_matrix sum = hg_blocks_buffer(&b->blocks, 0, n, b->d.cols);
    aggregate(b->op, &t, &b->rounded, first, n, &sum);
    t = sum;
    hg_stopwatch_lap(watch, HG_PHASE_AGGREGATE);
  }
  hg_real *partial = hg_partial(&b->d_w, part);
  if (partial && b->w && b->w->all.rounded.data)
    hg_gemm_at_bf16_block(hg_bf16_rows_real(&x), hg_bf16_rows_real(&t), partial);
  else
    hg_partials_add(&b->d_w, part, &x, &t);
  hg_matrix d_x = t;
  if (b->w) {
    d_x = hg_blocks_buffer(&b->blocks, 1, n, b->x.cols);
    hg_input_gradient(b->w, &t, &x, &d_x);
  }
  hg_stopwatch_lap(watch, HG_PHASE_TRANSFORM);
  b->pass(b->context, first, n, &d_x);
  hg_stopwatch_lap(watch, HG_PHASE_ELEMENTWISE);
}

static void backward_piece(const void *task, hg_off first, hg_off n, int part, hg_stopwatch *watch)
{
  const hg_backward_blocks *b = task;
  for (hg_off i = 0; i < n; i += HG_BLOCK_ROWS) backward_block(b, first + i, hg_block_rows(n - i), part, watch);
}

void hg_blocks_backward(const hg_backward_blocks *b, hg_off first, hg_off n)
{
  const hg_pieces pieces = {{first, n}, hg_gemm_at_parts(n), b->x.cols + b->d.cols};
  hg_over_pieces(&b->blocks, &pieces, backward_piece, b, b->phases);
}

void hg_blocks_forward_rows(void *context, hg_off first, hg_off n) { hg_blocks_forward(context, first, n); }

void hg_blocks_backward_rows(void *context, hg_off first, hg_off n) { hg_blocks_backward(context, first, n); }
