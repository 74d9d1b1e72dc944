#pragma once
#include "core/tensor/matrix.h"

/**
 * bfloat16: the upper half of a float32, so its range with 8 bits of precision. Numbers are stored in it and are
 * computed with in hg_real. A float64 build has the same functions: it rounds to bfloat16 alike (by way of float32) and
 * adds in double.
 */
typedef uint16_t hg_bf16;

/** Dense matrix, row-major without gaps, like hg_matrix. */
typedef struct {
  hg_off rows;
  int cols;
  hg_bf16 *data; ///< [rows x cols], owned by who called hg_bf16_matrix_create; a view borrows it
} hg_bf16_matrix;

/** Zeroed rows x cols matrix; `what` names it when memory is short. */
hg_status hg_bf16_matrix_create(hg_bf16_matrix *m, hg_off rows, int cols, const char *what);

/** Frees the data (not for views) and zeroes the struct. */
void hg_bf16_matrix_free(hg_bf16_matrix *m);

/** Rows [first, first + n) of m, as a view. */
hg_bf16_matrix hg_bf16_matrix_rows(const hg_bf16_matrix *m, hg_off first, hg_off n);

/** A view of `data` as rows x cols. */
hg_bf16_matrix hg_bf16_matrix_view(hg_bf16 *data, hg_off rows, int cols);

/**
 * y = x rounded to the nearest bfloat16, ties to even. NaN stays NaN, what is too large becomes infinite, what is below
 * 2^-126 becomes a zero of its sign (AVX512_BF16 knows no denormal numbers). Same bits on every processor. One thread.
 * @param x   [n]     @param y   [n], not in x
 */
void hg_bf16_from_real(const hg_real *x, hg_off n, hg_bf16 *y);

/** y = x, exactly. One thread. */
void hg_bf16_to_real(const hg_bf16 *x, hg_off n, hg_real *y);

/** hg_bf16_from_real of all rows of x, over threads. */
void hg_bf16_round(const hg_matrix *x, hg_bf16_matrix *y);
