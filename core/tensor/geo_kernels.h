#pragma once
/**
 * a_i[c,k] = sum over entries j of row i of w_ij relu(u_ck (p_j - p_i) + b_ck) x_j[c], and its gradients. One body,
 * compiled once for each instruction set. A tile of vectors of columns stays in registers over a row's entries; its
 * gates are computed for each entry and used at once. The number of vectors, of dimensions and the order of columns are
 * arguments that are given as literals. Cost an entry and column: dims + 2 vector instructions forward, 2 dims + 6
 * backward.
 */
#include <immintrin.h>
#include <stdbool.h>

#include "core/tensor/geo.h"
#include "core/tensor/vector.h"

typedef struct {
  const hg_off *indptr;
  const hg_lid *indices;
  const hg_real *values, *row_scale, *col_scale; ///< each NULL for ones
  hg_off n_self;
  const hg_geo *geo;
  const hg_real *positions, *x;
  hg_real *a;         ///< forward
  const hg_real *d_a; ///< backward
  hg_real *d_x;       ///< NULL: not wanted
} hg_geo_task;

/** Rows [first, end) of a. */
typedef void hg_geo_rows(const hg_geo_task *task, hg_off first, hg_off end);
hg_geo_rows hg_geo_rows_base, hg_geo_rows_avx2, hg_geo_rows_avx512;

/** Rows [first, end) of d_x; gradients of the gates are added to `sums` [(dims + 1) x columns]. */
typedef void hg_geo_back(const hg_geo_task *task, hg_off first, hg_off end, hg_real *sums);
hg_geo_back hg_geo_back_base, hg_geo_back_avx2, hg_geo_back_avx512;

#if defined(__AVX512F__)
enum { TILE = 4, BACK_TILE = 2 };
#else
enum { TILE = 2, BACK_TILE = 1 };
#endif

#if defined(__AVX512F__) && defined(HALOGNN_FLOAT64)
ALWAYS_INLINE vector relu(vector z) { return (vector)_mm512_max_pd(_mm512_setzero_pd(), (__m512d)z); }
#elif defined(__AVX512F__)
ALWAYS_INLINE vector relu(vector z) { return (vector)_mm512_max_ps(_mm512_setzero_ps(), (__m512)z); }
#elif defined(__AVX2__) && defined(HALOGNN_FLOAT64)
ALWAYS_INLINE vector relu(vector z) { return (vector)_mm256_max_pd(_mm256_setzero_pd(), (__m256d)z); }
#elif defined(__AVX2__)
ALWAYS_INLINE vector relu(vector z) { return (vector)_mm256_max_ps(_mm256_setzero_ps(), (__m256)z); }
#elif defined(HALOGNN_FLOAT64)
ALWAYS_INLINE vector relu(vector z) { return (vector)_mm_max_pd(_mm_setzero_pd(), (__m128d)z); }
#else
ALWAYS_INLINE vector relu(vector z) { return (vector)_mm_max_ps(_mm_setzero_ps(), (__m128)z); }
#endif

/** v where z > 0, else 0. */
ALWAYS_INLINE vector where_positive(vector z, vector v)
{
  typedef __typeof__(z > 0) mask;
  return (vector)((z > 0) & (mask)v);
}

ALWAYS_INLINE vector load(const hg_real *from) { return *(const vector_in_memory *)from; }

ALWAYS_INLINE vector all(hg_real value) { return value - (vector){0}; }

ALWAYS_INLINE void add_to(hg_real *to, vector v) { *(vector_in_memory *)to += v; }

ALWAYS_INLINE hg_real sum_lanes(vector v)
{
  hg_real sum = 0;
#pragma GCC unroll 16
  for (int l = 0; l < LANES; l++) sum += v[l];
  return sum;
}

/** The first channel of the vector of columns that starts at `column`. */
ALWAYS_INLINE int channel_at(const hg_geo *g, int column, bool filter_major)
{
  return g->channel[column / HG_GEO_UNIT] + (filter_major ? column % HG_GEO_UNIT : 0);
}

/** The channels' numbers for one vector of columns. */
ALWAYS_INLINE vector channels_of(const hg_real *x, int channel, bool filter_major)
{
  return filter_major ? load(x + channel) : all(x[channel]);
}

ALWAYS_INLINE hg_real entry_weight(const hg_geo_task *t, hg_off e, hg_lid j)
{
  hg_real weight = t->values ? t->values[e] : 1;
  return t->col_scale ? weight * t->col_scale[j] : weight;
}

/** A tile's gates. */
typedef struct {
  vector u[HG_GEO_DIMS][TILE], b[TILE];
  int channel[TILE];
} tile_gates;

ALWAYS_INLINE void load_gates(const hg_geo *g, int column, int count, int dims, bool filter_major, tile_gates *gates)
{
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    for (int d = 0; d < dims; d++) gates->u[d][v] = load(g->gate + d * g->columns + column + v * LANES);
    gates->b[v] = load(g->gate + dims * g->columns + column + v * LANES);
    gates->channel[v] = channel_at(g, column + v * LANES, filter_major);
  }
}

ALWAYS_INLINE vector before_relu(const tile_gates *gates, int v, const hg_real *displacement, int dims)
{
  vector z = gates->b[v];
  for (int d = 0; d < dims; d++) z += displacement[d] * gates->u[d][v];
  return z;
}

ALWAYS_INLINE void displacement(const hg_real *from, const hg_real *to, int dims, hg_real *out)
{
  for (int d = 0; d < dims; d++) out[d] = from[d] - to[d];
}

/** One entry of the row into the sums: `dims` is 0 for a self-loop, where z = b. */
ALWAYS_INLINE void add_entry(const tile_gates *gates, const hg_real *delta, int dims, hg_real weight, const hg_real *x,
                             int count, bool filter_major, vector *sum)
{
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    vector s = relu(before_relu(gates, v, delta, dims));
    sum[v] += filter_major ? s * (weight * load(x + gates->channel[v])) : s * (weight * x[gates->channel[v]]);
  }
}

ALWAYS_INLINE void forward_tile(const hg_geo_task *t, hg_off i, int column, int count, int dims, bool filter_major)
{
  tile_gates gates;
  vector sum[TILE] = {0};
  hg_off channels = t->geo->channels;
  hg_real delta[HG_GEO_DIMS];
  load_gates(t->geo, column, count, dims, filter_major, &gates);
  for (hg_off e = t->indptr[i]; e < t->indptr[i + 1]; e++) {
    hg_lid j = t->indices[e];
    displacement(t->positions + (hg_off)j * dims, t->positions + i * dims, dims, delta);
    add_entry(&gates, delta, dims, entry_weight(t, e, j), t->x + j * channels, count, filter_major, sum);
  }
  if (i < t->n_self)
    add_entry(&gates, delta, 0, t->col_scale ? t->col_scale[i] : 1, t->x + i * channels, count, filter_major, sum);
  hg_real scale = t->row_scale ? t->row_scale[i] : 1, *a = t->a + i * t->geo->columns + column;
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) *(vector_in_memory *)(a + v * LANES) = scale * sum[v];
}

ALWAYS_INLINE void forward_rows(const hg_geo_task *t, hg_off first, hg_off end, int dims, bool filter_major)
{
  for (hg_off i = first; i < end; i++) {
    int column = 0, columns = t->geo->columns;
    for (; column + TILE * LANES <= columns; column += TILE * LANES)
      forward_tile(t, i, column, TILE, dims, filter_major);
    for (; column < columns; column += LANES) forward_tile(t, i, column, 1, dims, filter_major);
  }
}

/** A tile's gates, and what it collects over the entries of row j. */
typedef struct {
  tile_gates gates;
  vector x[BACK_TILE], u[HG_GEO_DIMS][BACK_TILE], b[BACK_TILE];
} back_tile;

ALWAYS_INLINE void add_gradients(back_tile *tile, const hg_real *delta, int dims, hg_real weight, const hg_real *d_a,
                                 int count)
{
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    vector z = before_relu(&tile->gates, v, delta, dims), d = weight * load(d_a + v * LANES);
    vector open = where_positive(z, d);
    tile->x[v] += relu(z) * d;
    tile->b[v] += open;
    for (int k = 0; k < dims; k++) tile->u[k][v] += delta[k] * open;
  }
}

ALWAYS_INLINE void finish_tile(const hg_geo_task *t, const back_tile *tile, hg_off j, int column, int count, int dims,
                               bool filter_major, hg_real *total)
{
  hg_off channels = t->geo->channels;
  hg_real scale = t->row_scale ? t->row_scale[j] : 1, *d_x = t->d_x ? t->d_x + j * channels : NULL;
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    int at = column + v * LANES, columns = t->geo->columns, channel = tile->gates.channel[v];
    vector x = scale * channels_of(t->x + j * channels, channel, filter_major);
    for (int k = 0; k < dims; k++) add_to(total + k * columns + at, x * tile->u[k][v]);
    add_to(total + dims * columns + at, x * tile->b[v]);
    if (d_x && filter_major) add_to(d_x + channel, scale * tile->x[v]);
    if (d_x && !filter_major) d_x[channel] += scale * sum_lanes(tile->x[v]);
  }
}

ALWAYS_INLINE void backward_tile(const hg_geo_task *t, hg_off j, int column, int count, int dims, bool filter_major,
                                 hg_real *total)
{
  back_tile tile = {0};
  hg_real delta[HG_GEO_DIMS];
  const hg_real *d_a = t->d_a + column;
  hg_off columns = t->geo->columns;
  load_gates(t->geo, column, count, dims, filter_major, &tile.gates);
  for (hg_off e = t->indptr[j]; e < t->indptr[j + 1]; e++) {
    hg_lid i = t->indices[e];
    displacement(t->positions + j * dims, t->positions + (hg_off)i * dims, dims, delta);
    add_gradients(&tile, delta, dims, entry_weight(t, e, i), d_a + i * columns, count);
  }
  if (j < t->n_self) add_gradients(&tile, delta, 0, t->col_scale ? t->col_scale[j] : 1, d_a + j * columns, count);
  finish_tile(t, &tile, j, column, count, dims, filter_major, total);
}

ALWAYS_INLINE void backward_rows(const hg_geo_task *t, hg_off first, hg_off end, int dims, bool filter_major,
                                 hg_real *total)
{
  for (hg_off j = first; j < end; j++) {
    int column = 0, columns = t->geo->columns, channels = t->geo->channels;
    for (int c = 0; t->d_x && c < channels; c++) t->d_x[j * channels + c] = 0;
    if (j >= t->n_self && t->indptr[j] == t->indptr[j + 1]) continue;
    for (; column + BACK_TILE * LANES <= columns; column += BACK_TILE * LANES)
      backward_tile(t, j, column, BACK_TILE, dims, filter_major, total);
    for (; column < columns; column += LANES) backward_tile(t, j, column, 1, dims, filter_major, total);
  }
}

ALWAYS_INLINE void forward_by_dims(const hg_geo_task *t, hg_off first, hg_off end, bool filter_major)
{
  switch (t->geo->dims) {
  case 1:
    forward_rows(t, first, end, 1, filter_major);
    break;
  case 2:
    forward_rows(t, first, end, 2, filter_major);
    break;
  case 3:
    forward_rows(t, first, end, 3, filter_major);
    break;
  default:
    forward_rows(t, first, end, t->geo->dims, filter_major);
  }
}

ALWAYS_INLINE void backward_by_dims(const hg_geo_task *t, hg_off first, hg_off end, bool filter_major, hg_real *total)
{
  switch (t->geo->dims) {
  case 1:
    backward_rows(t, first, end, 1, filter_major, total);
    break;
  case 2:
    backward_rows(t, first, end, 2, filter_major, total);
    break;
  case 3:
    backward_rows(t, first, end, 3, filter_major, total);
    break;
  default:
    backward_rows(t, first, end, t->geo->dims, filter_major, total);
  }
}

ALWAYS_INLINE void geo_rows(const hg_geo_task *t, hg_off first, hg_off end)
{
  if (t->geo->filter_major)
    forward_by_dims(t, first, end, true);
  else
    forward_by_dims(t, first, end, false);
}

ALWAYS_INLINE void geo_back(const hg_geo_task *t, hg_off first, hg_off end, hg_real *total)
{
  if (t->geo->filter_major)
    backward_by_dims(t, first, end, true, total);
  else
    backward_by_dims(t, first, end, false, total);
}
