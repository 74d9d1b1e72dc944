#pragma once
#include "core/graph/collection.h"
#include "core/graph/csr_build.h"
#include "core/graph/import_mnist.h"

/** How a graph is read; start from hg_import_default(). Strings are borrowed. */
typedef struct {
  bool symmetrize; ///< each edge also the other way
  hg_off nodes;    ///< edgelist: the nodes are 0 .. nodes - 1; 0: those that occur in the files
  const char
      *features; ///< edgelist, mtx, metis: lines "id v1 v2 ...", or a .npy matrix in the order of the nodes; NULL: none
  const char *labels; ///< edgelist, mtx, metis: lines "id label ..."; NULL: none
  const char *splits; ///< edgelist, mtx, metis: lines "id train|val|test"; NULL: none
  const char
      *scheme;  ///< ogb: the folder under split/; graphbolt: the task's name; NULL: the only one, or the first task
  hg_task task; ///< what the labels are; HG_TASK_NONE: found out (see hg_import_truth)
  hg_mnist_options mnist; ///< mnist-idx
} hg_import_options;

static inline hg_import_options hg_import_default(void)
{
  return (hg_import_options){.task = HG_TASK_NONE, .mnist = hg_mnist_default()};
}

/** What a reader met, beside the counts of the edges. */
typedef struct {
  hg_build_counts build;
  bool weights_ignored; ///< some edge had a weight other than 1
  hg_off unlabelled;    ///< nodes (of a collection: graphs) without a label (no task: 0)
  hg_off empty_classes; ///< classes without a node or graph
  hg_off unlabelled_in_split;
} hg_import_report;

/** What a reader makes: one graph, or a collection of graphs. The other one stays empty. */
typedef struct {
  bool is_collection;
  hg_graph graph;
  hg_collection collection;
} hg_imported;

void hg_imported_free(hg_imported *imported);

/** What has labels and is split: the nodes of the graph, or the graphs of the collection. */
hg_nodes *hg_imported_items(hg_imported *imported);

/**
 * A format. `read` fills a zeroed `out` and the report; hg_import_read does what all formats share. Of a collection it
 * fills n_graphs, graph_ptr, united.adjacency (hg_csr_build does it), united.nodes.n, features and positions, items.n
 * and what is known of the graphs; `symmetric` and original ids that are not there are found by hg_import_finish.
 */
typedef struct {
  const char *name, *suffix, *help;
  hg_status (*read)(hg_imported *out, const char *path, const hg_import_options *options, hg_import_report *report);
} hg_import_format;

/** All formats, ended by a NULL name. */
extern const hg_import_format hg_import_formats[];

/** The format of that name. HG_ERR_INPUT lists the names, and the nearest. */
hg_status hg_import_find(const char *name, const hg_import_format **format);

/**
 * Reads the file or folder `path`, numbers nodes (or graphs) that have no original ids, finds out whether the edges are
 * symmetric, counts what the report tells, and checks everything. Not collective.
 * @param out   created; untouched on failure
 * @return      HG_ERR_INPUT names the file and what was found and expected
 * Memory: at most about twice the graph.
 */
hg_status hg_import_read(hg_imported *out, const hg_import_format *format, const char *path,
                         const hg_import_options *options, hg_import_report *report);

/**
 * The second half of hg_import_read, for what a format's reader has filled; on failure it is still the caller's to
 * free.
 */
hg_status hg_import_finish(hg_imported *out, const char *path, const hg_import_options *options,
                           hg_import_report *report);

/** Writes the graph or collection as an .hg file, as hg_store_write_graph. */
hg_status hg_import_write(const char *path, const hg_imported *imported, const char *creator);

hg_status hg_import_npz(hg_imported *out, const char *path, const hg_import_options *options, hg_import_report *report);
hg_status hg_import_edgelist(hg_imported *out, const char *path, const hg_import_options *options,
                             hg_import_report *report);
hg_status hg_import_mtx(hg_imported *out, const char *path, const hg_import_options *options, hg_import_report *report);
hg_status hg_import_metis(hg_imported *out, const char *path, const hg_import_options *options,
                          hg_import_report *report);
hg_status hg_import_ogb(hg_imported *out, const char *path, const hg_import_options *options, hg_import_report *report);
hg_status hg_import_graphbolt(hg_imported *out, const char *path, const hg_import_options *options,
                              hg_import_report *report);

/**
 * A collection of one graph an image from a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte,
 * t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or with .gz: MNIST and its relatives. Feature: intensity in
 * [0, 1]; positions: column and row in pixels. Original id of a graph: the number of the image, t10k after all of
 * train. The same bits for any number of threads.
 * Memory: the collection, the images, and of superpixels 4 bytes a pixel.
 */
hg_status hg_import_mnist(hg_imported *out, const char *path, const hg_import_options *options,
                          hg_import_report *report);
