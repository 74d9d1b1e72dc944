#include "comm/link_sums.h"

#include <inttypes.h>
#include <string.h>

#include "comm/exchange.h"
#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"

enum { ROWS, NUMBERS, COUNTS }; // what is said first: rows wanted, and numbers that tell what they are

// The lists that cross while links are made, by peers: what we want, and what is asked of us.
typedef struct {
  int *wanted_counts, *asked_counts; // [COUNTS x peers]
  hg_lid *wanted, *asked;            // a peer's lengths, then its positions
  hg_off *wanted_at, *asked_at;      // [peers + 1]
  MPI_Request *requests;
} talk;

static void talk_free(talk *t)
{
  hg_free(&t->wanted_counts);
  hg_free(&t->asked_counts);
  hg_free(&t->wanted);
  hg_free(&t->asked);
  hg_free(&t->wanted_at);
  hg_free(&t->asked_at);
  hg_free(&t->requests);
}

static hg_lid nodes_in(hg_lid length) { return length > 0 ? length : 1; }

static hg_status prepare_wanted(talk *t, const hg_links *base, const hg_sums_wanted *w)
{
  hg_status rc = HG_OK;
  int n_get = base->n_peers_recv, n_give = base->n_peers_send;
  hg_lid rows = w->offsets[n_get];
  hg_off numbers = rows, at = 0, position = 0;
  for (hg_lid r = 0; r < rows; r++) numbers += nodes_in(w->lengths[r]);
  HG_TRY(HG_ALLOC(t->wanted_counts, COUNTS * (hg_off)n_get, "rows wanted"));
  HG_TRY(HG_ALLOC(t->asked_counts, COUNTS * (hg_off)n_give, "rows asked for"));
  HG_TRY(HG_ALLOC(t->wanted_at, (hg_off)n_get + 1, "rows wanted"));
  HG_TRY(HG_ALLOC(t->wanted, numbers, "rows wanted"));
  HG_TRY(HG_ALLOC(t->requests, (hg_off)n_get + n_give, "requests"));
  for (int p = 0; p < n_get; p++) {
    hg_lid n = w->offsets[p + 1] - w->offsets[p], nodes = 0;
    for (hg_lid r = w->offsets[p]; r < w->offsets[p + 1]; r++) nodes += nodes_in(w->lengths[r]);
    if (n > 0) memcpy(t->wanted + at, w->lengths + w->offsets[p], (size_t)n * sizeof *t->wanted);
    if (nodes > 0) memcpy(t->wanted + at + n, w->positions + position, (size_t)nodes * sizeof *t->wanted);
    at += n + nodes;
    position += nodes;
    t->wanted_at[p + 1] = at;
    t->wanted_counts[COUNTS * p + ROWS] = n;
    HG_TRY(hg_to_i32(&t->wanted_counts[COUNTS * p + NUMBERS], n + nodes, "numbers that tell a rank what to send"));
  }
done:
  return rc;
}

static hg_status prepare_asked(talk *t, const hg_links *base)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(t->asked_at, (hg_off)base->n_peers_send + 1, "rows asked for"));
  for (int p = 0; p < base->n_peers_send; p++)
    t->asked_at[p + 1] = t->asked_at[p] + t->asked_counts[COUNTS * p + NUMBERS];
  HG_TRY(HG_ALLOC(t->asked, t->asked_at[base->n_peers_send], "rows asked for"));
done:
  return rc;
}

// what each rank wants goes to those who have it: against the direction of the exchange
static void swap_counts(talk *t, hg_world *world, const hg_links *base)
{
  MPI_Comm comm = hg_world_comm(world);
  int n = 0;
  for (int p = 0; p < base->n_peers_send; p++)
    MPI_Irecv(t->asked_counts + COUNTS * p, COUNTS, MPI_INT, base->send_peers[p], HG_TAG_SUM_COUNTS, comm,
              &t->requests[n++]);
  for (int p = 0; p < base->n_peers_recv; p++)
    MPI_Isend(t->wanted_counts + COUNTS * p, COUNTS, MPI_INT, base->recv_peers[p], HG_TAG_SUM_COUNTS, comm,
              &t->requests[n++]);
  MPI_Waitall(n, t->requests, MPI_STATUSES_IGNORE);
}

static void swap_lists(talk *t, hg_world *world, const hg_links *base)
{
  MPI_Comm comm = hg_world_comm(world);
  int n = 0;
  for (int p = 0; p < base->n_peers_send; p++)
    MPI_Irecv(t->asked + t->asked_at[p], t->asked_counts[COUNTS * p + NUMBERS], MPI_INT32_T, base->send_peers[p],
              HG_TAG_SUM_LISTS, comm, &t->requests[n++]);
  for (int p = 0; p < base->n_peers_recv; p++)
    MPI_Isend(t->wanted + t->wanted_at[p], t->wanted_counts[COUNTS * p + NUMBERS], MPI_INT32_T, base->recv_peers[p],
              HG_TAG_SUM_LISTS, comm, &t->requests[n++]);
  MPI_Waitall(n, t->requests, MPI_STATUSES_IGNORE);
}

// peers with rows, and where these begin
static hg_status list_peers(int **peers, hg_lid **offsets, int *n, const int *all, int n_all, const int *rows)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(*peers, n_all, "peers"));
  HG_TRY(HG_ALLOC(*offsets, (hg_off)n_all + 1, "peers' rows"));
  for (int p = 0; p < n_all; p++) {
    if (rows[COUNTS * p + ROWS] == 0) continue;
    (*peers)[*n] = all[p];
    (*offsets)[*n + 1] = (*offsets)[*n] + rows[COUNTS * p + ROWS];
    (*n)++;
  }
done:
  return rc;
}

static hg_status link_rows(hg_links *links, const talk *t, const hg_links *base, const hg_sums_wanted *w)
{
  hg_status rc = HG_OK;
  hg_lid received = w->offsets[base->n_peers_recv];
  links->n_owned = base->n_owned;
  links->n_halo = base->n_halo;
  HG_TRY(list_peers(&links->send_peers, &links->send_offsets, &links->n_peers_send, base->send_peers,
                    base->n_peers_send, t->asked_counts));
  HG_TRY(list_peers(&links->recv_peers, &links->recv_offsets, &links->n_peers_recv, base->recv_peers,
                    base->n_peers_recv, t->wanted_counts));
  HG_TRY(HG_ALLOC(links->send_rows, links->send_offsets[links->n_peers_send], "send lists"));
  HG_TRY(HG_ALLOC(links->recv_rows, (hg_off)received + 1, "halo rows that cross")); // never NULL: that means all
  if (received > 0) memcpy(links->recv_rows, w->rows, (size_t)received * sizeof *w->rows);
  HG_TRY(HG_ALLOC(links->sums, 1, "sent sums"));
done:
  return rc;
}

// Row `row` of A_to: the nodes at `positions` of what the base sends this peer.
static hg_status add_sum(hg_link_sums *sums, hg_lid row, hg_lid length, const hg_lid *positions, const hg_links *base,
                         int peer, const hg_real *weights)
{
  hg_off at = sums->to.indptr[row];
  hg_lid first = base->send_offsets[peer], n = base->send_offsets[peer + 1] - first;
  for (hg_lid k = 0; k < nodes_in(length); k++, at++) {
    if (positions[k] < 0 || positions[k] >= n)
      return hg_fail(HG_ERR_INTERNAL, "rank %d asks for row %" PRId32 " of %" PRId32, base->send_peers[peer],
                     positions[k], n);
    hg_lid node = base->send_rows[first + positions[k]];
    sums->to.indices[at] = node;
    sums->to.values[at] = length > 0 && weights ? weights[node] : 1;
  }
  sums->to.indptr[row + 1] = at;
  return HG_OK;
}

static hg_status fill_sums(hg_links *links, const talk *t, const hg_links *base, const hg_sums_wanted *w)
{
  hg_link_sums *sums = links->sums;
  hg_lid rows = links->send_offsets[links->n_peers_send], row = 0;
  hg_status rc = HG_OK;
  HG_TRY(hg_csr_create(&sums->to, rows, links->n_owned, t->asked_at[base->n_peers_send] - rows, true, "sent sums"));
  HG_TRY(HG_ALLOC(sums->ids, rows, "ids of sent rows"));
  for (int p = 0; p < base->n_peers_send; p++) {
    hg_lid n = t->asked_counts[COUNTS * p + ROWS];
    const hg_lid *lengths = t->asked + t->asked_at[p], *positions = lengths + n;
    for (hg_lid k = 0; k < n; k++, row++) {
      HG_TRY(add_sum(sums, row, lengths[k], positions, base, p, w->weights));
      positions += nodes_in(lengths[k]);
      links->send_rows[row] = sums->to.indices[sums->to.indptr[row]];
      sums->ids[row] =
          lengths[k] > 0 ? w->n_global * (1 + base->send_peers[p]) + k : w->node_ids[links->send_rows[row]];
    }
  }
done:
  return rc;
}

// The transposed without its empty rows.
static hg_status fill_back(hg_link_sums *sums)
{
  hg_csr all = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_csr_transpose(&all, &sums->to));
  hg_lid n = 0;
  for (hg_off i = 0; i < all.n_rows; i++) n += all.indptr[i + 1] > all.indptr[i];
  HG_TRY(HG_ALLOC(sums->touched, n, "nodes of sent rows"));
  for (hg_off i = 0; i < all.n_rows; i++) {
    if (all.indptr[i + 1] == all.indptr[i]) continue;
    sums->touched[sums->n_touched++] = (hg_lid)i;
    all.indptr[sums->n_touched] = all.indptr[i + 1]; // no later than row i + 1, which is read already
  }
  all.n_rows = n;
  sums->back = all;
  all = (hg_csr){0};
done:
  hg_csr_free(&all);
  return rc;
}

hg_status hg_links_create_sums(hg_links *links, hg_world *world, const hg_links *base, const hg_sums_wanted *wanted)
{
  talk t = {0};
  hg_status rc = HG_OK;
  *links = (hg_links){0};
  HG_TRY_ALL(world, "asking for sums", prepare_wanted(&t, base, wanted));
  swap_counts(&t, world, base);
  HG_TRY_ALL(world, "asking for sums", prepare_asked(&t, base));
  swap_lists(&t, world, base);
  HG_TRY_ALL(world, "asking for sums", link_rows(links, &t, base, wanted));
  HG_TRY_ALL(world, "asking for sums", fill_sums(links, &t, base, wanted));
  HG_TRY_ALL(world, "asking for sums", fill_back(links->sums));
done:
  talk_free(&t);
  if (rc != HG_OK) hg_links_free(links);
  return rc;
}

void hg_link_sums_free(hg_link_sums **sums)
{
  if (!*sums) return;
  hg_csr_free(&(*sums)->to);
  hg_csr_free(&(*sums)->back);
  hg_free(&(*sums)->touched);
  hg_free(&(*sums)->ids);
  hg_free(sums);
}
