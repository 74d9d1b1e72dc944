#include "runtime/train/scaling.h"

#include <math.h>
#include <string.h>

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

void hg_scale_features(hg_features *features, hg_off n, hg_feature_scaling scaling, const hg_scales *scales)
{
  if (features->width == 0) return;
  if (scaling == HG_FEATURES_ROW) scale_rows(features, n);
  if (scaling == HG_FEATURES_STANDARDIZE) standardize(features, n, scales->mean, scales->inverse);
}

static hg_status allocate_features(hg_scales *s, int width, double **sums)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(*sums, 2 * width, "column sums"));
  HG_TRY(HG_ALLOC(s->mean, width, "means of features"));
  HG_TRY(HG_ALLOC(s->inverse, width, "scales of features"));
  s->width = width;
done:
  return rc;
}

hg_status hg_scales_learn_features(hg_scales *scales, const hg_features *features, hg_scaling_sample sample,
                                   hg_feature_scaling scaling)
{
  int f = features->width;
  double *sums = NULL, count = (double)sample.n_rows;
  hg_status rc = HG_OK;
  if (f == 0 || scaling != HG_FEATURES_STANDARDIZE) return HG_OK;
  HG_TRY(agree(&sample, allocate_features(scales, f, &sums), "scaling features"));
  sum_columns(features, &sample, sums);
  sum_over_ranks(&sample, sums, 2 * f);
  sum_over_ranks(&sample, &count, 1);
  moments(sums, f, count);
  memcpy(scales->mean, sums, (size_t)f * sizeof *sums);
  memcpy(scales->inverse, sums + f, (size_t)f * sizeof *sums);
done:
  hg_free(&sums);
  return rc;
}

static hg_status allocate_targets(hg_scales *s, int n, double **sums)
{
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(*sums, 3 * n, "target sums"));
  HG_TRY(HG_ALLOC(s->target_mean, n, "target means"));
  HG_TRY(HG_ALLOC(s->target_scale, n, "target scales"));
  s->n_targets = n;
done:
  return rc;
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

hg_status hg_scales_learn_targets(hg_scales *scales, const hg_nodes *items, hg_scaling_sample sample,
                                  hg_target_scaling scaling)
{
  int c = items->n_classes;
  double *sums = NULL;
  hg_status rc = HG_OK;
  if (items->task != HG_TASK_REGRESSION) return HG_OK;
  HG_TRY(agree(&sample, allocate_targets(scales, c, &sums), "scaling targets"));
  for (int k = 0; k < c; k++) scales->target_scale[k] = 1;
  if (scaling == HG_TARGETS_AS_IS) goto done;
  sum_targets(items, &sample, sums);
  sum_over_ranks(&sample, sums, 3 * c);
  for (int k = 0; k < c; k++) {
    double n = fmax(sums[2 * c + k], 1), mean = sums[k] / n;
    scales->target_mean[k] = mean;
    scales->target_scale[k] = deviation(mean, sums[c + k] / n);
  }
done:
  hg_free(&sums);
  return rc;
}

void hg_scale_targets(hg_nodes *items, const hg_scales *scales)
{
  int c = items->n_classes;
  if (items->task != HG_TASK_REGRESSION || !items->targets) return;
  for (hg_off e = 0; e < items->n * c; e++) {
    int k = (int)(e % c);
    items->targets[e] = (float)(((double)items->targets[e] - scales->target_mean[k]) / scales->target_scale[k]);
  }
}

static hg_status copy(double **to, const double *from, int n)
{
  hg_status rc = n > 0 ? HG_ALLOC(*to, n, "scales of the data") : HG_OK;
  if (rc == HG_OK && n > 0) memcpy(*to, from, (size_t)n * sizeof **to);
  return rc;
}

hg_status hg_scales_copy(hg_scales *to, const hg_scales *from)
{
  hg_status rc = HG_OK;
  *to = (hg_scales){.width = from->width, .n_targets = from->n_targets, .position = from->position};
  HG_TRY(copy(&to->mean, from->mean, from->width));
  HG_TRY(copy(&to->inverse, from->inverse, from->width));
  HG_TRY(copy(&to->target_mean, from->target_mean, from->n_targets));
  HG_TRY(copy(&to->target_scale, from->target_scale, from->n_targets));
done:
  if (rc != HG_OK) hg_scales_free(to);
  return rc;
}

void hg_scales_free(hg_scales *scales)
{
  hg_free(&scales->mean);
  hg_free(&scales->inverse);
  hg_free(&scales->target_mean);
  hg_free(&scales->target_scale);
  *scales = (hg_scales){0};
}
