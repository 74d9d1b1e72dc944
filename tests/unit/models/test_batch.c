#include "models/batch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/sample_collection.h"

enum { GRAPHS = 30, MOST_STAGES = 5 };

typedef struct {
  hg_collection collection;
  hg_hierarchy hierarchy;
  hg_batch_source source;
  hg_batch_room room;
  hg_batch batch;
  char what[64]; // for messages
} fixture;

// a batch with room for `count` graphs of a collection whose task, norm and direction go with the seed
static void set_up(fixture *f, hg_off count, uint64_t seed)
{
  const hg_task task = (hg_task)(seed % 4);
  *f = (fixture){.source = {.norm = (hg_adjacency_norm)(seed % 3), .self_loops = seed % 2 == 0}};
  snprintf(f->what, sizeof f->what, "seed %d", (int)seed);
  cr_assert_eq(sample_collection(&f->collection, GRAPHS, (int)(seed % 5), 2, task, 9, seed), HG_OK);
  if (seed % 5 == 3) sample_collection_direct(&f->collection, seed);
  cr_assert_eq(hg_hierarchy_create(&f->hierarchy, &f->collection, (int)(seed % 4), HG_PAIRING_DISTANCE, 0.3), HG_OK);
  f->source.collection = &f->collection;
  f->source.hierarchy = &f->hierarchy;
  cr_assert_eq(hg_batch_room_create(&f->room, &f->hierarchy, count), HG_OK);
  cr_assert_eq(hg_batch_create(&f->batch, &f->source, &f->room), HG_OK, "%s", hg_error_text());
}

static void tear_down(fixture *f)
{
  hg_batch_free(&f->batch);
  hg_batch_room_free(&f->room);
  hg_hierarchy_free(&f->hierarchy);
  hg_collection_free(&f->collection);
}

static void fill(fixture *f, const hg_off *graphs, hg_off n)
{
  const hg_off n_global[MOST_STAGES] = {1001, 1002, 1003, 1004, 1005};
  hg_batch_fill(&f->batch, &f->source, graphs, n, n_global);
}

static void all_graphs(hg_off *graphs)
{
  for (hg_off g = 0; g < GRAPHS; g++) graphs[g] = g;
}

static void shuffle(hg_off *graphs, uint64_t seed)
{
  hg_rng rng = {seed, HG_STREAM_TEST};
  all_graphs(graphs);
  for (hg_off i = GRAPHS - 1; i > 0; i--) {
    hg_off k = (hg_off)hg_rng_below(rng, (uint64_t)i, 98, (uint64_t)i + 1), was = graphs[i];
    graphs[i] = graphs[k], graphs[k] = was;
  }
}

// a passed assertion of Criterion costs much more than what most of these compare
static void expect(bool ok, const fixture *f, const char *what, hg_off row)
{
  if (!ok) cr_assert_fail("%s: %s, row %d", f->what, what, (int)row);
}

// row `row` of `found` lists what row `from` of `expected` lists, moved by `shift`
static bool same_row(const hg_csr *found, hg_off row, const hg_csr *expected, hg_off from, hg_off shift)
{
  hg_off e = expected->indptr[from], n = expected->indptr[from + 1] - e, k = found->indptr[row];
  bool same = found->indptr[row + 1] - k == n;
  for (; same && n > 0; n--, k++, e++) same = found->indices[k] == expected->indices[e] + shift;
  return same;
}

static double expected_scale(const fixture *f, hg_off degree)
{
  double d = (double)degree + f->source.self_loops;
  if (d == 0) return 0;
  return f->source.norm == HG_ADJACENCY_ROW ? 1 / d : 1 / sqrt(d);
}

static void expect_scales(const fixture *f, const hg_stage *stage, hg_off row)
{
  const hg_local_graph *g = &stage->graph;
  hg_real scale = (hg_real)expected_scale(f, stage->adjacency.indptr[row + 1] - stage->adjacency.indptr[row]);
  expect(!g->row_scale == (f->source.norm == HG_ADJACENCY_SUM), f, "row scales or none", row);
  expect(!g->col_scale == (f->source.norm != HG_ADJACENCY_SYMMETRIC), f, "column scales or none", row);
  expect(!g->row_scale || !(g->row_scale[row] < scale || g->row_scale[row] > scale), f, "row scale", row);
  expect(!g->col_scale || !(g->col_scale[row] < scale || g->col_scale[row] > scale), f, "column scale", row);
}

// rows first .. of stage k are graph g's, those of the stage before begin at `before`
static void expect_graph(const fixture *f, int k, hg_off g, hg_off first, hg_off before)
{
  const hg_stage *stage = &f->batch.stages[k];
  const hg_level *level = &f->hierarchy.levels[k];
  hg_off from = level->graph_ptr[g], n = level->graph_ptr[g + 1] - from, shift = first - from;
  for (hg_off row = first; row < first + n; row++) {
    expect(same_row(&stage->adjacency, row, &level->adjacency, row - shift, shift), f, "edges", row);
    if (!f->collection.united.symmetric)
      expect(same_row(&stage->graph.transposed, row, &level->transposed, row - shift, shift), f, "reversed", row);
    if (k > 0)
      expect(same_row(&stage->members, row, &level->members, row - shift, before - level[-1].graph_ptr[g]), f,
             "members", row);
    expect(stage->graph.ids[row] == row - shift, f, "id", row);
    expect_scales(f, stage, row);
  }
  expect(memcmp(stage->graph.positions + 2 * first, level->positions + 2 * from, (size_t)n * 2 * sizeof(hg_real)) == 0,
         f, "positions of the graph", first);
}

static void expect_sizes(const fixture *f, int k, hg_off n, hg_off before)
{
  const hg_stage *stage = &f->batch.stages[k];
  const hg_local_graph *g = &stage->graph;
  bool last = k + 1 == f->batch.n_stages, directed = !f->collection.united.symmetric && !last;
  const hg_csr *backward = directed ? &g->transposed : &stage->adjacency;
  expect(g->n_owned == n && g->n_interior == n && g->n_local == n, f, "sizes of stage", k);
  expect(stage->adjacency.n_rows == n && stage->adjacency.n_cols == n, f, "adjacency of stage", k);
  expect(backward->n_rows == n && backward->n_cols == n, f, "reversed edges of stage", k);
  expect(!g->part && !g->links, f, "part of stage", k);
  expect(g->forward.a == &stage->adjacency && g->backward.a == backward, f, "operators' edges of stage", k);
  expect(g->forward.row_scale == g->row_scale && g->forward.col_scale == g->col_scale, f, "forward of stage", k);
  expect(g->backward.row_scale == g->col_scale && g->backward.col_scale == g->row_scale, f, "backward of stage", k);
  expect(g->n_dims == (last ? 0 : 2) && !g->positions == last, f, "positions of stage", k);
  expect(!stage->members.indptr == (k == 0), f, "members or none of stage", k);
  expect(k == 0 || (stage->members.n_rows == n && stage->members.n_cols == before), f, "members of stage", k);
}

static void expect_last_row(const fixture *f, hg_off b, hg_off first, hg_off n)
{
  const hg_stage *stage = &f->batch.stages[f->batch.n_stages - 1];
  const hg_csr *members = &stage->members;
  expect(stage->adjacency.indptr[b + 1] == 0, f, "edges of a graph", b);
  expect(stage->graph.ids[b] == f->batch.graphs[b], f, "id of a graph", b);
  expect(members->indptr[b] == first && members->indptr[b + 1] == first + n, f, "members of a graph", b);
  for (hg_off i = first; i < first + n; i++) expect(members->indices[i] == i, f, "member of a graph", i);
  expect_scales(f, stage, b);
}

static void expect_items(const fixture *f)
{
  const hg_batch *b = &f->batch;
  const hg_nodes *items = &f->collection.items;
  int width = f->collection.united.nodes.features.width;
  const float *x = f->collection.united.nodes.features.dense;
  hg_off row = 0;
  expect(b->truth.labels == b->labels && b->truth.targets == b->targets && b->truth.label_bits == b->label_bits, f,
         "truth", 0);
  expect(!items->labels == !b->labels && !items->targets == !b->targets && !items->label_bits == !b->label_bits, f,
         "kind of truth", 0);
  expect(b->truth.classes == items->n_classes && b->x.cols == width, f, "classes and width", 0);
  for (hg_off k = 0; k < b->n_graphs; k++) {
    hg_off g = b->graphs[k];
    expect(!b->labels || b->labels[k] == items->labels[g], f, "label", k);
    expect(!b->label_bits || memcmp(b->label_bits + 2 * k, items->label_bits + 2 * g, 2) == 0, f, "label bits", k);
    expect(!b->targets || memcmp(b->targets + 9 * k, items->targets + 9 * g, 9 * sizeof(float)) == 0, f, "targets", k);
    for (hg_off i = f->collection.graph_ptr[g]; i < f->collection.graph_ptr[g + 1]; i++, row++)
      for (int c = 0; c < width; c++)
        expect(b->x.data[row * width + c] - (hg_real)x[i * width + c] == 0, f, "features", row);
  }
  expect(b->x.rows == row, f, "rows of features", row);
}

// the batch is what its definition says for these graphs
static void expect_batch(const fixture *f, const hg_off *graphs, hg_off n)
{
  int last = f->batch.n_stages - 1;
  hg_off rows[MOST_STAGES + 1] = {0};
  expect(last == f->hierarchy.n_levels && f->batch.n_graphs == n, f, "number of stages and graphs", n);
  for (hg_off b = 0; b < n; b++) {
    expect(f->batch.graphs[b] == graphs[b], f, "number of a graph", b);
    for (int k = 0; k < last; k++) expect_graph(f, k, graphs[b], rows[k], k > 0 ? rows[k - 1] : 0);
    for (int k = 0; k < last; k++) { // afterwards: a stage is compared with the one before at this graph's start
      const hg_off *ptr = f->hierarchy.levels[k].graph_ptr + graphs[b];
      if (k == last - 1) expect_last_row(f, b, rows[k], ptr[1] - ptr[0]);
      rows[k] += ptr[1] - ptr[0];
    }
  }
  rows[last] = n;
  for (int k = 0; k <= last; k++) {
    expect_sizes(f, k, rows[k], k > 0 ? rows[k - 1] : 0);
    const hg_local_graph *g = &f->batch.stages[k].graph;
    expect(g->n_global == 1001 + k, f, "rows of all ranks", k);
    expect(g->forward.n_self == (f->source.self_loops ? rows[k] : 0), f, "self-loops", k);
  }
  expect_items(f);
}

Test(batch, of_all_graphs_is_the_whole_collection)
{
  for (uint64_t seed = 0; seed < 60; seed++) {
    fixture f;
    hg_off graphs[GRAPHS];
    set_up(&f, GRAPHS, seed);
    all_graphs(graphs);
    fill(&f, graphs, GRAPHS);
    expect_batch(&f, graphs, GRAPHS);
    for (int l = 0; l < f.hierarchy.n_levels; l++) {
      const hg_level *level = &f.hierarchy.levels[l];
      const hg_csr *a = &f.batch.stages[l].adjacency;
      cr_expect_arr_eq(a->indptr, level->adjacency.indptr, (size_t)(level->n + 1) * sizeof(hg_off));
      cr_expect_arr_eq(a->indices, level->adjacency.indices, (size_t)a->indptr[level->n] * sizeof(hg_lid));
    }
    tear_down(&f);
  }
}

Test(batch, is_filled_again_with_any_graphs_in_any_order)
{
  for (uint64_t seed = 0; seed < 60; seed++) {
    fixture f;
    hg_off graphs[GRAPHS];
    set_up(&f, 12, seed);
    const hg_stage *stages = f.batch.stages;
    const hg_real *x = f.batch.x.data, *positions = stages->graph.positions;
    const hg_lid *edges = stages->adjacency.indices;
    const hg_off sizes[] = {12, 1, 0, 7, 12};
    for (int k = 0; k < 5; k++) {
      shuffle(graphs, 100 * seed + (uint64_t)k);
      fill(&f, graphs, sizes[k]);
      expect_batch(&f, graphs, sizes[k]);
    }
    cr_expect(f.batch.stages == stages && f.batch.x.data == x && stages->graph.positions == positions &&
                  stages->adjacency.indices == edges,
              "filling moved an array");
    tear_down(&f);
  }
}

// under the sanitizer a room that is too small shows here
Test(batch, has_room_for_the_largest_graphs_and_no_more)
{
  for (uint64_t seed = 0; seed < 12; seed++) {
    fixture f;
    hg_off graphs[GRAPHS], count = 1 + (hg_off)seed;
    set_up(&f, count, seed);
    all_graphs(graphs);
    const hg_off *ptr = f.hierarchy.levels[0].graph_ptr;
    for (hg_off i = 0; i < GRAPHS; i++)
      for (hg_off j = i + 1; j < GRAPHS; j++) {
        hg_off a = graphs[i], b = graphs[j];
        if (ptr[b + 1] - ptr[b] > ptr[a + 1] - ptr[a]) graphs[i] = b, graphs[j] = a;
      }
    fill(&f, graphs, count);
    expect_batch(&f, graphs, count);
    cr_expect_eq(f.batch.x.rows, f.room.rows[0], "seed %d: the largest graphs fill the finest stage", (int)seed);
    tear_down(&f);
  }
}

Test(batch, room_is_for_different_graphs)
{
  fixture f;
  set_up(&f, 1000, 2);
  cr_expect_eq(f.room.graphs, GRAPHS);
  for (int l = 0; l < f.hierarchy.n_levels; l++) {
    cr_expect_eq(f.room.rows[l], f.hierarchy.levels[l].n);
    cr_expect_eq(f.room.entries[l], hg_csr_entries(&f.hierarchy.levels[l].adjacency));
  }
  tear_down(&f);
}

Test(batch, stands_at_its_full_size_before_it_is_filled)
{
  fixture f;
  set_up(&f, 9, 6);
  for (int k = 0; k < f.batch.n_stages; k++) {
    hg_off rows = k < f.hierarchy.n_levels ? f.room.rows[k] : 9;
    expect_sizes(&f, k, rows, k > 0 ? f.room.rows[k - 1] : 0);
    cr_expect_eq(f.batch.stages[k].graph.n_global, rows);
    cr_expect_eq(hg_csr_entries(&f.batch.stages[k].adjacency), 0);
    if (k > 0) cr_expect_eq(hg_csr_entries(&f.batch.stages[k].members), 0);
  }
  cr_expect_eq(f.batch.n_graphs, 9);
  cr_expect_eq(f.batch.x.rows, f.room.rows[0]);
  tear_down(&f);
}

Test(batch, its_bytes_are_what_is_allocated_and_filling_allocates_nothing)
{
  for (uint64_t seed = 0; seed < 12; seed++) {
    fixture f;
    hg_off graphs[GRAPHS];
    set_up(&f, 11, seed);
    size_t with = hg_alloc_bytes();
    shuffle(graphs, seed);
    fill(&f, graphs, 11);
    hg_batch_move(&f.batch);
    cr_expect_eq(hg_alloc_bytes(), with);
    hg_batch_free(&f.batch);
    cr_expect_eq(with - hg_alloc_bytes(), hg_batch_bytes(&f.source, &f.room), "seed %d", (int)seed);
    tear_down(&f);
  }
}

Test(batch, moving_nodes_moves_the_clusters_that_they_are_in)
{
  fixture f;
  hg_off graphs[GRAPHS];
  set_up(&f, GRAPHS, 7);
  shuffle(graphs, 7);
  fill(&f, graphs, 20);
  hg_batch_move(&f.batch);
  expect_batch(&f, graphs, 20); // positions as the hierarchy's, bit by bit
  hg_local_graph *g = &f.batch.stages[0].graph;
  for (hg_off e = 0; e < 2 * (hg_off)g->n_owned; e++) g->positions[e] = (hg_real)(e % 2 ? 1000 + e : -e);
  hg_batch_move(&f.batch);
  for (int k = 1; k + 1 < f.batch.n_stages; k++) {
    const hg_stage *stage = &f.batch.stages[k];
    const hg_real *fine = stage[-1].graph.positions, *coarse = stage->graph.positions;
    for (hg_off i = 0; i < stage->graph.n_owned; i++) {
      hg_lid a = stage->members.indices[stage->members.indptr[i]];
      hg_lid b = stage->members.indices[stage->members.indptr[i + 1] - 1];
      for (int d = 0; d < 2; d++)
        expect(coarse[2 * i + d] - (fine[2 * a + d] + fine[2 * b + d]) / 2 == 0, &f, "mean", i);
    }
  }
  tear_down(&f);
}

Test(batch, of_sparse_features_is_refused)
{
  fixture f;
  hg_batch batch;
  set_up(&f, 3, 1);
  hg_off *indptr = f.collection.graph_ptr;
  f.collection.united.nodes.features.indptr = indptr;
  cr_expect_eq(hg_batch_create(&batch, &f.source, &f.room), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "graphs in mini-batches need dense features, found sparse");
  f.collection.united.nodes.features.indptr = NULL;
  tear_down(&f);
}
