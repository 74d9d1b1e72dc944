#include "models/covered.h"

#include <string.h>

#include "core/base/alloc.h"
#include "models/cut_pair.h"

enum { UNUSED = -1, AS_IT_IS = -2 }; // what a halo row holds, if not the sum for a destination

// What covers are found in, and what is asked of the peers.
typedef struct {
  const hg_local_graph *base;
  hg_lid *holds;                      // [n_halo] a destination, or the constants above
  hg_lid *offsets;                    // [peers + 1] rows that cross
  hg_lid *rows, *lengths, *positions; // see hg_sums_wanted
} search;

static void search_free(search *s)
{
  hg_free(&s->holds);
  hg_free(&s->offsets);
  hg_free(&s->rows);
  hg_free(&s->lengths);
  hg_free(&s->positions);
}

// Sources in the cover keep their halo rows; sums take those of the others, in order.
static void place_rows(const search *s, const hg_cut_pair *p, const hg_cover *cover)
{
  const hg_links *links = s->base->links;
  hg_lid l = 0;
  for (hg_lid k = 0; k < p->n_left; k++)
    s->holds[hg_cut_halo_row(links, p->first + k)] = cover->left[k] ? AS_IT_IS : UNUSED;
  for (hg_lid r = 0; r < p->n_right; r++) {
    if (!cover->right[r]) continue;
    while (cover->left[l]) l++; // a least cover has no more sums than sources that it leaves out
    s->holds[hg_cut_halo_row(links, p->first + l++)] = p->destinations[r];
  }
}

static hg_status cover_pair(void *context, int peer, const hg_cut_pair *p)
{
  search *s = context;
  hg_cover cover = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_cut_cover(&cover, s->base, p, 1, 1));
  place_rows(s, p, &cover);
  s->offsets[peer + 1] = (hg_lid)cover.weight;
done:
  hg_cover_free(&cover);
  return rc;
}

static hg_status find_covers(search *s)
{
  const hg_local_graph *g = s->base;
  int n_peers = g->links->n_peers_recv;
  hg_lid n_halo = g->n_local - g->n_owned;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(s->holds, n_halo, "what halo rows hold"));
  HG_TRY(HG_ALLOC(s->offsets, (hg_off)n_peers + 1, "rows that cross"));
  for (hg_lid h = 0; h < n_halo; h++) s->holds[h] = UNUSED;
  HG_TRY(hg_cut_pairs(g, cover_pair, s));
  for (int p = 0; p < n_peers; p++) s->offsets[p + 1] += s->offsets[p];
done:
  return rc == HG_OK ? rc : hg_fail(rc, "no memory to find covers of %d pairs of ranks", n_peers);
}

// Edges of what crosses: a row that is what it was keeps its own, a sum has one, to its destination.
static hg_status build_graph(hg_covered *c, const search *s)
{
  const hg_csr *old = s->base->backward.a;
  hg_lid n_owned = s->base->n_owned;
  hg_status rc = HG_OK;
  HG_TRY(hg_csr_create(&c->transposed, old->n_rows, old->n_cols, hg_csr_entries(old), false, "edges that cross"));
  hg_csr *t = &c->transposed;
  for (hg_off j = 0; j < old->n_rows; j++) {
    hg_lid holds = j < n_owned ? AS_IT_IS : s->holds[j - n_owned];
    hg_off n = holds == AS_IT_IS ? old->indptr[j + 1] - old->indptr[j] : holds != UNUSED;
    t->indptr[j + 1] = t->indptr[j] + n;
    if (holds >= 0)
      t->indices[t->indptr[j]] = holds;
    else if (n > 0)
      memcpy(t->indices + t->indptr[j], old->indices + old->indptr[j], (size_t)n * sizeof *t->indices);
  }
  HG_TRY(hg_csr_transpose(&c->a, t));
done:
  return rc;
}

// the rows of one peer: sources first, then sums, each with the sources of its destination that the cover leaves out
static void want_peer(search *s, const hg_covered *c, int peer, hg_lid *position_of, hg_off *position)
{
  const hg_links *links = s->base->links;
  const hg_csr *before = s->base->forward.a;
  hg_lid first = links->recv_offsets[peer], end = links->recv_offsets[peer + 1], n_owned = c->graph.n_owned;
  hg_lid row = s->offsets[peer];
  for (hg_lid k = first; k < end; k++) {
    hg_lid h = hg_cut_halo_row(links, k);
    position_of[h] = k - first + 1;
    if (s->holds[h] != AS_IT_IS) continue;
    s->rows[row++] = h;
    s->positions[(*position)++] = k - first;
  }
  for (hg_lid k = first; k < end; k++) {
    hg_lid h = hg_cut_halo_row(links, k), i = s->holds[h];
    if (i < 0) continue;
    s->rows[row] = h;
    for (hg_off e = before->indptr[i]; e < before->indptr[i + 1]; e++) {
      hg_lid j = before->indices[e] - n_owned;
      if (j < 0 || position_of[j] == 0 || s->holds[j] == AS_IT_IS) continue;
      s->positions[(*position)++] = position_of[j] - 1;
      s->lengths[row]++;
    }
    row++;
  }
  for (hg_lid k = first; k < end; k++) position_of[hg_cut_halo_row(links, k)] = 0;
}

static hg_status want(search *s, const hg_covered *c)
{
  const hg_links *links = s->base->links;
  int n_peers = links->n_peers_recv;
  hg_lid rows = s->offsets[n_peers], *position_of = NULL;
  hg_off numbers = 0, position = 0;
  hg_status rc = HG_OK;
  for (hg_lid k = 0; k < links->recv_offsets[n_peers]; k++) {
    hg_lid h = hg_cut_halo_row(links, k);
    numbers += s->holds[h] == AS_IT_IS ? 1 : hg_cut_end(s->base, h) - hg_cut_begin(s->base, h);
  }
  HG_TRY(HG_ALLOC(s->rows, rows, "rows wanted"));
  HG_TRY(HG_ALLOC(s->lengths, rows, "rows wanted"));
  HG_TRY(HG_ALLOC(s->positions, numbers, "nodes of rows wanted"));
  HG_TRY(HG_ALLOC(position_of, c->graph.n_local - c->graph.n_owned, "places of halo rows"));
  for (int p = 0; p < n_peers; p++) want_peer(s, c, p, position_of, &position);
done:
  hg_free(&position_of);
  return rc;
}

static hg_status name_rows(hg_covered *c, const search *s)
{
  const hg_local_graph *g = s->base;
  const hg_links *links = g->links;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(c->ids, g->n_local, "ids of what crosses"));
  if (g->n_local > 0) memcpy(c->ids, g->ids, (size_t)g->n_local * sizeof *c->ids);
  if (g->col_scale) {
    HG_TRY(HG_ALLOC(c->scale, g->n_local, "scales of what crosses"));
    if (g->n_local > 0) memcpy(c->scale, g->col_scale, (size_t)g->n_local * sizeof *c->scale);
  }
  for (int p = 0; p < links->n_peers_recv; p++)
    for (hg_lid k = links->recv_offsets[p]; k < links->recv_offsets[p + 1]; k++) {
      hg_lid h = hg_cut_halo_row(links, k);
      if (s->holds[h] < 0) continue;
      c->ids[g->n_owned + h] = g->n_global * (1 + links->recv_peers[p]) + h;
      if (c->scale) c->scale[g->n_owned + h] = 1;
    }
done:
  return rc;
}

static hg_status build(hg_covered *c, search *s)
{
  hg_status rc = HG_OK;
  HG_TRY(find_covers(s));
  HG_TRY(build_graph(c, s));
  HG_TRY(want(s, c));
  HG_TRY(name_rows(c, s));
done:
  return rc;
}

static void point(hg_covered *c)
{
  hg_local_graph *g = &c->graph;
  g->links = &c->links;
  g->ids = c->ids;
  g->col_scale = c->scale;
  g->transposed = c->transposed;
  g->forward.a = &c->a;
  g->forward.col_scale = c->scale;
  g->backward.a = &c->transposed;
  g->backward.row_scale = c->scale;
}

hg_status hg_covered_create(hg_covered *covered, const hg_local_graph *base)
{
  search s = {.base = base};
  hg_status rc = HG_OK;
  *covered = (hg_covered){.base = base, .graph = *base};
  HG_TRY_ALL(base->world, "covering edges between ranks", build(covered, &s));
  const hg_sums_wanted wanted = {.offsets = s.offsets,
                                 .rows = s.rows,
                                 .lengths = s.lengths,
                                 .positions = s.positions,
                                 .weights = base->col_scale,
                                 .node_ids = base->ids,
                                 .n_global = base->n_global};
  HG_TRY(hg_links_create_sums(&covered->links, base->world, base->links, &wanted));
  point(covered);
done:
  search_free(&s);
  if (rc != HG_OK) hg_covered_free(covered);
  return rc;
}

const char *hg_aggregation_name(hg_aggregation aggregation)
{
  return aggregation == HG_AGGREGATION_COVERS ? "covers" : "sources";
}

void hg_covered_free(hg_covered *covered)
{
  hg_links_free(&covered->links);
  hg_csr_free(&covered->a);
  hg_csr_free(&covered->transposed);
  hg_free(&covered->scale);
  hg_free(&covered->ids);
}

size_t hg_covered_bytes(const hg_links *links, hg_off edges)
{
  hg_off n_local = (hg_off)links->n_owned + links->n_halo, sent = links->send_offsets[links->n_peers_send];
  size_t graph = (size_t)(n_local + links->n_owned + 2) * sizeof(hg_off) + 2 * (size_t)edges * sizeof(hg_lid);
  size_t sums = (size_t)(sent + links->n_owned + 2) * sizeof(hg_off) +
                4 * (size_t)sent * (sizeof(hg_lid) + sizeof(hg_real)) + (size_t)sent * sizeof(hg_gid);
  return graph + sums + (size_t)n_local * (sizeof(hg_gid) + sizeof(hg_real)) +
         (size_t)(links->n_halo + sent) * sizeof(hg_lid);
}
