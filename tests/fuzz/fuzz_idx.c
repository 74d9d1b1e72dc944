// libFuzzer target: whatever an idx file holds, reading it ends in items of the size that its header says, or in an
// input error with a message; its images become connected regions and symmetric graphs; all memory is given back. The
// first two bytes of an input choose the dimensions, the superpixels and the neighbours; the rest is the file.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/graph/idx.h"
#include "core/graph/region_graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_PIXELS = 1 << 14 };

static int file = -1;
static char path[64];

static void demand(bool holds, const char *what)
{
  if (holds) return;
  fprintf(stderr, "%s: %s\n", what, hg_error_text());
  abort();
}

static void put_file(const uint8_t *data, size_t size)
{
  if (file < 0) {
    file = memfd_create("idx", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  }
  demand(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size, "memfd");
}

static bool has(const hg_region_graph *g, int row, int32_t column)
{
  for (int k = 0; k < g->lengths[row]; k++)
    if (g->items[g->starts[row] + k] == column) return true;
  return false;
}

static void check_graph(const hg_region_graph *g)
{
  for (int a = 0; a < g->n; a++) {
    demand(g->intensities[a] >= 0 && g->intensities[a] <= 1, "an intensity");
    for (int k = 0; k < g->lengths[a]; k++) {
      int32_t b = g->items[g->starts[a] + k];
      demand(b >= 0 && b < g->n && b != a && has(g, b, a), "an edge");
    }
  }
}

static void make_graph(hg_image_shape shape, const uint8_t *pixels, int choice)
{
  static int32_t labels[MAX_PIXELS];
  int n_pixels = hg_image_pixels(shape), wanted = 1 + choice % n_pixels;
  hg_slic *slic;
  hg_region_graph graph;
  hg_region_neighbours neighbours = {.nearest = choice % 5, .corners = choice % 2};
  demand(hg_slic_create(&slic, shape, wanted, 0.1) == HG_OK, "slic");
  int n = hg_slic_run(slic, pixels, labels);
  demand(n >= 1 && n <= hg_slic_max_regions(slic), "regions");
  for (int p = 0; p < n_pixels; p++) demand(labels[p] >= 0 && labels[p] < n, "a label");
  demand(hg_region_graph_create(&graph, shape, hg_slic_max_regions(slic), neighbours) == HG_OK, "graph");
  hg_region_graph_make(&graph, pixels, labels, n);
  check_graph(&graph);
  hg_region_graph_free(&graph);
  hg_slic_free(&slic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  hg_idx idx = {0};
  if (size < 2) return 0;
  put_file(data + 2, size - 2);
  hg_status rc = hg_idx_read(&idx, path, data[0] % 4 == 0 ? 1 : 3, data[0] % 3);
  demand(rc == HG_OK || ((rc == HG_ERR_INPUT || rc == HG_ERR_MEMORY) && hg_error_text()[0]), "status");
  hg_image_shape shape = {idx.columns, idx.rows};
  if (rc == HG_OK && idx.rows * idx.columns <= MAX_PIXELS) make_graph(shape, idx.bytes, data[1]);
  hg_idx_free(&idx);
  demand(hg_alloc_bytes() == 0, "memory");
  return 0;
}
