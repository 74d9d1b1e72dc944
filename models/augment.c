#include "models/augment.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/threads.h"
#include "core/tensor/geo.h"

// What is drawn, in the low 8 bits of the generator's word b: from 0 a rotation's normals, from NOISE a node's.
enum { MIRROR = 64, FACTOR = 65, ANGLE = 66, NOISE = 128 };

static const double half_turn = 180, pi = 3.14159265358979323846;

hg_augment hg_augment_training(const hg_augment_options *options, uint64_t seed, int epoch)
{
  return (hg_augment){.options = *options, .seed = seed, .epoch = (uint32_t)epoch};
}

hg_augment hg_augment_test(const hg_augment_options *options, uint64_t seed, int k)
{
  return (hg_augment){.options = *options, .seed = seed, .sample = (uint32_t)k + 1};
}

static hg_rng generator(const hg_augment *a)
{
  return (hg_rng){.seed = a->seed, .stream = a->epoch << 8 | HG_STREAM_AUGMENT};
}

static uint32_t word(const hg_augment *a, int what) { return a->sample << 8 | (uint32_t)what; }

static void set_identity(double *q, int dims)
{
  memset(q, 0, (size_t)(dims * dims) * sizeof *q);
  for (int d = 0; d < dims; d++) q[d * dims + d] = 1;
}

// q's rows from k on become (I - 2 v v' / v2) times them, v2 = v'v
static void apply_householder(double *q, int dims, int k, const double *v, double v2)
{
  for (int c = k; c < dims; c++) {
    double dot = 0;
    for (int r = k; r < dims; r++) dot += v[r] * q[r * dims + c];
    for (int r = k; r < dims; r++) q[r * dims + c] -= 2 * dot / v2 * v[r];
  }
}

// Stewart's product: from the last coordinate to the first, an axis k goes to a random direction x of coordinates k and
// on, by H diag(-sign x_k, what was made before), H the Householder matrix of x. Each step multiplies the determinant
// by sign x_k.
static void random_rotation(const hg_augment *a, uint64_t unit, int dims, double *q)
{
  double determinant = 1;
  set_identity(q, dims);
  for (int k = dims - 2, drawn = 0; k >= 0; k--) {
    double v[HG_GEO_DIMS] = {0}, norm2 = 0;
    for (int r = k; r < dims; r++) {
      v[r] = hg_rng_normal(generator(a), unit, word(a, drawn++));
      norm2 += v[r] * v[r];
    }
    if (norm2 <= 0) continue; // a direction that was not drawn
    double sign = v[k] < 0 ? -1 : 1, length = sqrt(norm2), v2 = 2 * (norm2 + length * fabs(v[k]));
    v[k] += sign * length;
    q[k * dims + k] = -sign;
    determinant *= sign;
    apply_householder(q, dims, k, v, v2);
  }
  if (determinant > 0) return;
  for (int r = 0; r < dims; r++) q[r * dims + dims - 1] *= -1;
}

// I + (cos - 1) (u u' + v v') + sin (v u' - u v'), u and v the first two columns of a random rotation
static void plane_rotation(const hg_augment *a, uint64_t unit, int dims, double *q)
{
  double frame[HG_GEO_DIMS * HG_GEO_DIMS];
  if (dims < 2) return set_identity(q, dims);
  double turn = 2 * hg_rng_uniform(generator(a), unit, word(a, ANGLE)) - 1;
  double angle = turn * a->options.rotate / half_turn * pi, sine = sin(angle), half = sin(angle / 2);
  double cosine_less_1 = -2 * half * half; // exact for small angles too
  random_rotation(a, unit, dims, frame);
  set_identity(q, dims);
  for (int r = 0; r < dims; r++) {
    const double *at_r = frame + (ptrdiff_t)r * dims;
    for (int c = 0; c < dims; c++) {
      const double *at_c = frame + (ptrdiff_t)c * dims;
      q[r * dims + c] += cosine_less_1 * (at_r[0] * at_c[0] + at_r[1] * at_c[1]);
      q[r * dims + c] += sine * (at_r[1] * at_c[0] - at_r[0] * at_c[1]);
    }
  }
}

static void rotation(const hg_augment *a, uint64_t unit, int dims, double *q)
{
  if (a->options.rotate >= half_turn)
    random_rotation(a, unit, dims, q);
  else if (a->options.rotate > 0)
    plane_rotation(a, unit, dims, q);
  else
    set_identity(q, dims);
}

static bool is_linear(const hg_augment_options *o) { return o->rotate > 0 || o->reflect || o->scale > 0; }

const hg_real *hg_augment_map(const hg_augment *augment, uint64_t unit, int dims, hg_real *map)
{
  const hg_augment_options *o = &augment->options;
  double q[HG_GEO_DIMS * HG_GEO_DIMS], factor = 1;
  if (!is_linear(o) || dims < 1 || dims > HG_GEO_DIMS) return NULL;
  rotation(augment, unit, dims, q);
  if (o->reflect && hg_rng_uniform(generator(augment), unit, word(augment, MIRROR)) < 0.5)
    for (int r = 0; r < dims; r++) q[r * dims] *= -1;
  if (o->scale > 0)
    factor = exp((2 * hg_rng_uniform(generator(augment), unit, word(augment, FACTOR)) - 1) * log1p(o->scale));
  for (int e = 0; e < dims * dims; e++) map[e] = (hg_real)(factor * q[e]);
  return map;
}

const hg_real *hg_augment_batch_map(const hg_augment *augment, uint64_t batch, int dims, hg_real *map)
{
  const hg_augment_options *o = &augment->options;
  if (o->per == HG_AUGMENT_PER_GRAPH) return NULL;
  bool own = o->per == HG_AUGMENT_PER_BATCH && augment->sample == 0;
  return hg_augment_map(augment, own ? batch : 0, dims, map);
}

void hg_augment_move(const hg_augment *augment, const hg_real *map, int dims, const hg_gid *ids, hg_off n,
                     const hg_real *from, hg_real *to)
{
  const hg_rng rng = generator(augment);
  const double jitter = augment->options.jitter;
  for (hg_off i = 0; i < n; i++) {
    double p[HG_GEO_DIMS];
    for (int d = 0; d < dims; d++) {
      p[d] = (double)from[i * dims + d];
      if (jitter > 0) p[d] += jitter * hg_rng_normal(rng, (uint64_t)ids[i], word(augment, NOISE + d));
    }
    for (int d = 0; d < dims; d++) {
      double turned = map ? 0 : p[d];
      for (int k = 0; map && k < dims; k++) turned += (double)map[d * dims + k] * p[k];
      to[i * dims + d] = (hg_real)turned;
    }
  }
}

void hg_augment_batch(const hg_augment *augment, const hg_batch_source *source, hg_batch *batch)
{
  const hg_level *level = &source->hierarchy->levels[0];
  const hg_local_graph *g = &batch->stages[0].graph;
  const hg_augment_options *o = &augment->options;
  bool own_maps = o->per == HG_AUGMENT_PER_GRAPH && is_linear(o);
  hg_real map[HG_GEO_DIMS * HG_GEO_DIMS];
  if (!g->positions || (!own_maps && o->jitter == 0)) return;
  for (hg_off b = 0, row = 0; b < batch->n_graphs; b++) {
    const hg_off *range = &level->graph_ptr[batch->graphs[b]];
    const hg_real *turn = own_maps ? hg_augment_map(augment, (uint64_t)batch->graphs[b], g->n_dims, map) : NULL;
    hg_augment_move(augment, turn, g->n_dims, g->ids + row, range[1] - range[0],
                    level->positions + range[0] * g->n_dims, g->positions + row * g->n_dims);
    row += range[1] - range[0];
  }
  hg_batch_move(batch);
}

static hg_off kept_numbers(const hg_augment_options *options, const hg_local_graph *graph)
{
  return options->jitter > 0 ? (hg_off)graph->n_local * graph->n_dims : 0;
}

size_t hg_augment_bytes(const hg_augment_options *options, const hg_local_graph *graph)
{
  return (size_t)kept_numbers(options, graph) * sizeof(hg_real);
}

hg_status hg_augment_prepare(const hg_augment_options *options, hg_local_graph *graph)
{
  hg_off numbers = kept_numbers(options, graph);
  if (!graph->positions || numbers == 0) return HG_OK;
  hg_status rc = HG_ALLOC(graph->base_positions, numbers, "positions before jitter");
  if (rc == HG_OK) memcpy(graph->base_positions, graph->positions, (size_t)numbers * sizeof *graph->positions);
  return rc;
}

static void jitter(const hg_augment *augment, hg_local_graph *g)
{
#pragma omp parallel default(none) shared(augment, g) num_threads(hg_threads())
  {
    hg_off first, end;
    hg_block(g->n_local, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    hg_augment_move(augment, NULL, g->n_dims, g->ids + first, end - first, g->base_positions + first * g->n_dims,
                    g->positions + first * g->n_dims);
  }
}

const hg_real *hg_augment_graph(const hg_augment *augment, hg_local_graph *graph, hg_real *map)
{
  if (graph->base_positions && augment) jitter(augment, graph);
  if (graph->base_positions && !augment)
    memcpy(graph->positions, graph->base_positions,
           (size_t)graph->n_local * (size_t)graph->n_dims * sizeof *graph->positions);
  return augment ? hg_augment_map(augment, 0, graph->n_dims, map) : NULL;
}
