#pragma once
#include "comm/world.h"
#include "runtime/cli/command.h"
#include "runtime/config/config.h"

/** A command that every rank of mpirun runs, with a config that rank 0 reads. */
typedef struct {
  const struct argp *argp;
  void *arguments; ///< of the parser, and of the functions below
  /** Fills the config from the command line; on rank 0 alone. */
  hg_status (*load)(const void *arguments, hg_config *config);
  /** --threads, or 0. */
  int (*threads)(const void *arguments);
  /** The command itself. Collective. */
  hg_status (*run)(hg_world *world, const hg_config *config, const void *arguments);
} hg_rank_command;

/** Starts MPI, reads the command line and the config, runs, ends MPI; rank 0 alone speaks. */
hg_status hg_rank_command_run(const hg_rank_command *command, int argc, char **argv);
