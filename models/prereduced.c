#include "models/prereduced.h"

#include <string.h>

#include "core/base/alloc.h"
#include "models/cut_pair.h"

enum { PUSH_SLOT = 2, PULL_SLOT = 3 }; // while the layer's other exchanges are under way in slots 0 and 1

// What covers are found in, and what is asked of the peers.
typedef struct {
  const hg_local_graph *base;
  int f_in, f_out;
  bool *crosses;                      // [n_halo] the row crosses as it is
  hg_lid *offsets;                    // [peers + 1] partial rows, by who computes them
  hg_lid *destinations;               // [partial rows] owned nodes
  hg_lid *rows, *lengths, *positions; // see hg_sums_wanted
  hg_off *at;                         // [partial rows] into positions
  hg_lid *numbers;                    // [n_owned] of destinations, from 1 on; 0: none
} search;

static void search_free(search *s)
{
  hg_free(&s->crosses);
  hg_free(&s->offsets);
  hg_free(&s->destinations);
  hg_free(&s->rows);
  hg_free(&s->lengths);
  hg_free(&s->positions);
  hg_free(&s->at);
  hg_free(&s->numbers);
}

static hg_status cover_pair(void *context, int peer, const hg_cut_pair *p)
{
  search *s = context;
  hg_cover cover;
  hg_status rc = hg_cut_cover(&cover, s->base, p, s->f_in, s->f_out);
  if (rc != HG_OK) return rc;
  for (hg_lid l = 0; l < p->n_left; l++) s->crosses[hg_cut_halo_row(s->base->links, p->first + l)] = cover.left[l];
  s->offsets[peer + 1] = cover.n_right;
  hg_cover_free(&cover);
  return HG_OK;
}

static hg_status find_covers(search *s)
{
  const hg_local_graph *g = s->base;
  int n_peers = g->links->n_peers_recv;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(s->crosses, g->n_local - g->n_owned, "halo rows that cross"));
  HG_TRY(HG_ALLOC(s->offsets, (hg_off)n_peers + 1, "partial rows"));
  HG_TRY(hg_cut_pairs(g, cover_pair, s));
  for (int p = 0; p < n_peers; p++) s->offsets[p + 1] += s->offsets[p];
done:
  return rc == HG_OK ? rc : hg_fail(rc, "no memory to find covers of %d pairs of ranks", n_peers);
}

// each edge from a source of a peer that does not cross: to count, or to place in `positions`
static void each_edge(search *s, int peer, bool place)
{
  const hg_links *links = s->base->links;
  const hg_lid *targets = s->base->backward.a->indices;
  hg_lid first = links->recv_offsets[peer], row = s->offsets[peer], n = row;
  for (hg_lid k = first; k < links->recv_offsets[peer + 1]; k++) {
    hg_lid h = hg_cut_halo_row(links, k);
    if (s->crosses[h]) continue;
    for (hg_off e = hg_cut_begin(s->base, h); e < hg_cut_end(s->base, h); e++) {
      hg_lid *number = &s->numbers[targets[e]];
      if (*number == 0) {
        s->destinations[n] = targets[e];
        *number = ++n;
      }
      if (place)
        s->positions[s->at[*number - 1]++] = k - first;
      else
        s->lengths[*number - 1]++;
    }
  }
  for (hg_lid r = row; r < n; r++) s->numbers[s->destinations[r]] = 0;
}

// rows by peers: each destination with an edge from a source that does not cross, and these sources
static hg_status want(search *s)
{
  int n_peers = s->base->links->n_peers_recv;
  hg_lid rows = s->offsets[n_peers];
  hg_off at = 0;
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(s->destinations, rows, "partial rows"));
  HG_TRY(HG_ALLOC(s->rows, rows, "partial rows"));
  HG_TRY(HG_ALLOC(s->lengths, rows, "partial rows"));
  HG_TRY(HG_ALLOC(s->at, rows, "partial rows"));
  HG_TRY(HG_ALLOC(s->numbers, s->base->n_owned, "numbers of destinations"));
  for (int p = 0; p < n_peers; p++) each_edge(s, p, false);
  for (hg_lid r = 0; r < rows; r++) {
    s->rows[r] = r;
    s->at[r] = at;
    at += s->lengths[r];
  }
  HG_TRY(HG_ALLOC(s->positions, at, "sources of partial rows"));
  for (int p = 0; p < n_peers; p++) each_edge(s, p, true);
done:
  return rc;
}

static hg_status prepare(search *s)
{
  hg_status rc = find_covers(s);
  return rc == HG_OK ? want(s) : rc;
}

// The links of partial rows are those on which they were asked for, the other way round: destinations own them.
static hg_status turn_links(hg_prereduced *r, const search *s, hg_links *asked)
{
  hg_links *p = &r->partials;
  hg_lid rows = s->offsets[s->base->links->n_peers_recv];
  hg_status rc = HG_OK;
  *p = (hg_links){.n_peers_send = asked->n_peers_recv,
                  .n_peers_recv = asked->n_peers_send,
                  .send_peers = asked->recv_peers,
                  .send_offsets = asked->recv_offsets,
                  .recv_peers = asked->send_peers,
                  .recv_offsets = asked->send_offsets,
                  .n_halo = asked->send_offsets[asked->n_peers_send]};
  asked->recv_peers = asked->send_peers = NULL;
  asked->recv_offsets = asked->send_offsets = NULL;
  HG_TRY(HG_ALLOC(p->send_rows, rows, "partial rows"));
  HG_TRY(HG_ALLOC(r->touched, rows, "rows that others compute for"));
  for (hg_lid k = 0; k < rows; k++) {
    hg_lid *number = &s->numbers[s->destinations[k]];
    if (*number == 0) {
      r->touched[r->n_touched] = s->destinations[k];
      *number = ++r->n_touched;
    }
    p->send_rows[k] = *number - 1;
  }
  p->n_owned = r->n_touched;
  r->n_partial = p->n_halo;
done:
  return rc;
}

static bool is_here(const search *s, hg_lid j) { return j < s->base->n_owned || s->crosses[j - s->base->n_owned]; }

// owned rows without sources that do not cross, then rows for others
static hg_status build_edges(hg_prereduced *r, const search *s, const hg_csr *for_others)
{
  const hg_csr *old = s->base->forward.a;
  hg_off n_local = s->base->n_local, kept = 0, extra = hg_csr_entries(for_others);
  hg_status rc = HG_OK;
  for (hg_off e = 0; e < hg_csr_entries(old); e++) kept += is_here(s, old->indices[e]);
  HG_TRY(hg_csr_create(&r->a, n_local + r->n_partial, n_local, kept + extra, false, "edges and partial rows"));
  hg_off at = 0;
  for (hg_off i = 0; i < old->n_rows; i++) {
    for (hg_off e = old->indptr[i]; e < old->indptr[i + 1]; e++)
      if (is_here(s, old->indices[e])) r->a.indices[at++] = old->indices[e];
    r->a.indptr[i + 1] = at;
  }
  for (hg_off i = old->n_rows; i < n_local; i++) r->a.indptr[i + 1] = at;
  for (hg_off k = 0; k < r->n_partial; k++) r->a.indptr[n_local + k + 1] = at + for_others->indptr[k + 1];
  if (extra > 0) memcpy(r->a.indices + at, for_others->indices, (size_t)extra * sizeof *r->a.indices);
  HG_TRY(hg_csr_transpose(&r->transposed, &r->a));
done:
  return rc;
}

static hg_status allocate_places(hg_prereduced *r, hg_matrix *places)
{
  const hg_local_graph *g = r->base;
  hg_off rows = (hg_off)g->n_local + r->n_partial;
  hg_status rc = HG_OK;
  HG_TRY(hg_matrix_create(places, (hg_off)r->n_touched + r->n_partial, g->n_dims + 1, "places of partial rows"));
  HG_TRY(HG_ALLOC(r->positions, rows * g->n_dims, "positions"));
  if (g->row_scale) HG_TRY(HG_ALLOC(r->row_scale, rows, "row scales"));
done:
  return rc;
}

// where the rows are that are computed here for others, and what their owners multiply them with
static hg_status fetch_places(hg_prereduced *r)
{
  const hg_local_graph *g = r->base;
  int dims = g->n_dims;
  size_t place = (size_t)dims * sizeof(hg_real);
  hg_matrix m = {0};
  hg_exchange *exchange = NULL;
  hg_status rc = HG_OK;
  HG_TRY_ALL(g->world, "placing partial rows", allocate_places(r, &m));
  for (hg_lid k = 0; k < r->n_touched; k++) {
    memcpy(m.data + (hg_off)k * (dims + 1), g->positions + (hg_off)r->touched[k] * dims, place);
    if (g->row_scale) m.data[(hg_off)k * (dims + 1) + dims] = g->row_scale[r->touched[k]];
  }
  HG_TRY(hg_exchange_create(&exchange, g->world, &r->partials, HG_FILL_HALO, &m, 0));
  hg_exchange_begin(exchange);
  hg_exchange_end(exchange);
  if (g->n_local > 0) memcpy(r->positions, g->positions, (size_t)g->n_local * place);
  if (r->row_scale && g->n_owned > 0) memcpy(r->row_scale, g->row_scale, (size_t)g->n_owned * sizeof *r->row_scale);
  for (hg_lid k = 0; k < r->n_partial; k++) {
    const hg_real *row = m.data + ((hg_off)r->n_touched + k) * (dims + 1);
    memcpy(r->positions + ((hg_off)g->n_local + k) * dims, row, place);
    if (r->row_scale) r->row_scale[g->n_local + k] = row[dims];
  }
done:
  hg_exchange_free(&exchange);
  hg_matrix_free(&m);
  return rc;
}

static void point(hg_prereduced *r)
{
  hg_local_graph *g = &r->graph;
  g->links = &r->sources;
  g->reduced = r;
  g->transposed = r->transposed;
  g->positions = r->positions;
  g->forward.a = &r->a;
  g->forward.row_scale = r->row_scale;
  g->backward.a = &r->transposed;
  g->backward.col_scale = r->row_scale;
}

static hg_status build(hg_prereduced *r, const search *s, hg_links *asked)
{
  hg_status rc = turn_links(r, s, asked);
  return rc == HG_OK ? build_edges(r, s, &asked->sums->to) : rc;
}

hg_status hg_prereduced_create(hg_prereduced *reduced, const hg_local_graph *base, int f_in, int f_out)
{
  search s = {.base = base, .f_in = f_in, .f_out = f_out};
  hg_links asked = {0};
  hg_status rc = HG_OK;
  *reduced = (hg_prereduced){.base = base, .f_in = f_in, .f_out = f_out, .graph = *base};
  HG_TRY_ALL(base->world, "covering edges between ranks", prepare(&s));
  const hg_sums_wanted wanted = {.offsets = s.offsets,
                                 .rows = s.rows,
                                 .lengths = s.lengths,
                                 .positions = s.positions,
                                 .node_ids = base->ids,
                                 .n_global = base->n_global};
  HG_TRY(hg_links_create_sums(&asked, base->world, base->links, &wanted));
  HG_TRY(hg_links_create_some(&reduced->sources, base->world, base->part, s.crosses));
  HG_TRY_ALL(base->world, "preparing partial rows", build(reduced, &s, &asked));
  HG_TRY(fetch_places(reduced));
  point(reduced);
done:
  search_free(&s);
  hg_links_free(&asked);
  if (rc != HG_OK) hg_prereduced_free(reduced);
  return rc;
}

void hg_prereduced_free(hg_prereduced *reduced)
{
  hg_links_free(&reduced->sources);
  hg_links_free(&reduced->partials);
  hg_free(&reduced->touched);
  hg_csr_free(&reduced->a);
  hg_csr_free(&reduced->transposed);
  hg_free(&reduced->positions);
  hg_free(&reduced->row_scale);
}

hg_lid hg_prereduced_most(const hg_links *links, int f_in, int f_out)
{
  hg_off sent = links->send_offsets[links->n_peers_send], received = links->recv_offsets[links->n_peers_recv];
  hg_off most = sent * f_in / f_out;
  return (hg_lid)(most < received ? most : received);
}

size_t hg_prereduced_bytes(const hg_links *links, hg_off edges, int dims, int f_in, int f_out)
{
  hg_off n_local = (hg_off)links->n_owned + links->n_halo, most = hg_prereduced_most(links, f_in, f_out);
  size_t pointers = (size_t)(2 * n_local + most + 2) * sizeof(hg_off);
  size_t places = (size_t)(n_local + most) * (size_t)(dims + 1) * sizeof(hg_real);
  return pointers + 2 * (size_t)edges * sizeof(hg_lid) + places + 2 * (size_t)most * sizeof(hg_lid) +
         (size_t)links->n_halo * sizeof(hg_lid);
}

hg_status hg_partial_rows_create(hg_partial_rows *partial, const hg_prereduced *reduced)
{
  hg_world *world = reduced->base->world;
  hg_off rows = (hg_off)reduced->n_touched + reduced->n_partial;
  hg_matrix *m = &partial->rows;
  hg_status rc = HG_OK;
  *partial = (hg_partial_rows){.reduced = reduced};
  HG_TRY_ALL(world, "allocating a layer", hg_matrix_create(m, rows, reduced->f_out, "partial rows"));
  HG_TRY(hg_exchange_create(&partial->push, world, &reduced->partials, HG_ADD_HALO, m, PUSH_SLOT));
  HG_TRY(hg_exchange_create(&partial->pull, world, &reduced->partials, HG_FILL_HALO, m, PULL_SLOT));
done:
  return rc;
}

void hg_partial_rows_free(hg_partial_rows *partial)
{
  hg_exchange_free(&partial->push);
  hg_exchange_free(&partial->pull);
  hg_matrix_free(&partial->rows);
  hg_free(&partial->d_positions);
  partial->reduced = NULL;
}

size_t hg_partial_rows_bytes(const hg_links *links, int f_in, int f_out)
{
  hg_lid most = hg_prereduced_most(links, f_in, f_out);
  const hg_links partials = {.send_offsets = &most, .recv_offsets = &most};
  const hg_exchange_packing reals = {.format = HG_PACK_REAL};
  return 2 * (size_t)most * (size_t)f_out * sizeof(hg_real) + hg_exchange_bytes(&partials, HG_ADD_HALO, f_out, &reals) +
         hg_exchange_bytes(&partials, HG_FILL_HALO, f_out, &reals);
}

hg_matrix hg_partial_rows_here(const hg_partial_rows *partial)
{
  return hg_matrix_rows(&partial->rows, partial->reduced->n_touched, partial->reduced->n_partial);
}

hg_status hg_partial_rows_place(hg_partial_rows *partial)
{
  const hg_local_graph *g = partial->reduced->base;
  hg_off rows = (hg_off)g->n_local + partial->reduced->n_partial;
  hg_free(&partial->d_positions); // of a gradient that failed
  return HG_ALLOC(partial->d_positions, rows * g->n_dims, "gradient of positions");
}

hg_status hg_partial_rows_add_places(hg_partial_rows *partial, hg_real *d_positions)
{
  const hg_prereduced *r = partial->reduced;
  hg_world *world = r->base->world;
  hg_off dims = r->base->n_dims, here = r->n_partial * dims;
  hg_matrix m = {0};
  hg_exchange *exchange = NULL;
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "allocating the gradient of positions",
             hg_matrix_create(&m, (hg_off)r->n_touched + r->n_partial, (int)dims, "gradient of positions"));
  HG_TRY(hg_exchange_create(&exchange, world, &r->partials, HG_ADD_HALO, &m, 0));
  if (here > 0)
    memcpy(m.data + r->n_touched * dims, partial->d_positions + r->base->n_local * dims, (size_t)here * sizeof *m.data);
  hg_exchange_begin(exchange);
  hg_exchange_end(exchange);
  for (hg_off k = 0; k < r->n_touched; k++)
    for (hg_off d = 0; d < dims; d++) d_positions[r->touched[k] * dims + d] += m.data[k * dims + d];
done:
  hg_exchange_free(&exchange);
  hg_matrix_free(&m);
  hg_free(&partial->d_positions);
  return rc;
}

void hg_partial_rows_push(hg_partial_rows *partial)
{
  size_t others = (size_t)partial->reduced->n_touched * (size_t)partial->rows.cols * sizeof(hg_real);
  if (others > 0) memset(partial->rows.data, 0, others);
  hg_exchange_begin(partial->push);
}

void hg_partial_rows_add(hg_partial_rows *partial, hg_matrix *z)
{
  hg_off f = partial->rows.cols;
  hg_exchange_end(partial->push);
  for (hg_off k = 0; k < partial->reduced->n_touched; k++) {
    hg_real *row = z->data + partial->reduced->touched[k] * f;
    for (hg_off c = 0; c < f; c++) row[c] += partial->rows.data[k * f + c];
  }
}

void hg_partial_rows_pull(hg_partial_rows *partial, const hg_matrix *d_z)
{
  hg_off f = partial->rows.cols;
  for (hg_off k = 0; k < partial->reduced->n_touched; k++)
    memcpy(partial->rows.data + k * f, d_z->data + partial->reduced->touched[k] * f, (size_t)f * sizeof(hg_real));
  hg_exchange_begin(partial->pull);
}
