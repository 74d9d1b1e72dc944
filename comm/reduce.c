#include "comm/reduce.h"

#include <string.h>

#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"

enum { PIECE = 1 << 30 }; // elements or bytes of one MPI call, whose counts are ints

static int piece_of(hg_off left) { return left < PIECE ? (int)left : PIECE; }

void hg_sum_doubles(hg_world *world, double *values, int n)
{
  if (!world) return;
  MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_DOUBLE, MPI_SUM, hg_world_comm(world));
}

void hg_sum_int64(hg_world *world, int64_t *values, int n)
{
  MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_INT64_T, MPI_SUM, hg_world_comm(world));
}

void hg_max_doubles(hg_world *world, double *values, int n)
{
  MPI_Allreduce(MPI_IN_PLACE, values, n, MPI_DOUBLE, MPI_MAX, hg_world_comm(world));
}

void hg_sum_reals(hg_world *world, hg_real *values, hg_off n)
{
  for (hg_off at = 0; at < n; at += PIECE)
    MPI_Allreduce(MPI_IN_PLACE, values + at, piece_of(n - at), HG_MPI_REAL, MPI_SUM, hg_world_comm(world));
}

struct hg_sums {
  MPI_Comm comm;
  int n;
  MPI_Request requests[HG_SUMS_MAX];
};

hg_status hg_sums_create(hg_sums **sums, hg_world *world)
{
  hg_status rc = HG_ALLOC(*sums, 1, "sums under way");
  if (rc == HG_OK) (*sums)->comm = hg_world_comm(world);
  return rc;
}

void hg_sums_free(hg_sums **sums)
{
  if (!*sums) return;
  hg_sums_end(*sums);
  hg_free(sums);
}

void hg_sums_begin(hg_sums *sums, hg_real *values, hg_off n)
{
  for (hg_off at = 0; at < n; at += PIECE) {
    if (sums->n == HG_SUMS_MAX) hg_sums_end(sums);
    MPI_Iallreduce(MPI_IN_PLACE, values + at, piece_of(n - at), HG_MPI_REAL, MPI_SUM, sums->comm,
                   &sums->requests[sums->n]);
    sums->n++;
  }
}

void hg_sums_progress(hg_sums *sums)
{
  int done;
  MPI_Testall(sums->n, sums->requests, &done, MPI_STATUSES_IGNORE);
}

void hg_sums_end(hg_sums *sums)
{
  for (int k = 0; k < sums->n; k++) MPI_Wait(&sums->requests[k], MPI_STATUS_IGNORE);
  sums->n = 0;
}

void hg_broadcast(hg_world *world, void *data, size_t bytes, int root)
{
  for (size_t at = 0; at < bytes; at += PIECE)
    MPI_Bcast((char *)data + at, piece_of((hg_off)(bytes - at)), MPI_BYTE, root, hg_world_comm(world));
}

static hg_status make_room(void **all, size_t **offsets, const int64_t *sizes, int n_ranks)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(*offsets, n_ranks + 1, "offsets of gathered data"));
  for (int q = 0; q < n_ranks; q++) (*offsets)[q + 1] = (*offsets)[q] + (size_t)sizes[q];
  HG_TRY(hg_alloc(all, (hg_off)(*offsets)[n_ranks], 1, "gathered data"));
done:
  return rc;
}

static void receive_bytes(hg_world *world, char *to, size_t bytes, int source)
{
  for (size_t at = 0; at < bytes; at += PIECE)
    MPI_Recv(to + at, piece_of((hg_off)(bytes - at)), MPI_BYTE, source, HG_TAG_GATHER, hg_world_comm(world),
             MPI_STATUS_IGNORE);
}

static void send_bytes(hg_world *world, const char *from, size_t bytes, int target)
{
  for (size_t at = 0; at < bytes; at += PIECE)
    MPI_Send(from + at, piece_of((hg_off)(bytes - at)), MPI_BYTE, target, HG_TAG_GATHER, hg_world_comm(world));
}

hg_status hg_gather(hg_world *world, const void *mine, size_t bytes, void **all, size_t **offsets)
{
  hg_status rc = HG_OK;
  int rank = hg_world_rank(world), n_ranks = hg_world_size(world);
  int64_t size = (int64_t)bytes, *sizes = NULL;
  *all = NULL;
  *offsets = NULL;
  HG_TRY_ALL(world, "gathering sizes", rank == 0 ? HG_ALLOC(sizes, n_ranks, "sizes of gathered data") : HG_OK);
  MPI_Gather(&size, 1, MPI_INT64_T, sizes, 1, MPI_INT64_T, 0, hg_world_comm(world));
  HG_TRY_ALL(world, "gathering data", rank == 0 ? make_room(all, offsets, sizes, n_ranks) : HG_OK);
  if (rank != 0) {
    send_bytes(world, mine, bytes, 0);
  } else {
    if (*all && bytes > 0) memcpy(*all, mine, bytes);
    for (int q = 1; q < n_ranks; q++) receive_bytes(world, (char *)*all + (*offsets)[q], (size_t)sizes[q], q);
  }
done:
  hg_free(&sizes);
  if (rc != HG_OK) {
    hg_free(all);
    hg_free(offsets);
  }
  return rc;
}

void hg_barrier(hg_world *world) { MPI_Barrier(hg_world_comm(world)); }
