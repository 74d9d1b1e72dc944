#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "partition/refine.h"

// One host's nodes as a graph of their own, with the weights that they have in the whole graph.
typedef struct {
  hg_graph graph;
  hg_lid *nodes; // [n] numbers in the whole graph, ascending
  hg_off *weights[HG_BALANCE_KINDS];
  int32_t *part_of; // [n]
} piece;

static void piece_free(piece *p)
{
  hg_csr_free(&p->graph.adjacency);
  hg_free(&p->nodes);
  for (int kind = 0; kind < HG_BALANCE_KINDS; kind++) hg_free(&p->weights[kind]);
  hg_free(&p->part_of);
}

// local[i]: a node's number in its host
static hg_status cut_edges(piece *p, const hg_graph *graph, const int32_t *host_of, int host, const hg_lid *local)
{
  const hg_csr *a = &graph->adjacency;
  hg_lid n = (hg_lid)p->graph.nodes.n;
  hg_off entries = 0;
  for (hg_lid l = 0; l < n; l++)
    for (hg_off e = a->indptr[p->nodes[l]]; e < a->indptr[p->nodes[l] + 1]; e++)
      entries += host_of[a->indices[e]] == host;
  hg_csr *out = &p->graph.adjacency;
  hg_status rc = hg_csr_create(out, n, n, entries, false, "edges of a host");
  if (rc != HG_OK) return rc;
  entries = 0;
  for (hg_lid l = 0; l < n; l++) {
    for (hg_off e = a->indptr[p->nodes[l]]; e < a->indptr[p->nodes[l] + 1]; e++)
      if (host_of[a->indices[e]] == host) out->indices[entries++] = local[a->indices[e]];
    out->indptr[l + 1] = entries;
  }
  return HG_OK;
}

static hg_status cut_piece(piece *p, const hg_graph *graph, const hg_partition_options *options, const int32_t *host_of,
                           int host, hg_lid *local)
{
  hg_status rc = HG_OK;
  hg_lid n = 0;
  *p = (piece){0};
  for (hg_off i = 0; i < graph->nodes.n; i++)
    if (host_of[i] == host) local[i] = n++;
  p->graph.nodes.n = n;
  p->graph.symmetric = graph->symmetric;
  HG_TRY(HG_ALLOC(p->nodes, n, "nodes of a host"));
  HG_TRY(HG_ALLOC(p->part_of, n, "parts of a host"));
  for (hg_lid i = 0; i < graph->nodes.n; i++)
    if (host_of[i] == host) p->nodes[local[i]] = i;
  for (int kind = 0; kind < HG_BALANCE_KINDS; kind++) {
    if (!(options->balance & 1 << kind)) continue;
    HG_TRY(HG_ALLOC(p->weights[kind], n, "weights of a host"));
    for (hg_lid l = 0; l < n; l++) p->weights[kind][l] = hg_balance_weight(graph, options, 1 << kind, p->nodes[l]);
  }
  HG_TRY(cut_edges(p, graph, host_of, host, local));
done:
  if (rc != HG_OK) piece_free(p);
  return rc;
}

// every host needs a node for each of its parts
static bool any_too_small(const int32_t *host_of, hg_off n, int hosts, int parts, hg_off *size)
{
  memset(size, 0, (size_t)hosts * sizeof *size);
  for (hg_off i = 0; i < n; i++) size[host_of[i]]++;
  for (int h = 0; h < hosts; h++)
    if (size[h] < parts) return true;
  return false;
}

static hg_status choose_hosts(const hg_graph *graph, int parts, const hg_partition_options *options, int32_t *host_of)
{
  hg_status rc = HG_OK;
  hg_off *size = NULL, n = graph->nodes.n;
  hg_refined refined;
  HG_TRY(HG_ALLOC(size, options->hosts, "nodes of hosts"));
  HG_TRY(hg_partition_level(graph, options->hosts, options, host_of));
  if (any_too_small(host_of, n, options->hosts, parts, size)) {
    HG_TRY(hg_partition_block(graph, options->hosts, options, host_of));
    goto done;
  }
  if (!hg_partition_refines(options)) goto done;
  hg_partition_options flat = *options;
  flat.hosts = 1;
  HG_TRY(hg_refine(graph, options->hosts, &flat, host_of, &refined));
  if (any_too_small(host_of, n, options->hosts, parts, size))
    HG_TRY(hg_partition_block(graph, options->hosts, options, host_of));
done:
  hg_free(&size);
  return rc;
}

hg_status hg_partition_two_level(const hg_graph *graph, int k, const hg_partition_options *options, int32_t *part_of)
{
  hg_status rc = HG_OK;
  int parts = k / options->hosts;
  hg_partition_options level = *options;
  hg_lid *local = NULL;
  int32_t *host_of = NULL;
  piece p = {0};
  level.imbalance = sqrt(options->imbalance);
  HG_TRY(HG_ALLOC(local, graph->nodes.n, "nodes of hosts"));
  HG_TRY(HG_ALLOC(host_of, graph->nodes.n, "hosts of nodes"));
  HG_TRY(choose_hosts(graph, parts, &level, host_of));
  for (int h = 0; h < options->hosts; h++) {
    HG_TRY(cut_piece(&p, graph, options, host_of, h, local));
    hg_partition_options inside = level;
    inside.hosts = 1;
    for (int kind = 0; kind < HG_BALANCE_KINDS; kind++) inside.weights[kind] = p.weights[kind];
    if (parts > 1) HG_TRY(hg_partition_level(&p.graph, parts, &inside, p.part_of));
    for (hg_lid l = 0; l < p.graph.nodes.n; l++) part_of[p.nodes[l]] = h * parts + p.part_of[l];
    piece_free(&p);
  }
done:
  hg_free(&local);
  hg_free(&host_of);
  piece_free(&p);
  return rc;
}
