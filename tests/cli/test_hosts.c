// halo.hosts as a user sees it: ranks of this machine count as on several hosts (HALOGNN_HOSTS).
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/types.h"
#include "tests/cli/program.h"

static char *folder;

// g.hg: 300 nodes; c.yaml: three layers, parts for hosts
static void set_up(void)
{
  folder = temporary_folder();
  unsetenv("HALOGNN_HOSTS");
  write_text(path_in(folder, "c.yaml"), "dataset: {path: g.hg}\n"
                                        "partition: {hosts: auto}\n"
                                        "model: {layers: 3, hidden: 16, dropout: 0.3}\n"
                                        "halo: {skip_zeros: never}\n"
                                        "train: {epochs: 20, active_sets: false}\n");
  run_result r = expect_status(folder, 0, 0, "generate csbm --nodes 300 --classes 4 --features 9 -o g.hg");
  run_free(&r);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_hosts, .init = set_up, .fini = tear_down);

// the summary of a run on so many hosts
static json_t *train(int ranks, const char *hosts, const char *way)
{
  char words[128], name[64];
  setenv("HALOGNN_HOSTS", hosts, 1);
  snprintf(name, sizeof name, "%s_%d_%s", way, ranks, hosts);
  snprintf(words, sizeof words, "train c.yaml --output %s --set halo.hosts=%s", name, way);
  run_result r = expect_status(folder, ranks, 0, words);
  bool told =
      strstr(r.out, strcmp(way, "merged") == 0 ? "messages, each row once" : "a row for each rank that needs it");
  cr_expect_eq(told, strcmp(hosts, "1") != 0, "%s", r.out);
  run_free(&r);
  unsetenv("HALOGNN_HOSTS");
  snprintf(words, sizeof words, "%s/summary.json", name);
  return load_json(folder, words);
}

Test(cli_hosts, a_row_crosses_once_and_plan_knows_it)
{
  static const char *const ways[][2] = {{"ranks", "halo float32"}, {"merged", "merged hosts"}};
  run_result r = expect_status(folder, 0, 0, "plan c.yaml -k 4,6 --ranks-per-host 2 --json --seconds 0");
  json_t *all = json_loads(r.out, 0, NULL), *of[2];
  double size = (double)sizeof(hg_real) / 4;
  for (int ranks = 4; ranks <= 6; ranks += 2) {
    const json_t *plan = json_array_get(all, (size_t)(ranks - 4) / 2);
    for (int w = 0; w < 2; w++) {
      of[w] = train(ranks, ranks == 4 ? "2" : "3", ways[w][0]);
      const json_t *s = scheme(plan, ways[w][1]);
      double bytes = number_of(of[w], "halo_bytes_per_epoch"),
             far = number_of(of[w], "halo_bytes_between_hosts_per_epoch");
      cr_expect_str_eq(json_string_value(json_object_get(of[w], "halo_hosts")), ways[w][0]);
      cr_expect_eq(number_of(of[w], "hosts"), ranks / 2);
      cr_expect_eq(number_of(s, "bytes") * size, bytes, "%s on %d ranks", ways[w][0], ranks);
      cr_expect_float_eq(number_of(s, "bytes_between_hosts") * size, far, 0.5, "%s on %d ranks", ways[w][0], ranks);
      cr_expect_leq(number_of(s, "largest_rank_bytes") * size, bytes);
      cr_expect_geq(number_of(s, "largest_rank_bytes") * size * ranks, bytes);
      cr_expect_eq(number_of(of[w], "halo_bytes_within_hosts_per_epoch"), bytes - far);
    }
    double between[] = {number_of(of[0], "halo_bytes_between_hosts_per_epoch"),
                        number_of(of[1], "halo_bytes_between_hosts_per_epoch")};
    cr_expect_lt(between[1], between[0]);
    cr_expect_eq(between[1] / between[0], number_of(plan, "host_rows_unique") / number_of(plan, "host_rows"));
    cr_expect_eq(number_of(of[0], "halo_bytes_within_hosts_per_epoch"),
                 number_of(of[1], "halo_bytes_within_hosts_per_epoch"));
    cr_expect_lt(number_of(of[1], "halo_messages_between_hosts_per_epoch"),
                 number_of(of[0], "halo_messages_between_hosts_per_epoch"));
    cr_expect_float_eq(number_of(of[1], "train_loss"), number_of(of[0], "train_loss"), 1e-4);
    for (int w = 0; w < 2; w++) json_decref(of[w]);
  }
  json_decref(all);
  run_free(&r);
}

// one host, and one rank on each: nothing is merged, the same bits
Test(cli_hosts, nothing_to_merge_changes_nothing)
{
  static const char *const hosts[] = {"1", "3"};
  for (int k = 0; k < 2; k++) {
    json_t *ranks = train(3, hosts[k], "ranks"), *merged = train(3, hosts[k], "merged");
    cr_expect_eq(number_of(ranks, "train_loss"), number_of(merged, "train_loss"));
    cr_expect_eq(number_of(ranks, "halo_bytes_per_epoch"), number_of(merged, "halo_bytes_per_epoch"));
    cr_expect_eq(number_of(ranks, "halo_messages_between_hosts_per_epoch"),
                 number_of(merged, "halo_messages_between_hosts_per_epoch"));
    cr_expect_eq(number_of(ranks, "halo_bytes_between_hosts_per_epoch"),
                 k == 0 ? 0 : number_of(ranks, "halo_bytes_per_epoch"));
    json_decref(ranks);
    json_decref(merged);
  }
}

// Messages between hosts without zeros: the same bits for fewer bytes, which the default does where there are hosts.
Test(cli_hosts, zeros_are_left_out_of_merged_messages)
{
  json_t *all = train(4, "2", "merged");
  setenv("HALOGNN_HOSTS", "2", 1);
  run_result r = expect_status(folder, 4, 0,
                               "train c.yaml --quiet --output packed --set halo.hosts=merged "
                               "--set halo.skip_zeros=between_hosts");
  json_t *packed = load_json(folder, "packed/summary.json");
  cr_expect_eq(number_of(all, "train_loss"), number_of(packed, "train_loss"));
  cr_expect_lt(number_of(packed, "halo_bytes_between_hosts_per_epoch"),
               0.9 * number_of(all, "halo_bytes_between_hosts_per_epoch"));
  json_decref(all);
  json_decref(packed);
  run_free(&r);
}

// Where the first aggregate is kept the second layer exchanges nothing between hosts, which the summary says; where it
// is not, asking for that is told.
Test(cli_hosts, the_second_layers_halo_is_computed)
{
  setenv("HALOGNN_HOSTS", "2", 1);
  run_result r =
      expect_status(folder, 4, 0, "train c.yaml --output computed --set halo.hosts=merged --set model.input_dropout=0");
  cr_expect_not_null(strstr(r.out, "the second layer exchanges nothing"), "%s", r.out);
  run_free(&r);
  r = expect_status(folder, 4, 0,
                    "train c.yaml --output exchanged --set halo.hosts=merged --set model.input_dropout=0 "
                    "--set halo.compute_first=never");
  cr_expect_null(strstr(r.out, "the second layer exchanges nothing"), "%s", r.out);
  run_free(&r);
  json_t *computed = load_json(folder, "computed/summary.json"),
         *exchanged = load_json(folder, "exchanged/summary.json");
  cr_expect(json_is_true(json_object_get(computed, "first_layer_computes_halo")));
  cr_expect(json_is_false(json_object_get(exchanged, "first_layer_computes_halo")));
  cr_expect_lt(number_of(computed, "halo_bytes_per_epoch"), 0.5 * number_of(exchanged, "halo_bytes_per_epoch"));
  cr_expect_float_eq(number_of(computed, "train_loss"), number_of(exchanged, "train_loss"), 1e-4);
  json_decref(computed);
  json_decref(exchanged);
  r = expect_status(folder, 4, 0, "train c.yaml --output dropped --set halo.compute_first=always");
  cr_expect_not_null(
      strstr(r.err, "halo.compute_first: always has no effect with sparse features or model.input_dropout"), "%s",
      r.err);
  run_free(&r);
  r = expect_status(folder, 2, 0, "predict computed -o computed.csv");
  cr_expect_eq(count_lines(folder, "computed.csv"), 301);
  run_free(&r);
}

// A whole training with rounded rows; they take a quarter of the bytes and their ranges.
Test(cli_hosts, rounded_rows_are_merged)
{
  json_t *all = train(4, "2", "merged");
  setenv("HALOGNN_HOSTS", "2", 1);
  run_result r = expect_status(folder, 4, 0,
                               "train c.yaml --quiet --output rounded --set halo.hosts=merged "
                               "--set halo.precision=int8 --set halo.compute_first=never");
  json_t *rounded = load_json(folder, "rounded/summary.json");
  cr_expect_lt(number_of(rounded, "halo_bytes_between_hosts_per_epoch"),
               0.6 * number_of(all, "halo_bytes_between_hosts_per_epoch"));
  cr_expect_eq(number_of(rounded, "halo_messages_between_hosts_per_epoch"),
               number_of(all, "halo_messages_between_hosts_per_epoch"));
  cr_expect_float_eq(number_of(rounded, "train_loss"), number_of(all, "train_loss"), 0.1);
  json_decref(all);
  json_decref(rounded);
  run_free(&r);
}

Test(cli_hosts, predicts_and_resumes_with_any_hosts)
{
  json_t *merged = train(4, "2", "merged");
  setenv("HALOGNN_HOSTS", "2", 1);
  run_result r = expect_status(folder, 4, 0, "predict merged_4_2 -o merged.csv");
  run_free(&r);
  unsetenv("HALOGNN_HOSTS");
  r = expect_status(folder, 2, 0, "predict merged_4_2 -o ranks.csv");
  run_free(&r);
  cr_expect_eq(count_lines(folder, "merged.csv"), count_lines(folder, "ranks.csv"));
  r = expect_status(folder, 3, 0,
                    "train c.yaml --quiet --output merged_4_2 --resume --set halo.hosts=merged "
                    "--set train.epochs=25");
  run_free(&r);
  json_decref(merged);
}

Test(cli_hosts, refuses_what_does_not_go_together)
{
  static const char *const bad[][2] = {
      {"halo.precision=adaptive",
       "halo.hosts: found merged with halo.precision adaptive, expected ranks, or the same bits for all rows"},
      {"halo.precision=int8 --set halo.error_feedback=true",
       "halo.hosts: found merged with halo.error_feedback true, expected ranks, or false"},
      {"halo.aggregation=covers", "halo.hosts: found merged with halo.aggregation covers, expected ranks, or sources"},
      {"halo.sample=0.5", "halo.hosts: found merged with halo.sample 0.5, expected ranks, or a sample of 1"},
      {"halo.staleness=pipeline", "halo.hosts: found merged with halo.staleness pipeline, expected ranks, or none"},
      {"parallel.mode=features", "halo.hosts: found merged with parallel.mode features, expected ranks, or parts"}};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    char words[128];
    snprintf(words, sizeof words, "train c.yaml --set halo.hosts=merged --set %s", bad[k][0]);
    expect_refusal(folder, 0, 2, words, bad[k][1]);
  }
  setenv("HALOGNN_HOSTS", "two", 1);
  expect_refusal(folder, 2, 2, "train c.yaml", "HALOGNN_HOSTS: found 'two', expected a whole number from 1 to 1048576");
}
