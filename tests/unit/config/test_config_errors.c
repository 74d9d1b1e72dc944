#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/config/config.h"

typedef struct {
  const char *text, *message;
} bad_case;

static void expect_messages(const bad_case *cases, hg_status (*run)(const char *text))
{
  for (const bad_case *c = cases; c->text; c++) {
    hg_status rc = run(c->text);
    cr_expect_eq(rc, HG_ERR_INPUT, "accepted: %s", c->text);
    if (rc != HG_OK) cr_expect_str_eq(hg_error_text(), c->message, "%s\n says: %s", c->text, hg_error_text());
  }
}

static hg_status parse(const char *text)
{
  hg_config config = hg_config_default();
  return hg_config_parse(&config, text, strlen(text), "a.yaml");
}

static hg_status set(const char *text)
{
  hg_config config = hg_config_default();
  return hg_config_override(&config, text);
}

static hg_status resolve(const char *text)
{
  hg_config config = hg_config_default();
  hg_status rc = hg_config_parse(&config, text, strlen(text), "a.yaml");
  return rc != HG_OK ? rc : hg_config_resolve(&config);
}

static const bad_case bad_files[] = {
    {"", "a.yaml: found an empty file, expected `key: value` lines"},
    {"# only a comment\n", "a.yaml: found an empty file, expected `key: value` lines"},
    {"just text\n", "a.yaml:1: found a single value, expected `key: value` lines"},
    {"- a\n- b\n", "a.yaml:1: found a list, expected `key: value` lines"},
    {"seed: [1\n", "a.yaml:1: seed: found a list, expected an integer from 0 to 18446744073709551615"},
    {"seed: 1\n\tname: x\n",
     "a.yaml:2: found broken YAML (found a tab character that violates indentation), expected `key: value` lines"},
    {"seed: 1\n---\nseed: 2\n", "a.yaml:2: found a second document, expected one"},
    {"seed: 1\nseed: 2\n", "a.yaml:2: seed: found the key again, expected it once (line 1)"},
    {"train: {epochs: 1}\nname: x\ntrain: {epochs: 2}\n",
     "a.yaml:3: train: found the key again, expected it once (line 1)"},
    {"train:\n  epochs: 1\n  epochs: 2\n", "a.yaml:3: train.epochs: found the key again, expected it once (line 2)"},
    {"train:\n  epoch: 5\n", "a.yaml:2: train.epoch: found an unknown key, did you mean train.epochs?"},
    {"epochs: 5\n", "a.yaml:1: epochs: found an unknown key, did you mean train.epochs?"},
    {"optimiser: adam\n", "a.yaml:1: optimiser: found an unknown key, did you mean train.optimizer?"},
    {"trian: {epochs: 3}\n", "a.yaml:1: trian: found an unknown key, did you mean train?"},
    {"train: {zzzzzzzzzzz: 3}\n",
     "a.yaml:1: train.zzzzzzzzzzz: found an unknown key, expected one that `halognn config --schema` lists"},
    {"train.epochs: 5\n",
     "a.yaml:1: found the key 'train.epochs', expected nested maps without dots: `train: {epochs: 200}`"},
    {"[a, b]: 1\n", "a.yaml:1: found a list as a key, expected a name"},
    {"? {a: b}\n: 1\n", "a.yaml:1: found a map as a key, expected a name"},
    {"train: 5\n", "a.yaml:1: train: found a single value, expected a map of keys"},
    {"train:\nname: x\n", "a.yaml:1: train: found nothing, expected a map of keys"},
    {"train: [epochs]\n", "a.yaml:1: train: found a list, expected a map of keys"},
    {"name: {a: b}\n", "a.yaml:1: name: found a map, expected text of at most 127 bytes"},
    {"name: [a]\n", "a.yaml:1: name: found a list, expected text of at most 127 bytes"},
    {"seed: &x 1\nrepeat: *x\n", "a.yaml:1: found the anchor &x, expected a config without anchors"},
    {"seed: *x\n", "a.yaml:1: found the alias *x, expected a value written out"},
    {"seed: !!int 1\n", "a.yaml:1: found the tag tag:yaml.org,2002:int, expected a config without tags"},
    {"train: !t {epochs: 1}\n", "a.yaml:1: found the tag !t, expected a config without tags"},
    {"train: &t {epochs: 1}\n", "a.yaml:1: found the anchor &t, expected a config without anchors"},
    {"seed:\n", "a.yaml:1: seed: found nothing, expected an integer from 0 to 18446744073709551615"},
    {"name:\n", "a.yaml:1: name: found nothing, expected text of at most 127 bytes"},
    {"name: ~\n", "a.yaml:1: name: found nothing, expected text of at most 127 bytes"},
    {"seed: -1\n", "a.yaml:1: seed: found '-1', expected an integer from 0 to 18446744073709551615"},
    {"seed: 1.5\n", "a.yaml:1: seed: found '1.5', expected an integer from 0 to 18446744073709551615"},
    {"seed: 18446744073709551616\n",
     "a.yaml:1: seed: found '18446744073709551616', expected an integer from 0 to 18446744073709551615"},
    {"seed: \"1\"\n", "a.yaml:1: seed: found text in quotes, expected an integer from 0 to 18446744073709551615"},
    {"seed: 0x10\n", "a.yaml:1: seed: found '0x10', expected an integer from 0 to 18446744073709551615"},
    {"repeat: 0\n", "a.yaml:1: repeat: found '0', expected an integer of at least 1"},
    {"repeat: 1e3\n", "a.yaml:1: repeat: found '1e3', expected an integer of at least 1"},
    {"repeat: 010\n", "a.yaml:1: repeat: found '010', expected an integer of at least 1"},
    {"repeat: 99999999999\n", "a.yaml:1: repeat: found '99999999999', expected at most 2147483647"},
    {"repeat: many\n", "a.yaml:1: repeat: found 'many', expected an integer of at least 1"},
    {"repeat: 1 2\n", "a.yaml:1: repeat: found '1 2', expected an integer of at least 1"},
    {"train: {learning_rate: .nan}\n",
     "a.yaml:1: train.learning_rate: found '.nan', expected a finite number greater than 0"},
    {"train: {learning_rate: .inf}\n",
     "a.yaml:1: train.learning_rate: found '.inf', expected a finite number greater than 0"},
    {"train: {learning_rate: nan}\n",
     "a.yaml:1: train.learning_rate: found 'nan', expected a finite number greater than 0"},
    {"train: {learning_rate: 1e999}\n",
     "a.yaml:1: train.learning_rate: found '1e999', expected a finite number greater than 0"},
    {"train: {learning_rate: 0}\n",
     "a.yaml:1: train.learning_rate: found '0', expected a finite number greater than 0"},
    {"train: {learning_rate: 1,5}\n",
     "a.yaml:1: train.5: found an unknown key, expected one that `halognn config --schema` lists"},
    {"train: {learning_rate: .}\n",
     "a.yaml:1: train.learning_rate: found '.', expected a finite number greater than 0"},
    {"train: {learning_rate: 1e}\n",
     "a.yaml:1: train.learning_rate: found '1e', expected a finite number greater than 0"},
    {"train: {learning_rate: 1_000}\n",
     "a.yaml:1: train.learning_rate: found '1_000', expected a finite number greater than 0"},
    {"model: {dropout: 1}\n", "a.yaml:1: model.dropout: found '1', expected a number in [0, 1)"},
    {"model: {dropout: -0.1}\n", "a.yaml:1: model.dropout: found '-0.1', expected a number in [0, 1)"},
    {"model: {input_dropout: same}\n",
     "a.yaml:1: model.input_dropout: found 'same', expected auto or a number in [0, 1)"},
    {"model: {layers: 2000}\n", "a.yaml:1: model.layers: found '2000', expected at most 1000"},
    {"model: {bias: yes}\n", "a.yaml:1: model.bias: found 'yes', expected true or false"},
    {"model: {bias: 1}\n", "a.yaml:1: model.bias: found '1', expected true or false"},
    {"model: {bias: \"true\"}\n", "a.yaml:1: model.bias: found text in quotes, expected true or false"},
    {"model: {activation: gelu}\n", "a.yaml:1: model.activation: found 'gelu', expected one of none, relu, elu"},
    {"augment: {rotate: true}\n", "a.yaml:1: augment.rotate: found 'true', expected a number in [0, 180]"},
    {"augment: {rotate: false}\n", "a.yaml:1: augment.rotate: found 'false', expected a number in [0, 180]"},
    {"augment: {rotate: 180.1}\n", "a.yaml:1: augment.rotate: found '180.1', expected a number in [0, 180]"},
    {"augment: {rotate: -90}\n", "a.yaml:1: augment.rotate: found '-90', expected a number in [0, 180]"},
    {"augment: {rotate: .nan}\n", "a.yaml:1: augment.rotate: found '.nan', expected a number in [0, 180]"},
    {"augment: {scale: 11}\n", "a.yaml:1: augment.scale: found '11', expected a number in [0, 10]"},
    {"augment: {jitter: -1}\n", "a.yaml:1: augment.jitter: found '-1', expected a finite number of at least 0"},
    {"augment: {per: node}\n", "a.yaml:1: augment.per: found 'node', expected one of graph, batch, epoch"},
    {"train: {optimizer: Adam}\n", "a.yaml:1: train.optimizer: found 'Adam', expected one of sgd, adam, adamw"},
    {"train: {metric: f1}\n",
     "a.yaml:1: train.metric: found 'f1', expected one of auto, accuracy, micro_f1, macro_f1, roc_auc, rmse"},
    {"partition: {balance: nodes}\n",
     "a.yaml:1: partition.balance: found a single value, expected a list of one or more of nodes, edges, "
     "labels, active"},
    {"partition: {balance: []}\n",
     "a.yaml:1: partition.balance: found an empty list, expected a list of one or more of nodes, edges, "
     "labels, active"},
    {"partition: {balance: [nodes, nodes]}\n", "a.yaml:1: partition.balance: found 'nodes' twice, expected it once"},
    {"partition: {balance: [node]}\n",
     "a.yaml:1: partition.balance: found 'node', expected a list of one or more of nodes, edges, labels, active"},
    {"partition: {balance: [[nodes]]}\n", "a.yaml:1: partition.balance: found a list in the list, expected a word"},
    {"partition: {imbalance: 0.99}\n", "a.yaml:1: partition.imbalance: found '0.99', expected a number in [1, 1000]"},
    {"name: \"a\\0b\"\n", "a.yaml:1: name: found a NUL character, expected printable text"},
    {"name: \"a\\nb\"\n", "a.yaml:1: name: found a control character, expected printable text"},
    {"name: |\n  two\n  lines\n", "a.yaml:1: name: found a control character, expected printable text"},
    {"coordinator: {timeout_seconds: 0}\n",
     "a.yaml:1: coordinator.timeout_seconds: found '0', expected a number in (0, 86400]"},
    {"train: {epochs: [[[[[[1]]]]]]}\n", "a.yaml:1: train.epochs: found a list, expected an integer of at least 1"},
    {"train: {epochs: {a: {b: {c: 1}}}}\n", "a.yaml:1: train.epochs: found a map, expected an integer of at least 1"},
    {"<<: {seed: 1}\n", "a.yaml:1: <<: found an unknown key, expected one that `halognn config --schema` lists"},
    {"seed: 1\n%\n",
     "a.yaml:2: found broken YAML (could not find expected directive name), expected `key: value` lines"},
    {"name: \"\n", "a.yaml:2: found broken YAML (found unexpected end of stream), expected `key: value` lines"},
    {"@: 1\n",
     "a.yaml:1: found broken YAML (found character that cannot start any token), expected `key: value` lines"},
    {"{seed: 1}}\n",
     "a.yaml:1: found broken YAML (did not find expected <document start>), expected `key: value` lines"},
    {"a234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123: 1\n",
     "a.yaml:1: found a key of 103 bytes, expected one that `halognn config --schema` lists"},
    {NULL, NULL},
};

Test(config_errors, a_broken_file_is_told_with_its_line) { expect_messages(bad_files, parse); }

static const bad_case bad_sets[] = {
    {"", "--set : found no '=', expected KEY=VALUE as in train.epochs=100"},
    {"train.epochs", "--set train.epochs: found no '=', expected KEY=VALUE as in train.epochs=100"},
    {"train.epoch=3", "--set train.epoch: found an unknown key, did you mean train.epochs?"},
    {"lr=3", "--set lr: found an unknown key, expected one that `halognn config --schema` lists"},
    {"train=3", "--set train: found a section, expected one of its keys: train.KEY=VALUE"},
    {"train.epochs=", "--set train.epochs: found nothing, expected an integer of at least 1"},
    {"train.epochs=0", "--set train.epochs: found '0', expected an integer of at least 1"},
    {"train.epochs= 5", "--set train.epochs: found ' 5', expected an integer of at least 1"},
    {"train.learning_rate=inf", "--set train.learning_rate: found 'inf', expected a finite number greater than 0"},
    {"train.optimizer=lion", "--set train.optimizer: found 'lion', expected one of sgd, adam, adamw"},
    {"partition.balance=",
     "--set partition.balance: found an empty list, expected a list of one or more of nodes, edges, "
     "labels, active"},
    {"partition.balance=[nodes,nodes]", "--set partition.balance: found 'nodes' twice, expected it once"},
    {"partition.balance=nodes,rows",
     "--set partition.balance: found 'rows', expected a list of one or more of nodes, edges, labels, active"},
    {"name=\x01", "--set name: found a control character, expected printable text"},
    {"name=\xc2\x85", "--set name: found a control character, expected printable text"},
    {"name=\xff", "--set name: found bytes that are not UTF-8, expected text"},
    {"name=\xed\xa0\x80", "--set name: found bytes that are not UTF-8, expected text"},
    {"name=\xc0\xaf", "--set name: found bytes that are not UTF-8, expected text"},
    {"train.metric=\x1b[2Jaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "--set train.metric: found '?[2Jaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...', expected one of "
     "auto, accuracy, micro_f1, macro_f1, roc_auc, rmse"},
    {NULL, NULL},
};

Test(config_errors, a_wrong_override_is_told_with_its_key) { expect_messages(bad_sets, set); }

static const bad_case contradictions[] = {
    {"name: x\n", "dataset.path: found nothing, expected the path of an .hg file"},
    {"name: a/b\ndataset: {path: x.hg}\n", "name: found 'a/b', expected a folder's name without '/' or a leading '.'"},
    {"name: ..\ndataset: {path: x.hg}\n", "name: found '..', expected a folder's name without '/' or a leading '.'"},
    {"seed: 18446744073709551615\ndataset: {path: x.hg}\n",
     "seed: found 18446744073709551615 with repeat: 1, expected seed + repeat below 2^64"},
    {"dataset: {path: x.hg}\ntrain: {epochs: 5, warmup_epochs: 6}\n",
     "train.warmup_epochs: found 6, expected at most train.epochs (5)"},
    {"dataset: {path: x.hg}\ntrain: {min_learning_rate: 0.5}\n",
     "train.min_learning_rate: found 0.5, expected at most train.learning_rate (0.01)"},
    {"dataset: {path: x.hg}\ntrain: {sync_every: 4}\n",
     "train.sync_every: found 4, expected 1 unless train.sync is local"},
    {"dataset: {path: x.hg}\ntrain: {loss: mse, metric: accuracy}\n",
     "train.metric: found accuracy with train.loss mse, expected rmse"},
    {"dataset: {path: x.hg}\ntrain: {loss: bce, metric: rmse}\n",
     "train.metric: found rmse with train.loss bce, expected another: rmse is of mse"},
    {"dataset: {path: x.hg}\ntrain: {loss: mse, label_smoothing: 0.1}\n",
     "train.label_smoothing: found 0.1, expected 0 unless train.loss is cross_entropy"},
    {"dataset: {path: x.hg}\ntrain: {loss: bce, class_weights: balanced}\n",
     "train.class_weights: found balanced, expected none unless train.loss is cross_entropy"},
    {"dataset: {path: x.hg}\npartition: {balance: [active]}\ntrain: {active_sets: false}\n",
     "partition.balance: found active with train.active_sets false, expected edges"},
    {"dataset: {path: x.hg}\naugment: {rotate: 22.5}\n",
     "augment.rotate: found 22.5 with model.type gcn, expected a type that uses positions: geogcn"},
    {"dataset: {path: x.hg}\naugment: {jitter: 0.1, test_samples: 4}\n",
     "augment.jitter: found 0.1 with model.type gcn, expected a type that uses positions: geogcn"},
    {"dataset: {path: x.hg}\nmodel: {type: geogcn}\naugment: {test_samples: 4}\n",
     "augment.test_samples: found 4 without rotate, reflect, scale or jitter, expected 0: all passes would be alike"},
    {NULL, NULL},
};

Test(config_errors, keys_that_contradict_each_other_are_named) { expect_messages(contradictions, resolve); }

Test(config_errors, text_longer_than_its_field_is_told)
{
  char assignment[HG_PATH_MAX + 64] = "dataset.path=";
  size_t start = strlen(assignment);
  memset(assignment + start, 'a', HG_PATH_MAX);
  hg_config c = hg_config_default();
  cr_expect_eq(hg_config_override(&c, assignment), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "--set dataset.path: found text of 4096 bytes, expected at most 4095");
  assignment[start + HG_PATH_MAX - 1] = '\0';
  cr_expect_eq(hg_config_override(&c, assignment), HG_OK);
}

Test(config_errors, a_deep_or_endless_file_ends_at_its_first_wrong_value)
{
  enum { SIZE = 1 << 20 };
  char *text = malloc(SIZE);
  cr_assert(text != NULL);
  memset(text, '[', SIZE);
  hg_config c = hg_config_default();
  cr_expect_eq(hg_config_parse(&c, text, SIZE, "a.yaml"), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "a.yaml:1: found a list, expected `key: value` lines");
  memset(text, '{', SIZE);
  memcpy(text, "train: ", 7);
  cr_expect_eq(hg_config_parse(&c, text, SIZE, "a.yaml"), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(), "a.yaml:1: found a map as a key, expected a name");
  memset(text, '\0', SIZE);
  cr_expect_eq(hg_config_parse(&c, text, SIZE, "a.yaml"), HG_ERR_INPUT);
  cr_expect_str_eq(hg_error_text(),
                   "a.yaml: byte 0: found what is no YAML text (control characters are not allowed), expected UTF-8");
  free(text);
}

Test(config_errors, an_unknown_kind_of_layer_is_told_with_the_known_ones)
{
  cr_expect_eq(resolve("dataset: {path: x.hg}\nmodel: {type: gnc}\n"), HG_ERR_INPUT);
  const char *start = "model.type: found 'gnc', expected one of: gcn";
  cr_expect(strncmp(hg_error_text(), start, strlen(start)) == 0, "%s", hg_error_text());
}

Test(config_errors, an_unknown_way_to_partition_is_told_with_the_known_ones)
{
  cr_expect_eq(resolve("dataset: {path: x.hg}\npartition: {method: meits}\n"), HG_ERR_INPUT);
  const char *start =
      "partition.method: unknown partition method 'meits', did you mean 'metis'?: expected one of metis, ";
  cr_expect(strncmp(hg_error_text(), start, strlen(start)) == 0, "%s", hg_error_text());
}
