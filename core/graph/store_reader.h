#pragma once
#include "core/graph/store_layout.h"

/*
 * Reading a graph, parts or collection file: first all shapes, checked against one another before the first byte is
 * allocated, then rows of it. What store.c and store_collection.c share.
 */

/** An open file whose shapes agree. */
typedef struct {
  hg_h5 h5;
  hg_store_header header;
  hg_off n_items;   ///< what labels, split and ids are of: the nodes, or the graphs of a collection
  const char *noun; ///< "node" or "graph", for messages
  bool has_split, has_ids;
} hg_store_reader;

/** HG_ERR_INPUT: missing, no HDF5, a checkpoint, or shapes that do not fit one another. Close it in any case. */
hg_status hg_store_reader_open(hg_store_reader *in, const char *path);
void hg_store_reader_close(hg_store_reader *in);

/** "/split/train" of HG_SPLIT_TRAIN ... */
extern const char *const hg_store_split_names[HG_SPLIT_COUNT];

/** Edges (columns as global ids), features and positions of the nodes first, first + 1, ..., first + n - 1. */
hg_status hg_store_read_structure(const hg_store_reader *in, hg_off first, hg_off n, hg_graph *slice);

/** The two halves of it: the edges; features and positions. */
hg_status hg_store_read_edges(const hg_store_reader *in, hg_off first, hg_off n, hg_graph *slice);
hg_status hg_store_read_inputs(const hg_store_reader *in, hg_off first, hg_off n, hg_nodes *nodes);

/** Labels, split and original ids of those items. */
hg_status hg_store_read_truth(const hg_store_reader *in, hg_off first, hg_off n, hg_nodes *items);
