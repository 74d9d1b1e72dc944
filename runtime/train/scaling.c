#include "runtime/train/scaling.h"

#include <math.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"

static void scale_rows(hg_features *f, hg_off n)
{
  for (hg_off i = 0; i < n; i++) {
    float *row = f->dense ? f->dense + i * f->width : f->values + f->indptr[i];
    hg_off length = f->dense ? f->width : f->indptr[i + 1] - f->indptr[i];
    double sum = 0;
    for (hg_off k = 0; k < length; k++) sum += fabs((double)row[k]);
    if (sum > 0)
      for (hg_off k = 0; k < length; k++) row[k] = (float)((double)row[k] / sum);
  }
}

// adds x and x^2 of each column over the training nodes: sums[0..f), sums[f..2f)
static void sum_columns(const hg_dataset *d, double *sums)
{
  const hg_features *f = &d->part.nodes.features;
  for (hg_off r = 0; r < d->n_rows[HG_SPLIT_TRAIN]; r++) {
    hg_lid i = d->rows[HG_SPLIT_TRAIN][r];
    hg_off first = f->dense ? (hg_off)i * f->width : f->indptr[i], end = f->dense ? first + f->width : f->indptr[i + 1];
    for (hg_off e = first; e < end; e++) {
      double x = (double)(f->dense ? f->dense[e] : f->values[e]);
      int column = f->dense ? (int)(e - first) : f->indices[e];
      sums[column] += x;
      sums[f->width + column] += x * x;
    }
  }
}

// 1 for what is constant but for rounding: it keeps its size
static double deviation(double mean, double mean_square)
{
  double variance = mean_square - mean * mean;
  return variance > 1e-12 * (mean * mean + 1e-30) ? sqrt(variance) : 1;
}

// sums become mean and 1 / deviation
static void moments(double *sums, int f, double n)
{
  for (int k = 0; k < f; k++) {
    double mean = sums[k] / n;
    sums[f + k] = 1 / deviation(mean, sums[f + k] / n);
    sums[k] = mean;
  }
}

static double count_training(const hg_dataset *d, hg_world *world)
{
  double n = (double)d->n_rows[HG_SPLIT_TRAIN];
  hg_sum_doubles(world, &n, 1);
  return n;
}

static void standardize(hg_features *f, hg_off n, const double *mean, const double *inverse)
{
  if (f->dense) {
    for (hg_off e = 0; e < n * f->width; e++) {
      int k = (int)(e % f->width);
      f->dense[e] = (float)(((double)f->dense[e] - mean[k]) * inverse[k]);
    }
    return;
  }
  for (hg_off e = 0; e < f->indptr[n]; e++) f->values[e] = (float)((double)f->values[e] * inverse[f->indices[e]]);
}

hg_status hg_scale_features(hg_dataset *dataset, hg_world *world, hg_feature_scaling scaling)
{
  hg_features *f = &dataset->part.nodes.features;
  double *sums = NULL;
  hg_status rc = HG_OK;
  if (f->width == 0 || scaling == HG_FEATURES_AS_IS) return HG_OK;
  if (scaling == HG_FEATURES_ROW) {
    scale_rows(f, dataset->part.n_owned);
    return HG_OK;
  }
  HG_TRY_ALL(world, "scaling features", HG_ALLOC(sums, 2 * f->width, "column sums"));
  sum_columns(dataset, sums);
  hg_sum_doubles(world, sums, 2 * f->width);
  moments(sums, f->width, count_training(dataset, world));
  standardize(f, dataset->part.n_owned, sums, sums + f->width);
done:
  hg_free(&sums);
  return rc;
}

static hg_status allocate_targets(hg_dataset *d, int n, double **sums)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(*sums, 3 * n, "target sums"));
  HG_TRY(HG_ALLOC(d->target_mean, n, "target means"));
  HG_TRY(HG_ALLOC(d->target_scale, n, "target scales"));
done:
  return rc;
}

// sums, squares and counts of each target over the training nodes that know it
static void sum_targets(const hg_dataset *d, int c, double *sums)
{
  for (hg_off r = 0; r < d->n_rows[HG_SPLIT_TRAIN]; r++) {
    const float *y = d->part.nodes.targets + (hg_off)d->rows[HG_SPLIT_TRAIN][r] * c;
    for (int k = 0; k < c; k++) {
      if (isnan(y[k])) continue;
      sums[k] += (double)y[k];
      sums[c + k] += (double)y[k] * (double)y[k];
      sums[2 * c + k] += 1;
    }
  }
}

hg_status hg_scale_targets(hg_dataset *dataset, hg_world *world, hg_target_scaling scaling)
{
  hg_nodes *nodes = &dataset->part.nodes;
  int c = nodes->n_classes;
  double *sums = NULL;
  hg_status rc = HG_OK;
  if (nodes->task != HG_TASK_REGRESSION) return HG_OK;
  HG_TRY_ALL(world, "scaling targets", allocate_targets(dataset, c, &sums));
  for (int k = 0; k < c; k++) dataset->target_scale[k] = 1;
  if (scaling == HG_TARGETS_AS_IS) goto done;
  sum_targets(dataset, c, sums);
  hg_sum_doubles(world, sums, 3 * c);
  for (int k = 0; k < c; k++) {
    double n = fmax(sums[2 * c + k], 1), mean = sums[k] / n;
    dataset->target_mean[k] = mean;
    dataset->target_scale[k] = deviation(mean, sums[c + k] / n);
  }
  for (hg_off e = 0; e < nodes->n * c; e++) {
    int k = (int)(e % c);
    nodes->targets[e] = (float)(((double)nodes->targets[e] - dataset->target_mean[k]) / dataset->target_scale[k]);
  }
done:
  hg_free(&sums);
  return rc;
}
