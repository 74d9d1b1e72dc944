#pragma once
#include "core/graph/graph.h"
#include "core/graph/id_map.h"
#include "core/graph/import.h"
#include "core/graph/text.h"

/**
 * What the readers share: putting labels, splits and features into the nodes, with their checks. `name` is for
 * messages, and `noun` what has labels and a split: "node", or "graph" for the items of a collection.
 */

/** Whether n nodes fit in 32 bits and their pointers in this machine's memory; a header may claim anything. */
hg_status hg_import_check_nodes(const char *name, hg_off n);

/** Fills original_ids [n] from the map. */
hg_status hg_import_original_ids(hg_nodes *nodes, const hg_id_map *map);

/** nodes->labels from [n] integers: 0 and up, -1 unknown. Sets task and n_classes (the largest label + 1). */
hg_status hg_import_labels(hg_nodes *nodes, const char *name, const char *noun, const int64_t *labels);

/**
 * Labels from [n x columns] numbers, NaN unknown. For the task HG_TASK_NONE: one column of whole numbers is classes
 * (-1 unknown), more columns of 0 and 1 are a multi-label task (NaN counts as 0: bits know no third value),
 * everything else regression.
 */
hg_status hg_import_truth(hg_nodes *nodes, const char *name, const char *noun, const float *values, int columns,
                          hg_task task);

/**
 * Puts `count` nodes (numbers 0..n-1) into a split. HG_ERR_INPUT for one that is out of range or already in another.
 */
hg_status hg_import_mark(hg_nodes *nodes, const char *name, const char *noun, const int64_t *ids, hg_off count,
                         hg_split split);

/**
 * "train", "val" (also valid, validation), "test" -> the split; "none" and "-" -> HG_SPLIT_NONE; false for another
 * word.
 */
bool hg_import_split_word(const char *word, hg_split *split);

/** All of [rows x columns] are finite; HG_ERR_INPUT says where one is not. */
hg_status hg_import_finite(const char *name, const float *values, hg_off rows, hg_off columns);

/**
 * Takes CSR features, made with hg_alloc: checks pointers, columns and values; sorts rows, adds entries of the same
 * column, leaves zeros out. On failure they are still the caller's.
 */
hg_status hg_import_sparse(hg_nodes *nodes, const char *name, hg_features *features, hg_off entries);

/** Takes dense features [n x width], made with hg_alloc, after checking that they are finite. */
hg_status hg_import_dense(hg_nodes *nodes, const char *name, float **values, hg_off width);

/** Adds the node numbers of the feature and label files of `options` (those that name nodes) to the map. */
hg_status hg_import_side_ids(hg_id_map *map, const hg_import_options *options);

/** Reads the feature, label and split files of `options` into nodes numbered by the map. */
hg_status hg_import_side_files(hg_nodes *nodes, const hg_id_map *map, const hg_import_options *options);

/** The n nodes of a format that counts them from 1: their ids, and what the side files say of them. */
hg_status hg_import_counted_nodes(hg_nodes *nodes, hg_off n, const hg_import_options *options);

/** A matrix of numbers as text, rows x *columns (found in the first line), in a new array; exactly `rows` lines. */
hg_status hg_import_text_matrix(const char *path, hg_off rows, float **values, hg_off *columns);

/** A list of whole numbers as text, a line each. */
hg_status hg_import_text_list(const char *path, int64_t **values, hg_off *count);

/** Uses a line's pair of numbers; `text` is for messages. */
typedef hg_status (*hg_import_pair)(void *user, const hg_text *text, int64_t from, int64_t to);

/** Calls `use` for each line "from to [weight ...]" of a text; a heading in the first line is passed over. */
hg_status hg_import_text_pairs(const char *path, bool *weights_ignored, hg_import_pair use, void *user);

/** hg_edge_source's work for such a text: numbers through the map. HG_ERR_INPUT for one that it does not have. */
hg_status hg_import_text_edges(const char *path, const hg_id_map *map, bool *weights_ignored,
                               hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context);
