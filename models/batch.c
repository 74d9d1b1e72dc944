#include "models/batch.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static hg_off rows_of(const hg_level *level, hg_off g) { return level->graph_ptr[g + 1] - level->graph_ptr[g]; }

static hg_off entries_of(const hg_level *level, hg_off g)
{
  const hg_off *indptr = level->adjacency.indptr;
  return indptr[level->graph_ptr[g + 1]] - indptr[level->graph_ptr[g]];
}

static int descending(const void *a, const void *b)
{
  hg_off x = *(const hg_off *)a, y = *(const hg_off *)b;
  return (x < y) - (x > y);
}

static hg_off sum_largest(hg_off *sizes, hg_off n, hg_off count)
{
  hg_off sum = 0;
  qsort(sizes, (size_t)n, sizeof *sizes, descending);
  for (hg_off k = 0; k < count; k++) sum += sizes[k];
  return sum;
}

hg_status hg_batch_room_create(hg_batch_room *room, const hg_hierarchy *hierarchy, hg_off count)
{
  hg_off n = hierarchy->n_graphs, *sizes = NULL;
  int32_t rows;
  hg_status rc = HG_OK;
  *room = (hg_batch_room){.graphs = count < n ? count : n};
  HG_TRY(HG_ALLOC(sizes, n, "sizes of graphs"));
  HG_TRY(HG_ALLOC(room->rows, hierarchy->n_levels, "rows of a batch"));
  HG_TRY(HG_ALLOC(room->entries, hierarchy->n_levels, "edges of a batch"));
  for (int l = 0; l < hierarchy->n_levels; l++) {
    for (hg_off g = 0; g < n; g++) sizes[g] = rows_of(&hierarchy->levels[l], g);
    room->rows[l] = sum_largest(sizes, n, room->graphs);
    HG_TRY(hg_to_i32(&rows, room->rows[l], "nodes of a batch"));
    for (hg_off g = 0; g < n; g++) sizes[g] = entries_of(&hierarchy->levels[l], g);
    room->entries[l] = sum_largest(sizes, n, room->graphs);
  }
done:
  hg_free(&sizes);
  if (rc != HG_OK) hg_batch_room_free(room);
  return rc;
}

void hg_batch_room_free(hg_batch_room *room)
{
  hg_free(&room->rows);
  hg_free(&room->entries);
}

// What a stage has room for. `before`: the rows of the stage before, 0 for the first.
typedef struct {
  const hg_level *level; // NULL: the last stage
  hg_off rows, entries, before;
  int n_dims;
  bool members, directed, row_scale, col_scale;
} stage_room;

static stage_room room_of(const hg_batch_source *source, const hg_batch_room *room, int k)
{
  int n_levels = source->hierarchy->n_levels;
  stage_room r = {.rows = room->graphs, .before = k > 0 ? room->rows[k - 1] : 0, .members = k > 0};
  r.row_scale = source->norm != HG_ADJACENCY_SUM;
  r.col_scale = source->norm == HG_ADJACENCY_SYMMETRIC;
  if (k == n_levels) return r;
  r.level = &source->hierarchy->levels[k];
  r.rows = room->rows[k];
  r.entries = room->entries[k];
  r.n_dims = r.level->positions ? r.level->n_dims : 0;
  r.directed = r.level->transposed.indptr != NULL;
  return r;
}

// rows and columns of all that the stage has; none of its addresses
static void resize(hg_stage *stage, hg_off n, hg_off before, hg_gid n_global, bool self_loops)
{
  hg_local_graph *g = &stage->graph;
  g->n_owned = g->n_interior = g->n_local = (hg_lid)n;
  g->n_global = n_global;
  g->forward.n_self = g->backward.n_self = self_loops ? g->n_owned : 0;
  stage->adjacency.n_rows = stage->adjacency.n_cols = n;
  if (g->transposed.indptr) g->transposed.n_rows = g->transposed.n_cols = n;
  if (!stage->members.indptr) return;
  stage->members.n_rows = n;
  stage->members.n_cols = before;
}

static hg_status create_stage(hg_stage *stage, const hg_batch_source *source, const stage_room *r)
{
  hg_local_graph *g = &stage->graph;
  hg_status rc = HG_OK;
  g->world = source->world;
  HG_TRY(HG_ALLOC(g->ids, r->rows, "ids of a batch"));
  if (r->row_scale) HG_TRY(HG_ALLOC(g->row_scale, r->rows, "row scales of a batch"));
  if (r->col_scale) HG_TRY(HG_ALLOC(g->col_scale, r->rows, "column scales of a batch"));
  HG_TRY(hg_csr_create(&stage->adjacency, r->rows, r->rows, r->entries, false, "edges of a batch"));
  if (r->directed) HG_TRY(hg_csr_create(&g->transposed, r->rows, r->rows, r->entries, false, "reversed edges"));
  if (r->members) HG_TRY(hg_csr_create(&stage->members, r->rows, r->before, r->before, false, "members"));
  g->n_dims = r->n_dims;
  if (r->n_dims > 0) HG_TRY(HG_ALLOC(g->positions, r->rows * r->n_dims, "positions of a batch"));
  g->forward = (hg_operator){.a = &stage->adjacency, .row_scale = g->row_scale, .col_scale = g->col_scale};
  g->backward = (hg_operator){
      .a = r->directed ? &g->transposed : &stage->adjacency, .row_scale = g->col_scale, .col_scale = g->row_scale};
  resize(stage, r->rows, r->before, r->rows, source->self_loops);
done:
  return rc;
}

static hg_status create_truth(hg_batch *batch, const hg_nodes *items, hg_off n)
{
  hg_status rc = HG_OK;
  if (items->task == HG_TASK_CLASSES) HG_TRY(HG_ALLOC(batch->labels, n, "labels of a batch"));
  if (items->task == HG_TASK_MULTILABEL)
    HG_TRY(HG_ALLOC(batch->label_bits, n * hg_label_bytes(items->n_classes), "label bits of a batch"));
  if (items->task == HG_TASK_REGRESSION) HG_TRY(HG_ALLOC(batch->targets, n * items->n_classes, "targets of a batch"));
  batch->truth = (hg_truth){batch->labels, batch->label_bits, batch->targets, items->n_classes};
done:
  return rc;
}

hg_status hg_batch_create(hg_batch *batch, const hg_batch_source *source, const hg_batch_room *room)
{
  const hg_nodes *nodes = &source->collection->united.nodes;
  hg_status rc = HG_OK;
  memset(batch, 0, sizeof *batch);
  if (nodes->features.indptr) return hg_fail(HG_ERR_INPUT, "graphs in mini-batches need dense features, found sparse");
  int n_stages = source->hierarchy->n_levels + 1;
  HG_TRY(HG_ALLOC(batch->stages, n_stages, "stages of a batch"));
  batch->n_stages = n_stages;
  for (int k = 0; k < n_stages; k++) {
    stage_room r = room_of(source, room, k);
    HG_TRY(create_stage(&batch->stages[k], source, &r));
  }
  HG_TRY(hg_matrix_create(&batch->x, room->rows[0], nodes->features.width, "features of a batch"));
  HG_TRY(HG_ALLOC(batch->graphs, room->graphs, "graphs of a batch"));
  HG_TRY(create_truth(batch, &source->collection->items, room->graphs));
  batch->n_graphs = room->graphs;
done:
  if (rc != HG_OK) hg_batch_free(batch);
  return rc;
}

void hg_batch_free(hg_batch *batch)
{
  for (int k = 0; k < batch->n_stages; k++) {
    hg_local_graph_free(&batch->stages[k].graph);
    hg_csr_free(&batch->stages[k].adjacency);
    hg_csr_free(&batch->stages[k].members);
  }
  hg_free(&batch->stages);
  hg_matrix_free(&batch->x);
  hg_free(&batch->graphs);
  hg_free(&batch->labels);
  hg_free(&batch->label_bits);
  hg_free(&batch->targets);
  memset(batch, 0, sizeof *batch);
}

static size_t csr_bytes(hg_off rows, hg_off entries)
{
  return (size_t)(rows + 1) * sizeof(hg_off) + (size_t)entries * sizeof(hg_lid);
}

static size_t truth_bytes(const hg_nodes *items, hg_off n)
{
  switch (items->task) {
  case HG_TASK_CLASSES:
    return (size_t)n * sizeof *items->labels;
  case HG_TASK_MULTILABEL:
    return (size_t)(n * hg_label_bytes(items->n_classes));
  case HG_TASK_REGRESSION:
    return (size_t)(n * items->n_classes) * sizeof *items->targets;
  default:
    return 0;
  }
}

size_t hg_batch_bytes(const hg_batch_source *source, const hg_batch_room *room)
{
  const hg_collection *c = source->collection;
  int n_stages = source->hierarchy->n_levels + 1;
  size_t bytes = (size_t)n_stages * sizeof(hg_stage) + (size_t)room->graphs * sizeof(hg_off);
  for (int k = 0; k < n_stages; k++) {
    stage_room r = room_of(source, room, k);
    bytes += (size_t)r.rows * (sizeof(hg_gid) + (size_t)(r.row_scale + r.col_scale + r.n_dims) * sizeof(hg_real));
    bytes += csr_bytes(r.rows, r.entries) * (r.directed ? 2 : 1);
    if (r.members) bytes += csr_bytes(r.rows, r.before);
  }
  bytes += (size_t)(room->rows[0] * c->united.nodes.features.width) * sizeof(hg_real);
  return bytes + truth_bytes(&c->items, room->graphs);
}

// rows first, first + 1, ... of `in` become the rows of `out` from `row` on, their columns moved by `shift`
static void copy_rows(hg_csr *out, hg_off row, const hg_csr *in, hg_off first, hg_off n, hg_off shift)
{
  hg_off from = in->indptr[first], entries = in->indptr[first + n] - from, place = out->indptr[row];
  hg_lid move = (hg_lid)shift; // between two rows' numbers: in 32 bits, eight are moved at once
  const hg_lid *restrict source = in->indices + from;
  hg_lid *restrict target = out->indices + place;
  for (hg_off i = 1; i <= n; i++) out->indptr[row + i] = place + in->indptr[first + i] - from;
  for (hg_off e = 0; e < entries; e++) target[e] = source[e] + move;
}

static void copy_graph(hg_stage *stage, const hg_level *level, hg_off g, hg_off row)
{
  hg_local_graph *graph = &stage->graph;
  hg_off first = level->graph_ptr[g], n = rows_of(level, g);
  copy_rows(&stage->adjacency, row, &level->adjacency, first, n, row - first);
  if (graph->transposed.indptr) copy_rows(&graph->transposed, row, &level->transposed, first, n, row - first);
  for (hg_off i = 0; i < n; i++) graph->ids[row + i] = first + i;
  if (!graph->positions) return;
  size_t width = (size_t)graph->n_dims;
  memcpy(graph->positions + row * graph->n_dims, level->positions + first * graph->n_dims,
         (size_t)n * width * sizeof *graph->positions);
}

static void normalise(hg_stage *stage, hg_adjacency_norm norm, bool self_loops)
{
  hg_local_graph *g = &stage->graph;
  const hg_off *indptr = stage->adjacency.indptr;
  for (hg_lid i = 0; g->row_scale && i < g->n_owned; i++) {
    g->row_scale[i] = hg_degree_scale(norm, (double)(indptr[i + 1] - indptr[i] + self_loops));
    if (g->col_scale) g->col_scale[i] = g->row_scale[i];
  }
}

static void fill_stage(hg_batch *batch, const hg_batch_source *source, int k, hg_gid n_global)
{
  hg_stage *stage = &batch->stages[k];
  const hg_level *level = &source->hierarchy->levels[k], *finer = k > 0 ? level - 1 : NULL;
  hg_off row = 0, before = 0;
  for (hg_off b = 0; b < batch->n_graphs; b++) {
    hg_off g = batch->graphs[b];
    copy_graph(stage, level, g, row);
    if (finer) {
      copy_rows(&stage->members, row, &level->members, level->graph_ptr[g], rows_of(level, g),
                before - finer->graph_ptr[g]);
      before += rows_of(finer, g);
    }
    row += rows_of(level, g);
  }
  resize(stage, row, before, n_global, source->self_loops);
  normalise(stage, source->norm, source->self_loops);
}

// one row a graph, whose members are the graph's rows of the coarsest level
static void fill_last_stage(hg_batch *batch, const hg_batch_source *source, hg_gid n_global)
{
  hg_stage *stage = &batch->stages[batch->n_stages - 1];
  const hg_level *level = &source->hierarchy->levels[batch->n_stages - 2];
  hg_off entries = 0;
  for (hg_off b = 0; b < batch->n_graphs; b++) {
    hg_off n = rows_of(level, batch->graphs[b]);
    for (hg_off i = 0; i < n; i++, entries++) stage->members.indices[entries] = (hg_lid)entries;
    stage->members.indptr[b + 1] = entries;
    stage->graph.ids[b] = batch->graphs[b];
  }
  resize(stage, batch->n_graphs, entries, n_global, source->self_loops);
  normalise(stage, source->norm, source->self_loops);
}

static void fill_features(hg_batch *batch, const hg_collection *collection)
{
  const hg_features *f = &collection->united.nodes.features;
  hg_real *x = batch->x.data;
  for (hg_off b = 0; b < batch->n_graphs; b++) {
    const hg_off *range = &collection->graph_ptr[batch->graphs[b]];
    for (hg_off e = range[0] * f->width; e < range[1] * f->width; e++) *x++ = (hg_real)f->dense[e];
  }
  batch->x.rows = batch->stages[0].graph.n_owned;
}

static void fill_truth(hg_batch *batch, const hg_nodes *items)
{
  hg_off bytes = hg_label_bytes(items->n_classes), width = items->n_classes;
  for (hg_off b = 0; b < batch->n_graphs; b++) {
    hg_off g = batch->graphs[b];
    if (batch->labels) batch->labels[b] = items->labels[g];
    if (batch->label_bits) memcpy(batch->label_bits + b * bytes, items->label_bits + g * bytes, (size_t)bytes);
    if (batch->targets)
      memcpy(batch->targets + b * width, items->targets + g * width, (size_t)width * sizeof *batch->targets);
  }
}

void hg_batch_fill(hg_batch *batch, const hg_batch_source *source, const hg_off *graphs, hg_off n,
                   const hg_off *n_global)
{
  int last = batch->n_stages - 1;
  batch->n_graphs = n;
  if (n > 0) memcpy(batch->graphs, graphs, (size_t)n * sizeof *graphs);
  for (int k = 0; k < last; k++) fill_stage(batch, source, k, n_global[k]);
  fill_last_stage(batch, source, n_global[last]);
  fill_features(batch, source->collection);
  fill_truth(batch, &source->collection->items);
}

void hg_batch_move(hg_batch *batch)
{
  for (int k = 1; k + 1 < batch->n_stages; k++) {
    const hg_local_graph *finer = &batch->stages[k - 1].graph;
    hg_local_graph *g = &batch->stages[k].graph;
    hg_members_mean(&batch->stages[k].members, 0, g->n_owned, g->n_dims, finer->positions, g->positions);
  }
}
