#include "partition/quality.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "partition/parts.h"
#include "tests/unit/partition/graphs.h"

enum { MAX_NODES = 64 };

static bool in_cover(const hg_part *part, hg_lid h) { return part->covers.halo[h] & 1; }

// Rows that cross by the covers of an index: nodes in them, and the other nodes' destinations by pair of parts.
static hg_off covered_rows(const hg_graph *graph, const hg_parts_index *index)
{
  hg_off rows = 0;
  for (int p = 0; p < index->n_parts; p++) {
    hg_part part;
    cr_assert_eq(hg_part_extract(&part, graph, index, p), HG_OK, "%s", hg_error_text());
    for (hg_lid h = 0; h < part.n_halo; h++) rows += in_cover(&part, h);
    for (int q = 0; q < index->n_parts; q++)
      for (hg_lid i = 0; i < part.n_owned; i++) {
        bool sum = false;
        for (hg_off e = part.a.indptr[i]; e < part.a.indptr[i + 1]; e++) {
          hg_lid h = part.a.indices[e] - part.n_owned;
          sum = sum || (h >= part.halo_offsets[q] && h < part.halo_offsets[q + 1] && !in_cover(&part, h));
        }
        rows += sum;
      }
    hg_part_free(&part);
  }
  return rows;
}

// `part_of` may change between calls: parts of `graph`, measured.
static hg_quality measure(const hg_graph *graph, int k, const int32_t *part_of)
{
  hg_lid order[MAX_NODES];
  hg_parts_index index;
  hg_graph permuted;
  hg_quality quality;
  cr_assert_eq(hg_parts_build(graph, k, part_of, order, &index), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_graph_permute(&permuted, graph, order), HG_OK, "%s", hg_error_text());
  cr_assert_eq(hg_quality_measure(&permuted, &index, &quality), HG_OK, "%s", hg_error_text());
  cr_expect_eq(covered_rows(&permuted, &index), quality.rows[HG_SEND_HYBRID]);
  hg_graph_free(&permuted);
  hg_parts_index_free(&index);
  return quality;
}

// the numbering of the parts file changes no count
static void expect_rows(const hg_quality *q, const hg_graph *graph, int k, const int32_t *part_of)
{
  hg_halo_rows rows;
  cr_assert_eq(hg_halo_rows_count(&rows, graph, k, part_of), HG_OK, "%s", hg_error_text());
  cr_expect(q->rows_known);
  cr_expect_eq(q->rows[HG_SEND_SOURCES], q->volume);
  for (int mode = 0; mode < HG_SEND_MODES; mode++) {
    cr_expect_eq(q->rows[mode], rows.total[mode]);
    cr_expect_eq(q->rows_max[mode], rows.largest[mode]);
  }
  cr_expect(q->messages == rows.pairs && q->messages_max == rows.most_messages);
  hg_halo_rows_free(&rows);
}

Test(quality, equals_counting_over_all_pairs_of_nodes)
{
  const int counts[] = {1, 2, 3, 7, 40};
  int32_t part_of[MAX_NODES];
  for (graph_kind kind = 0; kind < GRAPH_KINDS; kind++)
    for (uint64_t seed = 1; seed <= 5; seed++) {
      hg_graph graph;
      int k = counts[seed - 1];
      hg_partition_options options = hg_partition_options_default();
      options.method = "random";
      options.seed = seed;
      make_graph(&graph, kind, 40, seed);
      cr_assert_eq(hg_partition_graph(&graph, k, &options, part_of), HG_OK);
      hg_quality q = measure(&graph, k, part_of);
      const char *name = graph_kind_names[kind];
      cr_expect_eq(q.n_parts, k);
      cr_expect_eq(q.edge_cut, naive_cut(&graph, part_of), "%s, seed %" PRIu64, name, seed);
      cr_expect_eq(q.volume, naive_volume(&graph, k, part_of), "%s, seed %" PRIu64, name, seed);
      cr_expect(q.halo_min * k <= q.volume && q.volume <= q.halo_max * k, "%s, seed %" PRIu64, name, seed);
      expect_rows(&q, &graph, k, part_of);
      hg_graph_free(&graph);
    }
}

// 3 x 3 grid, the left column in part 0, the others in part 1.
Test(quality, of_a_grid_counted_by_hand)
{
  const int32_t part_of[9] = {0, 1, 1, 0, 1, 1, 0, 1, 1};
  const uint8_t split[9] = {HG_SPLIT_TRAIN, HG_SPLIT_TRAIN, HG_SPLIT_TRAIN, HG_SPLIT_VAL, HG_SPLIT_TEST};
  hg_graph graph;
  make_graph(&graph, GRAPH_GRID, 9, 1);
  memcpy(graph.nodes.split, split, sizeof split);
  hg_quality q = measure(&graph, 2, part_of);
  cr_expect_eq(q.edge_cut, 6);
  cr_expect_eq(q.volume, 6);
  cr_expect_eq(q.halo_min, 3);
  cr_expect_eq(q.halo_max, 3);
  cr_expect_float_eq(q.interior_fraction, 3.0 / 9, 1e-12);
  cr_expect_float_eq(q.node_imbalance, 6 / 4.5, 1e-12);
  cr_expect_float_eq(q.edge_imbalance, 17 / 12.0, 1e-12);
  cr_expect_float_eq(q.label_imbalance, 2 / 1.5, 1e-12);
  hg_graph_free(&graph);
}

Test(quality, of_one_part_and_of_no_edges)
{
  const int32_t alone[4] = {0}, apart[4] = {0, 1, 2, 3};
  hg_graph graph;
  make_graph(&graph, GRAPH_COMPLETE, 4, 1);
  hg_quality q = measure(&graph, 1, alone);
  cr_expect(q.edge_cut == 0 && q.volume == 0 && q.halo_min == 0 && q.halo_max == 0);
  cr_expect_float_eq(q.interior_fraction, 1, 1e-12);
  hg_graph_free(&graph);
  make_graph(&graph, GRAPH_EMPTY, 4, 1);
  q = measure(&graph, 4, apart);
  cr_expect(q.edge_cut == 0 && q.volume == 0 && q.edge_imbalance == 0);
  cr_expect_float_eq(q.node_imbalance, 1, 1e-12);
  hg_graph_free(&graph);
}

Test(quality, comes_back_from_its_json)
{
  hg_quality q = {4,
                  (hg_off)1 << 40,
                  17,
                  9,
                  1,
                  0.25,
                  1.01,
                  1.5,
                  0,
                  3.25,
                  (size_t)5 << 30,
                  "rcm",
                  0.5,
                  9,
                  8,
                  {17, 19, 11},
                  {7, 8, 5},
                  12,
                  3,
                  0.125,
                  true,
                  {{9, 8, 21}, {7, 9, 17}, 3, 40, 0.5},
                  1.25},
             back;
  char *json;
  cr_assert_eq(hg_quality_json(&q, &json), HG_OK, "%s", hg_error_text());
  cr_expect_not_null(strstr(json, "\"edge_cut\":1099511627776"), "%s", json);
  cr_assert_eq(hg_quality_parse(json, &back), HG_OK, "%s", hg_error_text());
  cr_expect(back.n_parts == 4 && back.edge_cut == q.edge_cut && back.volume == 17 && back.halo_max == 9 &&
            back.halo_min == 1 && back.peak_bytes == q.peak_bytes);
  cr_expect(back.interior_fraction == q.interior_fraction && back.node_imbalance == q.node_imbalance &&
            back.edge_imbalance == q.edge_imbalance && back.label_imbalance == 0 && back.seconds == q.seconds);
  cr_expect(back.rows_known && back.messages == 12 && back.messages_max == 3 && back.cover_seconds == 0.125);
  cr_expect_eq(back.active_imbalance, 1.25);
  cr_expect(back.refined.passes == 3 && back.refined.moves == 40 && back.refined.seconds == 0.5);
  cr_expect_arr_eq(&back.refined.before, &q.refined.before, sizeof q.refined.before);
  cr_expect_arr_eq(&back.refined.after, &q.refined.after, sizeof q.refined.after);
  cr_expect_arr_eq(back.rows, q.rows, sizeof q.rows);
  cr_expect_arr_eq(back.rows_max, q.rows_max, sizeof q.rows_max);
  hg_free(&json);
}

Test(quality, of_a_file_without_rows_says_so)
{
  hg_quality q = {.n_parts = 2, .volume = 17}, back;
  char *json;
  cr_assert_eq(hg_quality_json(&q, &json), HG_OK, "%s", hg_error_text());
  cr_expect_null(strstr(json, "cover_rows"), "%s", json);
  cr_assert_eq(hg_quality_parse(json, &back), HG_OK, "%s", hg_error_text());
  cr_expect(back.volume == 17 && !back.rows_known && back.refined.passes == 0);
  hg_free(&json);
}

Test(quality, that_is_not_finite_has_no_json)
{
  hg_quality q = {.n_parts = 1, .seconds = NAN};
  char *json;
  cr_expect_eq(hg_quality_json(&q, &json), HG_ERR_INTERNAL);
  cr_expect_null(json);
}

Test(quality, parsing_names_what_is_wrong)
{
  const struct {
    const char *json, *message;
  } bad[] = {
      {NULL, "figures of the partition: '[' or '{' expected near end of file"},
      {"", "figures of the partition: '[' or '{' expected near end of file"},
      {"[1]", "figures of the partition: Expected object, got array"},
      {"{}", "figures of the partition: Object item not found: parts"},
      {"{\"parts\": \"two\"}", "figures of the partition: Expected integer, got string"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    hg_quality q;
    cr_expect_eq(hg_quality_parse(bad[i].json, &q), HG_ERR_INPUT, "case %zu", i);
    cr_expect_str_eq(hg_error_text(), bad[i].message);
  }
}

Test(prediction, grows_with_the_graph_and_metis_needs_most)
{
  size_t small, large, random;
  double small_s, large_s, random_s;
  hg_partition_options metis = hg_partition_options_default(), by_chance = metis;
  by_chance.method = "random";
  metis.refine = false;
  hg_partition_predict(100000, 1000000, 0, 4, &metis, &large, &large_s);
  metis.refine = true;
  hg_partition_predict(100000, 1000000, 0, 4, &metis, &small, &small_s);
  cr_expect(large_s < small_s, "refinement takes time");
  hg_partition_predict(1000, 10000, 0, 4, &metis, &small, &small_s);
  hg_partition_predict(100000, 1000000, 0, 4, &metis, &large, &large_s);
  hg_partition_predict(100000, 1000000, 0, 4, &by_chance, &random, &random_s);
  cr_expect(small < large && small_s < large_s);
  cr_expect(random < large && random_s < large_s);
  hg_partition_predict(100000, 1000000, 500000000, 4, &metis, &small, &small_s);
  cr_expect(small > 500000000 && small < 1000000000, "features are held once");
  hg_partition_predict((hg_off)1 << 31, (hg_off)1 << 40, 0, 1024, &metis, &large, &large_s);
  cr_expect(large > (size_t)1 << 43 && isfinite(large_s));
}
