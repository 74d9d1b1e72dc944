// Batches that another thread fills, beside those that are filled here.
#include "runtime/train/batch_stream.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/sample_collection.h"

enum { GRAPHS = 40, BATCH = 6, STAGES = 4, RANKS = 3, RANK = 1 };

static hg_collection collection;
static hg_hierarchy hierarchy;
static hg_batch_room room;
static hg_batch_source source;
static hg_batch direct;
static hg_batch_stream *stream;
static hg_off work[GRAPHS], graphs[GRAPHS];
static const hg_augment_options moving = {.rotate = 180, .jitter = 0.1, .per = HG_AUGMENT_PER_GRAPH};

static void set_up(void)
{
  cr_assert_eq(sample_collection(&collection, GRAPHS, 3, 2, HG_TASK_CLASSES, 3, 21), HG_OK);
  sample_collection_direct(&collection, 2);
  cr_assert_eq(hg_hierarchy_create(&hierarchy, &collection, STAGES - 2, HG_PAIRING_DISTANCE, 1.0), HG_OK);
  cr_assert_eq(hg_batch_room_create(&room, &hierarchy, BATCH), HG_OK);
  source = (hg_batch_source){.collection = &collection, .hierarchy = &hierarchy, .self_loops = true};
  cr_assert_eq(hg_batch_create(&direct, &source, &room), HG_OK);
  cr_assert_eq(hg_batch_stream_create(&stream, &source, &room), HG_OK, "%s", hg_error_text());
  for (hg_off g = 0; g < GRAPHS; g++) {
    graphs[g] = g;
    work[g] = collection.graph_ptr[g + 1] - collection.graph_ptr[g];
  }
}

static void tear_down(void)
{
  hg_batch_stream_free(&stream);
  hg_batch_stream_free(&stream);
  hg_batch_free(&direct);
  hg_batch_room_free(&room);
  hg_hierarchy_free(&hierarchy);
  hg_collection_free(&collection);
}

TestSuite(batch_stream, .init = set_up, .fini = tear_down, .timeout = 30);

static hg_batch_list make_list(hg_off n, hg_off batch_size, int ranks)
{
  hg_batch_list list;
  cr_assert_eq(hg_batch_list_create(&list, n, batch_size, (hg_sharing){ranks > 1 ? RANK : 0, ranks, work}), HG_OK);
  return list;
}

static bool same(const void *a, const void *b, hg_off n, size_t size)
{
  return (!a && !b) || (a && b && (n == 0 || memcmp(a, b, (size_t)n * size) == 0));
}

static bool same_csr(const hg_csr *a, const hg_csr *b)
{
  return a->n_rows == b->n_rows && a->n_cols == b->n_cols &&
         (!a->indptr || (same(a->indptr, b->indptr, a->n_rows + 1, sizeof *a->indptr) &&
                         same(a->indices, b->indices, a->indptr[a->n_rows], sizeof *a->indices)));
}

static bool same_stage(const hg_stage *a, const hg_stage *b)
{
  const hg_local_graph *g = &a->graph, *h = &b->graph;
  hg_off n = g->n_owned;
  return n == h->n_owned && g->n_global == h->n_global && same(g->ids, h->ids, n, sizeof *g->ids) &&
         same(g->row_scale, h->row_scale, n, sizeof *g->row_scale) &&
         same(g->positions, h->positions, n * g->n_dims, sizeof *g->positions) &&
         same_csr(&a->adjacency, &b->adjacency) && same_csr(&g->transposed, &h->transposed) &&
         same_csr(&a->members, &b->members);
}

// fills `direct` with batch b of the list and compares all that is in it
static void expect_batch(const hg_batch *found, const hg_batch_list *list, hg_off b, const hg_augment *augment)
{
  hg_off n_global[STAGES] = {0}, n = hg_batch_list_size(list, b);
  for (hg_off k = 0; k < n; k++) {
    hg_off g = list->graphs[b * list->batch_size + k];
    for (int l = 0; l < STAGES - 1; l++)
      n_global[l] += hierarchy.levels[l].graph_ptr[g + 1] - hierarchy.levels[l].graph_ptr[g];
  }
  n_global[STAGES - 1] = n;
  hg_batch_fill(&direct, &source, list->mine + list->offsets[b], list->offsets[b + 1] - list->offsets[b], n_global);
  if (augment) hg_augment_batch(augment, &source, &direct);
  cr_assert_eq(found->n_graphs, direct.n_graphs);
  for (int s = 0; s < STAGES; s++)
    if (!same_stage(&found->stages[s], &direct.stages[s])) cr_assert_fail("batch %d, stage %d differs", (int)b, s);
  cr_assert(found->x.rows == direct.x.rows &&
            same(found->x.data, direct.x.data, direct.x.rows * direct.x.cols, sizeof(hg_real)));
  cr_assert(same(found->labels, direct.labels, direct.n_graphs, sizeof *direct.labels));
}

static void expect_list(const hg_batch_list *list, const hg_augment *augment)
{
  const hg_batch *batch;
  hg_off b = 0;
  hg_batch_stream_begin(stream, list, augment);
  for (; (batch = hg_batch_stream_next(stream)) != NULL; b++) expect_batch(batch, list, b, augment);
  cr_assert_eq(b, list->n_batches);
  cr_assert_null(hg_batch_stream_next(stream), "and none after the last");
}

Test(batch_stream, batches_are_those_that_are_filled_here)
{
  hg_batch_list list = make_list(GRAPHS, BATCH, RANKS);
  for (int epoch = 1; epoch <= 8; epoch++) {
    const hg_augment augment = hg_augment_training(&moving, 4, epoch);
    hg_batch_list_shuffle(&list, graphs, 4, epoch);
    expect_list(&list, epoch % 2 ? &augment : NULL);
  }
  hg_batch_list_free(&list);
}

Test(batch_stream, a_stream_takes_lists_of_all_lengths)
{
  static const hg_off lengths[] = {40, 0, 1, 6, 7, 0, 13};
  for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
    hg_batch_list list = make_list(lengths[k], k % 2 ? 1 : BATCH, 1);
    hg_batch_list_shuffle(&list, graphs, k, 1);
    expect_list(&list, NULL);
    hg_batch_list_own(&list, graphs, lengths[k]);
    expect_list(&list, NULL);
    hg_batch_list_free(&list);
  }
}

// more ranks than graphs in a batch: this rank often has none of them
Test(batch_stream, batches_may_be_empty_here)
{
  hg_batch_list list = make_list(GRAPHS, 1, 7);
  hg_off empty = 0;
  hg_batch_list_shuffle(&list, graphs, 1, 1);
  for (hg_off b = 0; b < list.n_batches; b++) empty += list.offsets[b + 1] == list.offsets[b];
  cr_assert_gt(empty, 0);
  expect_list(&list, NULL);
  hg_batch_list_free(&list);
}

Test(batch_stream, a_list_may_be_left_early)
{
  hg_batch_list list = make_list(GRAPHS, BATCH, 1), other = make_list(GRAPHS, 2, 1);
  hg_batch_list_shuffle(&list, graphs, 1, 1);
  hg_batch_list_shuffle(&other, graphs, 2, 1);
  for (int taken = 0; taken < 200; taken++) {
    hg_batch_stream_begin(stream, &list, NULL);
    for (int k = 0; k < taken % 4; k++) cr_assert_not_null(hg_batch_stream_next(stream));
    hg_batch_stream_begin(stream, &other, NULL);
    expect_batch(hg_batch_stream_next(stream), &other, 0, NULL);
    expect_batch(hg_batch_stream_next(stream), &other, 1, NULL);
  }
  hg_batch_stream_free(&stream); // and the last one, whose next batch is being filled
  hg_batch_list_free(&list);
  hg_batch_list_free(&other);
}

Test(batch_stream, a_stream_may_end_before_it_began)
{
  for (int k = 0; k < 50; k++) {
    hg_batch_stream *unused;
    cr_assert_eq(hg_batch_stream_create(&unused, &source, &room), HG_OK);
    cr_assert_eq(hg_batch_stream_model(unused)->n_graphs, BATCH);
    hg_batch_stream_free(&unused);
    cr_assert_null(unused);
  }
}
