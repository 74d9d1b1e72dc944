#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/tensor/quantise.h"
#include "tests/support/naive.h"

enum { ROWS = 9, COLS = 32, CHOICES = 19683 }; // 3^9
static const hg_pack_format widths[] = {HG_PACK_INT8, HG_PACK_INT4, HG_PACK_INT2};
static const double levels[] = {255, 15, 3};
static const hg_pack_draw draw = {.seed = 5, .epoch = 2, .layer = 1};

typedef struct {
  hg_matrix x;
  float weights[ROWS];
  hg_gid ids[ROWS];
} problem;

// Rows of very different ranges, with weights
static problem make(uint64_t seed)
{
  problem p = {.x = random_matrix(ROWS, COLS, seed)};
  for (int r = 0; r < ROWS; r++) {
    hg_rng rng = {seed, HG_STREAM_TEST};
    double scale = exp(2 * hg_rng_normal(rng, (uint64_t)r, 1));
    for (int k = 0; k < COLS; k++) p.x.data[r * COLS + k] *= (hg_real)scale;
    p.weights[r] = (float)hg_rng_uniform(rng, (uint64_t)r, 2);
    p.ids[r] = 10 * r + 3;
  }
  return p;
}

static size_t pack(const problem *p, double fraction, uint8_t *packed)
{
  float scores[ROWS];
  hg_lid chosen[ROWS];
  const hg_adaptive a = {.fraction = fraction, .weights = p->weights, .scores = scores, .chosen = chosen};
  return hg_pack_adaptive(&(hg_packing){.draw = draw, .x = &p->x, .ids = p->ids}, &a, ROWS, packed);
}

static int code_at(const uint8_t *packed, int row) { return packed[row / 4] >> row % 4 * 2 & 3; }

static double score_of(const problem *p, int row)
{
  double least = INFINITY, most = -INFINITY;
  for (int k = 0; k < COLS; k++) {
    least = fmin(least, (double)p->x.data[row * COLS + k]);
    most = fmax(most, (double)p->x.data[row * COLS + k]);
  }
  return (most - least) * (most - least) * (double)p->weights[row];
}

static double variance_of(const double *scores, const int *codes)
{
  double sum = 0;
  for (int r = 0; r < ROWS; r++) sum += scores[r] / (levels[codes[r]] * levels[codes[r]]);
  return sum;
}

static size_t bytes_of(const int *codes)
{
  size_t bytes = (ROWS + 3) / 4;
  for (int r = 0; r < ROWS; r++) bytes += hg_pack_row_bytes(widths[codes[r]], COLS);
  return bytes;
}

// The least variance of all choices with at most so many bytes
static double best_of(const double *scores, size_t bytes)
{
  double best = INFINITY;
  for (int choice = 0; choice < CHOICES; choice++) {
    int codes[ROWS];
    for (int r = 0, rest = choice; r < ROWS; r++, rest /= 3) codes[r] = rest % 3;
    if (bytes_of(codes) <= bytes) best = fmin(best, variance_of(scores, codes));
  }
  return best;
}

// No choice of as many bytes as it used has less variance, and it uses what it may but for a row's next step.
Test(quantise_adaptive, the_choice_is_the_best_for_its_bytes)
{
  for (uint64_t seed = 1; seed <= 12; seed++) {
    problem p = make(seed);
    uint8_t packed[ROWS * (COLS + 5)];
    double scores[ROWS];
    for (int r = 0; r < ROWS; r++) scores[r] = score_of(&p, r);
    for (double fraction = 0.05; fraction < 0.4; fraction += 0.07) {
      size_t bytes = pack(&p, fraction, packed);
      int codes[ROWS];
      for (int r = 0; r < ROWS; r++) codes[r] = code_at(packed, r);
      cr_expect_eq(bytes, bytes_of(codes));
      double budget = fraction * 4 * ROWS * COLS, least = 3 + ROWS * 12.0, most = 3 + ROWS * 36.0;
      cr_expect((double)bytes <= fmax(budget, least), "seed %d: %zu bytes of %g", (int)seed, bytes, budget);
      cr_expect((double)bytes > fmin(fmax(budget, least), most) - 17, "seed %d: %zu bytes of %g", (int)seed, bytes,
                budget);
      cr_expect(variance_of(scores, codes) <= best_of(scores, bytes) * 1.00001, "seed %d, fraction %g", (int)seed,
                fraction);
    }
    hg_matrix_free(&p.x);
  }
}

// Rows are those that hg_pack_rows gives with the same bits; in place, added, and by a list.
Test(quantise_adaptive, rows_come_as_with_fixed_bits)
{
  problem p = make(3);
  uint8_t packed[ROWS * (COLS + 5)], one[COLS + 5];
  hg_lid rows[ROWS], chosen[ROWS];
  hg_matrix y = random_matrix(ROWS, COLS, 1), z = random_matrix(ROWS, COLS, 2), row = random_matrix(1, COLS, 3);
  pack(&p, 0.2, packed);
  memset(z.data, 0, ROWS * COLS * sizeof *z.data);
  for (int r = 0; r < ROWS; r++) rows[r] = (r * 4 + 2) % ROWS;
  hg_unpack_adaptive(packed, ROWS, NULL, false, chosen, &y);
  hg_unpack_adaptive(packed, ROWS, rows, true, chosen, &z);
  for (int r = 0; r < ROWS; r++) {
    hg_lid at = r;
    hg_pack_format format = widths[code_at(packed, r)];
    hg_pack_rows(&(hg_packing){.format = format, .draw = draw, .x = &p.x, .rows = &at, .ids = p.ids}, 1, one);
    hg_unpack_rows(format, one, 1, NULL, false, &row);
    cr_expect_arr_eq(y.data + r * COLS, row.data, COLS * sizeof *row.data);
    cr_expect_arr_eq(z.data + rows[r] * COLS, row.data, COLS * sizeof *row.data);
  }
  hg_matrix_free(&p.x), hg_matrix_free(&y), hg_matrix_free(&z), hg_matrix_free(&row);
}

Test(quantise_adaptive, nothing_and_rows_without_range_are_packed)
{
  problem p = make(4);
  uint8_t packed[ROWS * (COLS + 5)];
  hg_lid chosen[ROWS];
  const hg_adaptive a = {.fraction = 1};
  cr_expect_eq(hg_pack_adaptive(&(hg_packing){.draw = draw, .x = &p.x, .ids = p.ids}, &a, 0, packed), 0);
  for (int k = 0; k < ROWS * COLS; k++) p.x.data[k] = k < COLS ? 3 : k < 2 * COLS ? (hg_real)NAN : p.x.data[k];
  pack(&p, 1, packed);
  cr_expect_eq(code_at(packed, 0), 2);
  cr_expect_eq(code_at(packed, 2), 0);
  hg_unpack_adaptive(packed, ROWS, NULL, false, chosen, &p.x);
  cr_expect_eq(p.x.data[5], 3);
  cr_expect(isnan(p.x.data[COLS + 5]));
  hg_matrix_free(&p.x);
}

Test(quantise_adaptive, threads_change_nothing)
{
  problem p = make(6);
  uint8_t one[ROWS * (COLS + 5)] = {0}, three[ROWS * (COLS + 5)] = {0};
  hg_threads_set(1);
  pack(&p, 0.15, one);
  hg_threads_set(3);
  pack(&p, 0.15, three);
  hg_threads_set(1);
  cr_expect_arr_eq(one, three, sizeof one);
  hg_matrix_free(&p.x);
}
