#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/tensor/bf16.h"
#include "core/tensor/quantise.h"
#include "tests/support/naive.h"

static const char *const levels[] = {"base", "avx2", "avx512"};
enum { N_LEVELS = sizeof levels / sizeof *levels };
static const hg_pack_format formats[] = {HG_PACK_BFLOAT16, HG_PACK_INT8, HG_PACK_INT4, HG_PACK_INT2};
enum { N_FORMATS = sizeof formats / sizeof *formats };
static const hg_pack_draw draw = {
    .seed = 0x123456789abcdef, .epoch = 70000, .layer = 63, .backward = true, .sender = 5};

static int bits_of_format(hg_pack_format f) { return f == HG_PACK_INT8 ? 8 : f == HG_PACK_INT4 ? 4 : 2; }

static uint32_t bits_of(float x)
{
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits)
{
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static void *room(hg_off n, size_t size)
{
  void *p = NULL;
  cr_assert_eq(hg_alloc(&p, n, size, "test"), HG_OK);
  return p;
}

static hg_gid *some_ids(hg_off n)
{
  hg_gid *ids = room(n, sizeof *ids);
  for (hg_off i = 0; i < n; i++) ids[i] = ((hg_gid)1 << 33) + 7 * i;
  return ids;
}

static uint32_t random16(hg_pack_draw d, hg_gid id, int column)
{
  uint32_t words[4];
  hg_rng rng = {d.seed, (uint32_t)d.epoch << 8 | (uint32_t)(d.backward ? HG_STREAM_PACK_GRADIENT : HG_STREAM_PACK)};
  hg_rng_words(rng, (uint64_t)id + ((uint64_t)d.sender << 48), (uint32_t)d.layer << 24 | (uint32_t)(column / 8), words);
  return words[column % 8 / 2] >> (column % 2 * 16) & 0xffff;
}

// The least number and the range of a row as they are sent
typedef struct {
  float least, range;
} stored;

static stored range_of(const hg_real *x, int n)
{
  float least = (float)x[0], most = (float)x[0];
  for (int k = 0; k < n; k++) least = fminf(least, (float)x[k]), most = fmaxf(most, (float)x[k]);
  float down = float_of(bits_of(least) & 0xffff0000);
  if (down > least) down = float_of((bits_of(least) & 0xffff0000) + 0x10000);
  float range = fmaxf(most - down, 0x1p-100F), up = float_of(bits_of(range) & 0xffff0000);
  if (up < range) up = float_of(bits_of(up) + 0x10000);
  return (stored){down, up};
}

// A row by the definition, with plain loops. It has two numbers at least and they are finite.
static void pack_by_definition(hg_pack_format f, hg_pack_draw d, const hg_real *x, int n, hg_gid id, uint8_t *row)
{
  memset(row, 0, hg_pack_row_bytes(f, n));
  if (f == HG_PACK_BFLOAT16) {
    for (int k = 0; k < n; k++) {
      uint32_t bits = bits_of((float)x[k]), half = bits >> 16;
      if (d.backward)
        half = (bits + random16(d, id, k)) >> 16;
      else if ((bits & 0xffff) + (half & 1) > 0x8000)
        half++;
      row[2 * k] = (uint8_t)half;
      row[2 * k + 1] = (uint8_t)(half >> 8);
    }
    return;
  }
  stored s = range_of(x, n);
  int b = bits_of_format(f), most = (1 << b) - 1;
  uint32_t header[2] = {bits_of(s.least) >> 16, bits_of(s.range) >> 16};
  for (int k = 0; k < 2; k++) row[2 * k] = (uint8_t)header[k], row[2 * k + 1] = (uint8_t)(header[k] >> 8);
  for (int k = 0; k < n; k++) {
    float scaled = ((float)x[k] - s.least) * ((float)most * 65536 / s.range);
    int q = (int)(((uint32_t)(scaled + 0.5F) + random16(d, id, k)) / 65536);
    row[4 + k * b / 8] |= (uint8_t)((q < most ? q : most) << k * b % 8);
  }
}

static void check_widths(hg_pack_format f, hg_pack_draw d, const int *widths, int n_widths)
{
  enum { ROWS = 21 };
  hg_gid *ids = some_ids(2 * ROWS);
  for (int w = 0; w < n_widths; w++) {
    int n = widths[w];
    size_t bytes = hg_pack_row_bytes(f, n);
    hg_matrix x = random_matrix(2 * ROWS, n, (uint64_t)n);
    hg_lid rows[ROWS];
    uint8_t *packed = room(ROWS + 1, bytes), *expected = room(1, bytes);
    for (int r = 0; r < ROWS; r++) rows[r] = (r * 11 + 3) % (2 * ROWS);
    for (int l = 0; l < N_LEVELS; l++) {
      setenv("HALOGNN_SIMD", levels[l], 1);
      memset(packed, 0xee, (ROWS + 1) * bytes);
      hg_pack_rows(&(hg_packing){.format = f, .draw = d, .x = &x, .rows = rows, .ids = ids}, ROWS, packed);
      for (int r = 0; r < ROWS; r++) {
        pack_by_definition(f, d, x.data + (hg_off)rows[r] * n, n, ids[rows[r]], expected);
        cr_assert(memcmp(packed + (size_t)r * bytes, expected, bytes) == 0, "%s, %s, width %d: row %d", levels[l],
                  hg_pack_format_name(f), n, r);
      }
      for (size_t k = 0; k < bytes; k++) cr_assert_eq(packed[ROWS * bytes + k], 0xee, "written behind the rows");
    }
    hg_matrix_free(&x);
    hg_free(&packed), hg_free(&expected);
  }
  hg_free(&ids);
}

// Width 1 is a row of one value, which has a test of its own
Test(quantise, rows_are_packed_by_the_definition_on_every_level)
{
  int widths[70];
  for (int w = 0; w < 66; w++) widths[w] = w + 2;
  widths[66] = 300, widths[67] = 2048, widths[68] = 2101, widths[69] = 5001;
  hg_pack_draw forward = draw;
  forward.backward = false;
  for (int f = 0; f < N_FORMATS; f++) {
    check_widths(formats[f], draw, widths, 70);
    check_widths(formats[f], forward, widths, 70);
  }
}

static void check_round_trip(hg_pack_format f, int n, float size)
{
  hg_matrix x = random_matrix(9, n, (uint64_t)n), y = random_matrix(9, n, 1);
  hg_gid *ids = some_ids(9);
  uint8_t *packed = room(9, hg_pack_row_bytes(f, n));
  for (hg_off k = 0; k < 9 * n; k++) x.data[k] *= (hg_real)size;
  hg_pack_rows(&(hg_packing){.format = f, .draw = draw, .x = &x, .ids = ids}, 9, packed);
  hg_unpack_rows(f, packed, 9, NULL, false, &y);
  for (int r = 0; r < 9; r++) {
    const hg_real *from = x.data + (hg_off)r * n, *to = y.data + (hg_off)r * n;
    double step = f == HG_PACK_BFLOAT16 ? 0 : (double)range_of(from, n).range / ((1 << bits_of_format(f)) - 1);
    for (int k = 0; k < n; k++) {
      double bound = f == HG_PACK_BFLOAT16 ? fabs((double)from[k]) / 128 : step * 1.0001 + fabs((double)from[k]) * 1e-6;
      cr_assert(fabs((double)(to[k] - from[k])) <= bound, "%s, width %d, row %d, column %d: %g came as %g",
                hg_pack_format_name(f), n, r, k, (double)from[k], (double)to[k]);
    }
  }
  hg_matrix_free(&x), hg_matrix_free(&y);
  hg_free(&ids), hg_free(&packed);
}

Test(quantise, a_number_comes_within_a_step_of_what_it_was)
{
  for (int f = 0; f < N_FORMATS; f++)
    for (int n = 1; n <= 67; n++)
      for (int e = -30; e <= 30; e += 15) check_round_trip(formats[f], n, powf(10, (float)e));
}

Test(quantise, rows_of_one_value_arrive_exactly)
{
  const float values[] = {0, -0.0F, 1, 0.1F, -1.0e30F, FLT_MAX, -FLT_MAX, FLT_MIN / 8, 3.14159265F, -1.0e-37F};
  enum { VALUES = sizeof values / sizeof *values, WIDEST = 67 };
  hg_gid *ids = some_ids(VALUES);
  for (int f = 1; f < N_FORMATS; f++)
    for (int n = 1; n <= WIDEST; n++) {
      hg_matrix x = random_matrix(VALUES, n, 1), y = random_matrix(VALUES, n, 2);
      uint8_t packed[VALUES * (WIDEST + 4)];
      for (hg_off k = 0; k < VALUES * n; k++) x.data[k] = (hg_real)values[k / n];
      hg_pack_rows(&(hg_packing){.format = formats[f], .draw = draw, .x = &x, .ids = ids}, VALUES, packed);
      hg_unpack_rows(formats[f], packed, VALUES, NULL, false, &y);
      cr_assert_arr_eq(x.data, y.data, (size_t)(VALUES * n) * sizeof *x.data);
      hg_matrix_free(&x), hg_matrix_free(&y);
    }
  hg_free(&ids);
}

// What is not finite must reach the loss, where all ranks agree about it
Test(quantise, what_is_not_finite_stays_visible)
{
  const float bad[] = {NAN, -NAN, INFINITY, -INFINITY, FLT_MAX};
  hg_gid id = 4;
  for (int l = 0; l < N_LEVELS; l++)
    for (int f = 0; f < N_FORMATS; f++)
      for (int b = 0; b < 5; b++)
        for (int at = 0; at < 37; at += 6) {
          hg_matrix x = random_matrix(1, 37, 3), y = random_matrix(1, 37, 4);
          uint8_t packed[2 * 37];
          setenv("HALOGNN_SIMD", levels[l], 1);
          x.data[at] = (hg_real)bad[b];
          if (b == 4) x.data[(at + 1) % 37] = -(hg_real)FLT_MAX; // the range is not finite
          hg_pack_rows(&(hg_packing){.format = formats[f], .draw = draw, .x = &x, .ids = &id}, 1, packed);
          hg_unpack_rows(formats[f], packed, 1, NULL, false, &y);
          for (int k = 0; k < 37; k++) {
            bool expected = formats[f] != HG_PACK_BFLOAT16 || (k == at && b < 2);
            cr_assert_eq(isnan(y.data[k]), expected, "%s, %s, number %d at %d: column %d is %g", levels[l],
                         hg_pack_format_name(formats[f]), b, at, k, (double)y.data[k]);
          }
          if (formats[f] == HG_PACK_BFLOAT16 && b >= 2) cr_assert(isinf(y.data[at]) || b == 4);
          hg_matrix_free(&x), hg_matrix_free(&y);
        }
}

// Errors of one row in units of its step, over many epochs
enum { DRAWS = 20000, COLUMNS = 64 };

typedef struct {
  double mean[COLUMNS], square[COLUMNS], fraction[COLUMNS]; // fraction: of a step that x lies above a level
  double all;                                               // mean of all columns
} error_moments;

static void measure_errors(hg_pack_format f, bool backward, error_moments *m)
{
  hg_matrix x = random_matrix(1, COLUMNS, 77), y = random_matrix(1, COLUMNS, 1);
  hg_gid id = 123456789;
  uint8_t packed[2 * COLUMNS];
  stored s = range_of(x.data, COLUMNS);
  memset(m, 0, sizeof *m);
  for (int e = 0; e < DRAWS; e++) {
    const hg_pack_draw d = {.seed = 1, .epoch = e, .layer = 2, .backward = backward};
    hg_pack_rows(&(hg_packing){.format = f, .draw = d, .x = &x, .ids = &id}, 1, packed);
    hg_unpack_rows(f, packed, 1, NULL, false, &y);
    for (int k = 0; k < COLUMNS; k++) {
      double exact = (double)(float)x.data[k], step, above;
      if (f == HG_PACK_BFLOAT16) {
        double below = (double)float_of(bits_of((float)exact) & 0xffff0000);
        step = fabs((double)float_of((bits_of((float)exact) & 0xffff0000) + 0x10000) - below);
        above = fabs(exact - below) / step;
      } else {
        step = (double)s.range / ((1 << bits_of_format(f)) - 1);
        above = (exact - (double)s.least) / step;
      }
      double error = ((double)y.data[k] - exact) / step;
      m->fraction[k] = above - floor(above);
      m->mean[k] += error / DRAWS;
      m->square[k] += error * error / DRAWS;
      m->all += error / DRAWS / COLUMNS;
    }
  }
  hg_matrix_free(&x), hg_matrix_free(&y);
}

// Errors lie in (-1, 1) steps, within an interval of length 1 for each column. By Hoeffding's inequality a mean of n
// unbiased ones is off by more than t with a probability below 2 exp(-2 n t^2): for each of the comparisons below
// under 2e-12, so that all 1,000 of them fail a right quantiser with one below 2e-9. (2^-16: what it may be biased.)
static double allowed(double n) { return sqrt(log(2 / 2e-12) / (2 * n)) + 0x1p-16; }

static void check_unbiased(hg_pack_format f, bool backward)
{
  error_moments m;
  measure_errors(f, backward, &m);
  const char *name = hg_pack_format_name(f);
  for (int k = 0; k < COLUMNS; k++) {
    double variance = m.fraction[k] * (1 - m.fraction[k]);
    cr_expect(fabs(m.mean[k]) < allowed(DRAWS), "%s: column %d has a mean error of %g steps", name, k, m.mean[k]);
    cr_expect(m.square[k] < 0.25 + allowed(DRAWS), "%s: column %d has a variance of %g steps^2", name, k, m.square[k]);
    cr_expect(fabs(m.square[k] - variance) < allowed(DRAWS), "%s: column %d has a variance of %g steps^2, expected %g",
              name, k, m.square[k], variance);
  }
  cr_expect(fabs(m.all) < allowed((double)DRAWS * COLUMNS), "%s: mean error of %g steps", name, m.all);
}

Test(quantise, integers_are_unbiased_with_a_variance_of_at_most_a_quarter_step)
{
  for (int f = 1; f < N_FORMATS; f++)
    for (int backward = 0; backward < 2; backward++) check_unbiased(formats[f], backward);
}

Test(quantise, bfloat16_is_unbiased_backward) { check_unbiased(HG_PACK_BFLOAT16, true); }

// How often each column is rounded up is binomial: the sum of the squared normed deviations is chi-square of 64 degrees
// of freedom, above 160 with a probability below 1e-9 (Wilson and Hilferty: six deviations).
Test(quantise, roundings_up_pass_a_chi_square_test)
{
  for (int backward = 0; backward < 2; backward++) {
    error_moments m;
    double sum = 0;
    measure_errors(HG_PACK_INT4, backward, &m);
    for (int k = 0; k < COLUMNS; k++) {
      double p = m.fraction[k];
      if (p * (1 - p) < 1e-3) continue; // too rare to be normal
      sum += m.mean[k] * m.mean[k] * DRAWS / (p * (1 - p));
    }
    cr_expect(sum < 160, "chi-square %g", sum);
    cr_expect(sum > 15, "chi-square %g: draws repeat", sum); // below with a probability under 1e-9
  }
}

Test(quantise, bfloat16_values_go_to_the_nearest)
{
  enum { N = 5000 };
  hg_matrix x = random_matrix(1, N, 9);
  hg_gid id = 1;
  hg_bf16 packed[N], expected[N];
  hg_pack_rows(&(hg_packing){.format = HG_PACK_BFLOAT16, .x = &x, .ids = &id}, 1, (uint8_t *)packed);
  hg_bf16_from_real(x.data, N, expected);
  cr_assert_arr_eq(packed, expected, sizeof packed);
  hg_matrix_free(&x);
}

// Of two draws each part of the key makes another one; in 300 columns of int8 about 1.5 bits differ each
Test(quantise, every_part_of_the_key_draws_anew)
{
  enum { N = 300 };
  hg_matrix x = random_matrix(1, N, 9);
  hg_gid id = 1, other = 2;
  uint8_t first[N + 4], second[N + 4];
  hg_packing p = {.format = HG_PACK_INT8, .x = &x, .ids = &id};
  hg_pack_rows(&p, 1, first);
  hg_packing changed[] = {p, p, p, p, p, p};
  changed[0].draw.seed = 1;
  changed[1].draw.epoch = 1;
  changed[2].draw.layer = 1;
  changed[3].draw.backward = true;
  changed[4].draw.sender = 1;
  changed[5].ids = &other;
  for (int c = 0; c < 6; c++) {
    int differ = 0;
    hg_pack_rows(&changed[c], 1, second);
    for (int k = 4; k < N + 4; k++) differ += first[k] != second[k];
    cr_expect(differ > N / 10, "change %d: %d of %d numbers differ", c, differ, N);
  }
  hg_matrix_free(&x);
}

Test(quantise, threads_and_rows_change_nothing)
{
  enum { ROWS = 500, N = 67 };
  hg_matrix x = random_matrix(ROWS, N, 5), y = random_matrix(ROWS, N, 6), z = random_matrix(ROWS, N, 6);
  hg_gid *ids = some_ids(ROWS);
  hg_lid rows[ROWS];
  for (int r = 0; r < ROWS; r++) rows[r] = (r * 7) % ROWS;
  for (int f = 0; f < N_FORMATS; f++) {
    size_t bytes = hg_pack_row_bytes(formats[f], N);
    uint8_t *one = room(ROWS, bytes), *three = room(ROWS, bytes);
    const hg_packing all = {.format = formats[f], .draw = draw, .x = &x, .ids = ids};
    const hg_packing some = {.format = formats[f], .draw = draw, .x = &x, .ids = ids, .rows = rows};
    hg_threads_set(1);
    hg_pack_rows(&all, ROWS, one);
    hg_unpack_rows(formats[f], one, ROWS, NULL, true, &y);
    hg_threads_set(3);
    hg_pack_rows(&some, ROWS, three);
    hg_unpack_rows(formats[f], three, ROWS, rows, true, &z);
    for (int r = 0; r < ROWS; r++) cr_assert_arr_eq(three + (size_t)r * bytes, one + (size_t)rows[r] * bytes, bytes);
    cr_assert_arr_eq(y.data, z.data, ROWS * N * sizeof *y.data);
    hg_free(&one), hg_free(&three);
  }
  hg_threads_set(1);
  hg_free(&ids);
  hg_matrix_free(&x), hg_matrix_free(&y), hg_matrix_free(&z);
}

// The sum of what is sent follows the sum of what should be, and lacks less than one rounding however often it is sent
Test(quantise, error_feedback_sends_later_what_was_rounded_off)
{
  enum { N = 50, TIMES = 300 };
  for (int f = 0; f < N_FORMATS; f++) {
    hg_matrix x = random_matrix(1, N, 5), sent = random_matrix(1, N, 6);
    hg_gid id = 3;
    hg_real error[N] = {0};
    uint8_t packed[2 * N];
    memset(sent.data, 0, N * sizeof *sent.data);
    for (int e = 0; e < TIMES; e++) {
      const hg_pack_draw d = {.seed = 1, .epoch = e};
      const hg_packing p = {.format = formats[f], .draw = d, .x = &x, .ids = &id, .error = error};
      hg_pack_rows(&p, 1, packed);
      hg_unpack_rows(formats[f], packed, 1, NULL, true, &sent);
    }
    for (int k = 0; k < N; k++) {
      double lacks = TIMES * (double)x.data[k] - (double)sent.data[k];
      cr_expect(fabs(lacks - (double)error[k]) < 1e-3, "%s: lacks %g, kept %g", hg_pack_format_name(formats[f]), lacks,
                (double)error[k]);
      cr_expect(fabs(lacks) < 3, "%s: lacks %g", hg_pack_format_name(formats[f]), lacks);
    }
    hg_matrix_free(&x), hg_matrix_free(&sent);
  }
}

Test(quantise, sizes_and_names_of_rows)
{
  cr_expect_eq(hg_pack_row_bytes(HG_PACK_REAL, 256), 256 * sizeof(hg_real));
  cr_expect_eq(hg_pack_row_bytes(HG_PACK_BFLOAT16, 256), 512);
  cr_expect_eq(hg_pack_row_bytes(HG_PACK_INT8, 256), 260);
  cr_expect_eq(hg_pack_row_bytes(HG_PACK_INT4, 256), 132);
  cr_expect_eq(hg_pack_row_bytes(HG_PACK_INT2, 256), 68);
  cr_expect_eq(hg_pack_row_bytes(HG_PACK_INT4, 7), 8);
  cr_expect_eq(hg_pack_row_bytes(HG_PACK_INT2, 1), 5);
  cr_expect_str_eq(hg_pack_format_name(HG_PACK_REAL), "float32");
  cr_expect_str_eq(hg_pack_format_name(HG_PACK_INT2), "int2");
}
