#include "partition/source_rows.h"

#include <string.h>

#include "core/base/alloc.h"
#include "core/base/timer.h"

// What one group receives: each node of another once. Owners ascend with the nodes of a halo.
static void count_group(const hg_parts_index *index, int columns, int g, int32_t *stamp, int64_t *from)
{
  memset(from, 0, (size_t)(index->n_parts / columns) * sizeof *from);
  for (int p = g * columns; p < (g + 1) * columns; p++) {
    int owner = 0;
    for (hg_off h = index->halo_offsets[p]; h < index->halo_offsets[p + 1]; h++) {
      hg_gid id = index->halo_ids[h];
      while (index->offsets[(owner + 1) * columns] <= id) owner++;
      if (owner == g || stamp[id] == g + 1) continue;
      stamp[id] = g + 1;
      from[owner]++;
    }
  }
}

static void sum_up(hg_halo_rows *rows, const int64_t *messages)
{
  for (int g = 0; g < rows->n_parts; g++) {
    int64_t sent = rows->sent[HG_SEND_SOURCES][g], both = sent + rows->received[HG_SEND_SOURCES][g];
    int64_t pairs = messages[g] + messages[rows->n_parts + g];
    rows->total[HG_SEND_SOURCES] += sent;
    rows->pairs += messages[g];
    if (sent > rows->largest[HG_SEND_SOURCES]) rows->largest[HG_SEND_SOURCES] = sent;
    if (both > rows->both_ways[HG_SEND_SOURCES]) rows->both_ways[HG_SEND_SOURCES] = both;
    if (messages[g] > rows->most_messages) rows->most_messages = messages[g];
    if (pairs > rows->messages_both_ways) rows->messages_both_ways = pairs;
  }
}

hg_status hg_source_rows_count(hg_halo_rows *rows, const hg_parts_index *index, int columns)
{
  int32_t *stamp = NULL;
  int64_t *from = NULL, *messages = NULL; // messages: [2 x k] sent, then received
  hg_status rc = HG_OK;
  int k = index->n_parts / columns;
  double started = hg_now_s();
  *rows = (hg_halo_rows){.n_parts = k};
  HG_TRY(HG_ALLOC(stamp, index->offsets[index->n_parts], "halo marks"));
  HG_TRY(HG_ALLOC(from, k, "rows of pairs"));
  HG_TRY(HG_ALLOC(messages, 2 * (hg_off)k, "messages of groups"));
  HG_TRY(HG_ALLOC(rows->sent[HG_SEND_SOURCES], k, "rows sent"));
  HG_TRY(HG_ALLOC(rows->received[HG_SEND_SOURCES], k, "rows received"));
  for (int g = 0; g < k; g++) {
    count_group(index, columns, g, stamp, from);
    for (int q = 0; q < k; q++) {
      rows->sent[HG_SEND_SOURCES][q] += from[q];
      rows->received[HG_SEND_SOURCES][g] += from[q];
      messages[q] += from[q] > 0;
      messages[k + g] += from[q] > 0;
    }
  }
  sum_up(rows, messages);
  rows->seconds = hg_now_s() - started;
done:
  hg_free(&stamp);
  hg_free(&from);
  hg_free(&messages);
  if (rc != HG_OK) hg_halo_rows_free(rows);
  return rc;
}

hg_status hg_source_rows_far(int64_t *sent, int64_t *received, const hg_parts_index *index, int columns,
                             const int *host_of)
{
  int32_t *stamp = NULL;
  int64_t *from = NULL;
  hg_status rc = HG_OK;
  int ranks = index->n_parts, k = ranks / columns;
  memset(sent, 0, (size_t)ranks * sizeof *sent);
  memset(received, 0, (size_t)ranks * sizeof *received);
  HG_TRY(HG_ALLOC(stamp, index->offsets[ranks], "halo marks"));
  HG_TRY(HG_ALLOC(from, k, "rows of pairs"));
  for (int g = 0; g < k; g++) {
    count_group(index, columns, g, stamp, from);
    for (int pair = 0; pair < ranks; pair++) {
      int to = g * columns + pair % columns;
      if (host_of[pair] == host_of[to]) continue;
      sent[pair] += from[pair / columns];
      received[to] += from[pair / columns];
    }
  }
done:
  hg_free(&stamp);
  hg_free(&from);
  return rc;
}
