// halo.staleness as a user sees it, on a small generated graph.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/cli/program.h"

static char *folder;

static void set_up(void)
{
  folder = temporary_folder();
  write_text(path_in(folder, "c.yaml"), "name: small\n"
                                        "dataset: {path: g.hg}\n"
                                        "model: {hidden: 8, layers: 3, dropout: 0}\n"
                                        "train: {epochs: 13, learning_rate: 0.01, checkpoint_every: 5}\n");
  run_result r =
      expect_status(folder, 0, 0, "generate csbm --nodes 200 --degree 6 --classes 3 --features 8 --seed 1 -o g.hg");
  run_free(&r);
}

static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(cli_stale, .init = set_up, .fini = tear_down);

// Trains on three ranks; loss and bytes of summary.json
static void train(const char *options, double *loss, double *bytes, const char *staleness)
{
  char words[512];
  snprintf(words, sizeof words, "train c.yaml --quiet --output r %s", options);
  run_result r = expect_status(folder, 3, 0, words);
  json_t *s = load_json(folder, "r/summary.json");
  cr_expect_str_eq(json_string_value(json_object_get(s, "halo_staleness")), staleness);
  cr_expect_eq(strstr(r.out, "halo staleness") != NULL, strcmp(staleness, "none") != 0, "%s", r.out);
  *loss = number_of(s, "train_loss");
  *bytes = number_of(s, "halo_bytes_per_epoch");
  json_decref(s);
  run_free(&r);
}

Test(cli_stale, the_summary_says_what_was_done_and_sent)
{
  double exact, loss, all, bytes, last;
  train("", &exact, &all, "none");
  train("--set halo.staleness=pipeline", &loss, &bytes, "pipeline");
  cr_expect_eq(bytes, all);
  cr_expect_neq(loss, exact);
  last = loss;
  train("--set halo.staleness=delayed --set halo.bins=1", &loss, &bytes, "delayed");
  cr_expect_eq(loss, last, "one bin is the epoch before");
  train("--set halo.staleness=delayed --set halo.bins=4", &loss, &bytes, "delayed");
  cr_expect_float_eq(bytes, all * (1 + 12.0 / 4) / 13, 1, "%g of %g bytes", bytes, all);
  train("--set halo.staleness=skip --set halo.skip_threshold=0", &loss, &bytes, "skip");
  cr_expect_eq(loss, exact);
  train("--set halo.staleness=skip --set halo.skip_threshold=0.3", &loss, &bytes, "skip");
  cr_expect(bytes < 0.9 * all, "%g of %g bytes", bytes, all);
  train("--set halo.staleness=skip --set halo.skip_threshold=1e9 --set halo.max_age=3 --set halo.skip_per=peer", &loss,
        &bytes, "skip");
  cr_expect(bytes < all * 4.1 / 13 && bytes > all * 4 / 13, "%g of %g bytes: epochs 1, 5, 9 and 13", bytes, all);
}

Test(cli_stale, other_parts_begin_anew)
{
  double loss, bytes;
  train("--set halo.staleness=pipeline", &loss, &bytes, "pipeline");
  remove(path_in(folder, "r/checkpoints/repeat_0_epoch_13.h5"));
  run_result r = expect_status(folder, 2, 0, "train c.yaml --quiet --output r --resume --set halo.staleness=pipeline");
  cr_expect_not_null(strstr(r.err, "halo.staleness: the checkpoint is of other parts"), "%s", r.err);
  run_free(&r);
  r = expect_status(folder, 3, 0, "predict r -o p.csv");
  run_free(&r);
}

Test(cli_stale, options_that_make_no_sense_are_refused)
{
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.staleness=lazy",
                 "halo.staleness: found 'lazy', expected one of none, pipeline, delayed, skip");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.staleness=pipeline --set halo.sample=0.5",
                 "halo.staleness: found pipeline with halo.sample 0.5, expected none: other rows cross in each epoch");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.staleness=skip --set halo.aggregation=covers",
                 "halo.staleness: found skip with halo.aggregation covers, expected none: rows of sources are kept");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.staleness=skip --set halo.precision=adaptive",
                 "halo.staleness: found skip with halo.precision adaptive, expected none");
  expect_refusal(folder, 2, 2,
                 "train c.yaml --set halo.staleness=delayed --set halo.precision=int8 --set halo.error_feedback=true",
                 "halo.staleness: found delayed with halo.error_feedback, expected none");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.feature_smoothing=0.5",
                 "halo.feature_smoothing: found 0.5 with halo.staleness none, expected 0, or pipeline");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.staleness=skip --set halo.gradient_smoothing=0.5",
                 "halo.gradient_smoothing: found 0.5 with halo.staleness skip, expected 0, or pipeline");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.staleness=pipeline --set halo.feature_smoothing=1",
                 "halo.feature_smoothing: found '1', expected a number in [0, 1)");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.bins=0",
                 "halo.bins: found '0', expected an integer from 1 to 1048576");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.max_age=0",
                 "halo.max_age: found '0', expected an integer of at least 1");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.skip_threshold=-1",
                 "halo.skip_threshold: found '-1', expected a finite number of at least 0");
  expect_refusal(folder, 2, 2, "train c.yaml --set halo.skip_per=node",
                 "halo.skip_per: found 'node', expected one of row, peer");
}

// A number that is not finite reaches the others whatever has changed, and ends the run on all ranks with one line
Test(cli_stale, a_run_that_diverges_says_so)
{
  static const char *const modes[] = {"pipeline", "delayed", "skip"};
  for (int m = 0; m < 3; m++) {
    char words[256];
    snprintf(words, sizeof words,
             "train c.yaml --quiet --set train.optimizer=sgd --set train.learning_rate=1e30 --set halo.staleness=%s",
             modes[m]);
    expect_refusal(folder, 3, 1, words, "the training loss is not a number any more");
  }
}
