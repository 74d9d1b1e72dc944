#include "models/local_graph.h"

#include <math.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"

// Pieces of the overlapped rows, between which MPI is given the processor. Between two of them no more leaves than the
// socket's buffer holds (4 MB: 33 ms at 1 Gbit/s); but a piece must be enough work for all threads. Not a function of
// their number, since parts of sums are made piece by piece.
enum { LEAST_PIECES = 8, MOST_PIECES = 64, ROWS_OF_PIECE = 2048 };

// [n_local] global degrees: my rows' lengths, and by one exchange those of the halo
static hg_status fetch_degrees(const hg_local_graph *g, bool self_loops, hg_matrix *degree)
{
  hg_exchange *exchange = NULL;
  hg_status rc = HG_OK;
  HG_TRY_ALL(g->world, "normalising", hg_matrix_create(degree, g->n_local, 1, "degrees"));
  const hg_off *indptr = g->part->a.indptr;
  for (hg_lid i = 0; i < g->n_owned; i++) degree->data[i] = (hg_real)(indptr[i + 1] - indptr[i] + self_loops);
  HG_TRY(hg_exchange_create(&exchange, g->world, g->links, HG_FILL_HALO, degree, 0));
  hg_exchange_begin(exchange);
  hg_exchange_end(exchange);
done:
  hg_exchange_free(&exchange);
  return rc;
}

hg_real hg_degree_scale(hg_adjacency_norm norm, double degree)
{
  if (norm == HG_ADJACENCY_SUM) return 1;
  if (degree <= 0) return 0;
  return (hg_real)(norm == HG_ADJACENCY_ROW ? 1 / degree : 1 / sqrt(degree));
}

static hg_status scale_alone(hg_local_graph *g, hg_adjacency_norm norm, const hg_matrix *degree)
{
  hg_status rc = HG_OK;
  if (norm == HG_ADJACENCY_SUM) return HG_OK;
  HG_TRY(HG_ALLOC(g->row_scale, g->n_owned, "row scales"));
  if (norm == HG_ADJACENCY_SYMMETRIC) HG_TRY(HG_ALLOC(g->col_scale, g->n_local, "column scales"));
  for (hg_lid i = 0; i < g->n_local; i++) {
    hg_real scale = hg_degree_scale(norm, (double)degree->data[i]);
    if (i < g->n_owned) g->row_scale[i] = scale;
    if (g->col_scale) g->col_scale[i] = scale;
  }
done:
  return rc;
}

static hg_status transpose_adjacency(hg_local_graph *g)
{
  const hg_csr *a = &g->part->a;
  hg_off *places = NULL;
  hg_status rc = HG_OK;
  if (g->n_local == g->n_owned) {
    HG_TRY(HG_ALLOC(places, a->n_rows, "places of edges"));
    g->shares_transposed = hg_csr_is_symmetric(a, places);
  }
  if (!g->shares_transposed) HG_TRY(hg_csr_transpose(&g->transposed, a));
done:
  hg_free(&places);
  return rc;
}

static hg_status transpose_alone(hg_local_graph *g, bool self_loops)
{
  hg_status rc = HG_OK;
  HG_TRY(transpose_adjacency(g));
  hg_lid n_self = self_loops ? g->n_owned : 0;
  g->forward = (hg_operator){.a = &g->part->a, .row_scale = g->row_scale, .col_scale = g->col_scale, .n_self = n_self};
  g->backward = (hg_operator){.a = g->shares_transposed ? &g->part->a : &g->transposed,
                              .row_scale = g->col_scale,
                              .col_scale = g->row_scale,
                              .n_self = n_self};
  HG_TRY(HG_ALLOC(g->ids, g->n_local, "original ids"));
  memcpy(g->ids, g->part->nodes.original_ids, (size_t)g->n_owned * sizeof *g->ids);
done:
  return rc;
}

static void begin(hg_local_graph *g, hg_world *world, const hg_part *part, const hg_links *links)
{
  *g = (hg_local_graph){.world = world,
                        .part = part,
                        .links = links,
                        .n_global = part->n_global,
                        .n_owned = part->n_owned,
                        .n_interior = part->n_interior,
                        .n_local = part->n_owned + part->n_halo,
                        .cover_steps = HG_COVER_ALL};
}

hg_status hg_local_graph_create(hg_local_graph *graph, hg_world *world, const hg_part *part, const hg_links *links,
                                hg_adjacency_norm norm, bool self_loops)
{
  hg_matrix degree = {0};
  hg_status rc = HG_OK;
  begin(graph, world, part, links);
  HG_TRY(fetch_degrees(graph, self_loops, &degree));
  HG_TRY_ALL(world, "normalising", scale_alone(graph, norm, &degree));
  HG_TRY_ALL(world, "transposing", transpose_alone(graph, self_loops));
  HG_TRY(hg_exchange_ids(world, links, graph->ids));
done:
  hg_matrix_free(&degree);
  if (rc != HG_OK) hg_local_graph_free(graph);
  return rc;
}

hg_status hg_local_graph_create_alone(hg_local_graph *graph, const hg_part *part, const hg_links *links,
                                      const hg_graph *whole, hg_adjacency_norm norm, bool self_loops)
{
  const hg_off *indptr = whole->adjacency.indptr;
  int dims = whole->nodes.n_dims;
  hg_matrix degree = {0};
  hg_status rc = HG_OK;
  begin(graph, NULL, part, links);
  HG_TRY(hg_matrix_create(&degree, graph->n_local, 1, "degrees"));
  for (hg_lid i = 0; i < graph->n_local; i++) {
    hg_gid id = hg_part_global(part, i);
    degree.data[i] = (hg_real)(indptr[id + 1] - indptr[id] + self_loops);
  }
  HG_TRY(scale_alone(graph, norm, &degree));
  HG_TRY(transpose_alone(graph, self_loops));
  HG_TRY(HG_ALLOC(graph->positions, (hg_off)graph->n_local * dims, "positions"));
  graph->n_dims = dims;
  graph->position_scale = 1;
  for (hg_lid i = 0; i < graph->n_local; i++) {
    hg_gid id = hg_part_global(part, i);
    graph->ids[i] = whole->nodes.original_ids[id];
    for (int d = 0; d < dims; d++)
      graph->positions[(hg_off)i * dims + d] = (hg_real)whole->nodes.positions[id * dims + d];
  }
done:
  hg_matrix_free(&degree);
  if (rc != HG_OK) hg_local_graph_free(graph);
  return rc;
}

void hg_local_graph_free(hg_local_graph *graph)
{
  hg_free(&graph->ids);
  hg_free(&graph->row_scale);
  hg_free(&graph->col_scale);
  hg_csr_free(&graph->transposed);
  hg_free(&graph->positions);
  hg_free(&graph->base_positions);
}

static hg_status copy_positions(hg_local_graph *g)
{
  const hg_nodes *nodes = &g->part->nodes;
  hg_status rc = HG_ALLOC(g->positions, (hg_off)g->n_local * nodes->n_dims, "positions");
  if (rc != HG_OK) return rc;
  for (hg_off e = 0; e < (hg_off)g->n_owned * nodes->n_dims; e++) g->positions[e] = (hg_real)nodes->positions[e];
  return HG_OK;
}

static double edge_length(const hg_local_graph *g, hg_off i, hg_off j)
{
  double sum = 0;
  for (int d = 0; d < g->n_dims; d++) {
    double delta = (double)g->positions[j * g->n_dims + d] - (double)g->positions[i * g->n_dims + d];
    sum += delta * delta;
  }
  return sqrt(sum);
}

// 1 / the mean length of all ranks' edges
static double mean_edge_scale(const hg_local_graph *g)
{
  const hg_csr *a = &g->part->a;
  double sums[] = {0, (double)hg_csr_entries(a)};
  for (hg_lid i = 0; i < g->n_owned; i++)
    for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) sums[0] += edge_length(g, i, a->indices[e]);
  hg_sum_doubles(g->world, sums, 2);
  return sums[0] > 0 ? sums[1] / sums[0] : 1;
}

hg_status hg_local_graph_place(hg_local_graph *graph, double scale)
{
  hg_exchange *exchange = NULL;
  hg_status rc = HG_OK;
  graph->n_dims = graph->part->nodes.n_dims;
  HG_TRY_ALL(graph->world, "loading positions", copy_positions(graph));
  hg_matrix positions = hg_matrix_view(graph->positions, graph->n_local, graph->n_dims);
  HG_TRY(hg_exchange_create(&exchange, graph->world, graph->links, HG_FILL_HALO, &positions, 0));
  hg_exchange_begin(exchange);
  hg_exchange_end(exchange);
  graph->position_scale = scale > 0 ? scale : mean_edge_scale(graph);
  for (hg_off e = 0; e < (hg_off)graph->n_local * graph->n_dims; e++)
    graph->positions[e] = (hg_real)(graph->position_scale * (double)graph->positions[e]);
done:
  hg_exchange_free(&exchange);
  return rc;
}

hg_spans hg_local_graph_made(const hg_local_graph *g, hg_off rows)
{
  return g->rows ? hg_spans_of(&g->rows->made, g->n_interior, g->n_owned, 0) : hg_spans_all(rows);
}

hg_spans hg_local_graph_read(const hg_local_graph *g, bool halo)
{
  if (!g->rows) return hg_spans_all(halo ? g->n_local : g->n_owned);
  return hg_spans_of(&g->rows->read, g->n_interior, g->n_owned, halo ? g->n_local - g->n_owned : 0);
}

static void at_once(hg_aggregate_rows *rows, void *context, const hg_spans *spans)
{
  for (int s = 0; s < spans->n; s++) rows(context, spans->span[s].first, spans->span[s].n);
}

// rows [start, start + n) in pieces, with MPI's progress between them
static void in_pieces(hg_aggregate_rows *rows, void *context, hg_off start, hg_off n, hg_exchange *exchange)
{
  hg_off pieces = n / ROWS_OF_PIECE;
  if (pieces < LEAST_PIECES) pieces = LEAST_PIECES;
  if (pieces > MOST_PIECES) pieces = MOST_PIECES;
  for (hg_off k = 0; k < pieces; k++) {
    hg_off first = n * k / pieces, end = n * (k + 1) / pieces;
    rows(context, start + first, end - first);
    hg_exchange_progress(exchange);
  }
}

void hg_aggregate_with(const hg_local_graph *graph, hg_exchange *exchange, hg_aggregate_rows *rows, void *context,
                       hg_phases *phases)
{
  const hg_spans made = hg_local_graph_made(graph, graph->n_owned);
  if (!exchange) {
    at_once(rows, context, &made);
    hg_phases_lap(phases, HG_PHASE_AGGREGATE);
    return;
  }
  hg_exchange_begin(exchange);
  hg_phases_lap(phases, HG_PHASE_EXCHANGE);
  in_pieces(rows, context, 0, graph->rows ? graph->rows->made.interior : graph->n_interior, exchange);
  hg_phases_lap(phases, HG_PHASE_AGGREGATE);
  hg_exchange_end(exchange);
  hg_phases_lap(phases, HG_PHASE_EXCHANGE);
  rows(context, graph->n_interior, graph->rows ? graph->rows->made.boundary : graph->n_owned - graph->n_interior);
  hg_phases_lap(phases, HG_PHASE_AGGREGATE);
}

void hg_aggregate_gradient_with(const hg_local_graph *graph, hg_exchange *exchange, hg_aggregate_rows *rows,
                                void *context, hg_phases *phases)
{
  const hg_spans read = hg_local_graph_read(graph, !exchange);
  if (!exchange) {
    at_once(rows, context, &read);
    hg_phases_lap(phases, HG_PHASE_AGGREGATE);
    return;
  }
  rows(context, graph->n_owned, graph->n_local - graph->n_owned);
  hg_phases_lap(phases, HG_PHASE_AGGREGATE);
  hg_exchange_begin(exchange);
  hg_phases_lap(phases, HG_PHASE_EXCHANGE);
  for (int s = 0; s < read.n; s++) in_pieces(rows, context, read.span[s].first, read.span[s].n, exchange);
  hg_phases_lap(phases, HG_PHASE_AGGREGATE);
  hg_exchange_end(exchange);
  hg_phases_lap(phases, HG_PHASE_EXCHANGE);
}

typedef struct {
  const hg_operator *op;
  const hg_matrix *x;
  hg_matrix *y;
} product_task;

static void product_rows(void *context, hg_off first, hg_off n)
{
  const product_task *task = context;
  hg_spmm(task->op, first, n, task->x, task->y);
}

void hg_aggregate(const hg_local_graph *graph, hg_exchange *exchange, const hg_matrix *x, hg_matrix *y,
                  hg_phases *phases)
{
  product_task task = {&graph->forward, x, y};
  hg_aggregate_with(graph, exchange, product_rows, &task, phases);
}

void hg_aggregate_gradient(const hg_local_graph *graph, hg_exchange *exchange, const hg_matrix *d_y, hg_matrix *d_x,
                           hg_phases *phases)
{
  product_task task = {&graph->backward, d_y, d_x};
  hg_aggregate_gradient_with(graph, exchange, product_rows, &task, phases);
}
