#pragma once
#include <stddef.h>

#include "core/tensor/matrix.h"

/** How the numbers of a row are packed, to be sent. */
typedef enum {
  HG_PACK_REAL,     ///< as they are; nothing here works on it
  HG_PACK_BFLOAT16, ///< 2 bytes a number
  HG_PACK_INT8,     ///< integers of 8, 4 or 2 bits between the row's least and largest number, which come first
  HG_PACK_INT4,
  HG_PACK_INT2,
  HG_PACK_COUNT
} hg_pack_format;

/** The word of the config: "float32", "bfloat16", "int8" ... */
const char *hg_pack_format_name(hg_pack_format format);

/** Bytes of a packed row: 2 cols in bfloat16; 4 + cols bits / 8, rounded up, in integers; cols reals. */
size_t hg_pack_row_bytes(hg_pack_format format, int cols);

/**
 * What a rounding draws: a function of these, the row's id and the column alone. So rows have the same bits on any
 * number of ranks and threads and with every instruction set.
 */
typedef struct {
  uint64_t seed;
  int epoch, layer; ///< below 2^24 and 2^8
  bool backward;    ///< gradients draw other numbers than values
  int sender;       ///< below 2^16: tells apart what several ranks send of one node; 0 where that is one row
} hg_pack_draw;

/**
 * Packs rows. With b bits and the row's least number m and range r = largest - m, both stored in bfloat16 (m rounded
 * down, r up): q_k = floor((x_k - m) / s + u_k), s = r / (2^b - 1), u_k uniform in [0, 1); unpacked it is m + s q_k.
 * Its expectation is x_k to 2^-16 s, its variance at most s^2 / 4, its error less than s.
 * A row of equal numbers arrives exactly (as float32). A row with a number that is not finite in float32, or whose
 * range is not, arrives as NaN in all columns. bfloat16 keeps NaN and infinities where they are, and is rounded to
 * nearest (ties to even, error at most 2^-9 |x|), or with `backward` up or down at random, so that its expectation is
 * x: an error that is always the same would add up in gradients, while in values nearest has half the error and draws
 * nothing.
 * Over threads. Cost: reads x once from memory, 20 integer operations a number for the draws.
 * Source: Wan et al., AdaQP, MLSys 2023; rounding of the stored range as in SuperGCN.
 */
typedef struct {
  hg_pack_format format;
  hg_pack_draw draw;
  const hg_matrix *x;
  const hg_lid *rows; ///< [n] of x, or NULL: its first n
  const hg_gid *ids;  ///< [rows of x] original ids
  hg_real *error;     ///< [n x cols] or NULL. Error feedback: is added to the rows before, and holds afterwards what
                      ///< the packed rows lack of these sums
} hg_packing;

/** @param packed  [n x hg_pack_row_bytes] */
void hg_pack_rows(const hg_packing *packing, hg_off n, uint8_t *packed);

/**
 * Rows of y become the n packed rows, or with `add` get them added.
 * @param rows   [n] of y, all different, or NULL: its first n
 */
void hg_unpack_rows(hg_pack_format format, const uint8_t *packed, hg_off n, const hg_lid *rows, bool add, hg_matrix *y);
