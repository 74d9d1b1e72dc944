#pragma once
#include "core/base/types.h"

enum { HG_MAX_NEAREST = 1000 };

typedef enum { HG_IMAGE_SUPERPIXELS, HG_IMAGE_GRID } hg_image_kind;

/** How images become graphs; start from hg_mnist_default(). */
typedef struct {
  hg_image_kind kind;
  int superpixels;    ///< wanted in an image
  double compactness; ///< see hg_slic
  int nearest; ///< superpixels: neighbours by distance, at most HG_MAX_NEAREST; 0: regions that share a side of a pixel
  int grid_neighbours; ///< grid: 4 or 8
  hg_off limit;        ///< the first so many training images and the first so many test images; 0: all
  hg_off n_val;        ///< the last so many of the training images are validation; -1: a twelfth of them
} hg_mnist_options;

static inline hg_mnist_options hg_mnist_default(void)
{
  return (hg_mnist_options){.superpixels = 75, .compactness = 0.25, .grid_neighbours = 8, .n_val = -1};
}
