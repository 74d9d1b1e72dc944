#include <string.h>

#include "bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/epilogue.h"
#include "core/tensor/gemm.h"
#include "core/tensor/loss.h"
#include "core/tensor/norms.h"
#include "core/tensor/spmm.h"

enum { WIDTH = 256, INPUT = 128, CLASSES = 40 };

/** Arrays that all cases share: three wide matrices, and what the small operands need. */
typedef struct {
  hg_csr a;
  hg_off n;
  hg_matrix x, y, z;     ///< [n x WIDTH]
  hg_matrix w, d_w;      ///< [WIDTH x WIDTH]
  hg_real *scale;        ///< [n]
  hg_real *gamma, *beta; ///< [WIDTH] each
  hg_real *d_gamma, *d_beta;
  hg_real *scratch; ///< of hg_gemm_at
  hg_gid *ids;      ///< [n]
  hg_lid *rows;     ///< [n]
  int32_t *labels;  ///< [n]
} data;

/** One case's share: a matrix operation with these widths. */
typedef struct {
  data *d;
  int f_in, f_out;
} shape;

static hg_matrix as(const data *d, const hg_matrix *m, int width) { return hg_matrix_view(m->data, d->n, width); }

static void spmm(void *context)
{
  const shape *s = context;
  data *d = s->d;
  hg_operator op = {.a = &d->a, .row_scale = d->scale, .col_scale = d->scale, .n_self = (hg_lid)d->n};
  hg_matrix x = as(d, &d->x, s->f_in), y = as(d, &d->y, s->f_in);
  hg_spmm(&op, 0, d->n, &x, &y);
}

static void gemm(void *context)
{
  const shape *s = context;
  data *d = s->d;
  hg_matrix x = as(d, &d->x, s->f_in), y = as(d, &d->y, s->f_out), w = hg_matrix_view(d->w.data, s->f_in, s->f_out);
  hg_gemm(&x, &w, 0, &y);
}

static void gemm_input_gradient(void *context)
{
  const shape *s = context;
  data *d = s->d;
  hg_matrix d_y = as(d, &d->y, s->f_out), d_x = as(d, &d->z, s->f_in), w = hg_matrix_view(d->w.data, s->f_in, s->f_out);
  hg_gemm_bt(&d_y, &w, 0, &d_x);
}

static void gemm_weight_gradient(void *context)
{
  const shape *s = context;
  data *d = s->d;
  hg_matrix x = as(d, &d->x, s->f_in), d_y = as(d, &d->y, s->f_out),
            d_w = hg_matrix_view(d->d_w.data, s->f_in, s->f_out);
  hg_gemm_at(&x, &d_y, 0, &d_w, d->scratch);
}

static void dropout(void *context)
{
  const shape *s = context;
  hg_matrix z = as(s->d, &s->d->z, s->f_in);
  hg_dropout_apply((hg_dropout){.seed = 1, .epoch = 3, .layer = 1, .rate = 0.5}, s->d->ids, &z);
}

static void bias_relu(void *context)
{
  const shape *s = context;
  hg_matrix z = as(s->d, &s->d->z, s->f_in);
  hg_bias_add(&z, 0, s->d->n, s->d->beta);
  hg_activate(HG_ACTIVATION_RELU, &z);
}

static void bias_gradient(void *context)
{
  const shape *s = context;
  hg_matrix x = as(s->d, &s->d->x, s->f_in);
  hg_bias_gradient(&x, s->d->d_beta);
}

static void layer_norm(void *context)
{
  const shape *s = context;
  data *d = s->d;
  hg_matrix z = as(d, &d->z, s->f_in), y = as(d, &d->y, s->f_in);
  hg_layer_norm(&z, d->gamma, d->beta, d->scale, &y);
}

static void layer_norm_gradient(void *context)
{
  const shape *s = context;
  data *d = s->d;
  hg_matrix xhat = as(d, &d->x, s->f_in), d_y = as(d, &d->y, s->f_in);
  hg_layer_norm_gradient(&xhat, d->gamma, d->scale, &d_y, d->d_gamma, d->d_beta);
}

static void loss(void *context)
{
  const shape *s = context;
  data *d = s->d;
  hg_matrix x = as(d, &d->x, CLASSES), d_z = as(d, &d->z, CLASSES);
  hg_truth truth = {.labels = d->labels, .classes = CLASSES};
  hg_loss_compute(&(hg_loss){.kind = HG_LOSS_CROSS_ENTROPY}, &truth, d->rows, d->n, &x, (double)d->n, &d_z);
}

static void data_free(data *d)
{
  hg_csr_free(&d->a);
  hg_matrix_free(&d->x), hg_matrix_free(&d->y), hg_matrix_free(&d->z);
  hg_matrix_free(&d->w), hg_matrix_free(&d->d_w);
  hg_free(&d->scale), hg_free(&d->gamma), hg_free(&d->beta), hg_free(&d->d_gamma), hg_free(&d->d_beta);
  hg_free(&d->scratch), hg_free(&d->ids), hg_free(&d->rows), hg_free(&d->labels);
}

static hg_status allocate(data *d)
{
  const char *what = "arrays of the benchmark";
  hg_status rc = HG_OK;
  HG_TRY(hg_matrix_create(&d->x, d->n, WIDTH, what));
  HG_TRY(hg_matrix_create(&d->y, d->n, WIDTH, what));
  HG_TRY(hg_matrix_create(&d->z, d->n, WIDTH, what));
  HG_TRY(hg_matrix_create(&d->w, WIDTH, WIDTH, what));
  HG_TRY(hg_matrix_create(&d->d_w, WIDTH, WIDTH, what));
  HG_TRY(HG_ALLOC(d->scale, d->n, what));
  HG_TRY(HG_ALLOC(d->gamma, WIDTH, what));
  HG_TRY(HG_ALLOC(d->beta, WIDTH, what));
  HG_TRY(HG_ALLOC(d->d_gamma, WIDTH, what));
  HG_TRY(HG_ALLOC(d->d_beta, WIDTH, what));
  HG_TRY(HG_ALLOC(d->scratch, hg_gemm_at_scratch(d->n, WIDTH, WIDTH), what));
  HG_TRY(HG_ALLOC(d->ids, d->n, what));
  HG_TRY(HG_ALLOC(d->rows, d->n, what));
  HG_TRY(HG_ALLOC(d->labels, d->n, what));
done:
  return rc;
}

// Numbers of both signs near one: no denormals, no overflow in repeated in-place work.
static void fill(data *d)
{
  for (hg_off i = 0; i < d->n * WIDTH; i++)
    d->x.data[i] = d->z.data[i] = (hg_real)((double)(i * 7919 % 2001) / 1000 - 1);
  for (hg_off i = 0; i < WIDTH * WIDTH; i++) d->w.data[i] = (hg_real)((double)(i * 31 % 201) / 1000 - 0.1);
  for (int k = 0; k < WIDTH; k++) d->gamma[k] = 1;
  for (hg_off i = 0; i < d->n; i++) {
    d->scale[i] = (hg_real)0.25;
    d->ids[i] = i;
    d->rows[i] = (hg_lid)i;
    d->labels[i] = (int32_t)(i % CLASSES);
  }
}

static hg_status data_create(data *d, const hg_bench_options *options)
{
  hg_status rc = HG_OK;
  memset(d, 0, sizeof *d);
  HG_TRY(hg_bench_graph(options, &d->a));
  d->n = d->a.n_rows;
  HG_TRY(allocate(d));
  fill(d);
done:
  if (rc != HG_OK) data_free(d);
  return rc;
}

static const struct {
  const char *name;
  void (*run)(void *context);
  int f_in, f_out;
  double reads_and_writes; ///< numbers moved a row and column (of f_in), where it is no product
} list[] = {
    {"spmm", spmm, 16, 0, 2},
    {"spmm", spmm, 64, 0, 2},
    {"spmm", spmm, 128, 0, 2},
    {"spmm", spmm, 256, 0, 2},
    {"gemm", gemm, INPUT, WIDTH, 0},
    {"gemm", gemm, WIDTH, WIDTH, 0},
    {"gemm", gemm, WIDTH, CLASSES, 0},
    {"gemm input gradient", gemm_input_gradient, WIDTH, WIDTH, 0},
    {"gemm input gradient", gemm_input_gradient, WIDTH, CLASSES, 0},
    {"gemm weight gradient", gemm_weight_gradient, WIDTH, WIDTH, 0},
    {"gemm weight gradient", gemm_weight_gradient, WIDTH, CLASSES, 0},
    {"dropout", dropout, WIDTH, 0, 2},
    {"bias and relu", bias_relu, WIDTH, 0, 4},
    {"bias gradient", bias_gradient, WIDTH, 0, 1},
    {"layer norm", layer_norm, WIDTH, 0, 3},
    {"layer norm gradient", layer_norm_gradient, WIDTH, 0, 3},
    {"cross entropy", loss, CLASSES, 0, 2},
};
enum { CASES = sizeof list / sizeof *list };

static hg_bench_case make_case(int k, shape *s)
{
  const double n = (double)s->d->n, in = s->f_in, out = s->f_out, entries = (double)hg_csr_entries(&s->d->a);
  hg_bench_case c = {.run = list[k].run, .context = s};
  if (out > 0) {
    snprintf(c.name, sizeof c.name, "%s %d x %d", list[k].name, s->f_in, s->f_out);
    c.flops = 2 * n * in * out;
    c.bytes = sizeof(hg_real) * (n * (in + out) + in * out);
    return c;
  }
  snprintf(c.name, sizeof c.name, "%s %d", list[k].name, s->f_in);
  c.bytes = sizeof(hg_real) * n * in * list[k].reads_and_writes;
  if (c.run != spmm) return c;
  c.bytes += entries * sizeof(hg_lid) + n * (sizeof(hg_off) + sizeof(hg_real));
  c.flops = 2 * (entries + n) * in;
  return c;
}

hg_status hg_bench_kernels(const hg_bench_options *options, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  data d;
  hg_bench_limits limits;
  shape shapes[CASES];
  HG_TRY(data_create(&d, options));
  HG_TRY(hg_bench_limits_measure(options, &limits));
  for (int k = 0; k < CASES; k++) {
    shapes[k] = (shape){&d, list[k].f_in, list[k].f_out};
    hg_bench_case c = make_case(k, &shapes[k]);
    HG_TRY(hg_bench_measure(&c, 1, options, &limits, report));
  }
done:
  data_free(&d);
  return rc;
}
