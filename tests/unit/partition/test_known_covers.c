// Least covers of a model's edges and widths, found when its parts are made.
#include "partition/known_covers.h"

#include <criterion/criterion.h>

#include "core/base/alloc.h"
#include "partition/cover.h"
#include "partition/parts.h"
#include "partition/quality.h"
#include "tests/unit/partition/graphs.h"

enum { NODES = 60, PARTS = 4, MOST_EDGES = NODES * NODES };

// A graph in the order of its parts, and its index with what is known.
typedef struct {
  hg_graph graph;
  hg_parts_index index;
} fixture;

static fixture begin(graph_kind kind, uint64_t seed, const hg_partition_options *options)
{
  fixture f = {0};
  hg_graph made;
  hg_quality quality;
  int32_t part_of[NODES];
  hg_lid order[NODES];
  double seconds;
  make_graph(&made, kind, NODES, seed);
  for (hg_off i = 0; i < NODES; i++)
    made.nodes.split[i] = (uint8_t)((uint64_t)i % 7 == seed % 7 ? HG_SPLIT_TRAIN : HG_SPLIT_TEST);
  cr_assert_eq(hg_partition_graph(&made, PARTS, options, part_of), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_parts_build(&made, PARTS, part_of, order, &f.index), HG_OK);
  cr_assert_eq(hg_graph_permute(&f.graph, &made, order), HG_OK);
  cr_assert_eq(hg_quality_measure(&f.graph, &f.index, &quality), HG_OK);
  cr_assert_eq(hg_known_covers_add(&f.index, &f.graph, options, &seconds), HG_OK, "%s", hg_error_text());
  hg_graph_free(&made);
  return f;
}

static void end(fixture *f)
{
  hg_parts_index_free(&f->index);
  hg_graph_free(&f->graph);
}

// whether a training node is reached from i in so many steps along edges
static bool reaches(const hg_graph *g, hg_lid i, int steps)
{
  if (g->nodes.split[i] == HG_SPLIT_TRAIN) return true;
  for (hg_lid j = 0; steps > 0 && j < NODES; j++)
    if (has_edge(g, i, j) && reaches(g, j, steps - 1)) return true;
  return false;
}

static bool counts(const hg_graph *g, hg_lid j, hg_lid i, int steps)
{
  return has_edge(g, j, i) && (steps == HG_COVER_ALL || reaches(g, i, steps));
}

// The numbers that cross from part `from` to part `to` by the known cover c, and by one that is found from all pairs.
static void check_pair(const fixture *f, int from, int to, int c)
{
  const hg_parts_index *index = &f->index;
  const hg_cover_kind *kind = &index->covers.kinds[c];
  static hg_off indptr[NODES + 1];
  static hg_lid indices[MOST_EDGES];
  bool right[NODES] = {false};
  hg_cover least;
  int64_t numbers = 0;
  hg_lid n_left = 0, n_right = (hg_lid)(index->offsets[to + 1] - index->offsets[to]);
  for (hg_off h = index->halo_offsets[to]; h < index->halo_offsets[to + 1]; h++) {
    hg_lid j = (hg_lid)index->halo_ids[h];
    if (j < index->offsets[from] || j >= index->offsets[from + 1]) continue;
    bool in_cover = index->covers.halo[h] >> c & 1;
    hg_off at = indptr[n_left];
    for (hg_lid r = 0; r < n_right; r++) {
      if (!counts(&f->graph, j, (hg_lid)index->offsets[to] + r, kind->steps)) continue;
      indices[at++] = r;
      if (!in_cover) right[r] = true;
    }
    numbers += in_cover * kind->source;
    indptr[++n_left] = at;
  }
  for (hg_lid r = 0; r < n_right; r++) numbers += right[r] * kind->sum;
  const hg_bipartite edges = {n_left, n_right, indptr, indices};
  cr_assert_eq(hg_cover_create(&least, &edges, kind->source, kind->sum), HG_OK);
  cr_expect_eq(numbers, least.weight, "cover %d of parts %d and %d: %lld numbers, at least %lld", c, from, to,
               (long long)numbers, (long long)least.weight);
  hg_cover_free(&least);
}

Test(known_covers, are_least)
{
  hg_partition_options options = hg_partition_options_default();
  options.layers = 4;
  options.hidden = 7;
  options.method = "random";
  for (hg_covers_wanted wanted = HG_COVERS_GCN; wanted <= HG_COVERS_GEOGCN; wanted++)
    for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++) {
      options.covers = wanted;
      fixture f = begin(kind, (uint64_t)kind + 3, &options);
      for (int c = 0; c < f.index.covers.n; c++)
        for (int from = 0; from < PARTS; from++)
          for (int to = 0; to < PARTS; to++) check_pair(&f, from, to, c);
      end(&f);
    }
}

static void expect_kinds(const hg_partition_options *options, int n, const hg_cover_kind *kinds)
{
  fixture f = begin(GRAPH_SYMMETRIC, 5, options);
  const hg_known_covers *covers = &f.index.covers;
  cr_assert_eq(covers->n, n, "%d kinds, expected %d", covers->n, n);
  for (int c = 0; c < n; c++) {
    cr_expect_eq(covers->kinds[c].steps, kinds[c].steps);
    cr_expect_eq(covers->kinds[c].source, kinds[c].source);
    cr_expect_eq(covers->kinds[c].sum, kinds[c].sum);
  }
  end(&f);
}

// of layers after the first one; the last one of a geogcn makes 3 classes of `hidden` columns
Test(known_covers, are_what_the_model_uses)
{
  hg_partition_options options = hg_partition_options_default();
  options.layers = 3;
  options.hidden = 9;
  expect_kinds(&options, 1, (const hg_cover_kind[]){{HG_COVER_ALL, 1, 1}});
  options.covers = HG_COVERS_GCN;
  expect_kinds(&options, 3, (const hg_cover_kind[]){{HG_COVER_ALL, 1, 1}, {0, 1, 1}, {1, 1, 1}});
  options.covers = HG_COVERS_GEOGCN;
  expect_kinds(&options, 4, (const hg_cover_kind[]){{HG_COVER_ALL, 1, 1}, {0, 9, 3}, {HG_COVER_ALL, 9, 3}, {1, 1, 1}});
  options.hidden = 3;
  expect_kinds(&options, 3, (const hg_cover_kind[]){{HG_COVER_ALL, 1, 1}, {0, 3, 3}, {1, 1, 1}});
  options.layers = 1;
  expect_kinds(&options, 1, (const hg_cover_kind[]){{HG_COVER_ALL, 1, 1}});
}

Test(known_covers, find_room_up_to_a_number)
{
  hg_partition_options options = hg_partition_options_default();
  options.covers = HG_COVERS_GCN;
  options.layers = HG_COVER_KINDS + 9;
  fixture f = begin(GRAPH_GRID, 2, &options);
  cr_expect_eq(f.index.covers.n, HG_COVER_KINDS);
  for (int to = 1; to < PARTS; to++) check_pair(&f, to - 1, to, HG_COVER_KINDS - 1);
  end(&f);
}

Test(known_covers, of_equal_ratios_are_the_same)
{
  const hg_known_covers covers = {.n = 2, .kinds = {{HG_COVER_ALL, 16, 8}, {2, 1, 1}}};
  cr_expect_eq(hg_known_cover(&covers, (hg_cover_kind){HG_COVER_ALL, 4, 2}), 0);
  cr_expect_eq(hg_known_cover(&covers, (hg_cover_kind){2, 40, 40}), 1);
  cr_expect_eq(hg_known_cover(&covers, (hg_cover_kind){HG_COVER_ALL, 2, 4}), -1);
  cr_expect_eq(hg_known_cover(&covers, (hg_cover_kind){1, 1, 1}), -1);
}
