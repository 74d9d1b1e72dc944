#include "core/graph/coarsen.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/row_blocks.h"

// One coarsening under way. A graph's rows of all arrays are written by one thread.
typedef struct {
  hg_off n_graphs;
  const hg_level *fine;
  const hg_csr *reversed;
  hg_pairing pairing;
  const double *positions;  // [fine n x n_dims] unscaled
  double *means;            // [coarse n x n_dims] unscaled
  hg_csr both;              // of a directed level: edges of either direction
  const hg_csr *neighbours; // both, or the fine adjacency
  hg_lid *partner;          // [fine n] whom a node is merged with; itself: nobody; -1: nobody yet
  hg_lid *cluster;          // [fine n] its coarse node
  hg_lid *met;              // [coarse n] the last cluster that was found beside a cluster
  hg_level *coarse;
} coarsening;

static void each_graph(coarsening *c, void (*work)(coarsening *c, hg_off graph))
{
#pragma omp parallel for schedule(dynamic, 16) default(none) shared(c, work) \
    num_threads(hg_threads()) if (hg_csr_entries(&c->fine->adjacency) > HG_PARALLEL_FROM)
  for (hg_off g = 0; g < c->n_graphs; g++) work(c, g);
}

// the ascending union of row i of both directions: how many they are, and who when `out` is there
static hg_off merge_row(const hg_csr *a, const hg_csr *b, hg_off i, hg_lid *out)
{
  hg_off p = a->indptr[i], p_end = a->indptr[i + 1], q = b->indptr[i], q_end = b->indptr[i + 1], count = 0;
  while (p < p_end || q < q_end) {
    hg_lid left = p < p_end ? a->indices[p] : INT32_MAX, right = q < q_end ? b->indices[q] : INT32_MAX;
    hg_lid next = left < right ? left : right;
    p += left == next;
    q += right == next;
    if (out) out[count] = next;
    count++;
  }
  return count;
}

static void merge_graph(coarsening *c, hg_off g)
{
  for (hg_off i = c->fine->graph_ptr[g]; i < c->fine->graph_ptr[g + 1]; i++)
    merge_row(&c->fine->adjacency, c->reversed, i, c->both.indices + c->both.indptr[i]);
}

static hg_status find_neighbours(coarsening *c)
{
  hg_off n = c->fine->n;
  hg_csr *both = &c->both;
  hg_status rc = HG_OK;
  c->neighbours = &c->fine->adjacency;
  if (c->reversed == c->neighbours) return HG_OK;
  HG_TRY(HG_ALLOC(both->indptr, n + 1, "neighbour pointers"));
  both->n_rows = both->n_cols = n;
  for (hg_off i = 0; i < n; i++)
    both->indptr[i + 1] = both->indptr[i] + merge_row(&c->fine->adjacency, c->reversed, i, NULL);
  HG_TRY(HG_ALLOC(both->indices, both->indptr[n], "neighbours"));
  each_graph(c, merge_graph);
  c->neighbours = both;
done:
  return rc;
}

// An edge of length 0 is nearer than all others; its similarity has no number.
typedef struct {
  bool coincide;
  double value;
} weight;

static weight weigh(const coarsening *c, hg_off i, hg_off j)
{
  const hg_off *indptr = c->neighbours->indptr;
  int n_dims = c->fine->n_dims;
  double square = 0, cut = 1 / (double)(indptr[i + 1] - indptr[i]) + 1 / (double)(indptr[j + 1] - indptr[j]);
  for (int d = 0; d < n_dims; d++) {
    double delta = c->positions[j * n_dims + d] - c->positions[i * n_dims + d];
    square += delta * delta;
  }
  if (c->pairing == HG_PAIRING_DISTANCE) return (weight){false, sqrt(square) * cut};
  return square > 0 ? (weight){false, cut / sqrt(square)} : (weight){true, cut};
}

static bool heavier(weight a, weight b) { return a.coincide != b.coincide ? a.coincide : a.value > b.value; }

// Neighbours ascend and only a heavier one replaces the choice, so the lowest among equals is taken.
static hg_off choose_partner(const coarsening *c, hg_off i)
{
  hg_off best = -1;
  weight most = {false, 0};
  for (hg_off e = c->neighbours->indptr[i]; e < c->neighbours->indptr[i + 1]; e++) {
    hg_off j = c->neighbours->indices[e];
    if (c->partner[j] >= 0) continue;
    weight w = weigh(c, i, j);
    if (best >= 0 && !heavier(w, most)) continue;
    best = j;
    most = w;
  }
  return best;
}

// Whomever a node finds comes after it: before, a single neighbour of this node would have taken it.
static void match_graph(coarsening *c, hg_off g)
{
  hg_off first = c->fine->graph_ptr[g], end = c->fine->graph_ptr[g + 1], count = 0;
  for (hg_off i = first; i < end; i++) c->partner[i] = -1;
  for (hg_off i = first; i < end; i++) {
    if (c->partner[i] >= 0) continue;
    c->partner[i] = (hg_lid)i;
    count++;
    hg_off j = choose_partner(c, i);
    if (j < 0) continue;
    c->partner[i] = (hg_lid)j;
    c->partner[j] = (hg_lid)i;
  }
  c->coarse->graph_ptr[g + 1] = count;
}

static void number_graph(coarsening *c, hg_off g)
{
  hg_csr *members = &c->coarse->members;
  hg_off first = c->fine->graph_ptr[g], end = c->fine->graph_ptr[g + 1], at = first;
  hg_off row = c->coarse->graph_ptr[g];
  for (hg_off i = first; i < end; i++) {
    hg_lid j = c->partner[i];
    if (j < i) continue; // came with its partner
    c->cluster[i] = c->cluster[j] = (hg_lid)row;
    members->indices[at++] = (hg_lid)i;
    if (j > i) members->indices[at++] = j;
    members->indptr[++row] = at;
  }
}

static void mean_row(const coarsening *c, hg_off row)
{
  const hg_csr *members = &c->coarse->members;
  hg_off first = members->indptr[row], end = members->indptr[row + 1];
  int n_dims = c->fine->n_dims;
  for (int d = 0; d < n_dims; d++) {
    double sum = 0;
    for (hg_off e = first; e < end; e++) sum += c->positions[(hg_off)members->indices[e] * n_dims + d];
    c->means[row * n_dims + d] = sum / (double)(end - first);
  }
}

static void place_graph(coarsening *c, hg_off g)
{
  hg_off first = c->coarse->graph_ptr[g], end = c->coarse->graph_ptr[g + 1];
  for (hg_off row = first; row < end; row++) mean_row(c, row);
  hg_members_mean(&c->coarse->members, first, end - first, c->fine->n_dims, c->fine->positions, c->coarse->positions);
}

static hg_status make_clusters(coarsening *c)
{
  hg_level *coarse = c->coarse;
  hg_off n = c->fine->n;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(c->partner, n, "partners"));
  HG_TRY(HG_ALLOC(c->cluster, n, "clusters"));
  HG_TRY(HG_ALLOC(coarse->graph_ptr, c->n_graphs + 1, "coarse graph pointers"));
  each_graph(c, match_graph);
  for (hg_off g = 0; g < c->n_graphs; g++) coarse->graph_ptr[g + 1] += coarse->graph_ptr[g];
  coarse->n = coarse->graph_ptr[c->n_graphs];
  coarse->n_dims = c->fine->n_dims;
  HG_TRY(hg_csr_create(&coarse->members, coarse->n, n, n, false, "members of clusters"));
  HG_TRY(HG_ALLOC(coarse->positions, coarse->n * coarse->n_dims, "coarse positions"));
  HG_TRY(HG_ALLOC(c->means, coarse->n * coarse->n_dims, "means of positions"));
  HG_TRY(HG_ALLOC(c->met, coarse->n, "met clusters"));
  each_graph(c, number_graph);
  each_graph(c, place_graph);
done:
  return rc;
}

// The edges from the clusters of graph g, in ascending order of these: so each row of `out` ascends, and a cluster
// that was met before in a row was the last one met. out->indptr[row + 1] is where the next entry goes (without
// indices: counts), and in the end, where the next row begins.
static void unite_graph(coarsening *c, hg_off g, const hg_csr *from, hg_csr *out)
{
  const hg_csr *members = &c->coarse->members;
  hg_off first = c->coarse->graph_ptr[g], end = c->coarse->graph_ptr[g + 1];
  for (hg_off row = first; row < end; row++) c->met[row] = (hg_lid)row;
  for (hg_off source = first; source < end; source++) {
    for (hg_off k = members->indptr[source]; k < members->indptr[source + 1]; k++) {
      hg_lid j = members->indices[k];
      for (hg_off e = from->indptr[j]; e < from->indptr[j + 1]; e++) {
        hg_lid row = c->cluster[from->indices[e]];
        if (row == source || c->met[row] == source) continue;
        c->met[row] = (hg_lid)source;
        hg_off place = out->indptr[row + 1]++;
        if (out->indices) out->indices[place] = (hg_lid)source;
      }
    }
  }
}

static void unite_forward(coarsening *c, hg_off g) { unite_graph(c, g, c->reversed, &c->coarse->adjacency); }
static void unite_reversed(coarsening *c, hg_off g) { unite_graph(c, g, &c->fine->adjacency, &c->coarse->transposed); }

static hg_status unite_edges(coarsening *c, hg_csr *out, void (*unite)(coarsening *c, hg_off g))
{
  hg_off n = c->coarse->n, entries = 0;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(out->indptr, n + 1, "coarse row pointers"));
  out->n_rows = out->n_cols = n;
  each_graph(c, unite);
  for (hg_off row = 0; row < n; row++) {
    hg_off count = out->indptr[row + 1];
    out->indptr[row + 1] = entries;
    entries += count;
  }
  HG_TRY(HG_ALLOC(out->indices, entries, "coarse edges"));
  each_graph(c, unite);
done:
  return rc;
}

hg_status hg_coarsen(hg_level *coarse, const hg_level *fine, const hg_csr *reversed, hg_off n_graphs,
                     hg_pairing pairing, double **positions)
{
  coarsening c = {n_graphs, fine, reversed, pairing, .positions = *positions, .coarse = coarse};
  hg_status rc = HG_OK;
  HG_TRY(find_neighbours(&c));
  HG_TRY(make_clusters(&c));
  HG_TRY(unite_edges(&c, &coarse->adjacency, unite_forward));
  if (reversed != &fine->adjacency) HG_TRY(unite_edges(&c, &coarse->transposed, unite_reversed));
  hg_free(positions);
  *positions = c.means;
  c.means = NULL;
done:
  hg_csr_free(&c.both);
  hg_free(&c.partner);
  hg_free(&c.cluster);
  hg_free(&c.met);
  hg_free(&c.means);
  return rc;
}
