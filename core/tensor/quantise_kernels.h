#pragma once
/**
 * The bodies of hg_pack_rows and hg_unpack_rows, compiled once for each instruction set, without fused products: all
 * give the same bits. A packed row of integers is
 *   2 bytes     m, the least number, bfloat16
 *   2 bytes     r, the range, bfloat16; or 0x8000 + v: the row has one value, m v in 31 bits and one in the next byte
 *   the rest    8 / b integers a byte, the first column in the lowest bits; what is over in the last byte is 0
 * 16 random bits a column come from Philox (philox_kernels.h), whose key is the seed and whose counter is
 *   words 0, 1: original id, the sender added to its upper 16 bits
 *   word 2:     block of columns (24 bits), layer (8 bits)
 *   word 3:     HG_STREAM_PACK or HG_STREAM_PACK_GRADIENT (8 bits), epoch (24 bits)
 */
#include <string.h>

#include "core/tensor/philox_kernels.h"
#include "core/tensor/quantise.h"

typedef struct {
  hg_pack_format format;
  bool draws; ///< or bfloat16 to nearest
  uint64_t seed, sender_bits;
  uint32_t layer_word, epoch_word;
  int cols;
  size_t row_bytes;
  const hg_real *x;
  const hg_lid *rows;
  const hg_gid *ids;
  hg_real *error;
  uint8_t *packed;
} hg_pack_task;

typedef struct {
  hg_pack_format format;
  bool add;
  int cols;
  size_t row_bytes;
  const uint8_t *packed;
  const hg_lid *rows;
  hg_real *y;
} hg_unpack_task;

/** Rows [first, end) of the task. */
typedef struct {
  void (*pack)(const hg_pack_task *task, hg_off first, hg_off end);
  void (*unpack)(const hg_unpack_task *task, hg_off first, hg_off end);
  /** Of the numbers that are not 0: `packed` is where values stand, [starts[k], starts[k + 1]) of it row k's. */
  void (*pack_nonzero)(const hg_pack_task *task, const hg_off *starts, hg_off first, hg_off end);
  void (*unpack_nonzero)(const hg_unpack_task *task, const hg_off *starts, const uint8_t *masks, hg_off first,
                         hg_off end);
} hg_quantise_kernels;

/** Those of this processor, and what they do for hg_pack_rows. */
const hg_quantise_kernels *hg_quantise_kernels_here(void);
hg_pack_task hg_pack_task_of(const hg_packing *packing, uint8_t *packed);

extern const hg_quantise_kernels hg_quantise_kernels_base, hg_quantise_kernels_avx2, hg_quantise_kernels_avx512;

/** Columns of one piece of a row: what all blocks of a draw are for. */
enum { HG_PACK_PIECE = COLUMNS_PER_BLOCK * BLOCKS };
