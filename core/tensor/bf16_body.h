#pragma once
/**
 * The body of hg_bf16_kernels, for whatever instruction set the including source is compiled for. A product keeps a
 * tile of rows x vectors of c in registers while a panel of b passes by; one step of it is a pair of numbers of the
 * inner dimension, which is what one vdpbf16ps multiplies and adds. Without AVX512_BF16 a step is two multiply-adds.
 * Cost of a product: 2 rows cols pairs multiply-adds.
 */
#include <string.h>

#include "core/tensor/bf16_kernels.h"
#include "core/tensor/bf16_vector.h"

#if defined(__AVX512BF16__) && !defined(HALOGNN_FLOAT64)
#  include <immintrin.h>
#  define BF16_NATIVE
#endif

#if defined(__AVX512F__)
enum { TILE_GROUPS = 4 };
#else
enum { TILE_GROUPS = 1 };
#endif

enum { GROUP_VECTORS = HG_BF16_GROUP / LANES, TILE_VECTORS = TILE_GROUPS * GROUP_VECTORS, TILE_ROWS = 12 };

typedef uint32_t pair_in_memory __attribute__((aligned(2), may_alias));
typedef int32_t mask_lanes __attribute__((vector_size(LANES * 4)));

/** Rounded numbers, each in the lower half of its lane. */
ALWAYS_INLINE bit_lanes rounded(vector x)
{
#ifdef BF16_NATIVE
  return (bit_lanes)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)x));
#else
#  ifdef HALOGNN_FLOAT64
  bit_lanes bits = (bit_lanes) __builtin_convertvector(x, float_lanes);
#  else
  bit_lanes bits = (bit_lanes)x;
#  endif
  bit_lanes upper = bits >> 16, near = (bits + 0x7fff + (upper & 1)) >> 16;
  mask_lanes magnitude = (mask_lanes)(bits & 0x7fffffff);
  bit_lanes nan = (bit_lanes)(magnitude > 0x7f800000), tiny = (bit_lanes)(magnitude < 0x00800000);
  return (nan & (upper | 0x40)) | (tiny & upper & 0x8000) | (~(nan | tiny) & near);
#endif
}

/** The last of n numbers, fewer than a vector, in one. */
ALWAYS_INLINE vector partly(const hg_real *x, hg_off n)
{
  hg_real all[LANES] = {0};
  memcpy(all, x, (size_t)n * sizeof *all);
  return *(const vector_in_memory *)all;
}

static void from_real(const hg_real *x, hg_off n, hg_bf16 *y)
{
  hg_off i = 0;
  for (; i + LANES <= n; i += LANES) {
    half_lanes part = __builtin_convertvector(rounded(*(const vector_in_memory *)(x + i)), half_lanes);
    *(half_lanes_in_memory *)(y + i) = part;
  }
  if (i == n) return;
  half_lanes part = __builtin_convertvector(rounded(partly(x + i, n - i)), half_lanes);
  memcpy(y + i, &part, (size_t)(n - i) * sizeof *y);
}

static void to_real(const hg_bf16 *x, hg_off n, hg_real *y)
{
  hg_off i = 0;
  for (; i + LANES <= n; i += LANES) *(vector_in_memory *)(y + i) = bf16_load(x + i);
  for (; i < n; i++) y[i] = bf16_value(x[i]);
}

static void pair_real(const hg_real *x, const hg_real *y, int n, hg_bf16 *pairs)
{
  int i = 0;
  for (; i + LANES <= n; i += LANES) {
    bit_lanes low = rounded(*(const vector_in_memory *)(x + i)), high = rounded(*(const vector_in_memory *)(y + i));
    *(pairs_in_memory *)(pairs + 2 * (hg_off)i) = low | high << 16;
  }
  if (i == n) return;
  bit_lanes last = rounded(partly(x + i, n - i)) | rounded(partly(y + i, n - i)) << 16;
  memcpy(pairs + 2 * (hg_off)i, &last, (size_t)(n - i) * sizeof(uint32_t));
}

static void pair_bf16(const hg_bf16 *x, const hg_bf16 *y, int n, hg_bf16 *pairs)
{
  int i = 0;
  for (; i + LANES <= n; i += LANES) {
    half_lanes low = *(const half_lanes_in_memory *)(x + i), high = *(const half_lanes_in_memory *)(y + i);
    *(pairs_in_memory *)(pairs + 2 * (hg_off)i) =
        __builtin_convertvector(low, bit_lanes) | __builtin_convertvector(high, bit_lanes) << 16;
  }
  for (; i < n; i++) {
    pairs[2 * (hg_off)i] = x[i];
    pairs[2 * (hg_off)i + 1] = y[i];
  }
}

/** sum + a0 b0 + a1 b1 for pairs (a0, a1) and (b0, b1). */
ALWAYS_INLINE vector add_pairs(vector sum, bit_lanes a, bit_lanes b)
{
#ifdef BF16_NATIVE
  return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  sum += real_of_bits(a << 16) * real_of_bits(b << 16);
  return sum + real_of_bits(a & 0xffff0000) * real_of_bits(b & 0xffff0000);
#endif
}

/** `rows` x `count` vectors of c, both literals, from column `column` on; b's lines there are `line` numbers apart. */
ALWAYS_INLINE void tile(const hg_bf16_block *t, const hg_bf16 *b, int line, int column, int i, int rows, int count)
{
  const hg_bf16 *a = t->a + i * t->row_stride;
  vector sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
  for (int p = 0; p < t->pairs; p++, a += t->pair_stride, b += line) {
    bit_lanes right[TILE_VECTORS];
#pragma GCC unroll 8
    for (int v = 0; v < count; v++) right[v] = *(const pairs_in_memory *)(b + 2 * v * LANES);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      bit_lanes left = *(const pair_in_memory *)(a + r * t->row_stride) + (bit_lanes){0};
#pragma GCC unroll 8
      for (int v = 0; v < count; v++) sum[r][v] = add_pairs(sum[r][v], left, right[v]);
    }
  }
  int columns = t->cols - column < count * LANES ? t->cols - column : count * LANES;
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) store_row(sum[r], count, columns, t->beta, t->c + (i + r) * t->c_stride + column);
}

ALWAYS_INLINE void tiles(const hg_bf16_block *t, const hg_bf16 *b, int line, int column, int rows, int groups)
{
  int i = 0, count = groups * GROUP_VECTORS;
  for (; i + rows <= t->rows; i += rows) tile(t, b, line, column, i, rows, count);
  for (; i + 2 <= t->rows; i += 2) tile(t, b, line, column, i, 2, count);
  if (i < t->rows) tile(t, b, line, column, i, 1, count);
}

static void multiply(const hg_bf16_block *t)
{
  for (int start = 0; start < t->cols; start += HG_BF16_PANEL) {
    int columns = t->cols - start < HG_BF16_PANEL ? t->cols - start : HG_BF16_PANEL;
    int groups = (columns + HG_BF16_GROUP - 1) / HG_BF16_GROUP, line = 2 * HG_BF16_GROUP * groups;
    const hg_bf16 *b = t->b + 2 * start * t->panel_pairs + line * t->first_pair;
    switch (TILE_GROUPS == 1 ? 0 : groups) {
    case 0:
      for (int g = 0; g < groups; g++) tiles(t, b + 2 * g * HG_BF16_GROUP, line, start + g * HG_BF16_GROUP, 4, 1);
      break;
    case 1:
      tiles(t, b, line, start, 12, 1);
      break;
    case 2:
      tiles(t, b, line, start, 12, TILE_GROUPS < 2 ? 1 : 2);
      break;
    case 3:
      tiles(t, b, line, start, 8, TILE_GROUPS < 3 ? 1 : 3);
      break;
    default:
      tiles(t, b, line, start, 6, TILE_GROUPS);
    }
  }
}

#define BF16_KERNELS                                   \
  {                                                    \
    from_real, to_real, pair_real, pair_bf16, multiply \
  }
