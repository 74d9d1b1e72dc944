#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/tensor/loss.h"
#include "core/tensor/loss_kernels.h"
#include "tests/support/naive.h"

enum { ROWS = 30, CLASSES = 11, CHOSEN = 13 };

typedef struct {
  hg_loss loss;
  hg_truth truth;
  hg_lid rows[CHOSEN];
  hg_matrix z;
  double total_weight;
  int32_t labels[ROWS];
  uint8_t bits[ROWS * 2];
  float targets[ROWS * CLASSES];
  hg_real class_weights[CLASSES];
} problem;

static problem *make(hg_loss_kind kind, double smoothing, bool weighted)
{
  problem *p = calloc(1, sizeof *p);
  hg_rng rng = {.seed = 3, .stream = HG_STREAM_TEST};
  for (int i = 0; i < ROWS; i++) p->labels[i] = (int32_t)hg_rng_below(rng, (uint64_t)i, 0, CLASSES);
  for (int i = 0; i < ROWS * 2; i++) p->bits[i] = (uint8_t)hg_rng_below(rng, (uint64_t)i, 1, 256);
  for (int i = 0; i < ROWS * CLASSES; i++) p->targets[i] = (float)hg_rng_normal(rng, (uint64_t)i, 2);
  for (int c = 0; c < CLASSES; c++) p->class_weights[c] = (hg_real)(0.5 + c * 0.25);
  for (int r = 0; r < CHOSEN; r++) p->rows[r] = 2 * r + 1;
  p->loss = (hg_loss){kind, smoothing, weighted ? p->class_weights : NULL};
  p->truth.classes = CLASSES;
  p->truth.labels = kind == HG_LOSS_CROSS_ENTROPY ? p->labels : NULL;
  p->truth.label_bits = kind == HG_LOSS_BCE ? p->bits : NULL;
  p->truth.targets = kind == HG_LOSS_MSE ? p->targets : NULL;
  p->z = random_matrix(ROWS, CLASSES, 9);
  p->labels[5] = -1;
  p->targets[3 * CLASSES + 2] = NAN;
  p->total_weight = hg_loss_weight(&p->loss, &p->truth, p->rows, CHOSEN);
  return p;
}

static void drop(problem *p)
{
  hg_matrix_free(&p->z);
  free(p);
}

static double mean_loss(void *context)
{
  problem *p = context;
  return hg_loss_compute(&p->loss, &p->truth, p->rows, CHOSEN, &p->z, 0, NULL).loss / p->total_weight;
}

static double naive_entropy(const problem *p)
{
  double total = 0;
  for (int r = 0; r < CHOSEN; r++) {
    int i = p->rows[r];
    double sum = 0;
    for (int c = 0; c < CLASSES; c++) sum += exp((double)p->z.data[i * CLASSES + c]);
    for (int c = 0; c < CLASSES && p->labels[i] >= 0; c++) {
      double s = p->loss.label_smoothing, target = s / CLASSES + (c == p->labels[i] ? 1 - s : 0);
      double weight = p->loss.class_weights ? (double)p->class_weights[c] : 1;
      total -= weight * target * log(exp((double)p->z.data[i * CLASSES + c]) / sum);
    }
  }
  return total;
}

Test(loss, cross_entropy_agrees_with_the_formula)
{
  for (int options = 0; options < 4; options++) {
    problem *p = make(HG_LOSS_CROSS_ENTROPY, options & 1 ? 0.1 : 0, options & 2);
    hg_loss_sums sums = hg_loss_compute(&p->loss, &p->truth, p->rows, CHOSEN, &p->z, 0, NULL);
    cr_expect_float_eq(sums.loss, naive_entropy(p), 100 * sum_tolerance(), "options %d: %g", options, sums.loss);
    cr_expect_eq(sums.weight, p->total_weight);
    if (!(options & 2)) cr_expect_eq(sums.weight, CHOSEN - 1, "one label is unknown");
    drop(p);
  }
}

Test(loss, binary_cross_entropy_and_squared_error_agree_with_the_formula)
{
  problem *b = make(HG_LOSS_BCE, 0, false), *m = make(HG_LOSS_MSE, 0, false);
  double entropy = 0, square = 0;
  for (int r = 0; r < CHOSEN; r++)
    for (int c = 0; c < CLASSES; c++) {
      int i = b->rows[r];
      double z = (double)b->z.data[i * CLASSES + c], sigmoid = 1 / (1 + exp(-z)),
             target = (double)m->targets[i * CLASSES + c];
      entropy -= b->bits[2 * i + c / 8] >> c % 8 & 1 ? log(sigmoid) : log(1 - sigmoid);
      if (!isnan(target)) square += (z - target) * (z - target);
    }
  hg_loss_sums found = hg_loss_compute(&b->loss, &b->truth, b->rows, CHOSEN, &b->z, 0, NULL);
  cr_expect_float_eq(found.loss, entropy, sizeof(hg_real) == 8 ? 100 * sum_tolerance() : 1e-6, "%.12g %.12g",
                     found.loss, entropy);
  cr_expect_eq(found.weight, CHOSEN * CLASSES);
  found = hg_loss_compute(&m->loss, &m->truth, m->rows, CHOSEN, &m->z, 0, NULL);
  cr_expect_float_eq(found.loss, square, 1e-9, "%.12g %.12g", found.loss, square);
  cr_expect_eq(found.weight, CHOSEN * CLASSES - 1, "one target is unknown");
  drop(b), drop(m);
}

// more columns than one product of factors takes, and outputs whose exponentials are nothing, or too much, for a float
Test(loss, binary_cross_entropy_of_many_outputs)
{
  enum { MANY = 1101 };
  hg_real z[MANY], d[MANY];
  uint8_t bits[(MANY + 7) / 8] = {0};
  double expected = 0;
  for (int c = 0; c < MANY; c++) {
    z[c] = (hg_real)(0.25 * (c - 550));
    if (c % 3 == 0) bits[c / 8] |= (uint8_t)(1 << c % 8);
    double u = c % 3 == 0 ? -(double)z[c] : (double)z[c];
    expected += (u > 0 ? u : 0) + log1p(exp(-fabs(u)));
  }
  const hg_loss loss = {.kind = HG_LOSS_BCE};
  const hg_truth truth = {.label_bits = bits, .classes = MANY};
  const hg_matrix outputs = hg_matrix_view(z, 1, MANY);
  hg_matrix gradient = hg_matrix_view(d, 1, MANY);
  double found = hg_loss_compute(&loss, &truth, &(hg_lid){0}, 1, &outputs, MANY, &gradient).loss;
  cr_expect_float_eq(found, expected, expected * sum_tolerance(), "%.12g %.12g", found, expected);
  for (int c = 0; c < MANY; c++) {
    double sign = c % 3 == 0 ? -1 : 1, slope = sign / (1 + exp(-sign * (double)z[c])) / MANY;
    cr_expect(fabs((double)d[c] - slope) <= sum_tolerance() * fabs(slope) + 1e-40, "%d: %g %g", c, (double)d[c], slope);
  }
}

// so large that a smaller number near it is itself: the classes beside it count for nothing, whatever their number
Test(loss, cross_entropy_of_an_output_far_above_the_others)
{
  for (int classes = 2; classes <= 40; classes++) {
    hg_real z[40] = {(hg_real)4e18}, d[40];
    const hg_loss loss = {.kind = HG_LOSS_CROSS_ENTROPY};
    const hg_truth truth = {.labels = &(int32_t){0}, .classes = classes};
    const hg_matrix outputs = hg_matrix_view(z, 1, classes);
    hg_matrix gradient = hg_matrix_view(d, 1, classes);
    cr_expect_eq(hg_loss_compute(&loss, &truth, &(hg_lid){0}, 1, &outputs, 1, &gradient).loss, 0, "%d", classes);
    for (int c = 0; c < classes; c++) cr_expect(fabs((double)d[c]) < 1e-30, "%d of %d: %g", c, classes, (double)d[c]);
  }
}

// the derivative of the mean loss with respect to output c of a chosen row i
static double naive_gradient(const problem *p, int i, int c)
{
  const hg_real *z = p->z.data + i * CLASSES;
  double sum = 0, mass = 0, target = (double)p->targets[i * CLASSES + c], smoothing = p->loss.label_smoothing;
  if (p->loss.kind == HG_LOSS_MSE) return isnan(target) ? 0 : 2 * ((double)z[c] - target) / p->total_weight;
  if (p->loss.kind == HG_LOSS_BCE)
    return (1 / (1 + exp(-(double)z[c])) - (p->bits[2 * i + c / 8] >> c % 8 & 1)) / p->total_weight;
  if (p->labels[i] < 0) return 0;
  for (int k = 0; k < CLASSES; k++) {
    double weight = p->loss.class_weights ? (double)p->class_weights[k] : 1;
    double share = weight * (smoothing / CLASSES + (k == p->labels[i] ? 1 - smoothing : 0));
    sum += exp((double)z[k]);
    mass += share;
    if (k == c) target = share;
  }
  return (mass * exp((double)z[c]) / sum - target) / p->total_weight;
}

static void expect_naive_gradient(const problem *p, const hg_matrix *d, const char *order, int variant)
{
  bool chosen[ROWS] = {false};
  for (int r = 0; r < CHOSEN; r++) chosen[p->rows[r]] = true;
  for (int i = 0; i < ROWS; i++)
    for (int c = 0; c < CLASSES; c++) {
      double expected = chosen[i] ? naive_gradient(p, i, c) : 0, found = (double)d->data[i * CLASSES + c];
      cr_assert(fabs(found - expected) <= sum_tolerance() * fabs(expected) + 0.01 * sum_tolerance(),
                "%s rows, variant %d: row %d, output %d: %.9g, formula %.9g", order, variant, i, c, found, expected);
    }
}

Test(loss, gradients_agree_with_the_formula_for_rows_in_any_order)
{
  static const hg_loss_kind kinds[] = {HG_LOSS_CROSS_ENTROPY, HG_LOSS_BCE, HG_LOSS_MSE};
  for (int v = 0; v < 4; v++) {
    problem *p = make(kinds[v % 3], v == 3 ? 0.2 : 0, v == 3);
    hg_matrix z = random_matrix(ROWS, CLASSES, 9), d = random_matrix(ROWS, CLASSES, 4);
    hg_loss_compute(&p->loss, &p->truth, p->rows, CHOSEN, &p->z, p->total_weight, &d);
    expect_naive_gradient(p, &d, "ascending", v);
    for (int r = 0; r < CHOSEN; r++) p->rows[r] = 2 * (r * 5 % CHOSEN) + 1;
    hg_loss_compute(&p->loss, &p->truth, p->rows, CHOSEN, &p->z, p->total_weight, &d);
    expect_naive_gradient(p, &d, "shuffled", v);
    cr_expect_arr_eq(p->z.data, z.data, ROWS * CLASSES * sizeof *z.data, "variant %d: the outputs changed", v);
    hg_matrix_free(&z), hg_matrix_free(&d);
    drop(p);
  }
}

Test(loss, gradients_match_central_differences)
{
  for (int options = 0; options < 6; options++) {
    hg_loss_kind kind = options < 4 ? HG_LOSS_CROSS_ENTROPY : options == 4 ? HG_LOSS_BCE : HG_LOSS_MSE;
    problem *p = make(kind, options & 1 && options < 4 ? 0.1 : 0, options & 2 && options < 4);
    hg_matrix d = random_matrix(ROWS, CLASSES, 1);
    hg_loss_compute(&p->loss, &p->truth, p->rows, CHOSEN, &p->z, p->total_weight, &d);
    expect_gradient(mean_loss, p, p->z.data, ROWS * CLASSES, d.data, "logits");
    for (int c = 0; c < CLASSES; c++) cr_expect_eq(d.data[c], 0, "row 0 was not chosen");
    hg_matrix_free(&d), drop(p);
  }
}

Test(loss, gradient_may_be_written_over_the_outputs)
{
  static const hg_loss_kind kinds[] = {HG_LOSS_CROSS_ENTROPY, HG_LOSS_BCE, HG_LOSS_MSE};
  for (int v = 0; v < 6; v++) {
    problem *p = make(kinds[v % 3], v < 3 ? 0 : 0.2, v >= 3);
    hg_matrix d = random_matrix(ROWS, CLASSES, 4);
    hg_loss_sums apart = hg_loss_compute(&p->loss, &p->truth, p->rows, CHOSEN, &p->z, p->total_weight, &d);
    hg_loss_sums over = hg_loss_compute(&p->loss, &p->truth, p->rows, CHOSEN, &p->z, p->total_weight, &p->z);
    cr_expect_eq(apart.loss, over.loss, "variant %d", v);
    cr_expect_eq(apart.weight, over.weight, "variant %d", v);
    cr_expect_arr_eq(d.data, p->z.data, ROWS * CLASSES * sizeof *d.data, "variant %d", v);
    hg_matrix_free(&d);
    drop(p);
  }
}

#ifndef NDEBUG
// cleared outputs would give the gradient at 0
Test(loss, gradient_over_the_outputs_asserts_that_rows_ascend, .signal = SIGABRT)
{
  problem *p = make(HG_LOSS_CROSS_ENTROPY, 0, false);
  p->rows[0] = 3, p->rows[1] = 1;
  hg_loss_compute(&p->loss, &p->truth, p->rows, CHOSEN, &p->z, p->total_weight, &p->z);
}
#endif

Test(loss, of_huge_logits_is_finite)
{
  hg_real z[6] = {1000, -1000, 0, -1000, 1000, 1000}, d[6];
  int32_t labels[2] = {1, 2};
  uint8_t bits[2] = {2, 0};
  hg_lid rows[2] = {0, 1};
  hg_matrix logits = hg_matrix_view(z, 2, 3), d_z = hg_matrix_view(d, 2, 3);
  hg_truth truth = {.labels = labels, .label_bits = bits, .classes = 3};
  hg_loss entropy = {.kind = HG_LOSS_CROSS_ENTROPY}, binary = {.kind = HG_LOSS_BCE};
  hg_loss_sums sums = hg_loss_compute(&entropy, &truth, rows, 2, &logits, 2, &d_z);
  cr_expect_float_eq(sums.loss, 2000 + log(2), 1e-6, "%g", sums.loss);
  for (int k = 0; k < 6; k++) cr_expect(isfinite((double)d[k]));
  sums = hg_loss_compute(&binary, &truth, rows, 2, &logits, 6, &d_z);
  cr_expect(isfinite(sums.loss));
  for (int k = 0; k < 6; k++) cr_expect(isfinite((double)d[k]));
}

Test(loss, clears_all_rows_that_are_not_chosen_in_any_order)
{
  enum { N = 900, C = 20 };
  static int32_t labels[N];
  static hg_lid rows[N];
  hg_matrix z = random_matrix(N, C, 1), d = random_matrix(N, C, 2), again = random_matrix(N, C, 3);
  hg_truth truth = {.labels = labels, .classes = C};
  hg_loss loss = {.kind = HG_LOSS_CROSS_ENTROPY};
  for (int every = 1; every < 1000; every = 3 * every + 1) {
    int n = 0;
    bool chosen[N] = {false};
    for (int i = every / 2; i < N; i += every) rows[n++] = i;
    for (int i = 0; i < N; i++) labels[i] = i % 7 ? i % C : -1;
    for (int r = 0; r < n; r++) chosen[rows[r]] = labels[rows[r]] >= 0;
    hg_loss_compute(&loss, &truth, rows, n, &z, n, &d);
    for (int i = 0; i < N * C; i++) cr_assert_eq(d.data[i] != 0, chosen[i / C], "every %d: row %d", every, i / C);
    for (int r = 0; r < n / 2; r++) {
      hg_lid swap = rows[r];
      rows[r] = rows[n - 1 - r];
      rows[n - 1 - r] = swap;
    }
    hg_loss_compute(&loss, &truth, rows, n, &z, n, &again);
    cr_assert_arr_eq(d.data, again.data, (size_t)N * C * sizeof(hg_real), "every %d", every);
  }
  hg_loss_compute(&loss, &truth, rows, 0, &z, 1, &d);
  for (int i = 0; i < N * C; i++) cr_assert_eq(d.data[i], 0);
  hg_matrix_free(&z), hg_matrix_free(&d), hg_matrix_free(&again);
}

Test(loss, logarithm_of_the_kernels_is_the_librarys)
{
  double worst = 0;
  for (int k = 0; k < 200000; k++) {
    double x = k < 100000 ? 1 + k * 1e-3 : exp((k - 150000) * 0.01), expected = log(x);
    worst = fmax(worst, fabs(log_positive(x) - expected) / fmax(1, fabs(expected)));
  }
  cr_expect_leq(worst, 4e-16, "%g", worst);
  cr_expect(isnan(log_positive(NAN)));
  cr_expect_eq(log_positive(1), 0);
}

Test(loss, kernels_agree_and_show_a_nan)
{
  enum { N = 70, C = 43 };
  const char *const levels[] = {"base", "avx2", "avx512"};
  hg_matrix z = random_matrix(N, C, 1), d = random_matrix(N, C, 2);
  int32_t labels[N];
  hg_lid rows[N];
  double first = 0;
  for (int i = 0; i < N; i++) labels[i] = i % C, rows[i] = i;
  hg_truth truth = {.labels = labels, .classes = C};
  hg_loss loss = {.kind = HG_LOSS_CROSS_ENTROPY};
  for (int k = 0; k < 3; k++) {
    setenv("HALOGNN_SIMD", levels[k], 1);
    double found = hg_loss_compute(&loss, &truth, rows, N, &z, N, &d).loss;
    if (k == 0) first = found;
    cr_expect_float_eq(found, first, 1e-5, "%s: %.12g, %.12g", levels[k], found, first);
    hg_real kept = z.data[5 * C + 40];
    z.data[5 * C + 40] = (hg_real)NAN;
    cr_expect(isnan(hg_loss_compute(&loss, &truth, rows, N, &z, N, &d).loss), "%s", levels[k]);
    cr_expect(isnan((double)d.data[5 * C]), "%s", levels[k]);
    z.data[5 * C + 40] = kept;
  }
  hg_matrix_free(&z), hg_matrix_free(&d);
}

Test(loss, same_bits_on_any_number_of_threads)
{
  enum { N = 5000, C = 17 };
  hg_matrix z = random_matrix(N, C, 1), one = random_matrix(N, C, 2), three = random_matrix(N, C, 3);
  int32_t *labels = malloc(N * sizeof *labels);
  hg_lid *rows = malloc(N * sizeof *rows);
  for (int i = 0; i < N; i++) labels[i] = i % C, rows[i] = N - 1 - i;
  hg_truth truth = {.labels = labels, .classes = C};
  hg_loss loss = {.kind = HG_LOSS_CROSS_ENTROPY};
  hg_threads_set(1);
  hg_loss_sums a = hg_loss_compute(&loss, &truth, rows, N, &z, N, &one);
  hg_threads_set(3);
  hg_loss_sums b = hg_loss_compute(&loss, &truth, rows, N, &z, N, &three);
  cr_expect_eq(a.loss, b.loss);
  cr_expect_arr_eq(one.data, three.data, N * C * sizeof(hg_real));
  hg_matrix_free(&z), hg_matrix_free(&one), hg_matrix_free(&three), free(labels), free(rows);
}

Test(loss, nothing_chosen_is_zero)
{
  problem *p = make(HG_LOSS_CROSS_ENTROPY, 0, false);
  hg_matrix d = random_matrix(ROWS, CLASSES, 1);
  hg_loss_sums sums = hg_loss_compute(&p->loss, &p->truth, p->rows, 0, &p->z, 0, &d);
  cr_expect(sums.loss == 0 && sums.weight == 0);
  for (int k = 0; k < ROWS * CLASSES; k++) cr_expect_eq(d.data[k], 0);
  hg_matrix_free(&d), drop(p);
}

Test(predict, gives_probabilities)
{
  hg_matrix z = random_matrix(5, 4, 1), p = random_matrix(5, 4, 2);
  z.data[0] = 5000;
  hg_loss_predict(HG_LOSS_CROSS_ENTROPY, &z, &p);
  for (int i = 0; i < 5; i++) {
    double sum = 0;
    for (int c = 0; c < 4; c++) sum += (double)p.data[4 * i + c];
    cr_expect_float_eq(sum, 1, 1e-6);
  }
  hg_loss_predict(HG_LOSS_BCE, &z, &p);
  for (int k = 0; k < 20; k++) cr_expect_float_eq((double)p.data[k], 1 / (1 + exp(-(double)z.data[k])), 1e-6);
  hg_loss_predict(HG_LOSS_MSE, &z, &p);
  cr_expect_arr_eq(p.data, z.data, 20 * sizeof(hg_real));
  hg_matrix_free(&z), hg_matrix_free(&p);
}

Test(exponential, is_the_library_s_to_rounding)
{
  double worst = 0;
  for (int i = 0; i <= 100000; i++) {
    hg_real x = (hg_real)(-i * 8.6e-4);
    double expected = exp((double)x);
    worst = fmax(worst, fabs((double)hg_exp_negative(x) - expected) / expected);
  }
  cr_expect(worst < (sizeof(hg_real) == 8 ? 1e-15 : 2.5e-7), "relative error %g", worst);
  cr_expect_eq(hg_exp_negative(0), 1);
  cr_expect(hg_exp_negative((hg_real)-INFINITY) < (hg_real)1e-37);
  cr_expect(isnan((double)hg_exp_negative((hg_real)NAN)));
}
