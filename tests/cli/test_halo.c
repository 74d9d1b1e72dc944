// halo.precision and its neighbours as a user sees them, on a small generated graph.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/base/types.h"
#include "tests/cli/program.h"

static char *folder;

// g.hg: 200 nodes; c.yaml: three layers, whose second exchanges 8 columns and whose third the outputs' 3
static void set_up(void)
{
  folder = temporary_folder();
  write_text(path_in(folder, "c.yaml"), "name: small\n"
                                        "dataset: {path: g.hg}\n"
                                        "model: {hidden: 8, layers: 3, dropout: 0.2}\n"
                                        "train: {epochs: 12, learning_rate: 0.05, checkpoint_every: 5,\n"
                                        "        active_sets: false}\n");
  run_result r =
      expect_status(folder, 0, 0, "generate csbm --nodes 200 --degree 6 --classes 3 --features 8 --seed 1 -o g.hg");
  run_free(&r);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_halo, .init = set_up, .fini = tear_down);

static void runs(int ranks, const char *words)
{
  run_result r = expect_status(folder, ranks, 0, words);
  run_free(&r);
}

// Every halo row crosses in each layer after the first, once each way.
Test(cli_halo, bytes_are_those_of_the_formula)
{
  static const struct {
    const char *precision;
    size_t second, third; // bytes of a row: 8 columns; 3 columns, in 8 bits at least
  } cases[] = {{"float32", 8 * sizeof(hg_real), 3 * sizeof(hg_real)},
               {"bfloat16", 16, 6},
               {"int8", 12, 7},
               {"int4", 8, 7},
               {"int2", 6, 7}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    char words[256];
    snprintf(words, sizeof words, "train c.yaml --quiet --output %s --set halo.precision=%s", cases[c].precision,
             cases[c].precision);
    runs(3, words);
    snprintf(words, sizeof words, "%s/summary.json", cases[c].precision);
    json_t *s = load_json(folder, words);
    cr_expect_str_eq(json_string_value(json_object_get(s, "halo_precision")), cases[c].precision);
    double rows = number_of(s, "halo_nodes");
    cr_expect_gt(rows, 0);
    cr_expect_eq(number_of(s, "halo_bytes_per_epoch"), 2 * rows * (double)(cases[c].second + cases[c].third), "%s",
                 cases[c].precision);
    json_decref(s);
  }
}

// The second layer's messages have at most the bytes that were asked for, the third's are int8
Test(cli_halo, adaptive_bits_keep_to_their_bytes)
{
  static const double fractions[] = {0.2, 0.25, 0.3};
  double before = 0;
  for (int f = 0; f < 3; f++) {
    char words[256];
    snprintf(words, sizeof words, "train c.yaml --quiet --output r%d --set halo.precision=adaptive --set %s=%g", f,
             "halo.bytes_fraction", fractions[f]);
    runs(3, words);
    snprintf(words, sizeof words, "r%d/summary.json", f);
    json_t *s = load_json(folder, words);
    double bytes = number_of(s, "halo_bytes_per_epoch"), rows = 2 * number_of(s, "halo_nodes");
    cr_expect_str_eq(json_string_value(json_object_get(s, "halo_precision")), "adaptive");
    cr_expect(bytes <= rows * (32 * fractions[f] + 7), "%g: %g bytes of %g rows", fractions[f], bytes, rows);
    cr_expect(bytes > rows * (32 * fractions[f] + 7) * 0.85, "%g: %g bytes of %g rows", fractions[f], bytes, rows);
    cr_expect_gt(bytes, before);
    before = bytes;
    json_decref(s);
  }
}

Test(cli_halo, one_rank_rounds_nothing)
{
  runs(1, "train c.yaml --quiet --output exact");
  runs(1, "train c.yaml --quiet --output packed --set halo.precision=int2 --set halo.error_feedback=true");
  json_t *a = load_json(folder, "exact/summary.json"), *b = load_json(folder, "packed/summary.json");
  cr_expect_eq(number_of(a, "train_loss"), number_of(b, "train_loss"));
  cr_expect_eq(number_of(b, "halo_bytes_per_epoch"), 0);
  json_decref(a);
  json_decref(b);
}

// Two ranks are two pairs: of each max(1, floor(rate n)) rows cross, with one rank's rows half of them or one fewer
Test(cli_halo, a_sample_of_the_rows_crosses)
{
  runs(2, "train c.yaml --quiet --output all");
  runs(2, "train c.yaml --quiet --output half --set halo.sample=0.5");
  json_t *all = load_json(folder, "all/summary.json"), *half = load_json(folder, "half/summary.json");
  double row = number_of(all, "halo_bytes_per_epoch") / number_of(all, "halo_nodes");
  double rows = number_of(half, "halo_bytes_per_epoch") / row;
  cr_expect_eq(number_of(half, "halo_sample"), 0.5);
  cr_expect_eq(number_of(all, "halo_sample"), 1);
  cr_expect(rows <= number_of(all, "halo_nodes") / 2 && rows >= number_of(all, "halo_nodes") / 2 - 1, "%g rows", rows);
  cr_expect_neq(number_of(half, "train_loss"), number_of(all, "train_loss"));
  json_decref(all);
  json_decref(half);
}

// Covers send no more rows, and the same losses come out.
Test(cli_halo, covers_send_sums_too)
{
  runs(3, "train c.yaml --quiet --output sources");
  run_result r = expect_status(folder, 3, 0, "train c.yaml --quiet --output covers --set halo.aggregation=covers");
  cr_expect_not_null(strstr(r.out, "halo aggregation      covers"), "%s", r.out);
  run_free(&r);
  json_t *sources = load_json(folder, "sources/summary.json"), *covers = load_json(folder, "covers/summary.json");
  cr_expect_str_eq(json_string_value(json_object_get(sources, "halo_aggregation")), "sources");
  cr_expect_str_eq(json_string_value(json_object_get(covers, "halo_aggregation")), "covers");
  cr_expect_lt(number_of(covers, "halo_bytes_per_epoch"), number_of(sources, "halo_bytes_per_epoch"));
  cr_expect_float_eq(number_of(covers, "train_loss"), number_of(sources, "train_loss"), 1e-4);
  json_decref(sources);
  json_decref(covers);
}

Test(cli_halo, the_output_names_what_crossed)
{
  run_result r = expect_status(folder, 2, 0, "train c.yaml --quiet --set halo.precision=int4");
  cr_expect_not_null(strstr(r.out, "messages of int4 ("), "%s", r.out);
  run_free(&r);
  r = expect_status(folder, 2, 0, "train c.yaml --quiet --output r");
  cr_expect_null(strstr(r.out, "messages of"), "%s", r.out);
  run_free(&r);
}

Test(cli_halo, a_resumed_run_goes_on_with_the_same_bits)
{
  const char *options = "--quiet --set halo.precision=int4 --set halo.error_feedback=true --set halo.warmup_epochs=2";
  char words[256];
  snprintf(words, sizeof words, "train c.yaml --output whole %s", options);
  runs(3, words);
  snprintf(words, sizeof words, "train c.yaml --output part %s", options);
  runs(3, words);
  remove(path_in(folder, "part/checkpoints/repeat_0_epoch_12.h5"));
  snprintf(words, sizeof words, "train c.yaml --output part --resume %s", options);
  runs(3, words);
  json_t *a = load_json(folder, "whole/summary.json"), *b = load_json(folder, "part/summary.json");
  cr_expect_eq(number_of(a, "train_loss"), number_of(b, "train_loss"));
  json_decref(a);
  json_decref(b);
  remove(path_in(folder, "part/checkpoints/repeat_0_epoch_12.h5"));
  snprintf(words, sizeof words, "train c.yaml --output part --resume %s", options);
  run_result r = expect_status(folder, 2, 0, words); // other parts
  cr_expect_not_null(strstr(r.err, "halo.error_feedback: the checkpoint is of other parts"), "%s", r.err);
  run_free(&r);
}

Test(cli_halo, bad_values_are_refused)
{
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.precision=int3",
                 "--set halo.precision: found 'int3', expected one of float32, bfloat16, int8, int4, int2, adaptive");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.sample=0",
                 "halo.sample: found '0', expected a number in (0, 1]");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.sample=0.5 --set halo.precision=adaptive",
                 "halo.precision: found adaptive with halo.sample 0.5");
  expect_refusal(folder, 2, 2,
                 "train c.yaml --set halo.sample=0.5 --set halo.precision=int8 --set halo.error_feedback=true",
                 "halo.error_feedback: found true with halo.sample 0.5");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.presicion=int8", "did you mean halo.precision?");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.warmup_epochs=-1",
                 "halo.warmup_epochs: found '-1', expected an integer of at least 0");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.error_feedback=true",
                 "halo.error_feedback: found true with halo.precision float32, expected false");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.precision=adaptive --set halo.bytes_fraction=0",
                 "halo.bytes_fraction: found '0', expected a number in (0, 1]");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.precision=adaptive --set halo.error_feedback=true",
                 "halo.error_feedback: found true with halo.precision adaptive, expected false");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.warmup_epochs=3",
                 "halo.warmup_epochs: found 3 with halo.precision float32, expected 0");
}

Test(cli_halo, rows_of_the_output_are_reals_whose_positions_stay)
{
  runs(0, "generate geometric --nodes 100 --degree 4 --features 4 --classes 3 --dims 2 --seed 1 -o p.hg");
  write_text(path_in(folder, "geo.yaml"), "dataset: {path: p.hg}\n"
                                          "model: {type: geogcn, hidden: 4, filters: 2}\n"
                                          "halo: {aggregation: covers}\n"
                                          "train: {epochs: 2}\n");
  runs(2, "train geo.yaml --quiet");
  expect_refusal(
      folder, 2, 2, "train geo.yaml --set halo.precision=int8",
      "halo.precision: found fewer bits with halo.aggregation covers and model.type geogcn, expected float32");
  expect_refusal(folder, 2, 2, "train geo.yaml --set augment.jitter=0.1",
                 "halo.aggregation: found covers with augment.jitter 0.1, expected sources");
}

// A number that is not finite must end the run on all ranks with one line, whatever it was packed to
Test(cli_halo, a_run_that_diverges_says_so)
{
  expect_refusal(folder, 3, 1,
                 "train c.yaml --quiet --set halo.precision=int2 --set train.optimizer=sgd "
                 "--set train.learning_rate=1e30",
                 "the training loss is not a number any more");
}
