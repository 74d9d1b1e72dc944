// Messages whose rows have different bits, made of hg_pack_rows for each of them.
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/tensor/quantise.h"
#include "core/tensor/row_blocks.h"

enum { WIDTHS = 3, CODES_PER_BYTE = 4 };
static const hg_pack_format widths[WIDTHS] = {HG_PACK_INT8, HG_PACK_INT4, HG_PACK_INT2}; // code: the place here

// (1/9 - 1/225) / (1/4) over (1/225 - 1/65025) / (1/2): how much more a row must count to be worth 8 bits
static const float eight_bits_from = (float)((1.0 / 9 - 1.0 / 225) * 2 / (1.0 / 225 - 1.0 / 65025));

static float squared_range(const hg_real *x, int cols)
{
  float least = (float)x[0], most = least, sum = 0;
#pragma omp simd reduction(min : least) reduction(max : most) reduction(+ : sum)
  for (int k = 0; k < cols; k++) {
    float value = (float)x[k];
    least = value < least ? value : least;
    most = value > most ? value : most;
    sum += value * 0;
  }
  float range = most - least;
  return sum == 0 ? range * range : 0; // what is not finite arrives as NaN with any bits
}

static void score_rows(const hg_packing *p, const hg_adaptive *a, hg_off n)
{
  int cols = p->x->cols;
#pragma omp parallel for schedule(static) default(none) shared(p, a, n, cols) \
    num_threads(hg_threads()) if (n * cols > HG_PARALLEL_FROM)
  for (hg_off k = 0; k < n; k++) {
    const hg_real *x = p->x->data + (p->rows ? p->rows[k] : k) * cols;
    a->scores[k] = squared_range(x, cols) * (a->weights ? a->weights[k] : 1);
  }
}

static int code_of(float score, float threshold)
{
  return score >= threshold * eight_bits_from ? 0 : score >= threshold ? 1 : 2;
}

static size_t bytes_with(const float *scores, hg_off n, int cols, float threshold)
{
  hg_off counts[WIDTHS] = {0};
  for (hg_off k = 0; k < n; k++) counts[code_of(scores[k], threshold)]++;
  size_t bytes = (size_t)(n + CODES_PER_BYTE - 1) / CODES_PER_BYTE;
  for (int w = 0; w < WIDTHS; w++) bytes += (size_t)counts[w] * hg_pack_row_bytes(widths[w], cols);
  return bytes;
}

// The lowest threshold whose message has at most `budget` bytes, or infinity: positive floats are ordered as their bits
static float find_threshold(const float *scores, hg_off n, int cols, double budget)
{
  uint32_t low = 1, high = 0x7f800000;
  float threshold;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    memcpy(&threshold, &middle, sizeof threshold);
    if ((double)bytes_with(scores, n, cols, threshold) <= budget)
      high = middle;
    else
      low = middle + 1;
  }
  memcpy(&threshold, &low, sizeof threshold);
  return threshold;
}

static int code_at(const uint8_t *codes, hg_off k) { return codes[k / CODES_PER_BYTE] >> k % CODES_PER_BYTE * 2 & 3; }

// Rows of a code, in order; returns how many
static hg_off choose(const uint8_t *codes, int code, hg_off n, const hg_lid *rows, hg_lid *chosen)
{
  hg_off count = 0;
  for (hg_off k = 0; k < n; k++)
    if (code_at(codes, k) == code) chosen[count++] = rows ? rows[k] : (hg_lid)k;
  return count;
}

size_t hg_pack_adaptive(const hg_packing *packing, const hg_adaptive *adaptive, hg_off n, uint8_t *packed)
{
  int cols = packing->x->cols;
  size_t bytes = (size_t)(n + CODES_PER_BYTE - 1) / CODES_PER_BYTE;
  hg_packing some = *packing;
  score_rows(packing, adaptive, n);
  float threshold = find_threshold(adaptive->scores, n, cols, adaptive->fraction * 4 * (double)n * cols);
  memset(packed, 0, bytes);
  for (hg_off k = 0; k < n; k++)
    packed[k / CODES_PER_BYTE] |= (uint8_t)(code_of(adaptive->scores[k], threshold) << k % CODES_PER_BYTE * 2);
  some.rows = adaptive->chosen;
  for (int w = 0; w < WIDTHS; w++) {
    hg_off count = choose(packed, w, n, packing->rows, adaptive->chosen);
    some.format = widths[w];
    hg_pack_rows(&some, count, packed + bytes);
    bytes += (size_t)count * hg_pack_row_bytes(widths[w], cols);
  }
  return bytes;
}

void hg_unpack_adaptive(const uint8_t *packed, hg_off n, const hg_lid *rows, bool add, hg_lid *chosen, hg_matrix *y)
{
  const uint8_t *from = packed + (n + CODES_PER_BYTE - 1) / CODES_PER_BYTE;
  for (int w = 0; w < WIDTHS; w++) {
    hg_off count = choose(packed, w, n, rows, chosen);
    hg_unpack_rows(widths[w], from, count, chosen, add, y);
    from += (size_t)count * hg_pack_row_bytes(widths[w], y->cols);
  }
}
