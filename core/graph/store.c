#include "core/graph/store.h"

#include <inttypes.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/store_reader.h"

hg_status hg_store_check_head(const hg_h5 *file, hg_store_kind *kind)
{
  static const char *const formats[] = {"graph", "parts", "collection", "checkpoint", NULL};
  char format[64];
  int64_t version;
  hg_status rc = hg_h5_read_text(file, "/", "halognn_format", format, sizeof format);
  if (rc != HG_OK) return rc;
  for (int k = 0; formats[k]; k++) {
    if (strcmp(format, formats[k]) != 0) continue;
    *kind = (hg_store_kind)k;
    return k == HG_STORE_CHECKPOINT ? HG_OK
                                    : hg_h5_read_number(file, "/", "halognn_version", 1, HG_STORE_VERSION, &version);
  }
  return hg_fail(HG_ERR_INPUT,
                 "%s: attribute halognn_format of / is '%s', expected graph, parts, collection or checkpoint",
                 file->path, format);
}

hg_status hg_store_kind_of(const char *path, hg_store_kind *kind)
{
  hg_h5 file = {0};
  hg_status rc = hg_h5_open(&file, path);
  if (rc == HG_OK) rc = hg_store_check_head(&file, kind);
  hg_h5_drop(&file);
  return rc;
}

static hg_status expect_kind(const hg_store_reader *in, bool parts_too)
{
  static const char *const found[] = {"a graph", "parts", "a collection of graphs"};
  if (in->header.kind == HG_STORE_GRAPH || (parts_too && in->header.kind == HG_STORE_PARTS)) return HG_OK;
  return hg_fail(HG_ERR_INPUT, "%s: found %s, expected a graph%s", in->h5.path, found[in->header.kind],
                 parts_too ? " or parts" : "");
}

static hg_status read_rows(const hg_store_reader *in, hg_off first, hg_off n, hg_graph *slice)
{
  hg_status rc = hg_store_read_structure(in, first, n, slice);
  return rc == HG_OK ? hg_store_read_truth(in, first, n, &slice->nodes) : rc;
}

hg_status hg_store_read_graph(const char *path, hg_graph *graph)
{
  hg_status rc = HG_OK;
  hg_store_reader in = {0};
  hg_graph read = {0};
  HG_TRY(hg_store_reader_open(&in, path));
  HG_TRY(expect_kind(&in, false));
  HG_TRY(read_rows(&in, 0, in.header.n_nodes, &read));
  HG_TRY(hg_context(hg_graph_check(&read), "%s", path));
  *graph = read;
  read = (hg_graph){0};
done:
  hg_graph_free(&read);
  hg_store_reader_close(&in);
  return rc;
}

hg_status hg_store_read_rows(const char *path, hg_gid first, hg_off n, hg_graph *slice)
{
  hg_status rc = HG_OK;
  hg_store_reader in = {0};
  hg_graph read = {0};
  HG_TRY(hg_store_reader_open(&in, path));
  HG_TRY(expect_kind(&in, true));
  if (first < 0 || n < 0 || n > in.header.n_nodes - first)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: holds %" PRId64 " nodes, asked for %" PRId64 " from %" PRId64, path,
                   in.header.n_nodes, n, first));
  HG_TRY(read_rows(&in, first, n, &read));
  HG_TRY(hg_context(hg_graph_check_rows(&read, first), "%s", path));
  *slice = read;
  read = (hg_graph){0};
done:
  hg_graph_free(&read);
  hg_store_reader_close(&in);
  return rc;
}

hg_status hg_store_read_collection(const char *path, hg_collection *collection)
{
  hg_status rc = HG_OK;
  hg_store_reader in = {0};
  hg_collection read = {0};
  HG_TRY(hg_store_reader_open(&in, path));
  if (in.header.kind != HG_STORE_COLLECTION)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %s, expected a collection of graphs", path,
                   in.header.kind == HG_STORE_PARTS ? "parts" : "a graph"));
  read.n_graphs = in.header.n_graphs;
  HG_TRY(HG_ALLOC(read.graph_ptr, read.n_graphs + 1, "graph pointers"));
  HG_TRY(hg_h5_read_rows(&in.h5, "/graph_ptr", HG_H5_I64, 0, read.n_graphs + 1, read.graph_ptr));
  HG_TRY(hg_store_read_structure(&in, 0, in.header.n_nodes, &read.united));
  HG_TRY(hg_store_read_truth(&in, 0, read.n_graphs, &read.items));
  HG_TRY(hg_context(hg_collection_check(&read), "%s", path));
  *collection = read;
  read = (hg_collection){0};
done:
  hg_collection_free(&read);
  hg_store_reader_close(&in);
  return rc;
}

hg_status hg_store_read_header(const char *path, hg_store_header *header)
{
  hg_store_reader in = {0};
  hg_status rc = hg_store_reader_open(&in, path);
  if (rc == HG_OK) *header = in.header;
  hg_store_reader_close(&in);
  return rc;
}
