#pragma once
/**
 * The bodies of hg_pack_nonzero and hg_unpack_nonzero for rounded numbers: rows as in quantise_kernels.h, but of the
 * numbers that are not 0 alone, each drawn for by its own column as there.
 */
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
  uint8_t q[HG_PACK_PIECE], kept[HG_PACK_PIECE + 12];
  hg_real inside[HG_PACK_PIECE]; // zeros may be far from the range
  int count = row->carried, in_byte = 8 / width_of(format);
  for (int k = 0; k < n; k++) inside[k] = x[k] != 0 ? x[k] : (hg_real)row->grid.least;
  make_integers(format, row->grid, inside, n, random, q);
  memcpy(kept, row->carry, sizeof row->carry);
  for (int k = 0; k < n; k++) {
    kept[count] = q[k];
    count += x[k] != 0;
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
  uint16_t random[HG_PACK_PIECE];
  int together = rows_together(t);
  for (hg_off from = first_row; from < end_row; from += together) {
    hg_off to = end_row - from < together ? end_row : from + together;
    for (hg_off r = from; r < to; r++)
      rows[r - from] = begin_row(t, source(t, r), t->packed + starts[r], (size_t)(starts[r + 1] - starts[r]));
    for (int first = 0; first < t->cols; first += HG_PACK_PIECE) {
      int end = piece_end(t->cols, first), padded = draw_piece(t, from, to, first, end, &d, random);
      for (hg_off r = from; r < to; r++) {
        const hg_real *x = source(t, r) + first;
        const uint16_t *mine = random + (r - from) * padded;
        if (t->format == HG_PACK_BFLOAT16)
          add_halves(&rows[r - from], x, end - first, t->draws ? mine : NULL);
        else if (starts[r + 1] > starts[r] && !rows[r - from].grid.one_value)
          add_integers(t->format, &rows[r - from], x, end - first, mine, end == t->cols);
      }
    }
  }
}

/** The values of a row's columns, in order, a piece at a time. */
typedef struct {
  const uint8_t *from;
  int left, done, first; ///< not read yet; read; the first one that is in `values`
  float values[HG_PACK_PIECE];
} reader;

static inline float next_value(hg_pack_format format, reader *r, int taken)
{
  if (taken == r->done) {
    int n = r->left < HG_PACK_PIECE ? r->left : HG_PACK_PIECE;
    read_piece(format, r->from, r->done, n, r->values);
    r->first = r->done;
    r->done += n;
    r->left -= n;
  }
  return r->values[taken - r->first];
}

static void unpack_nonzero(const hg_unpack_task *t, const hg_off *starts, const uint8_t *masks, hg_off first_row,
                           hg_off end_row)
{
  int words = (t->cols + 63) / 64;
  reader r;
  for (hg_off row = first_row; row < end_row; row++) {
    hg_real *restrict y = t->y + (t->rows ? t->rows[row] : row) * t->cols;
    int taken = 0;
    r.from = t->packed + starts[row];
    r.left = r.done = r.first = 0;
    for (int word = 0; word < words; word++) r.left += __builtin_popcountll(columns_of_word(masks, row, words, word));
    if (!t->add) memset(y, 0, (size_t)t->cols * sizeof *y);
    for (int word = 0; word < words; word++)
      for (uint64_t bits = columns_of_word(masks, row, words, word); bits; bits &= bits - 1, taken++) {
        hg_real *to = y + word * 64 + __builtin_ctzll(bits);
        float value = next_value(t->format, &r, taken);
        *to = t->add ? *to + (hg_real)value : (hg_real)value;
      }
  }
}
