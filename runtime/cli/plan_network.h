#pragma once
#include "runtime/train/epoch_time.h"

/**
 * The network of a file that `halognn bench exchange --json` wrote on ranks of several hosts: latency and bandwidth
 * between hosts, and latency inside one where the ranks shared any. `ranks_per_host` stays. HG_ERR_INPUT for a file
 * that has none.
 */
hg_status hg_plan_network_read(hg_network *network, const char *path);
