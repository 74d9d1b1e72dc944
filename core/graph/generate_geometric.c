#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/graph/generate.h"

// Points in the order of the cells of a regular grid, so that a cell is a range of nodes and near nodes have near
// numbers.
typedef struct {
  const hg_generate_options *options;
  const float *positions; ///< [n x dims] of hg_nodes
  hg_lid *starts;         ///< [side^dims + 1] first node of each cell
  int side, dims;
  double radius;
  int k;             ///< neighbours a node, 0: by radius
  double *distances; ///< [k] of the nearest so far, ascending, with their nodes
  hg_lid *nearest;
} space;

// A box of cells around one, cut at the borders of the cube.
typedef struct {
  int low[3], high[3];
} box;

static void space_free(space *s)
{
  hg_free(&s->starts);
  hg_free(&s->distances);
  hg_free(&s->nearest);
}

static int cell_along(const space *s, float x)
{
  int cell = (int)((double)x * s->side);
  return cell < s->side ? cell : s->side - 1;
}

static hg_off cell_of(const space *s, const float *point)
{
  hg_off cell = 0;
  for (int k = 0; k < s->dims; k++) cell = cell * s->side + cell_along(s, point[k]);
  return cell;
}

static box box_around(const space *s, const float *point, int reach)
{
  box b = {{0, 0, 0}, {0, 0, 0}};
  for (int k = 0; k < s->dims; k++) {
    int cell = cell_along(s, point[k]);
    b.low[k] = cell > reach ? cell - reach : 0;
    b.high[k] = cell < s->side - 1 - reach ? cell + reach : s->side - 1;
  }
  return b;
}

// The cell at (x, y, z); dimensions that are not there count as one cell
static hg_off cell_at(const space *s, const int place[3])
{
  hg_off cell = 0;
  for (int k = 0; k < s->dims; k++) cell = cell * s->side + place[k];
  return cell;
}

static double distance2(const space *s, hg_off i, hg_off j)
{
  double sum = 0;
  for (int k = 0; k < s->dims; k++) {
    double d = (double)s->positions[i * s->dims + k] - (double)s->positions[j * s->dims + k];
    sum += d * d;
  }
  return sum;
}

static hg_status draw_points(space *s, hg_nodes *nodes)
{
  hg_status rc = HG_OK;
  hg_rng rng = hg_generate_rng(s->options->seed);
  hg_off n = nodes->n, cells = 1;
  float *drawn = NULL;
  hg_lid *next = NULL;
  for (int k = 0; k < s->dims; k++) cells *= s->side;
  HG_TRY(HG_ALLOC(drawn, n * s->dims, "points"));
  HG_TRY(HG_ALLOC(nodes->positions, n * s->dims, "positions"));
  HG_TRY(HG_ALLOC(s->starts, cells + 1, "cells"));
  HG_TRY(HG_ALLOC(next, cells, "cell cursors"));
  for (hg_off i = 0; i < n; i++) {
    uint32_t w[4];
    hg_rng_words(rng, hg_draw_counter(HG_DRAW_POSITION, (uint64_t)i), 0, w);
    for (int k = 0; k < s->dims; k++) drawn[i * s->dims + k] = (float)(w[k] >> 8) * 0x1p-24f;
    s->starts[cell_of(s, drawn + i * s->dims) + 1]++;
  }
  for (hg_off c = 0; c < cells; c++) next[c] = s->starts[c], s->starts[c + 1] += s->starts[c];
  for (hg_off i = 0; i < n; i++) {
    hg_off to = next[cell_of(s, drawn + i * s->dims)]++;
    memcpy(nodes->positions + to * s->dims, drawn + i * s->dims, (size_t)s->dims * sizeof *drawn);
  }
  s->positions = nodes->positions;
done:
  hg_free(&drawn);
  hg_free(&next);
  return rc;
}

// Cells are at least a radius wide, so all partners lie in the box of reach 1; each pair is drawn from its first
// node.
static hg_status join_within_radius(const space *s, hg_off i, hg_status (*edge)(void *, hg_gid, hg_gid), void *context)
{
  box b = box_around(s, s->positions + i * s->dims, 1);
  int place[3];
  for (place[0] = b.low[0]; place[0] <= b.high[0]; place[0]++) {
    for (place[1] = b.low[1]; place[1] <= b.high[1]; place[1]++) {
      place[2] = b.low[2];
      hg_off first = cell_at(s, place);
      place[2] = b.high[2];
      hg_off end = s->starts[cell_at(s, place) + 1]; // cells along the last dimension follow one another
      for (hg_off j = s->starts[first] > i ? s->starts[first] : i + 1; j < end; j++) {
        hg_status rc = distance2(s, i, j) < s->radius * s->radius ? edge(context, i, j) : HG_OK;
        if (rc != HG_OK) return rc;
      }
    }
  }
  return HG_OK;
}

// Puts node j into the ascending list of the nearest, if it belongs there; ties go to the smaller number.
static void offer(space *s, hg_off i, hg_off j, int *found)
{
  double d = distance2(s, i, j);
  int at = *found;
  if (j == i || (at == s->k && (d > s->distances[at - 1] || (d == s->distances[at - 1] && j > s->nearest[at - 1]))))
    return;
  if (at < s->k)
    ++*found;
  else
    at--;
  for (; at > 0 && (s->distances[at - 1] > d || (s->distances[at - 1] == d && s->nearest[at - 1] > j)); at--) {
    s->distances[at] = s->distances[at - 1];
    s->nearest[at] = s->nearest[at - 1];
  }
  s->distances[at] = d;
  s->nearest[at] = (hg_lid)j;
}

static bool on_shell(const space *s, const float *point, const int place[3], int reach)
{
  bool shell = reach == 0;
  // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): place has `dims` numbers
  for (int k = 0; k < s->dims; k++) shell |= abs(place[k] - cell_along(s, point[k])) == reach;
  return shell;
}

static void offer_shell(space *s, hg_off i, int reach, int *found)
{
  const float *point = s->positions + i * s->dims;
  box b = box_around(s, point, reach);
  int place[3];
  for (place[0] = b.low[0]; place[0] <= b.high[0]; place[0]++) {
    for (place[1] = b.low[1]; place[1] <= b.high[1]; place[1]++) {
      for (place[2] = b.low[2]; place[2] <= b.high[2]; place[2]++) {
        if (!on_shell(s, point, place, reach)) continue;
        hg_off cell = cell_at(s, place);
        for (hg_off j = s->starts[cell]; j < s->starts[cell + 1]; j++) offer(s, i, j, found);
      }
    }
  }
}

// Shell after shell of cells; what lies beyond shell r is at least r cells away.
static hg_status join_to_nearest(space *s, hg_off i, hg_status (*edge)(void *, hg_gid, hg_gid), void *context)
{
  int found = 0;
  for (int reach = 0; reach < s->side; reach++) {
    offer_shell(s, i, reach, &found);
    double safe = (double)reach / s->side;
    if (found == s->k && s->distances[found - 1] <= safe * safe) break;
  }
  for (int e = 0; e < found; e++) {
    hg_status rc = edge(context, s->nearest[e], i);
    if (rc != HG_OK) return rc;
  }
  return HG_OK;
}

static hg_status draw_edges(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  space *s = source;
  for (hg_off i = 0; i < s->options->nodes; i++) {
    hg_status rc = s->k > 0        ? join_to_nearest(s, i, edge, context)
                   : s->radius > 0 ? join_within_radius(s, i, edge, context)
                                   : HG_OK;
    if (rc != HG_OK) return rc;
  }
  return HG_OK;
}

// The radius whose ball holds `degree` points on average, borders apart
static double radius_for(double degree, double n, int dims)
{
  const double ball[] = {0, 2, 3.14159265358979, 4.18879020478639};
  return pow(degree / (n * ball[dims]), 1.0 / dims);
}

static hg_status space_init(space *s, const hg_generate_options *o)
{
  hg_status rc = HG_OK;
  double n = (double)o->nodes, finest = floor(pow(n, 1.0 / o->dims)) + 1;
  *s = (space){.options = o, .dims = o->dims, .radius = o->radius > 0 ? o->radius : radius_for(o->degree, n, o->dims)};
  double wanted = s->radius > 0 ? floor(1 / s->radius) : 1;
  if (o->knn) {
    s->k = (int)fmin(o->degree + 0.5, n - 1);
    wanted = floor(pow(n / (s->k + 1), 1.0 / o->dims));
  }
  s->side = (int)fmax(1, fmin(wanted, finest));
  HG_TRY(HG_ALLOC(s->distances, s->k, "distances"));
  HG_TRY(HG_ALLOC(s->nearest, s->k, "nearest nodes"));
done:
  return rc;
}

hg_status hg_generate_geometric(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts)
{
  hg_status rc = HG_OK;
  space s = {0};
  graph->nodes.n_dims = options->dims;
  HG_TRY(space_init(&s, options));
  HG_TRY(draw_points(&s, &graph->nodes));
  HG_TRY(hg_generate_regions(options, 1, &graph->nodes));
  HG_TRY(hg_csr_build(&graph->adjacency, graph->nodes.n, draw_edges, &s, true, counts));
done:
  space_free(&s);
  return rc;
}
