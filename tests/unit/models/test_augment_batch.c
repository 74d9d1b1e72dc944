#include <criterion/criterion.h>
#include <string.h>

#include "models/augment.h"
#include "tests/support/close.h"
#include "tests/support/sample_collection.h"

enum { GRAPHS = 12, DIMS = 3, SEED = 11 };

static hg_collection collection;
static hg_hierarchy hierarchy;
static hg_batch_room room;
static hg_batch_source source;
static hg_batch batch;
static const hg_off n_global[] = {1000, 1000, 1000};

static void make_batch(void)
{
  cr_assert_eq(sample_collection(&collection, GRAPHS, 2, DIMS, HG_TASK_CLASSES, 2, 5), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_hierarchy_create(&hierarchy, &collection, 1, HG_PAIRING_DISTANCE, 2.0), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_batch_room_create(&room, &hierarchy, GRAPHS), HG_OK);
  source = (hg_batch_source){.collection = &collection, .hierarchy = &hierarchy, .norm = HG_ADJACENCY_SUM};
  cr_assert_eq(hg_batch_create(&batch, &source, &room), HG_OK, "%s", hg_error_text());
}

static void free_batch(void)
{
  hg_batch_free(&batch);
  hg_batch_room_free(&room);
  hg_hierarchy_free(&hierarchy);
  hg_collection_free(&collection);
}

TestSuite(augment_batch, .init = make_batch, .fini = free_batch);

static const hg_off *range_of(hg_off graph) { return &hierarchy.levels[0].graph_ptr[graph]; }

// where graph `g` shall be: [nodes x DIMS] from its own map and its nodes' numbers
static hg_off expect_at(const hg_augment *a, hg_off g, hg_real *to)
{
  hg_gid ids[64];
  hg_real map[DIMS * DIMS];
  hg_off first = range_of(g)[0], n = range_of(g)[1] - first;
  cr_assert(n <= 64);
  for (hg_off i = 0; i < n; i++) ids[i] = first + i;
  hg_augment_move(a, hg_augment_map(a, (uint64_t)g, DIMS, map), DIMS, ids, n,
                  hierarchy.levels[0].positions + first * DIMS, to);
  return n;
}

Test(augment_batch, each_graph_moves_the_same_in_every_batch)
{
  const hg_augment_options options = {.rotate = 180, .reflect = true, .scale = 0.2, .jitter = 0.1};
  const hg_augment a = hg_augment_training(&options, SEED, 3);
  static const hg_off first[] = {3, 11, 0, 4}, second[] = {4, 5, 3};
  const struct {
    const hg_off *graphs;
    hg_off n;
  } fills[] = {{first, 4}, {second, 3}, {second, 0}};
  for (int f = 0; f < 3; f++) {
    hg_real expected[64 * DIMS];
    hg_batch_fill(&batch, &source, fills[f].graphs, fills[f].n, n_global);
    hg_augment_batch(&a, &source, &batch);
    hg_augment_batch(&a, &source, &batch); // from where the source has them: once more changes nothing
    hg_off row = 0;
    for (hg_off b = 0; b < fills[f].n; b++) {
      hg_off n = expect_at(&a, fills[f].graphs[b], expected);
      cr_expect(memcmp(batch.stages[0].graph.positions + row * DIMS, expected, (size_t)(n * DIMS) * sizeof *expected) ==
                    0,
                "graph %d of batch %d is elsewhere", (int)fills[f].graphs[b], f);
      row += n;
    }
    cr_expect_eq(row, batch.stages[0].graph.n_owned);
  }
}

Test(augment_batch, clusters_stand_at_the_mean_of_their_moved_members)
{
  const hg_augment_options options = {.rotate = 180, .jitter = 0.3};
  const hg_augment a = hg_augment_training(&options, SEED, 1);
  const hg_off graphs[] = {2, 8, 9};
  hg_batch_fill(&batch, &source, graphs, 3, n_global);
  hg_augment_batch(&a, &source, &batch);
  const hg_stage *fine = &batch.stages[0], *coarse = &batch.stages[1];
  for (hg_off i = 0; i < coarse->graph.n_owned; i++) {
    hg_real mean[DIMS] = {0};
    hg_off from = coarse->members.indptr[i], to = coarse->members.indptr[i + 1];
    for (hg_off e = from; e < to; e++)
      for (int d = 0; d < DIMS; d++)
        mean[d] += fine->graph.positions[coarse->members.indices[e] * DIMS + d] / (hg_real)(to - from);
    expect_close(coarse->graph.positions + i * DIMS, mean, DIMS, 1e-6, "cluster");
  }
}

Test(augment_batch, a_shared_map_leaves_the_positions_to_the_pass)
{
  hg_augment_options options = {.rotate = 180, .per = HG_AUGMENT_PER_BATCH};
  const hg_off graphs[] = {2, 8, 9};
  hg_real still[64 * DIMS], map[DIMS * DIMS];
  hg_batch_fill(&batch, &source, graphs, 3, n_global);
  size_t bytes = (size_t)(batch.stages[0].graph.n_owned * DIMS) * sizeof *still;
  cr_assert(bytes <= sizeof still && bytes > 0);
  memcpy(still, batch.stages[0].graph.positions, bytes);
  hg_augment a = hg_augment_training(&options, SEED, 1);
  hg_augment_batch(&a, &source, &batch);
  cr_expect(memcmp(batch.stages[0].graph.positions, still, bytes) == 0);
  cr_expect(hg_augment_batch_map(&a, 4, DIMS, map) == map);
  options.jitter = 0.1;
  a = hg_augment_training(&options, SEED, 1);
  hg_augment_batch(&a, &source, &batch);
  cr_expect(memcmp(batch.stages[0].graph.positions, still, bytes) != 0, "no noise");
  double moved = 0;
  for (size_t e = 0; e < bytes / sizeof *still; e++) {
    double off = (double)(batch.stages[0].graph.positions[e] - still[e]);
    moved = off * off > moved ? off * off : moved;
  }
  cr_expect(moved < 0.25, "more than noise: %g", moved);
}
