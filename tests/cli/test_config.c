#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/run.h"

enum { LIMIT_S = 20 };

static void expect_failure(run_result r, const char *message)
{
  cr_expect_eq(r.status, 2);
  cr_expect_str_empty(r.out);
  cr_expect_str_eq(r.err, message);
  run_free(&r);
}

Test(cli_config, every_config_of_the_tree_is_valid)
{
  glob_t files;
  cr_assert_eq(glob(SOURCE_DIR "/configs/*.yaml", 0, NULL, &files), 0);
  cr_assert(files.gl_pathc >= 8);
  for (size_t i = 0; i < files.gl_pathc; i++) {
    run_result r = run_program(LIMIT_S, HALOGNN, "config", files.gl_pathv[i], NULL);
    cr_expect_eq(r.status, 0, "%s: %s", files.gl_pathv[i], r.err);
    cr_expect(strncmp(r.out, "name: ", 6) == 0, "%s", r.out);
    run_free(&r);
  }
  globfree(&files);
}

Test(cli_config, what_it_prints_is_a_config_that_prints_the_same)
{
  char *folder = temporary_folder();
  const char *again = path_in(folder, "again.yaml");
  run_result once = run_program(LIMIT_S, HALOGNN, "config", SOURCE_DIR "/configs/cora_gcn.yaml", NULL);
  write_text(again, once.out);
  run_result twice = run_program(LIMIT_S, HALOGNN, "config", again, NULL);
  cr_expect_eq(twice.status, 0, "%s", twice.err);
  cr_expect_str_eq(once.out, twice.out);
  run_free(&once);
  run_free(&twice);
  temporary_folder_remove(&folder);
}

Test(cli_config, set_changes_a_key_and_the_last_one_counts)
{
  run_result r = run_program(LIMIT_S, HALOGNN, "config", "--set", "train.epochs=3", SOURCE_DIR "/configs/cora_gcn.yaml",
                             "--set", "train.epochs=4", "--set", "partition.balance=[edges]", NULL);
  cr_expect_eq(r.status, 0, "%s", r.err);
  cr_expect(strstr(r.out, "\n  epochs: 4\n") != NULL, "%s", r.out);
  cr_expect(strstr(r.out, "\n  balance: [edges]\n") != NULL, "%s", r.out);
  run_free(&r);
}

Test(cli_config, a_wrong_file_is_told_with_file_line_and_key)
{
  char *folder = temporary_folder();
  write_text(path_in(folder, "a.yaml"), "name: a\ntrain:\n  epoch: 3\n");
  write_text(path_in(folder, "b.yaml"), "name: b\n");
  const char *a[] = {HALOGNN, "config", "a.yaml", NULL}, *b[] = {HALOGNN, "config", "b.yaml", NULL};
  expect_failure(run_in(folder, LIMIT_S, a),
                 "halognn: a.yaml:3: train.epoch: found an unknown key, did you mean train.epochs?\n");
  expect_failure(run_in(folder, LIMIT_S, b),
                 "halognn: b.yaml: dataset.path: found nothing, expected the path of an .hg file\n");
  temporary_folder_remove(&folder);
}

Test(cli_config, wrong_arguments_are_told)
{
  const char *cora = SOURCE_DIR "/configs/cora_gcn.yaml";
  expect_failure(run_program(LIMIT_S, HALOGNN, "config", cora, "--set", "train.epochs=0", NULL),
                 "halognn: --set train.epochs: found '0', expected an integer of at least 1\n");
  expect_failure(run_program(LIMIT_S, HALOGNN, "config", NULL),
                 "halognn: no config file given; see `halognn config --help`\n");
  expect_failure(run_program(LIMIT_S, HALOGNN, "config", "a", "b", NULL),
                 "halognn: found a second config file 'b', expected one; see `halognn config --help`\n");
  expect_failure(run_program(LIMIT_S, HALOGNN, "config", "--markdown", NULL),
                 "halognn: --markdown needs --schema; see `halognn config --help`\n");
  expect_failure(run_program(LIMIT_S, HALOGNN, "config", "/nowhere/a.yaml", NULL),
                 "halognn: /nowhere/a.yaml: cannot open the config: No such file or directory\n");
}

Test(cli_config, the_schema_documents_keys_as_text_and_markdown)
{
  run_result plain = run_program(LIMIT_S, HALOGNN, "config", "--schema", NULL);
  run_result tables = run_program(LIMIT_S, HALOGNN, "config", "--schema", "--markdown", NULL);
  cr_expect(plain.status == 0 && tables.status == 0);
  cr_expect(strstr(plain.out, "learning_rate: 0.01") != NULL);
  cr_expect(strstr(tables.out, "| `train.learning_rate` | 0.01 |") != NULL);
  run_free(&plain);
  run_free(&tables);
}
