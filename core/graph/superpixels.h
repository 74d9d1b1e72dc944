#pragma once
#include <stdint.h>

#include "core/base/types.h"

/** A grey image has width x height bytes, row after row; 255 is the intensity 1. */
typedef struct {
  int width, height;
} hg_image_shape;

static inline int hg_image_pixels(hg_image_shape shape) { return shape.width * shape.height; }

/**
 * Simple linear iterative clustering: pixels into compact regions of similar intensity, by k-means over (intensity,
 * column, row). Holds the working space for images of one shape; one for each thread.
 *
 * Seeds stand on a regular grid of round(width / S) x round(height / S), at least 1, S = sqrt(pixels / superpixels), or
 * longer side / superpixels where that is more (strips). With S' = sqrt(pixels / seeds), pixel p goes to the centre c
 * that minimises
 *   (|intensity_p - intensity_c| / compactness)^2 + (|place_p - place_c| / S')^2
 * of those within 2 S' columns and rows (the first one of equals), and each centre moves to the mean of its pixels;
 * at most 10 times, as in the paper. Then clusters are cut into their 4-connected pieces, and each piece of less than
 * half the mean size joins the adjacent one with the nearest mean intensity.
 * Source: Achanta et al., SLIC superpixels compared to state-of-the-art superpixel methods, PAMI 2012, algorithm 1,
 * with the windows of scikit-image (twice as wide) and seeds that stay where they are.
 */
typedef struct hg_slic hg_slic;

/**
 * @param superpixels   how many regions are wanted, 1 to pixels: an aim that is met to about a tenth
 * @param compactness   > 0; the larger, the more a region follows the grid rather than the intensities
 */
hg_status hg_slic_create(hg_slic **slic, hg_image_shape shape, int superpixels, double compactness);
void hg_slic_free(hg_slic **slic);

/** No image has more regions than this. */
int hg_slic_max_regions(const hg_slic *slic);

/**
 * The region 0, 1, ... of each pixel, in the order of the regions' first pixels; each region is 4-connected. Cannot
 * fail.
 * @param labels   [pixels], overwritten
 * @return         regions
 * Cost: about 25 distances a pixel and iteration.
 */
int hg_slic_run(hg_slic *slic, const uint8_t *pixels, int32_t *labels);
