#include "core/graph/region_graph.h"

#include <string.h>

#include "core/base/alloc.h"

hg_status hg_region_graph_create(hg_region_graph *graph, hg_image_shape shape, int max_regions,
                                 hg_region_neighbours neighbours)
{
  hg_status rc = HG_OK;
  hg_off pixels = hg_image_pixels(shape), regions = max_regions;
  // Of each pixel two sides and two corners, of each region its nearest, are entered, in both rows.
  hg_off nearest = neighbours.nearest,
         room = nearest > 0 ? 2 * regions * nearest : pixels * (neighbours.corners ? 8 : 4);
  hg_region_graph g = {.shape = shape, .neighbours = neighbours};
  HG_TRY(HG_ALLOC(g.items, room, "region neighbours")); // the largest first: it may be refused
  HG_TRY(HG_ALLOC(g.intensities, regions, "region intensities"));
  HG_TRY(HG_ALLOC(g.positions, 2 * regions, "region positions"));
  HG_TRY(HG_ALLOC(g.starts, regions + 1, "region neighbours"));
  HG_TRY(HG_ALLOC(g.lengths, regions, "region neighbours"));
  HG_TRY(HG_ALLOC(g.sums, 4 * regions, "region sums"));
  HG_TRY(HG_ALLOC(g.found, regions * nearest, "nearest regions"));
  *graph = g;
  g = (hg_region_graph){0};
done:
  hg_region_graph_free(&g);
  return rc;
}

void hg_region_graph_free(hg_region_graph *graph)
{
  hg_free(&graph->intensities);
  hg_free(&graph->positions);
  hg_free(&graph->starts);
  hg_free(&graph->lengths);
  hg_free(&graph->items);
  hg_free(&graph->sums);
  hg_free(&graph->found);
  *graph = (hg_region_graph){0};
}

static void make_nodes(hg_region_graph *g, const uint8_t *pixels, const int32_t *labels)
{
  memset(g->sums, 0, 4 * (size_t)g->n * sizeof *g->sums);
  for (int y = 0, p = 0; y < g->shape.height; y++) {
    for (int x = 0; x < g->shape.width; x++, p++) {
      int64_t *sum = g->sums + 4 * (hg_off)labels[p];
      sum[0] += pixels[p], sum[1] += x, sum[2] += y, sum[3]++;
    }
  }
  for (int r = 0; r < g->n; r++) {
    const int64_t *sum = g->sums + 4 * (hg_off)r;
    double size = (double)sum[3];
    g->intensities[r] = (float)((double)sum[0] / (255 * size));
    g->positions[2 * r] = (float)((double)sum[1] / size);
    g->positions[2 * r + 1] = (float)((double)sum[2] / size);
  }
}

// Puts b into the ascending row of a, unless it is there. Rows are short.
static void enter(hg_region_graph *g, int32_t a, int32_t b)
{
  int32_t *row = g->items + g->starts[a], k = g->lengths[a];
  while (k > 0 && row[k - 1] > b) k--;
  if (k > 0 && row[k - 1] == b) return;
  memmove(row + k + 1, row + k, (size_t)(g->lengths[a] - k) * sizeof *row);
  row[k] = b;
  g->lengths[a]++;
}

static void enter_both(hg_region_graph *g, int32_t a, int32_t b)
{
  enter(g, a, b);
  enter(g, b, a);
}

// Calls `visit` for the two regions at each side (or corner) of pixels where two regions meet.
static void each_border(hg_region_graph *g, const int32_t *labels, void (*visit)(hg_region_graph *, int32_t, int32_t))
{
  static const int steps[][2] = {{1, 0}, {0, 1}, {1, 1}, {-1, 1}}; // the other half is the other direction
  int width = g->shape.width, height = g->shape.height, n_steps = g->neighbours.corners ? 4 : 2;
  for (int y = 0, p = 0; y < height; y++) {
    for (int x = 0; x < width; x++, p++) {
      for (int k = 0; k < n_steps; k++) {
        int to_x = x + steps[k][0], to_y = y + steps[k][1];
        if (to_x < 0 || to_x >= width || to_y >= height) continue;
        int32_t other = labels[to_y * width + to_x];
        if (other != labels[p]) visit(g, labels[p], other);
      }
    }
  }
}

static void count_both(hg_region_graph *g, int32_t a, int32_t b)
{
  g->starts[a + 1]++;
  g->starts[b + 1]++;
}

// From counts at starts[r + 1] to offsets; all rows empty.
static void open_rows(hg_region_graph *g)
{
  for (int r = 0; r < g->n; r++) {
    g->starts[r + 1] += g->starts[r];
    g->lengths[r] = 0;
  }
}

static double distance2(const float *a, const float *b)
{
  double dx = (double)a[0] - b[0], dy = (double)a[1] - b[1];
  return dx * dx + dy * dy;
}

// The `nearest` other regions of r, nearest first, in g->found; returns how many there are.
static int find_nearest(hg_region_graph *g, int32_t r)
{
  const float *here = g->positions + 2 * (hg_off)r;
  int32_t *best = g->found + (hg_off)r * g->neighbours.nearest;
  int n = 0;
  for (int32_t s = 0; s < g->n; s++) {
    if (s == r) continue;
    double d = distance2(here, g->positions + 2 * (hg_off)s);
    int k = n;
    while (k > 0 && distance2(here, g->positions + 2 * (hg_off)best[k - 1]) > d) k--;
    if (k == g->neighbours.nearest) continue;
    int kept = n < g->neighbours.nearest ? n++ : n - 1;
    memmove(best + k + 1, best + k, (size_t)(kept - k) * sizeof *best);
    best[k] = s;
  }
  return n;
}

static void make_nearest(hg_region_graph *g)
{
  for (int32_t r = 0; r < g->n; r++) {
    int n = find_nearest(g, r);
    for (int k = 0; k < n; k++) count_both(g, r, g->found[(hg_off)r * g->neighbours.nearest + k]);
    for (int k = n; k < g->neighbours.nearest; k++) g->found[(hg_off)r * g->neighbours.nearest + k] = -1;
  }
  open_rows(g);
  for (int32_t r = 0; r < g->n; r++)
    for (int k = 0; k < g->neighbours.nearest && g->found[(hg_off)r * g->neighbours.nearest + k] >= 0; k++)
      enter_both(g, r, g->found[(hg_off)r * g->neighbours.nearest + k]);
}

hg_off hg_region_graph_make(hg_region_graph *g, const uint8_t *pixels, const int32_t *labels, int n)
{
  hg_off edges = 0;
  g->n = n;
  make_nodes(g, pixels, labels);
  memset(g->starts, 0, ((size_t)n + 1) * sizeof *g->starts);
  if (g->neighbours.nearest > 0) {
    make_nearest(g);
  } else {
    each_border(g, labels, count_both);
    open_rows(g);
    each_border(g, labels, enter_both);
  }
  for (int r = 0; r < n; r++) edges += g->lengths[r];
  return edges;
}
