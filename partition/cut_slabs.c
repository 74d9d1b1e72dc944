#include "partition/cut_slabs.h"

#include <inttypes.h>
#include <string.h>

#include "core/base/alloc.h"
#include "partition/groups.h"

hg_status hg_slabs_check(const hg_graph *graph, int k, int slabs)
{
  hg_off n = graph->nodes.n;
  if (slabs < 1 || k % slabs != 0)
    return hg_fail(HG_ERR_INPUT, "%d parts asked for in slabs of %d, expected a number that divides them", k, slabs);
  if (slabs > 1 && k > n)
    return hg_fail(HG_ERR_INPUT, "%d parts asked for, but the graph has only %" PRId64 " node%s", k, n,
                   n == 1 ? "" : "s");
  return HG_OK;
}

// shares[i] becomes what node i adds to its part: all nodes of a part together 1 of each kind that it has
static hg_status weigh(const hg_graph *graph, int parts, int balance, const int32_t *part_of, double *shares)
{
  hg_status rc = HG_OK;
  hg_lid n = (hg_lid)graph->nodes.n;
  hg_off *total = NULL;
  int bits = balance & (HG_BALANCE_NODES | HG_BALANCE_EDGES | HG_BALANCE_LABELS);
  HG_TRY(HG_ALLOC(total, parts, "weights of parts"));
  for (int bit = HG_BALANCE_NODES; bit <= HG_BALANCE_LABELS; bit <<= 1) {
    if (!((bits ? bits : HG_BALANCE_NODES) & bit)) continue;
    memset(total, 0, (size_t)parts * sizeof *total);
    for (hg_lid i = 0; i < n; i++) total[part_of[i]] += hg_balance_weight(graph, NULL, bit, i);
    for (hg_lid i = 0; i < n; i++) {
      hg_off all = total[part_of[i]];
      if (all > 0) shares[i] += (double)hg_balance_weight(graph, NULL, bit, i) / (double)all;
    }
  }
done:
  hg_free(&total);
  return rc;
}

// A node is in the slab in which its middle lies.
static hg_status cut(const hg_graph *graph, int parts, int slabs, const double *shares, int32_t *part_of,
                     const hg_lid *sequence)
{
  hg_status rc = HG_OK;
  hg_lid n = (hg_lid)graph->nodes.n;
  double *all = NULL, *before = NULL;
  HG_TRY(HG_ALLOC(all, parts, "weights of parts"));
  HG_TRY(HG_ALLOC(before, parts, "weights of parts"));
  for (hg_lid i = 0; i < n; i++) all[part_of[i]] += shares[i];
  for (hg_lid k = 0; k < n; k++) {
    hg_lid i = sequence[k];
    int p = part_of[i];
    int slab = all[p] > 0 ? (int)((before[p] + shares[i] / 2) / all[p] * slabs) : 0;
    before[p] += shares[i];
    part_of[i] = p * slabs + (slab < slabs ? slab : slabs - 1);
  }
done:
  hg_free(&all);
  hg_free(&before);
  return rc;
}

hg_status hg_slabs_cut(const hg_graph *graph, int parts, int slabs, int balance, int32_t *part_of, hg_lid *sequence)
{
  hg_status rc = HG_OK;
  hg_lid n = (hg_lid)graph->nodes.n, *ordered = NULL;
  int32_t *outer = NULL;
  hg_off start[3];
  double *shares = NULL;
  HG_TRY(HG_ALLOC(ordered, n, "order of the nodes"));
  HG_TRY(HG_ALLOC(outer, n, "node groups"));
  HG_TRY(HG_ALLOC(shares, n, "shares of nodes"));
  hg_groups_find(graph, part_of, outer);
  for (hg_lid i = 0; i < n; i++) outer[i] %= 2; // has a neighbour in another part
  HG_TRY(weigh(graph, parts, balance, part_of, shares));
  HG_TRY(cut(graph, parts, slabs, shares, part_of, sequence));
  hg_groups_sort(n, 2, outer, sequence, ordered, start);
  memcpy(sequence, ordered, (size_t)n * sizeof *sequence);
done:
  hg_free(&ordered);
  hg_free(&outer);
  hg_free(&shares);
  return rc;
}
