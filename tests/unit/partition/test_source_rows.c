#include "partition/source_rows.h"

#include <criterion/criterion.h>

#include "partition/parts.h"
#include "tests/unit/partition/graphs.h"

enum { NODES = 60, PARTS = 6 };

Test(source_rows, of_groups_of_parts_are_those_counted_on_the_graph)
{
  for (int kind = 0; kind < GRAPH_KINDS; kind++) {
    hg_graph graph, ordered;
    hg_parts_index index;
    int32_t part_of[NODES];
    hg_lid order[NODES];
    make_graph(&graph, (graph_kind)kind, NODES, 3);
    for (hg_lid i = 0; i < NODES; i++) part_of[i] = (i * 7 + i / 11) % (PARTS - 1); // the last part is empty
    cr_assert_eq(hg_parts_build(&graph, PARTS, part_of, order, &index), HG_OK);
    cr_assert_eq(hg_graph_permute(&ordered, &graph, order), HG_OK);
    for (int columns = 1; columns <= PARTS; columns++) {
      hg_halo_rows found, expected;
      int k = PARTS / columns;
      if (PARTS % columns != 0) continue;
      for (int p = 0; p < PARTS; p++)
        for (hg_gid i = index.offsets[p]; i < index.offsets[p + 1]; i++) part_of[i] = p / columns;
      cr_assert_eq(hg_source_rows_count(&found, &index, columns), HG_OK);
      cr_assert_eq(hg_halo_rows_count(&expected, &ordered, k, part_of), HG_OK);
      for (int g = 0; g < k; g++) {
        cr_expect_eq(found.sent[HG_SEND_SOURCES][g], expected.sent[HG_SEND_SOURCES][g]);
        cr_expect_eq(found.received[HG_SEND_SOURCES][g], expected.received[HG_SEND_SOURCES][g]);
      }
      for (int apart = 0; apart < 2; apart++) { // all ranks on one host, and each on its own
        int64_t sent[PARTS], received[PARTS];
        int host_of[PARTS];
        for (int r = 0; r < PARTS; r++) host_of[r] = apart * r;
        cr_assert_eq(hg_source_rows_far(sent, received, &index, columns, host_of), HG_OK);
        for (int r = 0; r < PARTS; r++) {
          cr_expect_eq(sent[r], apart * expected.sent[HG_SEND_SOURCES][r / columns]);
          cr_expect_eq(received[r], apart * expected.received[HG_SEND_SOURCES][r / columns]);
        }
      }
      cr_expect_eq(found.total[HG_SEND_SOURCES], expected.total[HG_SEND_SOURCES]);
      cr_expect_eq(found.largest[HG_SEND_SOURCES], expected.largest[HG_SEND_SOURCES]);
      cr_expect_eq(found.both_ways[HG_SEND_SOURCES], expected.both_ways[HG_SEND_SOURCES]);
      cr_expect_eq(found.pairs, expected.pairs);
      cr_expect_eq(found.most_messages, expected.most_messages);
      cr_expect_eq(found.messages_both_ways, expected.messages_both_ways);
      hg_halo_rows_free(&found);
      hg_halo_rows_free(&expected);
    }
    hg_parts_index_free(&index);
    hg_graph_free(&graph);
    hg_graph_free(&ordered);
  }
}
