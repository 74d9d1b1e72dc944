/*
 * The aggregation of geo-GCN and its whole layer, on 38,400 edges: 64 graphs of 75 nodes with 8 in-neighbours each, the
 * nearest ones, as superpixel graphs have them; 2-D positions, self-loops, float sums. Flops are those that the formula
 * needs, of edges alone; self-loops, weights and the ends of rows are computed but not counted. An edge, channel and
 * filter with d dimensions:
 *     forward  2 d + 3: z = u (p_j - p_i) + b is d multiply-adds, relu is 1, the product with x_j and the sum 2
 *     backward 4 d + 2: z again, 1 mask, 1 for d_b, 2 d for d_u; d_x follows from these sums (core/tensor/geo_tiles.h)
 * With shared filters an edge and filter with C channels: 2 d + 1 + 2 C and, with relu and d_x, 4 d + 3 + 4 C.
 */
#include <string.h>

#include "bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/tensor/epilogue.h"
#include "core/tensor/gemm.h"
#include "core/tensor/geo.h"

enum { GRAPHS = 64, FEWEST_GRAPHS = 2, GRAPH_NODES = 75, NEIGHBOURS = 8, DIMS = 2, OUTPUTS = 16 };

/** One shape's operands: of the aggregation, and of the layer around it. */
typedef struct {
  hg_lid n;                      ///< nodes
  hg_operator forward, backward; ///< borrowed patterns
  const hg_real *positions;      ///< [n x DIMS]
  hg_geo geo;
  hg_matrix u, b, w, bias;         ///< [gates x DIMS], [gates x 1], [C K x OUTPUTS], [1 x OUTPUTS]
  hg_matrix d_u, d_b, d_w, d_bias; ///< their gradients
  hg_matrix x, a, h;               ///< [n x channels], [n x a piece's columns], [n x OUTPUTS]
  hg_matrix d_x, d_a, d_h;         ///< their gradients
  hg_matrix arranged, d_arranged;  ///< [columns x OUTPUTS]
  hg_real *scratch;                ///< of hg_gemm_at
} layer;

// the columns from `column` on, in the room that `m` has
static hg_matrix piece_of(const layer *l, const hg_matrix *m, int column)
{
  int left = l->geo.columns - column;
  return hg_matrix_view(m->data, l->n, left < m->cols ? left : m->cols);
}

static void sum_piece(layer *l, int column)
{
  hg_matrix a = piece_of(l, &l->a, column);
  hg_geo_forward(&l->geo, &(hg_geo_piece){&l->forward, l->positions, 0, l->n, column}, &l->x, &a);
}

static void back_piece(layer *l, int column)
{
  hg_matrix d_a = piece_of(l, &l->d_a, column);
  hg_geo_backward(&l->geo, &(hg_geo_piece){&l->backward, l->positions, 0, l->n, column}, &l->x, &d_a, &l->d_x, NULL);
}

static void forward(void *context)
{
  layer *l = context;
  for (int column = 0; column < l->geo.columns; column += l->a.cols) sum_piece(l, column);
}

static void backward(void *context)
{
  layer *l = context;
  for (int column = 0; column < l->geo.columns; column += l->a.cols) back_piece(l, column);
  hg_geo_take_gradients(&l->geo, &l->d_u, l->d_b.data);
}

static void both(void *context)
{
  forward(context);
  backward(context);
}

static void layer_forward(void *context)
{
  layer *l = context;
  hg_geo_set_gates(&l->geo, &l->u, l->b.data);
  hg_geo_arrange(&l->geo, &l->w, &l->arranged);
  for (int column = 0; column < l->geo.columns; column += l->a.cols) {
    hg_matrix a = piece_of(l, &l->a, column), w = hg_matrix_rows(&l->arranged, column, a.cols);
    sum_piece(l, column);
    hg_gemm(&a, &w, (hg_real)(column > 0), &l->h);
  }
  hg_bias_add(&l->h, 0, l->n, l->bias.data);
  hg_activate(HG_ACTIVATION_RELU, &l->h);
}

// The sums are computed again where a does not hold all of them, as models/geogcn.c does.
static void layer_both(void *context)
{
  layer *l = context;
  layer_forward(l);
  memcpy(l->d_h.data, l->h.data, (size_t)l->n * OUTPUTS * sizeof(hg_real)); // the gradient of half the sum of squares
  hg_activate_gradient(HG_ACTIVATION_RELU, &l->h, 1, &l->d_h);
  hg_bias_gradient(&l->d_h, false, l->d_bias.data);
  for (int column = 0; column < l->geo.columns; column += l->a.cols) {
    hg_matrix a = piece_of(l, &l->a, column), d_a = piece_of(l, &l->d_a, column);
    hg_matrix w = hg_matrix_rows(&l->arranged, column, a.cols), d_w = hg_matrix_rows(&l->d_arranged, column, a.cols);
    if (a.cols < l->geo.columns) sum_piece(l, column);
    hg_gemm_at(&a, &l->d_h, HG_ZEROS_KEPT, 0, &d_w, l->scratch);
    hg_gemm_bt(&l->d_h, &w, 0, &d_a);
    back_piece(l, column);
  }
  hg_geo_take_gradients(&l->geo, &l->d_u, l->d_b.data);
  hg_geo_restore(&l->geo, &l->d_arranged, &l->d_w);
}

static void layer_free(layer *l)
{
  hg_matrix *all[] = {&l->u, &l->b, &l->w, &l->bias, &l->d_u, &l->d_b, &l->d_w,     &l->d_bias,
                      &l->x, &l->a, &l->h, &l->d_x,  &l->d_a, &l->d_h, &l->arranged};
  for (size_t m = 0; m < sizeof all / sizeof *all; m++) hg_matrix_free(all[m]);
  hg_geo_free(&l->geo);
  hg_free(&l->scratch);
}

static void fill(hg_matrix *m, uint64_t seed)
{
  hg_rng rng = {seed, HG_STREAM_GENERATE};
  for (hg_off e = 0; e < m->rows * m->cols; e++) m->data[e] = (hg_real)(2 * hg_rng_uniform(rng, (uint64_t)e, 0) - 1);
}

static hg_status layer_create(layer *l, int channels, int filters, bool shared)
{
  const char *what = "arrays of the benchmark";
  const int maps = channels * filters, gates = shared ? filters : maps;
  const int piece = hg_geo_piece_columns(channels, filters, shared);
  hg_status rc = HG_OK;
  HG_TRY(hg_geo_create(&l->geo, channels, filters, DIMS, shared));
  const struct {
    hg_matrix *m;
    hg_off rows;
    int cols;
  } all[] = {{&l->u, gates, DIMS},
             {&l->b, gates, 1},
             {&l->w, maps, OUTPUTS},
             {&l->bias, 1, OUTPUTS},
             {&l->d_u, gates, DIMS},
             {&l->d_b, gates, 1},
             {&l->d_w, maps, OUTPUTS},
             {&l->d_bias, 1, OUTPUTS},
             {&l->x, l->n, channels},
             {&l->a, l->n, piece},
             {&l->h, l->n, OUTPUTS},
             {&l->d_x, l->n, channels},
             {&l->d_a, l->n, piece},
             {&l->d_h, l->n, OUTPUTS},
             {&l->arranged, l->geo.columns, OUTPUTS},
             {&l->d_arranged, l->geo.columns, OUTPUTS}};
  for (size_t m = 0; m < sizeof all / sizeof *all; m++) {
    HG_TRY(hg_matrix_create(all[m].m, all[m].rows, all[m].cols, what));
    fill(all[m].m, m);
  }
  HG_TRY(HG_ALLOC(l->scratch, hg_gemm_at_scratch(l->n, piece, OUTPUTS), what));
  hg_geo_set_gates(&l->geo, &l->u, l->b.data);
done:
  return rc;
}

static double distance(const hg_real *p, const hg_real *q)
{
  double sum = 0;
  for (int d = 0; d < DIMS; d++) sum += (double)(p[d] - q[d]) * (double)(p[d] - q[d]);
  return sum;
}

// the NEIGHBOURS nearest of node i in its graph, ascending
static void nearest(const hg_real *positions, hg_lid i, hg_lid *row)
{
  hg_lid first = i / GRAPH_NODES * GRAPH_NODES;
  bool taken[GRAPH_NODES] = {0};
  taken[i - first] = true;
  for (int n = 0; n < NEIGHBOURS; n++) {
    int best = -1;
    for (int j = 0; j < GRAPH_NODES; j++)
      if (!taken[j] && (best < 0 || distance(positions + (first + j) * DIMS, positions + i * DIMS) <
                                        distance(positions + (first + best) * DIMS, positions + i * DIMS)))
        best = j;
    taken[best] = true;
  }
  taken[i - first] = false;
  for (int j = 0, n = 0; j < GRAPH_NODES; j++)
    if (taken[j]) row[n++] = first + j;
}

static hg_status graphs_create(hg_csr *a, hg_matrix *positions, hg_lid n)
{
  hg_status rc = HG_OK;
  HG_TRY(hg_matrix_create(positions, n, DIMS, "positions"));
  fill(positions, 1);
  HG_TRY(hg_csr_create(a, n, n, (hg_off)n * NEIGHBOURS, false, "graphs of the benchmark"));
  for (hg_lid i = 0; i < n; i++) {
    a->indptr[i + 1] = a->indptr[i] + NEIGHBOURS;
    nearest(positions->data, i, a->indices + a->indptr[i]);
  }
done:
  return rc;
}

// one shape on this number of threads: all its cases in turns
static hg_status measure(layer *l, int channels, int filters, bool shared, size_t memory,
                         const hg_bench_options *options, const hg_bench_limits *limits, hg_bench_report *report)
{
  enum { CASES = 5 };
  static const struct {
    const char *name;
    void (*run)(void *context);
    int forward, backward, gemms;
  } list[CASES] = {{"forward", forward, 1, 0, 0},
                   {"backward", backward, 0, 1, 0},
                   {"both", both, 1, 1, 0},
                   {"layer forward", layer_forward, 1, 0, 1},
                   {"layer both", layer_both, 1, 1, 3}};
  const double columns = (double)channels * filters, gates = shared ? filters : columns;
  const double edges = (double)l->n * NEIGHBOURS;
  const double there = gates * (2 * DIMS + 1) + columns * 2,
               back = gates * (4 * DIMS + (shared ? 3 : 2)) + columns * (shared ? 4 : 0);
  hg_bench_case cases[CASES];
  memset(cases, 0, sizeof cases);
  for (int k = 0; k < CASES; k++) {
    hg_bench_case *c = &cases[k];
    snprintf(c->name, sizeof c->name, "geo %s %d x %d%s", list[k].name, channels, filters, shared ? " shared" : "");
    c->run = list[k].run;
    c->context = l;
    c->edges = edges;
    c->memory_bytes = list[k].gemms > 1 ? (double)memory : 0;
    c->flops =
        edges * (there * list[k].forward + back * list[k].backward) + list[k].gemms * 2.0 * l->n * columns * OUTPUTS;
  }
  return hg_bench_measure(cases, CASES, options, limits, report);
}

static hg_status run_shape(hg_csr a[2], const hg_matrix *positions, const int shape[3], const hg_bench_options *options,
                           const hg_bench_limits *limits, hg_bench_report *report)
{
  hg_status rc = HG_OK;
  size_t before = hg_alloc_bytes();
  const hg_lid n = (hg_lid)positions->rows;
  layer l = {.n = n,
             .forward = {.a = &a[0], .n_self = n},
             .backward = {.a = &a[1], .n_self = n},
             .positions = positions->data};
  HG_TRY(layer_create(&l, shape[0], shape[1], shape[2]));
  HG_TRY(measure(&l, shape[0], shape[1], shape[2], hg_alloc_bytes() - before, options, limits, report));
done:
  layer_free(&l);
  return rc;
}

hg_status hg_bench_geo(const hg_bench_options *options, hg_bench_report *report)
{
  static const int shapes[][3] = {{1, 64, false}, {16, 64, false}, {64, 16, false}, {16, 64, true}};
  hg_status rc = HG_OK;
  hg_csr a[2] = {0};
  hg_matrix positions = {0};
  HG_TRY(graphs_create(&a[0], &positions, GRAPH_NODES * (options->instead ? FEWEST_GRAPHS : GRAPHS)));
  HG_TRY(hg_csr_transpose(&a[1], &a[0]));
  for (int threads = 1; threads <= options->threads;
       threads += threads < options->threads ? options->threads - threads : 1) {
    hg_bench_options some = *options;
    hg_bench_limits limits;
    some.threads = threads;
    HG_TRY(hg_bench_limits_measure(&some, &limits));
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
      HG_TRY(run_shape(a, &positions, shapes[s], &some, &limits, report));
  }
done:
  hg_csr_free(&a[0]), hg_csr_free(&a[1]);
  hg_matrix_free(&positions);
  return rc;
}
