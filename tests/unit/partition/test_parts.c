#include "partition/parts.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/unit/partition/graphs.h"

// Everything that one graph in parts consists of.
typedef struct {
  hg_graph graph, permuted;
  int k;
  int32_t *part_of;
  hg_lid *order;
  hg_parts_index index;
  char label[128]; ///< repeats the case
} parted;

static void random_parts(parted *t, uint64_t seed)
{
  for (hg_off i = 0; i < t->graph.nodes.n; i++)
    t->part_of[i] = (int32_t)hg_rng_below((hg_rng){seed, HG_STREAM_TEST}, (uint64_t)i, 9, (uint64_t)t->k);
}

// Parts drawn at random (some may be empty), or by a partitioner.
static void make_parted(parted *t, graph_kind kind, hg_lid n, int k, uint64_t seed, const char *method)
{
  *t = (parted){.k = k};
  snprintf(t->label, sizeof t->label, "%s graph, n = %d, k = %d, seed %" PRIu64 ", %s", graph_kind_names[kind], n, k,
           seed, method ? method : "any parts");
  make_graph(&t->graph, kind, n, seed);
  cr_assert_eq(HG_ALLOC(t->part_of, n, "parts"), HG_OK);
  cr_assert_eq(HG_ALLOC(t->order, n, "order"), HG_OK);
  if (method) {
    hg_partition_options options = hg_partition_options_default();
    options.method = method;
    options.seed = seed;
    cr_assert_eq(hg_partition_graph(&t->graph, k, &options, t->part_of), HG_OK, "%s: %s", t->label, hg_error_text());
  } else {
    random_parts(t, seed);
  }
  cr_assert_eq(hg_parts_build(&t->graph, k, t->part_of, t->order, &t->index), HG_OK, "%s: %s", t->label,
               hg_error_text());
  cr_assert_eq(hg_graph_permute(&t->permuted, &t->graph, t->order), HG_OK, "%s: %s", t->label, hg_error_text());
}

static void free_parted(parted *t)
{
  hg_graph_free(&t->graph);
  hg_graph_free(&t->permuted);
  hg_free(&t->part_of);
  hg_free(&t->order);
  hg_parts_index_free(&t->index);
}

static bool is_boundary(const parted *t, hg_lid i)
{
  for (hg_lid j = 0; j < t->graph.nodes.n; j++)
    if (t->part_of[j] != t->part_of[i] && has_edge(&t->graph, j, i)) return true;
  return false;
}

static void check_order(const parted *t)
{
  hg_lid n = (hg_lid)t->graph.nodes.n;
  uint8_t *met = NULL;
  cr_assert_eq(HG_ALLOC(met, n, "marks"), HG_OK);
  cr_expect_eq(t->index.offsets[0], 0, "%s", t->label);
  cr_expect_eq(t->index.offsets[t->k], n, "%s", t->label);
  for (int p = 0; p < t->k; p++) {
    hg_gid first = t->index.offsets[p], interior_end = first + t->index.n_interior[p];
    cr_assert_leq(interior_end, t->index.offsets[p + 1], "%s", t->label);
    for (hg_gid id = first; id < t->index.offsets[p + 1]; id++) {
      hg_lid i = t->order[id];
      cr_assert(i >= 0 && i < n && !met[i]++, "%s: node %d twice", t->label, i);
      cr_expect_eq(t->part_of[i], p, "%s: node %d in the wrong part", t->label, i);
      cr_expect_eq(is_boundary(t, i), id >= interior_end, "%s: node %d in the wrong group", t->label, i);
      if (id != first && id != interior_end) cr_expect_gt(i, t->order[id - 1], "%s: node %d out of order", t->label, i);
    }
  }
  hg_free(&met);
}

// The halo of each part against all pairs of nodes.
static void check_halos(const parted *t)
{
  for (int p = 0; p < t->k; p++) {
    hg_off h = t->index.halo_offsets[p];
    for (hg_gid id = 0; id < t->graph.nodes.n; id++) {
      hg_lid j = t->order[id];
      bool needed = false;
      for (hg_gid i = t->index.offsets[p]; i < t->index.offsets[p + 1] && t->part_of[j] != p; i++)
        needed = needed || has_edge(&t->graph, j, t->order[i]);
      if (!needed) continue;
      cr_assert_lt(h, t->index.halo_offsets[p + 1], "%s: part %d lacks halo node %" PRId64, t->label, p, id);
      cr_expect_eq(t->index.halo_ids[h++], id, "%s: part %d", t->label, p);
    }
    cr_expect_eq(h, t->index.halo_offsets[p + 1], "%s: part %d has halo nodes that it does not need", t->label, p);
  }
  cr_expect_eq(t->index.halo_offsets[t->k], naive_volume(&t->graph, t->k, t->part_of), "%s", t->label);
}

static hg_gid to_global(const hg_part *part, hg_lid local)
{
  return local < part->n_owned ? part->first + local : part->halo_ids[local - part->n_owned];
}

// The local adjacency, read through global ids and the order, is the graph's.
static void check_part(const parted *t, int p)
{
  hg_part part;
  cr_assert_eq(hg_part_extract(&part, &t->permuted, &t->index, p), HG_OK, "%s: %s", t->label, hg_error_text());
  cr_expect_eq(hg_part_check(&part), HG_OK, "%s: %s", t->label, hg_error_text());
  cr_expect_eq(part.m_global, hg_csr_entries(&t->graph.adjacency), "%s", t->label);
  for (hg_lid i = 0; i < part.n_owned; i++) {
    hg_lid old = t->order[part.first + i];
    hg_off degree = t->graph.adjacency.indptr[old + 1] - t->graph.adjacency.indptr[old];
    cr_expect_eq(part.a.indptr[i + 1] - part.a.indptr[i], degree, "%s: part %d row %d", t->label, p, i);
    for (hg_off e = part.a.indptr[i]; e < part.a.indptr[i + 1]; e++)
      cr_expect(has_edge(&t->graph, t->order[to_global(&part, part.a.indices[e])], old), "%s: part %d row %d", t->label,
                p, i);
    cr_expect_eq(part.nodes.labels[i], t->graph.nodes.labels[old], "%s", t->label);
    cr_expect_eq(part.nodes.split[i], t->graph.nodes.split[old], "%s", t->label);
    cr_expect_eq(part.nodes.original_ids[i], 1000 + old, "%s", t->label);
    cr_expect_arr_eq(part.nodes.features.dense + 2 * i, t->graph.nodes.features.dense + 2 * old, 2 * sizeof(float),
                     "%s", t->label);
  }
  for (int q = 0; q < part.n_parts; q++)
    for (hg_lid h = part.halo_offsets[q]; h < part.halo_offsets[q + 1]; h++)
      cr_expect_eq(t->part_of[t->order[part.halo_ids[h]]], q, "%s: halo node %d of part %d", t->label, h, p);
  hg_part_free(&part);
}

static void check_case(graph_kind kind, hg_lid n, int k, uint64_t seed, const char *method)
{
  parted t;
  make_parted(&t, kind, n, k, seed, method);
  check_order(&t);
  check_halos(&t);
  for (int p = 0; p < k; p++) check_part(&t, p);
  free_parted(&t);
}

Test(parts, hold_their_invariants_for_any_parts_even_empty_ones)
{
  const hg_lid sizes[] = {1, 2, 7, 40};
  const int counts[] = {1, 2, 3, 7, 40};
  for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
    for (int s = 0; s < 4; s++)
      for (int c = 0; c < 5; c++) check_case(kind, sizes[s], counts[c], (uint64_t)(10 * s + c), NULL);
}

Test(parts, hold_their_invariants_for_every_partitioner)
{
  const int counts[] = {1, 2, 3, 7, 30};
  for (int m = 0; hg_partitioners[m].name; m++)
    for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
      for (int c = 0; c < 5; c++) check_case(kind, 30, counts[c], 5, hg_partitioners[m].name);
}

Test(parts, of_a_graph_of_one_node)
{
  check_case(GRAPH_EMPTY, 1, 1, 1, "metis");
  check_case(GRAPH_EMPTY, 1, 1, 1, NULL);
}

Test(parts, building_refuses_a_part_that_does_not_exist)
{
  hg_graph graph;
  hg_parts_index index;
  hg_lid order[4];
  make_graph(&graph, GRAPH_STAR, 4, 1);
  cr_expect_eq(hg_parts_build(&graph, 2, (const int32_t[]){0, 1, 2, 0}, order, &index), HG_ERR_INTERNAL);
  cr_expect_str_eq(hg_error_text(), "node 2 is in part 2 of 2");
  cr_expect_null(index.offsets);
  hg_graph_free(&graph);
}

Test(parts, extracting_refuses_a_part_that_does_not_exist)
{
  parted t;
  hg_part part;
  make_parted(&t, GRAPH_GRID, 9, 2, 1, NULL);
  cr_expect_eq(hg_part_extract(&part, &t.permuted, &t.index, 2), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "there is no part 2: 2 parts");
  cr_expect_eq(hg_part_extract(&part, &t.permuted, &t.index, -1), HG_ERR_INPUT);
  free_parted(&t);
}

Test(parts, extracting_finds_an_edge_that_the_halo_lacks)
{
  parted t;
  hg_part part;
  make_parted(&t, GRAPH_COMPLETE, 4, 2, 3, "block");
  t.index.halo_ids[0] = 3; // part 0 owns 0 and 1, needs 2 and 3
  cr_expect_eq(hg_part_extract(&part, &t.permuted, &t.index, 0), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "part 0: an in-neighbour of node 0 is not in the part's list of halo nodes");
  free_parted(&t);
}

// Part 0 of the complete graph of 6 nodes in two blocks: 3 owned boundary nodes, halo 3 4 5.
static void make_block_part(hg_part *part)
{
  parted t;
  make_parted(&t, GRAPH_COMPLETE, 6, 2, 1, "block");
  cr_assert_eq(hg_part_extract(part, &t.permuted, &t.index, 0), HG_OK);
  free_parted(&t);
}

static void expect_broken(hg_part *part, const char *message)
{
  cr_expect_eq(hg_part_check(part), HG_ERR_INTERNAL, "expected: %s", message);
  cr_expect_str_eq(hg_error_text(), message);
  hg_part_free(part);
}

Test(part_check, names_the_broken_invariant)
{
  hg_part p;
  make_block_part(&p);
  p.part = 2;
  expect_broken(&p, "part 2 of 2 parts");
  make_block_part(&p);
  p.n_global = 7;
  expect_broken(&p, "parts own 0..6, expected 0..7");
  make_block_part(&p);
  p.first = 1;
  expect_broken(&p, "part 0: 3 owned nodes from 1, expected 3 from 0");
  make_block_part(&p);
  p.n_interior = 4;
  expect_broken(&p, "part 0: 4 interior of 3 owned nodes");
  make_block_part(&p);
  p.n_interior = 1;
  expect_broken(&p, "part 0: interior node 0 has a halo in-neighbour");
  make_block_part(&p);
  p.halo_ids[1] = 3;
  expect_broken(&p, "part 0: halo node 1 has global id 3 after 3");
  make_block_part(&p);
  p.halo_ids[0] = 2;
  expect_broken(&p, "part 0: halo node 0 has global id 2 after -1");
  make_block_part(&p);
  p.halo_offsets[1] = 1;
  expect_broken(&p, "part 0: halo node 3 is not owned by part 0");
  make_block_part(&p);
  p.a.indices[0] = 2;
  expect_broken(&p, "part 0: row 0: columns do not ascend");
}

Test(part_check, finds_a_halo_node_that_nobody_needs)
{
  parted t;
  hg_part p;
  make_parted(&t, GRAPH_EMPTY, 4, 2, 1, "block");
  cr_assert_eq(hg_part_extract(&p, &t.permuted, &t.index, 0), HG_OK);
  p.n_interior = 0;
  cr_expect_eq(hg_part_check(&p), HG_ERR_INTERNAL);
  cr_expect_str_eq(hg_error_text(), "part 0: boundary node 0 has no halo in-neighbour");
  hg_part_free(&p);
  free_parted(&t);
}

// Writes the parts and reads every one back: the same as extracting it.
static void check_file(graph_kind kind, hg_lid n, int k)
{
  parted t;
  char path[] = "/tmp/halognn_parts_XXXXXX";
  make_parted(&t, kind, n, k, 11, "metis");
  int fd = mkstemp(path);
  cr_assert_geq(fd, 0);
  close(fd);
  t.index.quality_json = NULL;
  cr_assert_eq(hg_store_write_parts(path, &t.permuted, &t.index, "test"), HG_OK, "%s: %s", t.label, hg_error_text());
  for (int p = 0; p < k; p++) {
    hg_part a, b;
    cr_assert_eq(hg_part_read(&a, path, p), HG_OK, "%s: %s", t.label, hg_error_text());
    cr_assert_eq(hg_part_extract(&b, &t.permuted, &t.index, p), HG_OK);
    cr_expect(a.part == p && a.n_parts == b.n_parts && a.n_global == b.n_global && a.m_global == b.m_global &&
                  a.first == b.first && a.n_owned == b.n_owned && a.n_interior == b.n_interior && a.n_halo == b.n_halo,
              "%s", t.label);
    cr_expect_arr_eq(a.a.indptr, b.a.indptr, ((size_t)a.n_owned + 1) * sizeof *a.a.indptr, "%s", t.label);
    cr_expect_arr_eq(a.a.indices, b.a.indices, (size_t)a.a.indptr[a.n_owned] * sizeof *a.a.indices, "%s", t.label);
    cr_expect_arr_eq(a.halo_ids, b.halo_ids, (size_t)a.n_halo * sizeof *a.halo_ids, "%s", t.label);
    cr_expect_arr_eq(a.halo_offsets, b.halo_offsets, ((size_t)k + 1) * sizeof *a.halo_offsets, "%s", t.label);
    cr_expect_arr_eq(a.nodes.labels, b.nodes.labels, (size_t)a.n_owned * sizeof *a.nodes.labels, "%s", t.label);
    hg_part_free(&a);
    hg_part_free(&b);
  }
  hg_part none;
  cr_expect_eq(hg_part_read(&none, path, k), HG_ERR_INPUT, "%s", t.label);
  remove(path);
  free_parted(&t);
}

Test(parts, read_from_a_file_are_those_that_were_written)
{
  for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++) check_file(kind, 30, 3);
  check_file(GRAPH_GRID, 30, 1);
}
