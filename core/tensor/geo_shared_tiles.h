#pragma once
/**
 * The bodies where all channels have the same gates: a unit of columns is a unit of filters of one channel, the
 * channels' units stand side by side. A tile is one vector of filters by some channels, so that a gate is computed once
 * an entry and used for all of them: 1 vector instruction an entry, channel and vector forward, 2 backward.
 */
#include "core/tensor/geo_kernels.h"

#if defined(__AVX512F__)
enum { SHARED_TILE = 16, SHARED_REST = 4 };
#else
enum { SHARED_TILE = 8, SHARED_REST = 2 };
#endif

/** Where a tile is: of the window's columns the unit at `column`, the vector at `lane` in it, and what these are. */
typedef struct {
  int column, lane, channel, filter;
} shared_place;

/** A tile's forward sums: those of the gates, or of their slopes. */
ALWAYS_INLINE void shared_forward(const hg_geo_task *t, hg_off i, const shared_place *p, int count, int dims,
                                  hg_geo_way way)
{
  vector sum[SHARED_TILE] = {0};
  hg_off channels = t->geo->channels;
  hg_real delta[HG_GEO_DIMS];
  const gate_vector gate = load_gate(t->geo, p->filter, dims);
  const hg_real *x = t->x + p->channel;
  for (hg_off e = t->indptr[i]; e < t->indptr[i + 1]; e++) {
    hg_lid j = t->indices[e];
    displacement(t->positions + (hg_off)j * dims, t->positions + i * dims, dims, delta);
    vector s = entry_weight(t, e, j) * gate_or_slope(before_relu(&gate, delta, dims), way);
#pragma GCC unroll 16
    for (int c = 0; c < count; c++) sum[c] += s * x[j * channels + c];
  }
  if (i < t->n_self && way == HG_GEO_SUMS) {
    vector s = self_weight(t, i) * relu(gate.b);
#pragma GCC unroll 16
    for (int c = 0; c < count; c++) sum[c] += s * x[i * channels + c];
  }
  hg_real scale = scale_of_row(t, i);
  hg_off at = i * t->width + p->column + p->lane;
  vector dot = {0};
#pragma GCC unroll 16
  for (int c = 0; c < count; c++, at += HG_GEO_UNIT) {
    if (way == HG_GEO_SUMS)
      store(t->a + at, scale * sum[c]);
    else
      dot += sum[c] * load(t->d_a + at);
  }
  if (way == HG_GEO_TARGETS) add_to_position(t->d_p + i * dims, &gate, dot, dims, -scale);
}

/** What a tile collects over the entries of row j. */
typedef struct {
  gate_vector gate;
  vector x[SHARED_TILE], u[HG_GEO_DIMS], b;
} shared_tile;

ALWAYS_INLINE void shared_gradients(shared_tile *tile, const hg_real *delta, int dims, hg_real weight, const hg_real *x,
                                    const hg_real *d_a, int count)
{
  vector z = before_relu(&tile->gate, delta, dims), s = weight * relu(z), part[2] = {0};
#pragma GCC unroll 16
  for (int c = 0; c < count; c++) {
    vector d = load(d_a + c * HG_GEO_UNIT);
    tile->x[c] += s * d;
    part[c % 2] += x[c] * d;
  }
  vector open = where_positive(z, weight * (part[0] + part[1]));
  tile->b += open;
  for (int k = 0; k < dims; k++) tile->u[k] += delta[k] * open;
}

ALWAYS_INLINE void add_to_shared_channels(shared_tile *tile, int count, hg_real scale, hg_real *d_x)
{
  int c = 0;
#pragma GCC unroll 8
  for (; c + LANES <= count; c += LANES) add_to(d_x + c, scale * sums_of_lanes(tile->x + c));
#pragma GCC unroll 16
  for (; c < count; c++) d_x[c] += scale * sum_lanes(tile->x[c]);
}

ALWAYS_INLINE void shared_backward(const hg_geo_task *t, hg_off j, const shared_place *p, int count, int dims,
                                   hg_real *total)
{
  shared_tile tile = {.gate = load_gate(t->geo, p->filter, dims)};
  hg_real delta[HG_GEO_DIMS], scale = scale_of_row(t, j);
  const hg_real *d_a = t->d_a + p->column + p->lane, *x = t->x + j * t->geo->channels + p->channel;
  hg_off width = t->width;
  int gates = t->geo->gates;
  for (hg_off e = t->indptr[j]; e < t->indptr[j + 1]; e++) {
    hg_lid i = t->indices[e];
    displacement(t->positions + j * dims, t->positions + (hg_off)i * dims, dims, delta);
    shared_gradients(&tile, delta, dims, entry_weight(t, e, i), x, d_a + i * width, count);
  }
  if (t->d_p) add_to_position(t->d_p + j * dims, &tile.gate, tile.b, dims, scale);
  if (j < t->n_self) shared_gradients(&tile, delta, 0, self_weight(t, j), x, d_a + j * width, count);
  for (int k = 0; k < dims; k++) add_to(total + k * gates + p->filter, scale * tile.u[k]);
  add_to(total + dims * gates + p->filter, scale * tile.b);
  if (t->d_x) add_to_shared_channels(&tile, count, scale, t->d_x + j * t->geo->channels + p->channel);
}

ALWAYS_INLINE void shared_tile_of(const hg_geo_task *t, hg_off row, const shared_place *p, int count, int dims,
                                  hg_geo_way way, hg_real *total)
{
  if (way == HG_GEO_GRADIENTS)
    shared_backward(t, row, p, count, dims, total);
  else
    shared_forward(t, row, p, count, dims, way);
}

/** The next `count` channels of the same filters, one vector of filters after the other. */
ALWAYS_INLINE void shared_unit(const hg_geo_task *t, hg_off row, int column, int count, int dims, hg_geo_way way,
                               hg_real *total)
{
  int unit = (t->column + column) / HG_GEO_UNIT, channels = t->geo->channels;
  for (int lane = 0; lane < HG_GEO_UNIT; lane += LANES) {
    shared_place place = {column, lane, unit % channels, unit / channels * HG_GEO_UNIT + lane};
    shared_tile_of(t, row, &place, count, dims, way, total);
  }
}

ALWAYS_INLINE void shared_rows(const hg_geo_task *t, hg_off first, hg_off end, int dims, hg_geo_way way, hg_real *total)
{
  int channels = t->geo->channels, units = t->width / HG_GEO_UNIT;
  for (hg_off row = first; row < end; row++) {
    for (int u = 0; u < units;) {
      int left = channels - (t->column / HG_GEO_UNIT + u) % channels, count = left < units - u ? left : units - u;
      for (; count >= SHARED_TILE; count -= SHARED_TILE, u += SHARED_TILE)
        shared_unit(t, row, u * HG_GEO_UNIT, SHARED_TILE, dims, way, total);
      for (; count >= SHARED_REST; count -= SHARED_REST, u += SHARED_REST)
        shared_unit(t, row, u * HG_GEO_UNIT, SHARED_REST, dims, way, total);
      for (; count > 0; count--, u++) shared_unit(t, row, u * HG_GEO_UNIT, 1, dims, way, total);
    }
  }
}
