#include "partition/reorder.h"

#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/suggest.h"
#include "partition/groups.h"

const hg_order hg_orders[] = {
    [HG_ORDER_AUTO] = {"auto", "cluster, rcm or none, whichever fetches least; none unless a fifth is saved", NULL},
    [HG_ORDER_CLUSTER] = {"cluster", "communities of communities (modularity)", hg_order_cluster},
    [HG_ORDER_METIS] = {"metis", "METIS blocks of about 1,000 nodes by recursive bisection", hg_order_metis},
    [HG_ORDER_RCM] = {"rcm", "reverse Cuthill-McKee", hg_order_rcm},
    [HG_ORDER_DEGREE] = {"degree", "many neighbours first", hg_order_degree},
    [HG_ORDER_NONE] = {"none", "as in the file", hg_order_none},
    [HG_ORDER_KINDS] = {0},
};

hg_status hg_order_find(const char *name, hg_order_kind *kind)
{
  const char *names[HG_ORDER_KINDS + 1] = {0};
  char list[128] = "";
  for (int o = 0; o < HG_ORDER_KINDS; o++) {
    names[o] = hg_orders[o].name;
    *kind = (hg_order_kind)o;
    if (strcmp(name, names[o]) == 0) return HG_OK;
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", o ? ", " : "", names[o]);
  }
  const char *near = hg_suggest(name, names);
  return hg_fail(HG_ERR_INPUT, "found '%s', expected one of %s%s%s%s", name, list, near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
}

static const double WORTH = 0.8;      // the share of file order's fetches that another order may have left
static const double WORTH_MORE = 0.9; // rcm, of what cluster has left: at equal counts cluster's SpMM is faster

// What an order is tried with.
typedef struct {
  const hg_graph *graph;
  const int32_t *part_of;
  int k;
  int32_t *group;  ///< [n]
  hg_off *start;   ///< [2 k + 1]
  hg_lid *grouped; ///< [n]
} trial;

static hg_status count(const trial *t, const hg_lid *order, hg_fetches *fetches)
{
  hg_groups_sort((hg_lid)t->graph->nodes.n, 2 * (hg_off)t->k, t->group, order, t->grouped, t->start);
  return hg_fetches_count(t->graph, t->part_of, t->grouped, fetches);
}

static hg_status choose(const trial *t, hg_lid *order, hg_reordered *result, const hg_fetches *file)
{
  static const hg_order_kind kinds[] = {HG_ORDER_CLUSTER, HG_ORDER_RCM};
  hg_status rc = HG_OK;
  hg_lid *other = NULL;
  hg_off n = t->graph->nodes.n;
  double allowed = WORTH * (double)file->fetched;
  if ((double)file->compulsory > allowed) return HG_OK; // no order can save enough
  HG_TRY(HG_ALLOC(other, n, "order that is tried"));
  for (size_t o = 0; o < sizeof kinds / sizeof *kinds; o++) {
    hg_fetches found;
    HG_TRY(hg_orders[kinds[o]].run(t->graph, other));
    HG_TRY(count(t, other, &found));
    if ((double)found.fetched > allowed) continue;
    memcpy(order, other, (size_t)n * sizeof *order);
    result->order = kinds[o];
    result->fetches_after = found.fetched;
    allowed = WORTH_MORE * (double)found.fetched;
  }
done:
  hg_free(&other);
  return rc;
}

hg_status hg_reorder(const hg_graph *graph, int k, const int32_t *part_of, hg_order_kind kind, hg_lid *order,
                     hg_reordered *result)
{
  hg_status rc = HG_OK;
  hg_off n = graph->nodes.n;
  hg_fetches file, found;
  trial t = {graph, part_of, k, NULL, NULL, NULL};
  HG_TRY(HG_ALLOC(t.group, n, "node groups"));
  HG_TRY(HG_ALLOC(t.start, 2 * (hg_off)k + 1, "group starts"));
  HG_TRY(HG_ALLOC(t.grouped, n, "order of the nodes"));
  hg_groups_find(graph, part_of, t.group);
  HG_TRY(hg_order_none(graph, order));
  HG_TRY(count(&t, order, &file));
  *result = (hg_reordered){HG_ORDER_NONE, file.fetched, file.fetched};
  if (kind == HG_ORDER_AUTO) {
    HG_TRY(choose(&t, order, result, &file));
  } else if (kind != HG_ORDER_NONE) {
    HG_TRY(hg_orders[kind].run(graph, order));
    HG_TRY(count(&t, order, &found));
    result->order = kind;
    result->fetches_after = found.fetched;
  }
done:
  hg_free(&t.group);
  hg_free(&t.start);
  hg_free(&t.grouped);
  return rc;
}
