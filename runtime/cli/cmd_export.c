// halognn export: a run's best weights as safetensors.
#include <stdio.h>

#include "runtime/cli/command.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/export.h"

enum { KEY_REPEAT = 256 };

typedef struct {
  const char *run, *output;
  int repeat;
} arguments;

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "the safetensors file to write", 0},
    {"repeat", KEY_REPEAT, "R", 0, "which of the run's seeds, from 0 (default: 0)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
  arguments *a = state->input;
  switch (key) {
  case 'o':
    a->output = arg;
    return 0;
  case KEY_REPEAT:
    return hg_command_number("--repeat", arg, 0, 1000000, &a->repeat);
  case ARGP_KEY_ARG:
    if (a->run) return hg_command_error("found a second run folder '%s', expected one", arg);
    a->run = arg;
    return 0;
  case ARGP_KEY_END:
    if (!a->run) return hg_command_error("no run folder given");
    return a->output ? 0 : hg_command_error("no -o FILE.safetensors given");
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

hg_status hg_cmd_export(int argc, char **argv)
{
  const struct argp argp = {options, parse, "RUN_DIR", "Writes the best weights of a trained run as safetensors.",
                            NULL,    NULL,  NULL};
  arguments a = {0};
  bool helped = false;
  char path[HG_PATH_MAX];
  hg_status rc = HG_OK;
  HG_TRY(hg_command_parse(&argp, argc, argv, &a, &helped));
  if (helped) goto done;
  hg_checkpoint_best_path(a.run, a.repeat, path);
  HG_TRY(hg_export_safetensors(path, a.output));
  printf("%s\n", a.output);
done:
  return rc;
}
