#include <string.h>

#include "core/base/alloc.h"
#include "partition/reorder.h"

enum { SAMPLE_EDGES = 16000000, STRETCHES = 64 };

// Rows in the cache as a ring through the head n, the latest after it and the one to drop before it.
typedef struct {
  hg_lid n, held;
  hg_lid *next, *previous; ///< [n + 1]; next[j] < 0: j is not in the cache
  int32_t *met;            ///< [n] 1 + the last part that needed the row
} cache;

static void cache_free(cache *c)
{
  hg_free(&c->next);
  hg_free(&c->previous);
  hg_free(&c->met);
}

static void cache_empty(cache *c)
{
  for (hg_lid j = c->next[c->n]; j != c->n;) {
    hg_lid after = c->next[j];
    c->next[j] = -1;
    j = after;
  }
  c->next[c->n] = c->previous[c->n] = c->n;
  c->held = 0;
}

static hg_status cache_init(cache *c, hg_lid n)
{
  hg_status rc = HG_OK;
  *c = (cache){.n = n};
  HG_TRY(HG_ALLOC(c->next, (hg_off)n + 1, "cached rows"));
  HG_TRY(HG_ALLOC(c->previous, (hg_off)n + 1, "cached rows"));
  HG_TRY(HG_ALLOC(c->met, n, "rows that were met"));
  for (hg_lid j = 0; j < n; j++) c->next[j] = -1;
  c->next[n] = n;
  cache_empty(c);
done:
  if (rc != HG_OK) cache_free(c);
  return rc;
}

static void unlink_row(cache *c, hg_lid j)
{
  c->next[c->previous[j]] = c->next[j];
  c->previous[c->next[j]] = c->previous[j];
  c->next[j] = -1;
}

static void need_row(cache *c, hg_lid j, int32_t part, hg_fetches *f)
{
  if (c->next[j] >= 0) {
    unlink_row(c, j);
  } else {
    f->fetched++;
    f->compulsory += c->met[j] != part + 1;
    c->met[j] = part + 1;
    if (c->held == HG_CACHE_ROWS)
      unlink_row(c, c->previous[c->n]);
    else
      c->held++;
  }
  c->next[j] = c->next[c->n];
  c->previous[j] = c->n;
  c->previous[c->next[j]] = j;
  c->next[c->n] = j;
}

hg_status hg_fetches_count(const hg_graph *graph, const int32_t *part_of, const hg_lid *order, hg_fetches *fetches)
{
  hg_status rc = HG_OK;
  const hg_csr *a = &graph->adjacency;
  hg_lid n = (hg_lid)graph->nodes.n;
  hg_off m = hg_csr_entries(a), seen = 0;
  cache c = {0};
  double share = m > SAMPLE_EDGES ? (double)SAMPLE_EDGES / (double)m : 1;
  *fetches = (hg_fetches){0};
  HG_TRY(cache_init(&c, n));
  int32_t part = -1;
  for (int s = 0; s < STRETCHES; s++) {
    hg_lid begin = (hg_lid)((hg_off)n * s / STRETCHES), end = (hg_lid)((hg_off)n * (s + 1) / STRETCHES);
    hg_lid stop = share < 1 ? begin + (hg_lid)(share * (end - begin)) : end;
    for (hg_lid row = begin; row < stop; row++) {
      hg_lid i = order[row];
      if (part_of[i] != part) cache_empty(&c);
      part = part_of[i];
      for (hg_off e = a->indptr[i]; e < a->indptr[i + 1]; e++) need_row(&c, a->indices[e], part, fetches);
      seen += a->indptr[i + 1] - a->indptr[i];
    }
  }
  if (share < 1 && seen > 0) {
    double up = (double)m / (double)seen;
    fetches->fetched = (hg_off)(up * (double)fetches->fetched);
    fetches->compulsory = (hg_off)(up * (double)fetches->compulsory);
  }
done:
  cache_free(&c);
  return rc;
}
