#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "comm/exchange.h"
#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"

// Elements of one type from everybody's send lists to everybody's halo, once. Position of list entry or halo row k in
// its array is at[k], or k itself without it.
typedef struct {
  const void *from;
  const hg_off *from_at; // [send list entries + 1] or NULL
  void *to;
  const hg_off *to_at; // [n_halo + 1] or NULL
  size_t size;         // of an element in bytes
  MPI_Datatype type;
  hg_tag tag;
} transfer;

static hg_off position(const hg_off *at, hg_lid k) { return at ? at[k] : k; }

static hg_status check_counts(const hg_off *at, int n_peers, const int *peers, const hg_lid *offsets)
{
  for (int p = 0; p < n_peers; p++) {
    hg_off n = position(at, offsets[p + 1]) - position(at, offsets[p]);
    if (n > INT_MAX)
      return hg_fail(HG_ERR_INPUT,
                     "a message between this rank and rank %d would have %" PRId64 " entries; at most %d are possible",
                     peers[p], n, INT_MAX);
  }
  return HG_OK;
}

static hg_status prepare(MPI_Request **requests, const transfer *t, const hg_links *links)
{
  hg_status rc = HG_OK;
  HG_TRY(check_counts(t->from_at, links->n_peers_send, links->send_peers, links->send_offsets));
  HG_TRY(check_counts(t->to_at, links->n_peers_recv, links->recv_peers, links->recv_offsets));
  HG_TRY(HG_ALLOC(*requests, links->n_peers_send + links->n_peers_recv, "requests"));
done:
  return rc;
}

static hg_status run(const transfer *t, hg_world *world, const hg_links *links)
{
  hg_status rc = HG_OK;
  MPI_Request *requests = NULL;
  MPI_Comm comm = hg_world_comm(world);
  int n = 0;
  HG_TRY_ALL(world, "exchanging rows", prepare(&requests, t, links));
  for (int p = 0; p < links->n_peers_recv; p++) {
    hg_off first = position(t->to_at, links->recv_offsets[p]), end = position(t->to_at, links->recv_offsets[p + 1]);
    MPI_Irecv((char *)t->to + (size_t)first * t->size, (int)(end - first), t->type, links->recv_peers[p], (int)t->tag,
              comm, &requests[n++]);
  }
  for (int p = 0; p < links->n_peers_send; p++) {
    hg_off first = position(t->from_at, links->send_offsets[p]), end = position(t->from_at, links->send_offsets[p + 1]);
    MPI_Isend((const char *)t->from + (size_t)first * t->size, (int)(end - first), t->type, links->send_peers[p],
              (int)t->tag, comm, &requests[n++]);
  }
  MPI_Waitall(n, requests, MPI_STATUSES_IGNORE);
done:
  hg_free(&requests);
  return rc;
}

// The rows of the send lists, gathered out of x, and where the halo rows will lie.
typedef struct {
  hg_off *lengths;    // [entries of the send lists]
  hg_off *at;         // [entries + 1] into indices and values
  hg_lid *indices;    // what is sent
  hg_real *values;    // NULL when x has none
  hg_off *halo_at;    // [n_halo + 1] into the halo's entries
  hg_off *halo_sizes; // [n_halo]
} row_lists;

static void row_lists_free(row_lists *r)
{
  hg_free(&r->lengths);
  hg_free(&r->at);
  hg_free(&r->indices);
  hg_free(&r->values);
  hg_free(&r->halo_at);
  hg_free(&r->halo_sizes);
}

static hg_status pack_rows(row_lists *r, const hg_links *links, const hg_csr *x)
{
  hg_status rc = HG_OK;
  hg_lid n = links->send_offsets[links->n_peers_send];
  if (x->n_rows != links->n_owned)
    HG_TRY(
        hg_fail(HG_ERR_INTERNAL, "sparse rows of %" PRId64 " nodes, but the part owns %d", x->n_rows, links->n_owned));
  HG_TRY(HG_ALLOC(r->lengths, n, "lengths of sent rows"));
  HG_TRY(HG_ALLOC(r->at, n + 1, "offsets of sent rows"));
  HG_TRY(HG_ALLOC(r->halo_sizes, links->n_halo, "lengths of halo rows"));
  HG_TRY(HG_ALLOC(r->halo_at, links->n_halo + 1, "offsets of halo rows"));
  for (hg_lid k = 0; k < n; k++) {
    hg_lid row = links->send_rows[k];
    r->lengths[k] = x->indptr[row + 1] - x->indptr[row];
    r->at[k + 1] = r->at[k] + r->lengths[k];
  }
  HG_TRY(HG_ALLOC(r->indices, r->at[n], "columns of sent rows"));
  if (x->values) HG_TRY(HG_ALLOC(r->values, r->at[n], "values of sent rows"));
  for (hg_lid k = 0; k < n; k++) {
    hg_off from = x->indptr[links->send_rows[k]];
    memcpy(r->indices + r->at[k], x->indices + from, (size_t)r->lengths[k] * sizeof *r->indices);
    if (x->values) memcpy(r->values + r->at[k], x->values + from, (size_t)r->lengths[k] * sizeof *r->values);
  }
done:
  return rc;
}

// A copy of x with room for the halo rows' entries behind its own.
static hg_status grow(hg_csr *grown, row_lists *r, const hg_links *links, const hg_csr *x)
{
  hg_status rc = HG_OK;
  hg_off own = hg_csr_entries(x);
  for (hg_lid h = 0; h < links->n_halo; h++) r->halo_at[h + 1] = r->halo_at[h] + r->halo_sizes[h];
  HG_TRY(hg_csr_create(grown, x->n_rows + links->n_halo, x->n_cols, own + r->halo_at[links->n_halo], x->values != NULL,
                       "sparse rows with halo"));
  memcpy(grown->indptr, x->indptr, (size_t)(x->n_rows + 1) * sizeof *x->indptr);
  for (hg_lid h = 0; h < links->n_halo; h++) grown->indptr[x->n_rows + h + 1] = own + r->halo_at[h + 1];
  if (own > 0) {
    memcpy(grown->indices, x->indices, (size_t)own * sizeof *x->indices);
    if (x->values) memcpy(grown->values, x->values, (size_t)own * sizeof *x->values);
  }
done:
  return rc;
}

hg_status hg_exchange_csr_rows(hg_world *world, const hg_links *links, hg_csr *x)
{
  hg_status rc = HG_OK;
  row_lists r = {0};
  hg_csr grown = {0};
  HG_TRY(hg_world_same(world, x->n_cols, "columns of sparse rows"));
  HG_TRY(hg_world_same(world, x->values != NULL, "presence of values in sparse rows"));
  HG_TRY_ALL(world, "packing sparse rows", pack_rows(&r, links, x));
  transfer lengths = {r.lengths, NULL, r.halo_sizes, NULL, sizeof(hg_off), MPI_INT64_T, HG_TAG_ROW_LENGTHS};
  HG_TRY(run(&lengths, world, links));
  HG_TRY_ALL(world, "making room for sparse rows", grow(&grown, &r, links, x));
  hg_off own = hg_csr_entries(x);
  transfer columns = {r.indices, r.at, grown.indices + own, r.halo_at, sizeof(hg_lid), MPI_INT32_T, HG_TAG_ROW_INDICES};
  HG_TRY(run(&columns, world, links));
  if (x->values) {
    transfer values = {r.values, r.at, grown.values + own, r.halo_at, sizeof(hg_real), HG_MPI_REAL, HG_TAG_ROW_VALUES};
    HG_TRY(run(&values, world, links));
  }
  hg_csr_free(x);
  *x = grown;
  grown = (hg_csr){0};
done:
  row_lists_free(&r);
  hg_csr_free(&grown);
  return rc;
}

hg_status hg_exchange_floats_back(hg_world *world, const hg_links *links, const float *halo, float *lists)
{
  hg_links back = *links; // who receives sends
  back.n_peers_send = links->n_peers_recv, back.send_peers = links->recv_peers;
  back.send_offsets = links->recv_offsets;
  back.n_peers_recv = links->n_peers_send, back.recv_peers = links->send_peers;
  back.recv_offsets = links->send_offsets;
  transfer t = {halo, NULL, lists, NULL, sizeof(float), MPI_FLOAT, HG_TAG_FLOATS_BACK};
  return run(&t, world, &back);
}

hg_status hg_exchange_ids(hg_world *world, const hg_links *links, hg_gid *ids)
{
  hg_status rc = HG_OK;
  hg_gid *packed = NULL;
  hg_lid n = links->send_offsets[links->n_peers_send];
  HG_TRY_ALL(world, "exchanging ids", HG_ALLOC(packed, n, "sent ids"));
  for (hg_lid k = 0; k < n; k++) packed[k] = ids[links->send_rows[k]];
  transfer t = {packed, NULL, ids + links->n_owned, NULL, sizeof(hg_gid), MPI_INT64_T, HG_TAG_IDS};
  HG_TRY(run(&t, world, links));
done:
  hg_free(&packed);
  return rc;
}
