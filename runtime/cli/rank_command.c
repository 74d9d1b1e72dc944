#include "runtime/cli/rank_command.h"

#include "comm/reduce.h"
#include "core/base/alloc.h"

hg_status hg_rank_command_run(const hg_rank_command *command, int argc, char **argv)
{
  bool helped = false;
  hg_world *world = NULL;
  hg_config *config = NULL;
  hg_status rc = HG_OK, opened = hg_world_open(&world, &argc, &argv);
  if (opened != HG_OK) return hg_world_close(&world, opened);
  bool chief = hg_world_rank(world) == 0;
  hg_command_mute_help(!chief);
  HG_TRY_ALL(world, "reading the command line",
             hg_command_parse(command->argp, argc, argv, command->arguments, &helped));
  if (helped) goto done;
  HG_TRY_ALL(world, "reading the config", HG_ALLOC(config, 1, "config"));
  HG_TRY_ALL(world, "reading the config", chief ? command->load(command->arguments, config) : HG_OK);
  hg_broadcast(world, config, sizeof *config, 0);
  int threads = command->threads(command->arguments);
  hg_world_set_threads(world, threads > 0 ? threads : config->threads);
  rc = command->run(world, config, command->arguments);
done:
  hg_free(&config);
  hg_world_close(&world, rc);
  return rc;
}
