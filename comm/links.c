#include <inttypes.h>

#include "comm/exchange.h"
#include "comm/host_routes.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/hash.h"

// What the ranks tell each other while the links are made; counts per rank, then positions as MPI_Alltoallv wants
// them.
typedef struct {
  int *needs, *needs_at; // [P], [P + 1] halo rows that each rank owns for us
  int *asked, *asked_at; // [P], [P + 1] owned rows that each rank asks of us
  hg_gid *asked_ids;     // [asked_at[P]]
} requests;

static void requests_free(requests *r)
{
  hg_free(&r->needs);
  hg_free(&r->needs_at);
  hg_free(&r->asked);
  hg_free(&r->asked_at);
  hg_free(&r->asked_ids);
}

static hg_status check_part(const hg_world *world, const hg_part *part)
{
  int size = hg_world_size(world), rank = hg_world_rank(world);
  if (part->n_parts != size)
    return hg_fail(HG_ERR_INPUT, "the graph is in %d parts, but %d ranks run; partition it for %d", part->n_parts, size,
                   size);
  if (part->part != rank) return hg_fail(HG_ERR_INPUT, "rank %d holds part %d instead of its own", rank, part->part);
  if (part->halo_offsets[size] != part->n_halo)
    return hg_fail(HG_ERR_INTERNAL, "part %d has %d halo nodes, but %d of them have an owner", rank, part->n_halo,
                   part->halo_offsets[size]);
  if (part->halo_offsets[rank] != part->halo_offsets[rank + 1])
    return hg_fail(HG_ERR_INTERNAL, "part %d lists %d of its own nodes as halo", rank,
                   part->halo_offsets[rank + 1] - part->halo_offsets[rank]);
  return HG_OK;
}

static hg_status count_needs(requests *r, const hg_part *part)
{
  hg_status rc = HG_OK;
  int n_ranks = part->n_parts;
  HG_TRY(HG_ALLOC(r->needs, n_ranks, "halo counts"));
  HG_TRY(HG_ALLOC(r->needs_at, n_ranks + 1, "halo counts"));
  HG_TRY(HG_ALLOC(r->asked, n_ranks, "send counts"));
  HG_TRY(HG_ALLOC(r->asked_at, n_ranks + 1, "send counts"));
  for (int q = 0; q < n_ranks; q++) {
    r->needs[q] = part->halo_offsets[q + 1] - part->halo_offsets[q];
    r->needs_at[q + 1] = r->needs_at[q] + r->needs[q];
  }
done:
  return rc;
}

static hg_status place_asked(requests *r, int n_ranks)
{
  hg_status rc = HG_OK;
  int64_t total = 0;
  for (int q = 0; q < n_ranks; q++) {
    total += r->asked[q];
    HG_TRY(hg_to_i32(&r->asked_at[q + 1], total, "rows that other ranks need"));
  }
  HG_TRY(HG_ALLOC(r->asked_ids, total, "ids that other ranks need"));
done:
  return rc;
}

static int count_peers(const int *counts, int n_ranks)
{
  int n = 0;
  for (int q = 0; q < n_ranks; q++) n += counts[q] > 0;
  return n;
}

static hg_status fill_peers(int **peers, hg_lid **offsets, int *n_peers, const int *counts, int n_ranks)
{
  hg_status rc = HG_OK;
  *n_peers = count_peers(counts, n_ranks);
  HG_TRY(HG_ALLOC(*peers, *n_peers, "peers"));
  HG_TRY(HG_ALLOC(*offsets, *n_peers + 1, "peers' rows"));
  for (int q = 0, k = 0; q < n_ranks; q++) {
    if (counts[q] == 0) continue;
    (*peers)[k] = q;
    (*offsets)[k + 1] = (*offsets)[k] + counts[q];
    k++;
  }
done:
  return rc;
}

static hg_status fill_links(hg_links *links, const requests *r, const hg_part *part)
{
  hg_status rc = HG_OK;
  int n_ranks = part->n_parts;
  links->n_owned = part->n_owned;
  links->n_halo = part->n_halo;
  HG_TRY(fill_peers(&links->recv_peers, &links->recv_offsets, &links->n_peers_recv, r->needs, n_ranks));
  HG_TRY(fill_peers(&links->send_peers, &links->send_offsets, &links->n_peers_send, r->asked, n_ranks));
  HG_TRY(HG_ALLOC(links->send_rows, r->asked_at[n_ranks], "send lists"));
  for (int q = 0; q < n_ranks; q++) {
    for (int e = r->asked_at[q]; e < r->asked_at[q + 1]; e++) {
      hg_gid id = r->asked_ids[e];
      if (id < part->first || id >= part->first + part->n_owned)
        HG_TRY(hg_fail(HG_ERR_INTERNAL,
                       "rank %d asks for node %" PRId64 ", but nodes %" PRId64 " to %" PRId64 " are here", q, id,
                       part->first, part->first + part->n_owned - 1));
      links->send_rows[e] = (hg_lid)(id - part->first);
    }
  }
done:
  return rc;
}

// Depends on the order, so that two lists of the same ids in another order differ.
static int64_t mix(int64_t sum, hg_gid id) { return (int64_t)hg_hash_word((uint64_t)sum, (uint64_t)id + 1); }

// What one rank says about the rows that another gets from it.
typedef struct {
  int64_t count, checksum; // of the global ids
  int64_t first, end;      // the nodes that it owns
} digest;

enum { DIGEST_NUMBERS = sizeof(digest) / sizeof(int64_t) };

static void digest_sent(digest *sent, const hg_links *links, const hg_part *part)
{
  for (int q = 0; q < part->n_parts; q++) sent[q] = (digest){0, 0, part->first, part->first + part->n_owned};
  for (int k = 0; k < links->n_peers_send; k++) {
    digest *d = &sent[links->send_peers[k]];
    for (hg_lid e = links->send_offsets[k]; e < links->send_offsets[k + 1]; e++) {
      d->count++;
      d->checksum = mix(d->checksum, part->first + links->send_rows[e]);
    }
  }
}

static hg_status check_received(const digest *said, const hg_part *part)
{
  for (int q = 0; q < part->n_parts; q++) {
    const digest *d = &said[q];
    int64_t count = 0, checksum = 0;
    if (d->first != part->owner_first[q] || d->end != part->owner_first[q + 1])
      return hg_fail(HG_ERR_INTERNAL,
                     "rank %d owns nodes %" PRId64 " to %" PRId64 ", but here it owns %" PRId64 " to %" PRId64, q,
                     d->first, d->end - 1, part->owner_first[q], part->owner_first[q + 1] - 1);
    for (hg_lid h = part->halo_offsets[q]; h < part->halo_offsets[q + 1]; h++, count++)
      checksum = mix(checksum, part->halo_ids[h]);
    if (d->count != count || d->checksum != checksum)
      return hg_fail(HG_ERR_INTERNAL,
                     "rank %d will send %" PRId64 " nodes with checksum %" PRIx64 ", but %" PRId64 " with %" PRIx64
                     " are expected",
                     q, d->count, (uint64_t)d->checksum, count, (uint64_t)checksum);
  }
  return HG_OK;
}

static hg_status verify(const hg_links *links, hg_world *world, const hg_part *part)
{
  hg_status rc = HG_OK;
  digest *sent = NULL; // what is said to each rank, then what each rank says
  HG_TRY_ALL(world, "checking send lists", HG_ALLOC(sent, 2 * (hg_off)part->n_parts, "checksums of send lists"));
  digest *said = sent + part->n_parts;
  digest_sent(sent, links, part);
  MPI_Alltoall(sent, DIGEST_NUMBERS, MPI_INT64_T, said, DIGEST_NUMBERS, MPI_INT64_T, hg_world_comm(world));
  HG_TRY_ALL(world, "checking send lists", check_received(said, part));
done:
  hg_free(&sent);
  return rc;
}

hg_status hg_links_create(hg_links *links, hg_world *world, const hg_part *part)
{
  hg_status rc = HG_OK;
  requests r = {0};
  MPI_Comm comm = hg_world_comm(world);
  *links = (hg_links){0};
  HG_TRY_ALL(world, "linking parts", check_part(world, part));
  HG_TRY_ALL(world, "linking parts", count_needs(&r, part));
  MPI_Alltoall(r.needs, 1, MPI_INT, r.asked, 1, MPI_INT, comm);
  HG_TRY_ALL(world, "linking parts", place_asked(&r, part->n_parts));
  MPI_Alltoallv(part->halo_ids, r.needs, r.needs_at, MPI_INT64_T, r.asked_ids, r.asked, r.asked_at, MPI_INT64_T, comm);
  HG_TRY_ALL(world, "linking parts", fill_links(links, &r, part));
  HG_TRY(verify(links, world, part));
done:
  requests_free(&r);
  if (rc != HG_OK) hg_links_free(links);
  return rc;
}

// `part` with those halo nodes alone that are needed; its own are ids and offsets. rows: which they are
static hg_status choose_halo(hg_part *some, const hg_part *part, const bool *needed, hg_lid **rows)
{
  hg_status rc = HG_OK;
  *some = *part;
  some->halo_ids = NULL;
  some->halo_offsets = NULL;
  some->n_halo = 0;
  HG_TRY(HG_ALLOC(some->halo_ids, part->n_halo, "needed halo ids"));
  HG_TRY(HG_ALLOC(some->halo_offsets, (hg_off)part->n_parts + 1, "needed halo offsets"));
  HG_TRY(HG_ALLOC(*rows, part->n_halo, "needed halo rows"));
  for (int q = 0; q < part->n_parts; q++) {
    for (hg_lid h = part->halo_offsets[q]; h < part->halo_offsets[q + 1]; h++) {
      if (!needed[h]) continue;
      (*rows)[some->n_halo] = h;
      some->halo_ids[some->n_halo++] = part->halo_ids[h];
    }
    some->halo_offsets[q + 1] = some->n_halo;
  }
done:
  return rc;
}

hg_status hg_links_create_some(hg_links *links, hg_world *world, const hg_part *part, const bool *needed)
{
  hg_status rc = HG_OK;
  hg_part some = {0};
  hg_lid *rows = NULL;
  *links = (hg_links){0};
  HG_TRY_ALL(world, "linking parts", choose_halo(&some, part, needed, &rows));
  HG_TRY(hg_links_create(links, world, &some));
  links->n_halo = part->n_halo;
  links->recv_rows = rows;
  rows = NULL;
done:
  hg_free(&rows);
  hg_free(&some.halo_ids);
  hg_free(&some.halo_offsets);
  return rc;
}

void hg_links_free(hg_links *links)
{
  hg_free(&links->send_peers);
  hg_free(&links->send_offsets);
  hg_free(&links->send_rows);
  hg_free(&links->recv_peers);
  hg_free(&links->recv_offsets);
  hg_free(&links->recv_rows);
  hg_link_sums_free(&links->sums);
  hg_host_routes_free(&links->hosts);
  *links = (hg_links){0};
}
