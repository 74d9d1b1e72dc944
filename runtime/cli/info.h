#pragma once
#include <jansson.h>

#include "core/graph/store.h"
#include "runtime/cli/graph_facts.h"

/* What `halognn info` prints of one kind of file or another. */

/** A line "name   text" on standard output. */
void hg_info_line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Lines on features, task, unlabelled and split of the nodes, or of a collection's graphs. */
void hg_info_features_and_labels(const hg_store_header *header, hg_off unlabelled);

/** "12.5 MiB", how large the file is. */
const char *hg_info_file_size(const char *path, char text[32]);

/** A new object with what graph, parts and collection files have in common. */
json_t *hg_info_json(const char *path, const hg_store_header *header, const hg_graph_facts *facts);

/** Prints the object; HG_ERR_INPUT for NULL: some text of the file was no UTF-8. */
hg_status hg_info_print_json(json_t *object);

/** `halognn info` of a collection. */
hg_status hg_info_collection(const char *path, bool json);
