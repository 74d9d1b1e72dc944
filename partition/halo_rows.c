#include "partition/halo_rows.h"

#include <omp.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/base/timer.h"
#include "partition/cover.h"

// The nodes of each part, ascending: those of part p are nodes[first[p]] .. nodes[first[p + 1] - 1].
typedef struct {
  hg_lid *nodes;
  hg_off *first;
} members;

static hg_status list_members(members *m, hg_off n, int k, const int32_t *part_of)
{
  hg_status rc = HG_OK;
  hg_off *at = NULL;
  HG_TRY(HG_ALLOC(m->nodes, n, "nodes of parts"));
  HG_TRY(HG_ALLOC(m->first, (hg_off)k + 1, "nodes of parts"));
  HG_TRY(HG_ALLOC(at, k, "nodes of parts"));
  for (hg_off i = 0; i < n; i++) m->first[part_of[i] + 1]++;
  for (int p = 0; p < k; p++) {
    m->first[p + 1] += m->first[p];
    at[p] = m->first[p];
  }
  for (hg_off i = 0; i < n; i++) m->nodes[at[part_of[i]]++] = (hg_lid)i;
done:
  hg_free(&at);
  return rc;
}

// The edges that enter one part, grouped by where they come from; and what a pair's graph is made in.
typedef struct {
  const hg_graph *graph;
  const int32_t *part_of;
  int k, part;
  hg_off *first;           // [k + 1] edges from each part
  hg_lid *source, *target; // [edges] nodes, targets ascending in each group
  hg_lid *left_of;         // [nodes] a source's number in a pair's graph, -1: none yet
  hg_off *indptr;          // [sources + 1]
  hg_lid *left, *indices;  // [edges of the largest group]
  hg_parts_index *index;   // whose covers take one more kind, or NULL
  hg_off halo;             // the next of its halo nodes
  const int32_t *steps;    // [nodes] edges are counted into those of at most `most` steps; NULL: all edges
  int most;
  const int64_t *widths; // [2] of sources' rows and of partial rows, whose numbers are counted; NULL: rows are
} entering;

static void free_entering(entering *e)
{
  hg_free(&e->first);
  hg_free(&e->source);
  hg_free(&e->target);
  hg_free(&e->indptr);
  hg_free(&e->left);
  hg_free(&e->indices);
}

// f(e, j, i) for each edge j -> i into the part from outside
static void each_edge(entering *e, const members *m, void (*f)(entering *e, hg_lid j, hg_lid i))
{
  const hg_csr *a = &e->graph->adjacency;
  for (hg_off at = m->first[e->part]; at < m->first[e->part + 1]; at++) {
    hg_lid i = m->nodes[at];
    if (e->steps && e->steps[i] > e->most) continue;
    for (hg_off k = a->indptr[i]; k < a->indptr[i + 1]; k++)
      if (e->part_of[a->indices[k]] != e->part) f(e, a->indices[k], i);
  }
}

static void count_edge(entering *e, hg_lid j, hg_lid i)
{
  (void)i;
  e->first[e->part_of[j] + 1]++;
}

// first[q] becomes the end of group q on the way
static void place_edge(entering *e, hg_lid j, hg_lid i)
{
  hg_off at = e->first[e->part_of[j]]++;
  e->source[at] = j;
  e->target[at] = i;
}

static hg_status collect(entering *e, const members *m)
{
  hg_status rc = HG_OK;
  hg_off largest = 0;
  HG_TRY(HG_ALLOC(e->first, (hg_off)e->k + 1, "edges between parts"));
  each_edge(e, m, count_edge);
  for (int q = 0; q < e->k; q++) {
    if (e->first[q + 1] > largest) largest = e->first[q + 1];
    e->first[q + 1] += e->first[q];
  }
  HG_TRY(HG_ALLOC(e->source, e->first[e->k], "edges between parts"));
  HG_TRY(HG_ALLOC(e->target, e->first[e->k], "edges between parts"));
  HG_TRY(HG_ALLOC(e->indptr, largest + 2, "edges between parts"));
  HG_TRY(HG_ALLOC(e->left, largest, "edges between parts"));
  HG_TRY(HG_ALLOC(e->indices, largest, "edges between parts"));
  each_edge(e, m, place_edge);
  memmove(e->first + 1, e->first, (size_t)e->k * sizeof *e->first); // ends become starts again
  e->first[0] = 0;
done:
  return rc;
}

// The pair's graph of the edges [begin, end): targets come in order, sources are numbered as they are met (left_of).
static hg_bipartite pair_graph(entering *e, hg_off begin, hg_off end)
{
  hg_lid n_left = 0, n_right = 0;
  for (hg_off k = begin; k < end; k++) {
    hg_lid *number = &e->left_of[e->source[k]];
    if (*number < 0) {
      *number = n_left++;
      e->indptr[*number + 1] = 0;
    }
    e->left[k - begin] = *number;
    e->indptr[*number + 1]++;
  }
  e->indptr[0] = 0;
  for (hg_lid l = 0; l < n_left; l++) e->indptr[l + 1] += e->indptr[l];
  for (hg_off k = begin; k < end; k++) {
    if (k == begin || e->target[k] != e->target[k - 1]) n_right++;
    e->indices[e->indptr[e->left[k - begin]]++] = n_right - 1;
  }
  memmove(e->indptr + 1, e->indptr, (size_t)n_left * sizeof *e->indptr);
  e->indptr[0] = 0;
  return (hg_bipartite){n_left, n_right, e->indptr, e->indices};
}

static void forget_pair(entering *e, hg_off begin, hg_off end)
{
  for (hg_off k = begin; k < end; k++) e->left_of[e->source[k]] = -1;
}

// Halo nodes are in the order of their parts, so those of a pair are the next ones, after some without such an edge.
static void store_cover(entering *e, int from, const hg_cover *cover)
{
  hg_parts_index *index = e->index;
  if (!index) return;
  int32_t bit = (int32_t)1 << index->covers.n;
  for (; e->halo < index->halo_offsets[e->part + 1] && index->halo_ids[e->halo] < index->offsets[from + 1]; e->halo++) {
    hg_lid left = e->left_of[index->halo_ids[e->halo]];
    if (left >= 0 && cover->left[left]) index->covers.halo[e->halo] |= bit;
  }
}

static hg_status count_pair(entering *e, int from, int64_t rows[HG_SEND_MODES], int *messages)
{
  hg_cover cover = {0};
  int64_t source = e->widths ? e->widths[0] : 1, partial = e->widths ? e->widths[1] : 1;
  const hg_bipartite pair = pair_graph(e, e->first[from], e->first[from + 1]);
  hg_status rc = hg_cover_create(&cover, &pair, source, partial);
  rows[HG_SEND_SOURCES] = pair.n_left * source;
  rows[HG_SEND_PARTIALS] = pair.n_right * partial;
  rows[HG_SEND_HYBRID] = cover.weight;
  *messages = e->widths ? (cover.n_left > 0) + (cover.n_right > 0) : 1; // rows of two widths travel apart
  if (rc == HG_OK) store_cover(e, from, &cover);
  forget_pair(e, e->first[from], e->first[from + 1]);
  hg_cover_free(&cover);
  return rc;
}

static hg_status count_part(entering *e, const members *m, hg_halo_rows *out, int64_t *messages)
{
  hg_status rc = HG_OK;
  HG_TRY(collect(e, m));
  for (int q = 0; q < e->k; q++) {
    int64_t rows[HG_SEND_MODES];
    int of_pair;
    if (e->first[q] == e->first[q + 1]) continue;
    HG_TRY(count_pair(e, q, rows, &of_pair));
    for (int mode = 0; mode < HG_SEND_MODES; mode++) {
#pragma omp atomic
      out->sent[mode][q] += rows[mode];
      out->received[mode][e->part] += rows[mode]; // this part's alone
    }
#pragma omp atomic
    messages[q] += of_pair;
    messages[e->k + e->part] += of_pair; // received, by this part alone
  }
done:
  free_entering(e);
  return rc;
}

// a thread for a part, and 4 bytes a node for a thread
static int team(int k) { return k < hg_threads() ? k : hg_threads(); }

static hg_status count_parts(hg_halo_rows *out, const entering *what, const members *m, int64_t *messages,
                             hg_lid *left_of)
{
  hg_status rc = HG_OK;
  hg_off n = what->graph->nodes.n;
  int k = out->n_parts;
#pragma omp parallel for schedule(dynamic) default(none) shared(out, what, m, messages, left_of, rc, n, k) \
    num_threads(team(k))
  for (int p = 0; p < k; p++) {
    entering e = *what;
    e.part = p;
    e.left_of = left_of + omp_get_thread_num() * n;
    e.halo = e.index ? e.index->halo_offsets[p] : 0;
    hg_status failed = count_part(&e, m, out, messages);
#pragma omp critical(hg_halo_rows)
    if (failed != HG_OK) rc = failed;
  }
  return rc == HG_OK ? rc : hg_fail(rc, "no memory to count what %d parts exchange", k);
}

static void sum_up(hg_halo_rows *rows, const int64_t *messages)
{
  for (int p = 0; p < rows->n_parts; p++) {
    for (int mode = 0; mode < HG_SEND_MODES; mode++) {
      rows->total[mode] += rows->sent[mode][p];
      int64_t both = rows->sent[mode][p] + rows->received[mode][p];
      if (rows->sent[mode][p] > rows->largest[mode]) rows->largest[mode] = rows->sent[mode][p];
      if (both > rows->both_ways[mode]) rows->both_ways[mode] = both;
    }
    rows->pairs += messages[p];
    int64_t both = messages[p] + messages[rows->n_parts + p];
    if (messages[p] > rows->most_messages) rows->most_messages = messages[p];
    if (both > rows->messages_both_ways) rows->messages_both_ways = both;
  }
}

static hg_status count_all(hg_halo_rows *rows, const entering *what)
{
  members m = {0};
  int64_t *messages = NULL;
  hg_lid *left_of = NULL;
  hg_status rc = HG_OK;
  double started = hg_now_s();
  hg_off n = what->graph->nodes.n, room = n * team(what->k);
  int k = what->k;
  *rows = (hg_halo_rows){.n_parts = k};
  for (int mode = 0; mode < HG_SEND_MODES; mode++) {
    HG_TRY(HG_ALLOC(rows->sent[mode], k, "rows sent"));
    HG_TRY(HG_ALLOC(rows->received[mode], k, "rows received"));
  }
  HG_TRY(HG_ALLOC(messages, 2 * (hg_off)k, "messages sent and received"));
  HG_TRY(HG_ALLOC(left_of, room, "nodes of parts"));
  for (hg_off i = 0; i < room; i++) left_of[i] = -1;
  HG_TRY(list_members(&m, n, k, what->part_of));
  HG_TRY(count_parts(rows, what, &m, messages, left_of));
  sum_up(rows, messages);
  rows->seconds = hg_now_s() - started;
done:
  hg_free(&m.nodes);
  hg_free(&m.first);
  hg_free(&messages);
  hg_free(&left_of);
  if (rc != HG_OK) hg_halo_rows_free(rows);
  return rc;
}

hg_status hg_halo_rows_count(hg_halo_rows *rows, const hg_graph *graph, int k, const int32_t *part_of)
{
  return count_all(rows, &(entering){.graph = graph, .part_of = part_of, .k = k});
}

hg_status hg_halo_numbers_count(hg_halo_rows *rows, const hg_graph *graph, int k, const int32_t *part_of,
                                int source_width, int partial_width)
{
  const int64_t widths[] = {source_width, partial_width};
  return count_all(rows, &(entering){.graph = graph, .part_of = part_of, .k = k, .widths = widths});
}

hg_status hg_halo_rows_cover(hg_halo_rows *rows, const hg_graph *graph, hg_parts_index *index, hg_cover_kind kind,
                             const int32_t *steps)
{
  hg_status rc = HG_OK;
  int32_t *part_of = NULL;
  hg_known_covers *covers = &index->covers;
  const int64_t widths[] = {kind.source, kind.sum};
  *rows = (hg_halo_rows){0};
  HG_TRY(HG_ALLOC(part_of, graph->nodes.n, "parts of the nodes"));
  if (!covers->halo) HG_TRY(HG_ALLOC(covers->halo, index->halo_offsets[index->n_parts], "covers of the halo"));
  for (int p = 0; p < index->n_parts; p++)
    for (hg_gid i = index->offsets[p]; i < index->offsets[p + 1]; i++) part_of[i] = p;
  HG_TRY(count_all(rows, &(entering){.graph = graph,
                                     .part_of = part_of,
                                     .k = index->n_parts,
                                     .index = index,
                                     .steps = kind.steps == HG_COVER_ALL ? NULL : steps,
                                     .most = kind.steps,
                                     .widths = kind.source == kind.sum ? NULL : widths}));
  covers->kinds[covers->n++] = kind;
done:
  hg_free(&part_of);
  return rc;
}

void hg_halo_rows_free(hg_halo_rows *rows)
{
  for (int mode = 0; mode < HG_SEND_MODES; mode++) {
    hg_free(&rows->sent[mode]);
    hg_free(&rows->received[mode]);
  }
  memset(rows, 0, sizeof *rows);
}
