#include <inttypes.h>

#include "core/base/alloc.h"
#include "core/graph/import_ogb.h"

typedef struct {
  char path[HG_OGB_PATH];
  bool *weights_ignored;
  const hg_collection *c;
  hg_off *edge_ptr; // [n_graphs + 1]
  hg_off at, graph; // the next line, and the graph of the one before
  hg_status (*edge)(void *context, hg_gid from, hg_gid to);
  void *context;
} edge_file;

static hg_status forward(void *user, const hg_text *text, int64_t from, int64_t to)
{
  edge_file *f = user;
  while (f->graph < f->c->n_graphs && f->at == f->edge_ptr[f->graph + 1]) f->graph++;
  if (f->graph == f->c->n_graphs)
    return hg_text_fail(text, "found more than the %" PRId64 " edges of num-edge-list", f->at);
  hg_off first = f->c->graph_ptr[f->graph], n = f->c->graph_ptr[f->graph + 1] - first;
  if (from < 0 || from >= n || to < 0 || to >= n)
    return hg_text_fail(text, "found node %" PRId64 " in graph %" PRId64 ", expected 0 to %" PRId64,
                        from < 0 || from >= n ? from : to, f->graph, n - 1);
  f->at++;
  return f->edge(f->context, first + from, first + to);
}

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  edge_file *f = source;
  f->at = f->graph = 0;
  f->edge = edge;
  f->context = context;
  hg_status rc = hg_import_text_pairs(f->path, f->weights_ignored, forward, f);
  if (rc == HG_OK && f->at != f->edge_ptr[f->c->n_graphs])
    rc = hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " edges, expected %" PRId64 " (num-edge-list)", f->path, f->at,
                 f->edge_ptr[f->c->n_graphs]);
  return rc;
}

// pointers[0 .. n] of n graphs with that many nodes or edges
static hg_status sum_up(const char *path, const int64_t *sizes, hg_off n, hg_off least, hg_off **pointers)
{
  hg_status rc = HG_ALLOC(*pointers, n + 1, path);
  if (rc != HG_OK) return rc;
  for (hg_off g = 0; g < n; g++) {
    if (sizes[g] < least || sizes[g] > INT32_MAX)
      return hg_fail(HG_ERR_INPUT, "%s: graph %" PRId64 ": found %" PRId64 ", expected %" PRId64 " to %d", path, g,
                     sizes[g], least, INT32_MAX);
    (*pointers)[g + 1] = (*pointers)[g] + sizes[g];
  }
  return HG_OK;
}

static hg_status read_edges(hg_collection *c, const char *folder, const hg_import_options *options,
                            hg_import_report *report)
{
  hg_status rc = HG_OK;
  edge_file file = {.weights_ignored = &report->weights_ignored, .c = c};
  char path[HG_OGB_PATH];
  int64_t *sizes = NULL;
  hg_off count;
  HG_TRY(hg_ogb_need_file(path, folder, "raw/num-edge-list"));
  HG_TRY(hg_import_text_list(path, &sizes, &count));
  if (count != c->n_graphs)
    HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found %" PRId64 " numbers, expected %" PRId64 " as in num-node-list", path, count,
                   c->n_graphs));
  HG_TRY(sum_up(path, sizes, c->n_graphs, 0, &file.edge_ptr));
  HG_TRY(hg_ogb_need_file(file.path, folder, "raw/edge"));
  HG_TRY(hg_csr_build(&c->united.adjacency, c->united.nodes.n, each_edge, &file, options->symmetrize, &report->build));
done:
  hg_free(&sizes);
  hg_free(&file.edge_ptr);
  return rc;
}

hg_status hg_ogb_read_collection(hg_collection *c, const char *folder, const int64_t *sizes,
                                 const hg_import_options *options, hg_import_report *report)
{
  hg_status rc = HG_OK;
  char path[HG_OGB_PATH];
  HG_TRY(hg_ogb_need_file(path, folder, "raw/num-node-list"));
  HG_TRY(sum_up(path, sizes, c->n_graphs, 1, &c->graph_ptr));
  c->items.n = c->n_graphs;
  c->united.nodes.n = c->graph_ptr[c->n_graphs];
  HG_TRY(hg_import_check_nodes(path, c->united.nodes.n));
  HG_TRY(read_edges(c, folder, options, report));
  HG_TRY(hg_ogb_read_features(&c->united.nodes, folder));
  HG_TRY(hg_ogb_read_labels(&c->items, folder, "raw/graph-label", "graph", options->task));
done:
  return rc;
}
