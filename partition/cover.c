/*
 * Minimum vertex covers of bipartite graphs. The network: the source feeds each left node with its weight, an edge
 * carries any flow from left to right, each right node drains its weight into the sink. The nodes whose arcs a minimum
 * cut cuts are the cover: left nodes that the source does not reach any more, and right nodes that it still does.
 */
#include "partition/cover.h"

#include <string.h>

#include "core/base/alloc.h"

enum { UNSEEN = -1, DEAD = -2 };

// Nodes 0 .. n_left-1 are left, the others right.
typedef struct {
  const hg_bipartite *g;
  hg_lid n;
  hg_off *arrivals;      // [n_right + 1] into arrival_edges and arrival_from
  hg_off *arrival_edges; // [edges] edges that end at a right node
  hg_lid *edge_left;     // [edges] where an edge begins
  int64_t *flow;         // [edges]
  int64_t *spare;        // [n] what the source can still give a left node, or the sink take from a right one
  bool *begun;           // [n] its flow was begun before paths were looked for, or all its neighbours' was:
                         // no path leads through it, only the cut looks at it
  bool whole;            // whether levels are of all nodes
  int32_t *level;        // [n] steps from the source, UNSEEN or DEAD
  hg_off *next;          // [n] the next edge to try
  hg_lid *queue;         // [n]
  hg_off *path;          // [n] edges from a left node that has something to spare
} network;

static void free_network(network *w)
{
  hg_free(&w->arrivals);
  hg_free(&w->arrival_edges);
  hg_free(&w->edge_left);
  hg_free(&w->flow);
  hg_free(&w->spare);
  hg_free(&w->begun);
  hg_free(&w->level);
  hg_free(&w->next);
  hg_free(&w->queue);
  hg_free(&w->path);
}

static hg_off n_edges(const hg_bipartite *g) { return g->indptr[g->n_left]; }

static bool is_left(const network *w, hg_lid node) { return node < w->g->n_left; }

static hg_lid right_node(const network *w, hg_off edge) { return w->g->n_left + w->g->indices[edge]; }

static void list_arrivals(network *w)
{
  const hg_bipartite *g = w->g;
  for (hg_off e = 0; e < n_edges(g); e++) w->arrivals[g->indices[e] + 1]++;
  for (hg_lid r = 0; r < g->n_right; r++) w->arrivals[r + 1] += w->arrivals[r];
  for (hg_lid r = 0; r < g->n_right; r++) w->next[r] = w->arrivals[r];
  for (hg_lid l = 0; l < g->n_left; l++) {
    for (hg_off e = g->indptr[l]; e < g->indptr[l + 1]; e++) {
      w->edge_left[e] = l;
      w->arrival_edges[w->next[g->indices[e]]++] = e;
    }
  }
}

static hg_status create_network(network *w, const hg_bipartite *g, int64_t left_weight, int64_t right_weight)
{
  hg_status rc = HG_OK;
  hg_off edges = n_edges(g);
  *w = (network){.g = g, .n = g->n_left + g->n_right};
  HG_TRY(HG_ALLOC(w->arrivals, (hg_off)g->n_right + 1, "edges of a cut"));
  HG_TRY(HG_ALLOC(w->arrival_edges, edges, "edges of a cut"));
  HG_TRY(HG_ALLOC(w->edge_left, edges, "edges of a cut"));
  HG_TRY(HG_ALLOC(w->flow, edges, "flow of a cut"));
  HG_TRY(HG_ALLOC(w->spare, w->n, "flow of a cut"));
  HG_TRY(HG_ALLOC(w->begun, w->n, "nodes of a cut"));
  HG_TRY(HG_ALLOC(w->level, w->n, "nodes of a cut"));
  HG_TRY(HG_ALLOC(w->next, w->n, "nodes of a cut"));
  HG_TRY(HG_ALLOC(w->queue, w->n, "nodes of a cut"));
  HG_TRY(HG_ALLOC(w->path, w->n, "nodes of a cut"));
  list_arrivals(w);
  for (hg_lid v = 0; v < w->n; v++) w->spare[v] = is_left(w, v) ? left_weight : right_weight;
done:
  return rc;
}

// The edges of any node: `at` counts them.
static hg_off degree(const network *w, hg_lid v)
{
  const hg_off *ptr = is_left(w, v) ? w->g->indptr + v : w->arrivals + (v - w->g->n_left);
  return ptr[1] - ptr[0];
}

static hg_off edge_at(const network *w, hg_lid v, hg_off at)
{
  return is_left(w, v) ? w->g->indptr[v] + at : w->arrival_edges[w->arrivals[v - w->g->n_left] + at];
}

static hg_lid other_end(const network *w, hg_lid v, hg_off edge)
{
  return is_left(w, v) ? right_node(w, edge) : w->edge_left[edge];
}

// the only edge to a node whose flow is not begun
static hg_off only_edge(const network *w, hg_lid v)
{
  hg_off k = 0;
  while (w->begun[other_end(w, v, edge_at(w, v, k))]) k++;
  return edge_at(w, v, k);
}

// v is full: its edges are served; neighbours left with one edge are looked at next
static hg_lid take(network *w, hg_lid v, hg_off *left, hg_lid tail)
{
  w->begun[v] = true;
  for (hg_off k = 0; k < degree(w, v); k++) {
    hg_lid u = other_end(w, v, edge_at(w, v, k));
    if (!w->begun[u] && --left[u] == 1) w->queue[tail++] = u;
  }
  return tail;
}

// A flow to begin with: nodes with one edge left fill its other end, where that weighs no more than they do. It is in a
// least cover, and they need not be; so no larger flow is given away (Karp and Sipser's first rule).
static void begin_flow(network *w)
{
  hg_off *left = w->next; // edges left of each node
  hg_lid head = 0, tail = 0;
  for (hg_lid v = 0; v < w->n; v++) {
    left[v] = degree(w, v);
    if (left[v] == 1) w->queue[tail++] = v;
  }
  while (head < tail) {
    hg_lid v = w->queue[head++];
    if (w->begun[v] || left[v] != 1) continue;
    hg_off e = only_edge(w, v);
    hg_lid u = other_end(w, v, e);
    if (w->spare[u] > w->spare[v]) continue;
    w->flow[e] = w->spare[u];
    w->spare[v] -= w->spare[u];
    w->spare[u] = 0;
    w->begun[v] = true;
    tail = take(w, u, left, tail);
  }
}

static bool takes_part(const network *w, hg_lid v) { return w->whole || !w->begun[v]; }

// Levels from left nodes with something to spare, as far as the first right node with room; true when there is one.
static bool find_levels(network *w)
{
  hg_lid head = 0, tail = 0;
  int32_t last = INT32_MAX;
  for (hg_lid v = 0; v < w->n; v++) {
    w->level[v] = UNSEEN;
    w->next[v] = 0;
    if (is_left(w, v) && w->spare[v] > 0 && takes_part(w, v)) {
      w->level[v] = 0;
      w->queue[tail++] = v;
    }
  }
  while (head < tail) {
    hg_lid v = w->queue[head++];
    if (w->level[v] >= last) break;
    if (!is_left(w, v) && w->spare[v] > 0) last = w->level[v];
    for (hg_off k = 0; k < degree(w, v); k++) {
      hg_off e = edge_at(w, v, k);
      hg_lid u = other_end(w, v, e);
      if (!takes_part(w, u) || w->level[u] != UNSEEN || (!is_left(w, v) && w->flow[e] == 0)) continue;
      w->level[u] = w->level[v] + 1;
      w->queue[tail++] = u;
    }
  }
  return last != INT32_MAX;
}

// The next edge that leads from v one level on, or -1
static hg_off next_edge(network *w, hg_lid v)
{
  for (; w->next[v] < degree(w, v); w->next[v]++) {
    hg_off e = edge_at(w, v, w->next[v]);
    hg_lid u = other_end(w, v, e);
    if (!w->begun[u] && w->level[u] == w->level[v] + 1 && (is_left(w, v) || w->flow[e] > 0)) return e;
  }
  return -1;
}

// Sends what the path from root to the right node v bears. Edges alternate: there, and back along flow.
static void send(network *w, hg_lid root, hg_lid v, hg_off length)
{
  int64_t amount = w->spare[root] < w->spare[v] ? w->spare[root] : w->spare[v];
  for (hg_off k = 1; k < length; k += 2)
    if (w->flow[w->path[k]] < amount) amount = w->flow[w->path[k]];
  for (hg_off k = 0; k < length; k++) w->flow[w->path[k]] += k % 2 ? -amount : amount;
  w->spare[root] -= amount;
  w->spare[v] -= amount;
}

// All that can flow from root along the levels, depth first
static void send_from(network *w, hg_lid root)
{
  hg_lid v = root;
  hg_off length = 0;
  while (w->spare[root] > 0) {
    if (!is_left(w, v) && w->spare[v] > 0) {
      send(w, root, v, length);
      v = root;
      length = 0;
      continue;
    }
    hg_off e = next_edge(w, v);
    if (e >= 0) {
      w->path[length++] = e;
      v = other_end(w, v, e);
      continue;
    }
    w->level[v] = DEAD;
    if (length == 0) return;
    v = other_end(w, v, w->path[--length]);
  }
}

static void cut(const network *w, bool *in_cover)
{
  for (hg_lid v = 0; v < w->n; v++) {
    bool reached = w->level[v] != UNSEEN;
    if (is_left(w, v) != reached) in_cover[v] = true;
  }
}

static int64_t common_divisor(int64_t a, int64_t b)
{
  while (b) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static void count(hg_cover *c, const hg_bipartite *g, int64_t left_weight, int64_t right_weight)
{
  for (hg_lid l = 0; l < g->n_left; l++) c->n_left += c->left[l];
  for (hg_lid r = 0; r < g->n_right; r++) c->n_right += c->right[r];
  c->weight = c->n_left * left_weight + c->n_right * right_weight;
}

hg_status hg_cover_create(hg_cover *cover, const hg_bipartite *graph, int64_t left_weight, int64_t right_weight)
{
  network w = {0};
  hg_status rc = HG_OK;
  memset(cover, 0, sizeof *cover);
  int64_t divisor = common_divisor(left_weight, right_weight);
  HG_TRY(HG_ALLOC(cover->left, (hg_off)graph->n_left + graph->n_right, "a cover"));
  cover->right = cover->left + graph->n_left;
  HG_TRY(create_network(&w, graph, left_weight / divisor, right_weight / divisor));
  begin_flow(&w);
  while (find_levels(&w))
    for (hg_lid l = 0; l < graph->n_left; l++)
      if (!w.begun[l]) send_from(&w, l);
  w.whole = true;
  (void)find_levels(&w); // no path is left
  cut(&w, cover->left);
  count(cover, graph, left_weight, right_weight);
done:
  free_network(&w);
  if (rc != HG_OK) hg_cover_free(cover);
  return rc;
}

hg_status hg_cover_complete(hg_cover *cover, const hg_bipartite *graph, const bool *left, int64_t left_weight,
                            int64_t right_weight)
{
  hg_status rc = HG_OK;
  memset(cover, 0, sizeof *cover);
  HG_TRY(HG_ALLOC(cover->left, (hg_off)graph->n_left + graph->n_right, "a cover"));
  cover->right = cover->left + graph->n_left;
  for (hg_lid l = 0; l < graph->n_left; l++) {
    cover->left[l] = left[l];
    for (hg_off e = graph->indptr[l]; !left[l] && e < graph->indptr[l + 1]; e++) cover->right[graph->indices[e]] = true;
  }
  count(cover, graph, left_weight, right_weight);
  if (cover->weight > graph->n_left * left_weight)
    rc = hg_fail(HG_ERR_INPUT, "%d sums for %d sources, expected fewer numbers than the sources'", cover->n_right,
                 graph->n_left - cover->n_left);
done:
  if (rc != HG_OK) hg_cover_free(cover);
  return rc;
}

void hg_cover_free(hg_cover *cover)
{
  hg_free(&cover->left);
  memset(cover, 0, sizeof *cover);
}
