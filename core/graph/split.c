#include "core/graph/split.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

typedef struct {
  uint64_t key; // drawn from the original id: the order does not depend on how the nodes are numbered
  int64_t original_id;
  hg_lid node;
} ticket;

static int by_key(const void *a, const void *b)
{
  const ticket *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  return (x->original_id > y->original_id) - (x->original_id < y->original_id);
}

// Something has to be known of it; not all of several targets.
static bool is_labelled(const hg_nodes *nodes, hg_off i)
{
  if (!nodes->targets) return hg_nodes_labelled(nodes, i);
  for (int k = 0; k < nodes->n_classes; k++)
    if (!isnan(nodes->targets[i * nodes->n_classes + k])) return true;
  return false;
}

// All labelled nodes in the order of the draw.
static hg_status draw(const hg_nodes *nodes, uint64_t seed, ticket **tickets, hg_off *count)
{
  const hg_rng rng = {.seed = seed, .stream = HG_STREAM_SPLIT};
  hg_status rc = HG_ALLOC(*tickets, nodes->n, "a draw of nodes");
  if (rc != HG_OK) return rc;
  *count = 0;
  for (hg_off i = 0; i < nodes->n; i++) {
    if (!is_labelled(nodes, i)) continue;
    uint32_t w[4];
    hg_rng_words(rng, (uint64_t)nodes->original_ids[i], 0, w);
    (*tickets)[(*count)++] = (ticket){(uint64_t)w[0] << 32 | w[1], nodes->original_ids[i], (hg_lid)i};
  }
  qsort(*tickets, (size_t)*count, sizeof **tickets, by_key);
  return HG_OK;
}

// Takes the first nodes of each class that are in no split yet; gives the rest of the order back in place.
static hg_off take_per_class(uint8_t *split, const hg_nodes *nodes, ticket *order, hg_off n, hg_off per_class,
                             hg_split as, hg_off *taken)
{
  hg_off left = 0;
  for (int c = 0; c < nodes->n_classes; c++) taken[c] = 0;
  for (hg_off k = 0; k < n; k++) {
    hg_lid i = order[k].node;
    if (taken[nodes->labels[i]] < per_class) {
      taken[nodes->labels[i]]++;
      split[i] = (uint8_t)as;
    } else {
      order[left++] = order[k];
    }
  }
  return left;
}

static void mark(uint8_t *split, const ticket *order, hg_off first, hg_off end, hg_split as)
{
  for (hg_off k = first; k < end; k++) split[order[k].node] = (uint8_t)as;
}

hg_status hg_split_planetoid(hg_nodes *nodes, const hg_split_options *o)
{
  hg_status rc = HG_OK;
  uint8_t *split = NULL;
  ticket *order = NULL;
  hg_off *taken = NULL, n;
  if (nodes->task != HG_TASK_CLASSES)
    HG_TRY(hg_fail(HG_ERR_INPUT,
                   "a planetoid split needs class labels, and there are none; random works for other tasks"));
  if (o->train_per_class < 1 || o->val_per_class < 0 || o->n_val < 0 || o->n_test < 0)
    HG_TRY(hg_fail(HG_ERR_INPUT, "split: found negative numbers, or nothing to train on"));
  HG_TRY(draw(nodes, o->seed, &order, &n));
  HG_TRY(HG_ALLOC(taken, nodes->n_classes, "classes"));
  HG_TRY(HG_ALLOC(split, nodes->n, "split"));
  n = take_per_class(split, nodes, order, n, o->train_per_class, HG_SPLIT_TRAIN, taken);
  if (o->n_val == 0) n = take_per_class(split, nodes, order, n, o->val_per_class, HG_SPLIT_VAL, taken);
  if (o->n_val > n || o->n_test > n - o->n_val)
    HG_TRY(hg_fail(HG_ERR_INPUT,
                   "split: found %" PRId64 " left after the training set, expected %" PRId64 " for val and test", n,
                   o->n_val + o->n_test));
  mark(split, order, 0, o->n_val, HG_SPLIT_VAL);
  mark(split, order, o->n_val, o->n_test > 0 ? o->n_val + o->n_test : n, HG_SPLIT_TEST);
  hg_free(&nodes->split);
  nodes->split = split;
  split = NULL;
done:
  hg_free(&split);
  hg_free(&taken);
  hg_free(&order);
  return rc;
}

hg_status hg_split_random(hg_nodes *nodes, const hg_split_options *o)
{
  hg_status rc = HG_OK;
  uint8_t *split = NULL;
  ticket *order = NULL;
  hg_off n;
  if (nodes->task == HG_TASK_NONE)
    HG_TRY(hg_fail(HG_ERR_INPUT, "a random split needs labels or targets, and there are none"));
  if (!(o->train_fraction > 0 && o->val_fraction >= 0 && o->train_fraction + o->val_fraction <= 1))
    HG_TRY(hg_fail(HG_ERR_INPUT, "split: found fractions %g for train and %g for val, expected a sum of at most 1",
                   o->train_fraction, o->val_fraction));
  HG_TRY(draw(nodes, o->seed, &order, &n));
  HG_TRY(HG_ALLOC(split, nodes->n, "split"));
  hg_off train = (hg_off)((double)n * o->train_fraction + 0.5), val = (hg_off)((double)n * o->val_fraction + 0.5);
  if (val > n - train) val = n - train;
  mark(split, order, 0, train, HG_SPLIT_TRAIN);
  mark(split, order, train, train + val, HG_SPLIT_VAL);
  mark(split, order, train + val, n, HG_SPLIT_TEST);
  hg_free(&nodes->split);
  nodes->split = split;
  split = NULL;
done:
  hg_free(&split);
  hg_free(&order);
  return rc;
}
