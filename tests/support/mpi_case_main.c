// mpi_cases --list | mpirun -n N mpi_cases NAME... Must not link Criterion: MPI starts once in a process, Criterion
// starts many.
#include "tests/support/mpi_case.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "comm/reduce.h"

// A new file of cases is declared and listed here.
extern const mpi_case world_cases[], reduce_cases[], exchange_cases[], setup_cases[], parts_cases[];
extern const mpi_case gradient_cases[], train_cases[], score_cases[], augment_cases[], batch_cases[];
extern const mpi_case model_cases[], collection_cases[], collection_plan_cases[], precision_cases[], active_cases[],
    alone_cases[], recompute_cases[];
extern const mpi_case packed_cases[], packed_train_cases[], optimisation_cases[], sampled_cases[], covered_cases[];
extern const mpi_case prereduced_cases[];
extern const mpi_case stale_cases[], stale_train_cases[], slabs_cases[], slabs_failing_cases[], nonzero_cases[],
    hosts_cases[], slices_cases[], compute_first_cases[], scored_cases[], thin_cases[];
static const mpi_case *const tables[] = {
    world_cases,           reduce_cases,        exchange_cases,
    setup_cases,           parts_cases,         gradient_cases,
    train_cases,           score_cases,         augment_cases,
    batch_cases,           model_cases,         collection_cases,
    collection_plan_cases, precision_cases,     active_cases,
    packed_cases,          packed_train_cases,  optimisation_cases,
    sampled_cases,         covered_cases,       stale_cases,
    stale_train_cases,     alone_cases,         recompute_cases,
    slabs_cases,           slabs_failing_cases, nonzero_cases,
    hosts_cases,           prereduced_cases,    slices_cases,
    compute_first_cases,   scored_cases,        thin_cases,
};
extern const mpi_death world_deaths[], train_deaths[];
static const mpi_death *const deaths[] = {world_deaths, train_deaths};

enum { N_TABLES = sizeof tables / sizeof *tables, N_DEATHS = sizeof deaths / sizeof *deaths, MAX_PRINTED = 10 };

static int rank;
static int64_t failures; // of the present case

bool check_at(bool ok, const char *file, int line, const char *fmt, ...)
{
  if (ok) return true;
  if (++failures > MAX_PRINTED) return false;
  char what[512];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(what, sizeof what, fmt, ap);
  va_end(ap);
  fprintf(stderr, "%s:%d: rank %d: %s\n", file, line, rank, what);
  return false;
}

// One line for each run: NAME RANKS ALONE STATUS SECONDS TEXT, with - for what is not expected.
static void list_runs(const char *name, const char *ranks, bool alone, int status, int seconds, const char *text)
{
  int n, used;
  if (*ranks == '!') ranks++, alone = true;
  for (; sscanf(ranks, "%d%n", &n, &used) == 1; ranks += used)
    printf("%s %d %d %d %d %s\n", name, n, alone, status, seconds, text);
}

// Files in whose cases ranks fail, or count the bytes of a process: no other case shares a run with one of them.
static bool is_alone(const mpi_case *table)
{
  return table == world_cases || table == setup_cases || table == model_cases || table == slabs_failing_cases;
}

static void list(void)
{
  for (int t = 0; t < N_TABLES; t++)
    for (const mpi_case *c = tables[t]; c->name; c++) list_runs(c->name, c->ranks, is_alone(tables[t]), 0, 60, "-");
  for (int t = 0; t < N_DEATHS; t++)
    for (const mpi_death *d = deaths[t]; d->name; d++)
      list_runs(d->name, d->ranks, true, d->status, d->seconds, *d->text ? d->text : "-");
}

static const mpi_case *find_case(const char *name)
{
  for (int t = 0; t < N_TABLES; t++)
    for (const mpi_case *c = tables[t]; c->name; c++)
      if (strcmp(c->name, name) == 0) return c;
  return NULL;
}

static const mpi_death *find_death(const char *name)
{
  for (int t = 0; t < N_DEATHS; t++)
    for (const mpi_death *d = deaths[t]; d->name; d++)
      if (strcmp(d->name, name) == 0) return d;
  return NULL;
}

// One case after the other; how many failed.
static int run_cases(hg_world *world, char **names, int n)
{
  int failed = 0;
  for (int k = 0; k < n; k++) {
    failures = 0;
    find_case(names[k])->run(world);
    hg_sum_int64(world, &failures, 1);
    failed += failures > 0;
    if (failures > 0 && rank == 0) fprintf(stderr, "case %s failed\n", names[k]);
  }
  return failed;
}

int main(int argc, char **argv)
{
  if (argc == 2 && strcmp(argv[1], "--list") == 0) return list(), 0;
  const mpi_death *d = argc == 2 ? find_death(argv[1]) : NULL;
  bool known = argc > 1;
  for (int k = 1; k < argc && !d; k++) known = known && find_case(argv[k]);
  if (!known) return fprintf(stderr, "usage: mpi_cases --list | mpirun -n N mpi_cases NAME...\n"), 2;
  int failed = 0;
  hg_world *world;
  hg_status rc = hg_world_open(&world, &argc, &argv);
  if (rc == HG_OK) {
    rank = hg_world_rank(world);
    if (d)
      rc = d->run(world);
    else
      failed = run_cases(world, argv + 1, argc - 1);
  }
  rc = hg_world_close(&world, rc);
  return rc == HG_OK && failed > 0 ? 1 : hg_exit_status(rc);
}
