// The cases of mpi_cases on each of their numbers of ranks. Those of a file share a run of mpirun, whose start takes
// longer than most of them; those in which ranks fail or die have one of their own. Each run has a time limit.
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/run.h"

enum { MAX_RUNS = 512, MAX_CASES = 32, MORE_SECONDS = 45 }; // for each case after the first

typedef struct {
  char names[MAX_CASES][64]; // all of one file
  int n_cases, ranks, alone, status, seconds;
  char text[128]; // expected once in the output; empty: none
} run_plan;

static int environment_or(const char *name, int otherwise)
{
  const char *value = getenv(name);
  long n = value ? strtol(value, NULL, 10) : 0;
  return n > 0 && n < INT_MAX ? (int)n : otherwise;
}

// Runs of a case follow each other, that on the fewest ranks first.
static bool is_wanted(const run_plan *plan)
{
  static char before[64];
  const char *name = plan->names[0], *only = getenv("HALOGNN_TEST_CASE");
  int most = environment_or("HALOGNN_TEST_MAX_RANKS", plan->ranks),
      of_fewest = environment_or("HALOGNN_TEST_FEWEST_RANKS", most);
  bool fewest = strcmp(name, before) != 0;
  memcpy(before, name, sizeof before);
  return plan->ranks == environment_or("HALOGNN_TEST_RANKS", plan->ranks) &&
         plan->ranks <= (fewest && of_fewest > most ? of_fewest : most) && (!only || strstr(name, only));
}

static bool parse(const char *line, run_plan *plan)
{
  memset(plan, 0, sizeof *plan);
  plan->n_cases = 1;
  if (sscanf(line, "%63s %d %d %d %d %127[^\n]", plan->names[0], &plan->ranks, &plan->alone, &plan->status,
             &plan->seconds, plan->text) != 6)
    return false;
  if (strcmp(plan->text, "-") == 0) plan->text[0] = '\0';
  return is_wanted(plan);
}

static size_t length_of_file(const char *name) { return strcspn(name, "/"); }

// whether the case of `more` became one of the runs that there are
static bool join(run_plan *plans, size_t n, const run_plan *more)
{
  size_t length = length_of_file(more->names[0]);
  for (size_t k = 0; k < n && !more->alone; k++) {
    run_plan *p = &plans[k];
    bool same = length_of_file(p->names[0]) == length && strncmp(p->names[0], more->names[0], length) == 0;
    if (!same || p->alone || p->ranks != more->ranks || p->n_cases == MAX_CASES) continue;
    memcpy(p->names[p->n_cases++], more->names[0], sizeof more->names[0]);
    p->seconds += MORE_SECONDS;
    return true;
  }
  return false;
}

// HALOGNN_TEST_MAX_RANKS leaves out the runs on more ranks; but those on the fewest that a case has, only above
// HALOGNN_TEST_FEWEST_RANKS. HALOGNN_TEST_RANKS leaves out those on other numbers, and HALOGNN_TEST_CASE all but those
// whose name holds its value.
ParameterizedTestParameters(mpi, cases)
{
  static run_plan plans[MAX_RUNS];
  size_t n = 0;
  char line[512];
  FILE *list = popen(MPI_CASES " --list", "r");
  while (list && n < MAX_RUNS && fgets(line, sizeof line, list))
    n += parse(line, &plans[n]) && !join(plans, n, &plans[n]);
  if (list) pclose(list);
  if (n == 0)
    plans[n++] = (run_plan){
        .names = {"no-case-found"}, .n_cases = 1, .ranks = 1, .seconds = 60}; // fails, where no test would pass
  return cr_make_param_array(run_plan, plans, n);
}

static char *folder; // of Open MPI alone: a run that ends beside this one may remove the folder that all share

static void set_up(void) { folder = temporary_folder(); }
static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(mpi, .init = set_up, .fini = tear_down);

// What mpirun and the ranks need on a small machine, in a container, as root; sanitizers need to know Open MPI's own
// leaks. Whole stacks tell them from an object of its that we forgot; on one rank, where they would take a third of the
// time, stacks end where a library's begin, and all that comes through one is taken for its own.
static void prepare_environment(int ranks)
{
  bool whole = ranks > 1;
  setenv("OMPI_MCA_orte_tmpdir_base", folder, 1);
  const char *const settings[][2] = {
      {"OMPI_ALLOW_RUN_AS_ROOT", "1"},
      {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
      {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
      {"OMPI_MCA_hwloc_base_binding_policy", "none"},
      {"OMPI_MCA_mpi_yield_when_idle", "1"},
      {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"},
      {"OMP_NUM_THREADS", "1"},
      {"GOMP_SPINCOUNT", "1000"}, // as the program has it: threads that wait leave the processors
      {"ASAN_OPTIONS", whole ? "detect_leaks=1:fast_unwind_on_malloc=0" : "detect_leaks=1"},
      {"LSAN_OPTIONS", whole ? "print_suppressions=0:suppressions=" LSAN_FOLDER "/lsan.supp"
                             : "print_suppressions=0:suppressions=" LSAN_FOLDER "/lsan_libraries.supp"},
  };
  for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) setenv(settings[k][0], settings[k][1], 0);
}

static int occurrences(const char *text, const char *part)
{
  int n = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) n++;
  return n;
}

ParameterizedTest(run_plan *plan, mpi, cases)
{
  char ranks[16], limit[16];
  int seconds = plan->seconds * environment_or("HALOGNN_TEST_PATIENCE", 1);
  snprintf(ranks, sizeof ranks, "%d", plan->ranks);
  snprintf(limit, sizeof limit, "%d", seconds);
  prepare_environment(plan->ranks);
  const char *argv[MAX_CASES + 8] = {"mpirun", "-q", "--timeout", limit, "-n", ranks, MPI_CASES};
  for (int k = 0; k < plan->n_cases; k++) argv[7 + k] = plan->names[k];
  run_result run = run_in(NULL, seconds + 10, argv); // mpirun's own limit first: it leaves no rank behind
  const char *command = run_command_line(argv);
  cr_expect_eq(run.status, plan->status, "%s\nended with status %d, expected %d, after %.1f s\n%s%s", command,
               run.status, plan->status, run.seconds, run.out, run.err);
  if (plan->text[0])
    cr_expect_eq(occurrences(run.err, plan->text), 1, "%s\nshould print once: %s\nit printed:\n%s%s", command,
                 plan->text, run.out, run.err);
  cr_expect(run.seconds < seconds, "%s\ntook %.1f s, allowed %d s", command, run.seconds, seconds);
  run_free(&run);
}

Test(mpi, one_rank_needs_no_mpirun)
{
  prepare_environment(1);
  run_result run = run_program(60, MPI_CASES, "exchange/fill_copies_owners_rows", NULL);
  cr_expect_eq(run.status, 0, "ended with status %d\n%s%s", run.status, run.out, run.err);
  cr_expect_str_empty(run.err, "printed: %s", run.err);
  cr_expect(run.seconds < 20, "took %.1f s", run.seconds);
  run_free(&run);
}
