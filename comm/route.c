#include "comm/route.h"

#include <inttypes.h>
#include <string.h>

#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"

enum {
  MESSAGE_BYTES = 1 << 30, // of one message at most: MPI counts in int
  PACKED_BYTES = 4 << 20,  // of rows that are packed at a time
};

static size_t at_most(size_t bytes) { return bytes < MESSAGE_BYTES ? bytes : MESSAGE_BYTES; }

// To one rank, from another one, in as many messages as it takes; both may be this rank.
static void trade(hg_world *world, const unsigned char *out, size_t n_out, int to, unsigned char *in, size_t n_in,
                  int from)
{
  if (to == hg_world_rank(world)) {
    if (n_out > 0) memcpy(in, out, n_out);
    return;
  }
  while (n_out > 0 || n_in > 0) {
    size_t now_out = at_most(n_out), now_in = at_most(n_in);
    MPI_Sendrecv(out, (int)now_out, MPI_BYTE, now_out ? to : MPI_PROC_NULL, HG_TAG_ROUTE, in, (int)now_in, MPI_BYTE,
                 now_in ? from : MPI_PROC_NULL, HG_TAG_ROUTE, hg_world_comm(world), MPI_STATUS_IGNORE);
    if (now_out > 0) out += now_out;
    if (now_in > 0) in += now_in;
    n_out -= now_out;
    n_in -= now_in;
  }
}

void hg_route_offsets(hg_world *world, const hg_off *send, hg_off *arrive)
{
  int ranks = hg_world_size(world), rank = hg_world_rank(world);
  arrive[0] = 0;
  for (int step = 0; step < ranks; step++) {
    int to = (rank + step) % ranks, from = (rank - step + ranks) % ranks;
    hg_off count = send[to + 1] - send[to], found = 0;
    trade(world, (const unsigned char *)&count, sizeof count, to, (unsigned char *)&found, sizeof found, from);
    arrive[from + 1] = found;
  }
  for (int r = 0; r < ranks; r++) arrive[r + 1] += arrive[r];
}

void hg_route_swap(hg_world *world, const void *out, const hg_off *send, void *in, const hg_off *arrive, size_t bytes)
{
  int ranks = hg_world_size(world), rank = hg_world_rank(world);
  for (int step = 0; step < ranks; step++) {
    int to = (rank + step) % ranks, from = (rank - step + ranks) % ranks;
    trade(world, (const unsigned char *)out + (size_t)send[to] * bytes, (size_t)(send[to + 1] - send[to]) * bytes, to,
          (unsigned char *)in + (size_t)arrive[from] * bytes, (size_t)(arrive[from + 1] - arrive[from]) * bytes, from);
  }
}

hg_status hg_route_create(hg_route *route, hg_world *world, const int32_t *to, hg_off n)
{
  int ranks = hg_world_size(world);
  hg_status rc = HG_OK;
  *route = (hg_route){.world = world, .n_in = n};
  rc = HG_ALLOC(route->send, (hg_off)ranks + 2, "items for each rank");
  if (rc == HG_OK) rc = HG_ALLOC(route->arrive, (hg_off)ranks + 1, "items of each rank");
  if (rc == HG_OK) rc = HG_ALLOC(route->order, n, "items by rank");
  HG_TRY_ALL(world, "moving rows", rc);
  hg_off *next = route->send + 1; // becomes the ends as it fills
  for (hg_off i = 0; i < n; i++) next[to[i] + 1]++;
  for (int r = 0; r < ranks; r++) next[r + 1] += next[r];
  for (hg_off i = 0; i < n; i++) route->order[next[to[i]]++] = (hg_lid)i;
  hg_route_offsets(world, route->send, route->arrive);
  route->n_out = route->arrive[ranks];
done:
  if (rc != HG_OK) hg_route_free(route);
  return rc;
}

void hg_route_free(hg_route *route)
{
  hg_free(&route->order);
  hg_free(&route->send);
  hg_free(&route->arrive);
}

// The most items of one rank
static hg_off largest(const hg_route *route, const hg_off *offsets)
{
  hg_off most = 0;
  for (int r = 0; r < hg_world_size(route->world); r++)
    if (offsets[r + 1] - offsets[r] > most) most = offsets[r + 1] - offsets[r];
  return most;
}

// Items first .. first + n of the order, one after the other
static void pack(const hg_route *route, const unsigned char *in, size_t bytes, hg_off first, hg_off n,
                 unsigned char *packed)
{
  for (hg_off i = 0; i < n; i++)
    memcpy(packed + (size_t)i * bytes, in + (size_t)route->order[first + i] * bytes, bytes);
}

static hg_off least(hg_off a, hg_off b) { return a < b ? a : b; }

hg_status hg_route_move(const hg_route *route, const void *in, size_t bytes, void *out)
{
  int ranks = hg_world_size(route->world), rank = hg_world_rank(route->world);
  hg_off piece = bytes > PACKED_BYTES ? 1 : PACKED_BYTES / (hg_off)(bytes ? bytes : 1); // the same on both sides
  hg_status rc = HG_OK;
  unsigned char *packed = NULL, *arrived = out;
  HG_TRY_ALL(route->world, "moving rows", hg_alloc(&packed, least(piece, route->n_in), bytes, "rows for a rank"));
  for (int step = 0; step < ranks; step++) {
    int to = (rank + step) % ranks, from = (rank - step + ranks) % ranks;
    hg_off at = route->send[to], end = route->send[to + 1], came = route->arrive[from], last = route->arrive[from + 1];
    while (at < end || came < last) {
      hg_off n_out = least(piece, end - at), n_in = least(piece, last - came);
      pack(route, in, bytes, at, n_out, packed);
      trade(route->world, packed, (size_t)n_out * bytes, to, arrived + (size_t)came * bytes, (size_t)n_in * bytes,
            from);
      at += n_out;
      came += n_in;
    }
  }
done:
  hg_free(&packed);
  return rc;
}

hg_status hg_route_back(const hg_route *route, const void *in, size_t bytes, void *out)
{
  int ranks = hg_world_size(route->world), rank = hg_world_rank(route->world);
  hg_status rc = HG_OK;
  unsigned char *packed = NULL;
  HG_TRY_ALL(route->world, "moving rows", hg_alloc(&packed, largest(route, route->send), bytes, "rows of a rank"));
  for (int step = 0; step < ranks; step++) {
    int to = (rank - step + ranks) % ranks, from = (rank + step) % ranks;
    hg_off first = route->send[from], n = route->send[from + 1] - first, came = route->arrive[to];
    trade(route->world, (const unsigned char *)in + (size_t)came * bytes,
          (size_t)(route->arrive[to + 1] - came) * bytes, to, packed, (size_t)n * bytes, from);
    for (hg_off i = 0; i < n; i++)
      memcpy((unsigned char *)out + (size_t)route->order[first + i] * bytes, packed + (size_t)i * bytes, bytes);
  }
done:
  hg_free(&packed);
  return rc;
}

hg_status hg_route_move_pointers(const hg_route *route, const hg_off *indptr, hg_off **moved)
{
  hg_status rc = HG_OK;
  hg_off *lengths = NULL;
  rc = HG_ALLOC(lengths, route->n_in, "lengths of rows");
  if (rc == HG_OK) rc = HG_ALLOC(*moved, route->n_out + 1, "row pointers");
  HG_TRY_ALL(route->world, "moving rows", rc);
  for (hg_off i = 0; i < route->n_in; i++) lengths[i] = indptr[i + 1] - indptr[i];
  HG_TRY(hg_route_move(route, lengths, sizeof *lengths, *moved + 1));
  for (hg_off i = 0; i < route->n_out; i++) (*moved)[i + 1] += (*moved)[i];
done:
  hg_free(&lengths);
  return rc;
}

// Entries of items order[first .. end)
static hg_off entries_of(const hg_route *route, const hg_off *indptr, hg_off first, hg_off end)
{
  hg_off sum = 0;
  for (hg_off i = first; i < end; i++) sum += indptr[route->order[i] + 1] - indptr[route->order[i]];
  return sum;
}

hg_status hg_route_move_entries(const hg_route *route, const hg_off *indptr, const void *in, size_t bytes,
                                const hg_off *moved, void *out)
{
  int ranks = hg_world_size(route->world), rank = hg_world_rank(route->world);
  hg_status rc = HG_OK;
  unsigned char *packed = NULL;
  hg_off most = 0;
  for (int r = 0; r < ranks; r++) {
    hg_off count = entries_of(route, indptr, route->send[r], route->send[r + 1]);
    if (count > most) most = count;
  }
  HG_TRY_ALL(route->world, "moving rows", hg_alloc(&packed, most, bytes, "rows for a rank"));
  for (int step = 0; step < ranks; step++) {
    int to = (rank + step) % ranks, from = (rank - step + ranks) % ranks;
    size_t used = 0;
    for (hg_off k = route->send[to]; k < route->send[to + 1]; k++) {
      hg_off start = indptr[route->order[k]];
      size_t length = (size_t)(indptr[route->order[k] + 1] - start) * bytes;
      memcpy(packed + used, (const unsigned char *)in + (size_t)start * bytes, length);
      used += length;
    }
    hg_off came = moved[route->arrive[from]];
    trade(route->world, packed, used, to, (unsigned char *)out + (size_t)came * bytes,
          (size_t)(moved[route->arrive[from + 1]] - came) * bytes, from);
  }
done:
  hg_free(&packed);
  return rc;
}
