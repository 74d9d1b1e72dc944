#include "tests/cli/program.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_S = 90, MOST_WORDS = 48 };

// What mpirun needs on a small machine, in a container, as root: as scripts/mpirun.sh has it. Tests run side by side,
// and a process of Open MPI that ends removes the common folder of all when it is empty, perhaps just as another
// starts.
static void prepare_environment(const char *folder)
{
  setenv("OMPI_MCA_orte_tmpdir_base", folder, 1);
  static const char *const settings[][2] = {
      {"OMPI_ALLOW_RUN_AS_ROOT", "1"},
      {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
      {"OMPI_MCA_rmaps_base_oversubscribe", "1"},
      {"OMPI_MCA_hwloc_base_binding_policy", "none"},
      {"OMPI_MCA_mpi_yield_when_idle", "1"},
      {"OMPI_MCA_btl_vader_single_copy_mechanism", "none"},
      {"OMP_NUM_THREADS", "1"},
  };
  for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) setenv(settings[k][0], settings[k][1], 0);
}

static run_result start(const char *folder, int ranks, const char *words)
{
  char copy[2048], count[16], *rest = NULL;
  const char *argv[MOST_WORDS + 8];
  int n = 0;
  prepare_environment(folder);
  snprintf(copy, sizeof copy, "%s", words);
  if (ranks > 0) {
    snprintf(count, sizeof count, "%d", ranks);
    argv[n++] = "mpirun";
    argv[n++] = "-q";
    argv[n++] = "-n";
    argv[n++] = count;
  }
  argv[n++] = HALOGNN;
  for (char *word = strtok_r(copy, " ", &rest); word && n < MOST_WORDS; word = strtok_r(NULL, " ", &rest))
    argv[n++] = word;
  argv[n] = NULL;
  return run_in(folder, LIMIT_S, argv);
}

run_result halognn(const char *folder, const char *words) { return start(folder, 0, words); }
run_result halognn_on(const char *folder, int ranks, const char *words) { return start(folder, ranks, words); }

run_result expect_status(const char *folder, int ranks, int status, const char *words)
{
  run_result r = start(folder, ranks, words);
  cr_expect_eq(r.status, status, "halognn %s\non %d ranks ended with %d, expected %d\n%s%s", words, ranks, r.status,
               status, r.out, r.err);
  return r;
}

void expect_refusal(const char *folder, int ranks, int status, const char *words, const char *message)
{
  run_result r = expect_status(folder, ranks, status, words);
  const char *end = strchr(r.err, '\n');
  cr_expect(strncmp(r.err, "halognn: ", 9) == 0 && end && end[1] == '\0', "halognn %s\nexpected one line, found\n%s",
            words, r.err);
  cr_expect_not_null(strstr(r.err, message), "halognn %s\nexpected\n%s\nfound\n%s", words, message, r.err);
  cr_expect_str_empty(r.out, "halognn %s\nprinted %s", words, r.out);
  run_free(&r);
}

json_t *load_json(const char *folder, const char *name)
{
  json_error_t error;
  json_t *object = json_load_file(path_in(folder, name), 0, &error);
  cr_assert_not_null(object, "%s: %s", name, error.text);
  return object;
}

double number_of(const json_t *object, const char *key)
{
  const json_t *value = json_object_get(object, key);
  cr_expect(json_is_number(value), "%s is no number", key);
  return json_number_value(value);
}

int count_lines(const char *folder, const char *name)
{
  FILE *file = fopen(path_in(folder, name), "r");
  int n = 0;
  cr_assert_not_null(file, "%s is not there", name);
  for (int c = fgetc(file); c != EOF; c = fgetc(file)) n += c == '\n';
  fclose(file);
  return n;
}

void python_agrees(const char *folder, const char *program)
{
  static const char *const pythons[] = {"python3", "/usr/bin/python3"}; // the first may be one without NumPy
  for (int k = 0; k < 2; k++) {
    run_result has = run_in(folder, 60, (const char *const[]){pythons[k], "-c", "import numpy", NULL});
    bool there = has.status == 0;
    run_free(&has);
    if (!there) continue;
    run_result r = run_in(folder, 60, (const char *const[]){pythons[k], "-c", program, NULL});
    cr_expect_eq(r.status, 0, "%s\n%s%s", program, r.out, r.err);
    run_free(&r);
    return;
  }
  cr_skip_test("python3 with numpy is not there");
}

const json_t *scheme(const json_t *ranks, const char *name)
{
  size_t k;
  json_t *s;
  const json_t *found = NULL;
  json_array_foreach(json_object_get(ranks, "schemes"), k, s)
  {
    if (strcmp(json_string_value(json_object_get(s, "name")), name) == 0) found = s;
  }
  cr_assert_not_null(found, "there is no %s", name);
  return found;
}
