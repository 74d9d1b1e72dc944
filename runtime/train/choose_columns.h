#pragma once
#include "comm/world.h"
#include "runtime/config/config.h"

/**
 * parallel.mode: auto. Of all grids of the ranks, the one in which the rank that sends most in a training epoch sends
 * least, as counted on the parts at hand: groups of consecutive ones are the parts of a grid, so nothing is partitioned
 * for it, and what is counted is what crosses (active sets apart, which one column alone has). Of equals the fewest
 * columns. Rank 0 reads the halos of all parts for it. Collective.
 * @param parts_path   of as many parts as ranks
 * @param columns      what is chosen: ranks that share a part
 */
hg_status hg_columns_choose(hg_world *world, const hg_config *config, const char *parts_path, int *columns);
