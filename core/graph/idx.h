#pragma once
#include <stdint.h>

#include "core/base/types.h"

enum { HG_IDX_MAX_SIDE = 4096 }; ///< rows and columns of an image

/**
 * Items of unsigned bytes: numbers, or images of rows x columns, row after row. The file, plain or gzip: two zero
 * bytes, the type (8), the number of dimensions, each dimension as 32 bits, highest byte first; then the bytes.
 * Source: LeCun, Cortes and Burges, The MNIST database of handwritten digits.
 */
typedef struct {
  hg_off count;      ///< items in `bytes`
  hg_off total;      ///< items that the file has
  int rows, columns; ///< of an item; 1 and 1 for numbers
  uint8_t *bytes;    ///< [count x rows x columns]
} hg_idx;

/**
 * Reads the first `limit` items (0: all) of a file of images (n_dims = 3) or numbers (n_dims = 1).
 * @param idx   created; untouched on failure
 * @return      HG_ERR_INPUT: no such file, damaged gzip, another magic number, a size that the file cannot hold, a file
 *              that is cut short or, when all is read, too long; each names the file, what was found and expected
 */
hg_status hg_idx_read(hg_idx *idx, const char *path, int n_dims, hg_off limit);
void hg_idx_free(hg_idx *idx);
