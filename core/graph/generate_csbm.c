#include <math.h>

#include "core/base/alloc.h"
#include "core/graph/generate.h"

// Classes and their members, from which each edge is drawn in a few steps whatever their sizes.
typedef struct {
  const hg_generate_options *options;
  const int32_t *labels;
  hg_lid *members; ///< [n] nodes class by class
  hg_off *starts;  ///< [classes + 1] into members
  int n_used;      ///< classes that have members
} blocks;

static void blocks_free(blocks *b)
{
  hg_free(&b->members);
  hg_free(&b->starts);
}

static hg_status blocks_init(blocks *b, const hg_generate_options *options, const int32_t *labels)
{
  hg_status rc = HG_OK;
  int classes = options->classes > 0 ? options->classes : 1;
  hg_off *next = NULL;
  *b = (blocks){.options = options, .labels = labels};
  HG_TRY(HG_ALLOC(b->starts, classes + 1, "sizes of classes"));
  HG_TRY(HG_ALLOC(b->members, options->nodes, "members of classes"));
  HG_TRY(HG_ALLOC(next, classes, "class cursors"));
  for (hg_off i = 0; i < options->nodes; i++) b->starts[(labels ? labels[i] : 0) + 1]++;
  for (int c = 0; c < classes; c++) {
    b->n_used += b->starts[c + 1] > 0;
    b->starts[c + 1] += b->starts[c];
    next[c] = b->starts[c];
  }
  for (hg_off i = 0; i < options->nodes; i++) b->members[next[labels ? labels[i] : 0]++] = (hg_lid)i;
done:
  hg_free(&next);
  return rc;
}

// In (0, 1), so that a power of it is no rank beyond the last.
static double unit(uint32_t high, uint32_t low)
{
  return ((double)((((uint64_t)high << 32) | low) >> 12) + 0.5) * 0x1p-52;
}

/*
 * A member of class c. Density r^(-alpha) over ranks has the distribution function r^(1 - alpha), so rank = size
 * u^(1 / (1 - alpha)): degrees then follow a power law of exponent 1 + 1 / alpha.
 */
static hg_lid pick_member(const blocks *b, int c, double u)
{
  hg_off size = b->starts[c + 1] - b->starts[c];
  double alpha = b->options->power > 0 ? 1 / (b->options->power - 1) : 0;
  hg_off rank = (hg_off)((double)size * (alpha > 0 ? pow(u, 1 / (1 - alpha)) : u));
  return b->members[b->starts[c] + (rank < size ? rank : size - 1)];
}

static int class_of(const blocks *b, double u)
{
  hg_off i = (hg_off)(u * (double)b->options->nodes);
  return b->labels ? b->labels[i < b->options->nodes ? i : b->options->nodes - 1] : 0;
}

// Edge e: a class by size and a member of it; the other end in the same class or in another one, also by size.
static hg_status draw_edges(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const blocks *b = source;
  const hg_generate_options *o = b->options;
  hg_rng rng = hg_generate_rng(o->seed);
  uint64_t edges = (uint64_t)(o->degree * (double)o->nodes / 2);
  for (uint64_t e = 0; e < edges; e++) {
    uint32_t w[4], v[4];
    uint64_t counter = hg_draw_counter(HG_DRAW_EDGE, e);
    hg_rng_words(rng, counter, 0, w);
    hg_rng_words(rng, counter, 1, v);
    int c = class_of(b, hg_rng_uniform(rng, counter, 2)), other = c;
    bool leave = b->n_used > 1 && unit(w[0], w[1]) >= o->homophily;
    for (uint32_t again = 3; leave && other == c; again++) other = class_of(b, hg_rng_uniform(rng, counter, again));
    hg_lid from = pick_member(b, c, unit(v[0], v[1])), to = pick_member(b, other, unit(v[2], v[3]));
    hg_status rc = edge(context, from, to);
    if (rc != HG_OK) return rc;
  }
  return HG_OK;
}

hg_status hg_generate_csbm(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts)
{
  hg_status rc = HG_OK;
  hg_rng rng = hg_generate_rng(options->seed);
  hg_nodes *nodes = &graph->nodes;
  blocks b = {0};
  if (options->classes > 0) HG_TRY(HG_ALLOC(nodes->labels, nodes->n, "labels"));
  for (hg_off i = 0; nodes->labels && i < nodes->n; i++)
    nodes->labels[i] =
        (int32_t)hg_rng_below(rng, hg_draw_counter(HG_DRAW_LABEL, (uint64_t)i), 0, (uint64_t)options->classes);
  HG_TRY(blocks_init(&b, options, nodes->labels));
  HG_TRY(hg_csr_build(&graph->adjacency, nodes->n, draw_edges, &b, true, counts));
done:
  blocks_free(&b);
  return rc;
}
