#pragma once
#include <argp.h>

#include "core/base/status.h"

/** A subcommand. `run` gets argv[0] = "halognn NAME"; its result decides the exit status, main prints the message. */
typedef struct {
  const char *name, *help;
  hg_status (*run)(int argc, char **argv);
  bool waits; ///< its threads wait for each other often: hg_threads_limit_spinning
} hg_command;

/**
 * argp_parse for a command: --help goes to standard output and sets *helped (the command then returns HG_OK at once); a
 * wrong option or argument is HG_ERR_INPUT with argp's message, printed by nobody yet.
 */
hg_status hg_command_parse(const struct argp *argp, int argc, char **argv, void *input, bool *helped);

/** For a parser: fails with the command's name in front; the parser returns what it returns. */
int hg_command_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** For a parser: the whole number `text` of an option within [low, high], or hg_command_error. */
int hg_command_number(const char *option, const char *text, int low, int high, int *number);

/** Whether --help of this process prints nothing: under mpirun rank 0 alone gives it. */
void hg_command_mute_help(bool mute);

hg_status hg_cmd_import(int argc, char **argv);
hg_status hg_cmd_generate(int argc, char **argv);
hg_status hg_cmd_partition(int argc, char **argv);
hg_status hg_cmd_plan(int argc, char **argv);
hg_status hg_cmd_info(int argc, char **argv);
hg_status hg_cmd_train(int argc, char **argv);
hg_status hg_cmd_predict(int argc, char **argv);
hg_status hg_cmd_export(int argc, char **argv);
hg_status hg_cmd_bench(int argc, char **argv);
hg_status hg_cmd_config(int argc, char **argv);
