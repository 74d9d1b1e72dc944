// halognn train: the main job. Every rank runs it; rank 0 alone speaks.
#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"
#include "runtime/cli/command.h"
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
    {"resume", KEY_RESUME, NULL, 0, "go on from the newest checkpoint in the run's folder, on any number of ranks", 0},
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

static hg_status load(const arguments *a, hg_config *config)
{
  hg_status rc = HG_OK;
  *config = hg_config_default();
  HG_TRY(hg_config_load(config, a->config));
  for (int k = 0; k < a->n_overrides; k++) HG_TRY(hg_config_override(config, a->overrides[k]));
  if (a->output && snprintf(config->output, sizeof config->output, "%s", a->output) >= (int)sizeof config->output)
    HG_TRY(hg_fail(HG_ERR_INPUT, "--output: the path is too long"));
  HG_TRY(hg_config_resolve(config));
  HG_TRY(hg_config_find_dataset(config, a->config));
done:
  return rc;
}

hg_status hg_cmd_train(int argc, char **argv)
{
  const struct argp argp = {
      options, parse, "CONFIG.yaml", "Trains the model of a config file; under mpirun or srun on every rank.",
      NULL,    NULL,  NULL};
  arguments a = {0};
  bool helped = false;
  hg_world *world = NULL;
  hg_config *config = NULL;
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
  rc = hg_run_train(world, config, a.run);
done:
  hg_free(&config);
  hg_world_close(&world, rc);
  return rc;
}
