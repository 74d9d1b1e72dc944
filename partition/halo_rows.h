#pragma once
#include "core/graph/store.h"

/** What crosses from one part to another before an aggregation. */
typedef enum {
  HG_SEND_SOURCES,  ///< post-aggregation: the row of each source once. What an exchange of halo rows sends
  HG_SEND_PARTIALS, ///< pre-aggregation: for each destination the sum of its sources there
  HG_SEND_HYBRID,   ///< a least vertex cover of both (partition/cover.h)
  HG_SEND_MODES
} hg_send_mode;

/** Rows that parts send in one exchange; owned, free with hg_halo_rows_free. */
typedef struct {
  int n_parts;
  int64_t *sent[HG_SEND_MODES];     ///< [n_parts] rows that a part sends
  int64_t *received[HG_SEND_MODES]; ///< [n_parts] and receives
  int64_t total[HG_SEND_MODES];     ///< of all parts
  int64_t largest[HG_SEND_MODES];   ///< of the part that sends most
  int64_t both_ways[HG_SEND_MODES]; ///< that a part sends and receives, at most: with the gradients it sends as many
  int64_t pairs;                    ///< ordered pairs of parts with an edge between them: messages of an exchange
  int64_t most_messages;            ///< that one part sends
  int64_t messages_both_ways;       ///< that one part sends and receives, at most
  double seconds;                   ///< that counting took, covers and all
} hg_halo_rows;

/**
 * Counts them for each ordered pair of parts, rows of sources and of partial sums being equally wide. Over threads by
 * parts; the same on any number of them. Memory: 12 bytes an edge that enters a part from outside, for as many parts at
 * a time as there are threads, and 4 bytes a node for each thread.
 * @param part_of   [nodes] 0..k-1
 */
hg_status hg_halo_rows_count(hg_halo_rows *rows, const hg_graph *graph, int k, const int32_t *part_of);

/**
 * The same where rows of sources and partial rows have different widths: numbers are counted, not rows, covers have the
 * fewest numbers, and rows of each width travel in messages of their own.
 */
hg_status hg_halo_numbers_count(hg_halo_rows *rows, const hg_graph *graph, int k, const int32_t *part_of,
                                int source_width, int partial_width);

/**
 * The same for a graph in the order of its parts, whose least covers of `kind` become known: index->covers takes them,
 * which has room and none like them (4 bytes a halo node for all kinds together).
 * @param kind    whose `steps` say which edges are counted
 * @param steps   [nodes] from each to the next training node, as hg_training_steps gives them; NULL for HG_COVER_ALL
 */
hg_status hg_halo_rows_cover(hg_halo_rows *rows, const hg_graph *graph, hg_parts_index *index, hg_cover_kind kind,
                             const int32_t *steps);
void hg_halo_rows_free(hg_halo_rows *rows);
