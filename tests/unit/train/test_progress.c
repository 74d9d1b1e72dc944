#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/observe/progress.h"
#include "tests/support/run.h"

static char *folder;

static void set_up(void) { folder = temporary_folder(); }
static void tear_down(void) { temporary_folder_remove(&folder); }

TestSuite(progress, .init = set_up, .fini = tear_down);

// what `epochs` epochs of one run print on a standard error that is no terminal
static const char *shown(bool quiet, int epochs, double score)
{
  static char text[4096];
  hg_config config = hg_config_default();
  hg_progress progress;
  config.train.epochs = epochs;
  FILE *file = fopen(path_in(folder, "err"), "w+");
  cr_assert_not_null(file);
  int kept = dup(STDERR_FILENO);
  fflush(stderr);
  dup2(fileno(file), STDERR_FILENO);
  hg_progress_begin(&progress, &config, HG_METRIC_ACCURACY, quiet);
  for (int e = 1; e <= epochs; e++) {
    hg_epoch_record r = {.epoch = e, .train_loss = 0.25 * e, .evaluated = true, .seconds = 0.5};
    for (int s = 0; s < HG_SPLIT_COUNT; s++) r.scores[s] = hg_scores_none();
    r.scores[HG_SPLIT_VAL].accuracy = score;
    hg_progress_epoch(&progress, &r);
  }
  hg_progress_end(&progress);
  fflush(stderr);
  dup2(kept, STDERR_FILENO);
  close(kept);
  rewind(file);
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  return text;
}

Test(progress, shows_the_first_and_the_last_epoch_as_plain_lines)
{
  const char *text = shown(false, 40, 0.75);
  cr_expect_eq(strncmp(text, "epoch 1/40  loss 0.2500  val accuracy 0.7500  0.5 s/epoch  ", 58), 0, "%s", text);
  cr_expect_not_null(strstr(text, "\nepoch 40/40  loss 10.0000  val accuracy 0.7500  0.5 s/epoch  0 s left\n"), "%s",
                     text);
  cr_expect_null(strchr(text, '\r'), "no live line where no terminal is");
  cr_expect_null(strstr(text, "epoch 2/40"), "quick epochs are not each a line: %s", text);
}

Test(progress, leaves_out_a_score_that_is_not_there)
{
  const char *text = shown(false, 1, NAN);
  cr_expect_null(strstr(text, "val"), "%s", text);
  cr_expect_not_null(strstr(text, "epoch 1/1"), "%s", text);
}

Test(progress, is_silent_when_asked_to) { cr_expect_str_empty(shown(true, 5, 0.5)); }
