#include <string.h>

#include "core/base/alloc.h"
#include "partition/groups.h"
#include "partition/reorder.h"
#include "partition/undirected.h"

enum { MAX_LEVELS = 16, PASSES = 3, REFINING_PASSES = 3 };

static const double ENOUGH_MOVED = 0.1; // a pass that moves fewer of the nodes is the last
static const double ENOUGH_MERGED = 0.98;

// One level: its nodes are the communities of the level below. Borrows the arrays of the lowest level.
typedef struct {
  hg_lid n;
  const hg_off *indptr;  ///< [n + 1]
  const hg_lid *indices; ///< [indptr[n]], the node itself included above the lowest level
  const float *weights;  ///< [indptr[n]] edges between two nodes, NULL: 1 each
  double *degree;        ///< [n] sum of the weights of a row
  hg_off *own_indptr;
  hg_lid *own_indices;
  float *own_weights;
} level;

static void level_free(level *g)
{
  hg_free(&g->degree);
  hg_free(&g->own_indptr);
  hg_free(&g->own_indices);
  hg_free(&g->own_weights);
}

// Room to add up the edges from a node to communities.
typedef struct {
  double *weight; ///< [n] all 0 between uses
  hg_lid *found;  ///< [n] communities whose weight is not 0
  hg_lid n_found;
} sums;

static void sums_free(sums *s)
{
  hg_free(&s->weight);
  hg_free(&s->found);
}

static hg_status sums_init(sums *s, hg_lid n)
{
  *s = (sums){0};
  hg_status rc = HG_ALLOC(s->weight, n, "edges to communities");
  return rc == HG_OK ? HG_ALLOC(s->found, n, "communities near a node") : rc;
}

static void sums_add_row(sums *s, const level *g, hg_lid i, const hg_lid *community, bool self)
{
  for (hg_off e = g->indptr[i]; e < g->indptr[i + 1]; e++) {
    hg_lid c = community[g->indices[e]];
    if (g->indices[e] == i && !self) continue;
    if (s->weight[c] <= 0) s->found[s->n_found++] = c;
    s->weight[c] += g->weights ? g->weights[e] : 1;
  }
}

static void sums_clear(sums *s)
{
  for (hg_lid f = 0; f < s->n_found; f++) s->weight[s->found[f]] = 0;
  s->n_found = 0;
}

// Where modularity is highest for node i, which belongs to no community; ties and near ties stay in `own`.
static hg_lid best_community(const sums *s, const double *total, double degree, double edges, hg_lid own)
{
  hg_lid best = own;
  double highest = s->weight[own] - total[own] * degree / edges + 1e-9;
  for (hg_lid f = 0; f < s->n_found; f++) {
    hg_lid c = s->found[f];
    double gain = s->weight[c] - total[c] * degree / edges;
    if (gain <= highest) continue;
    highest = gain;
    best = c;
  }
  return best;
}

// Moves single nodes in the order of their numbers, some times over.
static void move_nodes(const level *g, double edges, int passes, hg_lid *community, double *total, sums *s)
{
  for (int pass = 0; pass < passes; pass++) {
    hg_lid moved = 0;
    for (hg_lid i = 0; i < g->n; i++) {
      hg_lid own = community[i];
      sums_add_row(s, g, i, community, false);
      total[own] -= g->degree[i];
      community[i] = best_community(s, total, g->degree[i], edges, own);
      total[community[i]] += g->degree[i];
      moved += community[i] != own;
      sums_clear(s);
    }
    if (moved < ENOUGH_MOVED * g->n) break;
  }
}

// Numbers the communities 0, 1, ... as the nodes meet them.
static hg_lid number_communities(hg_lid n, hg_lid *community, hg_lid *number)
{
  hg_lid k = 0;
  memset(number, 0xff, (size_t)n * sizeof *number);
  for (hg_lid i = 0; i < n; i++) {
    if (number[community[i]] < 0) number[community[i]] = k++;
    community[i] = number[community[i]];
  }
  return k;
}

// Communities of one level: each node for itself, then moves.
static hg_status find_communities(const level *g, double edges, hg_lid *community, hg_lid *k)
{
  hg_status rc = HG_OK;
  double *total = NULL;
  sums s = {0};
  HG_TRY(HG_ALLOC(total, g->n, "sizes of communities"));
  HG_TRY(sums_init(&s, g->n));
  for (hg_lid i = 0; i < g->n; i++) {
    community[i] = i;
    total[i] = g->degree[i];
  }
  move_nodes(g, edges, PASSES, community, total, &s);
  *k = number_communities(g->n, community, s.found);
done:
  hg_free(&total);
  sums_free(&s);
  return rc;
}

// The row of each community in the graph of communities; fills it when `fill`, else counts into indptr.
static void merge_rows(level *out, const level *g, const hg_lid *community, const hg_lid *members, const hg_off *start,
                       sums *s, bool fill)
{
  for (hg_lid c = 0; c < out->n; c++) {
    for (hg_off r = start[c]; r < start[c + 1]; r++) sums_add_row(s, g, members[r], community, true);
    if (!fill) out->own_indptr[c + 1] = out->own_indptr[c] + s->n_found;
    for (hg_lid f = 0; f < s->n_found && fill; f++) {
      out->own_indices[out->own_indptr[c] + f] = s->found[f];
      out->own_weights[out->own_indptr[c] + f] = (float)s->weight[s->found[f]];
    }
    sums_clear(s);
  }
}

static hg_status merge(level *out, const level *g, const hg_lid *community, hg_lid k)
{
  hg_status rc = HG_OK;
  hg_lid *members = NULL;
  hg_off *start = NULL;
  sums s = {0};
  *out = (level){.n = k};
  HG_TRY(HG_ALLOC(members, g->n, "members of communities"));
  HG_TRY(HG_ALLOC(start, (hg_off)k + 1, "starts of communities"));
  HG_TRY(sums_init(&s, k));
  HG_TRY(HG_ALLOC(out->degree, k, "edges of communities"));
  HG_TRY(HG_ALLOC(out->own_indptr, (hg_off)k + 1, "graph of communities"));
  hg_groups_sort(g->n, k, community, NULL, members, start);
  for (hg_lid i = 0; i < g->n; i++) out->degree[community[i]] += g->degree[i];
  merge_rows(out, g, community, members, start, &s, false);
  HG_TRY(HG_ALLOC(out->own_indices, out->own_indptr[k], "graph of communities"));
  HG_TRY(HG_ALLOC(out->own_weights, out->own_indptr[k], "graph of communities"));
  merge_rows(out, g, community, members, start, &s, true);
  out->indptr = out->own_indptr;
  out->indices = out->own_indices;
  out->weights = out->own_weights;
done:
  hg_free(&members);
  hg_free(&start);
  sums_free(&s);
  if (rc != HG_OK) level_free(out);
  return rc;
}

// Nodes of the graph move between the communities of the last level.
static hg_status refine(const hg_undirected *u, double edges, hg_lid k, hg_lid *community)
{
  hg_status rc = HG_OK;
  level g = {.n = u->n, .indptr = u->indptr, .indices = u->indices};
  double *total = NULL;
  sums s = {0};
  HG_TRY(HG_ALLOC(g.degree, u->n, "degrees"));
  HG_TRY(HG_ALLOC(total, k, "sizes of communities"));
  HG_TRY(sums_init(&s, k));
  for (hg_lid i = 0; i < u->n; i++) {
    g.degree[i] = (double)(u->indptr[i + 1] - u->indptr[i]);
    total[community[i]] += g.degree[i];
  }
  move_nodes(&g, edges, REFINING_PASSES, community, total, &s);
done:
  level_free(&g);
  hg_free(&total);
  sums_free(&s);
  return rc;
}

// Sorts the nodes by the communities of one level after the other; stable, so those of lower levels stay together.
static hg_status sort_by(hg_lid n, hg_lid k, const hg_lid *community, hg_lid *order, hg_lid *spare)
{
  hg_off *start = NULL;
  hg_status rc = HG_ALLOC(start, (hg_off)k + 1, "starts of communities");
  if (rc != HG_OK) return rc;
  memcpy(spare, order, (size_t)n * sizeof *spare);
  hg_groups_sort(n, k, community, spare, order, start);
  hg_free(&start);
  return HG_OK;
}

static hg_status cluster(const hg_undirected *u, hg_lid *order, hg_lid *of, hg_lid *community, hg_lid *spare)
{
  hg_status rc = HG_OK;
  double edges = (double)u->indptr[u->n];
  level g = {.n = u->n, .indptr = u->indptr, .indices = u->indices}, above = {0};
  HG_TRY(HG_ALLOC(g.degree, u->n, "degrees"));
  for (hg_lid i = 0; i < u->n; i++) {
    g.degree[i] = (double)(u->indptr[i + 1] - u->indptr[i]);
    of[i] = i;
  }
  for (int depth = 1;; depth++) {
    hg_lid k, n = g.n;
    HG_TRY(find_communities(&g, edges, community, &k));
    for (hg_lid i = 0; i < u->n; i++) of[i] = community[of[i]];
    bool last = k > ENOUGH_MERGED * n || depth == MAX_LEVELS;
    if (last) HG_TRY(refine(u, edges, k, of));
    HG_TRY(sort_by(u->n, k, of, order, spare));
    if (last) break;
    HG_TRY(merge(&above, &g, community, k));
    level_free(&g);
    g = above;
    above = (level){0};
  }
done:
  level_free(&g);
  return rc;
}

hg_status hg_order_cluster(const hg_graph *graph, hg_lid *order)
{
  hg_status rc = HG_OK;
  hg_undirected u = {0};
  hg_lid *of = NULL, *community = NULL, *spare = NULL;
  HG_TRY(hg_order_none(graph, order));
  if (hg_csr_entries(&graph->adjacency) == 0) goto done;
  HG_TRY(hg_undirected_create(&u, graph));
  HG_TRY(HG_ALLOC(of, u.n, "communities of the nodes"));
  HG_TRY(HG_ALLOC(community, u.n, "communities of a level"));
  HG_TRY(HG_ALLOC(spare, u.n, "order of the nodes"));
  HG_TRY(cluster(&u, order, of, community, spare));
done:
  hg_undirected_free(&u);
  hg_free(&of);
  hg_free(&community);
  hg_free(&spare);
  return rc;
}
