#include "core/tensor/geo.h"

#include <omp.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/cpu.h"
#include "core/base/threads.h"
#include "core/tensor/geo_kernels.h"
#include "core/tensor/row_blocks.h"

static hg_geo_rows *const forward_kernels[HG_SIMD_COUNT] = {hg_geo_rows_base, hg_geo_rows_avx2, hg_geo_rows_avx512};
static hg_geo_back *const backward_kernels[HG_SIMD_COUNT] = {hg_geo_back_base, hg_geo_back_avx2, hg_geo_back_avx512};

static int padded(int n) { return (n + HG_GEO_UNIT - 1) / HG_GEO_UNIT * HG_GEO_UNIT; }

// Registers run over filters, or over channels where these fill them and filters do not.
static bool runs_over_channels(int channels, int filters)
{
  return filters % HG_GEO_UNIT != 0 && channels % HG_GEO_UNIT == 0;
}

int hg_geo_columns(int channels, int filters)
{
  return runs_over_channels(channels, filters) ? channels * filters : channels * padded(filters);
}

size_t hg_geo_bytes(int channels, int filters, int dims)
{
  size_t columns = (size_t)hg_geo_columns(channels, filters);
  return columns * (size_t)(dims + 1) * (HG_ROW_BLOCKS + 1) * sizeof(hg_real) + columns / HG_GEO_UNIT * sizeof(int);
}

hg_status hg_geo_create(hg_geo *geo, int channels, int filters, int dims, bool shared)
{
  hg_status rc = HG_OK;
  memset(geo, 0, sizeof *geo);
  if (dims < 1 || dims > HG_GEO_DIMS)
    return hg_fail(HG_ERR_INTERNAL, "gates for positions of %d dimensions, expected 1 to %d", dims, HG_GEO_DIMS);
  geo->channels = channels;
  geo->filters = filters;
  geo->dims = dims;
  geo->shared = shared;
  geo->filter_major = runs_over_channels(channels, filters);
  geo->columns = hg_geo_columns(channels, filters);
  hg_off gates = (hg_off)(dims + 1) * geo->columns;
  HG_TRY(HG_ALLOC(geo->gate, gates, "gates"));
  HG_TRY(HG_ALLOC(geo->channel, geo->columns / HG_GEO_UNIT, "channels of columns"));
  HG_TRY(HG_ALLOC(geo->block_sums, HG_ROW_BLOCKS * gates, "gradients of gates"));
  for (int unit = 0; unit < geo->columns / HG_GEO_UNIT; unit++) {
    int column = unit * HG_GEO_UNIT;
    geo->channel[unit] = geo->filter_major ? column % channels : column / padded(filters);
  }
done:
  if (rc != HG_OK) hg_geo_free(geo);
  return rc;
}

void hg_geo_free(hg_geo *geo)
{
  hg_free(&geo->gate);
  hg_free(&geo->channel);
  hg_free(&geo->block_sums);
}

// the column of a that holds channel c's filter k
static int column_of(const hg_geo *g, int c, int k)
{
  return g->filter_major ? k * g->channels + c : c * padded(g->filters) + k;
}

void hg_geo_set_gates(hg_geo *geo, const hg_matrix *u, const hg_real *b)
{
  for (int c = 0; c < geo->channels; c++) {
    for (int k = 0; k < geo->filters; k++) {
      int column = column_of(geo, c, k), row = geo->shared ? k : c * geo->filters + k;
      for (int d = 0; d < geo->dims; d++) geo->gate[d * geo->columns + column] = u->data[row * geo->dims + d];
      geo->gate[geo->dims * geo->columns + column] = b[row];
    }
  }
}

static hg_geo_task task_of(const hg_geo *geo, const hg_operator *op, const hg_real *positions, const hg_matrix *x)
{
  const hg_csr *a = op->a;
  return (hg_geo_task){.indptr = a->indptr,
                       .indices = a->indices,
                       .values = a->values,
                       .row_scale = op->row_scale,
                       .col_scale = op->col_scale,
                       .n_self = op->n_self,
                       .geo = geo,
                       .positions = positions,
                       .x = x->data};
}

void hg_geo_forward(const hg_geo *geo, const hg_operator *op, const hg_real *positions, hg_off first, hg_off n,
                    const hg_matrix *x, hg_matrix *a)
{
  if (n <= 0) return;
  hg_geo_task task = task_of(geo, op, positions, x);
  task.a = a->data;
  hg_geo_rows *rows = forward_kernels[hg_simd_level()];
  hg_off end = first + n, work = hg_row_work(task.indptr, first, end) * geo->columns;
#pragma omp parallel default(none) shared(task, rows, first, end) num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  {
    int parts = omp_get_num_threads(), k = omp_get_thread_num();
    hg_off start = hg_row_piece(task.indptr, first, end, parts, k);
    hg_off stop = hg_row_piece(task.indptr, first, end, parts, k + 1);
    if (start < stop) rows(&task, start, stop);
  }
}

void hg_geo_backward(hg_geo *geo, const hg_operator *op, const hg_real *positions, hg_off first, hg_off n,
                     const hg_matrix *x, const hg_matrix *d_a, hg_matrix *d_x)
{
  if (n <= 0) return;
  hg_geo_task task = task_of(geo, op, positions, x);
  task.d_a = d_a->data;
  task.d_x = d_x->data;
  hg_geo_back *rows = backward_kernels[hg_simd_level()];
  hg_off end = first + n, work = hg_row_work(task.indptr, first, end) * geo->columns;
  hg_off gates = (hg_off)(geo->dims + 1) * geo->columns;
#pragma omp parallel for schedule(dynamic) default(none) shared(task, rows, first, end, gates, geo) \
    num_threads(hg_threads()) if (work > HG_PARALLEL_FROM)
  for (int block = 0; block < HG_ROW_BLOCKS; block++) {
    hg_off start = hg_row_piece(task.indptr, first, end, HG_ROW_BLOCKS, block);
    hg_off stop = hg_row_piece(task.indptr, first, end, HG_ROW_BLOCKS, block + 1);
    if (start < stop) rows(&task, start, stop, geo->block_sums + block * gates);
  }
}

// the blocks' sums in the first block's place
static void add_blocks(hg_geo *geo)
{
  hg_off gates = (hg_off)(geo->dims + 1) * geo->columns;
  for (hg_off e = 0; e < gates; e++) {
    double sum = 0;
    for (int block = 0; block < HG_ROW_BLOCKS; block++) sum += (double)geo->block_sums[block * gates + e];
    geo->block_sums[e] = (hg_real)sum;
  }
}

// the gradient of number d of filter k: of channel c alone, or over all channels
static hg_real gate_gradient(const hg_geo *g, int c, int k, int d)
{
  const hg_real *sums = g->block_sums + (hg_off)d * g->columns;
  if (!g->shared) return sums[column_of(g, c, k)];
  double sum = 0;
  for (c = 0; c < g->channels; c++) sum += (double)sums[column_of(g, c, k)];
  return (hg_real)sum;
}

void hg_geo_take_gradients(hg_geo *geo, hg_matrix *d_u, hg_real *d_b)
{
  add_blocks(geo);
  for (int c = 0; c < (geo->shared ? 1 : geo->channels); c++) {
    for (int k = 0; k < geo->filters; k++) {
      int row = c * geo->filters + k;
      for (int d = 0; d < geo->dims; d++) d_u->data[row * geo->dims + d] = gate_gradient(geo, c, k, d);
      d_b[row] = gate_gradient(geo, c, k, geo->dims);
    }
  }
  size_t gates = (size_t)(geo->dims + 1) * (size_t)geo->columns;
  memset(geo->block_sums, 0, HG_ROW_BLOCKS * gates * sizeof *geo->block_sums);
}

void hg_geo_arrange(const hg_geo *geo, const hg_matrix *w, hg_matrix *arranged)
{
  size_t width = (size_t)w->cols, row = width * sizeof *w->data;
  memset(arranged->data, 0, (size_t)geo->columns * row);
  for (int c = 0; c < geo->channels; c++)
    for (int k = 0; k < geo->filters; k++)
      memcpy(arranged->data + (size_t)column_of(geo, c, k) * width, w->data + (size_t)(c * geo->filters + k) * width,
             row);
}

void hg_geo_restore(const hg_geo *geo, const hg_matrix *arranged, hg_matrix *w)
{
  size_t width = (size_t)w->cols, row = width * sizeof *w->data;
  for (int c = 0; c < geo->channels; c++)
    for (int k = 0; k < geo->filters; k++)
      memcpy(w->data + (size_t)(c * geo->filters + k) * width, arranged->data + (size_t)column_of(geo, c, k) * width,
             row);
}
