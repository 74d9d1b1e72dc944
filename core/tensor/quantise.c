#include "core/tensor/quantise.h"

#include <omp.h>

#include "core/base/cpu.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/tensor/quantise_kernels.h"
#include "core/tensor/row_blocks.h"

static const hg_quantise_kernels *const kernels[HG_SIMD_COUNT] = {&hg_quantise_kernels_base, &hg_quantise_kernels_avx2,
                                                                  &hg_quantise_kernels_avx512};

static const struct {
  const char *name;
  int bits;
} formats[HG_PACK_COUNT] = {
    {"float32", 8 * sizeof(hg_real)}, {"bfloat16", 16}, {"int8", 8}, {"int4", 4}, {"int2", 2}, {"adaptive", 8}};

const char *hg_pack_format_name(hg_pack_format format) { return formats[format].name; }

size_t hg_pack_row_bytes(hg_pack_format format, int cols)
{
  size_t header = format >= HG_PACK_INT8 ? 4 : 0; // least and range
  if (format == HG_PACK_ADAPTIVE) header++;       // and which bits it has
  return header + ((size_t)cols * (size_t)formats[format].bits + 7) / 8;
}

const hg_quantise_kernels *hg_quantise_kernels_here(void) { return kernels[hg_simd_level()]; }

hg_pack_task hg_pack_task_of(const hg_packing *packing, uint8_t *packed)
{
  const hg_pack_draw d = packing->draw;
  int cols = packing->x->cols;
  hg_stream stream = d.backward ? HG_STREAM_PACK_GRADIENT : HG_STREAM_PACK;
  return (hg_pack_task){.format = packing->format,
                        .draws = packing->format != HG_PACK_BFLOAT16 || d.backward,
                        .seed = d.seed,
                        .sender_bits = (uint64_t)d.sender << 48,
                        .layer_word = (uint32_t)d.layer << 24,
                        .epoch_word = (uint32_t)d.epoch << 8 | stream,
                        .cols = cols,
                        .row_bytes = hg_pack_row_bytes(packing->format, cols),
                        .x = packing->x->data,
                        .rows = packing->rows,
                        .ids = packing->ids,
                        .error = packing->error,
                        .packed = packed};
}

void hg_pack_rows(const hg_packing *packing, hg_off n, uint8_t *packed)
{
  const hg_pack_task task = hg_pack_task_of(packing, packed);
  const hg_quantise_kernels *k = kernels[hg_simd_level()];
  int cols = task.cols;
  if (cols == 0) return;
#pragma omp parallel default(none) shared(task, k, n, cols) num_threads(hg_threads()) if (n * cols > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(n, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    k->pack(&task, first, end);
  }
}

void hg_unpack_rows(hg_pack_format format, const uint8_t *packed, hg_off n, const hg_lid *rows, bool add, hg_matrix *y)
{
  const hg_unpack_task task = {.format = format,
                               .add = add,
                               .cols = y->cols,
                               .row_bytes = hg_pack_row_bytes(format, y->cols),
                               .packed = packed,
                               .rows = rows,
                               .y = y->data};
  const hg_quantise_kernels *k = kernels[hg_simd_level()];
#pragma omp parallel default(none) shared(task, k, n) num_threads(hg_threads()) if (n * task.cols > HG_PARALLEL_FROM)
  {
    hg_off first, end;
    hg_block(n, omp_get_num_threads(), omp_get_thread_num(), &first, &end);
    k->unpack(&task, first, end);
  }
}
