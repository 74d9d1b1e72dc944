#pragma once
#include "core/graph/import_fields.h"

/* What the two readers of Open Graph Benchmark folders share. */

enum { HG_OGB_PATH = 4096 };

/** "folder/name.csv", or .csv.gz where that is what is there; false when neither is. */
bool hg_ogb_find_file(char path[HG_OGB_PATH], const char *folder, const char *name);

/** The same; HG_ERR_INPUT when neither is. */
hg_status hg_ogb_need_file(char path[HG_OGB_PATH], const char *folder, const char *name);

/** raw/node-feat, where it is there. */
hg_status hg_ogb_read_features(hg_nodes *nodes, const char *folder);

/** raw/NAME: labels of the items, where they are there. `noun`: what the items are. */
hg_status hg_ogb_read_labels(hg_nodes *items, const char *folder, const char *name, const char *noun, hg_task task);

/**
 * A graph property task: the numbers of raw/num-node-list are the sizes of many graphs, and raw/edge lists their edges
 * one graph after the other, with nodes from 0 in each.
 * @param c       n_graphs is set     @param sizes   [n_graphs] the numbers of raw/num-node-list
 */
hg_status hg_ogb_read_collection(hg_collection *c, const char *folder, const int64_t *sizes,
                                 const hg_import_options *options, hg_import_report *report);
