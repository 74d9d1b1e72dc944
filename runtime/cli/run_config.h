#pragma once
#include "runtime/config/config.h"

/**
 * The config.yaml of a run's folder; config->output becomes that folder. HG_ERR_INPUT when it is no run's folder.
 * @param dataset   takes the place of the config's dataset.path, or NULL
 */
hg_status hg_run_config_load(hg_config *config, const char *run_folder, const char *dataset);
