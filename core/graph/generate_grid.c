#include <math.h>

#include "core/base/alloc.h"
#include "core/graph/generate.h"

typedef struct {
  const hg_generate_options *options;
  hg_off side;
} cells;

static void place_of(const cells *grid, hg_off i, hg_off place[3])
{
  for (int k = 0; k < 3; k++) {
    place[k] = k < grid->options->dims ? i % grid->side : 0;
    i /= grid->side;
  }
}

// Half of the neighbours of a cell, those with larger numbers; the other half is their other direction.
static hg_status emit_neighbours(const cells *grid, hg_off i, hg_status (*edge)(void *, hg_gid, hg_gid), void *context)
{
  const hg_generate_options *o = grid->options;
  hg_off place[3], offset[3];
  place_of(grid, i, place);
  for (int code = 14; code < 27; code++) { // 13 is the cell itself; codes above it lie after it in every order of rows
    hg_off to = 0, stride = 1, steps = 0;
    bool inside = true;
    for (int k = 0, rest = code; k < 3; k++, rest /= 3, stride *= grid->side) {
      offset[k] = rest % 3 - 1;
      hg_off there = place[k] + offset[k];
      inside &= k < o->dims ? there >= 0 && there < grid->side : offset[k] == 0;
      steps += offset[k] != 0;
      to += there * stride;
    }
    if (!inside || to >= o->nodes || (steps > 1 && !o->diagonals)) continue;
    hg_status rc = edge(context, i, to);
    if (rc != HG_OK) return rc;
  }
  return HG_OK;
}

static hg_status draw_edges(void *source, hg_status (*edge)(void *context, hg_gid from, hg_gid to), void *context)
{
  const cells *grid = source;
  for (hg_off i = 0; i < grid->options->nodes; i++) {
    hg_status rc = emit_neighbours(grid, i, edge, context);
    if (rc != HG_OK) return rc;
  }
  return HG_OK;
}

static hg_off power(hg_off base, int exponent)
{
  hg_off result = 1;
  for (int k = 0; k < exponent; k++) result *= base;
  return result;
}

hg_status hg_generate_grid(const hg_generate_options *options, hg_graph *graph, hg_build_counts *counts)
{
  hg_status rc = HG_OK;
  hg_nodes *nodes = &graph->nodes;
  int dims = options->dims;
  cells grid = {.options = options, .side = (hg_off)ceil(pow((double)nodes->n, 1.0 / dims) - 1e-9)};
  while (power(grid.side, dims) < nodes->n) grid.side++;
  nodes->n_dims = dims;
  HG_TRY(HG_ALLOC(nodes->positions, nodes->n * dims, "positions"));
  for (hg_off i = 0; i < nodes->n; i++) {
    hg_off place[3];
    place_of(&grid, i, place);
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): place_of fills `dims` of them
    for (int k = 0; k < dims; k++) nodes->positions[i * dims + k] = (float)place[k];
  }
  HG_TRY(hg_generate_regions(options, (double)grid.side, nodes));
  HG_TRY(hg_csr_build(&graph->adjacency, nodes->n, draw_edges, &grid, true, counts));
done:
  return rc;
}
