#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/tensor/nonzero.h"
#include "tests/support/naive.h"

static const char *const levels[] = {"base", "avx2", "avx512"};
static const int widths[] = {1, 2, 15, 16, 17, 63, 64, 65, 100, 128, 256, 300, 1000};
static const double shares[] = {0, 0.1, 0.5, 1}; // of zeros
enum { N_LEVELS = 3, N_WIDTHS = sizeof widths / sizeof *widths, N_SHARES = 4, ROWS = 40, SENT = 17 };

static void *room(hg_off n, size_t size)
{
  void *p = NULL;
  cr_assert_eq(hg_alloc(&p, n, size, "test"), HG_OK);
  return p;
}

static hg_matrix some_zeros(int width, double share)
{
  hg_matrix x = random_matrix(ROWS, width, (uint64_t)width);
  for (hg_off k = 0; k < x.rows * width; k++)
    if (hg_rng_uniform((hg_rng){3, HG_STREAM_TEST}, (uint64_t)k, 0) < share) x.data[k] = k % 3 ? 0 : (hg_real)-0.0;
  return x;
}

// Bytes of the message by the definition, with plain loops
static size_t pack_by_definition(const hg_matrix *x, const hg_lid *rows, uint8_t *packed)
{
  size_t row_mask = ((size_t)x->cols + 63) / 64 * 8, used = SENT * row_mask;
  memset(packed, 0, used);
  for (int r = 0; r < SENT; r++)
    for (int c = 0; c < x->cols; c++) {
      hg_real value = x->data[(hg_off)rows[r] * x->cols + c];
      if (value == 0) continue;
      packed[(size_t)r * row_mask + (size_t)c / 8] |= (uint8_t)(1 << c % 8);
      memcpy(packed + used, &value, sizeof value);
      used += sizeof value;
    }
  return used;
}

static void check_message(const hg_matrix *x, const char *level)
{
  hg_lid rows[SENT];
  hg_off starts[SENT + 1];
  size_t most = SENT * hg_nonzero_row_bytes(HG_PACK_REAL, x->cols);
  uint8_t *packed = room((hg_off)most + 8, 1), *expected = room((hg_off)most, 1);
  hg_matrix filled = random_matrix(ROWS, x->cols, 8), added = random_matrix(ROWS, x->cols, 9), before = {0};
  cr_assert_eq(hg_matrix_create(&before, ROWS, x->cols, "test"), HG_OK);
  memcpy(before.data, added.data, (size_t)(ROWS * x->cols) * sizeof(hg_real));
  for (int r = 0; r < SENT; r++) rows[r] = (r * 11 + 3) % ROWS;
  setenv("HALOGNN_SIMD", level, 1);
  memset(packed, 0xee, most + 8);
  size_t bytes = hg_pack_nonzero(&(hg_packing){.x = x, .rows = rows}, SENT, starts, packed);
  cr_assert_eq(bytes, pack_by_definition(x, rows, expected), "%s, width %d: %zu bytes", level, x->cols, bytes);
  cr_assert(memcmp(packed, expected, bytes) == 0, "%s, width %d: other bytes", level, x->cols);
  cr_assert_eq(packed[bytes], 0xee, "written behind the message");
  hg_unpack_nonzero(HG_PACK_REAL, packed, SENT, rows, false, starts, &filled);
  hg_unpack_nonzero(HG_PACK_REAL, packed, SENT, rows, true, starts, &added);
  for (int r = 0; r < SENT; r++)
    for (int c = 0; c < x->cols; c++) {
      hg_off k = (hg_off)rows[r] * x->cols + c;
      hg_real value = x->data[k];
      cr_assert(filled.data[k] == value || (isnan(value) && isnan(filled.data[k])), "%s, width %d", level, x->cols);
      cr_assert(added.data[k] == before.data[k] + value || isnan(value), "%s, width %d", level, x->cols);
    }
  hg_free(&packed), hg_free(&expected);
  hg_matrix_free(&filled), hg_matrix_free(&added), hg_matrix_free(&before);
}

Test(nonzero, messages_are_as_defined_and_give_back_the_rows_on_every_level)
{
  for (int w = 0; w < N_WIDTHS; w++)
    for (int s = 0; s < N_SHARES; s++) {
      hg_matrix x = some_zeros(widths[w], shares[s]);
      if (s == 2) x.data[3 * widths[w]] = (hg_real)NAN; // of the first row that is sent
      for (int l = 0; l < N_LEVELS; l++) check_message(&x, levels[l]);
      hg_matrix_free(&x);
    }
}

// A row's zeros replaced by its least number: then all numbers draw and are rounded as those that are not 0 alone.
static hg_matrix without_zeros(const hg_matrix *x)
{
  hg_matrix y = {0};
  cr_assert_eq(hg_matrix_create(&y, x->rows, x->cols, "test"), HG_OK);
  for (hg_off i = 0; i < x->rows; i++) {
    hg_real *row = y.data + i * x->cols, least = 0;
    memcpy(row, x->data + i * x->cols, (size_t)x->cols * sizeof *row);
    for (int c = 0; c < x->cols; c++)
      if (row[c] != 0 && (least == 0 || row[c] < least)) least = row[c];
    for (int c = 0; c < x->cols; c++)
      if (row[c] == 0) row[c] = least;
  }
  return y;
}

static void check_rounded(const hg_matrix *x, hg_pack_format format, const char *level)
{
  const hg_pack_draw draw = {.seed = 5, .epoch = 7, .layer = 2, .backward = true, .sender = 3};
  size_t most = ROWS * hg_nonzero_row_bytes(format, x->cols);
  hg_off starts[ROWS + 1];
  hg_gid *ids = room(ROWS, sizeof *ids);
  uint8_t *dense = room(ROWS, hg_pack_row_bytes(format, x->cols)), *packed = room((hg_off)most + 8, 1);
  hg_matrix full = without_zeros(x), expected = {0}, found = random_matrix(ROWS, x->cols, 8);
  cr_assert_eq(hg_matrix_create(&expected, ROWS, x->cols, "test"), HG_OK);
  for (int r = 0; r < ROWS; r++) ids[r] = 1000000 + 7 * r;
  setenv("HALOGNN_SIMD", level, 1);
  hg_pack_rows(&(hg_packing){.format = format, .draw = draw, .x = &full, .ids = ids}, ROWS, dense);
  hg_unpack_rows(format, dense, ROWS, NULL, false, &expected);
  memset(packed, 0xee, most + 8);
  size_t bytes =
      hg_pack_nonzero(&(hg_packing){.format = format, .draw = draw, .x = x, .ids = ids}, ROWS, starts, packed);
  cr_assert_leq(bytes, most);
  cr_assert_eq(packed[bytes], 0xee, "%s, %s, width %d: written behind the message", level, hg_pack_format_name(format),
               x->cols);
  hg_unpack_nonzero(format, packed, ROWS, NULL, false, starts, &found);
  for (hg_off k = 0; k < x->rows * x->cols; k++)
    cr_assert(found.data[k] == (x->data[k] == 0 ? 0 : expected.data[k]), "%s, %s, width %d, number %lld", level,
              hg_pack_format_name(format), x->cols, (long long)k);
  hg_unpack_nonzero(format, packed, ROWS, NULL, true, starts, &found);
  for (hg_off k = 0; k < x->rows * x->cols; k++)
    cr_assert(found.data[k] == (x->data[k] == 0 ? 0 : 2 * expected.data[k]), "%s, width %d: added", level, x->cols);
  hg_free(&ids), hg_free(&dense), hg_free(&packed);
  hg_matrix_free(&full), hg_matrix_free(&expected), hg_matrix_free(&found);
}

Test(nonzero, rounded_numbers_are_those_of_whole_rows_on_every_level)
{
  static const int wide[] = {1, 3, 64, 100, 300, 2048, 5001};
  for (size_t w = 0; w < sizeof wide / sizeof *wide; w++)
    for (int s = 0; s < N_SHARES; s++) {
      if (wide[w] > 300 && s != 2) continue; // one kind of row is enough for what several draws serve
      hg_matrix x = some_zeros(wide[w], shares[s]);
      for (int l = 0; l < N_LEVELS; l++)
        for (int f = HG_PACK_BFLOAT16; f <= HG_PACK_INT2; f++) check_rounded(&x, (hg_pack_format)f, levels[l]);
      hg_matrix_free(&x);
    }
}

Test(nonzero, without_rows_there_is_nothing)
{
  hg_matrix x = {0};
  hg_off starts[1];
  uint8_t packed[1] = {7};
  cr_assert_eq(hg_pack_nonzero(&(hg_packing){.x = &x}, 0, starts, packed), 0);
  hg_unpack_nonzero(HG_PACK_REAL, packed, 0, NULL, true, starts, &x);
  cr_assert_eq(packed[0], 7);
}

Test(nonzero, three_threads_make_the_same_bytes)
{
  enum { MANY = 700, COLUMNS = 96 };
  hg_matrix x = random_matrix(MANY, COLUMNS, 4), one = {0}, three = {0};
  size_t most = MANY * hg_nonzero_row_bytes(HG_PACK_REAL, COLUMNS);
  uint8_t *packed[2] = {room((hg_off)most, 1), room((hg_off)most, 1)};
  hg_off *starts = room(MANY + 1, sizeof *starts);
  size_t bytes[2];
  for (hg_off k = 0; k < MANY * COLUMNS; k++) x.data[k] = x.data[k] > 0 ? x.data[k] : 0;
  hg_matrix *back[2] = {&one, &three};
  for (int t = 0; t < 2; t++) {
    hg_threads_set(t ? 3 : 1);
    cr_assert_eq(hg_matrix_create(back[t], MANY, COLUMNS, "test"), HG_OK);
    bytes[t] = hg_pack_nonzero(&(hg_packing){.x = &x}, MANY, starts, packed[t]);
    hg_unpack_nonzero(HG_PACK_REAL, packed[t], MANY, NULL, false, starts, back[t]);
    cr_assert(memcmp(back[t]->data, x.data, MANY * COLUMNS * sizeof(hg_real)) == 0);
  }
  cr_assert_eq(bytes[0], bytes[1]);
  cr_assert(memcmp(packed[0], packed[1], bytes[0]) == 0);
  cr_assert_lt(bytes[0], most * 6 / 10);
  hg_free(&packed[0]), hg_free(&packed[1]), hg_free(&starts);
  hg_matrix_free(&x), hg_matrix_free(&one), hg_matrix_free(&three);
}
