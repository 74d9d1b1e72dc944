#pragma once
/**
 * The bodies where each column has a gate of its own. An entry and vector of columns costs dims + 2 vector instructions
 * forward, 2 dims + 3 backward.
 */
#include "core/tensor/geo_kernels.h"

#if defined(__AVX512F__)
enum { TILE = 4, BACK_TILE = 4 };
#else
enum { TILE = 2, BACK_TILE = 1 };
#endif

/** A tile's gates, and the first channel of each vector. */
typedef struct {
  gate_vector gate[TILE];
  int channel[TILE];
} tile_gates;

ALWAYS_INLINE void load_gates(const hg_geo *g, int column, int count, int dims, bool filter_major, tile_gates *tile)
{
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    int at = column + v * LANES;
    tile->gate[v] = load_gate(g, at, dims);
    tile->channel[v] = g->channel[at / HG_GEO_UNIT] + (filter_major ? at % HG_GEO_UNIT : 0);
  }
}

/** The channels' numbers for one vector of columns. */
ALWAYS_INLINE vector channels_of(const hg_real *x, int channel, bool filter_major)
{
  return filter_major ? load(x + channel) : all(x[channel]);
}

/** What forward collects in a tile over the entries of a row. */
typedef struct {
  tile_gates gates;
  vector sum[TILE];
} forward_sums;

ALWAYS_INLINE void add_entry(forward_sums *tile, const hg_real *delta, int dims, hg_real weight, const hg_real *x,
                             int count, bool filter_major, hg_geo_way way)
{
  const tile_gates *gates = &tile->gates;
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    vector s = gate_or_slope(before_relu(&gates->gate[v], delta, dims), way);
    tile->sum[v] += filter_major ? s * (weight * load(x + gates->channel[v])) : s * (weight * x[gates->channel[v]]);
  }
}

ALWAYS_INLINE void forward_tile(const hg_geo_task *t, hg_off i, int column, int count, int dims, bool filter_major,
                                hg_geo_way way)
{
  forward_sums tile = {.sum = {{0}}};
  hg_off channels = t->geo->channels;
  hg_real delta[HG_GEO_DIMS];
  load_gates(t->geo, t->column + column, count, dims, filter_major, &tile.gates);
  for (hg_off e = t->indptr[i]; e < t->indptr[i + 1]; e++) {
    hg_lid j = t->indices[e];
    displacement(t->positions + (hg_off)j * dims, t->positions + i * dims, dims, delta);
    add_entry(&tile, delta, dims, entry_weight(t, e, j), t->x + j * channels, count, filter_major, way);
  }
  if (i < t->n_self && way == HG_GEO_SUMS) // a self-loop has no displacement to differentiate
    add_entry(&tile, delta, 0, self_weight(t, i), t->x + i * channels, count, filter_major, way);
  hg_real scale = scale_of_row(t, i);
  hg_off at = i * t->width + column;
#pragma GCC unroll 4
  for (int v = 0; v < count; v++, at += LANES) {
    if (way == HG_GEO_SUMS)
      store(t->a + at, scale * tile.sum[v]);
    else
      add_to_position(t->d_p + i * dims, &tile.gates.gate[v], tile.sum[v] * load(t->d_a + at), dims, -scale);
  }
}

ALWAYS_INLINE void forward_rows(const hg_geo_task *t, hg_off first, hg_off end, int dims, bool filter_major,
                                hg_geo_way way)
{
  for (hg_off i = first; i < end; i++) {
    int column = 0, columns = t->width;
    for (; column + TILE * LANES <= columns; column += TILE * LANES)
      forward_tile(t, i, column, TILE, dims, filter_major, way);
    for (; column < columns; column += LANES) forward_tile(t, i, column, 1, dims, filter_major, way);
  }
}

/**
 * A tile's gates, and what it collects over the entries of row j where they are open: the sums of d_a and of the
 * displacement times d_a. These are the gates' gradients but for x_j, and the gradient of x_j needs no sum of its own,
 * as an open gate is linear: sum of z d_a = b (sum of d_a) + u (sum of delta d_a).
 */
typedef struct {
  tile_gates gates;
  vector u[HG_GEO_DIMS][BACK_TILE], b[BACK_TILE];
} back_tile;

ALWAYS_INLINE void add_gradients(back_tile *tile, const hg_real *delta, int dims, hg_real weight, const hg_real *d_a,
                                 int count)
{
  hg_real weighted[HG_GEO_DIMS];
  for (int k = 0; k < dims; k++) weighted[k] = weight * delta[k];
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    vector open = where_positive(before_relu(&tile->gates.gate[v], delta, dims), load(d_a + v * LANES));
    tile->b[v] += weight * open;
    for (int k = 0; k < dims; k++) tile->u[k][v] += weighted[k] * open;
  }
}

ALWAYS_INLINE vector gradient_of_x(const back_tile *tile, int v, int dims)
{
  const gate_vector *gate = &tile->gates.gate[v];
  vector sum = gate->b * tile->b[v];
  for (int k = 0; k < dims; k++) sum += gate->u[k] * tile->u[k][v];
  return sum;
}

ALWAYS_INLINE void add_to_channels(const back_tile *tile, int count, int dims, hg_real scale, bool filter_major,
                                   hg_real *d_x)
{
  const int *channel = tile->gates.channel;
  vector sum = {0};
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    sum += gradient_of_x(tile, v, dims);
    if (v + 1 < count && channel[v + 1] == channel[v] && !filter_major) continue;
    if (filter_major)
      add_to(d_x + channel[v], scale * sum);
    else
      d_x[channel[v]] += scale * sum_lanes(sum);
    sum = (vector){0};
  }
}

ALWAYS_INLINE void finish_tile(const hg_geo_task *t, const back_tile *tile, hg_off j, int column, int count, int dims,
                               bool filter_major, hg_real *total)
{
  hg_off channels = t->geo->channels;
  hg_real scale = scale_of_row(t, j);
  int gates = t->geo->gates;
#pragma GCC unroll 4
  for (int v = 0; v < count; v++) {
    int at = t->column + column + v * LANES;
    vector x = scale * channels_of(t->x + j * channels, tile->gates.channel[v], filter_major);
    for (int k = 0; k < dims; k++) add_to(total + k * gates + at, x * tile->u[k][v]);
    add_to(total + dims * gates + at, x * tile->b[v]);
  }
  if (t->d_x) add_to_channels(tile, count, dims, scale, filter_major, t->d_x + j * channels);
}

ALWAYS_INLINE void backward_tile(const hg_geo_task *t, hg_off j, int column, int count, int dims, bool filter_major,
                                 hg_real *total)
{
  back_tile tile = {0};
  hg_real delta[HG_GEO_DIMS];
  const hg_real *d_a = t->d_a + column;
  hg_off width = t->width;
  load_gates(t->geo, t->column + column, count, dims, filter_major, &tile.gates);
  for (hg_off e = t->indptr[j]; e < t->indptr[j + 1]; e++) {
    hg_lid i = t->indices[e];
    displacement(t->positions + j * dims, t->positions + (hg_off)i * dims, dims, delta);
    add_gradients(&tile, delta, dims, entry_weight(t, e, i), d_a + i * width, count);
  }
  if (t->d_p) {
    const hg_real *x = t->x + j * t->geo->channels;
#pragma GCC unroll 4
    for (int v = 0; v < count; v++)
      add_to_position(t->d_p + j * dims, &tile.gates.gate[v],
                      tile.b[v] * channels_of(x, tile.gates.channel[v], filter_major), dims, scale_of_row(t, j));
  }
  if (j < t->n_self) add_gradients(&tile, delta, 0, self_weight(t, j), d_a + j * width, count);
  finish_tile(t, &tile, j, column, count, dims, filter_major, total);
}

ALWAYS_INLINE void backward_rows(const hg_geo_task *t, hg_off first, hg_off end, int dims, bool filter_major,
                                 hg_real *total)
{
  for (hg_off j = first; j < end; j++) {
    int column = 0, columns = t->width;
    if (j >= t->n_self && t->indptr[j] == t->indptr[j + 1]) continue;
    for (; column + BACK_TILE * LANES <= columns; column += BACK_TILE * LANES)
      backward_tile(t, j, column, BACK_TILE, dims, filter_major, total);
    for (; column < columns; column += LANES) backward_tile(t, j, column, 1, dims, filter_major, total);
  }
}
