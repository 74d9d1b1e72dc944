#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/graph/idx.h"
#include "core/graph/region_graph.h"
#include "tests/support/run.h"

enum { SIDE = 40, MAX_PIXELS = SIDE * SIDE };

static int32_t labels[MAX_PIXELS];

static int segment(hg_image_shape shape, int superpixels, double compactness, const uint8_t *pixels)
{
  hg_slic *slic;
  cr_assert_eq(hg_slic_create(&slic, shape, superpixels, compactness), HG_OK, "%s", hg_error_text());
  int n = hg_slic_run(slic, pixels, labels);
  cr_expect_leq(n, hg_slic_max_regions(slic));
  hg_slic_free(&slic);
  return n;
}

// Regions by a flood fill of our own: as many as there are labels, if each of them is connected.
static int connected_regions(hg_image_shape shape)
{
  static bool seen[MAX_PIXELS];
  static int stack[MAX_PIXELS];
  static const int steps[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  int regions = 0;
  memset(seen, 0, sizeof seen);
  for (int first = 0; first < hg_image_pixels(shape); first++) {
    if (seen[first]) continue;
    int depth = 0;
    regions++;
    seen[first] = true, stack[depth++] = first;
    while (depth > 0) {
      int p = stack[--depth];
      for (int k = 0; k < 4; k++) {
        int x = p % shape.width + steps[k][0], y = p / shape.width + steps[k][1], q = y * shape.width + x;
        if (x < 0 || y < 0 || x >= shape.width || y >= shape.height || seen[q] || labels[q] != labels[p]) continue;
        seen[q] = true, stack[depth++] = q;
      }
    }
  }
  return regions;
}

static void random_image(uint64_t seed, hg_image_shape shape, uint8_t *pixels)
{
  hg_rng rng = {.seed = seed, .stream = HG_STREAM_TEST};
  bool noise = seed % 2 == 0; // otherwise blocks of equal pixels
  for (int p = 0; p < hg_image_pixels(shape); p++) {
    int block = p / shape.width / 5 * shape.width + p % shape.width / 5;
    pixels[p] = (uint8_t)hg_rng_below(rng, (uint64_t)(noise ? p : block), 1, 256);
  }
}

Test(superpixels, every_pixel_is_in_one_connected_region_and_regions_come_in_order)
{
  for (uint64_t seed = 0; seed < 60; seed++) {
    hg_rng rng = {.seed = seed, .stream = HG_STREAM_TEST};
    hg_image_shape shape = {(int)hg_rng_below(rng, 0, 0, SIDE) + 1, (int)hg_rng_below(rng, 1, 0, SIDE) + 1};
    int pixels = hg_image_pixels(shape), wanted = (int)hg_rng_below(rng, 2, 0, (uint64_t)pixels) + 1, next = 0;
    uint8_t image[MAX_PIXELS];
    random_image(seed, shape, image);
    int n = segment(shape, wanted, seed % 3 == 0 ? 0.01 : 0.25, image);
    for (int p = 0; p < pixels; p++) {
      cr_assert(labels[p] >= 0 && labels[p] < n, "seed %d: pixel %d has the label %d of %d", (int)seed, p,
                (int)labels[p], n);
      cr_assert_leq(labels[p], next, "seed %d: region %d comes before %d", (int)seed, (int)labels[p], next);
      next += labels[p] == next;
    }
    cr_expect_eq(next, n, "seed %d: %d regions occur, expected %d", (int)seed, next, n);
    cr_expect_eq(connected_regions(shape), n, "seed %d: regions are not connected", (int)seed);
  }
}

Test(superpixels, no_region_is_smaller_than_half_the_mean_size)
{
  for (uint64_t seed = 0; seed < 20; seed++) {
    hg_image_shape shape = {SIDE, SIDE - 3};
    uint8_t image[MAX_PIXELS];
    int sizes[MAX_PIXELS] = {0};
    random_image(seed, shape, image);
    int n = segment(shape, 60, 0.05, image);
    for (int p = 0; p < hg_image_pixels(shape); p++) sizes[labels[p]]++;
    int seeds = 8 * 7; // S = sqrt(1480 / 60) = 4.97
    for (int r = 0; r < n; r++)
      cr_expect_geq(sizes[r], hg_image_pixels(shape) / (2 * seeds), "seed %d: region %d", (int)seed, r);
  }
}

Test(superpixels, a_constant_image_is_cut_into_the_cells_of_the_grid)
{
  static uint8_t image[MAX_PIXELS];
  const hg_image_shape shape = {28, 28};
  cr_expect_eq(segment(shape, 49, 0.25, image), 49);
  for (int p = 0; p < 784; p++) cr_assert_eq(labels[p], p / 28 / 4 * 7 + p % 28 / 4, "pixel %d", p);
  cr_expect_eq(segment(shape, 1, 0.25, image), 1);
  cr_expect_eq(segment(shape, 784, 0.25, image), 784);
  cr_expect_eq(segment((hg_image_shape){1, 1}, 1, 0.25, image), 1);
  cr_expect_eq(segment((hg_image_shape){40, 1}, 10, 0.25, image), 10);
  cr_expect_eq(segment((hg_image_shape){3, 40}, 10, 0.25, image), 10);
}

Test(superpixels, no_region_crosses_the_border_of_two_halves)
{
  uint8_t image[784];
  for (int p = 0; p < 784; p++) image[p] = p % 28 < 13 ? 0 : 255;
  int n = segment((hg_image_shape){28, 28}, 75, 0.25, image);
  cr_expect(n >= 60 && n <= 90, "found %d regions", n);
  for (int p = 0; p < 784; p++)
    for (int q = p; q < 784; q++)
      cr_assert(labels[p] != labels[q] || image[p] == image[q], "pixels %d and %d are in one region", p, q);
}

Test(superpixels, a_larger_compactness_follows_the_grid)
{
  const hg_image_shape shape = {28, 28};
  uint8_t image[MAX_PIXELS];
  random_image(1, shape, image);
  cr_expect_eq(segment(shape, 49, 1000, image), 49);
  for (int p = 0; p < 784; p++) cr_assert_eq(labels[p], p / 28 / 4 * 7 + p % 28 / 4, "pixel %d", p);
}

static hg_off make_graph(hg_region_graph *graph, hg_image_shape shape, hg_region_neighbours neighbours, int n,
                         const uint8_t *pixels)
{
  cr_assert_eq(hg_region_graph_create(graph, shape, n, neighbours), HG_OK, "%s", hg_error_text());
  return hg_region_graph_make(graph, pixels, labels, n);
}

static bool joined(const hg_region_graph *g, int a, int b)
{
  for (int k = 0; k < g->lengths[a]; k++)
    if (g->items[g->starts[a] + k] == b) return true;
  return false;
}

static void expect_rows(const hg_region_graph *g, hg_off edges, const char *what, uint64_t seed)
{
  hg_off sum = 0;
  for (int a = 0; a < g->n; a++) {
    const int32_t *row = g->items + g->starts[a];
    sum += g->lengths[a];
    cr_assert_leq(g->starts[a] + g->lengths[a], g->starts[a + 1], "%s, seed %d: row %d has no room", what, (int)seed,
                  a);
    for (int k = 0; k < g->lengths[a]; k++) {
      cr_assert(k == 0 || row[k - 1] < row[k], "%s, seed %d: row %d falls", what, (int)seed, a);
      cr_assert(row[k] >= 0 && row[k] < g->n && row[k] != a, "%s, seed %d: edge %d", what, (int)seed, (int)row[k]);
      cr_assert(joined(g, row[k], a), "%s, seed %d: %d - %d has one direction", what, (int)seed, a, (int)row[k]);
    }
  }
  cr_expect_eq(sum, edges, "%s, seed %d", what, (int)seed);
}

Test(region_graph, three_regions_have_means_centres_and_borders)
{
  // 0 0 1
  // 0 2 1
  static const int32_t map[] = {0, 0, 1, 0, 2, 1};
  const uint8_t image[] = {51, 102, 255, 0, 204, 255};
  const float intensities[] = {0.2F, 1, 0.8F}, positions[] = {1.0F / 3, 1.0F / 3, 2, 0.5F, 1, 1};
  hg_region_graph g;
  memcpy(labels, map, sizeof map);
  hg_off edges = make_graph(&g, (hg_image_shape){3, 2}, (hg_region_neighbours){0}, 3, image);
  cr_expect_eq(edges, 6);
  expect_rows(&g, edges, "sides", 0);
  cr_expect(joined(&g, 0, 1) && joined(&g, 0, 2) && joined(&g, 1, 2));
  for (int k = 0; k < 3; k++) cr_expect_float_eq(g.intensities[k], intensities[k], 1e-6, "intensity %d", k);
  for (int k = 0; k < 6; k++) cr_expect_float_eq(g.positions[k], positions[k], 1e-6, "position %d", k);
  hg_region_graph_free(&g);
}

Test(region_graph, pixels_have_4_or_8_neighbours)
{
  static uint8_t image[MAX_PIXELS];
  for (int width = 1; width <= 7; width += 2) {
    for (int height = 1; height <= 6; height++) {
      hg_image_shape shape = {width, height};
      for (int p = 0; p < width * height; p++) labels[p] = p;
      for (int corners = 0; corners < 2; corners++) {
        hg_region_graph g;
        hg_off edges = make_graph(&g, shape, (hg_region_neighbours){.corners = corners}, width * height, image);
        expect_rows(&g, edges, "grid", (uint64_t)width);
        for (int a = 0; a < width * height; a++)
          for (int b = 0; b < width * height; b++) {
            int dx = abs(a % width - b % width), dy = abs(a / width - b / width);
            bool expected = a != b && (corners ? dx <= 1 && dy <= 1 : dx + dy == 1);
            cr_assert_eq(joined(&g, a, b), expected, "%d x %d, corners %d: %d - %d", width, height, corners, a, b);
          }
        hg_region_graph_free(&g);
      }
    }
  }
}

static double distance(const hg_region_graph *g, int a, int b)
{
  const float *from = g->positions + 2 * (hg_off)a, *to = g->positions + 2 * (hg_off)b;
  return hypot((double)from[0] - to[0], (double)from[1] - to[1]);
}

// Whether b is among the k nearest of a: fewer than k others come before it.
static bool is_near(const hg_region_graph *g, int a, int b, int k)
{
  int before = 0;
  double to_b = distance(g, a, b);
  for (int c = 0; c < g->n; c++) {
    double d = distance(g, a, c);
    before += c != a && c != b && (d < to_b - 1e-9 || (fabs(d - to_b) <= 1e-9 && c < b));
  }
  return a != b && before < k;
}

Test(region_graph, the_nearest_are_those_of_a_sort)
{
  for (uint64_t seed = 0; seed < 8; seed++) {
    hg_image_shape shape = {23, 17};
    uint8_t image[MAX_PIXELS];
    random_image(seed, shape, image);
    int n = segment(shape, 40, 0.25, image), k = seed == 0 ? 1000 : (int)seed;
    hg_region_graph g;
    hg_off edges = make_graph(&g, shape, (hg_region_neighbours){.nearest = k}, n, image);
    expect_rows(&g, edges, "nearest", seed);
    for (int a = 0; a < n; a++)
      for (int b = 0; b < n; b++)
        cr_assert_eq(joined(&g, a, b), is_near(&g, a, b, k) || is_near(&g, b, a, k), "seed %d: %d - %d of %d",
                     (int)seed, a, b, n);
    hg_region_graph_free(&g);
  }
}

Test(region_graph, sides_of_random_regions_are_those_of_their_pixels)
{
  for (uint64_t seed = 0; seed < 10; seed++) {
    hg_image_shape shape = {29, 31};
    uint8_t image[MAX_PIXELS];
    static bool beside[200][200];
    random_image(seed, shape, image);
    int n = segment(shape, 70, 0.25, image);
    cr_assert_leq(n, 200);
    hg_region_graph g;
    expect_rows(&g, make_graph(&g, shape, (hg_region_neighbours){0}, n, image), "sides", seed);
    memset(beside, 0, sizeof beside);
    for (int p = 0; p < hg_image_pixels(shape); p++) {
      if (p % 29 < 28) beside[labels[p]][labels[p + 1]] = beside[labels[p + 1]][labels[p]] = true;
      if (p / 29 < 30) beside[labels[p]][labels[p + 29]] = beside[labels[p + 29]][labels[p]] = true;
    }
    for (int a = 0; a < n; a++)
      for (int b = 0; b < n; b++)
        if (a != b) cr_assert_eq(joined(&g, a, b), beside[a][b], "seed %d: %d - %d", (int)seed, a, b);
    hg_region_graph_free(&g);
  }
}

Test(superpixels, memory_that_cannot_be_had_is_an_error)
{
  hg_region_graph g;
  size_t before = hg_alloc_bytes();
  cr_expect_eq(
      hg_region_graph_create(&g, (hg_image_shape){4096, 4096}, 1 << 24, (hg_region_neighbours){.nearest = 1000}),
      HG_ERR_MEMORY);
  cr_expect(strstr(hg_error_text(), "out of memory: "), "%s", hg_error_text());
  cr_expect_eq(hg_alloc_bytes(), before);
}
