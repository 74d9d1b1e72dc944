#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/collection.h"
#include "tests/support/sample_collection.h"

// 11 graphs, the fifth and tenth without edges, the seventh one node; 4 features, 2-D, 3 classes
static hg_collection sound(void)
{
  hg_collection c;
  cr_assert_eq(sample_collection(&c, 11, 4, 2, HG_TASK_CLASSES, 3, 5), HG_OK, "%s", hg_error_text());
  return c;
}

Test(collection, samples_of_every_kind_are_sound)
{
  for (uint64_t seed = 0; seed < 40; seed++) {
    hg_collection c;
    hg_task task = (hg_task)(seed % 4);
    hg_off graphs = (hg_off[]){1, 2, 9, 40}[seed / 4 % 4];
    cr_assert_eq(sample_collection(&c, graphs, (int)(seed % 3), (int)(seed / 2 % 4), task, 1 + (int)seed % 9, seed),
                 HG_OK);
    if (seed % 3 == 0) sample_collection_direct(&c, seed);
    cr_expect_eq(hg_collection_check(&c), HG_OK, "seed %d: %s", (int)seed, hg_error_text());
    hg_collection_free(&c);
  }
}

static void no_pointers(hg_collection *c) { hg_free(&c->graph_ptr); }
static void negative(hg_collection *c) { c->n_graphs = -1; }
static void late_start(hg_collection *c) { c->graph_ptr[0] = 1; }
static void empty_graph(hg_collection *c) { c->graph_ptr[3] = c->graph_ptr[2]; }
static void falling(hg_collection *c) { c->graph_ptr[2] = c->graph_ptr[3] + 1; }
static void early_end(hg_collection *c) { c->n_graphs = c->items.n = 10; }
static void late_end(hg_collection *c) { c->graph_ptr[11]++; }
static void other_items(hg_collection *c) { c->items.n = 10; }
static void task_of_nodes(hg_collection *c) { c->united.nodes.task = HG_TASK_CLASSES; }
static void features_of_graphs(hg_collection *c) { c->items.features.width = 1; }
static void dimensions_of_graphs(hg_collection *c) { c->items.n_dims = 2; }
static void not_square(hg_collection *c) { c->united.adjacency.n_cols++; }
static void nan_position(hg_collection *c) { c->united.nodes.positions[5] = NAN; }
static void inf_feature(hg_collection *c) { c->united.nodes.features.dense[6] = INFINITY; }
static void label_outside(hg_collection *c) { c->items.labels[7] = 3; }
static void split_outside(hg_collection *c) { c->items.split[2] = 4; }
static void no_ids(hg_collection *c) { hg_free(&c->items.original_ids); }
static void labels_missing(hg_collection *c) { hg_free(&c->items.labels); }

// Moves the end of graph 0 by one node: what joined it to the others of graph 0 now crosses.
static void edge_across(hg_collection *c) { c->graph_ptr[1]--; }
static void edge_down(hg_collection *c) { c->graph_ptr[1]++; }

static void self_loop(hg_collection *c)
{
  hg_csr *a = &c->united.adjacency;
  hg_lid i = 0;
  while (a->indptr[i] == a->indptr[i + 1]) i++;
  a->indices[a->indptr[i]] = i;
}

static void one_way(hg_collection *c)
{
  sample_collection_direct(c, 1);
  c->united.symmetric = true;
}

Test(collection, each_broken_invariant_is_named)
{
  static const struct {
    void (*spoil)(hg_collection *c);
    const char *message;
  } cases[] = {
      {no_pointers, "11 graphs without pointers"},
      {negative, "-1 graphs with pointers"},
      {late_start, "the first graph starts at node 1, expected 0"},
      {empty_graph, "graph 2: ends at node "},
      {falling, "graph 2: ends at node "},
      {early_end, "the last graph ends at node "},
      {late_end, "the last graph ends at node "},
      {other_items, "truth of 10 graphs, expected 11"},
      {task_of_nodes, "the nodes have labels, a split or ids"},
      {features_of_graphs, "the graphs have features or positions"},
      {dimensions_of_graphs, "the graphs have features or positions"},
      {not_square, "expected a square"},
      {nan_position, "node 2: position 1 is nan, expected a finite number"},
      {inf_feature, "node 1: feature 2 is inf, expected a finite number"},
      {self_loop, " has a self-loop"},
      {label_outside, "graph 7: label 3 is outside -1..2"},
      {split_outside, "graph 2: split 4 is outside 0..3"},
      {no_ids, "the graphs have no original ids"},
      {labels_missing, "the labels that are there do not fit the task 1"},
      {edge_across, "in another graph, expected 0 to "},
      {edge_down, "in another graph, expected "},
      {one_way, "the graph is marked symmetric and has an edge without its reverse"},
  };
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    hg_collection c = sound();
    cases[k].spoil(&c);
    cr_expect_eq(hg_collection_check(&c), HG_ERR_INPUT, "%s", cases[k].message);
    cr_expect(strstr(hg_error_text(), cases[k].message), "found '%s', expected '%s'", hg_error_text(),
              cases[k].message);
    hg_collection_free(&c);
  }
}

static void other_edge(hg_collection *c) { c->united.adjacency.indices[3] ^= 1; }
static void other_feature(hg_collection *c) { c->united.nodes.features.dense[9] += 1; }
static void other_position(hg_collection *c) { c->united.nodes.positions[3] = -c->united.nodes.positions[3]; }
static void other_border(hg_collection *c) { c->graph_ptr[1]++; }
static void other_label(hg_collection *c) { c->items.labels[0] ^= 1; }
static void other_split(hg_collection *c) { c->items.split[1] ^= 1; }
static void other_id(hg_collection *c) { c->items.original_ids[10]++; }

Test(collection, the_fingerprint_is_of_every_array)
{
  static void (*const changes[])(hg_collection *) = {other_edge,  other_feature, other_position, other_border,
                                                     other_label, other_split,   other_id};
  hg_collection c = sound(), again = sound();
  uint64_t fingerprint = hg_collection_fingerprint(&c);
  cr_expect_eq(hg_collection_fingerprint(&again), fingerprint);
  for (size_t k = 0; k < sizeof changes / sizeof *changes; k++) {
    hg_collection other = sound();
    changes[k](&other);
    cr_expect_neq(hg_collection_fingerprint(&other), fingerprint, "change %d", (int)k);
    hg_collection_free(&other);
  }
  hg_collection_free(&c), hg_collection_free(&again);
}

Test(collection, bytes_are_those_of_all_arrays)
{
  hg_collection c = sound();
  size_t n = (size_t)c.united.nodes.n, edges = (size_t)hg_csr_entries(&c.united.adjacency);
  size_t nodes = n * (4 + 2) * sizeof(float) + (n + 1) * sizeof(hg_off) + edges * sizeof(hg_lid);
  size_t graphs = 12 * sizeof(hg_off) + 11 * (sizeof(int32_t) + 1 + sizeof(int64_t));
  cr_expect_eq(hg_collection_bytes(&c), nodes + graphs);
  hg_collection_free(&c);
  cr_expect_eq(hg_collection_bytes(&c), 0);
}
