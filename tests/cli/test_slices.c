#include <criterion/criterion.h>
#include <string.h>

#include "tests/cli/program.h"

static char *folder;

// g.hg: 300 nodes in three classes.
static void set_up(void)
{
  folder = temporary_folder();
  run_result r = expect_status(folder, 0, 0, "generate csbm --nodes 300 --classes 3 --features 8 -o g.hg");
  run_free(&r);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_slices, .init = set_up, .fini = tear_down);

static void expect_once(const char *text, const char *part)
{
  const char *found = strstr(text, part);
  cr_expect_not_null(found, "found no '%s' in:\n%s", part, text);
  cr_expect(!found || !strstr(found + 1, part), "found '%s' twice in:\n%s", part, text);
}

Test(cli_slices, ranks_make_parts_together)
{
  for (int ranks = 0; ranks <= 3; ranks += 3) { // without mpirun too
    run_result r = expect_status(folder, ranks, 0, "partition g.hg -k 4 -m ptscotch -o p.hg");
    expect_once(r.out, "p.hg: 4 parts of 300 nodes");
    expect_once(r.out, "(ptscotch)");
    expect_once(r.out, "communication volume");
    expect_once(r.out, "refinement             none; least edge cut: made of slices\n");
    expect_once(r.out, "order of nodes         none\n");
    cr_expect_null(strstr(r.out, "of least covers"), "these are not counted");
    run_free(&r);
    r = expect_status(folder, 0, 0, "info p.hg");
    expect_once(r.out, "k4-ptscotch-cut-nodes-1.05-seed1-none\n"
                       "parts");
    run_free(&r);
  }
}

Test(cli_slices, training_makes_them_and_finds_them_again)
{
  write_text(path_in(folder, "c.yaml"), "name: c\ndataset: {path: g.hg}\nmodel: {type: gcn, hidden: 4}\n"
                                        "partition: {method: ptscotch}\ntrain: {epochs: 3}\n");
  run_result r = expect_status(folder, 2, 0, "train c.yaml --output first");
  expect_once(r.err, "partitioning g.hg into 2 parts with ptscotch");
  expect_once(r.err, "its parts are not refined");
  run_free(&r);
  r = expect_status(folder, 2, 0, "train c.yaml --output second");
  cr_expect_null(strstr(r.err, "partitioning"), "%s", r.err);
  run_free(&r);
}

Test(cli_slices, what_needs_the_whole_graph_is_refused)
{
  static const char *const bad[][2] = {
      {"-k 2 --order rcm", "keeps the nodes of a part in the file's order, expected the order none or auto"},
      {"-k 2 --balance active", "balances nodes or edges, one of them"},
      {"-k 2 --balance nodes,edges", "balances nodes or edges, one of them"},
      {"-k 4 --hosts 2", "makes one level of parts, found 2 hosts, expected 1"},
      {"-k 4 --slabs 2", "its parts are not cut into slabs, found 2, expected 1"},
      {"-k 301", "301 parts asked for, but the graph has only 300 nodes"},
      {"-k 2 --dry-run", "--dry-run: predicts what one process needs, ptscotch runs on slices"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char words[256];
    snprintf(words, sizeof words, "partition g.hg -m ptscotch -o p.hg %s", bad[i][0]);
    expect_refusal(folder, 0, 2, words, bad[i][1]);
  }
  expect_refusal(folder, 2, 2, "partition g.hg -m ptscotch -k 4 --hosts 2 -o p.hg", "makes one level of parts");
  expect_refusal(folder, 2, 2, "partition g.hg -m ptscotch -k 4 -o no/p.hg", "cannot write in the folder no");
  expect_refusal(folder, 2, 2, "partition missing.hg -m ptscotch -k 4 -o p.hg", "missing.hg");
}

Test(cli_slices, one_rank_speaks)
{
  expect_refusal(folder, 2, 2, "partition g.hg -m ptscotsch -k 4 -o p.hg", "did you mean 'ptscotch'?");
  expect_refusal(folder, 2, 2, "partition g.hg -m ptscotch -k 4 --objetive cut", "did you mean --objective?");
  expect_refusal(folder, 2, 2, "partition g.hg -m ptscotch -k 2 --dry-run", "ptscotch runs on slices");
  run_result r = expect_status(folder, 2, 0, "partition --help");
  expect_once(r.out, "Usage: ");
  run_free(&r);
}

Test(cli_slices, an_objective_that_is_not_followed_is_told)
{
  write_text(path_in(folder, "c.yaml"), "name: c\ndataset: {path: g.hg}\nmodel: {type: gcn, hidden: 4}\n"
                                        "partition: {method: ldg_slices, refine: false}\ntrain: {epochs: 1}\n");
  run_result r = expect_status(folder, 2, 0, "train c.yaml --output first");
  expect_once(r.err, "few edges, whatever the objective");
  run_free(&r);
  r = expect_status(folder, 2, 0, "train c.yaml --set partition.objective=cut --output second");
  cr_expect_null(strstr(r.err, "whatever the objective"), "%s", r.err);
  run_free(&r);
}
