#include "runtime/cli/command.h"

hg_status hg_cmd_predict(int argc, char **argv)
{
  (void)argc;
  (void)argv;
  return hg_fail(HG_ERR_INTERNAL, "predict: not built yet");
}
