#include <math.h>
#include <omp.h>

#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/dropout_kernels.h"
#include "core/tensor/epilogue.h"
#include "core/tensor/row_blocks.h"

static hg_dropout_rows *const kernels[HG_SIMD_COUNT] = {hg_dropout_rows_base, hg_dropout_rows_avx2,
                                                        hg_dropout_rows_avx512};

static uint32_t threshold(hg_dropout d)
{
  double zeros = d.rate > 0 ? floor(d.rate * 65536 + 0.5) : 0;
  return (uint32_t)(zeros < 65535 ? zeros : 65535);
}

hg_real hg_dropout_scale(hg_dropout d) { return (hg_real)(1 / (1 - threshold(d) / 65536.0)); }

static void apply(const hg_dropout_task *task, hg_off rows, hg_off numbers)
{
  hg_dropout_rows *kernel = kernels[hg_simd_level()];
#pragma omp parallel default(none) shared(task, rows, kernel) num_threads(hg_threads()) if (numbers > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(rows, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    kernel(task, first, end);
  }
}

static hg_dropout_task task_of(hg_dropout d, const hg_gid *ids)
{
  return (hg_dropout_task){.ids = ids,
                           .seed = d.seed,
                           .layer_word = (uint32_t)d.layer << 24,
                           .epoch_word = (uint32_t)d.epoch << 8 | HG_STREAM_DROPOUT,
                           .threshold = threshold(d),
                           .scale = hg_dropout_scale(d)};
}

void hg_dropout_apply(hg_dropout d, const hg_gid *ids, hg_matrix *x)
{
  hg_dropout_task task = task_of(d, ids);
  if (task.threshold == 0 || x->cols == 0) return;
  task.cols = x->cols;
  task.in = x->data;
  task.out = x->data;
  apply(&task, x->rows, x->rows * x->cols);
}

void hg_dropout_apply_csr(hg_dropout d, const hg_gid *ids, const hg_csr *x, hg_real *out)
{
  hg_dropout_task task = task_of(d, ids);
  task.indptr = x->indptr;
  task.in = x->values;
  task.out = out;
  apply(&task, x->n_rows, hg_csr_entries(x));
}
