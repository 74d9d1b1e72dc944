#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/config/config.h"
#include "runtime/config/value.h"
#include "tests/support/run.h"

static void parse(hg_config *config, const char *text)
{
  *config = hg_config_default();
  hg_status rc = hg_config_parse(config, text, strlen(text), "test.yaml");
  cr_assert_eq(rc, HG_OK, "%s", hg_error_text());
}

Test(config_load, defaults_are_what_users_of_other_frameworks_expect)
{
  hg_config c = hg_config_default();
  cr_expect_eq(c.train.optimizer, HG_OPTIMIZER_ADAM);
  cr_expect(c.train.learning_rate == 0.01 && c.model.dropout == 0.5 && c.train.weight_decay == 0);
  cr_expect(c.train.epochs == 200 && c.model.layers == 2 && c.model.hidden == 16 && c.train.patience == 0);
  cr_expect(c.model.self_loops && c.model.bias && !c.model.residual);
  cr_expect_eq(c.model.activation, HG_ACTIVATION_RELU);
  cr_expect_eq(c.model.normalization, HG_ADJACENCY_SYMMETRIC);
  cr_expect_eq(c.partition.objective, HG_OBJECTIVE_VOLUME);
  cr_expect_eq(c.partition.balance, HG_BALANCE_NODES);
  cr_expect_str_eq(c.partition.method, "metis");
  cr_expect(c.augment.rotate == 0 && !c.augment.reflect && c.augment.scale == 0 && c.augment.jitter == 0);
  cr_expect(c.augment.per == HG_AUGMENT_PER_GRAPH && c.augment.test_samples == 0);
  cr_expect(c.coordinator.timeout_seconds == 60 && c.train.keep_checkpoints == 2 && c.train.evaluate_every == 1);
}

Test(config_load, every_default_of_the_table_is_valid)
{
  for (const hg_key *key = hg_keys; key < hg_keys + HG_KEY_COUNT; key++) {
    hg_config c = hg_config_default();
    hg_status rc = HG_OK;
    int flags = 0;
    if (key->type == HG_KEY_FLAGS)
      rc = hg_value_add_flag(&flags, key, key->initial, key->name);
    else if (key->type == HG_KEY_TEXT)
      rc = hg_value_set(&c, key, key->initial, HG_VALUE_QUOTED, key->name);
    else if (key->type != HG_KEY_SECTION)
      rc = hg_value_set(&c, key, key->initial, HG_VALUE_PLAIN, key->name);
    cr_expect_eq(rc, HG_OK, "%s", hg_error_text());
  }
}

Test(config_load, every_choice_of_the_table_is_taken)
{
  for (const hg_key *key = hg_keys; key < hg_keys + HG_KEY_COUNT; key++) {
    for (int w = 0; key->choices && key->choices[w]; w++) {
      hg_config c = hg_config_default();
      char assignment[256], text[256];
      snprintf(assignment, sizeof assignment, "%s=%s", key->name, key->choices[w]);
      cr_assert_eq(hg_config_override(&c, assignment), HG_OK, "%s", hg_error_text());
      hg_value_text(&c, key, text, sizeof text);
      cr_expect(strstr(text, key->choices[w]) != NULL, "%s gives %s", assignment, text);
    }
  }
}

Test(config_load, reads_the_design_s_example)
{
  hg_config c;
  parse(&c, "name: cora_gcn\nseed: 1\nrepeat: 10   # seeds\n"
            "dataset:   {path: data/cora.hg, normalize_features: row}\n"
            "partition: {method: metis, objective: volume}\n"
            "model:     {type: gcn, layers: 2, hidden: 16, dropout: 0.5}\n"
            "train:     {epochs: 200, optimizer: adam, learning_rate: 0.01, weight_decay: 5.0e-4,\n"
            "            weight_decay_layers: first, evaluate_every: 1, patience: 0}\n");
  cr_expect_str_eq(c.name, "cora_gcn");
  cr_expect_str_eq(c.dataset.path, "data/cora.hg");
  cr_expect_eq(c.dataset.normalize_features, HG_FEATURES_ROW);
  cr_expect_eq(c.repeat, 10);
  cr_expect(c.train.weight_decay == 5.0e-4);
  cr_expect_eq(c.train.weight_decay_layers, HG_DECAY_FIRST);
}

Test(config_load, reads_each_type_in_each_spelling)
{
  hg_config c;
  parse(&c, "seed: 18446744073709551615\nname: 'it''s'\noutput: \"tab\\u00e9\"\n"
            "partition:\n  balance: [nodes, labels]\n  method: \"random\"\n"
            "model: {bias: False, residual: TRUE, input_dropout: auto, activation: \"elu\"}\n"
            "train: {learning_rate: .5, weight_decay: 1E-3, epsilon: +1e-8, beta1: 0, epochs: +7}\n");
  cr_expect_eq(c.seed, UINT64_MAX);
  cr_expect_str_eq(c.name, "it's");
  cr_expect_str_eq(c.output, "tab\xc3\xa9");
  cr_expect_eq(c.partition.balance, HG_BALANCE_NODES | HG_BALANCE_LABELS);
  cr_expect(!c.model.bias && c.model.residual && c.model.input_dropout < 0);
  cr_expect_eq(c.model.activation, HG_ACTIVATION_ELU);
  cr_expect(c.train.learning_rate == 0.5 && c.train.weight_decay == 1e-3 && c.train.epsilon == 1e-8);
  cr_expect_eq(c.train.epochs, 7);
}

Test(config_load, an_error_leaves_the_config_as_it_was)
{
  hg_config c = hg_config_default();
  const char *text = "seed: 9\ntrain: {epochs: 3, optimizer: adan}\n";
  cr_assert_eq(hg_config_parse(&c, text, strlen(text), "test.yaml"), HG_ERR_INPUT);
  cr_expect(c.seed == 1 && c.train.epochs == 200);
}

Test(config_load, overrides_take_every_type)
{
  hg_config c = hg_config_default();
  const char *const sets[] = {"seed=7",           "dataset.path=a: #b=c", "partition.balance=[edges, labels]",
                              "model.bias=false", "model.dropout=0.25",   "train.optimizer=adamw",
                              "output="};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    cr_assert_eq(hg_config_override(&c, sets[i]), HG_OK, "%s", hg_error_text());
  cr_expect_eq(c.seed, 7u);
  cr_expect_str_eq(c.dataset.path, "a: #b=c");
  cr_expect_eq(c.partition.balance, HG_BALANCE_EDGES | HG_BALANCE_LABELS);
  cr_expect(!c.model.bias && c.model.dropout == 0.25);
  cr_expect_eq(c.train.optimizer, HG_OPTIMIZER_ADAMW);
  cr_assert_eq(hg_config_override(&c, "partition.balance=nodes"), HG_OK);
  cr_expect_eq(c.partition.balance, HG_BALANCE_NODES);
}

Test(config_load, resolving_fills_what_follows_and_is_idempotent)
{
  hg_config c;
  parse(&c, "name: x\ndataset: {path: a.hg}\nmodel: {dropout: 0.25}\n");
  cr_assert_eq(hg_config_resolve(&c), HG_OK, "%s", hg_error_text());
  cr_expect_str_eq(c.output, "runs/x");
  cr_expect(c.model.input_dropout == 0.25);
  hg_config again = c;
  cr_assert_eq(hg_config_resolve(&again), HG_OK);
  cr_expect_str_eq(again.output, c.output);
}

static char *folder;

static void in_a_new_folder(void)
{
  folder = temporary_folder();
  cr_assert(chdir(folder) == 0 && mkdir("configs", 0777) == 0 && mkdir("elsewhere", 0777) == 0);
}

static void remove_the_folder(void)
{
  cr_expect_eq(chdir("/"), 0);
  temporary_folder_remove(&folder);
}

Test(config_load, a_config_without_a_name_is_called_as_its_file, .init = in_a_new_folder, .fini = remove_the_folder)
{
  write_text("configs/my.model.yaml", "seed: 3\n");
  hg_config c = hg_config_default();
  cr_assert_eq(hg_config_load(&c, "configs/my.model.yaml"), HG_OK, "%s", hg_error_text());
  cr_expect_str_eq(c.name, "my.model");
  cr_expect_eq(c.seed, 3u);
}

Test(config_load, a_file_that_cannot_be_read_is_named, .init = in_a_new_folder, .fini = remove_the_folder)
{
  hg_config c = hg_config_default();
  cr_expect_eq(hg_config_load(&c, "none.yaml"), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "none.yaml: cannot open the config: No such file or directory");
  cr_expect_eq(hg_config_load(&c, "configs"), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "configs: cannot read the config: Is a directory");
  cr_expect_eq(hg_config_load(&c, "/dev/zero"), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "/dev/zero: found more than 1048576 bytes, expected a config file");
  cr_expect_eq(hg_config_load(&c, "/dev/null"), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "/dev/null: found an empty file, expected `key: value` lines");
}

static void expect_found(const char *wanted, const char *expected)
{
  hg_config c = hg_config_default();
  snprintf(c.dataset.path, sizeof c.dataset.path, "%s", wanted);
  cr_expect_eq(hg_config_find_dataset(&c, "configs/a.yaml"), HG_OK, "%s", hg_error_text());
  cr_expect_str_eq(c.dataset.path, expected);
}

Test(config_load, the_dataset_is_looked_for_in_three_places, .init = in_a_new_folder, .fini = remove_the_folder)
{
  write_text("here.hg", "");
  write_text("configs/here.hg", "");
  write_text("configs/beside.hg", "");
  write_text("elsewhere/far.hg", "");
  unsetenv("HALOGNN_DATA");
  expect_found("here.hg", "here.hg");
  expect_found("beside.hg", "configs/beside.hg");
  hg_config c = hg_config_default();
  snprintf(c.dataset.path, sizeof c.dataset.path, "data/far.hg");
  cr_expect_eq(hg_config_find_dataset(&c, "configs/a.yaml"), HG_ERR_INPUT);
  cr_expect_str_eq(
      hg_error_text(),
      "dataset.path: found no file data/far.hg, neither from the working directory nor from configs; make it "
      "with `halognn import` or `halognn generate`, or name it with --set dataset.path=FILE");
  setenv("HALOGNN_DATA", "elsewhere", 1);
  expect_found("far.hg", "elsewhere/far.hg");
  expect_found("data/far.hg", "elsewhere/far.hg");
}
