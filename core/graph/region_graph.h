#pragma once
#include <stdbool.h>

#include "core/graph/superpixels.h"

/** Which regions are joined. */
typedef struct {
  int nearest;  ///< a region and that many of the nearest positions; 0: regions that share a side of a pixel
  bool corners; ///< without `nearest`: also those that share a corner
} hg_region_neighbours;

/**
 * The graph of an image's regions, and the working space to make it; one for each thread. Node r is region r: its
 * feature is the mean intensity in [0, 1], its position the mean column and row of its pixels.
 */
typedef struct {
  hg_image_shape shape;
  hg_region_neighbours neighbours;
  int n;              ///< regions
  float *intensities; ///< [n]
  float *positions;   ///< [n x 2] column, row
  hg_off *starts;     ///< [n + 1] where row r begins in `items`; there may be room between the rows
  int32_t *lengths;   ///< [n]
  int32_t *items;     ///< neighbours, ascending in a row, both directions of each edge
  int64_t *sums;      ///< [n x 4] bytes, columns, rows, pixels
  int32_t *found;     ///< [n x nearest] each region's nearest, -1 where there are no more
} hg_region_graph;

/** Room for the regions of any image of this shape, at most `max_regions`. */
hg_status hg_region_graph_create(hg_region_graph *graph, hg_image_shape shape, int max_regions,
                                 hg_region_neighbours neighbours);
void hg_region_graph_free(hg_region_graph *graph);

/**
 * Makes the graph of the n regions `labels` [pixels] of an image. Of equally near regions the first ones are taken; an
 * edge is there when one of its ends is among the nearest of the other. Cannot fail.
 * @return   edges, both directions counted
 * Cost: O(pixels); with `nearest` also n^2 distances.
 */
hg_off hg_region_graph_make(hg_region_graph *graph, const uint8_t *pixels, const int32_t *labels, int n);
