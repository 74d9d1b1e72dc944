#pragma once
/**
 * The bodies of hg_pack_nonzero and hg_unpack_nonzero for rounded numbers: rows as in quantise_kernels.h, but of the
 * numbers that are not 0 alone, each drawn for by its own column as there.
 */
#include "core/tensor/nonzero_kernels.h"
#include "core/tensor/nonzero_lanes.h"
#include "core/tensor/quantise_body.h"

/** A row that is being packed. */
typedef struct {
  grid grid;
  uint8_t *out;     ///< what comes next
  uint8_t carry[4]; ///< integers that do not fill a byte yet
  int carried;
} open_row;

static inline uint64_t columns_of_word(const uint8_t *masks, hg_off row, int words, int word)
{
  uint64_t bits;
  memcpy(&bits, masks + (size_t)(row * words + word) * sizeof bits, sizeof bits);
  return bits;
}

static inline open_row begin_row(const hg_pack_task *t, const hg_real *x, uint8_t *out, size_t bytes)
{
  open_row row = {.out = out};
  int32_t least = INT32_MAX, most = INT32_MIN;
  if (t->format == HG_PACK_BFLOAT16 || bytes == 0) return row;
#pragma omp simd reduction(min : least) reduction(max : most)
  for (int k = 0; k < t->cols; k++) {
    int32_t order = order_of((float)x[k]), low = x[k] != 0 ? order : INT32_MAX, high = x[k] != 0 ? order : INT32_MIN;
    least = low < least ? low : least;
    most = high > most ? high : most;
  }
  row.grid = write_range_of(t->format, least, most, bytes, out);
  row.out += HEADER_BYTES;
  return row;
}

static inline void add_halves(open_row *row, const hg_real *x, int n, const uint16_t *random)
{
  uint16_t halves[HG_PACK_PIECE], kept[HG_PACK_PIECE + 1];
  int count = 0;
  round_bfloat16(x, n, random, (uint8_t *)halves);
  for (int k = 0; k < n; k++) {
    kept[count] = halves[k];
    count += x[k] != 0;
  }
  memcpy(row->out, kept, (size_t)count * sizeof *kept);
  row->out += (size_t)count * sizeof *kept;
}

static inline void add_integers(hg_pack_format format, open_row *row, const hg_real *x, int n, const uint16_t *random,
                                bool last)
{
  uint8_t q[HG_PACK_PIECE], kept[HG_PACK_PIECE + 24]; // close_bytes writes up to 16 behind
  hg_real inside[HG_PACK_PIECE];                      // zeros may be far from the range
  int count = row->carried, in_byte = 8 / width_of(format);
  for (int k = 0; k < n; k++) inside[k] = x[k] != 0 ? x[k] : (hg_real)row->grid.least;
  make_integers(format, row->grid, inside, n, random, q);
  memcpy(kept, row->carry, sizeof row->carry);
  for (int k = 0; k < n; k += HG_MASK_COLUMNS) {
    int columns = n - k < HG_MASK_COLUMNS ? n - k : HG_MASK_COLUMNS;
    count += close_bytes(q + k, columns, nonzeros(x + k, columns), kept + count);
  }
  int whole = last ? count : count / in_byte * in_byte;
  row->carried = count - whole;
  memcpy(row->carry, kept + whole, sizeof row->carry);
  close_up(format, kept, whole, row->out);
  row->out += (whole + in_byte - 1) / in_byte;
}

static void pack_nonzero(const hg_pack_task *t, const hg_off *starts, hg_off first_row, hg_off end_row)
{
  draws d = {0};
  open_row rows[BLOCKS];
  int together = rows_together(t);
  for (hg_off from = first_row; from < end_row; from += together) {
    hg_off to = end_row - from < together ? end_row : from + together;
    for (hg_off r = from; r < to; r++)
      rows[r - from] = begin_row(t, source(t, r), t->packed + starts[r], (size_t)(starts[r + 1] - starts[r]));
    for (int first = 0; first < t->cols; first += HG_PACK_PIECE) {
      int end = piece_end(t->cols, first), padded = draw_piece(t, from, to, first, end, &d);
      for (hg_off r = from; r < to; r++) {
        const hg_real *x = source(t, r) + first;
        const uint16_t *mine = d.bits + (r - from) * padded;
        if (t->format == HG_PACK_BFLOAT16)
          add_halves(&rows[r - from], x, end - first, t->draws ? mine : NULL);
        else if (starts[r + 1] > starts[r] && !rows[r - from].grid.one_value)
          add_integers(t->format, &rows[r - from], x, end - first, mine, end == t->cols);
      }
    }
  }
}

static inline int values_of(const uint8_t *masks, hg_off row, int words)
{
  int count = 0;
  for (int word = 0; word < words; word++) count += __builtin_popcountll(columns_of_word(masks, row, words, word));
  return count;
}

/** A row of any number of values, a piece of which is read at a time. */
static inline void unpack_wide_row(const hg_unpack_task *t, const uint8_t *from, const uint8_t *masks, hg_off row,
                                   int words, hg_real *restrict y)
{
  float values[HG_PACK_PIECE];
  int left = values_of(masks, row, words), done = 0, next = 0, here = 0;
  if (!t->add) memset(y, 0, (size_t)t->cols * sizeof *y);
  for (int word = 0; word < words; word++)
    for (uint64_t bits = columns_of_word(masks, row, words, word); bits; bits &= bits - 1) {
      if (next == here) {
        here = left < HG_PACK_PIECE ? left : HG_PACK_PIECE;
        read_piece(t->format, from, done, here, values);
        done += here;
        left -= here;
        next = 0;
      }
      hg_real *to = y + word * HG_MASK_COLUMNS + __builtin_ctzll(bits);
      *to = (t->add ? *to : 0) + (hg_real)values[next++];
    }
}

/** The others, whose values are read at once. */
static inline void unpack_row(const hg_unpack_task *t, const uint8_t *from, const uint8_t *masks, hg_off row, int words,
                              hg_real *restrict y)
{
  float values[HG_PACK_PIECE];
  hg_real reals[HG_PACK_PIECE];
  int count = values_of(masks, row, words);
  if (count > 0) read_piece(t->format, from, 0, count, values);
  for (int k = 0; k < count; k++) reals[k] = (hg_real)values[k];
  const uint8_t *next = (const uint8_t *)reals;
  for (int word = 0; word < words; word++) {
    int first = word * HG_MASK_COLUMNS, columns = t->cols - first < HG_MASK_COLUMNS ? t->cols - first : HG_MASK_COLUMNS;
    next = open_reals(next, columns, columns_of_word(masks, row, words, word), t->add, y + first);
  }
}

static void unpack_nonzero(const hg_unpack_task *t, const hg_off *starts, const uint8_t *masks, hg_off first_row,
                           hg_off end_row)
{
  int words = mask_words(t->cols);
  for (hg_off row = first_row; row < end_row; row++) {
    hg_real *y = t->y + (t->rows ? t->rows[row] : row) * t->cols;
    const uint8_t *from = t->packed + starts[row];
    if (t->cols > HG_PACK_PIECE)
      unpack_wide_row(t, from, masks, row, words, y);
    else
      unpack_row(t, from, masks, row, words, y);
  }
}
