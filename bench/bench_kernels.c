/*
 * Each kernel at the widths that models have, on one graph, beside its floor. A problem allocates what one case works
 * on and nothing else, so a large graph needs no more memory than its widest case. Bytes are compulsory: each operand
 * read once and each result written once, however often a kernel really goes over them.
 */
#include <string.h>

#include "bench/bench.h"
#include "bench/problem.h"
#include "core/base/alloc.h"
#include "core/tensor/epilogue.h"
#include "core/tensor/gemm.h"
#include "core/tensor/loss.h"
#include "core/tensor/norms.h"
#include "core/tensor/skip_zeros.h"
#include "core/tensor/spmm.h"
#include "models/blocks.h"

static hg_operator normalised(const hg_problem *p)
{
  return (hg_operator){.a = p->a, .row_scale = p->scale, .col_scale = p->scale, .n_self = (hg_lid)p->n};
}

static void spmm(void *context)
{
  hg_problem *p = context;
  const hg_operator op = normalised(p);
  hg_spmm(&op, 0, p->n, &p->x, &p->y);
}

static void spmm_unweighted(void *context)
{
  hg_problem *p = context;
  hg_spmm(&(hg_operator){.a = p->a, .n_self = (hg_lid)p->n}, 0, p->n, &p->x, &p->y);
}

static void spmm_bf16(void *context)
{
  hg_problem *p = context;
  const hg_operator op = normalised(p);
  hg_spmm_bf16(&op, 0, p->n, &p->rounded, &p->y);
}

static void spmm_nonzero(void *context)
{
  hg_problem *p = context;
  const hg_operator op = normalised(p);
  hg_spmm_nonzero(&op, 0, p->n, &p->nonzero, &p->y);
}

// What models make of a block of rows while it is in cache.
enum { WIDEST_BLOCK = 256 };

static void leave_out_zeros(void *context)
{
  hg_problem *p = context;
#pragma omp parallel for schedule(static) default(none) shared(p)
  for (hg_off first = 0; first < p->n; first += HG_BLOCK_ROWS) {
    const hg_matrix x = hg_matrix_rows(&p->x, first, hg_block_rows(p->n - first));
    hg_nonzero_matrix_close(&p->nonzero, first, &x);
  }
}

static void gemm(void *context)
{
  hg_problem *p = context;
  hg_gemm(&p->x, &p->w, 0, &p->y);
}

static void gemm_input_gradient(void *context)
{
  hg_problem *p = context;
  hg_gemm_bt(&p->y, &p->w, 0, &p->x);
}

static void gemm_weight_gradient(void *context)
{
  hg_problem *p = context;
  hg_gemm_at(&p->x, &p->y, HG_ZEROS_KEPT, 0, &p->w, p->scratch);
}

static void input_gradient_without_zeros(void *context)
{
  hg_problem *p = context;
#pragma omp parallel for schedule(static) default(none) shared(p)
  for (hg_off first = 0; first < p->n; first += HG_BLOCK_ROWS) {
    hg_real block[HG_BLOCK_ROWS * WIDEST_BLOCK];
    hg_off n = hg_block_rows(p->n - first);
    const hg_matrix x = hg_matrix_rows(&p->x, first, n), y = hg_matrix_rows(&p->y, first, n);
    hg_matrix d_x = hg_matrix_view(block, n, p->f_in);
    hg_gemm_bt_masked(&y, &p->w, &x, &d_x);
  }
}

static void weight_gradient_without_zeros(void *context)
{
  hg_problem *p = context;
  hg_gemm_at(&p->x, &p->y, HG_ZEROS_OF_A, 0, &p->w, p->scratch);
}

static void sparse(void *context)
{
  hg_problem *p = context;
  hg_spmm(&(hg_operator){.a = &p->features}, 0, p->n, &p->w, &p->y);
}

static void sparse_weight_gradient(void *context)
{
  hg_problem *p = context;
  hg_spmm(&(hg_operator){.a = &p->transposed}, 0, p->f_in, &p->y, &p->w);
}

static void sparse_dropout(void *context)
{
  hg_problem *p = context;
  hg_dropout_keep_csr((hg_dropout){.seed = 1, .epoch = 3, .rate = 0.5}, p->ids, &p->features, &p->kept);
}

static void dropout(void *context)
{
  hg_problem *p = context;
  hg_dropout_apply((hg_dropout){.seed = 1, .epoch = 3, .layer = 1, .rate = 0.5}, p->ids, &p->y);
}

static void bias_relu(void *context)
{
  hg_problem *p = context;
  hg_bias_add(&p->y, 0, p->n, p->beta);
  hg_activate(HG_ACTIVATION_RELU, &p->y);
}

static void relu_gradient(void *context)
{
  hg_problem *p = context;
  hg_activate_gradient(HG_ACTIVATION_RELU, &p->x, 1, &p->y);
}

static void bias_gradient(void *context)
{
  hg_problem *p = context;
  hg_bias_gradient(&p->x, false, p->d_beta);
}

static void layer_norm(void *context)
{
  hg_problem *p = context;
  hg_layer_norm(&p->x, p->gamma, p->beta, p->scale, &p->y);
}

static void layer_norm_gradient(void *context)
{
  hg_problem *p = context;
  hg_layer_norm_gradient(&p->x, p->gamma, p->scale, &p->y, p->d_gamma, p->d_beta);
}

static void batch_norm(void *context)
{
  hg_problem *p = context;
  hg_batch_norm_sums(&p->x, p->sums);
  hg_batch_norm_moments(p->sums, p->f_in, (double)p->n, p->mean, p->d_gamma);
  hg_batch_norm_apply(&p->x, p->mean, p->d_gamma, p->gamma, p->beta, &p->y);
}

static void batch_norm_gradient(void *context)
{
  hg_problem *p = context;
  hg_batch_norm_gradient_sums(&p->x, &p->y, p->sums);
  hg_batch_norm_gradient(&p->x, p->gamma, p->gamma, p->sums, (double)p->n, &p->y);
}

static void compute_loss(hg_problem *p, hg_loss_kind kind, hg_truth truth)
{
  truth.classes = p->f_in;
  hg_loss_compute(&(hg_loss){.kind = kind}, &truth, p->rows, p->n, &p->x, (double)p->n, &p->y);
}

static void cross_entropy(void *context)
{
  hg_problem *p = context;
  compute_loss(p, HG_LOSS_CROSS_ENTROPY, (hg_truth){.labels = p->labels});
}

static void binary_cross_entropy(void *context)
{
  hg_problem *p = context;
  compute_loss(p, HG_LOSS_BCE, (hg_truth){.label_bits = p->label_bits});
}

static void squared_error(void *context)
{
  hg_problem *p = context;
  compute_loss(p, HG_LOSS_MSE, (hg_truth){.targets = p->targets});
}

/** A kernel and its shapes, ending with a width of 0: f_in, and f_out where it is a product. */
typedef struct {
  const char *name;
  void (*run)(void *context);
  double passes;  ///< numbers moved a row and column (of f_in), where it is no product
  unsigned needs; ///< hg_problem_needs
  bool on_graph;  ///< in each order of the nodes
  int shapes[9][2];
} kernel;

static const kernel kernels[] = {
    {"spmm", spmm, 2, HG_PROBLEM_X | HG_PROBLEM_Y, true, {{16}, {32}, {41}, {64}, {100}, {128}, {256}, {602}}},
    {"spmm unweighted",
     spmm_unweighted,
     2,
     HG_PROBLEM_X | HG_PROBLEM_Y,
     true,
     {{16}, {32}, {41}, {64}, {100}, {128}, {256}, {602}}},
    {"spmm bfloat16",
     spmm_bf16,
     1 + (double)sizeof(hg_bf16) / sizeof(hg_real),
     HG_PROBLEM_X | HG_PROBLEM_Y | HG_PROBLEM_ROUNDED,
     true,
     {{64}, {128}, {256}}},
    {"spmm without zeros",
     spmm_nonzero,
     2,
     HG_PROBLEM_X | HG_PROBLEM_Y | HG_PROBLEM_NONZERO,
     true,
     {{64}, {128}, {256}}},
    {"leaving out zeros", leave_out_zeros, 1.25, HG_PROBLEM_X | HG_PROBLEM_NONZERO, false, {{256}}},
    {"gemm", gemm, 0, HG_PROBLEM_X | HG_PROBLEM_Y, false, {{128, 256}, {256, 256}, {602, 256}, {256, 40}, {256, 41}}},
    {"gemm input gradient",
     gemm_input_gradient,
     0,
     HG_PROBLEM_X | HG_PROBLEM_Y,
     false,
     {{128, 256}, {256, 256}, {602, 256}, {256, 40}, {256, 41}}},
    {"gemm weight gradient",
     gemm_weight_gradient,
     0,
     HG_PROBLEM_X | HG_PROBLEM_Y | HG_PROBLEM_SCRATCH,
     false,
     {{128, 256}, {256, 256}, {602, 256}, {256, 40}, {256, 41}}},
    {"input gradient without zeros",
     input_gradient_without_zeros,
     0,
     HG_PROBLEM_X | HG_PROBLEM_Y | HG_PROBLEM_NONZERO,
     false,
     {{256, 128}, {256, 256}}},
    {"weight gradient without zeros",
     weight_gradient_without_zeros,
     0,
     HG_PROBLEM_X | HG_PROBLEM_Y | HG_PROBLEM_NONZERO | HG_PROBLEM_SCRATCH,
     false,
     {{256, 128}, {256, 256}, {256, 602}}},
    {"sparse features", sparse, 0, HG_PROBLEM_SPARSE | HG_PROBLEM_Y, false, {{1433, 16}, {1433, 256}}},
    {"sparse weight gradient",
     sparse_weight_gradient,
     0,
     HG_PROBLEM_SPARSE | HG_PROBLEM_Y,
     false,
     {{1433, 16}, {1433, 256}}},
    {"sparse dropout", sparse_dropout, 0, HG_PROBLEM_SPARSE, false, {{1433}}},
    {"dropout", dropout, 2, HG_PROBLEM_Y, false, {{64}, {256}}},
    {"bias and relu", bias_relu, 2, HG_PROBLEM_Y, false, {{64}, {256}}},
    {"relu gradient", relu_gradient, 3, HG_PROBLEM_X | HG_PROBLEM_Y, false, {{64}, {256}}},
    {"bias gradient", bias_gradient, 1, HG_PROBLEM_X, false, {{64}, {256}}},
    {"layer norm", layer_norm, 3, HG_PROBLEM_X | HG_PROBLEM_Y, false, {{64}, {256}}},
    {"layer norm gradient", layer_norm_gradient, 3, HG_PROBLEM_X | HG_PROBLEM_Y, false, {{64}, {256}}},
    {"batch norm", batch_norm, 4, HG_PROBLEM_X | HG_PROBLEM_Y, false, {{64}, {256}}},
    {"batch norm gradient", batch_norm_gradient, 5, HG_PROBLEM_X | HG_PROBLEM_Y, false, {{64}, {256}}},
    {"cross entropy", cross_entropy, 2, HG_PROBLEM_X | HG_PROBLEM_Y | HG_PROBLEM_TRUTH, false, {{7}, {40}, {41}}},
    {"binary cross entropy", binary_cross_entropy, 2, HG_PROBLEM_X | HG_PROBLEM_Y | HG_PROBLEM_TRUTH, false, {{40}}},
    {"squared error", squared_error, 3, HG_PROBLEM_X | HG_PROBLEM_Y | HG_PROBLEM_TRUTH, false, {{40}}},
};

// what a call must do: operands read once, results written once
static void count_work(const kernel *k, const hg_problem *p, hg_bench_case *c)
{
  const double n = (double)p->n, in = p->f_in, out = p->f_out, real = sizeof(hg_real);
  const double entries = (double)hg_csr_entries(p->needs & HG_PROBLEM_SPARSE ? &p->features : p->a);
  if (k->on_graph) {
    c->flops = 2 * (entries + n) * in;
    c->bytes = real * n * in * k->passes + entries * sizeof(hg_lid) + n * sizeof(hg_off);
    if (k->run == spmm || k->run == spmm_bf16) c->bytes += n * real;
    c->edges = entries;
  } else if (k->needs & HG_PROBLEM_SPARSE) {
    c->flops = 2 * entries * out;
    c->bytes = entries * (sizeof(hg_lid) + real) + n * sizeof(hg_off) + real * (n + in) * out;
    if (out == 0) c->bytes = 2 * entries * real + n * (sizeof(hg_off) + sizeof(hg_gid));
  } else if (out > 0) {
    c->flops = 2 * n * in * out / (p->needs & HG_PROBLEM_NONZERO ? HG_PROBLEM_LEFT : 1);
    c->bytes = real * (n * (in + out) + in * out);
  } else {
    c->bytes = real * n * in * k->passes;
    if (k->run == dropout) c->bytes += n * sizeof(hg_gid);
  }
}

static hg_status measure(const kernel *k, const char *name, hg_problem *p, const hg_bench_options *options,
                         const hg_bench_limits *limits, hg_bench_report *report)
{
  hg_bench_case c = {.run = k->run, .context = p};
  hg_status rc = HG_OK;
  snprintf(c.name, sizeof c.name, "%s", name);
  p->needs = k->needs;
  HG_TRY(hg_problem_create(p));
  count_work(k, p, &c);
  HG_TRY(hg_bench_measure(&c, 1, options, limits, report));
done:
  hg_problem_free(p);
  return rc;
}

// the kernel's shapes that are wanted, in one order of the nodes; the machine is measured before the first one
static hg_status run_kernel(const kernel *k, const hg_bench_graphs *graphs, int order, const hg_bench_options *options,
                            hg_bench_limits *limits, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  for (const int(*shape)[2] = k->shapes; (*shape)[0]; shape++) {
    hg_problem p = {.a = &graphs->adjacency[order],
                    .n = graphs->adjacency[order].n_rows,
                    .f_in = (*shape)[0],
                    .f_out = (*shape)[1]};
    char name[48];
    if (p.f_out)
      snprintf(name, sizeof name, "%s %d x %d", k->name, p.f_in, p.f_out);
    else
      snprintf(name, sizeof name, "%s %d%s", k->name, p.f_in, order == HG_BENCH_TRAINING_ORDER ? ", as trained" : "");
    if (!hg_bench_wants(options, name)) continue;
    if (limits->flops <= 0) HG_TRY(hg_bench_limits_measure(options, limits));
    HG_TRY(measure(k, name, &p, options, limits, report));
  }
done:
  return rc;
}

hg_status hg_bench_kernels(const hg_bench_options *options, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  hg_bench_graphs graphs = {0};
  hg_bench_limits limits = {0};
  HG_TRY(hg_bench_graphs_create(&graphs, options));
  for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
    int orders = kernels[k].on_graph ? graphs.n_orders : 1;
    for (int order = 0; order < orders; order++)
      HG_TRY(run_kernel(&kernels[k], &graphs, order, options, &limits, report));
  }
done:
  hg_bench_graphs_free(&graphs);
  return rc;
}
