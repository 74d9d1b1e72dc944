#include <inttypes.h>

#include "runtime/cli/info.h"

static void print_collection(const char *path, const hg_store_header *h, const hg_collection_facts *facts)
{
  const hg_graph_facts *all = &facts->united;
  char size[32];
  hg_info_line("file", "%s", path);
  hg_info_line("kind", "collection, %s", hg_info_file_size(path, size));
  hg_info_line("graphs", "%" PRId64, h->n_graphs);
  hg_info_line("nodes", "%" PRId64 "; a graph: min %" PRId64 ", mean %.2f, max %" PRId64, h->n_nodes, facts->nodes.min,
               facts->nodes.mean, facts->nodes.max);
  hg_info_line("edges", "%" PRId64 ", %s; a graph: min %" PRId64 ", mean %.2f, max %" PRId64, h->n_edges,
               h->symmetric ? "symmetric (both directions counted)" : "directed", facts->edges.min, facts->edges.mean,
               facts->edges.max);
  hg_info_line("degree", "min %" PRId64 ", mean %.2f, max %" PRId64, all->degree_min, all->degree_mean,
               all->degree_max);
  hg_info_line("isolated nodes", "%" PRId64, all->isolated);
  hg_info_features_and_labels(h, all->unlabelled);
  if (h->n_dims > 0) hg_info_line("positions", "%d dimensions", h->n_dims);
  hg_info_line("made by", "%s", h->creator);
  hg_info_line("fingerprint", "%016" PRIx64, h->fingerprint);
}

static json_t *spread_json(const hg_spread *s)
{
  return json_pack("{s:I, s:f, s:I}", "min", (json_int_t)s->min, "mean", s->mean, "max", (json_int_t)s->max);
}

hg_status hg_info_collection(const char *path, bool json)
{
  hg_status rc = HG_OK;
  hg_store_header header;
  hg_collection_facts facts;
  json_t *object = NULL;
  HG_TRY(hg_store_read_header(path, &header));
  HG_TRY(hg_collection_facts_read(path, &facts));
  if (!json) {
    print_collection(path, &header, &facts);
    goto done;
  }
  object = hg_info_json(path, &header, &facts.united);
  if (object) {
    json_object_set_new(object, "kind", json_string("collection"));
    json_object_set_new(object, "graphs", json_integer(header.n_graphs));
    json_object_set_new(object, "nodes_per_graph", spread_json(&facts.nodes));
    json_object_set_new(object, "edges_per_graph", spread_json(&facts.edges));
  }
  HG_TRY(hg_info_print_json(object));
done:
  json_decref(object);
  return rc;
}
