#include "runtime/train/scaling.h"

#include <math.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"

static void sum_over_ranks(const hg_scaling_sample *sample, double *values, int n)
{
  if (sample->world) hg_sum_doubles(sample->world, values, n);
}

static hg_status agree(const hg_scaling_sample *sample, hg_status rc, const char *phase)
{
  return sample->world ? hg_agree(sample->world, rc, phase) : rc;
}

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

// adds x and x^2 of each column over the sample: sums[0..f), sums[f..2f)
static void sum_columns(const hg_features *f, const hg_scaling_sample *sample, double *sums)
{
  for (hg_off r = 0; r < sample->n_rows; r++) {
    hg_off i = sample->rows[r];
    hg_off first = f->dense ? i * f->width : f->indptr[i], end = f->dense ? first + f->width : f->indptr[i + 1];
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

hg_status hg_scale_features(hg_features *f, hg_off n, hg_scaling_sample sample, hg_feature_scaling scaling)
{
  double *sums = NULL, count = (double)sample.n_rows;
  hg_status rc = HG_OK;
  if (f->width == 0 || scaling == HG_FEATURES_AS_IS) return HG_OK;
  if (scaling == HG_FEATURES_ROW) {
    scale_rows(f, n);
    return HG_OK;
  }
  HG_TRY(agree(&sample, HG_ALLOC(sums, 2 * f->width, "column sums"), "scaling features"));
  sum_columns(f, &sample, sums);
  sum_over_ranks(&sample, sums, 2 * f->width);
  sum_over_ranks(&sample, &count, 1);
  moments(sums, f->width, count);
  standardize(f, n, sums, sums + f->width);
done:
  hg_free(&sums);
  return rc;
}

static hg_status allocate_targets(hg_target_units *units, int n, double **sums)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(*sums, 3 * n, "target sums"));
  HG_TRY(HG_ALLOC(units->mean, n, "target means"));
  HG_TRY(HG_ALLOC(units->scale, n, "target scales"));
done:
  return rc;
}

void hg_target_units_free(hg_target_units *units)
{
  hg_free(&units->mean);
  hg_free(&units->scale);
}

// sums, squares and counts of each target over the items of the sample that know it
static void sum_targets(const hg_nodes *items, const hg_scaling_sample *sample, double *sums)
{
  int c = items->n_classes;
  for (hg_off r = 0; r < sample->n_rows; r++) {
    const float *y = items->targets + (hg_off)sample->rows[r] * c;
    for (int k = 0; k < c; k++) {
      if (isnan(y[k])) continue;
      sums[k] += (double)y[k];
      sums[c + k] += (double)y[k] * (double)y[k];
      sums[2 * c + k] += 1;
    }
  }
}

hg_status hg_scale_targets(hg_nodes *items, hg_scaling_sample sample, hg_target_scaling scaling, hg_target_units *units)
{
  int c = items->n_classes;
  double *sums = NULL;
  hg_status rc = HG_OK;
  *units = (hg_target_units){0};
  if (items->task != HG_TASK_REGRESSION) return HG_OK;
  HG_TRY(agree(&sample, allocate_targets(units, c, &sums), "scaling targets"));
  for (int k = 0; k < c; k++) units->scale[k] = 1;
  if (scaling == HG_TARGETS_AS_IS) goto done;
  sum_targets(items, &sample, sums);
  sum_over_ranks(&sample, sums, 3 * c);
  for (int k = 0; k < c; k++) {
    double n = fmax(sums[2 * c + k], 1), mean = sums[k] / n;
    units->mean[k] = mean;
    units->scale[k] = deviation(mean, sums[c + k] / n);
  }
  for (hg_off e = 0; e < items->n * c; e++) {
    int k = (int)(e % c);
    items->targets[e] = (float)(((double)items->targets[e] - units->mean[k]) / units->scale[k]);
  }
done:
  hg_free(&sums);
  return rc;
}
