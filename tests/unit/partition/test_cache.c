#include "partition/cache.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "core/graph/store.h"
#include "partition/parts.h"
#include "partition/quality.h"
#include "tests/support/run.h"
#include "tests/unit/partition/graphs.h"

static void write_graph(const char *path, graph_kind kind, hg_lid n, uint64_t seed)
{
  hg_graph graph;
  make_graph(&graph, kind, n, seed);
  cr_assert_eq(hg_store_write_graph(path, &graph, "test"), HG_OK, "%s", hg_error_text());
  hg_graph_free(&graph);
}

Test(cache, path_tells_all_that_decides_the_parts)
{
  const struct {
    const char *graph;
    int k;
    hg_partition_options options;
    const char *path;
  } cases[] = {
      {"cora.hg",
       4,
       {.method = "metis",
        .objective = HG_OBJECTIVE_VOLUME,
        .balance = 1,
        .imbalance = 1.05,
        .seed = 1,
        .order = HG_ORDER_AUTO,
        .refine = true},
       "cora.parts/k4-metis-volume-refined-nodes-1.05-seed1-auto.hg"},
      {"/a/b.c",
       2,
       {.method = "metis",
        .objective = HG_OBJECTIVE_CUT,
        .balance = 7,
        .imbalance = 1.1,
        .seed = 9,
        .order = HG_ORDER_METIS,
        .refine = true},
       "/a/b.c.parts/k2-metis-cut-nodes-edges-labels-1.1-seed9-metis.hg"},
      {"x.hg",
       2,
       {.method = "metis",
        .objective = HG_OBJECTIVE_CUT,
        .balance = 0,
        .imbalance = 1,
        .seed = 0,
        .order = HG_ORDER_NONE,
        .refine = false},
       "x.parts/k2-metis-cut-nodes-1-seed0-none.hg"},
      {"x.hg", // one objective, one order, nothing refined
       2,
       {.method = "ptscotch",
        .objective = HG_OBJECTIVE_VOLUME,
        .balance = HG_BALANCE_EDGES,
        .imbalance = 1.1,
        .seed = 3,
        .order = HG_ORDER_AUTO,
        .refine = true},
       "x.parts/k2-ptscotch-cut-edges-1.1-seed3-none.hg"},
      {"x.hg",
       2,
       {.method = "metis",
        .objective = HG_OBJECTIVE_LARGEST,
        .balance = 1,
        .imbalance = 1,
        .seed = 0,
        .order = HG_ORDER_NONE,
        .refine = true},
       "x.parts/k2-metis-largest-refined-nodes-1-seed0-none.hg"},
      {"x.hg",
       2,
       {.method = "metis",
        .objective = HG_OBJECTIVE_VOLUME,
        .balance = 1,
        .imbalance = 1,
        .seed = 0,
        .order = HG_ORDER_NONE,
        .refine = false},
       "x.parts/k2-metis-volume-nodes-1-seed0-none.hg"},
      {"x.hg",
       2,
       {.method = "ldg", .balance = HG_BALANCE_ACTIVE, .imbalance = 1.1, .layers = 3, .hidden = 64},
       "x.parts/k2-ldg-volume-active3x64-1.1-seed0-auto.hg"},
      {"x.hg",
       3,
       {.method = "random",
        .objective = HG_OBJECTIVE_CUT,
        .balance = 7,
        .imbalance = 1.1,
        .seed = 9,
        .order = HG_ORDER_RCM,
        .refine = true},
       "x.parts/k3-random-seed9-rcm.hg"},
      {"x.hg",
       3,
       {.method = "block",
        .objective = HG_OBJECTIVE_CUT,
        .balance = 7,
        .imbalance = 1.1,
        .seed = 9,
        .order = HG_ORDER_CLUSTER,
        .refine = true},
       "x.parts/k3-block-cluster.hg"},
      {"x.hg",
       6,
       {.method = "metis",
        .objective = HG_OBJECTIVE_CUT,
        .balance = 1,
        .imbalance = 1.05,
        .seed = 1,
        .order = HG_ORDER_AUTO,
        .slabs = 3},
       "x.parts/k6-metis-cut-nodes-1.05-seed1-auto-slabs3.hg"},
      {"x.hg",
       4,
       {.method = "random", .balance = 1, .imbalance = 1, .seed = 9, .order = HG_ORDER_RCM, .slabs = 4},
       "x.parts/k4-random-seed9-rcm-slabs4.hg"},
      {"x.hg",
       4,
       {.method = "block", .balance = 3, .imbalance = 1, .seed = 9, .order = HG_ORDER_RCM, .slabs = 2},
       "x.parts/k4-block-rcm-slabs2-balance3.hg"},
  };
  char path[128];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cr_expect_eq(hg_parts_cache_path(cases[i].graph, cases[i].k, &cases[i].options, path, sizeof path), HG_OK);
    cr_expect_str_eq(path, cases[i].path);
  }
  cr_expect_eq(hg_parts_cache_path("a-name-that-is-too-long.hg", 2, &cases[0].options, path, 20), HG_ERR_INPUT);
  hg_partition_options odd = {.method = "../../x"};
  cr_expect_eq(hg_parts_cache_path("x.hg", 2, &odd, path, sizeof path), HG_ERR_INPUT);
}

Test(cache, holds_for_the_same_graph_and_options_only)
{
  char *folder = temporary_folder(), path[4096], graph[4096];
  hg_partition_options options = hg_partition_options_default();
  snprintf(graph, sizeof graph, "%s/g.hg", folder);
  write_graph(graph, GRAPH_SYMMETRIC, 50, 1);
  cr_assert_eq(hg_parts_cache_path(graph, 3, &options, path, sizeof path), HG_OK);
  cr_expect_not(hg_parts_cache_valid(path, graph, 3, &options), "there is no file yet");
  cr_assert_eq(hg_partition_file(graph, 3, &options, path), HG_OK, "%s", hg_error_text());
  cr_expect(hg_parts_cache_valid(path, graph, 3, &options));
  cr_expect_not(hg_parts_cache_valid(path, graph, 4, &options), "another k");
  options.seed = 2;
  cr_expect_not(hg_parts_cache_valid(path, graph, 3, &options), "another seed");
  options.seed = 1;
  options.order = HG_ORDER_RCM;
  cr_expect_not(hg_parts_cache_valid(path, graph, 3, &options), "another order");
  options.order = HG_ORDER_AUTO;
  options.refine = false;
  cr_expect_not(hg_parts_cache_valid(path, graph, 3, &options), "not refined");
  options.refine = true;
  write_graph(graph, GRAPH_SYMMETRIC, 50, 2);
  cr_expect_not(hg_parts_cache_valid(path, graph, 3, &options), "another graph under the same name");
  write_graph(graph, GRAPH_SYMMETRIC, 50, 1);
  cr_expect(hg_parts_cache_valid(path, graph, 3, &options));
  cr_assert_eq(truncate(path, 700), 0);
  cr_expect_not(hg_parts_cache_valid(path, graph, 3, &options), "damaged");
  write_text(path, "no HDF5");
  cr_expect_not(hg_parts_cache_valid(path, graph, 3, &options), "no HDF5");
  cr_expect_not(hg_parts_cache_valid(graph, graph, 3, &options), "a graph, no parts");
  temporary_folder_remove(&folder);
}

Test(cache, file_holds_valid_parts_and_their_figures)
{
  char *folder = temporary_folder();
  const char *graph = path_in(folder, "g.hg"), *path = path_in(folder, "p.hg");
  hg_partition_options options = hg_partition_options_default();
  hg_parts_index index;
  hg_quality quality;
  hg_off halo = 0;
  write_graph(graph, GRAPH_DIRECTED, 60, 1);
  cr_assert_eq(hg_partition_file(graph, 4, &options, path), HG_OK, "%s", hg_error_text());
  for (int p = 0; p < 4; p++) {
    hg_part part;
    cr_assert_eq(hg_part_read(&part, path, p), HG_OK, "%s", hg_error_text());
    halo += part.n_halo;
    for (hg_lid i = 0; i < part.n_owned; i++)
      cr_expect_eq(part.nodes.features.dense[2 * i], (float)(part.nodes.original_ids[i] - 1000));
    hg_part_free(&part);
  }
  cr_assert_eq(hg_store_read_parts_index(path, -1, &index), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_quality_parse(index.quality_json, &quality), HG_OK, "%s", hg_error_text());
  cr_expect(quality.n_parts == 4 && quality.volume == halo && quality.edge_cut >= halo && quality.peak_bytes > 0);
  hg_parts_index_free(&index);
  temporary_folder_remove(&folder);
}

Test(cache, is_the_same_file_each_time)
{
  char *folder = temporary_folder();
  const char *graph = path_in(folder, "g.hg"), *a = path_in(folder, "a.hg"), *b = path_in(folder, "b.hg");
  hg_partition_options options = hg_partition_options_default();
  write_graph(graph, GRAPH_SYMMETRIC, 60, 1);
  cr_assert_eq(hg_partition_file(graph, 3, &options, a), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_partition_file(graph, 3, &options, b), HG_OK, "%s", hg_error_text());
  for (int p = 0; p < 3; p++) {
    hg_part x, y;
    cr_assert_eq(hg_part_read(&x, a, p), HG_OK);
    cr_assert_eq(hg_part_read(&y, b, p), HG_OK);
    cr_expect_eq(x.n_owned, y.n_owned);
    cr_expect_arr_eq(x.nodes.original_ids, y.nodes.original_ids, (size_t)x.n_owned * sizeof(int64_t));
    hg_part_free(&x);
    hg_part_free(&y);
  }
  temporary_folder_remove(&folder);
}

Test(cache, refuses_before_it_works)
{
  char *folder = temporary_folder(), message[8400];
  const char *graph = path_in(folder, "g.hg"), *parts = path_in(folder, "p.hg"), *missing = path_in(folder, "no/p.hg");
  hg_partition_options options = hg_partition_options_default();
  write_graph(graph, GRAPH_STAR, 5, 1);
  cr_expect_eq(hg_partition_file(graph, 2, &options, missing), HG_ERR_INPUT);
  cr_expect_eq(hg_partition_file(graph, 6, &options, parts), HG_ERR_INPUT);
  snprintf(message, sizeof message, "%s: 6 parts asked for, but the graph has only 5 nodes: a part cannot be empty",
           graph);
  cr_expect_str_eq(hg_error_text(), message);
  cr_expect_neq(access(parts, F_OK), 0, "nothing is written");
  cr_assert_eq(hg_partition_file(graph, 2, &options, parts), HG_OK, "%s", hg_error_text());
  cr_expect_eq(hg_partition_file(parts, 2, &options, missing), HG_ERR_INPUT);
  snprintf(message, sizeof message,
           "%s: found no graph to partition, expected what `halognn import` or `generate` writes", parts);
  cr_expect_str_eq(hg_error_text(), message);
  temporary_folder_remove(&folder);
}

// A file where the folder of the cache should be: the caller learns that it may write elsewhere.
Test(cache, that_cannot_be_written_is_an_io_error)
{
  char *folder = temporary_folder(), path[4096], graph[4096];
  hg_partition_options options = hg_partition_options_default();
  snprintf(graph, sizeof graph, "%s/g.hg", folder);
  write_graph(graph, GRAPH_STAR, 5, 1);
  write_text(path_in(folder, "g.parts"), "");
  cr_assert_eq(hg_parts_cache_path(graph, 2, &options, path, sizeof path), HG_OK);
  cr_expect_eq(hg_partition_file(graph, 2, &options, path), HG_ERR_IO, "%s", hg_error_text());
  temporary_folder_remove(&folder);
}
