#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/run.h"

enum { LIMIT_S = 60 };

static char *folder;

// g.hg: a grid of 100 nodes.
static void set_up(void)
{
  folder = temporary_folder();
  run_result r =
      run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "generate", "grid", "--nodes", "100", "-o", "g.hg", NULL});
  cr_assert_eq(r.status, 0, "%s", r.err);
  run_free(&r);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_partition, .init = set_up, .fini = tear_down);

static void expect_contains(const run_result *r, const char *text)
{
  cr_expect_not_null(strstr(r->out, text), "found no '%s' in:\n%s", text, r->out);
}

Test(cli_partition, prints_the_figures_and_writes_the_parts)
{
  const char *methods[] = {"metis", "ldg", "random", "block"};
  for (int m = 0; m < 4; m++) {
    run_result r =
        run_in(folder, LIMIT_S,
               (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "4", "-m", methods[m], "-o", "p.hg", NULL});
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_contains(&r, "p.hg: 4 parts of 100 nodes and 360 edges");
    expect_contains(&r, "edge cut");
    expect_contains(&r, "communication volume");
    expect_contains(&r, "of least covers");
    expect_contains(&r, "; covers took ");
    expect_contains(&r, "halo nodes a part");
    expect_contains(&r, "interior nodes");
    expect_contains(&r, "largest / mean part");
    expect_contains(&r, "peak memory");
    expect_contains(&r, "order of nodes         none: ");
    cr_expect_eq(access(path_in(folder, "p.hg"), R_OK), 0);
    run_free(&r);
  }
}

Test(cli_partition, orders_the_nodes_as_asked)
{
  const char *orders[] = {"cluster", "metis", "rcm", "degree", "none"};
  for (int o = 0; o < 5; o++) {
    char line[64];
    snprintf(line, sizeof line, "order of nodes         %s: ", orders[o]);
    run_result r = run_in(
        folder, LIMIT_S,
        (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "1", "--order", orders[o], "-o", "p.hg", NULL});
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_contains(&r, line);
    expect_contains(&r, "rows fetched an aggregation");
    run_free(&r);
    r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "info", "p.hg", NULL});
    expect_contains(&r, "fetches_before");
    run_free(&r);
  }
}

Test(cli_partition, cuts_a_grid_along_a_line)
{
  run_result r =
      run_in(folder, LIMIT_S,
             (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "2", "--objective", "cut", "--balance",
                                   "nodes,edges", "--imbalance", "1.1", "--seed", "3", "-o", "p.hg", NULL});
  cr_expect_eq(r.status, 0, "%s", r.err);
  expect_contains(&r, "edge cut               20 edges, 5.6 %");
  expect_contains(&r, "interior nodes         80.0 % of 100");
  run_free(&r);
}

Test(cli_partition, says_what_refinement_did)
{
  run_result r = run_in(folder, LIMIT_S,
                        (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "7", "--objective", "largest", NULL});
  cr_expect_eq(r.status, 0, "%s", r.err);
  expect_contains(&r, "g.parts/k7-metis-largest-refined-nodes-1.05-seed1-auto.hg: 7 parts");
  expect_contains(&r, " rows by the part that sends or receives most, ");
  run_free(&r);
  r = run_in(folder, LIMIT_S,
             (const char *const[]){HALOGNN, "info", "g.parts/k7-metis-largest-refined-nodes-1.05-seed1-auto.hg", NULL});
  expect_contains(&r, "unrefined_volume");
  run_free(&r);
  r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "7", "--refine", "no", NULL});
  expect_contains(&r, "g.parts/k7-metis-volume-nodes-1.05-seed1-auto.hg: 7 parts");
  cr_expect_null(strstr(r.out, "refinement"), "%s", r.out);
  run_free(&r);
}

Test(cli_partition, keeps_the_covers_of_a_model)
{
  run_result r = run_in(folder, LIMIT_S,
                        (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "3", "--covers", "geogcn", "--layers",
                                              "3", "--hidden", "16", "-o", "p.hg", NULL});
  cr_expect_eq(r.status, 0, "%s", r.err);
  run_free(&r);
  r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "info", "p.hg", NULL});
  expect_contains(&r, "of all edges, rows of 1 and of 1\n");
  expect_contains(&r, "of edges to 0 steps from a training node, rows of 16 and of 8\n");
  expect_contains(&r, "of edges to 1 steps from a training node, rows of 1 and of 1\n");
  run_free(&r);
  r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "info", "p.hg", "--json", NULL});
  expect_contains(&r, "\"covers\"");
  run_free(&r);
}

Test(cli_partition, splits_for_hosts_first)
{
  run_result r =
      run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "8", "--hosts", "2", NULL});
  cr_expect_eq(r.status, 0, "%s", r.err);
  expect_contains(&r, "g.parts/k8-hosts2-metis-volume-refined-nodes-1.05-seed1-auto.hg: 8 parts");
  expect_contains(&r, "rows between 2 hosts   ");
  run_free(&r);
  const char *file = "g.parts/k8-hosts2-metis-volume-refined-nodes-1.05-seed1-auto.hg";
  r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "info", file, "--hosts", "4", NULL});
  cr_expect_eq(r.status, 0, "%s", r.err);
  expect_contains(&r, "host_rows_unique ");
  run_free(&r);
  r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "info", file, "--hosts", "3", NULL});
  cr_expect_eq(r.status, 2);
  cr_expect_str_eq(r.err, "halognn: g.parts/k8-hosts2-metis-volume-refined-nodes-1.05-seed1-auto.hg: 8 parts on 3 "
                          "hosts, expected as many on each\n");
  run_free(&r);
  r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "info", "g.hg", "--hosts", "2", NULL});
  cr_expect_eq(r.status, 2);
  cr_expect_str_eq(r.err, "halognn: g.hg: holds no parts, expected a parts file with --hosts\n");
  run_free(&r);
  r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "info", "g.hg", "--hosts", "two", NULL});
  cr_expect_eq(r.status, 2);
  cr_expect_str_eq(r.err, "halognn: --hosts: found 'two', expected a whole number from 1 to 1048576; see `halognn info "
                          "--help`\n");
  run_free(&r);
}

Test(cli_partition, without_output_goes_where_train_looks)
{
  run_result r = run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "1", NULL});
  cr_expect_eq(r.status, 0, "%s", r.err);
  expect_contains(&r, "g.parts/k1-metis-volume-nodes-1.05-seed1-auto.hg: 1 part of 100 nodes");
  cr_expect_eq(access(path_in(folder, "g.parts/k1-metis-volume-nodes-1.05-seed1-auto.hg"), R_OK), 0);
  run_free(&r);
}

Test(cli_partition, dry_run_predicts_and_writes_nothing)
{
  run_result r = run_in(
      folder, LIMIT_S, (const char *const[]){HALOGNN, "partition", "g.hg", "-k", "2", "-o", "p.hg", "--dry-run", NULL});
  cr_expect_eq(r.status, 0, "%s", r.err);
  expect_contains(&r, "g.hg: 100 nodes, 360 edges in 2 parts with metis: about ");
  cr_expect_neq(access(path_in(folder, "p.hg"), F_OK), 0);
  run_free(&r);
}

typedef struct {
  const char *arguments[8];
  const char *message; ///< all of standard error
} bad_case;

static const bad_case bad[] = {
    {{"-k", "2"}, "halognn: expected GRAPH.hg; see `halognn partition --help`\n"},
    {{"g.hg"}, "halognn: expected -k K, the number of parts; see `halognn partition --help`\n"},
    {{"g.hg", "x.hg", "-k", "2"},
     "halognn: found a second argument 'x.hg', expected GRAPH.hg alone; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "0"},
     "halognn: -k: found '0', expected a whole number from 1 to 1073741823; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "two"},
     "halognn: -k: found 'two', expected a whole number from 1 to 1073741823; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "99999999999999999999"},
     "halognn: -k: found '99999999999999999999', expected a whole number from 1 to 1073741823; see `halognn partition "
     "--help`\n"},
    {{"g.hg", "-k", "2", "--objective", "volumes"},
     "halognn: --objective: found 'volumes', expected volume, cut or largest; did you mean 'volume'?; see `halognn "
     "partition --help`\n"},
    {{"g.hg", "-k", "2", "--hosts", "0"},
     "halognn: --hosts: found '0', expected a whole number from 1 to 1048576; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "6", "--hosts", "4"}, "halognn: g.hg: 6 parts on 4 hosts, expected as many on each\n"},
    {{"g.hg", "-k", "2", "--layers", "0"},
     "halognn: --layers: found '0', expected a whole number from 1 to 1000; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "2", "--hidden", "x"},
     "halognn: --hidden: found 'x', expected a whole number from 1 to 1048576; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "2", "--refine", "true"},
     "halognn: --refine: found 'true', expected yes or no; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "2", "--covers", "mlp"},
     "halognn: --covers: found 'mlp', expected equal, gcn or geogcn; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "2", "--balance", "nodes,"},
     "halognn: --balance: found '', expected nodes, edges, labels, active; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "2", "--imbalance", "0.5"},
     "halognn: --imbalance: found '0.5', expected a number from 1 up, as 1.05; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "2", "--imbalance", "nan"},
     "halognn: --imbalance: found 'nan', expected a number from 1 up, as 1.05; see `halognn partition --help`\n"},
    {{"g.hg", "-k", "2", "--seed", "-1"},
     "halognn: --seed: found '-1', expected a whole number from 0 to 9223372036854775807; see `halognn partition "
     "--help`\n"},
    {{"g.hg", "-k", "2", "--order", "rcmm"},
     "halognn: --order: found 'rcmm', expected one of auto, cluster, metis, rcm, degree, none; did you mean 'rcm'?; "
     "see "
     "`halognn partition --help`\n"},
    {{"g.hg", "-k", "2", "-m", "metiss", "-o", "p.hg"},
     "halognn: unknown partition method 'metiss', did you mean 'metis'?: expected one of metis, ldg, random, block, "
     "ptscotch, ldg_slices\n"},
    {{"g.hg", "-k", "101", "-o", "p.hg"},
     "halognn: g.hg: 101 parts asked for, but the graph has only 100 nodes: a part cannot be empty\n"},
    {{"g.hg", "-k", "2", "-o", "no/p.hg"},
     "halognn: no/p.hg: cannot write in the folder no: No such file or directory\n"},
};

Test(cli_partition, refuses_bad_requests_with_one_line)
{
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *argv[12] = {HALOGNN, "partition"};
    for (int k = 0; k < 8; k++) argv[2 + k] = bad[i].arguments[k];
    run_result r = run_in(folder, LIMIT_S, argv);
    cr_expect_eq(r.status, 2, "case %zu: status %d", i, r.status);
    cr_expect_str_empty(r.out);
    cr_expect_str_eq(r.err, bad[i].message, "case %zu: found %s", i, r.err);
    run_free(&r);
  }
  cr_expect_neq(access(path_in(folder, "p.hg"), F_OK), 0, "nothing is written");
}

Test(cli_partition, refuses_files_that_are_no_graph)
{
  write_text(path_in(folder, "text.hg"), "no HDF5 at all");
  write_text(path_in(folder, "empty.hg"), "");
  const char *files[] = {"text.hg", "empty.hg", "missing.hg", "."};
  for (int i = 0; i < 4; i++) {
    run_result r =
        run_in(folder, LIMIT_S, (const char *const[]){HALOGNN, "partition", files[i], "-k", "2", "-o", "p.hg", NULL});
    cr_expect_eq(r.status, 2, "%s: status %d", files[i], r.status);
    cr_expect_str_empty(r.out);
    cr_expect_not_null(strstr(r.err, files[i]), "%s", r.err);
    run_free(&r);
  }
  cr_expect_neq(access(path_in(folder, "p.hg"), F_OK), 0, "nothing is written");
}
