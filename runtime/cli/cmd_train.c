// halognn train: the main job. Every rank runs it; rank 0 alone speaks.
#include <stdlib.h>
#include <string.h>

#include "runtime/cli/rank_command.h"
#include "runtime/train/run.h"

enum { KEY_SET = 256, KEY_OUTPUT, KEY_RESUME, KEY_QUIET, KEY_THREADS, KEY_DRY_RUN, MOST_OVERRIDES = 64 };

typedef struct {
  const char *config;
  const char *overrides[MOST_OVERRIDES];
  int n_overrides;
  const char *output;
  int threads;
  hg_run_options run;
} arguments;

static const struct argp_option options[] = {
    {"set", KEY_SET, "KEY=VALUE", 0, "override a key of the config, as train.epochs=100; may be repeated", 0},
    {"output", KEY_OUTPUT, "DIR", 0, "folder of the run (default: runs/NAME)", 0},
    {"resume", KEY_RESUME, NULL, 0,
     "go on from the newest checkpoint in the run's folder, on any number of ranks; begin when there is none", 0},
    {"quiet", KEY_QUIET, NULL, 0, "no progress on standard error", 0},
    {"threads", KEY_THREADS, "T", 0, "threads of each rank (default: OMP_NUM_THREADS, or the rank's processors)", 0},
    {"dry-run", KEY_DRY_RUN, NULL, 0, "load, plan and print the memory needed, train nothing", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case KEY_SET:
    if (a->n_overrides == MOST_OVERRIDES) return hg_command_error("--set: found more than %d", MOST_OVERRIDES);
    a->overrides[a->n_overrides++] = arg;
    return 0;
  case KEY_OUTPUT:
    a->output = arg;
    return 0;
  case KEY_RESUME:
    a->run.resume = true;
    return 0;
  case KEY_QUIET:
    a->run.quiet = true;
    return 0;
  case KEY_DRY_RUN:
    a->run.dry_run = true;
    return 0;
  case KEY_THREADS:
    return hg_command_number("--threads", arg, 1, 4096, &a->threads);
  case ARGP_KEY_ARG:
    if (a->config) return hg_command_error("found a second config '%s', expected one", arg);
    a->config = arg;
    return 0;
  case ARGP_KEY_END:
    return a->config ? 0 : hg_command_error("no config file given");
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static hg_status load(const void *parsed, hg_config *config)
{
  const arguments *a = parsed;
  hg_status rc = HG_OK;
  HG_TRY(hg_config_read(config, a->config, a->overrides, a->n_overrides));
  if (a->output && snprintf(config->output, sizeof config->output, "%s", a->output) >= (int)sizeof config->output)
    HG_TRY(hg_fail(HG_ERR_INPUT, "--output: the path is too long"));
  HG_TRY(hg_config_resolve(config));
  HG_TRY(hg_config_find_dataset(config, a->config));
done:
  return rc;
}

static int threads(const void *parsed) { return ((const arguments *)parsed)->threads; }

static hg_status run(hg_world *world, const hg_config *config, const void *parsed)
{
  return hg_run_train(world, config, ((const arguments *)parsed)->run);
}

hg_status hg_cmd_train(int argc, char **argv)
{
  static const char doc[] = "Trains the model of a config file; under mpirun or srun on every rank.";
  const struct argp argp = {options, parse, "CONFIG.yaml", doc, NULL, NULL, NULL};
  arguments a = {0};
  return hg_rank_command_run(&(hg_rank_command){&argp, &a, load, threads, run}, argc, argv);
}
