#include "core/graph/store_slices.h"

#include <inttypes.h>

#include "core/base/alloc.h"
#include "core/graph/store_reader.h"

// Edges before row `row`, and the rows before it
static hg_status work_before(const hg_store_reader *in, hg_gid row, hg_off *work)
{
  hg_status rc = hg_h5_read_rows(&in->h5, "/csr/indptr", HG_H5_I64, row, 1, work);
  *work += row;
  return rc;
}

// The first row before which there are at least `wanted` edges and rows. What a broken file says bounds nothing here:
// rows are checked when they are read.
static hg_status find_row(const hg_store_reader *in, hg_off wanted, hg_gid *row)
{
  hg_gid low = 0, high = in->header.n_nodes;
  while (low < high) {
    hg_gid middle = low + (high - low) / 2;
    hg_off work = 0;
    hg_status rc = work_before(in, middle, &work);
    if (rc != HG_OK) return rc;
    if (work >= wanted)
      high = middle;
    else
      low = middle + 1;
  }
  *row = low;
  return HG_OK;
}

static hg_status open_graph(hg_store_reader *in, const char *path)
{
  hg_status rc = hg_store_reader_open(in, path);
  if (rc == HG_OK && in->header.kind != HG_STORE_GRAPH) rc = hg_fail(HG_ERR_INPUT, "%s: found no graph", path);
  return rc;
}

static hg_status open_slice(hg_store_reader *in, const char *path, hg_gid first, hg_off n)
{
  hg_status rc = open_graph(in, path);
  if (rc != HG_OK || (first >= 0 && n >= 0 && n <= in->header.n_nodes - first)) return rc;
  return hg_fail(HG_ERR_INPUT, "%s: holds %" PRId64 " nodes, asked for %" PRId64 " from %" PRId64, path,
                 in->header.n_nodes, n, first);
}

hg_status hg_store_cut_rows(const char *path, int pieces, hg_gid *first)
{
  hg_status rc = HG_OK;
  hg_store_reader in = {0};
  HG_TRY(open_graph(&in, path));
  double work = (double)(in.header.n_nodes + in.header.n_edges);
  first[0] = 0;
  for (int p = 1; p < pieces; p++) {
    HG_TRY(find_row(&in, (hg_off)(work * p / pieces), &first[p]));
    if (first[p] < first[p - 1]) first[p] = first[p - 1];
  }
  first[pieces] = in.header.n_nodes;
done:
  hg_store_reader_close(&in);
  return rc;
}

hg_status hg_store_read_row_edges(const char *path, hg_gid first, hg_off n, hg_graph *slice)
{
  hg_status rc = HG_OK;
  hg_store_reader in = {0};
  hg_graph read = {0};
  HG_TRY(open_slice(&in, path, first, n));
  HG_TRY(hg_store_read_edges(&in, first, n, &read));
  HG_TRY(hg_context(hg_graph_check_edges(&read, first), "%s", path));
  *slice = read;
  read = (hg_graph){0};
done:
  hg_graph_free(&read);
  hg_store_reader_close(&in);
  return rc;
}

hg_status hg_store_read_row_nodes(const char *path, hg_gid first, hg_off n, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  hg_store_reader in = {0};
  hg_nodes read = {0};
  HG_TRY(open_slice(&in, path, first, n));
  HG_TRY(hg_store_read_inputs(&in, first, n, &read));
  HG_TRY(hg_store_read_truth(&in, first, n, &read));
  HG_TRY(hg_context(hg_nodes_check(&read, first), "%s", path));
  *nodes = read;
  read = (hg_nodes){0};
done:
  hg_nodes_free(&read);
  hg_store_reader_close(&in);
  return rc;
}
