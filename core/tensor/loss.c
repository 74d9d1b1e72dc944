#include "core/tensor/loss.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/loss_kernels.h"
#include "core/tensor/row_blocks.h"

/** What the loss of a row needs; `gain` = 1 / total weight multiplies its gradient. */
typedef struct {
  const hg_loss *loss;
  const hg_truth *truth;
  double gain;
} problem;

static const uint8_t *bits_of(const hg_truth *truth, hg_off i)
{
  return truth->label_bits + i * ((truth->classes + 7) / 8);
}

static double class_weight(const hg_loss *loss, int c)
{
  return loss->class_weights ? (double)loss->class_weights[c] : 1;
}

// w_c t_c: what class c counts in a row of class `label`, t = (1 - s) one-hot + s / classes
static double target_weight(const problem *p, int c, int label)
{
  double s = p->loss->label_smoothing;
  return class_weight(p->loss, c) * (s / p->truth->classes + (c == label ? 1 - s : 0));
}

// sum over c of w_c t_c
static double target_mass(const problem *p, int label)
{
  double mass = 0;
  if (p->loss->label_smoothing == 0) return class_weight(p->loss, label);
  for (int c = 0; c < p->truth->classes; c++) mass += target_weight(p, c, label);
  return mass;
}

// A row's loss is the sum over c of -w_c t_c log p_c = mass log_sum - the sum over c of w_c t_c z_c: this one, taken
// before the gradient may be written over z.
static double target_outputs(const problem *p, int label, const hg_real *z)
{
  bool smooth = p->loss->label_smoothing != 0;
  double sum = 0;
  for (int c = smooth ? 0 : label; c < (smooth ? p->truth->classes : label + 1); c++)
    sum += target_weight(p, c, label) * (double)z[c];
  return sum;
}

// Gradient of a row: mass p_k, which d_z has, - w_k t_k.
static void finish_gradient(const problem *p, int label, hg_real *d_z)
{
  bool smooth = p->loss->label_smoothing != 0;
  for (int c = smooth ? 0 : label; c < (smooth ? p->truth->classes : label + 1); c++)
    d_z[c] -= (hg_real)(p->gain * target_weight(p, c, label));
}

static hg_softmax_rows *const kernels[HG_SIMD_COUNT] = {hg_softmax_rows_base, hg_softmax_rows_avx2,
                                                        hg_softmax_rows_avx512};

static void clear_rows(hg_matrix *d_z, hg_off first, hg_off end)
{
  if (d_z && first < end)
    memset(d_z->data + first * d_z->cols, 0, (size_t)((end - first) * d_z->cols) * sizeof *d_z->data);
}

static bool ascend(const hg_lid *rows, hg_off n)
{
  int falls = 0;
  for (hg_off r = 1; r < n; r++) falls |= rows[r] <= rows[r - 1];
  return !falls;
}

// What lies before each of the ascending rows [first, end) and after the one before; behind the last block all else.
static void clear_gaps(hg_matrix *d_z, const hg_lid *rows, hg_off first, hg_off end, bool last)
{
  hg_off next = first > 0 ? rows[first - 1] + 1 : 0;
  for (hg_off r = first; r < end; r++) {
    clear_rows(d_z, next, rows[r]);
    next = rows[r] + 1;
  }
  if (last) clear_rows(d_z, next, d_z->rows);
}

// the labelled ones of rows [n], tile after tile
static double cross_entropy(const problem *p, const hg_lid *rows, hg_off n, const hg_matrix *z, hg_matrix *d_z)
{
  hg_lid tile[HG_SOFTMAX_ROWS];
  double factor[HG_SOFTMAX_ROWS], log_sum[HG_SOFTMAX_ROWS], mass[HG_SOFTMAX_ROWS] = {0}, outputs[HG_SOFTMAX_ROWS] = {0},
                                                            loss = 0;
  hg_softmax_task task = {z->data, z->cols, tile, 0, factor, d_z ? d_z->data : NULL, log_sum};
  hg_softmax_rows *kernel = kernels[hg_simd_level()];
  for (hg_off r = 0; r < n;) {
    for (task.n = 0; r < n && task.n < HG_SOFTMAX_ROWS; r++) {
      int label = p->truth->labels[rows[r]];
      if (label < 0) {
        clear_rows(d_z, rows[r], rows[r] + 1);
        continue;
      }
      mass[task.n] = target_mass(p, label);
      outputs[task.n] = target_outputs(p, label, z->data + (hg_off)rows[r] * z->cols);
      factor[task.n] = p->gain * mass[task.n];
      tile[task.n++] = rows[r];
    }
    kernel(&task);
    for (int k = 0; k < task.n; k++) {
      loss += mass[k] * log_sum[k] - outputs[k];
      if (d_z) finish_gradient(p, p->truth->labels[tile[k]], d_z->data + (hg_off)tile[k] * z->cols);
    }
  }
  return loss;
}

static hg_binary_row *const binary_kernels[HG_SIMD_COUNT] = {hg_binary_row_base, hg_binary_row_avx2,
                                                             hg_binary_row_avx512};

static double binary_cross_entropy(const problem *p, hg_off i, const hg_real *z, hg_real *d_z)
{
  int classes = p->truth->classes;
  return binary_kernels[hg_simd_level()](z, bits_of(p->truth, i), classes, (hg_real)p->gain, d_z);
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

static double rows_loss(const problem *p, const hg_lid *rows, hg_off n, const hg_matrix *z, hg_matrix *d_z)
{
  double loss = 0;
  if (p->loss->kind == HG_LOSS_CROSS_ENTROPY) return cross_entropy(p, rows, n, z, d_z);
  for (hg_off r = 0; r < n; r++) {
    hg_off start = (hg_off)rows[r] * z->cols;
    const hg_real *row = z->data + start;
    hg_real *d_row = d_z ? d_z->data + start : NULL;
    loss += p->loss->kind == HG_LOSS_BCE ? binary_cross_entropy(p, rows[r], row, d_row)
                                         : squared_error(p, rows[r], row, d_row);
  }
  return loss;
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
  if (z->cols == 0) return sums;
  bool gaps = d_z && ascend(rows, n); // else all is cleared first: a pass more over the memory
  assert(!d_z || gaps || d_z->data != z->data);
  hg_off cleared = d_z && !gaps ? d_z->rows : 0, work = (n + (d_z ? d_z->rows : 0)) * z->cols;
#pragma omp parallel default(none) shared(p, rows, n, z, d_z, blocks, cleared, gaps, work) \
    num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(cleared, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    clear_rows(d_z, first, end);
#pragma omp barrier
#pragma omp for schedule(static)
    for (int block = 0; block < HG_ROW_BLOCKS; block++) {
      hg_block(n, HG_ROW_BLOCKS, block, &first, &end);
      if (gaps) clear_gaps(d_z, rows, first, end, block == HG_ROW_BLOCKS - 1);
      blocks[block].loss = rows_loss(&p, rows + first, end - first, z, d_z);
      for (hg_off r = first; r < end; r++) blocks[block].weight += row_weight(p.loss, p.truth, rows[r]);
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
  hg_real top = top_of(z, classes), share = (hg_real)(1 / exponentials(z, top, classes, NULL));
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
