// What careless use does: results that nobody can read, inputs as outputs, a folder for two runs, another run resumed.
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cli/program.h"

static char *folder;

// g.hg: 60 nodes of 2 classes; e.txt: an edge; c.yaml
static void set_up(void)
{
  folder = temporary_folder();
  write_text(path_in(folder, "c.yaml"), "name: small\ndataset: {path: g.hg}\ntrain: {epochs: 3}\n");
  write_text(path_in(folder, "e.txt"), "0 1\n");
  run_result r =
      expect_status(folder, 0, 0, "generate csbm --nodes 60 --degree 4 --classes 2 --features 4 --seed 1 -o g.hg");
  run_free(&r);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_careless, .init = set_up, .fini = tear_down);

Test(cli_careless, the_input_is_not_overwritten)
{
  static const char message[] = "found the input";
  cr_assert_eq(symlink("g.hg", path_in(folder, "link.hg")), 0);
  expect_refusal(folder, 0, 2, "import edgelist e.txt -o e.txt", message);
  expect_refusal(folder, 0, 2, "import edgelist e.txt -o ./e.txt", message);
  write_text(path_in(folder, "l.txt"), "0 1\n");
  expect_refusal(folder, 0, 2, "import edgelist e.txt --labels l.txt -o l.txt", message);
  expect_refusal(folder, 0, 2, "partition g.hg -k 2 -o g.hg", message);
  expect_refusal(folder, 0, 2, "partition g.hg -k 2 -o link.hg", message);
  run_result r = expect_status(folder, 0, 0, "info g.hg");
  run_free(&r);
}

Test(cli_careless, a_device_or_pipe_is_not_replaced_by_a_file)
{
  struct stat info;
  cr_assert_eq(mkfifo(path_in(folder, "pipe"), 0600), 0);
  expect_refusal(folder, 0, 2, "import edgelist e.txt -o pipe", "found a device or pipe, expected a file name");
  expect_refusal(folder, 0, 2, "partition g.hg -k 2 -o pipe", "found a device or pipe, expected a file name");
  cr_assert_eq(stat(path_in(folder, "pipe"), &info), 0);
  cr_expect(S_ISFIFO(info.st_mode));
}

static void expect_unwritten(const char *words)
{
  char line[256];
  snprintf(line, sizeof line, "%s %s >/dev/full", HALOGNN, words);
  run_result r = run_in(folder, 60, (const char *const[]){"sh", "-c", line, NULL});
  cr_expect_eq(r.status, 1, "%s: status %d", words, r.status);
  cr_expect_str_eq(r.err, "halognn: standard output: cannot write: No space left on device\n", "%s: %s", words, r.err);
  run_free(&r);
}

Test(cli_careless, results_that_cannot_be_written_are_an_error)
{
  expect_unwritten("info g.hg");
  expect_unwritten("config c.yaml");
  expect_unwritten("--help");
}

Test(cli_careless, long_results_that_cannot_be_written_are_an_error)
{
  char line[256];
  snprintf(line, sizeof line, "%s config --schema >/dev/full", HALOGNN);
  run_result r = run_in(folder, 60, (const char *const[]){"sh", "-c", line, NULL});
  cr_expect_eq(r.status, 1, "status %d", r.status);
  cr_expect_not_null(strstr(r.err, "standard output: cannot write"), "%s", r.err);
  run_free(&r);
}

Test(cli_careless, a_folder_takes_one_run_at_a_time)
{
  run_result r = expect_status(folder, 0, 0, "train c.yaml --quiet --output r");
  run_free(&r);
  int other = open(path_in(folder, "r"), O_RDONLY | O_DIRECTORY);
  cr_assert(other >= 0);
  cr_assert_eq(flock(other, LOCK_EX), 0);
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --output r", "r: found another run that writes this folder");
  cr_expect_eq(access(path_in(folder, "r/checkpoints/best_0.h5"), F_OK), 0, "the other run's files stay");
  r = expect_status(folder, 0, 0, "predict r");
  run_free(&r);
  close(other);
  r = expect_status(folder, 0, 0, "train c.yaml --quiet --output r");
  run_free(&r);
}

Test(cli_careless, a_run_of_another_seed_or_model_is_not_resumed)
{
  run_result r = expect_status(folder, 0, 0, "train c.yaml --quiet --output r");
  run_free(&r);
  expect_refusal(folder, 0, 2, "train c.yaml --quiet --output r --resume --set seed=7",
                 "repeat_0_epoch_3.h5: found a run of seed 1, expected seed: 7 as in the config");
  expect_refusal(
      folder, 0, 2, "train c.yaml --quiet --output r --resume --set model.hidden=5",
      "found a checkpoint of another model with layers.0.weight of 4 x 16, expected layers.0.weight of 4 x 5");
  r = expect_status(folder, 0, 0, "train c.yaml --quiet --output r --resume --set repeat=2");
  run_free(&r);
}

Test(cli_careless, a_graph_that_no_machine_holds_is_refused_at_once)
{
  expect_refusal(folder, 0, 1, "generate geometric --nodes 2000000000 --features 1000000 -o x.hg",
                 "GiB, the machine has");
  expect_refusal(folder, 0, 1, "generate csbm --nodes 2000000000 --degree 1000000 -o x.hg", "GiB, the machine has");
  expect_refusal(folder, 0, 1, "generate rmat --nodes 2000000000 --degree 1000000 -o x.hg", "GiB, the machine has");
}

// A frozen rank answers neither messages nor MPI: only the coordinator's thread can end the job.
Test(cli_careless, a_frozen_rank_ends_the_job)
{
  char line[1024];
  snprintf(line, sizeof line,
           "unset OMPI_MCA_orte_tmpdir_base; mpirun -q -n 3 sh -c 'echo $$ >pid$OMPI_COMM_WORLD_RANK; exec %s train "
           "c.yaml --quiet --output s --set train.epochs=1000000000 --set coordinator.timeout_seconds=1' & job=$!; "
           "for k in $(seq 300); do [ -s s/metrics.jsonl ] && break; sleep 0.1; done; kill -STOP $(cat pid1); "
           "( sleep 25; kill -KILL $job $(cat pid0 pid1 pid2) ) >/dev/null 2>&1 & watch=$!; wait $job; status=$?; "
           "kill $watch; exit $status",
           HALOGNN);
  run_result r = expect_status(folder, 3, 0, "train c.yaml --quiet --output r"); // also sets mpirun's environment
  run_free(&r);
  r = run_in(folder, 60, (const char *const[]){"sh", "-c", line, NULL});
  cr_expect_eq(r.status, 1, "status %d\n%s%s", r.status, r.out, r.err);
  cr_expect_not_null(strstr(r.err, "it died, or was silent for 1 s; ending the job"), "%s", r.err);
  run_free(&r);
}
