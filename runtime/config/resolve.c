#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/layer.h"
#include "runtime/config/value.h"

hg_config hg_config_default(void)
{
  hg_config config;
  memset(&config, 0, sizeof config);
  for (const hg_key *key = hg_keys; key < hg_keys + HG_KEY_COUNT; key++) {
    int flags = 0;
    if (key->type == HG_KEY_SECTION) continue;
    if (key->type == HG_KEY_FLAGS) {
      (void)hg_value_add_flag(&flags, key, key->initial, key->name);
      (void)hg_value_set_flags(&config, key, flags, key->name);
    } else {
      hg_value_style style = key->type == HG_KEY_TEXT ? HG_VALUE_QUOTED : HG_VALUE_PLAIN;
      (void)hg_value_set(&config, key, key->initial, style,
                         key->name); // the table's defaults are valid: a test says so
    }
  }
  return config;
}

static hg_status check_name(const hg_config *c)
{
  if (strchr(c->name, '/') || c->name[0] == '.')
    return hg_fail(HG_ERR_INPUT, "name: found '%s', expected a folder's name without '/' or a leading '.'", c->name);
  if (c->seed > UINT64_MAX - (uint64_t)c->repeat)
    return hg_fail(HG_ERR_INPUT, "seed: found %llu with repeat: %d, expected seed + repeat below 2^64",
                   (unsigned long long)c->seed, c->repeat);
  if (c->dataset.path[0] == '\0')
    return hg_fail(HG_ERR_INPUT, "dataset.path: found nothing, expected the path of an .hg file");
  return HG_OK;
}

static hg_status check_schedule(const hg_config *c)
{
  if (c->train.warmup_epochs > c->train.epochs)
    return hg_fail(HG_ERR_INPUT, "train.warmup_epochs: found %d, expected at most train.epochs (%d)",
                   c->train.warmup_epochs, c->train.epochs);
  if (c->train.min_learning_rate > c->train.learning_rate)
    return hg_fail(HG_ERR_INPUT, "train.min_learning_rate: found %g, expected at most train.learning_rate (%g)",
                   c->train.min_learning_rate, c->train.learning_rate);
  if (c->train.sync != HG_SYNC_LOCAL && c->train.sync_every != 1)
    return hg_fail(HG_ERR_INPUT, "train.sync_every: found %d, expected 1 unless train.sync is local",
                   c->train.sync_every);
  return HG_OK;
}

static const char *choice(const hg_config *c, const char *name)
{
  static _Thread_local char text[2][32];
  static _Thread_local int turn;
  turn = !turn;
  hg_value_text(c, hg_key_find(name), text[turn], sizeof text[turn]);
  return text[turn];
}

static hg_status check_loss(const hg_config *c)
{
  bool classes = c->train.loss == HG_CHOICE_AUTO_LOSS || c->train.loss == HG_CHOICE_CROSS_ENTROPY;
  bool is_mse = c->train.loss == HG_CHOICE_MSE, is_rmse = c->train.metric == HG_METRIC_RMSE;
  if (c->train.metric != HG_METRIC_AUTO && c->train.loss != HG_CHOICE_AUTO_LOSS && is_rmse != is_mse)
    return hg_fail(HG_ERR_INPUT, "train.metric: found %s with train.loss %s, expected %s", choice(c, "train.metric"),
                   choice(c, "train.loss"), is_mse ? "rmse" : "another: rmse is of mse");
  if (c->train.label_smoothing > 0 && !classes)
    return hg_fail(HG_ERR_INPUT, "train.label_smoothing: found %g, expected 0 unless train.loss is cross_entropy",
                   c->train.label_smoothing);
  if (c->train.class_weights != HG_CLASS_WEIGHTS_NONE && !classes)
    return hg_fail(HG_ERR_INPUT,
                   "train.class_weights: found balanced, expected none unless train.loss is cross_entropy");
  return HG_OK;
}

static hg_status check_partition(const hg_config *c)
{
  if (c->partition.balance & HG_BALANCE_ACTIVE && !c->train.active_sets)
    return hg_fail(HG_ERR_INPUT, "partition.balance: found active with train.active_sets false, expected edges");
  return HG_OK;
}

static hg_status check_augment(const hg_config *c, const hg_layer_type *type)
{
  const hg_augment_options *a = &c->augment;
  const char *key = a->rotate > 0   ? "augment.rotate"
                    : a->reflect    ? "augment.reflect"
                    : a->scale > 0  ? "augment.scale"
                    : a->jitter > 0 ? "augment.jitter"
                                    : NULL;
  if (key && !type->needs_positions)
    return hg_fail(HG_ERR_INPUT, "%s: found %s with model.type %s, expected a type that uses positions: geogcn", key,
                   choice(c, key), c->model.type);
  if (!key && a->test_samples > 0)
    return hg_fail(HG_ERR_INPUT,
                   "augment.test_samples: found %d without rotate, reflect, scale or jitter, expected 0: all passes "
                   "would be alike",
                   a->test_samples);
  return HG_OK;
}

// What does not go together with rows of earlier epochs
static hg_status check_staleness(const hg_config *c)
{
  const hg_halo_options *halo = &c->model.halo;
  const hg_staleness *s = &halo->staleness;
  double smoothing = s->feature_smoothing > 0 ? s->feature_smoothing : s->gradient_smoothing;
  if (smoothing > 0 && s->kind != HG_STALENESS_PIPELINE)
    return hg_fail(HG_ERR_INPUT, "halo.%s_smoothing: found %g with halo.staleness %s, expected 0, or pipeline",
                   s->feature_smoothing > 0 ? "feature" : "gradient", smoothing, hg_staleness_name(s->kind));
  if (s->kind == HG_STALENESS_NONE) return HG_OK;
  if (halo->aggregation != HG_AGGREGATION_SOURCES)
    return hg_fail(HG_ERR_INPUT,
                   "halo.staleness: found %s with halo.aggregation covers, expected none: rows of sources are kept",
                   hg_staleness_name(s->kind));
  if (halo->sample < 1)
    return hg_fail(HG_ERR_INPUT,
                   "halo.staleness: found %s with halo.sample %g, expected none: other rows cross in each epoch",
                   hg_staleness_name(s->kind), halo->sample);
  if (halo->precision == HG_PACK_ADAPTIVE || halo->error_feedback)
    return hg_fail(HG_ERR_INPUT, "halo.staleness: found %s with %s, expected none, or bits that stay without feedback",
                   hg_staleness_name(s->kind),
                   halo->error_feedback ? "halo.error_feedback" : "halo.precision adaptive");
  return HG_OK;
}

// What crosses between hosts as one message is rows of sources, all with as many bits.
static hg_status check_hosts(const hg_config *c)
{
  static const char *const key = "halo.hosts: found merged with";
  const hg_halo_options *halo = &c->model.halo;
  if (halo->hosts != HG_HOSTS_MERGED) return HG_OK;
  if (halo->precision == HG_PACK_ADAPTIVE)
    return hg_fail(HG_ERR_INPUT, "%s halo.precision adaptive, expected ranks, or the same bits for all rows", key);
  if (halo->error_feedback) return hg_fail(HG_ERR_INPUT, "%s halo.error_feedback true, expected ranks, or false", key);
  if (halo->aggregation != HG_AGGREGATION_SOURCES)
    return hg_fail(HG_ERR_INPUT, "%s halo.aggregation %s, expected ranks, or sources", key,
                   choice(c, "halo.aggregation"));
  if (halo->sample < 1)
    return hg_fail(HG_ERR_INPUT, "%s halo.sample %g, expected ranks, or a sample of 1", key, halo->sample);
  if (halo->staleness.kind != HG_STALENESS_NONE)
    return hg_fail(HG_ERR_INPUT, "%s halo.staleness %s, expected ranks, or none", key,
                   hg_staleness_name(halo->staleness.kind));
  if (c->parallel.mode != HG_PARALLEL_PARTS)
    return hg_fail(HG_ERR_INPUT, "%s parallel.mode %s, expected ranks, or parts", key, choice(c, "parallel.mode"));
  return HG_OK;
}

static hg_status check_halo(const hg_config *c)
{
  const hg_halo_options *halo = &c->model.halo;
  if (halo->sample < 1 && halo->aggregation != HG_AGGREGATION_SOURCES)
    return hg_fail(HG_ERR_INPUT,
                   "halo.aggregation: found covers with halo.sample %g, expected sources: those are what is drawn",
                   halo->sample);
  if (c->augment.jitter > 0 && halo->aggregation != HG_AGGREGATION_SOURCES)
    return hg_fail(HG_ERR_INPUT,
                   "halo.aggregation: found covers with augment.jitter %g, expected sources: positions of rows that "
                   "others compute cross once",
                   c->augment.jitter);
  if (halo->sample < 1 && halo->error_feedback)
    return hg_fail(HG_ERR_INPUT,
                   "halo.error_feedback: found true with halo.sample %g, expected false: other rows "
                   "cross in each epoch",
                   halo->sample);
  if (halo->sample < 1 && halo->precision == HG_PACK_ADAPTIVE)
    return hg_fail(HG_ERR_INPUT,
                   "halo.precision: found adaptive with halo.sample %g, expected the same bits for all rows",
                   halo->sample);
  if (halo->precision == HG_PACK_ADAPTIVE && halo->error_feedback)
    return hg_fail(HG_ERR_INPUT,
                   "halo.error_feedback: found true with halo.precision adaptive, expected false, or bits that stay");
  if (halo->precision != HG_PACK_REAL) return HG_OK;
  if (halo->error_feedback)
    return hg_fail(HG_ERR_INPUT,
                   "halo.error_feedback: found true with halo.precision float32, expected false: nothing is rounded");
  if (halo->warmup_epochs > 0)
    return hg_fail(HG_ERR_INPUT,
                   "halo.warmup_epochs: found %d with halo.precision float32, expected 0: all epochs send float32",
                   halo->warmup_epochs);
  return HG_OK;
}

// what aggregates by columns
static hg_status check_parallel(const hg_config *c, const hg_layer_type *type)
{
  static const char *const names[] = {"parts", "features", "grid", "auto"};
  const char *mode = names[c->parallel.mode];
  if (c->parallel.mode != HG_PARALLEL_GRID && c->parallel.columns != 1)
    return hg_fail(HG_ERR_INPUT, "parallel.columns: found %d with parallel.mode %s, expected 1, or mode grid",
                   c->parallel.columns, choice(c, "parallel.mode"));
  if (c->parallel.mode == HG_PARALLEL_PARTS) return HG_OK;
  if (!type->can_turn)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s with model.type %s, expected parts, or type gcn", mode,
                   c->model.type);
  if (c->model.precision != HG_PRECISION_FLOAT32)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s with model.precision bfloat16, expected parts, or float32",
                   mode);
  if (c->model.halo.precision != HG_PACK_REAL)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s with halo.precision %s, expected parts, or float32", mode,
                   choice(c, "halo.precision"));
  if (c->model.halo.aggregation != HG_AGGREGATION_SOURCES)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s with halo.aggregation %s, expected parts, or sources", mode,
                   choice(c, "halo.aggregation"));
  if (c->model.recompute)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s with model.recompute true, expected parts, or false", mode);
  if (c->model.label_rate > 0)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s with model.label_rate %g, expected parts, or 0", mode,
                   c->model.label_rate);
  if (c->model.halo.staleness.kind != HG_STALENESS_NONE)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s with halo.staleness %s, expected parts, or none", mode,
                   hg_staleness_name(c->model.halo.staleness.kind));
  if (c->model.halo.sample < 1)
    return hg_fail(HG_ERR_INPUT, "parallel.mode: found %s with halo.sample %g, expected parts, or a sample of 1", mode,
                   c->model.halo.sample);
  return HG_OK;
}

hg_status hg_config_columns(const hg_config *config, int ranks, int *columns)
{
  static const char *const key = "parallel.columns";
  *columns = config->parallel.mode == HG_PARALLEL_FEATURES ? ranks : config->parallel.columns;
  if (ranks % *columns == 0) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: found %d with %d ranks, expected a number that divides them", key, *columns, ranks);
}

hg_status hg_config_resolve(hg_config *config)
{
  hg_status rc = HG_OK;
  hg_config c = *config;
  const hg_layer_type *type = NULL;
  const hg_partitioner *method = NULL;
  if (c.name[0] == '\0') snprintf(c.name, sizeof c.name, "run");
  HG_TRY(check_name(&c));
  HG_TRY(hg_layer_type_find(&type, c.model.type));
  HG_TRY(hg_context(hg_partitioner_find(c.partition.method, &method), "partition.method"));
  HG_TRY(check_schedule(&c));
  HG_TRY(check_loss(&c));
  HG_TRY(check_partition(&c));
  HG_TRY(check_augment(&c, type));
  HG_TRY(check_halo(&c));
  HG_TRY(check_parallel(&c, type));
  HG_TRY(check_staleness(&c));
  HG_TRY(check_hosts(&c));
  if (c.model.input_dropout < 0) c.model.input_dropout = c.model.dropout;
  if (c.output[0] == '\0') snprintf(c.output, sizeof c.output, "runs/%s", c.name);
  *config = c;
done:
  return rc;
}

static bool is_file(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

// Takes folder/name for the dataset when it is a file
static bool try_folder(hg_config *config, const char *folder, const char *name)
{
  char path[HG_PATH_MAX];
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path || !is_file(path)) return false;
  memcpy(config->dataset.path, path, sizeof path);
  return true;
}

hg_partition_options hg_config_partition(const hg_config *config)
{
  hg_partition_options o = hg_partition_options_default();
  o.method = config->partition.method;
  o.objective = config->partition.objective;
  o.refine = config->partition.refine;
  o.balance = config->partition.balance;
  o.imbalance = config->partition.imbalance;
  o.hosts = config->partition.hosts > 1 ? config->partition.hosts : 1;
  if (config->model.halo.aggregation == HG_AGGREGATION_COVERS)
    o.covers = strcmp(config->model.type, "geogcn") == 0 ? HG_COVERS_GEOGCN : HG_COVERS_GCN;
  o.layers = config->model.layers;
  o.hidden = config->model.hidden;
  o.seed = config->partition.seed;
  o.order = config->partition.order;
  return o;
}

hg_status hg_config_find_dataset(hg_config *config, const char *config_path)
{
  const char *wanted = config->dataset.path, *slash = strrchr(wanted, '/');
  char copy[HG_PATH_MAX];
  if (is_file(wanted)) return HG_OK;
  if (wanted[0] == '/')
    return hg_fail(HG_ERR_INPUT,
                   "dataset.path: found no file %.300s; make it with `halognn import` or `halognn generate`", wanted);
  if (snprintf(copy, sizeof copy, "%s", config_path) >= (int)sizeof copy)
    return hg_fail(HG_ERR_INPUT, "%.100s...: the path is too long", config_path);
  const char *folder = dirname(copy), *data = getenv("HALOGNN_DATA");
  if (try_folder(config, folder, wanted)) return HG_OK;
  if (data && (try_folder(config, data, wanted) || (slash && try_folder(config, data, slash + 1)))) return HG_OK;
  return hg_fail(
      HG_ERR_INPUT,
      "dataset.path: found no file %.300s, neither from the working directory nor from %.200s%s%.200s; make it with "
      "`halognn import` or `halognn generate`, or name it with --set dataset.path=FILE",
      wanted, folder, data ? " nor from HALOGNN_DATA=" : "", data ? data : "");
}
