#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/types.h"
#include "tests/cli/program.h"

static char *folder;

// g.hg: 300 nodes, 4 classes; c.yaml: three layers, so that one exchanges the hidden width and one the classes'
static void set_up(void)
{
  folder = temporary_folder();
  run_result r = expect_status(folder, 0, 0, "generate csbm --nodes 300 --classes 4 --features 9 -o g.hg");
  run_free(&r);
  write_text(path_in(folder, "c.yaml"), "dataset: {path: g.hg}\n"
                                        "model: {layers: 3, hidden: 16}\n"
                                        "train: {epochs: 2}\n");
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_plan, .init = set_up, .fini = tear_down);

static json_t *plan(const char *words)
{
  run_result r = expect_status(folder, 0, 0, words);
  json_error_t error;
  json_t *all = json_loads(r.out, 0, &error);
  cr_assert_not_null(all, "%s in:\n%s", error.text, r.out);
  run_free(&r);
  return all;
}

Test(cli_plan, counts_what_runs_send)
{
  static const char *const ways[][2] = {{"precision=float32", "halo float32"},
                                        {"aggregation=covers", "least covers"},
                                        {"compute_first=always", "first computed"},
                                        {"precision=bfloat16", "halo bfloat16"},
                                        {"precision=int8", "halo int8"},
                                        {"precision=int4", "halo int4"}};
  json_t *all = plan("plan c.yaml -k 2,3,4 --json --seconds 0 --set model.input_dropout=0");
  cr_assert_eq(json_array_size(all), 3);
  for (int ranks = 2; ranks <= 4; ranks++) {
    for (int p = 0; p < 6; p++) {
      char words[256];
      snprintf(
          words, sizeof words,
          "train c.yaml --quiet --output r%d%d --set halo.%s --set train.active_sets=false --set model.input_dropout=0",
          ranks, p, ways[p][0]);
      run_result r = expect_status(folder, ranks, 0, words);
      run_free(&r);
      snprintf(words, sizeof words, "r%d%d/summary.json", ranks, p);
      json_t *summary = load_json(folder, words);
      double expected = number_of(summary, "halo_bytes_per_epoch"),
             messages = number_of(summary, "halo_messages_per_epoch");
      const json_t *of_ranks = json_array_get(all, (size_t)ranks - 2), *s = scheme(of_ranks, ways[p][1]);
      if (p < 3) expected *= 4.0 / sizeof(hg_real);
      cr_expect_eq(number_of(s, "bytes"), expected, "%s on %d ranks", ways[p][1], ranks);
      cr_expect_leq(number_of(s, "messages"), messages);
      json_decref(summary);
    }
  }
  json_decref(all);
}

Test(cli_plan, counts_what_rows_of_the_output_send)
{
  run_result r = expect_status(folder, 0, 0,
                               "generate geometric --nodes 300 --degree 6 --features 4 --classes 3 --dims 2 -o p.hg");
  run_free(&r);
  write_text(path_in(folder, "geo.yaml"), "dataset: {path: p.hg}\n"
                                          "model: {type: geogcn, layers: 3, hidden: 16, filters: 2}\n"
                                          "train: {epochs: 2, active_sets: false}\n");
  json_t *all = plan("plan geo.yaml -k 2,3 --json --seconds 0");
  for (int ranks = 2; ranks <= 3; ranks++) {
    char words[128];
    snprintf(words, sizeof words, "train geo.yaml --quiet --output g%d --set halo.aggregation=covers", ranks);
    r = expect_status(folder, ranks, 0, words);
    run_free(&r);
    snprintf(words, sizeof words, "g%d/summary.json", ranks);
    json_t *summary = load_json(folder, words);
    const json_t *of_ranks = json_array_get(all, (size_t)ranks - 2), *covers = scheme(of_ranks, "least covers");
    cr_expect_eq(number_of(covers, "bytes"), number_of(summary, "halo_bytes_per_epoch") * 4.0 / sizeof(hg_real));
    cr_expect_lt(number_of(covers, "bytes"), number_of(scheme(of_ranks, "halo float32"), "bytes"));
    cr_expect_leq(number_of(covers, "messages"), number_of(summary, "halo_messages_per_epoch"));
    json_decref(summary);
  }
  json_decref(all);
}

Test(cli_plan, least_covers_are_no_more_rows_than_sources_or_partial_sums)
{
  json_t *all = plan("plan c.yaml -k 2,4,8,16 --json --seconds 0 --set partition.method=random");
  size_t k;
  const json_t *ranks;
  json_array_foreach(all, k, ranks)
  {
    double sources = number_of(ranks, "halo_rows"), partials = number_of(ranks, "partial_rows");
    double covers = number_of(ranks, "cover_rows");
    cr_expect(covers > 0 && covers <= sources && covers <= partials);
    cr_expect_eq(number_of(scheme(ranks, "least covers"), "bytes") / covers,
                 number_of(scheme(ranks, "halo float32"), "bytes") / sources);
    // two turns of the first layer, whose input needs no gradient, and four of each other one; of the last one's four
    // columns half of 8 ranks have none
    double p = number_of(ranks, "ranks"), last = p <= 4 ? 4 * (p - 1) : 2 * (p - 1 + 3);
    if (p <= 8) cr_expect_eq(number_of(scheme(ranks, "feature-parallel"), "messages"), 6 * (p - 1) + last);
  }
  int groups = (int)number_of(scheme(json_array_get(all, 3), "2D"), "part_groups");
  cr_expect(groups == 2 || groups == 4 || groups == 8, "found %d", groups);
  json_decref(all);
}

static void check_timed(const json_t *ranks)
{
  double computed = number_of(json_object_get(ranks, "computed"), "seconds"), chosen = 0, least = 1e9;
  const char *name = json_string_value(json_object_get(ranks, "chosen"));
  size_t k;
  const json_t *s;
  cr_assert_not_null(name);
  json_array_foreach(json_object_get(ranks, "schemes"), k, s)
  {
    double epoch = number_of(s, "epoch_seconds");
    bool told = strncmp(json_string_value(json_object_get(s, "name")), "SuperGNN", 8) != 0;
    bool halo = strncmp(json_string_value(json_object_get(s, "name")), "halo", 4) == 0;
    cr_expect_eq(epoch > 0, told);
    const char *title = json_string_value(json_object_get(s, "name"));
    bool alone = strncmp(title, "feature", 7) == 0 && number_of(ranks, "ranks") == 1; // shares nothing by columns
    cr_expect_eq(number_of(s, "memory_bytes") > 0, json_is_true(json_object_get(s, "runs")) && !alone, "%s", title);
    if (halo) cr_expect_geq(epoch, computed);
    if (strcmp(json_string_value(json_object_get(s, "name")), name) == 0) chosen = epoch;
    if (json_is_true(json_object_get(s, "runs")) && json_is_true(json_object_get(s, "exact")) && epoch < least)
      least = epoch;
  }
  cr_expect_eq(chosen, least);
}

Test(cli_plan, predicts_epochs_and_memory)
{
  size_t k;
  const json_t *ranks;
  json_t *all = plan("plan c.yaml -k 1,2,4 --json --seconds 0.01 --ranks-per-host 2 --threads 1");
  json_array_foreach(all, k, ranks) check_timed(ranks);
  const json_t *one = scheme(json_array_get(all, 0), "halo float32");
  cr_expect_eq(number_of(one, "exposed_seconds"), 0);
  cr_expect_gt(number_of(one, "memory_bytes"),
               number_of(scheme(json_array_get(all, 2), "halo float32"), "memory_bytes"));
  json_decref(all);
}

Test(cli_plan, takes_other_machines_and_does_without_times)
{
  write_text(path_in(folder, "slow.json"), "{\"benchmarks\": [{\"name\": \"triad\", \"threads\": 4, \"rate\": 0.004},"
                                           "{\"name\": \"multiply-add\", \"threads\": 4, \"rate\": 0.004}]}");
  json_t *slow = plan("plan c.yaml -k 2 --json --seconds 0.01 --machine slow.json"),
         *none = plan("plan c.yaml -k 2 --json --seconds 0");
  cr_expect_gt(number_of(json_object_get(json_array_get(slow, 0), "computed"), "seconds"), 0.05);
  cr_expect_eq(number_of(json_object_get(json_array_get(none, 0), "computed"), "seconds"), 0);
  cr_expect_null(json_object_get(json_array_get(none, 0), "chosen"));
  cr_expect_gt(number_of(scheme(json_array_get(none, 0), "halo int8"), "memory_bytes"), 0);
  json_decref(slow);
  json_decref(none);
}

// 8 bytes in 2 ms and 0.001 GB/s: what the same options say, to rounding
Test(cli_plan, takes_the_network_of_a_file)
{
  write_text(path_in(folder, "net.json"),
             "{\"benchmarks\": [{\"name\": \"8 bytes, between hosts\", \"median_s\": 0.002},"
             "{\"name\": \"1 MiB, between hosts\", \"rate\": 0.001}]}");
  json_t *file = plan("plan c.yaml -k 2 --json --seconds 0 --network net.json"),
         *same = plan("plan c.yaml -k 2 --json --seconds 0 --gbits 0.008 --latency 2000");
  double found = number_of(scheme(json_array_get(file, 0), "halo float32"), "seconds"),
         expected = number_of(scheme(json_array_get(same, 0), "halo float32"), "seconds");
  cr_expect_gt(found, 0.004);
  cr_expect_lt(fabs(found - expected), 1e-9, "%g s, expected %g", found, expected);
  json_decref(file);
  json_decref(same);
}

Test(cli_plan, prints_a_table)
{
  run_result r = expect_status(folder, 0, 0, "plan c.yaml -k 4 --gbits 1 --latency 50");
  cr_expect_not_null(strstr(r.out, "4 ranks: "));
  cr_expect_not_null(strstr(r.out, "  * halo float32 "));
  cr_expect_not_null(strstr(r.out, "    SuperGNN exact "));
  run_free(&r);
}

Test(cli_plan, refuses_what_it_cannot_plan)
{
  static const char *const refusals[][2] = {
      {"plan c.yaml", "expected -k LIST, the numbers of ranks"},
      {"plan -k 2", "expected CONFIG.yaml"},
      {"plan c.yaml -k 4,2", "-k: found 2 after 4, expected ascending numbers"},
      {"plan c.yaml -k 0", "-k: found '0', expected"},
      {"plan c.yaml -k 2 --seconds soon", "--seconds: found 'soon', expected 0 to 3600"},
      {"plan c.yaml -k 2 --ranks-per-host 0", "--ranks-per-host: found '0', expected"},
      {"plan c.yaml -k 2 --threads no", "--threads: found 'no', expected"},
      {"plan c.yaml -k 2 --machine c.yaml", "--machine: c.yaml: "},
      {"plan c.yaml -k 2 --machine empty.json", "--machine: empty.json: found no lines triad and multiply-add"},
      {"plan c.yaml -k 2 --network c.yaml", "--network: c.yaml: "},
      {"plan c.yaml -k 2 --network empty.json", "--network: empty.json: found no lines '8 bytes, between hosts' and"},
      {"plan c.yaml -k 2 --network empty.json --gbits 1", "--network: found --gbits or --latency too"},
      {"plan c.yaml -k 2 --gbits 0", "--gbits: found '0', expected a number above 0"},
      {"plan none.yaml -k 2", "none.yaml: cannot open the config"},
      {"plan c.yaml -k 2 --set dataset.path=none.hg", "dataset.path: found no file none.hg"},
      {"plan c.yaml -k 400", "parts"},
      {"plan c.yaml -k 2 --set model.type=gnc", "model.type: found 'gnc'"},
      {"plan c.yaml -k 2 --set model.pooling=cluster", "model.pooling: found cluster, which pools the nodes of many"},
  };
  write_text(path_in(folder, "empty.json"), "{\"benchmarks\": []}");
  for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++)
    expect_refusal(folder, 0, 2, refusals[k][0], refusals[k][1]);
}
