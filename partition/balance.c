#include "partition/balance.h"

#include <math.h>

#include "core/base/alloc.h"

// the weights of one kind; a single node must fit on top of the mean
static void weigh(hg_balance *b, int c, int k, double imbalance, const int32_t *part_of)
{
  hg_off total = 0, granule = 0;
  for (hg_lid i = 0; i < b->graph->nodes.n; i++) {
    hg_off w = hg_balance_weight(b->graph, b->options, 1 << b->kinds[c], i);
    if (part_of) b->weight[c][part_of[i]] += w;
    total += w;
    if (w > granule) granule = w;
  }
  double mean = (double)total / k;
  b->allowed[c] = (hg_off)fmax(imbalance * mean, mean + (double)granule);
}

hg_status hg_balance_create(hg_balance *b, const hg_graph *graph, int k, const hg_partition_options *options,
                            const int32_t *part_of)
{
  hg_status rc = HG_OK;
  int balance = options->balance ? options->balance : HG_BALANCE_NODES;
  *b = (hg_balance){.graph = graph, .options = options};
  HG_TRY(HG_ALLOC(b->nodes, k, "nodes of parts"));
  for (hg_off i = 0; i < graph->nodes.n && part_of; i++) b->nodes[part_of[i]]++;
  for (int c = 0; c < HG_BALANCE_KINDS; c++) {
    if (!(balance & 1 << c)) continue;
    b->kinds[b->n_bits] = c;
    HG_TRY(HG_ALLOC(b->weight[b->n_bits], k, "weights of parts"));
    weigh(b, b->n_bits++, k, options->imbalance, part_of);
  }
done:
  if (rc != HG_OK) hg_balance_free(b);
  return rc;
}

void hg_balance_free(hg_balance *b)
{
  for (int c = 0; c < HG_BALANCE_KINDS; c++) hg_free(&b->weight[c]);
  hg_free(&b->nodes);
}

bool hg_balance_allows(const hg_balance *b, hg_lid i, int from, int to)
{
  if (from >= 0 && b->nodes[from] < 2) return false;
  for (int c = 0; c < b->n_bits; c++) {
    hg_off w = hg_balance_weight(b->graph, b->options, 1 << b->kinds[c], i);
    if (w > 0 && b->weight[c][to] + w > b->allowed[c]) return false;
  }
  return true;
}

void hg_balance_move(hg_balance *b, hg_lid i, int from, int to)
{
  if (from >= 0) b->nodes[from]--;
  if (to >= 0) b->nodes[to]++;
  for (int c = 0; c < b->n_bits; c++) {
    hg_off w = hg_balance_weight(b->graph, b->options, 1 << b->kinds[c], i);
    if (from >= 0) b->weight[c][from] -= w;
    if (to >= 0) b->weight[c][to] += w;
  }
}

double hg_balance_load(const hg_balance *b, int part)
{
  double load = 0;
  for (int c = 0; c < b->n_bits; c++)
    if (b->allowed[c] > 0) load = fmax(load, (double)b->weight[c][part] / (double)b->allowed[c]);
  return load;
}
