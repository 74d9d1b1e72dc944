#include <inttypes.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/import_fields.h"
#include "core/graph/text.h"

// METIS 5 manual, section 4.1.1: "n m [fmt [ncon]]", then a line for each node: [size] [weights] neighbour [weight] ...
typedef struct {
  const char *path;
  hg_off n, edges;
  bool has_sizes, has_edge_weights;
  int64_t node_weights; // numbers before the neighbours, without the size
  bool *weights_ignored;
} metis;

// Comments begin with %; an empty line is a node without neighbours.
static hg_status next_line(hg_text *t, char **line)
{
  hg_status rc;
  while ((rc = hg_text_line(t, line)) == HG_OK && *line && **line == '%') {
  }
  return rc;
}

static hg_status read_head(hg_text *t, metis *m)
{
  hg_status rc = HG_OK;
  char *line;
  int64_t format = 0;
  HG_TRY(hg_text_data_line(t, &line));
  if (!line) HG_TRY(hg_fail(HG_ERR_INPUT, "%s: the file is empty, expected \"nodes edges\"", m->path));
  HG_TRY(hg_text_int(t, &line, &m->n, "the number of nodes"));
  HG_TRY(hg_text_int(t, &line, &m->edges, "the number of edges"));
  if (!hg_text_is_end(line)) HG_TRY(hg_text_int(t, &line, &format, "the format"));
  int64_t sizes = format / 100, nodes = format / 10 % 10, edges = format % 10;
  if (format < 0 || sizes > 1 || nodes > 1 || edges > 1)
    HG_TRY(hg_text_fail(t, "found format %" PRId64 ", expected 000 to 111", format));
  m->node_weights = nodes;
  if (!hg_text_is_end(line)) HG_TRY(hg_text_int(t, &line, &m->node_weights, "the number of weights a node"));
  if (m->n < 0 || m->edges < 0 || m->node_weights < 0 || !hg_text_is_end(line))
    HG_TRY(hg_text_fail(t, "expected \"nodes edges [format [weights]]\""));
  if (nodes == 0) m->node_weights = 0;
  m->has_sizes = sizes == 1;
  m->has_edge_weights = edges == 1;
done:
  return rc;
}

static hg_status node_line(const hg_text *t, char *line, const metis *m, hg_off node, hg_off *found,
                           hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  hg_status rc = HG_OK;
  int64_t value;
  for (int64_t k = 0; k < m->node_weights + m->has_sizes; k++) {
    HG_TRY(hg_text_int(t, &line, &value, "a weight of the node"));
    if (value != 1) *m->weights_ignored = true;
  }
  while (!hg_text_is_end(line)) {
    HG_TRY(hg_text_int(t, &line, &value, "a neighbour"));
    if (value < 1 || value > m->n)
      HG_TRY(hg_text_fail(t, "found node %" PRId64 ", expected 1 to %" PRId64, value, m->n));
    HG_TRY(edge(context, node, value - 1));
    (*found)++;
    if (!m->has_edge_weights) continue;
    HG_TRY(hg_text_int(t, &line, &value, "the weight of an edge"));
    if (value != 1) *m->weights_ignored = true;
  }
done:
  return rc;
}

static hg_status each_edge(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const metis *m = source;
  metis again = *m;
  hg_status rc = HG_OK;
  hg_text text = {0};
  char *line;
  hg_off found = 0;
  HG_TRY(hg_text_open(&text, m->path));
  HG_TRY(read_head(&text, &again));
  for (hg_off i = 0; i < m->n; i++) {
    HG_TRY(next_line(&text, &line));
    if (!line)
      HG_TRY(hg_fail(HG_ERR_INPUT, "%s: found lines for %" PRId64 " nodes, expected %" PRId64, m->path, i, m->n));
    HG_TRY(node_line(&text, line, m, i, &found, edge, context));
  }
  HG_TRY(hg_text_data_line(&text, &line));
  if (line) HG_TRY(hg_text_fail(&text, "found more lines than the %" PRId64 " nodes", m->n));
  if (found % 2 != 0 || found / 2 != m->edges)
    HG_TRY(hg_fail(HG_ERR_INPUT,
                   "%s: found %" PRId64 " neighbours, expected 2 x %" PRId64 " (each edge from both ends)", m->path,
                   found, m->edges));
done:
  hg_text_close(&text);
  return rc;
}

hg_status hg_import_metis(hg_imported *out, const char *path, const hg_import_options *options,
                          hg_import_report *report)
{
  hg_graph *g = &out->graph;
  hg_status rc = HG_OK;
  hg_text text = {0};
  metis m = {.path = path, .weights_ignored = &report->weights_ignored};
  HG_TRY(hg_text_open(&text, path));
  HG_TRY(read_head(&text, &m));
  HG_TRY(hg_import_check_nodes(path, m.n));
  HG_TRY(hg_csr_build(&g->adjacency, m.n, each_edge, &m, options->symmetrize, &report->build));
  HG_TRY(hg_import_counted_nodes(&g->nodes, m.n, options));
done:
  hg_text_close(&text);
  return rc;
}
