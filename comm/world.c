#include "comm/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/world_mpi.h"
#include "core/base/alloc.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/threads.h"

enum { TEXT_SIZE = 1024 }; // of an agreed message

struct hg_world {
  MPI_Comm comm;
  int rank, size;
  bool one_host;
  MPI_Comm host;    // the ranks of this one's host; null in a world of some ranks
  MPI_Comm machine; // and of those hosts that are pretended to be others
  int *host_of;     // [size] or NULL: all on host 0
  int n_hosts;
  int hosts;   // hg_world_hosts
  int sharing; // ranks of this host with the same processors
  int fair_threads;
  bool failed;     // the ranks have agreed on a failure; the same on every rank
  hg_world *whole; // that this one is some ranks of (hg_world_split), or NULL
  char phase[96];  // what this rank does, for messages
};

// One a process, because MPI starts once a process, and because MPI hands its error handler no context.
static hg_world the_world = {
    .comm = MPI_COMM_NULL, .host = MPI_COMM_NULL, .machine = MPI_COMM_NULL, .rank = -1, .phase = "starting MPI"};

static void end_job(int status)
{
  MPI_Abort(MPI_COMM_WORLD, status);
  _Exit(status); // MPI_Abort may return when MPI itself is broken
}

static void on_mpi_error(MPI_Comm *comm, int *code, ...)
{
  (void)comm;
  char what[MPI_MAX_ERROR_STRING] = "unknown MPI error";
  int n = 0;
  MPI_Error_string(*code, what, &n);
  hg_log(HG_LOG_ERROR, "rank %d, %s: MPI failed: %s", the_world.rank, the_world.phase, what);
  end_job(hg_exit_status(HG_ERR_INTERNAL));
}

static void install_error_handler(hg_world *world)
{
  MPI_Errhandler handler;
  MPI_Comm_create_errhandler(on_mpi_error, &handler);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler); // what belongs to no communicator is reported on this one
  MPI_Comm_set_errhandler(world->comm, handler);
  MPI_Errhandler_free(&handler);
}

static void share_error_handler(const hg_world *of, MPI_Comm with)
{
  MPI_Errhandler handler;
  MPI_Comm_get_errhandler(of->comm, &handler);
  MPI_Comm_set_errhandler(with, handler);
  MPI_Errhandler_free(&handler);
}

// the ranks of a host are consecutive in the world and every host has as many
static int count_hosts(const hg_world *world)
{
  int ends[4] = {world->rank, -world->rank}; // largest, least
  MPI_Comm_size(world->host, &ends[2]);
  int here = ends[2];
  ends[3] = -here;
  MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_INT, MPI_MAX, world->host);
  int apart = ends[0] + ends[1] + 1 != here;
  MPI_Allreduce(MPI_IN_PLACE, ends + 2, 2, MPI_INT, MPI_MAX, world->comm);
  MPI_Allreduce(MPI_IN_PLACE, &apart, 1, MPI_INT, MPI_MAX, world->comm);
  return apart || ends[2] != -ends[3] ? 0 : world->size / here;
}

// numbers the hosts by their first ranks
static void number_hosts(hg_world *world)
{
  int first = world->rank;
  MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, world->host);
  MPI_Allgather(&first, 1, MPI_INT, world->host_of, 1, MPI_INT, world->comm);
  world->n_hosts = 0;
  for (int r = 0; r < world->size; r++)
    world->host_of[r] = world->host_of[r] == r ? world->n_hosts++ : world->host_of[world->host_of[r]];
}

hg_status hg_world_group_hosts(hg_world *world, int group)
{
  hg_status rc = HG_OK;
  int *host_of = NULL;
  HG_TRY_ALL(world, "finding hosts", HG_ALLOC(host_of, world->size, "hosts of ranks"));
  hg_free(&world->host_of);
  world->host_of = host_of;
  if (world->host != MPI_COMM_NULL) MPI_Comm_free(&world->host);
  MPI_Comm_split(world->machine, group, world->rank, &world->host);
  share_error_handler(world, world->host);
  number_hosts(world);
  world->hosts = count_hosts(world);
done:
  if (rc != HG_OK) hg_free(&host_of);
  return rc;
}

// the group of this rank that HALOGNN_HOSTS asks for
static hg_status read_group(const hg_world *world, int *group)
{
  enum { MOST = 1 << 20 };
  const char *text = getenv("HALOGNN_HOSTS");
  char *end;
  *group = 0;
  if (!text || !*text) return HG_OK;
  long hosts = strtol(text, &end, 10);
  if (*end || hosts < 1 || hosts > MOST)
    return hg_fail(HG_ERR_INPUT, "HALOGNN_HOSTS: found '%s', expected a whole number from 1 to %d", text, MOST);
  *group = (int)(world->rank * hosts / world->size);
  return HG_OK;
}

// what this rank shares with the others of its host
static void look_around(hg_world *world)
{
  int here, sharing = 0;
  uint64_t mine = hg_processors_key();
  MPI_Comm_split_type(world->comm, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL, &world->machine);
  share_error_handler(world, world->machine);
  MPI_Comm_size(world->machine, &here);
  for (int r = 0; r < here; r++) { // one by one: no memory is needed
    uint64_t key = mine;
    MPI_Bcast(&key, 1, MPI_UINT64_T, r, world->machine);
    sharing += key == mine;
  }
  world->one_host = here == world->size;
  world->sharing = sharing;
  int fair = sharing > 0 ? hg_processors() / sharing : 1;
  world->fair_threads = fair > 1 ? fair : 1;
}

hg_status hg_world_open(hg_world **world, int *argc, char ***argv)
{
  *world = NULL;
  int started = 0, provided = MPI_THREAD_SINGLE;
  MPI_Initialized(&started);
  if (started) return hg_fail(HG_ERR_INTERNAL, "MPI was started before in this process; it starts only once");
  // Without mpirun, Open MPI would start a daemon for processes that we never spawn.
  setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
  if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
    return hg_fail(HG_ERR_INTERNAL, "MPI does not start");
  hg_world *w = &the_world;
  MPI_Comm_dup(MPI_COMM_WORLD, &w->comm);
  install_error_handler(w);
  MPI_Comm_rank(w->comm, &w->rank);
  MPI_Comm_size(w->comm, &w->size);
  hg_world_phase(w, "start");
  look_around(w);
  *world = w;
  hg_status rc = HG_OK;
  int group = 0;
  if (provided < MPI_THREAD_FUNNELED)
    rc = hg_fail(HG_ERR_INPUT, "this MPI library does not allow threads (level %d, needed %d)", provided,
                 MPI_THREAD_FUNNELED);
  if (rc == HG_OK) rc = read_group(w, &group);
  rc = hg_agree(w, rc, "starting MPI");
  return rc == HG_OK ? hg_world_group_hosts(w, group) : rc;
}

bool hg_world_launched(void)
{
  return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK") || getenv("PMI_RANK"); // mpirun, srun
}

int hg_world_rank(const hg_world *world) { return world ? world->rank : 0; }
int hg_world_size(const hg_world *world) { return world ? world->size : 1; }
bool hg_world_one_host(const hg_world *world) { return world->one_host; }
int hg_world_hosts(const hg_world *world) { return world->hosts; }
int hg_world_n_hosts(const hg_world *world) { return world && world->host_of ? world->n_hosts : 1; }
int hg_world_host_of(const hg_world *world, int rank) { return world && world->host_of ? world->host_of[rank] : 0; }
MPI_Comm hg_world_host_comm(const hg_world *world) { return world ? world->host : MPI_COMM_NULL; }
MPI_Comm hg_world_machine_comm(const hg_world *world) { return world ? world->machine : MPI_COMM_NULL; }
MPI_Comm hg_world_comm(const hg_world *world) { return world ? world->comm : MPI_COMM_NULL; }

void hg_world_phase(hg_world *world, const char *phase)
{
  hg_world *w = world->whole ? world->whole : world;
  snprintf(w->phase, sizeof w->phase, "%s", phase);
}

// From best to worst; what the ranks compare is the place in this list.
static const hg_status by_severity[] = {HG_OK,         HG_STOPPED,     HG_ERR_INPUT,   HG_ERR_IO,
                                        HG_ERR_MEMORY, HG_ERR_NUMERIC, HG_ERR_INTERNAL};

static int severity_of(hg_status rc)
{
  int n = (int)(sizeof by_severity / sizeof *by_severity);
  for (int k = 0; k < n; k++)
    if (by_severity[k] == rc) return k;
  return n - 1;
}

typedef struct {
  int severity, rank;
} outcome; // MPI_2INT

static outcome worst_of_all(const hg_world *world, hg_status rc)
{
  outcome mine = {severity_of(rc), world->rank}, worst = mine;
  MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, world->comm);
  return worst;
}

static hg_status adopt(const hg_world *world, outcome worst, const char *phase)
{
  char text[TEXT_SIZE] = "";
  if (world->rank == worst.rank) snprintf(text, sizeof text, "%s", hg_error_text());
  MPI_Bcast(text, sizeof text, MPI_CHAR, worst.rank, world->comm);
  hg_status rc = hg_fail(by_severity[worst.severity], "%s", text);
  // On one rank a prefix would tell nothing, and a stop is no failure of a rank.
  if (world->size > 1 && rc != HG_STOPPED) hg_context(rc, "rank %d, %s", worst.rank, phase);
  return rc;
}

#ifndef NDEBUG
static int64_t hash_of(const char *text)
{
  uint64_t h = HG_HASH;
  for (; *text; text++) h = hg_hash_word(h, (unsigned char)*text);
  return (int64_t)(h >> 1);
}
#endif

hg_status hg_agree(hg_world *world, hg_status rc, const char *phase)
{
  if (!world) return rc;
  if (world->whole) return hg_agree(world->whole, rc, phase);
  if (world->failed) return rc;
  hg_world_phase(world, phase);
#ifndef NDEBUG
  hg_status same = hg_world_same(world, hash_of(phase), "the phase at an agreement");
  if (same != HG_OK) return hg_context(same, "rank %d is at '%s'", world->rank, phase);
#endif
  outcome worst = worst_of_all(world, rc);
  if (by_severity[worst.severity] != HG_OK) {
    world->failed = by_severity[worst.severity] != HG_STOPPED;
    return adopt(world, worst, phase);
  }
  snprintf(world->phase, sizeof world->phase, "after %s", phase);
  return HG_OK;
}

hg_status hg_world_same(hg_world *world, int64_t value, const char *what)
{
  hg_status rc = HG_OK;
  if (!world || (world->whole ? world->whole->failed : world->failed)) return HG_OK;
  int64_t ends[2] = {value, ~value}; // ~x falls as x grows, and unlike -x it exists for every x
  MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_INT64_T, MPI_MAX, world->comm);
  if (ends[0] != ~ends[1]) {
    world->failed = !world->whole;
    rc = hg_fail(HG_ERR_INTERNAL, "%s differs between ranks: from %" PRId64 " to %" PRId64, what, ~ends[1], ends[0]);
  }
  return world->whole ? hg_agree(world->whole, rc, "comparing ranks") : rc; // else only some ranks knew
}

_Noreturn void hg_world_abort(hg_world *world, hg_status rc)
{
  if (world->whole) world = world->whole;
  hg_log(HG_LOG_ERROR, "rank %d, %s: %s", world->rank, world->phase, hg_error_text());
  end_job(hg_exit_status(rc));
  _Exit(hg_exit_status(rc));
}

hg_status hg_world_close(hg_world **world, hg_status rc)
{
  hg_world *w = *world;
  if (!w) return rc;
  *world = NULL;
  // Every rank comes here at last, also after an agreed failure, so that a later one of a single rank still counts.
  outcome worst = worst_of_all(w, rc);
  rc = by_severity[worst.severity];
  if (rc != HG_OK && !w->failed) adopt(w, worst, w->phase);
  if (rc != HG_OK && rc != HG_STOPPED) {
    if (w->rank == 0) hg_log(HG_LOG_ERROR, "%s", hg_error_text());
    hg_fail(rc, "%s", "");
  }
  if (w->host != MPI_COMM_NULL) MPI_Comm_free(&w->host);
  MPI_Comm_free(&w->machine);
  hg_free(&w->host_of);
  MPI_Comm_free(&w->comm);
  MPI_Finalize();
  return rc;
}

const char *hg_world_mpi_version(void)
{
  static char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  text[strcspn(text, "\n")] = '\0';
  return text;
}

hg_status hg_world_self_create(hg_world **self, const hg_world *world)
{
  hg_status rc = HG_ALLOC(*self, 1, "a world of one rank");
  if (rc != HG_OK) return rc;
  MPI_Comm_dup(MPI_COMM_SELF, &(*self)->comm);
  share_error_handler(world, (*self)->comm);
  (*self)->host = (*self)->machine = MPI_COMM_NULL;
  (*self)->size = 1;
  (*self)->one_host = true;
  (*self)->hosts = 1;
  (*self)->sharing = world->sharing;
  (*self)->fair_threads = hg_processors();
  hg_world_phase(*self, "start");
  return HG_OK;
}

void hg_world_self_free(hg_world **self)
{
  if (*self && (*self)->comm != MPI_COMM_NULL) MPI_Comm_free(&(*self)->comm);
  if (*self) hg_free(&(*self)->host_of);
  hg_free(self);
}

hg_status hg_world_split(hg_world **some, hg_world *world, int group, int place)
{
  hg_status rc = HG_OK;
  int here = hg_world_host_of(world, world->rank);
  hg_status made = HG_ALLOC(*some, 1, "a world of some ranks");
  hg_world *w = *some;
  if (w) w->comm = MPI_COMM_NULL; // another rank may fail
  HG_TRY_ALL(world, "splitting the ranks", made);
  MPI_Comm_split(world->comm, group, place, &w->comm);
  share_error_handler(world, w->comm);
  MPI_Comm_rank(w->comm, &w->rank);
  MPI_Comm_size(w->comm, &w->size);
  w->host = w->machine = MPI_COMM_NULL;
  w->n_hosts = world->n_hosts;
  w->one_host = world->one_host;
  w->sharing = world->sharing;
  w->fair_threads = world->fair_threads;
  w->whole = world;
  HG_TRY_ALL(world, "splitting the ranks", HG_ALLOC(w->host_of, w->size, "hosts of ranks"));
  MPI_Allgather(&here, 1, MPI_INT, w->host_of, 1, MPI_INT, w->comm);
done:
  if (rc != HG_OK) hg_world_split_free(some);
  return rc;
}

void hg_world_split_free(hg_world **some) { hg_world_self_free(some); }

// Said once, by rank 0, of the ranks that ask for most. One thread a rank is what more ranks than processors come to.
static void warn_of_crowd(const hg_world *world)
{
  int many = hg_threads() > 1 && hg_threads() > world->fair_threads ? hg_threads() * world->sharing : 0;
  struct {
    int asked, rank;
  } mine = {many, world->rank}, most = mine;
  MPI_Allreduce(&mine, &most, 1, MPI_2INT, MPI_MAXLOC, world->comm);
  int here[] = {world->sharing, hg_threads(), hg_processors()};
  MPI_Bcast(here, 3, MPI_INT, most.rank, world->comm);
  if (world->rank == 0 && most.asked > 0)
    hg_log(HG_LOG_WARN, "%d rank%s x %d threads share %d processor%s: expect them to wait for each other", here[0],
           here[0] == 1 ? "" : "s", here[1], here[2], here[2] == 1 ? "" : "s");
}

void hg_world_set_threads(const hg_world *world, int asked)
{
  hg_threads_set(asked > 0 || hg_threads_given() ? asked : world->fair_threads);
  warn_of_crowd(world);
  if (world->sharing == 1) hg_threads_pin();
}
