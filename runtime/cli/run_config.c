#include "runtime/cli/run_config.h"

#include <stdio.h>

#include "core/base/files.h"

hg_status hg_run_config_load(hg_config *config, const char *run_folder, const char *dataset)
{
  char path[HG_PATH_MAX];
  if (snprintf(path, sizeof path, "%s/config.yaml", run_folder) >= (int)sizeof path)
    return hg_fail(HG_ERR_INPUT, "%s: the path is too long", run_folder);
  if (!hg_file_exists(path))
    return hg_fail(HG_ERR_INPUT, "%s: found no config.yaml in it, expected the folder of a run of `halognn train`",
                   run_folder);
  hg_status rc = HG_OK;
  *config = hg_config_default();
  HG_TRY(hg_config_load(config, path));
  snprintf(config->output, sizeof config->output, "%.*s", HG_PATH_MAX - 1, run_folder);
  if (dataset && snprintf(config->dataset.path, HG_PATH_MAX, "%s", dataset) >= HG_PATH_MAX)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%.100s...: the path is too long", dataset));
  HG_TRY(hg_config_resolve(config));
  HG_TRY(hg_config_find_dataset(config, path));
done:
  return rc;
}
