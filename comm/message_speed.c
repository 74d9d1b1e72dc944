#include "comm/message_speed.h"

#include <stdlib.h>

#include "comm/reduce.h"
#include "comm/tags.h"
#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/timer.h"

enum { SHORT_BYTES = 8, SHORT_RUNS = 31, LONG_RUNS = 5 };

// MPI_PROC_NULL: nobody
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

// The ranks host by host, this rank's position among them, and the host with most.
typedef struct {
  int *ranks, *host_first; // [size], [hosts + 1]
  int n_hosts, at, most;
} placement;

static hg_status place_ranks(placement *p, const hg_world *world)
{
  int size = hg_world_size(world), n = 0;
  hg_status rc = HG_OK;
  p->n_hosts = hg_world_n_hosts(world);
  HG_TRY(HG_ALLOC(p->ranks, size, "ranks of hosts"));
  HG_TRY(HG_ALLOC(p->host_first, p->n_hosts + 1, "ranks of hosts"));
  for (int r = 0; r < size; r++) p->host_first[hg_world_host_of(world, r) + 1]++;
  for (int h = 0; h < p->n_hosts; h++) {
    if (p->host_first[h + 1] > p->most) p->most = p->host_first[h + 1];
    p->host_first[h + 1] += p->host_first[h];
    for (int r = 0; r < size; r++) {
      if (hg_world_host_of(world, r) != h) continue;
      if (r == hg_world_rank(world)) p->at = n;
      p->ranks[n++] = r;
    }
  }
done:
  return rc;
}

// Whom a rank sends to: the next one of its host; or the one as many places on as the largest host has ranks, which is
// on another host but where that one has more than half of them. false: there is none for any rank
static bool find_neighbours(neighbours *n, const placement *p, const hg_world *world, hg_message_place place)
{
  int size = hg_world_size(world), host = hg_world_host_of(world, hg_world_rank(world));
  int first = p->host_first[host], here = p->host_first[host + 1] - first;
  if (place == HG_INSIDE_HOST) {
    n->to = here > 1 ? p->ranks[first + (p->at - first + 1) % here] : MPI_PROC_NULL;
    n->from = here > 1 ? p->ranks[first + (p->at - first + here - 1) % here] : MPI_PROC_NULL;
    return p->most > 1;
  }
  n->to = p->ranks[(p->at + p->most) % size];
  n->from = p->ranks[(p->at + size - p->most) % size];
  if (hg_world_host_of(world, n->to) == host) n->to = MPI_PROC_NULL;
  if (hg_world_host_of(world, n->from) == host) n->from = MPI_PROC_NULL;
  return p->n_hosts > 1;
}

static hg_status allocate(neighbours *n)
{
  hg_status rc = HG_ALLOC(n->out, HG_SPEED_BYTES, "a message");
  return rc == HG_OK ? HG_ALLOC(n->in, HG_SPEED_BYTES, "a message") : rc;
}

hg_status hg_message_speed_measure(hg_world *world, hg_message_speed *speed)
{
  neighbours n = {0};
  placement p = {0};
  hg_status rc = HG_OK;
  HG_TRY_ALL(world, "measuring messages", allocate(&n));
  HG_TRY_ALL(world, "measuring messages", place_ranks(&p, world));
  *speed = (hg_message_speed){.ranks_per_host = p.most};
  for (int place = 0; place < HG_MESSAGE_PLACES; place++) {
    if (!find_neighbours(&n, &p, world, (hg_message_place)place)) continue;
    double latency = message_seconds(world, &n, SHORT_BYTES, SHORT_RUNS);
    double taken = message_seconds(world, &n, HG_SPEED_BYTES, LONG_RUNS) - latency;
    speed->latency_s[place] = latency;
    speed->bytes_s[place] = HG_SPEED_BYTES / (taken > 1e-9 ? taken : 1e-9);
  }
done:
  hg_free(&n.out);
  hg_free(&n.in);
  hg_free(&p.ranks);
  hg_free(&p.host_first);
  return rc;
}
