#include "core/base/alloc.h"
#include "core/graph/generate.h"

// Thresholds of a 32-bit draw for the quadrants a, a + b, a + b + c.
typedef struct {
  const hg_generate_options *options;
  int levels;
  uint32_t limits[3];
} recursion;

static uint32_t threshold(double chance)
{
  double scaled = chance * 0x1p32;
  return scaled >= 0x1p32 - 1 ? UINT32_MAX : (uint32_t)scaled;
}

// One try at an edge: each level takes a bit of both ends from a 32-bit word; four levels come from one draw.
static void draw_pair(const recursion *r, hg_rng rng, uint64_t counter, uint32_t attempt, hg_gid *from, hg_gid *to)
{
  uint32_t w[4];
  *from = *to = 0;
  for (int level = 0; level < r->levels; level++) {
    if (level % 4 == 0) hg_rng_words(rng, counter, attempt * 8 + (uint32_t)level / 4, w);
    uint32_t word = w[level % 4];
    int quadrant = (word >= r->limits[0]) + (word >= r->limits[1]) + (word >= r->limits[2]);
    *from = *from << 1 | (quadrant >> 1);
    *to = *to << 1 | (quadrant & 1);
  }
}

static hg_status draw_edges(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  enum { MOST_ATTEMPTS = 1000 }; // far beyond need: at least a quarter of the draws exists unless a and d are 0
  const recursion *r = source;
  const hg_generate_options *o = r->options;
  hg_rng rng = hg_generate_rng(o->seed);
  uint64_t edges = (uint64_t)(o->degree * (double)o->nodes / 2);
  for (uint64_t e = 0; e < edges; e++) {
    hg_gid from, to;
    uint32_t attempt = 0;
    do draw_pair(r, rng, hg_draw_counter(HG_DRAW_EDGE, e), attempt++, &from, &to);
    while ((from >= o->nodes || to >= o->nodes) && attempt < MOST_ATTEMPTS);
    if (attempt == MOST_ATTEMPTS)
      return hg_fail(HG_ERR_INPUT, "--a, --b and --c leave no edges among the first %lld nodes", (long long)o->nodes);
    hg_status rc = edge(context, from, to);
    if (rc != HG_OK) return rc;
  }
  return HG_OK;
}

hg_status hg_generate_rmat(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts)
{
  hg_status rc = HG_OK;
  hg_nodes *nodes = &graph->nodes;
  recursion r = {.options = options};
  while (((hg_off)1 << r.levels) < nodes->n) r.levels++;
  r.limits[0] = threshold(options->a);
  r.limits[1] = threshold(options->a + options->b);
  r.limits[2] = threshold(options->a + options->b + options->c);
  if (options->classes > 0) HG_TRY(HG_ALLOC(nodes->labels, nodes->n, "labels"));
  for (hg_off i = 0; nodes->labels && i < nodes->n; i++) nodes->labels[i] = (int32_t)(i * options->classes / nodes->n);
  HG_TRY(hg_csr_build(&graph->adjacency, nodes->n, draw_edges, &r, true, counts));
done:
  return rc;
}
