#include "runtime/train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/reduce.h"
#include "core/base/alloc.h"

// places in one split's stretch of the sums; 3 x n_classes counts follow
enum { LOSS, WEIGHT, ROWS, RIGHT, SQUARES, COUNTS };
enum { TRUE_POSITIVE, FALSE_POSITIVE, FALSE_NEGATIVE, KINDS };

static int stretch(const hg_metrics *m) { return COUNTS + KINDS * m->n_classes; }

hg_status hg_metrics_create(hg_metrics *metrics, const hg_labelled *labelled, bool roc_auc)
{
  memset(metrics, 0, sizeof *metrics);
  metrics->n_classes = labelled->n_classes;
  metrics->n_sums = HG_SPLIT_COUNT * stretch(metrics);
  hg_status rc = HG_OK;
  HG_TRY(HG_ALLOC(metrics->sums, metrics->n_sums, "metric sums"));
  if (roc_auc) HG_TRY(HG_ALLOC(metrics->pairs, 2 * labelled->n_items, "ROC-AUC pairs"));
done:
  return rc;
}

void hg_metrics_free(hg_metrics *metrics)
{
  hg_free(&metrics->sums);
  hg_free(&metrics->pairs);
}

static int largest(const hg_real *row, int n)
{
  int best = 0;
  for (int c = 1; c < n; c++)
    if (row[c] > row[best]) best = c;
  return best;
}

static void count_class(double *counts, int n_classes, int found, int expected)
{
  if (found == expected) {
    counts[TRUE_POSITIVE * n_classes + found]++;
    return;
  }
  counts[FALSE_POSITIVE * n_classes + found]++;
  counts[FALSE_NEGATIVE * n_classes + expected]++;
}

static bool label_bit(const hg_truth *truth, hg_off row, int c)
{
  return truth->label_bits[row * hg_label_bytes(truth->classes) + c / 8] >> (c % 8) & 1;
}

static void count_bits(double *sums, const hg_truth *truth, hg_off i, const hg_real *z)
{
  int n = truth->classes;
  double *counts = sums + COUNTS;
  for (int c = 0; c < n; c++) {
    bool found = z[c] > 0, expected = label_bit(truth, i, c);
    sums[RIGHT] += (found == expected) / (double)n;
    if (found && expected) counts[TRUE_POSITIVE * n + c]++;
    if (found && !expected) counts[FALSE_POSITIVE * n + c]++;
    if (!found && expected) counts[FALSE_NEGATIVE * n + c]++;
  }
}

// in the targets' own units
static void add_squares(double *sums, const hg_labelled *l, hg_off i, const hg_real *z)
{
  const hg_truth *truth = &l->truth;
  for (int c = 0; c < truth->classes; c++) {
    float y = truth->targets[i * truth->classes + c];
    double error = isnan(y) ? 0 : ((double)z[c] - (double)y) * l->target_scale[c];
    sums[SQUARES] += error * error;
  }
}

static void add_split(double *sums, const hg_labelled *l, const hg_loss *loss, const hg_matrix *z, int split)
{
  const hg_truth *truth = &l->truth;
  const hg_lid *rows = l->rows[split];
  hg_off n = l->n_rows[split];
  hg_loss_sums losses = hg_loss_compute(loss, truth, rows, n, z, 1, NULL);
  sums[LOSS] = losses.loss;
  sums[WEIGHT] = losses.weight;
  sums[ROWS] = (double)n;
  for (hg_off r = 0; r < n; r++) {
    const hg_real *row = z->data + (hg_off)rows[r] * z->cols;
    if (truth->targets) add_squares(sums, l, rows[r], row);
    if (truth->label_bits) count_bits(sums, truth, rows[r], row);
    if (!truth->labels) continue;
    int found = largest(row, z->cols), expected = truth->labels[rows[r]];
    sums[RIGHT] += found == expected;
    count_class(sums + COUNTS, z->cols, found, expected);
  }
}

static void f1_scores(const double *counts, int n, hg_scores *scores)
{
  double all[KINDS] = {0}, macro = 0;
  int classes = 0;
  for (int c = 0; c < n; c++) {
    double tp = counts[c], fp = counts[n + c], fn = counts[2 * n + c];
    all[TRUE_POSITIVE] += tp, all[FALSE_POSITIVE] += fp, all[FALSE_NEGATIVE] += fn;
    if (tp + fp + fn <= 0) continue; // neither occurs nor is predicted
    macro += 2 * tp / (2 * tp + fp + fn);
    classes++;
  }
  double missed = all[FALSE_POSITIVE] + all[FALSE_NEGATIVE];
  scores->micro_f1 = all[TRUE_POSITIVE] + missed > 0 ? 2 * all[TRUE_POSITIVE] / (2 * all[TRUE_POSITIVE] + missed) : NAN;
  scores->macro_f1 = classes ? macro / classes : NAN;
}

static hg_scores quotients(const double *sums, const hg_truth *truth)
{
  hg_scores scores = hg_scores_none();
  if (sums[ROWS] <= 0) return scores;
  scores.loss = sums[LOSS] / sums[WEIGHT];
  if (truth->targets) {
    scores.rmse = sqrt(sums[SQUARES] / sums[WEIGHT]);
    return scores;
  }
  scores.accuracy = sums[RIGHT] / sums[ROWS];
  f1_scores(sums + COUNTS, truth->classes, &scores);
  return scores;
}

static int by_score(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double hg_roc_auc(double *pairs, size_t n)
{
  for (size_t k = 0; k < n; k++)
    if (isnan(pairs[2 * k])) return NAN; // has no place in an order
  if (n == 0) return NAN;
  qsort(pairs, n, 2 * sizeof *pairs, by_score);
  double positives = 0, rank_sum = 0;
  for (size_t k = 0; k < n;) { // ranks from 1; equal scores share their mean rank
    size_t end = k;
    double here = 0;
    for (; end < n && pairs[2 * end] == pairs[2 * k]; end++) here += pairs[2 * end + 1];
    rank_sum += here * ((double)(k + end + 1) / 2);
    positives += here;
    k = end;
  }
  double negatives = (double)n - positives;
  if (positives <= 0 || negatives <= 0) return NAN;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

// (score, label) of class c on the rows of a split, gathered on rank 0
static hg_status auc_of(hg_metrics *m, hg_world *world, const hg_labelled *l, const hg_matrix *z, int split, int c,
                        double *auc)
{
  const hg_truth *truth = &l->truth;
  hg_off n = l->n_rows[split];
  for (hg_off r = 0; r < n; r++) {
    hg_lid i = l->rows[split][r];
    const hg_real *row = z->data + (hg_off)i * z->cols;
    m->pairs[2 * r] = (double)(truth->labels ? row[1] - row[0] : row[c]);
    m->pairs[2 * r + 1] = truth->labels ? truth->labels[i] == 1 : label_bit(truth, i, c);
  }
  double *all = NULL;
  size_t *offsets = NULL;
  hg_status rc = hg_gather(world, m->pairs, 2 * sizeof(double) * (size_t)n, (void **)&all, &offsets);
  if (rc == HG_OK && all) *auc = hg_roc_auc(all, offsets[hg_world_size(world)] / (2 * sizeof(double)));
  if (rc == HG_OK) hg_broadcast(world, auc, sizeof *auc, 0);
  hg_free(&all);
  hg_free(&offsets);
  return rc;
}

static hg_status mean_auc(hg_metrics *m, hg_world *world, const hg_labelled *l, const hg_matrix *z, int split,
                          double *mean)
{
  const hg_truth *truth = &l->truth;
  int first = truth->labels ? 1 : 0, end = truth->labels ? 2 : truth->classes, n = 0;
  double sum = 0;
  for (int c = first; c < end; c++) {
    double auc = NAN;
    hg_status rc = auc_of(m, world, l, z, split, c, &auc);
    if (rc != HG_OK) return rc;
    if (isnan(auc)) continue;
    sum += auc;
    n++;
  }
  *mean = n ? sum / n : NAN;
  return HG_OK;
}

hg_status hg_metrics_scores(hg_metrics *metrics, hg_world *world, const hg_labelled *labelled, const hg_loss *loss,
                            const hg_matrix *z, hg_split first, hg_scores *scores)
{
  memset(metrics->sums, 0, (size_t)metrics->n_sums * sizeof *metrics->sums);
  for (int s = (int)first; s < HG_SPLIT_COUNT; s++)
    add_split(metrics->sums + s * stretch(metrics), labelled, loss, z, s);
  hg_sum_doubles(world, metrics->sums, metrics->n_sums);
  for (int s = 0; s < HG_SPLIT_COUNT; s++) {
    scores[s] = quotients(metrics->sums + s * stretch(metrics), &labelled->truth);
    if (!metrics->pairs || metrics->sums[s * stretch(metrics) + ROWS] <= 0) continue;
    hg_status rc = mean_auc(metrics, world, labelled, z, s, &scores[s].roc_auc);
    if (rc != HG_OK) return rc;
  }
  return HG_OK;
}
