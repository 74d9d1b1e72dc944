#include "comm/message_speed.h"

#include <stdlib.h>

#include "comm/reduce.h"
#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/timer.h"

enum { SHORT_BYTES = 8, SHORT_RUNS = 31, LONG_RUNS = 5 };

typedef struct {
  int to, from;
  char *out, *in; // [HG_SPEED_BYTES]
} neighbours;

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// the median of some messages, of the slowest rank
static double message_seconds(hg_world *world, const neighbours *n, int bytes, int runs)
{
  double samples[SHORT_RUNS];
  for (int run = -1; run < runs; run++) { // the first warms up
    double start = hg_now_s();
    MPI_Sendrecv(n->out, bytes, MPI_BYTE, n->to, HG_TAG_SPEED, n->in, bytes, MPI_BYTE, n->from, HG_TAG_SPEED,
                 hg_world_comm(world), MPI_STATUS_IGNORE);
    if (run >= 0) samples[run] = hg_now_s() - start;
  }
  qsort(samples, (size_t)runs, sizeof *samples, ascending);
  double median = samples[runs / 2];
  hg_max_doubles(world, &median, 1);
  return median;
}

static int ranks_per_host(const hg_world *world)
{
  int size = hg_world_size(world), hosts = hg_world_hosts(world);
  return hg_world_one_host(world) ? size : hosts > 0 ? size / hosts : 1;
}

// Whom a rank sends to: the next one of its host, or the one in its place on the next host. false: there is none
static bool find_neighbours(neighbours *n, const hg_world *world, hg_message_place place)
{
  int rank = hg_world_rank(world), size = hg_world_size(world), here = ranks_per_host(world);
  int first = rank - rank % here;
  if (place == HG_INSIDE_HOST) {
    n->to = first + (rank - first + 1) % here;
    n->from = first + (rank - first + here - 1) % here;
    return here > 1;
  }
  n->to = (rank + here) % size;
  n->from = (rank + size - here) % size;
  return size > here;
}

static hg_status allocate(neighbours *n)
{
  hg_status rc = HG_ALLOC(n->out, HG_SPEED_BYTES, "a message");
  return rc == HG_OK ? HG_ALLOC(n->in, HG_SPEED_BYTES, "a message") : rc;
}

hg_status hg_message_speed_measure(hg_world *world, hg_message_speed *speed)
{
  neighbours n = {0};
  hg_status rc = HG_OK;
  *speed = (hg_message_speed){.ranks_per_host = ranks_per_host(world)};
  HG_TRY_ALL(world, "measuring messages", allocate(&n));
  for (int place = 0; place < HG_MESSAGE_PLACES; place++) {
    if (!find_neighbours(&n, world, (hg_message_place)place)) continue;
    double latency = message_seconds(world, &n, SHORT_BYTES, SHORT_RUNS);
    double taken = message_seconds(world, &n, HG_SPEED_BYTES, LONG_RUNS) - latency;
    speed->latency_s[place] = latency;
    speed->bytes_s[place] = HG_SPEED_BYTES / (taken > 1e-9 ? taken : 1e-9);
  }
done:
  hg_free(&n.out);
  hg_free(&n.in);
  return rc;
}
