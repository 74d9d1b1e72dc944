#pragma once
#include "core/tensor/quantise_kernels.h"

enum { HEADER_BYTES = 4, ONE_VALUE = 0x8000, NAN_BITS = 0x7fc00000 };
static const float least_range = 0x1p-100F; // a smaller one would have an infinite inverse

/** A row's integers: q = floor((x - least) scale + u) up to `levels`, in units of 2^-16. */
typedef struct {
  float least, scale;
  bool one_value; // the header has it all
} grid;

static inline uint32_t bits_of(float x)
{
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline float float_of(uint32_t bits)
{
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline int width_of(hg_pack_format format)
{
  return format == HG_PACK_INT8 ? 8 : format == HG_PACK_INT4 ? 4 : 2;
}

static inline float levels_of(hg_pack_format format) { return (float)((1 << width_of(format)) - 1); }

/** Integers in the order of the floats, NaN beyond the infinities of its sign: so least and largest vectorise. */
static inline int32_t order_of(float x)
{
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits < 0 ? bits ^ 0x7fffffff : bits;
}

static inline float of_order(int32_t order) { return float_of((uint32_t)(order < 0 ? order ^ 0x7fffffff : order)); }

static inline uint32_t magnitude_up(uint32_t bits) { return (bits + 0xffff) & 0xffff0000; }

static inline void write_header(uint8_t *row, uint32_t first, uint32_t second)
{
  const uint16_t header[2] = {(uint16_t)first, (uint16_t)second};
  memcpy(row, header, HEADER_BYTES);
}

static inline grid write_one_value(size_t row_bytes, uint8_t *row, uint32_t bits)
{
  write_header(row, bits >> 16, ONE_VALUE | (bits & 0xffff) >> 1);
  memset(row + HEADER_BYTES, 0, row_bytes - HEADER_BYTES);
  row[HEADER_BYTES] = bits & 1;
  return (grid){.one_value = true};
}

/** The header of a row whose numbers are between these, and how they become integers. */
static inline grid write_range_of(hg_pack_format format, int32_t least, int32_t most, size_t row_bytes, uint8_t *row)
{
  const int32_t infinity = 0x7f800000;
  if (most >= infinity || least <= ~infinity) return write_one_value(row_bytes, row, NAN_BITS);
  float from = of_order(least), to = of_order(most);
  if (!(from < to)) return write_one_value(row_bytes, row, bits_of(to));
  uint32_t bits = bits_of(from);
  from = float_of(bits >> 31 ? magnitude_up(bits) : bits & 0xffff0000); // down
  float range = to - from;
  range = float_of(magnitude_up(bits_of(range > least_range ? range : least_range)));
  if (!(range <= FLT_MAX)) return write_one_value(row_bytes, row, NAN_BITS); // from may be infinite too
  write_header(row, bits_of(from) >> 16, bits_of(range) >> 16);
  return (grid){.least = from, .scale = levels_of(format) * 65536.0F / range};
}

static inline grid write_range(const hg_pack_task *t, const hg_real *x, uint8_t *row)
{
  int32_t least = INT32_MAX, most = INT32_MIN;
#pragma omp simd reduction(min : least) reduction(max : most)
  for (int k = 0; k < t->cols; k++) {
    int32_t order = order_of((float)x[k]);
    least = order < least ? order : least;
    most = order > most ? order : most;
  }
  return write_range_of(t->format, least, most, t->row_bytes, row);
}

/** Fills the last byte's other integers with 0 and closes up: a byte each -> their place in a row. */
static inline void close_up(hg_pack_format format, uint8_t *q, int n, uint8_t *restrict to)
{
  memset(q + n, 0, 4);
  if (format == HG_PACK_INT8) {
    memcpy(to, q, (size_t)n);
  } else if (format == HG_PACK_INT4) {
    for (int k = 0; k < (n + 1) / 2; k++) {
      uint16_t pair;
      memcpy(&pair, q + 2 * k, sizeof pair);
      to[k] = (uint8_t)(pair | pair >> 4);
    }
  } else {
    for (int k = 0; k < (n + 3) / 4; k++) {
      uint32_t four;
      memcpy(&four, q + 4 * k, sizeof four);
      to[k] = (uint8_t)(four | four >> 6 | four >> 12 | four >> 18);
    }
  }
}

/** n integers from their place in a row to a byte each. */
static inline void open_up(hg_pack_format format, const uint8_t *restrict from, int n, uint8_t *restrict q)
{
  if (format == HG_PACK_INT8) {
    memcpy(q, from, (size_t)n);
  } else if (format == HG_PACK_INT4) {
    for (int k = 0; k < (n + 1) / 2; k++) {
      uint16_t pair = (uint16_t)((from[k] | from[k] << 4) & 0x0f0f);
      memcpy(q + 2 * k, &pair, sizeof pair);
    }
  } else {
    for (int k = 0; k < (n + 3) / 4; k++) {
      uint32_t b = from[k], four = (b | b << 6 | b << 12 | b << 18) & 0x03030303;
      memcpy(q + 4 * k, &four, sizeof four);
    }
  }
}

/** A byte each. */
static inline void make_integers(hg_pack_format format, grid g, const hg_real *restrict x, int n,
                                 const uint16_t *restrict random, uint8_t *restrict q)
{
  const int32_t levels = (int32_t)levels_of(format);
  for (int k = 0; k < n; k++) {
    int32_t level = ((int32_t)(((float)x[k] - g.least) * g.scale + 0.5F) + random[k]) >> 16;
    q[k] = (uint8_t)(level < levels ? level : levels);
  }
}

static inline void quantise(const hg_pack_task *t, grid g, const hg_real *restrict x, int n,
                            const uint16_t *restrict random, uint8_t *restrict to)
{
  uint8_t q[HG_PACK_PIECE + 4];
  make_integers(t->format, g, x, n, random, q);
  close_up(t->format, q, n, to);
}

static inline void round_bfloat16(const hg_real *restrict x, int n, const uint16_t *restrict random,
                                  uint8_t *restrict to)
{
  for (int k = 0; k < n; k++) {
    uint32_t bits = bits_of((float)x[k]), add = random ? random[k] : 0x7fff + (bits >> 16 & 1);
    bool nan = (bits & 0x7fffffff) > 0x7f800000;
    uint16_t half = (uint16_t)(nan ? bits >> 16 | 0x40 : (bits + add) >> 16);
    memcpy(to + 2 * (size_t)k, &half, sizeof half);
  }
}

/** The numbers of n integers or bfloat16 numbers of a row, from column `first` on. */
static inline void read_piece(hg_pack_format format, const uint8_t *row, int first, int n, float *restrict values)
{
  uint16_t header[2];
  if (format == HG_PACK_BFLOAT16) {
    for (int k = 0; k < n; k++) {
      uint16_t half;
      memcpy(&half, row + 2 * (size_t)(first + k), sizeof half);
      values[k] = float_of((uint32_t)half << 16);
    }
    return;
  }
  memcpy(header, row, HEADER_BYTES);
  if (header[1] & ONE_VALUE) {
    float value = float_of((uint32_t)header[0] << 16 | (header[1] & 0x7fffU) << 1 | row[HEADER_BYTES]);
    for (int k = 0; k < n; k++) values[k] = value;
    return;
  }
  uint8_t q[HG_PACK_PIECE + 4];
  float least = float_of((uint32_t)header[0] << 16), step = float_of((uint32_t)header[1] << 16) / levels_of(format);
  open_up(format, row + HEADER_BYTES + (size_t)first * (size_t)width_of(format) / 8, n, q);
  for (int k = 0; k < n; k++) values[k] = least + step * (float)q[k];
}

static inline int piece_end(int cols, int first) { return cols - first < HG_PACK_PIECE ? cols : first + HG_PACK_PIECE; }

static inline const hg_real *source(const hg_pack_task *t, hg_off row)
{
  if (t->error) return t->error + row * t->cols;
  return t->x + (t->rows ? t->rows[row] : row) * t->cols;
}

/** error += x: then the row to pack stands there. */
static inline void add_to_error(const hg_pack_task *t, hg_off row)
{
  const hg_real *x = t->x + (t->rows ? t->rows[row] : row) * t->cols;
  hg_real *error = t->error + row * t->cols;
  for (int k = 0; k < t->cols; k++) error[k] += x[k];
}

static inline void take_from_error(const hg_pack_task *t, hg_off row)
{
  float values[HG_PACK_PIECE];
  hg_real *error = t->error + row * t->cols;
  for (int first = 0; first < t->cols; first += HG_PACK_PIECE) {
    int end = piece_end(t->cols, first);
    read_piece(t->format, t->packed + (size_t)row * t->row_bytes, first, end - first, values);
    for (int k = first; k < end; k++) error[k] -= (hg_real)values[k - first];
  }
}

/** Counters for the columns [first, end) of the rows [from, to), row after row. */
static inline void set_counters(const hg_pack_task *t, hg_off from, hg_off to, int first, int end, draws *d)
{
  int count = 0;
  uint32_t block = (uint32_t)(first / COLUMNS_PER_BLOCK);
  int blocks = (end - first + COLUMNS_PER_BLOCK - 1) / COLUMNS_PER_BLOCK;
  for (hg_off row = from; row < to; row++) {
    uint64_t id = (uint64_t)t->ids[t->rows ? t->rows[row] : row] + t->sender_bits;
    for (int b = 0; b < blocks; b++, count++) {
      d->low[count] = id;
      d->high[count] = id >> 32;
      d->block[count] = t->layer_word + block + (uint32_t)b;
    }
  }
}

/** What the columns [first, end) of the rows [from, to) draw; returns how many numbers apart the rows' are. */
static inline int draw_piece(const hg_pack_task *t, hg_off from, hg_off to, int first, int end, draws *d)
{
  if (t->draws) {
    set_counters(t, from, to, first, end, d);
    draw(t->seed, t->epoch_word, d);
  }
  return (end - first + COLUMNS_PER_BLOCK - 1) / COLUMNS_PER_BLOCK * COLUMNS_PER_BLOCK;
}

/** Rows whose pieces one draw is enough for. */
static inline int rows_together(const hg_pack_task *t)
{
  int blocks = (t->cols + COLUMNS_PER_BLOCK - 1) / COLUMNS_PER_BLOCK;
  return blocks < BLOCKS ? BLOCKS / blocks : 1;
}

/** The columns [first, end) of the rows [from, to), which one draw is enough for. */
static inline void pack_piece(const hg_pack_task *t, hg_off from, hg_off to, int first, int end, grid *grids, draws *d)
{
  int padded = draw_piece(t, from, to, first, end, d);
  for (hg_off row = from; row < to; row++) {
    const hg_real *x = source(t, row);
    const uint16_t *mine = d->bits + (row - from) * padded;
    uint8_t *out = t->packed + (size_t)row * t->row_bytes;
    if (t->format == HG_PACK_BFLOAT16) {
      round_bfloat16(x + first, end - first, t->draws ? mine : NULL, out + 2 * (size_t)first);
      continue;
    }
    grid *g = &grids[row - from];
    if (first == 0) *g = write_range(t, x, out);
    uint8_t *place = out + HEADER_BYTES + (size_t)first * (size_t)width_of(t->format) / 8;
    if (!g->one_value) quantise(t, *g, x + first, end - first, mine, place);
  }
}

static void pack(const hg_pack_task *t, hg_off first_row, hg_off end_row)
{
  draws d = {0};
  grid grids[BLOCKS];
  int together = rows_together(t);
  for (hg_off from = first_row; from < end_row; from += together) {
    hg_off to = end_row - from < together ? end_row : from + together;
    for (hg_off row = from; t->error && row < to; row++) add_to_error(t, row);
    for (int first = 0; first < t->cols; first += HG_PACK_PIECE)
      pack_piece(t, from, to, first, piece_end(t->cols, first), grids, &d);
    for (hg_off row = from; t->error && row < to; row++) take_from_error(t, row);
  }
}

static void unpack(const hg_unpack_task *t, hg_off first_row, hg_off end_row)
{
  float values[HG_PACK_PIECE];
  for (hg_off row = first_row; row < end_row; row++) {
    for (int first = 0; first < t->cols; first += HG_PACK_PIECE) {
      int n = piece_end(t->cols, first) - first;
      hg_real *restrict y = t->y + (t->rows ? t->rows[row] : row) * t->cols + first;
      read_piece(t->format, t->packed + (size_t)row * t->row_bytes, first, n, values);
      if (t->add)
        for (int k = 0; k < n; k++) y[k] += (hg_real)values[k];
      else
        for (int k = 0; k < n; k++) y[k] = (hg_real)values[k];
    }
  }
}
