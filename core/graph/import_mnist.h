#pragma once
#include "core/graph/collection.h"

typedef enum { HG_IMAGE_SUPERPIXELS, HG_IMAGE_GRID } hg_image_kind;

/** How images become graphs; start from hg_mnist_default(). */
typedef struct {
  hg_image_kind kind;
  int superpixels;     ///< wanted in an image
  double compactness;  ///< see hg_slic
  int nearest;         ///< superpixels: neighbours by distance; 0: regions that share a side of a pixel
  int grid_neighbours; ///< grid: 4 or 8
  hg_off limit;        ///< the first so many training images and the first so many test images; 0: all
  hg_off n_val;        ///< the last so many of the training images are validation; -1: a twelfth of them
} hg_mnist_options;

static inline hg_mnist_options hg_mnist_default(void)
{
  return (hg_mnist_options){.superpixels = 75, .compactness = 0.25, .grid_neighbours = 8, .n_val = -1};
}

/**
 * A collection of one graph an image from a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte,
 * t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, plain or with .gz: MNIST and its relatives. Feature: intensity in
 * [0, 1]; positions: column and row in pixels. Original id of a graph: the number of the image, t10k after all of train.
 * The same bits for any number of threads. Not collective.
 * @param collection   created; untouched on failure
 * @return             HG_ERR_INPUT names the file, what was found and what expected
 * Memory: the collection, and of superpixels 5 bytes a pixel.
 */
hg_status hg_import_mnist_images(hg_collection *collection, const char *path, const hg_mnist_options *options);
