#pragma once
/**
 * The dropout masks: 8 columns of a row take 16 bits each of one Philox block. Its key is the seed, its counter
 *   words 0, 1: original id
 *   word 2:     block of columns (24 bits), layer (8 bits)
 *   word 3:     HG_STREAM_DROPOUT (8 bits), epoch (24 bits)
 * so no two draws meet for epochs below 2^24, layers below 2^8 and columns below 2^27.
 * One body, compiled once for each instruction set. Blocks are drawn many at a time so that the compiler vectorises
 * Philox. Cost: read and write x; about 20 integer operations a column.
 */
#include <string.h>

#ifdef __AVX512BW__
#  include "core/tensor/lanes_avx512.h"
#endif
#include "core/tensor/philox_kernels.h"

typedef struct {
  const hg_gid *ids;
  const hg_off *indptr; ///< [rows + 1], or NULL: every row has `cols` columns
  int cols;
  uint64_t seed;
  uint32_t layer_word, epoch_word; ///< words 2 and 3 of the counter, without the block
  uint32_t threshold;              ///< of 65536: 16 bits below it are a zero
  hg_real scale;
  const hg_real *in;
  hg_real *out; ///< may be `in`
} hg_dropout_task;

/** Rows [first, end) of the task. */
typedef void hg_dropout_rows(const hg_dropout_task *task, hg_off first, hg_off end);
hg_dropout_rows hg_dropout_rows_base, hg_dropout_rows_avx2, hg_dropout_rows_avx512;

/** Sparse rows without what became a zero: entries of the rows, and where they go. */
typedef struct {
  hg_dropout_task draw; ///< of the entries; `out` unused
  const hg_lid *indices;
  hg_lid *kept_indices; ///< [entries]
  hg_real *kept_values; ///< [entries]
  hg_off *ends;         ///< [rows] ends[i]: one past the last kept entry of row i
} hg_keep_task;

/** Rows [first, end): their kept entries lie one after the other from the place of the first row's first entry on. */
typedef void hg_keep_rows(const hg_keep_task *task, hg_off first, hg_off end);
hg_keep_rows hg_keep_rows_base, hg_keep_rows_avx2, hg_keep_rows_avx512;

/** Where in the rows the drawing stands: the next column of a row that has none yet. */
typedef struct {
  hg_off row, column;
} place;

static inline hg_off row_start(const hg_dropout_task *t, hg_off row)
{
  return t->indptr ? t->indptr[row] : row * t->cols;
}

static inline hg_off blocks_left(const hg_dropout_task *t, place at)
{
  hg_off length = row_start(t, at.row + 1) - row_start(t, at.row);
  return (length - at.column + COLUMNS_PER_BLOCK - 1) / COLUMNS_PER_BLOCK;
}

/** Fills the counters from `at` on, until BLOCKS are full or the rows end; returns how many, `at` moves on. */
static inline int set_counters(const hg_dropout_task *t, place *at, hg_off end, draws *d)
{
  int count = 0;
  while (at->row < end && count < BLOCKS) {
    hg_off left = blocks_left(t, *at), taken = left < BLOCKS - count ? left : BLOCKS - count;
    uint64_t id = (uint64_t)t->ids[at->row];
    uint32_t first = t->layer_word + (uint32_t)(at->column / COLUMNS_PER_BLOCK);
    for (int b = 0; b < (int)taken; b++) {
      d->low[count + b] = id;
      d->high[count + b] = id >> 32;
      d->block[count + b] = first + (uint32_t)b;
    }
    count += (int)taken;
    at->column += taken * COLUMNS_PER_BLOCK;
    if (taken == left) *at = (place){at->row + 1, 0};
  }
  return count;
}

static inline void mask(const uint16_t *restrict bits, hg_off n, uint32_t threshold, hg_real scale, const hg_real *in,
                        hg_real *out)
{
#pragma omp simd
  for (hg_off k = 0; k < n; k++) out[k] = bits[k] < threshold ? 0 : in[k] * scale;
}

/** Uses the drawn blocks up for the columns from `at` to `stop`. */
static inline void use(const hg_dropout_task *t, place at, place stop, const draws *d)
{
  hg_off used = 0;
  while (at.row < stop.row || (at.row == stop.row && at.column < stop.column)) {
    hg_off start = row_start(t, at.row) + at.column, end = row_start(t, at.row + 1);
    if (at.row == stop.row && row_start(t, at.row) + stop.column < end) end = row_start(t, at.row) + stop.column;
    mask(d->bits + used, end - start, t->threshold, t->scale, t->in + start, t->out + start);
    used += (end - start + COLUMNS_PER_BLOCK - 1) / COLUMNS_PER_BLOCK * COLUMNS_PER_BLOCK;
    at = (place){at.row + 1, 0};
  }
}

/** Appends those of n entries whose bits say so; returns how many are there now. No branch: every entry is written. */
static inline hg_off keep(const hg_keep_task *t, const uint16_t *bits, hg_off n, hg_off from, hg_off to)
{
  const hg_dropout_task *d = &t->draw;
  hg_off k = 0;
#if defined(__AVX512BW__) && defined(__AVX512VL__) && !defined(HALOGNN_FLOAT64)
  // to <= from + k, so that a whole register written at `to` ends within the entries that were read
  const __m256i limit = _mm256_set1_epi16((short)d->threshold);
  const __m512 scale = _mm512_set1_ps(d->scale);
  for (; k + 16 <= n; k += 16) {
    __mmask16 chosen = _mm256_cmpge_epu16_mask(_mm256_loadu_si256((const void *)(bits + k)), limit);
    __m512 values = _mm512_mul_ps(_mm512_loadu_ps(d->in + from + k), scale);
    __m512i indices = _mm512_loadu_si512(t->indices + from + k);
    _mm512_storeu_ps(t->kept_values + to, compress(chosen, values));
    _mm512_storeu_si512(t->kept_indices + to, compress_integers(chosen, indices));
    to += __builtin_popcount(chosen);
  }
#endif
  for (; k < n; k++) {
    t->kept_indices[to] = t->indices[from + k];
    t->kept_values[to] = d->in[from + k] * d->scale;
    to += bits[k] >= d->threshold;
  }
  return to;
}

/** Uses the drawn blocks up for the entries from `at` to `stop`; returns where the next kept one goes. */
static inline hg_off use_keeping(const hg_keep_task *t, place at, place stop, const draws *d, hg_off to)
{
  hg_off used = 0;
  while (at.row < stop.row || (at.row == stop.row && at.column < stop.column)) {
    hg_off start = row_start(&t->draw, at.row) + at.column, end = row_start(&t->draw, at.row + 1);
    if (at.row == stop.row && row_start(&t->draw, at.row) + stop.column < end)
      end = row_start(&t->draw, at.row) + stop.column;
    to = t->ends[at.row] = keep(t, d->bits + used, end - start, start, to);
    used += (end - start + COLUMNS_PER_BLOCK - 1) / COLUMNS_PER_BLOCK * COLUMNS_PER_BLOCK;
    at = (place){at.row + 1, 0};
  }
  return to;
}

static inline void keep_rows(const hg_keep_task *t, hg_off first, hg_off end)
{
  draws d = {0};
  place at = {first, 0};
  hg_off to = row_start(&t->draw, first);
  while (at.row < end) {
    place start = at;
    set_counters(&t->draw, &at, end, &d);
    draw(t->draw.seed, t->draw.epoch_word, &d);
    to = use_keeping(t, start, at, &d, to);
  }
}

static inline void dropout_rows(const hg_dropout_task *t, hg_off first, hg_off end)
{
  draws d = {0};
  place at = {first, 0};
  while (at.row < end) {
    place start = at;
    set_counters(t, &at, end, &d);
    draw(t->seed, t->epoch_word, &d);
    use(t, start, at, &d);
  }
}
