#include "core/graph/generate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/suggest.h"
#include "core/base/threads.h"
#include "core/graph/split.h"

const hg_generator hg_generators[] = {
    {"csbm", "stochastic block model: communities with features", hg_generate_csbm},
    {"rmat", "recursive matrix: skewed degrees, as in web and social graphs", hg_generate_rmat},
    {"geometric", "random points, joined when near", hg_generate_geometric},
    {"grid", "cells of a square or cube", hg_generate_grid},
    {0},
};

hg_generate_options hg_generate_options_default(void)
{
  return (hg_generate_options){.nodes = 10000,
                               .degree = 10,
                               .classes = 8,
                               .features = 32,
                               .signal = 0.3,
                               .train = 0.5,
                               .val = 0.25,
                               .seed = 1,
                               .homophily = 0.8,
                               .a = 0.57,
                               .b = 0.19,
                               .c = 0.19,
                               .dims = 2};
}

static hg_status check_range(const char *option, double value, double low, double high)
{
  if (value >= low && value <= high) return HG_OK; // false for NaN
  return hg_fail(HG_ERR_INPUT, "--%s is %.10g, expected %.10g to %.10g", option, value, low, high);
}

static hg_status check_options(const hg_generate_options *o)
{
  hg_status rc = HG_OK;
  HG_TRY(check_range("nodes", (double)o->nodes, 1, INT32_MAX));
  HG_TRY(check_range("degree", o->degree, 0, (double)o->nodes));
  HG_TRY(check_range("classes", o->classes, 0, (double)o->nodes));
  HG_TRY(check_range("features", o->features, 0, 1 << 24));
  HG_TRY(check_range("signal", o->signal, 0, 1e6));
  HG_TRY(check_range("train", o->train, 0, 1));
  HG_TRY(check_range("val", o->val, 0, 1));
  HG_TRY(check_range("homophily", o->homophily, 0, 1));
  HG_TRY(check_range("a", o->a, 0, 1));
  HG_TRY(check_range("b", o->b, 0, 1));
  HG_TRY(check_range("c", o->c, 0, 1));
  HG_TRY(check_range("dims", o->dims, 1, 3));
  HG_TRY(check_range("radius", o->radius, 0, 1));
  if (o->power != 0) HG_TRY(check_range("power", o->power, 2.01, 100));
  if (o->train + o->val > 1 + 1e-9)
    rc = hg_fail(HG_ERR_INPUT, "--train and --val are %g together, expected at most 1", o->train + o->val);
  else if (o->a + o->b + o->c > 1 + 1e-9)
    rc = hg_fail(HG_ERR_INPUT, "--a, --b and --c are %g together, expected at most 1", o->a + o->b + o->c);
done:
  return rc;
}

// The result's own memory, before hours are spent on it; each array alone may fit where all of them do not.
static hg_status check_memory(const hg_generate_options *o, bool has_degree)
{
  double a_node = sizeof(hg_off) + sizeof(hg_gid) + sizeof(float) * (double)o->features;
  if (has_degree) a_node += sizeof(hg_lid) * o->degree;
  double bytes = a_node * (double)o->nodes, machine = (double)hg_physical_bytes(), gib = 1024.0 * 1024.0 * 1024.0;
  if (bytes <= machine) return HG_OK;
  return hg_fail(HG_ERR_MEMORY, "%lld nodes of degree %g with %d features need %.4g GiB, the machine has %.4g",
                 (long long)o->nodes, o->degree, o->features, bytes / gib, machine / gib);
}

// features = signal x class mean + noise; where there are no classes, noise
static hg_status make_features(const hg_generate_options *o, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  hg_rng rng = hg_generate_rng(o->seed);
  float *means = NULL;
  int width = o->features;
  nodes->features.width = width;
  if (width == 0) return HG_OK;
  HG_TRY(HG_ALLOC(means, (hg_off)o->classes * width, "class means"));
  HG_TRY(HG_ALLOC(nodes->features.dense, nodes->n * width, "features"));
  for (int e = 0; e < o->classes * width; e++)
    means[e] = (float)(o->signal * hg_rng_normal(rng, hg_draw_counter(HG_DRAW_MEAN, (uint64_t)e), 0));
#pragma omp parallel for schedule(static) num_threads(hg_threads())
  for (hg_off i = 0; i < nodes->n; i++) {
    const float *mean = nodes->labels ? means + (hg_off)nodes->labels[i] * width : NULL;
    float *row = nodes->features.dense + i * width;
    for (int k = 0; k < width; k++) {
      double noise = hg_rng_normal(rng, hg_draw_counter(HG_DRAW_NOISE, (uint64_t)i), (uint32_t)k);
      row[k] = (float)noise + (mean ? mean[k] : 0);
    }
  }
done:
  hg_free(&means);
  return rc;
}

static hg_status make_split(const hg_generate_options *o, hg_nodes *nodes)
{
  hg_split_options split = hg_split_default();
  if (o->train <= 0 || !nodes->labels) return HG_OK;
  split.seed = o->seed;
  split.train_fraction = o->train;
  split.val_fraction = o->val;
  return hg_split_random(nodes, &split);
}

static hg_status find_kind(const char *name, const hg_generator **kind)
{
  const char *names[sizeof hg_generators / sizeof *hg_generators] = {NULL};
  char list[256] = "";
  for (size_t k = 0; hg_generators[k].name; k++) {
    names[k] = hg_generators[k].name;
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", k == 0 ? "" : ", ", names[k]);
    if (strcmp(name, names[k]) != 0) continue;
    *kind = &hg_generators[k];
    return HG_OK;
  }
  const char *near = hg_suggest(name, names);
  return hg_fail(HG_ERR_INPUT, "unknown kind of graph '%s', expected one of %s%s%s%s", name, list,
                 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

hg_status hg_generate(const char *name, const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts)
{
  hg_status rc = HG_OK;
  const hg_generator *kind = NULL;
  hg_graph made = {.symmetric = true, .nodes.n = options->nodes};
  HG_TRY(find_kind(name, &kind));
  HG_TRY(check_options(options));
  HG_TRY(check_memory(options, kind->run != hg_generate_grid));
  HG_TRY(kind->run(options, &made, counts));
  made.nodes.task = made.nodes.labels ? HG_TASK_CLASSES : HG_TASK_NONE;
  made.nodes.n_classes = made.nodes.labels ? options->classes : 0;
  HG_TRY(make_features(options, &made.nodes));
  HG_TRY(HG_ALLOC(made.nodes.original_ids, made.nodes.n, "original ids"));
  for (hg_off i = 0; i < made.nodes.n; i++) made.nodes.original_ids[i] = i;
  HG_TRY(make_split(options, &made.nodes));
  *graph = made;
  made = (hg_graph){0};
done:
  hg_graph_free(&made);
  return rc;
}

static int nearest(const float *point, const double *centres, int classes, int dims)
{
  int best = 0;
  double least = INFINITY;
  for (int c = 0; c < classes; c++) {
    double distance = 0;
    for (int k = 0; k < dims; k++) {
      double d = (double)point[k] - centres[c * dims + k];
      distance += d * d;
    }
    if (distance < least) least = distance, best = c;
  }
  return best;
}

hg_status hg_generate_regions(const hg_generate_options *o, double size, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  double *centres = NULL;
  int dims = nodes->n_dims;
  if (o->classes == 0) return HG_OK;
  HG_TRY(HG_ALLOC(centres, (hg_off)o->classes * dims, "centres"));
  HG_TRY(HG_ALLOC(nodes->labels, nodes->n, "labels"));
  for (int e = 0; e < o->classes * dims; e++)
    centres[e] = size * hg_rng_uniform(hg_generate_rng(o->seed), hg_draw_counter(HG_DRAW_CENTRE, (uint64_t)e), 0);
#pragma omp parallel for schedule(static) num_threads(hg_threads())
  for (hg_off i = 0; i < nodes->n; i++)
    nodes->labels[i] = nearest(nodes->positions + i * dims, centres, o->classes, dims);
done:
  hg_free(&centres);
  return rc;
}
