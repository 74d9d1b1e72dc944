#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "core/base/types.h"

enum { HG_NPY_MAX_DIMS = 4 };

/** Gives exactly `bytes` bytes, or fails with the cause (without the array's name). */
typedef hg_status (*hg_npy_read)(void *context, void *to, size_t bytes);

/**
 * A NumPy array (.npy versions 1 to 3, little-endian) that is read from front to end and converted on the way, so
 * that it costs the memory of what it is converted to.
 */
typedef struct {
  char name[512]; ///< for messages: "cora.npz: adj_data"
  hg_npy_read read;
  void *context;
  char kind;     ///< 'i' 'u' 'b' 'f', or 'U' 'S' 'O' 'V' 'c' ...: these can be looked at, but not read
  int item_size; ///< bytes of an element
  bool fortran;  ///< columns first; never set for fewer than two dimensions longer than 1
  int n_dims;
  hg_off shape[HG_NPY_MAX_DIMS];
  hg_off count; ///< elements: the product of the shape
  hg_off taken; ///< elements read
} hg_npy;

/**
 * Reads the header and compares what it claims with what is there.
 * @param size   bytes of the whole array with its header
 * @return       HG_ERR_INPUT: no .npy, an unknown version, a broken header, big-endian, or sizes that do not agree
 */
hg_status hg_npy_begin(hg_npy *array, const char *name, int64_t size, hg_npy_read read, void *context);

/**
 * The next n elements as 64-bit or 32-bit integers (from i1 i2 i4 i8 u1 u2 u4 u8 b1) or as float32 (from those, f4
 * and f8).
 * HG_ERR_INPUT for another dtype, for a value that does not fit, and for elements in columns-first order.
 */
hg_status hg_npy_i64(hg_npy *array, int64_t *to, hg_off n);
hg_status hg_npy_i32(hg_npy *array, int32_t *to, hg_off n);
hg_status hg_npy_f32(hg_npy *array, float *to, hg_off n);

/** As hg_npy_i64 and hg_npy_i32 whatever the order: for who looks at `fortran` himself. */
hg_status hg_npy_i64_any_order(hg_npy *array, int64_t *to, hg_off n);
hg_status hg_npy_i32_any_order(hg_npy *array, int32_t *to, hg_off n);

/** "f4[10, 7]", for messages; in one of four buffers of this thread. */
const char *hg_npy_describe(const hg_npy *array);

/** A .npy file that is open. */
typedef struct {
  void *file;
  hg_npy array;
} hg_npy_file;

/** Opens `path` and reads the header. */
hg_status hg_npy_open(hg_npy_file *file, const char *path);
void hg_npy_close(hg_npy_file *file);
