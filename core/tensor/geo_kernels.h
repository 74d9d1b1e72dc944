#pragma once
/**
 * The kernels of geo-GCN's aggregation: what they are given, and what their bodies share. Three bodies are compiled for
 * each instruction set: geo_tiles.h where each channel has gates of its own, geo_shared_tiles.h where all have the
 * same; geo_body.h chooses between them. A tile of vectors of columns stays in registers over a row's entries; its
 * gates are computed for each entry and used at once. Numbers of vectors, dimensions and the order of columns are
 * arguments that are given as literals.
 */
#include <immintrin.h>
#include <stdbool.h>

#include "core/tensor/geo.h"
#include "core/tensor/vector.h"

typedef enum {
  HG_GEO_SUMS,      ///< a, over the operator's rows
  HG_GEO_GRADIENTS, ///< d_x, the gates' gradients, the sources' share of d_p, over the transposed operator's rows
  HG_GEO_TARGETS    ///< the targets' share of d_p, over the operator's rows
} hg_geo_way;

typedef struct {
  const hg_off *indptr;
  const hg_lid *indices;
  const hg_real *values, *row_scale, *col_scale; ///< each NULL for ones
  hg_off n_self;
  const hg_geo *geo;
  int column, width; ///< columns [column, column + width): a and d_a hold these alone
  const hg_real *positions, *x;
  hg_real *a;         ///< HG_GEO_SUMS
  const hg_real *d_a; ///< the others
  hg_real *d_x;       ///< NULL: not wanted
  hg_real *d_p;       ///< NULL: not wanted
} hg_geo_task;

/** Rows [first, end); gradients of the gates are added to `sums` [(dims + 1) x gates], NULL but for GRADIENTS. */
typedef void hg_geo_kernel(const hg_geo_task *task, hg_geo_way way, hg_off first, hg_off end, hg_real *sums);
hg_geo_kernel hg_geo_kernel_base, hg_geo_kernel_avx2, hg_geo_kernel_avx512;

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

ALWAYS_INLINE void store(hg_real *to, vector v) { *(vector_in_memory *)to = v; }

ALWAYS_INLINE vector all(hg_real value) { return value - (vector){0}; }

ALWAYS_INLINE void add_to(hg_real *to, vector v) { *(vector_in_memory *)to += v; }

#if defined(__AVX512F__) && !defined(HALOGNN_FLOAT64)
ALWAYS_INLINE hg_real sum_lanes(vector v) { return _mm512_reduce_add_ps((__m512)v); }

/** The sums of neighbouring lanes, of a in the lower half and of b in the upper. */
ALWAYS_INLINE vector add_pairs(vector a, vector b)
{
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return (vector)_mm512_permutex2var_ps((__m512)a, even, (__m512)b) +
         (vector)_mm512_permutex2var_ps((__m512)a, odd, (__m512)b);
}

/** Lane l of the result is the sum of v[l]'s lanes; v [LANES] is used up. */
ALWAYS_INLINE vector sums_of_lanes(vector *v)
{
#  pragma GCC unroll 4
  for (int n = LANES / 2; n > 0; n /= 2)
#  pragma GCC unroll 8
    for (int k = 0; k < n; k++) v[k] = add_pairs(v[2 * k], v[2 * k + 1]);
  return v[0];
}
#else
ALWAYS_INLINE hg_real sum_lanes(vector v)
{
  hg_real sum = 0;
#  pragma GCC unroll 8
  for (int l = 0; l < LANES; l++) sum += v[l];
  return sum;
}

ALWAYS_INLINE vector sums_of_lanes(vector *v)
{
  vector sums;
#  pragma GCC unroll 8
  for (int l = 0; l < LANES; l++) sums[l] = sum_lanes(v[l]);
  return sums;
}
#endif

ALWAYS_INLINE hg_real entry_weight(const hg_geo_task *t, hg_off e, hg_lid j)
{
  hg_real weight = t->values ? t->values[e] : 1;
  return t->col_scale ? weight * t->col_scale[j] : weight;
}

ALWAYS_INLINE hg_real self_weight(const hg_geo_task *t, hg_off i) { return t->col_scale ? t->col_scale[i] : 1; }

ALWAYS_INLINE hg_real scale_of_row(const hg_geo_task *t, hg_off i) { return t->row_scale ? t->row_scale[i] : 1; }

ALWAYS_INLINE void displacement(const hg_real *from, const hg_real *to, int dims, hg_real *out)
{
  for (int d = 0; d < dims; d++) out[d] = from[d] - to[d];
}

/** One vector of gates: relu(u delta + b). */
typedef struct {
  vector u[HG_GEO_DIMS], b;
} gate_vector;

ALWAYS_INLINE gate_vector load_gate(const hg_geo *g, int column, int dims)
{
  gate_vector gate;
  for (int d = 0; d < dims; d++) gate.u[d] = load(g->gate + d * g->gates + column);
  gate.b = load(g->gate + dims * g->gates + column);
  return gate;
}

/** `dims` is 0 for a self-loop, where z = b. */
ALWAYS_INLINE vector before_relu(const gate_vector *gate, const hg_real *delta, int dims)
{
  vector z = gate->b;
  for (int d = 0; d < dims; d++) z += delta[d] * gate->u[d];
  return z;
}

/** A gate for the sums, its slope for the positions' gradients. */
ALWAYS_INLINE vector gate_or_slope(vector z, hg_geo_way way)
{
  return way == HG_GEO_SUMS ? relu(z) : where_positive(z, all(1));
}

/** d_p += sign u' v. */
ALWAYS_INLINE void add_to_position(hg_real *d_p, const gate_vector *gate, vector v, int dims, hg_real sign)
{
  for (int d = 0; d < dims; d++) d_p[d] += sign * sum_lanes(gate->u[d] * v);
}
