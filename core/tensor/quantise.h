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
  HG_PACK_ADAPTIVE, ///< 8, 4 or 2 bits for each row: hg_pack_adaptive
  HG_PACK_COUNT
} hg_pack_format;

/** The word of the config: "float32", "bfloat16", "int8" ... */
const char *hg_pack_format_name(hg_pack_format format);

/** Bytes of a packed row: 2 cols in bfloat16; 4 + cols bits / 8, rounded up, in integers; in ADAPTIVE at most. */
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

/** Rows of 8, 4 and 2 bits in one message: see hg_pack_adaptive. */
typedef struct {
  double fraction;      ///< bytes of the message over those of the rows in float32; less where 2 bits are less already
  const float *weights; ///< [n] or NULL: all 1. What a row's variance counts
  float *scores;        ///< [n] working space
  hg_lid *chosen;       ///< [n] working space
} hg_adaptive;

/**
 * Packs n rows, each with the bits that lower the variance most for the message's bytes. The variance of a row of b
 * bits is at most cols (range / (2^b - 1))^2 / 4, so 4 bits instead of 2 gain weight range^2 (1/9 - 1/225) for cols /
 * 4 bytes, 8 instead of 4 gain weight range^2 (1/225 - 1/65025) for cols / 2. Gains diminish, so taking the best one
 * while bytes are left is the best choice, up to one row; it gives 4 bits to rows of a weight range^2 above a
 * threshold, and 8 to those above 48 times it. A message is 2 bits a row that say which, then the rows of 8, of 4 and
 * of 2 bits.
 * @param packing   without error feedback; `format` is not used
 * @param packed    [n hg_pack_row_bytes(HG_PACK_ADAPTIVE)] room
 * @return          bytes of the message
 */
size_t hg_pack_adaptive(const hg_packing *packing, const hg_adaptive *adaptive, hg_off n, uint8_t *packed);

/** hg_unpack_rows of such a message. @param chosen  [n] working space */
void hg_unpack_adaptive(const uint8_t *packed, hg_off n, const hg_lid *rows, bool add, hg_lid *chosen, hg_matrix *y);
