// halognn predict: what a run's best weights say of every node.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/rank_command.h"
#include "runtime/cli/run_config.h"
#include "runtime/train/predict.h"

enum { KEY_DATASET = 256, KEY_REPEAT, KEY_THREADS, KEY_POSITION_GRADIENTS };

typedef struct {
  const char *run, *output, *dataset;
  int repeat, threads;
  bool position_gradients;
} arguments;

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "where to write, .npz or .csv (default: RUN_DIR/predictions.npz)", 0},
    {"dataset", KEY_DATASET, "GRAPH.hg", 0, "on this graph or collection instead of the run's", 0},
    {"repeat", KEY_REPEAT, "R", 0, "which of the run's seeds, from 0 (default: 0)", 0},
    {"position-gradients", KEY_POSITION_GRADIENTS, NULL, 0,
     "also write the gradient of the mean loss over labelled nodes with respect to each node's position (.npz)", 0},
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
  case KEY_POSITION_GRADIENTS:
    a->position_gradients = true;
    return 0;
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

static bool ends_in_csv(const char *path)
{
  size_t n = strlen(path);
  return n >= 4 && strcmp(path + n - 4, ".csv") == 0;
}

static hg_status load(const void *parsed, hg_config *config)
{
  const arguments *a = parsed;
  hg_status rc = hg_run_config_load(config, a->run, a->dataset);
  config->partition.path[0] = '\0'; // was for the run's number of ranks, and for its graph
  if (rc == HG_OK && a->repeat >= config->repeat)
    return hg_fail(HG_ERR_INPUT, "--repeat: found %d, but the run has %d, numbered from 0", a->repeat, config->repeat);
  if (rc == HG_OK && a->output) rc = hg_predictions_check_path(a->output);
  if (rc == HG_OK && a->position_gradients && a->output && ends_in_csv(a->output))
    return hg_fail(HG_ERR_INPUT, "--position-gradients: found %s, expected a file that ends in .npz", a->output);
  return rc;
}

static hg_status write(const arguments *a, const hg_predictions *predictions)
{
  char path[HG_PATH_MAX + 32];
  snprintf(path, sizeof path, "%s/predictions.npz", a->run);
  const char *output = a->output ? a->output : path;
  hg_status rc = hg_predictions_write(predictions, output);
  if (rc == HG_OK) printf("%s: %lld %ss\n", output, (long long)predictions->n, predictions->item);
  return rc;
}

static int threads(const void *parsed) { return ((const arguments *)parsed)->threads; }

static hg_status run(hg_world *world, const hg_config *config, const void *parsed)
{
  const arguments *a = parsed;
  hg_predictions predictions = {0};
  hg_status rc = HG_OK;
  HG_TRY(hg_predict(world, config, a->repeat, a->position_gradients, &predictions));
  HG_TRY_ALL(world, "writing predictions", hg_world_rank(world) == 0 ? write(a, &predictions) : HG_OK);
done:
  hg_predictions_free(&predictions);
  return rc;
}

hg_status hg_cmd_predict(int argc, char **argv)
{
  static const char doc[] = "Writes predictions and embeddings of a trained run by original id; any number of ranks.";
  const struct argp argp = {options, parse, "RUN_DIR", doc, NULL, NULL, NULL};
  arguments a = {0};
  return hg_rank_command_run(&(hg_rank_command){&argp, &a, load, threads, run}, argc, argv);
}
