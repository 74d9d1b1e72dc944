#include "core/tensor/loss.h"

#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/exponential.h"
#include "core/tensor/row_blocks.h"

/** What the loss of a row needs; `gain` = 1 / total weight multiplies its gradient. */
typedef struct {
  const hg_loss *loss;
  const hg_truth *truth;
  double gain;
} problem;

static bool bit(const hg_truth *truth, hg_off i, int c)
{
  return truth->label_bits[i * ((truth->classes + 7) / 8) + c / 8] >> c % 8 & 1;
}

static hg_real largest(const hg_real *z, int classes)
{
  hg_real top = z[0];
#pragma omp simd reduction(max : top)
  for (int c = 1; c < classes; c++) top = z[c] > top ? z[c] : top;
  return top;
}

static double class_weight(const hg_loss *loss, int c)
{
  return loss->class_weights ? (double)loss->class_weights[c] : 1;
}

// e[c] = exp(z[c] - top); returns their sum
static double exponentials(const hg_real *restrict z, hg_real top, int classes, hg_real *restrict e)
{
  double sum = 0;
  for (int c = 0; c < classes; c++) e[c] = hg_exp_negative(z[c] - top);
#pragma omp simd reduction(+ : sum)
  for (int c = 0; c < classes; c++) sum += (double)e[c];
  return sum;
}

static double sum_of_exponentials(const hg_real *z, hg_real top, int classes)
{
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int c = 0; c < classes; c++) sum += (double)hg_exp_negative(z[c] - top);
  return sum;
}

// w_c t_c: what class c counts in a row of class `label`, t = (1 - s) one-hot + s / classes
static double target_weight(const problem *p, int c, int label)
{
  double s = p->loss->label_smoothing;
  return class_weight(p->loss, c) * (s / p->truth->classes + (c == label ? 1 - s : 0));
}

// Loss: sum over c of -w_c t_c log p_c, by log-sum-exp. Gradient: (sum over c of w_c t_c) p_k - w_k t_k.
static double cross_entropy(const problem *p, hg_off i, const hg_real *z, hg_real *d_z)
{
  int classes = p->truth->classes, label = p->truth->labels[i];
  if (label < 0) return 0;
  bool smooth = p->loss->label_smoothing != 0;
  hg_real top = largest(z, classes);
  double sum = d_z ? exponentials(z, top, classes, d_z) : sum_of_exponentials(z, top, classes);
  double log_sum = log(sum) + (double)top, mass = 0, loss = 0;
  for (int c = smooth ? 0 : label; c < (smooth ? classes : label + 1); c++) {
    double weight = target_weight(p, c, label);
    mass += weight;
    loss += weight * (log_sum - (double)z[c]);
  }
  if (!d_z) return loss;
  hg_real share = (hg_real)(p->gain * mass / sum);
  for (int c = 0; c < classes; c++) d_z[c] *= share;
  for (int c = smooth ? 0 : label; c < (smooth ? classes : label + 1); c++)
    d_z[c] -= (hg_real)(p->gain * target_weight(p, c, label));
  return loss;
}

// max(z, 0) - z t + log(1 + exp(-|z|)) never overflows.
static double binary_cross_entropy(const problem *p, hg_off i, const hg_real *z, hg_real *d_z)
{
  double loss = 0;
  for (int c = 0; c < p->truth->classes; c++) {
    double x = (double)z[c], target = bit(p->truth, i, c), small = exp(-fabs(x));
    loss += (x > 0 ? x : 0) - x * target + log1p(small);
    double sigmoid = (x > 0 ? 1 : small) / (1 + small);
    if (d_z) d_z[c] = (hg_real)(p->gain * (sigmoid - target));
  }
  return loss;
}

static double squared_error(const problem *p, hg_off i, const hg_real *z, hg_real *d_z)
{
  double loss = 0;
  for (int c = 0; c < p->truth->classes; c++) {
    double target = (double)p->truth->targets[i * p->truth->classes + c];
    double error = isnan(target) ? 0 : (double)z[c] - target;
    loss += error * error;
    if (d_z) d_z[c] = (hg_real)(2 * p->gain * error);
  }
  return loss;
}

static double row_loss(const problem *p, hg_off i, const hg_real *z, hg_real *d_z)
{
  switch (p->loss->kind) {
  case HG_LOSS_BCE:
    return binary_cross_entropy(p, i, z, d_z);
  case HG_LOSS_MSE:
    return squared_error(p, i, z, d_z);
  default:
    return cross_entropy(p, i, z, d_z);
  }
}

static double row_weight(const hg_loss *loss, const hg_truth *truth, hg_off i)
{
  if (loss->kind == HG_LOSS_CROSS_ENTROPY) return truth->labels[i] < 0 ? 0 : class_weight(loss, truth->labels[i]);
  int known = truth->classes;
  for (int c = 0; loss->kind == HG_LOSS_MSE && c < truth->classes; c++)
    known -= isnan(truth->targets[i * truth->classes + c]) ? 1 : 0;
  return known;
}

hg_loss_sums hg_loss_compute(const hg_loss *loss, const hg_truth *truth, const hg_lid *rows, hg_off n,
                             const hg_matrix *z, double total_weight, hg_matrix *d_z)
{
  const problem p = {loss, truth, total_weight > 0 ? 1 / total_weight : 0};
  hg_loss_sums blocks[HG_ROW_BLOCKS] = {{0}}, sums = {0};
  if (d_z) memset(d_z->data, 0, (size_t)(d_z->rows * d_z->cols) * sizeof *d_z->data);
  if (z->cols == 0) return sums;
#pragma omp parallel for schedule(static) default(none) shared(p, rows, n, z, d_z, blocks) \
    num_threads(hg_threads()) if (n * z->cols > HG_PARALLEL_FROM)
  for (int block = 0; block < HG_ROW_BLOCKS; block++) {
    hg_off first, end;
    hg_block(n, HG_ROW_BLOCKS, block, &first, &end);
    for (hg_off r = first; r < end; r++) {
      hg_off start = (hg_off)rows[r] * z->cols;
      blocks[block].loss += row_loss(&p, rows[r], z->data + start, d_z ? d_z->data + start : NULL);
      blocks[block].weight += row_weight(p.loss, p.truth, rows[r]);
    }
  }
  for (int block = 0; block < HG_ROW_BLOCKS; block++) {
    sums.loss += blocks[block].loss;
    sums.weight += blocks[block].weight;
  }
  return sums;
}

// In the blocks of hg_loss_compute, so that both give the same bits.
double hg_loss_weight(const hg_loss *loss, const hg_truth *truth, const hg_lid *rows, hg_off n)
{
  double total = 0;
  for (int block = 0; block < HG_ROW_BLOCKS; block++) {
    hg_off first, end;
    double sum = 0;
    hg_block(n, HG_ROW_BLOCKS, block, &first, &end);
    for (hg_off r = first; r < end; r++) sum += row_weight(loss, truth, rows[r]);
    total += sum;
  }
  return total;
}

static void softmax(const hg_real *z, int classes, hg_real *p)
{
  hg_real top = largest(z, classes), share = (hg_real)(1 / sum_of_exponentials(z, top, classes));
  for (int c = 0; c < classes; c++) p[c] = hg_exp_negative(z[c] - top) * share;
}

static void sigmoid(const hg_real *z, int classes, hg_real *p)
{
  for (int c = 0; c < classes; c++) {
    hg_real small = hg_exp_negative(z[c] > 0 ? -z[c] : z[c]);
    p[c] = (z[c] > 0 ? 1 : small) / (1 + small);
  }
}

void hg_loss_predict(hg_loss_kind kind, const hg_matrix *z, hg_matrix *p)
{
  int f = z->cols;
  if (f == 0) return;
#pragma omp parallel for schedule(static) default(none) shared(kind, z, p, f) \
    num_threads(hg_threads()) if (z->rows * f > HG_PARALLEL_FROM)
  for (hg_off i = 0; i < z->rows; i++) {
    const hg_real *from = z->data + i * f;
    hg_real *to = p->data + i * f;
    if (kind == HG_LOSS_CROSS_ENTROPY)
      softmax(from, f, to);
    else if (kind == HG_LOSS_BCE)
      sigmoid(from, f, to);
    else
      memmove(to, from, (size_t)f * sizeof *to);
  }
}
