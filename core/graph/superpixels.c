#include "core/graph/superpixels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/alloc.h"

enum { ITERATIONS = 10, NEIGHBOURS = 4 };

typedef struct {
  float intensity, x, y;
} centre;

// A connected piece of a cluster: a list of pixels through `next`.
typedef struct {
  int32_t head, size;
  int64_t sum; // of the pixels' bytes
} piece;

struct hg_slic {
  hg_image_shape shape;
  int seeds_x, seeds_y;
  float place_weight, intensity_weight, reach;
  centre *centres;    // [seeds]
  float *intensities; // [pixels]
  float *distances;   // [pixels] to the nearest centre so far
  int32_t *clusters;  // [pixels]
  int32_t *previous;  // [pixels] clusters of the iteration before
  int64_t *sums;      // [seeds x 4] bytes, columns, rows, pixels
  int32_t *next;      // [pixels] the next pixel of the piece, -1 at its end
  int32_t *numbers;   // [pixels] of pieces, for renumbering
  piece *pieces;      // [pixels]
};

static int seeds_along(int side, double spacing)
{
  int seeds = (int)lround(side / spacing);
  return seeds < 1 ? 1 : seeds > side ? side : seeds;
}

hg_status hg_slic_create(hg_slic **slic, hg_image_shape shape, int superpixels, double compactness)
{
  hg_status rc = HG_OK;
  hg_slic *s = NULL;
  int pixels = hg_image_pixels(shape), seeds;
  int longer = shape.width > shape.height ? shape.width : shape.height;
  double spacing = fmax(sqrt((double)pixels / superpixels), (double)longer / superpixels);
  *slic = NULL;
  HG_TRY(HG_ALLOC(s, 1, "superpixels"));
  s->shape = shape;
  s->seeds_x = seeds_along(shape.width, spacing), s->seeds_y = seeds_along(shape.height, spacing);
  seeds = s->seeds_x * s->seeds_y;
  s->place_weight = (float)((double)seeds / pixels);
  s->intensity_weight = (float)(1 / (compactness * compactness));
  s->reach = (float)(2 * sqrt((double)pixels / seeds));
  HG_TRY(HG_ALLOC(s->centres, seeds, "superpixel centres"));
  HG_TRY(HG_ALLOC(s->sums, 4 * (hg_off)seeds, "superpixel sums"));
  HG_TRY(HG_ALLOC(s->intensities, pixels, "intensities"));
  HG_TRY(HG_ALLOC(s->distances, pixels, "superpixel distances"));
  HG_TRY(HG_ALLOC(s->clusters, pixels, "superpixel clusters"));
  HG_TRY(HG_ALLOC(s->previous, pixels, "superpixel clusters"));
  HG_TRY(HG_ALLOC(s->next, pixels, "superpixel pieces"));
  HG_TRY(HG_ALLOC(s->numbers, pixels, "superpixel pieces"));
  HG_TRY(HG_ALLOC(s->pieces, pixels, "superpixel pieces"));
  *slic = s;
  s = NULL;
done:
  hg_slic_free(&s);
  return rc;
}

void hg_slic_free(hg_slic **slic)
{
  hg_slic *s = *slic;
  if (!s) return;
  hg_free(&s->centres);
  hg_free(&s->sums);
  hg_free(&s->intensities);
  hg_free(&s->distances);
  hg_free(&s->clusters);
  hg_free(&s->previous);
  hg_free(&s->next);
  hg_free(&s->numbers);
  hg_free(&s->pieces);
  hg_free(slic);
}

// Regions have at least so many pixels.
static int least_size(const hg_slic *s)
{
  int least = hg_image_pixels(s->shape) / (2 * s->seeds_x * s->seeds_y);
  return least < 1 ? 1 : least;
}

int hg_slic_max_regions(const hg_slic *slic) { return hg_image_pixels(slic->shape) / least_size(slic); }

// Centres in the middle of the grid's cells; each pixel belongs to its cell's until a window reaches it.
static void place_seeds(hg_slic *s)
{
  int width = s->shape.width, height = s->shape.height;
  for (int k = 0; k < s->seeds_x * s->seeds_y; k++) {
    int column = k % s->seeds_x, row = k / s->seeds_x;
    double x = (column + 0.5) * width / s->seeds_x - 0.5, y = (row + 0.5) * height / s->seeds_y - 0.5;
    int pixel = (int)lround(y) * width + (int)lround(x);
    s->centres[k] = (centre){s->intensities[pixel], (float)x, (float)y};
  }
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      s->clusters[y * width + x] = y * s->seeds_y / height * s->seeds_x + x * s->seeds_x / width;
}

static int at_least(float x, int low) { return x > (float)low ? (int)ceilf(x) : low; }
static int at_most(float x, int high) { return x < (float)high ? (int)floorf(x) : high; }

// Takes the pixels x0 to x1 of a row that are nearer to centre k than to those before it; dy2: (row - centre's row)^2.
static void claim_row(const hg_slic *s, int32_t k, hg_off row, int x0, int x1, float dy2)
{
  const centre c = s->centres[k];
  const float place_weight = s->place_weight, intensity_weight = s->intensity_weight;
  const float *restrict v = s->intensities + row;
  float *restrict best = s->distances + row;
  int32_t *restrict to = s->clusters + row;
#pragma omp simd
  for (int x = x0; x <= x1; x++) {
    float dx = (float)x - c.x, dv = v[x] - c.intensity;
    float d = (dx * dx + dy2) * place_weight + dv * dv * intensity_weight, before = best[x];
    int32_t keep = -(int32_t)(d >= before); // masks, or the compiler makes branches of it that cannot be predicted
    to[x] = (to[x] & keep) | (k & ~keep);
    best[x] = d < before ? d : before;
  }
}

static void claim_window(hg_slic *s, int32_t k)
{
  const centre c = s->centres[k];
  int width = s->shape.width, x0 = at_least(c.x - s->reach, 0), x1 = at_most(c.x + s->reach, width - 1),
      y0 = at_least(c.y - s->reach, 0), y1 = at_most(c.y + s->reach, s->shape.height - 1);
  for (int y = y0; y <= y1; y++) {
    float dy = (float)y - c.y;
    claim_row(s, k, (hg_off)y * width, x0, x1, dy * dy);
  }
}

// Sums of whole numbers: exact, in any order. A cluster that lost all its pixels stays where it is.
static void move_centres(hg_slic *s, const uint8_t *pixels)
{
  int seeds = s->seeds_x * s->seeds_y, p = 0;
  memset(s->sums, 0, 4 * (size_t)seeds * sizeof *s->sums);
  for (int y = 0; y < s->shape.height; y++) {
    for (int x = 0; x < s->shape.width; x++, p++) {
      int64_t *sum = s->sums + 4 * (hg_off)s->clusters[p];
      sum[0] += pixels[p], sum[1] += x, sum[2] += y, sum[3]++;
    }
  }
  for (int k = 0; k < seeds; k++) {
    const int64_t *sum = s->sums + 4 * (hg_off)k;
    double n = (double)sum[3];
    if (sum[3] > 0)
      s->centres[k] =
          (centre){(float)((double)sum[0] / (255 * n)), (float)((double)sum[1] / n), (float)((double)sum[2] / n)};
  }
}

static void cluster(hg_slic *s, const uint8_t *pixels)
{
  int n = hg_image_pixels(s->shape);
  size_t bytes = (size_t)n * sizeof *s->clusters;
  for (int p = 0; p < n; p++) s->intensities[p] = (float)pixels[p] / 255;
  place_seeds(s);
  for (int t = 0; t < ITERATIONS; t++) {
    memcpy(s->previous, s->clusters, bytes);
    for (int p = 0; p < n; p++) s->distances[p] = INFINITY;
    for (int32_t k = 0; k < s->seeds_x * s->seeds_y; k++) claim_window(s, k);
    if (t > 0 && memcmp(s->previous, s->clusters, bytes) == 0) return; // so would all further iterations
    move_centres(s, pixels);
  }
}

static int neighbours_of(hg_image_shape shape, int32_t p, int32_t to[NEIGHBOURS])
{
  int n = 0, x = p % shape.width;
  if (x > 0) to[n++] = p - 1;
  if (x < shape.width - 1) to[n++] = p + 1;
  if (p >= shape.width) to[n++] = p - shape.width;
  if (p < shape.width * (shape.height - 1)) to[n++] = p + shape.width;
  return n;
}

// The piece number `k` of all pixels that `first` reaches within its cluster. The list is the queue of the search.
static void collect_piece(hg_slic *s, const uint8_t *pixels, int32_t first, int32_t k, int32_t *labels)
{
  piece found = {.head = first};
  labels[first] = k;
  s->next[first] = -1;
  for (int32_t p = first, tail = first; p >= 0; p = s->next[p]) {
    int32_t beside[NEIGHBOURS];
    int n = neighbours_of(s->shape, p, beside);
    for (int i = 0; i < n; i++) {
      int32_t q = beside[i];
      if (labels[q] >= 0 || s->clusters[q] != s->clusters[p]) continue;
      labels[q] = k;
      s->next[tail] = q, s->next[q] = -1, tail = q;
    }
    found.size++, found.sum += pixels[p];
  }
  s->pieces[k] = found;
}

// The piece beside piece k with the nearest mean intensity, the lowest of equals; -1 when k is all of the image.
static int32_t nearest_piece(const hg_slic *s, int32_t k, const int32_t *labels)
{
  int32_t best = -1, beside[NEIGHBOURS];
  double mean = (double)s->pieces[k].sum / s->pieces[k].size, least = INFINITY;
  for (int32_t p = s->pieces[k].head; p >= 0; p = s->next[p]) {
    int n = neighbours_of(s->shape, p, beside);
    for (int i = 0; i < n; i++) {
      int32_t other = labels[beside[i]];
      if (other == k || other == best) continue;
      double d = fabs((double)s->pieces[other].sum / s->pieces[other].size - mean);
      if (d < least || (d == least && other < best)) best = other, least = d; // NOLINT: a tie is an exact one
    }
  }
  return best;
}

static void join(hg_slic *s, int32_t k, int32_t into, int32_t *labels)
{
  piece *from = &s->pieces[k], *to = &s->pieces[into];
  int32_t last = from->head;
  for (int32_t p = from->head; p >= 0; p = s->next[p]) labels[p] = into, last = p;
  s->next[last] = to->head;
  *to = (piece){from->head, to->size + from->size, to->sum + from->sum};
}

// When k's turn comes, every piece before it is large enough or gone, so one pass is enough.
static void join_small_pieces(hg_slic *s, int32_t n_pieces, int32_t *labels)
{
  int least = least_size(s);
  for (int32_t k = 0; k < n_pieces; k++) {
    if (s->pieces[k].size >= least) continue;
    int32_t into = nearest_piece(s, k, labels);
    if (into >= 0) join(s, k, into, labels);
  }
}

int hg_slic_run(hg_slic *s, const uint8_t *pixels, int32_t *labels)
{
  int n = hg_image_pixels(s->shape);
  int32_t n_pieces = 0, n_regions = 0;
  cluster(s, pixels);
  for (int p = 0; p < n; p++) labels[p] = -1;
  for (int32_t p = 0; p < n; p++)
    if (labels[p] < 0) collect_piece(s, pixels, p, n_pieces++, labels);
  join_small_pieces(s, n_pieces, labels);
  for (int32_t k = 0; k < n_pieces; k++) s->numbers[k] = -1;
  for (int p = 0; p < n; p++) {
    int32_t *number = &s->numbers[labels[p]];
    if (*number < 0) *number = n_regions++;
    labels[p] = *number;
  }
  return n_regions;
}
