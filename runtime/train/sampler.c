#include "runtime/train/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

hg_status hg_batch_list_create(hg_batch_list *list, hg_off n, hg_off batch_size, hg_sharing sharing)
{
  hg_status rc = HG_OK;
  *list = (hg_batch_list){.sharing = sharing, .n = n, .batch_size = batch_size};
  list->n_batches = (n + batch_size - 1) / batch_size;
  HG_TRY(HG_ALLOC(list->graphs, n, "graphs of batches"));
  HG_TRY(HG_ALLOC(list->mine, n, "graphs of batches"));
  HG_TRY(HG_ALLOC(list->offsets, list->n_batches + 1, "batches"));
  HG_TRY(HG_ALLOC(list->sorted, n < batch_size ? n : batch_size, "a batch by work"));
  HG_TRY(HG_ALLOC(list->load, sharing.ranks, "work of ranks"));
done:
  if (rc != HG_OK) hg_batch_list_free(list);
  return rc;
}

void hg_batch_list_free(hg_batch_list *list)
{
  hg_free(&list->graphs);
  hg_free(&list->mine);
  hg_free(&list->offsets);
  hg_free(&list->sorted);
  hg_free(&list->load);
}

size_t hg_batch_list_bytes(hg_off n, hg_off batch_size, int ranks)
{
  hg_off numbers = 2 * n + (n + batch_size - 1) / batch_size + 1 + ranks;
  return (size_t)numbers * sizeof(hg_off) + (size_t)(n < batch_size ? n : batch_size) * sizeof(hg_costed_graph);
}

hg_off hg_batch_list_size(const hg_batch_list *list, hg_off b)
{
  hg_off left = list->n - b * list->batch_size;
  return left < list->batch_size ? left : list->batch_size;
}

static void shuffle(hg_off *numbers, hg_off n, uint64_t seed, int epoch)
{
  const hg_rng rng = {.seed = seed, .stream = HG_STREAM_SHUFFLE | (uint32_t)epoch << 8};
  for (hg_off k = n - 1; k > 0; k--) {
    hg_off other = (hg_off)hg_rng_below(rng, (uint64_t)k, 0, (uint64_t)k + 1), number = numbers[k];
    numbers[k] = numbers[other];
    numbers[other] = number;
  }
}

// most work first, lowest number among equals
static int by_work(const void *a, const void *b)
{
  const hg_costed_graph *x = a, *y = b;
  if (x->work != y->work) return x->work < y->work ? 1 : -1;
  return (x->graph > y->graph) - (x->graph < y->graph);
}

static int ascending(const void *a, const void *b)
{
  hg_off x = *(const hg_off *)a, y = *(const hg_off *)b;
  return (x > y) - (x < y);
}

static int least_loaded(const hg_off *load, int ranks)
{
  int least = 0;
  for (int r = 1; r < ranks; r++)
    if (load[r] < load[least]) least = r;
  return least;
}

// this rank's graphs of the batch that starts at graphs[first]; returns how many
static hg_off share(hg_batch_list *l, hg_off first, hg_off n, hg_off *mine)
{
  const hg_sharing *s = &l->sharing;
  hg_off taken = 0;
  memset(l->load, 0, (size_t)s->ranks * sizeof *l->load);
  for (hg_off k = 0; k < n; k++) l->sorted[k] = (hg_costed_graph){s->work[l->graphs[first + k]], l->graphs[first + k]};
  qsort(l->sorted, (size_t)n, sizeof *l->sorted, by_work);
  for (hg_off k = 0; k < n; k++) {
    int rank = least_loaded(l->load, s->ranks);
    l->load[rank] += l->sorted[k].work;
    if (rank == s->rank) mine[taken++] = l->sorted[k].graph;
  }
  qsort(mine, (size_t)taken, sizeof *mine, ascending);
  return taken;
}

void hg_batch_list_shuffle(hg_batch_list *list, const hg_off *graphs, uint64_t seed, int epoch)
{
  memcpy(list->graphs, graphs, (size_t)list->n * sizeof *graphs);
  shuffle(list->graphs, list->n, seed, epoch);
  for (hg_off b = 0; b < list->n_batches; b++) {
    hg_off first = list->offsets[b];
    list->offsets[b + 1] = first + share(list, b * list->batch_size, hg_batch_list_size(list, b), list->mine + first);
  }
}

void hg_batch_list_own(hg_batch_list *list, const hg_off *graphs, hg_off n)
{
  list->n = n;
  list->n_batches = (n + list->batch_size - 1) / list->batch_size;
  memcpy(list->graphs, graphs, (size_t)n * sizeof *graphs);
  memcpy(list->mine, graphs, (size_t)n * sizeof *graphs);
  for (hg_off b = 0; b < list->n_batches; b++) list->offsets[b + 1] = list->offsets[b] + hg_batch_list_size(list, b);
}

void hg_share_stretch(hg_sharing sharing, const hg_off *graphs, hg_off n, hg_off *first, hg_off *end)
{
  double all = 0, before = 0;
  for (hg_off k = 0; k < n; k++) all += (double)sharing.work[graphs[k]];
  *first = *end = n;
  for (hg_off k = 0; k < n; k++) { // a graph belongs to the rank in whose stretch its middle lies
    double middle = before + (double)sharing.work[graphs[k]] / 2;
    int rank = (int)(middle * sharing.ranks / all);
    before += (double)sharing.work[graphs[k]];
    if (rank >= sharing.rank && *first == n) *first = k;
    if (rank > sharing.rank && *end == n) *end = k;
  }
}
