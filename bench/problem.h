#pragma once
#include "core/tensor/bf16.h"
#include "core/tensor/csr.h"
#include "core/tensor/nonzero_matrix.h"

/** Which of a problem's large arrays a kernel works on; the small ones are always there. */
typedef enum {
  HG_PROBLEM_X = 1,        ///< x
  HG_PROBLEM_Y = 2,        ///< y
  HG_PROBLEM_SPARSE = 4,   ///< features and transposed
  HG_PROBLEM_SCRATCH = 8,  ///< scratch
  HG_PROBLEM_TRUTH = 16,   ///< labels, label_bits and targets
  HG_PROBLEM_NONZERO = 32, ///< nonzero: what relu and a dropout of 0.5 leave of x
  HG_PROBLEM_ROUNDED = 64  ///< rounded
} hg_problem_needs;

/**
 * What one kernel of the benchmark works on, filled with numbers of both signs near one: no denormals, and no overflow
 * in repeated work in place.
 */
typedef struct {
  const hg_csr *a; ///< borrowed; or NULL where no kernel aggregates
  hg_off n;        ///< rows
  int f_in, f_out; ///< widths; f_out 0: no product
  unsigned needs;  ///< hg_problem_needs

  hg_matrix x;                                     ///< [n x f_in]
  hg_matrix y;                                     ///< [n x f_out], or f_in without one
  hg_matrix w;                                     ///< [f_in x f_out]
  hg_nonzero_matrix nonzero;                       ///< x without its zeros
  hg_bf16_matrix rounded;                          ///< x in bfloat16
  hg_csr features, transposed;                     ///< n x f_in with HG_PROBLEM_ENTRIES entries a row, and f_in x n
  hg_csr kept;                                     ///< room for what dropout keeps of features
  hg_real *scratch;                                ///< of hg_gemm_at
  hg_real *scale;                                  ///< [n]
  hg_real *gamma, *beta, *mean, *d_gamma, *d_beta; ///< [widest] each
  double *sums;                                    ///< [2 x widest]
  hg_gid *ids;                                     ///< [n]
  hg_lid *rows;                                    ///< [n]
  int32_t *labels;                                 ///< [n] below f_in
  uint8_t *label_bits;                             ///< [n x (f_in + 7) / 8]
  float *targets;                                  ///< [n x f_in]
} hg_problem;

enum {
  HG_PROBLEM_ENTRIES = 18, ///< of a row of sparse features, as Cora's have
  HG_PROBLEM_LEFT = 4      ///< with HG_PROBLEM_NONZERO one of so many numbers of x is not 0
};

/** Allocates and fills what `needs` says for a, n, f_in and f_out. On failure all is freed. HG_ERR_MEMORY. */
hg_status hg_problem_create(hg_problem *problem);
void hg_problem_free(hg_problem *problem);
