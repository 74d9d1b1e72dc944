#pragma once
#include "core/graph/collection.h"

/** What an .hg file holds (its attribute halognn_format). */
typedef enum { HG_STORE_GRAPH, HG_STORE_PARTS, HG_STORE_COLLECTION, HG_STORE_CHECKPOINT } hg_store_kind;

/** HG_ERR_INPUT for a file that is missing, no HDF5, or not ours. */
hg_status hg_store_kind_of(const char *path, hg_store_kind *kind);

/** Which edges between parts a least cover (partition/cover.h) is of, and what a row of each side weighs. */
typedef struct {
  int steps;  ///< edges into nodes from which a training node is reached in so many steps, or HG_COVER_ALL
  int source; ///< numbers in the row of a source
  int sum;    ///< numbers in a row that sums others for a destination
} hg_cover_kind;

enum { HG_COVER_ALL = -1, HG_COVER_KINDS = 31 };

/** Least covers that were found when the parts were made, and of some parts' halo rows which are in them. */
typedef struct {
  int n; ///< 0: none are known
  hg_cover_kind kinds[HG_COVER_KINDS];
  int32_t *halo; ///< [halo rows] bit c: the row crosses as it is where kinds[c] says how rows cross, and is in no sum
} hg_known_covers;

/**
 * The halo structure of a parts file. Global ids are contiguous part by part: part p owns offsets[p] ..
 * offsets[p+1]-1, its interior nodes first. Filled by partition/, written and read here.
 */
typedef struct {
  int n_parts;
  hg_gid *offsets;        ///< [n_parts + 1]
  hg_off *n_interior;     ///< [n_parts]
  hg_off *halo_offsets;   ///< [n_parts + 1] into halo_ids
  hg_gid *halo_ids;       ///< [halo_offsets[n_parts]] each part's halo nodes, global ids ascending, so grouped by owner
  hg_known_covers covers; ///< of the rows of halo_ids
  char *quality_json;     ///< the partitioner's figures as a JSON object (hg_alloc), shown by `halognn info`
  uint64_t fingerprint;   ///< hg_graph_fingerprint of the graph that was partitioned
  char recipe[256]; ///< how it was made: "metis volume k=4 seed=1 ...": with the fingerprint, the key of a cached file
} hg_parts_index;

void hg_parts_index_free(hg_parts_index *index);

/**
 * Writes a graph file; appears under `path` only when complete. `creator` is a line of provenance ("import npz
 * cora.npz").
 */
hg_status hg_store_write_graph(const char *path, const hg_graph *graph, const char *creator);

/** Reads a whole graph file and checks it. */
hg_status hg_store_read_graph(const char *path, hg_graph *graph);

/** Writes `graph` (already in the order of the parts) with its parts. */
hg_status hg_store_write_parts(const char *path, const hg_graph *graph, const hg_parts_index *index,
                               const char *creator);

/** Writes a collection; as hg_store_write_graph. */
hg_status hg_store_write_collection(const char *path, const hg_collection *collection, const char *creator);

/** Reads a whole collection and checks it. Memory: the collection, and 8 bytes a node for the check. */
hg_status hg_store_read_collection(const char *path, hg_collection *collection);

/**
 * The rows [first, first + n) of a parts or graph file by hyperslabs: adjacency with columns as global ids, and
 * those nodes' data.
 * Not collective: each rank opens the file for itself. Memory: the slice.
 */
hg_status hg_store_read_rows(const char *path, hg_gid first, hg_off n, hg_graph *slice);

/** What is said about the whole, for a rank that reads only its slice, and for checks before anything is read. */
typedef struct {
  hg_store_kind kind;
  hg_off n_graphs; ///< of a collection; else 0
  hg_off n_nodes, n_edges;
  hg_off feature_entries; ///< stored feature values: nodes x width when dense
  hg_task task;
  int n_classes, feature_width, n_dims;
  bool sparse_features, symmetric;
  hg_off n_split[HG_SPLIT_COUNT]; ///< nodes in each split, all parts; of a collection: graphs
  uint64_t fingerprint;           ///< of the graph as written (for parts: of the graph that was partitioned)
  char creator[256];              ///< the line of provenance, cut to fit
} hg_store_header;

/** Of a graph, parts or collection file; shapes are checked against each other, data is not read. */
hg_status hg_store_read_header(const char *path, hg_store_header *header);

/** The index with the halo ids of `part` alone (halo_offsets still whole), or all of them for part = -1. */
hg_status hg_store_read_parts_index(const char *path, int part, hg_parts_index *index);

/**
 * Every attribute and every dataset of an HDF5 file with halognn_format, whatever its kind: `item` gets the object
 * ("/", "/weights"), the attribute's name (NULL for the dataset itself), and the value or the shape as text
 * ("float32 16 x 7").
 * Stops with what `item` fails with.
 */
hg_status hg_store_list(const char *path,
                        hg_status (*item)(void *context, const char *object, const char *attribute, const char *text),
                        void *context);
