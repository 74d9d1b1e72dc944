// halognn predict: what a run's best weights say of every node.
#include <stdio.h>
#include <stdlib.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "runtime/cli/command.h"
#include "runtime/cli/run_config.h"
#include "runtime/train/predict.h"

enum { KEY_DATASET = 256, KEY_REPEAT, KEY_THREADS };

typedef struct {
  const char *run, *output, *dataset;
  int repeat, threads;
} arguments;

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "where to write, .npz or .csv (default: RUN_DIR/predictions.npz)", 0},
    {"dataset", KEY_DATASET, "GRAPH.hg", 0, "predict on this graph instead of the run's", 0},
    {"repeat", KEY_REPEAT, "R", 0, "which of the run's seeds, from 0 (default: 0)", 0},
    {"threads", KEY_THREADS, "T", 0, "threads of each rank", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'o':
    a->output = arg;
    return 0;
  case KEY_DATASET:
    a->dataset = arg;
    return 0;
  case KEY_REPEAT:
    return hg_command_number("--repeat", arg, 0, 1000000, &a->repeat);
  case KEY_THREADS:
    return hg_command_number("--threads", arg, 1, 4096, &a->threads);
  case ARGP_KEY_ARG:
    if (a->run) return hg_command_error("found a second run folder '%s', expected one", arg);
    a->run = arg;
    return 0;
  case ARGP_KEY_END:
    return a->run ? 0 : hg_command_error("no run folder given");
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static hg_status load(const arguments *a, hg_config *config)
{
  hg_status rc = hg_run_config_load(config, a->run, a->dataset);
  config->partition.path[0] = '\0'; // was for the run's number of ranks, and for its graph
  if (rc == HG_OK && a->output) rc = hg_predictions_check_path(a->output);
  return rc;
}

static hg_status write(const arguments *a, const hg_predictions *predictions)
{
  char path[HG_PATH_MAX + 32];
  snprintf(path, sizeof path, "%s/predictions.npz", a->run);
  const char *output = a->output ? a->output : path;
  hg_status rc = hg_predictions_write(predictions, output);
  if (rc == HG_OK) printf("%s: %lld nodes\n", output, (long long)predictions->n);
  return rc;
}

hg_status hg_cmd_predict(int argc, char **argv)
{
  const struct argp argp = {
      options,   parse,
      "RUN_DIR", "Writes predictions and embeddings of a trained run by original id; any number of ranks.",
      NULL,      NULL,
      NULL};
  arguments a = {0};
  bool helped = false;
  hg_world *world = NULL;
  hg_config *config = NULL;
  hg_predictions predictions = {0};
  hg_status rc = HG_OK, opened = hg_world_open(&world, &argc, &argv);
  if (opened != HG_OK) return opened;
  bool chief = hg_world_rank(world) == 0;
  if (!chief) hg_command_mute_help();
  HG_TRY_ALL(world, "reading the command line", hg_command_parse(&argp, argc, argv, &a, &helped));
  if (helped) goto done;
  HG_TRY_ALL(world, "reading the config", HG_ALLOC(config, 1, "config"));
  HG_TRY_ALL(world, "reading the config", chief ? load(&a, config) : HG_OK);
  hg_broadcast(world, config, sizeof *config, 0);
  hg_world_set_threads(world, a.threads > 0 ? a.threads : config->threads);
  HG_TRY(hg_predict(world, config, a.repeat, &predictions));
  HG_TRY_ALL(world, "writing predictions", chief ? write(&a, &predictions) : HG_OK);
done:
  hg_predictions_free(&predictions);
  hg_free(&config);
  hg_world_close(&world, rc);
  return rc;
}
